//! Reads delimited text into snapshots.

use std::borrow::Cow;
use std::io::Read;

use super::{Snapshot, SnapshotBuilder};
use crate::csv::reader::Reader;
use crate::csv::{CsvError, CsvOptions, Lengths, decode, delimiter};

/// Bytes at the beginning that the delimiter is found from.
const HEAD: usize = 1 << 16;

/// Reads a whole delimited text; the first record is the header, and a row's origin is the line it begins on.
///
/// A file with only a header is a snapshot without rows; a file without even that is [`CsvError::Empty`].
///
/// # Errors
/// On bytes that are invalid in the encoding, malformed quotes, rows that do not have the header's length.
pub fn read(bytes: &[u8], options: &CsvOptions) -> Result<Snapshot, CsvError> {
    let text = decode(bytes, options.encoding.as_deref())?;
    let head = text.get(..text.len().min(HEAD)).unwrap_or_default();
    rows(Reader::new(&*text, delimiter(options, head)?), text.len(), options)
}

/// Reads a delimited stream of about `size` bytes like [`read`]; UTF-8 is not held in memory besides the snapshot.
///
/// # Errors
/// Those of [`read`], and those of the stream.
pub fn read_from(
    mut source: impl Read,
    size: usize,
    options: &CsvOptions,
) -> Result<Snapshot, CsvError> {
    let mut head = Vec::new();
    source.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(CsvError::Read)?;
    let marked = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    if marked || options.encoding.is_some() {
        source.read_to_end(&mut head).map_err(CsvError::Read)?;
        return read(&head, options);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    let mark = head.len() - text.len();
    let reader =
        Reader::new(text.chain(source), delimiter(options, text)?).starting_at(mark as u64, 1);
    rows(reader, size, options)
}

fn rows(
    mut reader: Reader<impl Read>,
    size: usize,
    options: &CsvOptions,
) -> Result<Snapshot, CsvError> {
    let header = reader.next()?.ok_or(CsvError::Empty)?;
    let columns = header.len();
    let mut builder = SnapshotBuilder::new(header.iter().map(Cow::into_owned));
    builder.reserve(size / (columns * 8).max(16), size + size / 32);
    let mut lengths = Lengths::default();
    while let Some(record) = reader.next()? {
        lengths.check(columns, record.len(), record.line, options.pad_short_rows);
        builder.push_record(&record, &options.nulls);
    }
    lengths.finish(columns)?;
    Ok(builder.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Cell;

    fn plain(text: &str) -> Result<Snapshot, CsvError> {
        read(text.as_bytes(), &CsvOptions::default())
    }

    #[test]
    fn reads_rows_with_their_lines() {
        let snapshot =
            plain("\u{feff}id;note\r\n1;\"a\nb\"\r\n\r\n2;\"say \"\"hi\"\"\"\r\n").unwrap();
        assert_eq!(snapshot.headers(), ["id", "note"]);
        assert_eq!(snapshot.row(0).collect::<Vec<_>>(), [Cell::Text("1"), Cell::Text("a\nb")]);
        assert_eq!(snapshot.cell(1, 1), Cell::Text("say \"hi\""));
        assert_eq!((snapshot.origin(0), snapshot.origin(1)), (2, 5));
    }

    #[test]
    fn streams_are_read_alike() {
        let long = "x;y,\n1;2\n".to_owned() + "3;é\n".repeat(40_000).as_str();
        let utf16: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain("a;b\n1;é\n".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        for bytes in [long.as_bytes(), b"\xef\xbb\xbfa,b\n1,2\n", b"a", &utf16] {
            let (whole, stream) =
                (read(bytes, &CsvOptions::default()), read_from(bytes, 10, &CsvOptions::default()));
            assert_eq!(whole.unwrap().content_hash(), stream.unwrap().content_hash());
        }
        let bad =
            |bytes: &[u8]| read_from(bytes, 0, &CsvOptions::default()).unwrap_err().to_string();
        assert!(bad(b"\xef\xbb\xbfa\n\xff\n").contains("byte 5, line 2"));
        assert!(bad(b"").contains("empty"));
    }

    #[test]
    fn empty_and_header_only_differ() {
        for text in ["", "\n\r\n", "\u{feff}"] {
            assert!(matches!(plain(text), Err(CsvError::Empty)), "{text:?}");
        }
        let only = plain("a,b").unwrap();
        assert_eq!((only.headers().len(), only.len()), (2, 0));
    }

    #[test]
    fn rows_of_the_wrong_length_are_named() {
        let error = plain("a,b\n1,2\n3\n4,5,6\n").unwrap_err().to_string();
        assert_eq!(error, "2 rows do not have the header's 2 fields: line 3 has 1, line 4 has 3");
        let padding = CsvOptions { pad_short_rows: true, ..CsvOptions::default() };
        assert_eq!(read(b"a,b\n1\n", &padding).unwrap().cell(0, 1), Cell::Null);
        assert!(read(b"a,b\n1,2,3\n", &padding).is_err());
    }

    #[test]
    fn declared_nulls_and_delimiters() {
        let options =
            CsvOptions { nulls: vec!["NA".into()], delimiter: Some('|'), ..CsvOptions::default() };
        let snapshot = read(b"a|b\nNA|N/A\n", &options).unwrap();
        assert_eq!(snapshot.row(0).collect::<Vec<_>>(), [Cell::Null, Cell::Text("N/A")]);
        for delimiter in ['"', '\n', 'é'] {
            let options = CsvOptions { delimiter: Some(delimiter), ..CsvOptions::default() };
            assert!(matches!(read(b"a\n", &options), Err(CsvError::Delimiter(_))));
        }
    }
}
