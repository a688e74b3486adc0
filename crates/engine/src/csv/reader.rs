//! Reads delimited records from a stream, block by block.

use std::borrow::Cow;
use std::io::Read;

use memchr::memchr_iter;

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
    fields: Vec<Field>,
}

/// One record, borrowed from its reader.
pub(crate) struct Record<'a> {
    text: &'a str,
    base: usize,
    fields: &'a [Field],
    /// Byte offset of the record in the stream.
    pub(crate) offset: u64,
    /// The line it begins on, from 1.
    pub(crate) line: u64,
}

impl<'a> Record<'a> {
    /// Returns the number of fields.
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Returns the record as it is in the stream, without its line end.
    pub(crate) fn raw(&self) -> &'a str {
        self.text
    }

    /// Returns one field's text.
    pub(crate) fn get(&self, index: usize) -> Option<Cow<'a, str>> {
        self.fields.get(index).map(|field| self.field(field))
    }

    /// Iterates over the texts of the fields.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.fields.iter().map(|field| self.field(field))
    }

    #[inline]
    fn field(&self, field: &Field) -> Cow<'a, str> {
        let text = self
            .text
            .get(field.start - self.base..field.end - self.base)
            .unwrap_or_default();
        if field.doubled {
            Cow::Owned(text.replace("\"\"", "\""))
        } else {
            Cow::Borrowed(text)
        }
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
            fields: Vec::new(),
        }
    }

    /// Says that the stream begins at an offset and a line of a larger one.
    pub(crate) fn starting_at(mut self, offset: u64, line: u64) -> Reader<R> {
        (self.offset, self.line) = (offset, line);
        self
    }

    /// Reads the next record; empty lines are skipped.
    ///
    /// # Errors
    /// On a failed read, text that is not UTF-8, and malformed quotes.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, CsvError> {
        let Some((start, end, line)) = self.advance()? else {
            return Ok(None);
        };
        let offset = self.offset + start as u64;
        let bytes = self.buffer.get(start..end).unwrap_or_default();
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(Record {
                text,
                base: start,
                fields: &self.fields,
                offset,
                line,
            })),
            Err(error) => Err(CsvError::Utf8 {
                offset: offset + error.valid_up_to() as u64,
                line,
            }),
        }
    }

    /// Finds the next record: where it is in the buffer, and the line it begins on.
    fn advance(&mut self) -> Result<Option<(usize, usize, u64)>, CsvError> {
        loop {
            let mut lines = Lines::default();
            let input = self.buffer.get(..self.filled).unwrap_or_default();
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
                    return Ok(Some((start, end, line)));
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
                Step::End if self.last => return Ok(None),
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
            rows.push((
                record.line,
                record.offset,
                record.iter().map(Cow::into_owned).collect(),
            ));
        }
        Ok(rows)
    }

    #[test]
    fn lines_and_offsets() {
        let text = "a,b\r\n\r\n\"x\ny\",\"q\"\"\"\nlast,é";
        let expected = [
            (1, 0, vec!["a", "b"]),
            (3, 7, vec!["x\ny", "q\""]),
            (5, 19, vec!["last", "é"]),
        ];
        for rows in [
            rows(text.as_bytes()).unwrap(),
            rows(Drip(text.as_bytes())).unwrap(),
        ] {
            assert_eq!(rows.len(), expected.len());
            for ((line, offset, cells), (l, o, c)) in rows.iter().zip(&expected) {
                assert_eq!(
                    (
                        line,
                        offset,
                        cells.iter().map(String::as_str).collect::<Vec<_>>()
                    ),
                    (l, o, c.clone())
                );
            }
        }
    }

    #[test]
    fn errors_tell_where() {
        let message = |text: &[u8]| rows(text).unwrap_err().to_string();
        assert!(
            message(b"a\nb\xff\n").contains("byte 3, line 2"),
            "{}",
            message(b"a\nb\xff\n")
        );
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
