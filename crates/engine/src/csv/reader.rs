//! Reads delimited records from a stream, block by block.

use std::borrow::Cow;
use std::io::Read;

use memchr::{memchr_iter, memchr3};

use super::CsvError;
use super::split::{Field, Lines, Problem, Step, split};

/// Bytes read at a time: large enough that the tail moved to the front costs nothing, small enough for the cache.
const BLOCK: usize = 1 << 18;

/// A streaming reader of UTF-8 records; everything it holds is one block and the longest record.
pub(crate) struct Reader<R> {
    source: R,
    delimiter: u8,
    buffer: Vec<u8>,
    filled: usize,
    position: usize,
    /// Where the buffer begins in the stream.
    offset: u64,
    last: bool,
    line: u64,
    quoted: bool,
    lazy: bool,
    /// The number of fields of the present record, when they were not looked for.
    plain: Option<usize>,
    /// Where the present record is in the buffer, and the line it begins on.
    present: (usize, usize, u64),
    fields: Vec<Field>,
}

/// One record, borrowed from its reader.
pub(crate) struct Record<'a> {
    text: &'a str,
    base: usize,
    fields: &'a [Field],
    delimiter: u8,
    /// The number of fields, when they were not looked for.
    plain: Option<usize>,
    /// Byte offset of the record in the stream.
    pub(crate) offset: u64,
    /// The line it begins on, from 1.
    pub(crate) line: u64,
    /// Some field is quoted, so that the raw record is not just its fields with delimiters between.
    pub(crate) quoted: bool,
}

impl<'a> Record<'a> {
    /// Returns the number of fields.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.plain.unwrap_or(self.fields.len())
    }

    /// Returns the record as it is in the stream, without its line end.
    pub(crate) fn raw(&self) -> &'a str {
        self.text
    }

    /// Returns one field's text.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<Cow<'a, str>> {
        match self.plain {
            Some(_) => self.text.split(char::from(self.delimiter)).nth(index).map(Cow::Borrowed),
            None => self.fields.get(index).map(|field| self.field(field)),
        }
    }

    /// Returns where the fields of a record without quotes are in the reader's buffer, and where the record is there.
    #[inline]
    pub(crate) fn unquoted(&self) -> Option<(usize, &'a [Field])> {
        (!self.quoted && self.plain.is_none()).then_some((self.base, self.fields))
    }

    /// Iterates over the texts of the fields.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Cow<'a, str>> {
        (0..self.len()).map_while(|index| self.get(index))
    }

    #[inline]
    fn field(&self, field: &Field) -> Cow<'a, str> {
        let text =
            self.text.get(field.start - self.base..field.end - self.base).unwrap_or_default();
        if field.doubled { Cow::Owned(text.replace("\"\"", "\"")) } else { Cow::Borrowed(text) }
    }
}

impl<R: Read> Reader<R> {
    /// Returns a reader of a UTF-8 stream that has no byte order mark.
    pub(crate) fn new(source: R, delimiter: u8) -> Reader<R> {
        Reader {
            source,
            delimiter,
            buffer: vec![0; BLOCK],
            filled: 0,
            position: 0,
            offset: 0,
            last: false,
            line: 1,
            quoted: false,
            lazy: false,
            plain: None,
            present: (0, 0, 0),
            fields: Vec::new(),
        }
    }

    /// Says that the stream begins at an offset and a line of a larger one.
    pub(crate) fn starting_at(mut self, offset: u64, line: u64) -> Reader<R> {
        (self.offset, self.line) = (offset, line);
        self
    }

    /// Says that few fields of each record are wanted, so that those without quotes are not taken apart.
    pub(crate) fn lazily(mut self, lazy: bool) -> Reader<R> {
        self.lazy = lazy;
        self
    }

