//! Reads delimited text into snapshots.

use std::borrow::Cow;

use super::{Snapshot, SnapshotBuilder};
use crate::csv::reader::Reader;
use crate::csv::{CsvError, CsvOptions, Lengths, decode, delimiter};

/// Reads a whole delimited text; the first record is the header, and a row's origin is the line it begins on.
///
/// A file with only a header is a snapshot without rows; a file without even that is [`CsvError::Empty`].
///
/// # Errors
/// On bytes that are invalid in the encoding, malformed quotes, rows that do not have the header's length.
pub fn read(bytes: &[u8], options: &CsvOptions) -> Result<Snapshot, CsvError> {
    let text = decode(bytes, options.encoding.as_deref())?;
    let head = text.get(..text.len().min(1 << 16)).unwrap_or_default();
    let mut reader = Reader::new(&*text, delimiter(options, head)?);
    let header = reader.next()?.ok_or(CsvError::Empty)?;
    let columns = header.len();
    let mut builder = SnapshotBuilder::new(header.iter().map(Cow::into_owned));
    builder.reserve(
        text.len() / (columns * 8).max(16),
        text.len() + text.len() / 32,
    );
    let mut lengths = Lengths::default();
    while let Some(record) = reader.next()? {
        lengths.check(columns, record.len(), record.line, options.pad_short_rows);
        builder.push_texts(record.line, record.iter(), &options.nulls);
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
        assert_eq!(
            snapshot.row(0).collect::<Vec<_>>(),
            [Cell::Text("1"), Cell::Text("a\nb")]
        );
        assert_eq!(snapshot.cell(1, 1), Cell::Text("say \"hi\""));
        assert_eq!((snapshot.origin(0), snapshot.origin(1)), (2, 5));
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
        assert_eq!(
            error,
            "2 rows do not have the header's 2 fields: line 3 has 1, line 4 has 3"
        );
        let padding = CsvOptions {
            pad_short_rows: true,
            ..CsvOptions::default()
        };
        assert_eq!(read(b"a,b\n1\n", &padding).unwrap().cell(0, 1), Cell::Null);
        assert!(read(b"a,b\n1,2,3\n", &padding).is_err());
    }

    #[test]
    fn declared_nulls_and_delimiters() {
        let options = CsvOptions {
            nulls: vec!["NA".into()],
            delimiter: Some('|'),
            ..CsvOptions::default()
        };
        let snapshot = read(b"a|b\nNA|N/A\n", &options).unwrap();
        assert_eq!(
            snapshot.row(0).collect::<Vec<_>>(),
            [Cell::Null, Cell::Text("N/A")]
        );
        for delimiter in ['"', '\n', 'é'] {
            let options = CsvOptions {
                delimiter: Some(delimiter),
                ..CsvOptions::default()
            };
            assert!(matches!(
                read(b"a\n", &options),
                Err(CsvError::Delimiter(_))
            ));
        }
    }
}