    /// Reads the next record; empty lines are skipped.
    ///
    /// # Errors
    /// On a failed read, text that is not UTF-8, and malformed quotes.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, CsvError> {
        if !self.advance()? {
            return Ok(None);
        }
        let (start, end, line) = self.present;
        let offset = self.offset + start as u64;
        let bytes = self.buffer.get(start..end).unwrap_or_default();
        let Ok(text) = simdutf8::basic::from_utf8(bytes) else {
            let valid =
                std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
            return Err(CsvError::Utf8 { offset: offset + valid as u64, line });
        };
        let (delimiter, plain, quoted) = (self.delimiter, self.plain, self.quoted);
        Ok(Some(Record {
            text,
            base: start,
            fields: &self.fields,
            delimiter,
            plain,
            offset,
            line,
            quoted,
        }))
    }

    /// Finds the next record; the answer is whether there is one.
    fn advance(&mut self) -> Result<bool, CsvError> {
        loop {
            let mut lines = Lines::default();
            let input = self.buffer.get(..self.filled).unwrap_or_default();
            self.plain = None;
            if self.lazy
                && let Some((end, next)) = plain_record(input, self.position)
            {
                let record = input.get(self.position..end).unwrap_or_default();
                self.plain = Some(count(record, self.delimiter) + 1);
                self.present = (self.position, end, self.line);
                (self.position, self.line, self.quoted) = (next, self.line + 1, false);
                return Ok(true);
            }
            match split(
                input,
                self.position,
                self.last,
                self.delimiter,
                &mut self.fields,
                &mut lines,
            ) {
                Step::Record { start, end, next } => {
                    let line = self.line + lines.before;
                    self.line = line + lines.inside + 1;
                    self.position = next;
                    self.quoted = lines.quoted;
                    self.present = (start, end, line);
                    return Ok(true);
                }
                Step::Bad { start, at, problem } => {
                    let text = input.get(start..at).unwrap_or_default();
                    let line = self.line + lines.before + memchr_iter(b'\n', text).count() as u64;
                    let offset = self.offset + at as u64;
                    return Err(match problem {
                        Problem::Unclosed => CsvError::UnclosedQuote { line, offset },
                        Problem::AfterQuote => CsvError::AfterQuote { line, offset },
                    });
                }
                Step::End if self.last => return Ok(false),
                Step::End | Step::Incomplete => self.fill()?,
            }
        }
    }

    /// Moves what is not consumed to the front and reads at least one more byte, or learns that there is none.
    fn fill(&mut self) -> Result<(), CsvError> {
        self.buffer.copy_within(self.position..self.filled, 0);
        self.offset += self.position as u64;
        self.filled -= self.position;
        self.position = 0;
        if self.buffer.len() - self.filled < BLOCK / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let free = self.buffer.get_mut(self.filled..).unwrap_or_default();
        match self.source.read(free) {
            Ok(0) => self.last = true,
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CsvError::Read(error)),
        }
        Ok(())
    }
}

/// Counts a byte; in runs short enough for byte-wide sums, which the compiler turns into vector code.
#[inline]
fn count(bytes: &[u8], wanted: u8) -> usize {
    bytes
        .chunks(255)
        .map(|run| usize::from(run.iter().map(|byte| u8::from(*byte == wanted)).sum::<u8>()))
        .sum()
}

/// Returns the end of a record without quotes that is wholly in the input, and where the next one begins.
#[inline]
fn plain_record(input: &[u8], start: usize) -> Option<(usize, usize)> {
    let length = memchr3(b'\n', b'\r', b'"', input.get(start..)?)?;
    let end = start + length;
    match (length, input.get(end), input.get(end + 1)) {
        // An empty line is not a record.
        (0, ..) => None,
        (_, Some(b'\n'), _) => Some((end, end + 1)),
        (_, Some(b'\r'), Some(b'\n')) => Some((end, end + 2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, so that every record is cut everywhere.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(&mut buffer[..1])
        }
    }

    type Rows = Vec<(u64, u64, Vec<String>)>;

    fn rows(source: impl Read) -> Result<Rows, CsvError> {
        let mut reader = Reader::new(source, b',');
        let mut rows = Vec::new();
        while let Some(record) = reader.next()? {
            rows.push((record.line, record.offset, record.iter().map(Cow::into_owned).collect()));
        }
        Ok(rows)
    }

    #[test]
    fn lines_and_offsets() {
        let text = "a,b\r\n\r\n\"x\ny\",\"q\"\"\"\nlast,é";
        let expected =
            [(1, 0, vec!["a", "b"]), (3, 7, vec!["x\ny", "q\""]), (5, 19, vec!["last", "é"])];
        for rows in [rows(text.as_bytes()).unwrap(), rows(Drip(text.as_bytes())).unwrap()] {
            assert_eq!(rows.len(), expected.len());
            for ((line, offset, cells), (l, o, c)) in rows.iter().zip(&expected) {
                assert_eq!(
                    (line, offset, cells.iter().map(String::as_str).collect::<Vec<_>>()),
                    (l, o, c.clone())
                );
            }
        }
    }

    #[test]
    fn lazy_records_are_the_same() {
        let text = "a,b\r\n\r\n\n1,,\nx\r5\" p,q\n\"x\ny\",\"q\"\"\"\n,\nlast,é";
        let read = |lazy: bool| {
            let mut reader = Reader::new(text.as_bytes(), b',').lazily(lazy);
            let mut rows = Vec::new();
            while let Some(record) = reader.next().unwrap() {
                let cells: Vec<String> = record.iter().map(Cow::into_owned).collect();
                rows.push((
                    record.line,
                    record.offset,
                    record.len(),
                    record.get(1).map(Cow::into_owned),
                    cells,
                ));
            }
            rows
        };
        assert_eq!(read(true), read(false));
        assert_eq!(read(true).len(), 7);
    }

    #[test]
    fn errors_tell_where() {
        let message = |text: &[u8]| rows(text).unwrap_err().to_string();
        assert!(message(b"a\nb\xff\n").contains("byte 3, line 2"), "{}", message(b"a\nb\xff\n"));
        assert!(message(b"a\n\"b\nc").contains("line 2"));
        assert!(message(b"a\n\"b\nc\"d\n").contains("line 3"));
    }

    #[test]
    fn a_record_longer_than_a_block() {
        let long = "x".repeat(BLOCK * 3);
        let text = format!("a,\"{long}\"\nb,c\n");
        assert_eq!(rows(text.as_bytes()).unwrap()[0].2[1], long);
    }
}
