//! Finds the fields of one delimited record.
//!
//! Written here, not taken from a crate, because of what the fast parsers do with a stray quote: they read `5" pipe` as
//! the start of a quoted field and swallow the rows after it. Here a quote inside an unquoted field is a character, and
//! a quoted field that never ends, or goes on after its closing quote, is an error. On every input without such an
//! error the fields are those of the `csv` crate (a property test compares them).

use memchr::{memchr, memchr_iter, memchr3};

/// Where one field's text is in the input, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The text has doubled quotes in it.
    pub(crate) doubled: bool,
}

impl Field {
    /// Returns the bytes of the text, with doubled quotes as two.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }
}

/// What is wrong with a record's quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Unclosed,
    AfterQuote,
}

/// The outcome of one split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A record from `start` to `end`; the next one begins at `next`.
    Record { start: usize, end: usize, next: usize },
    /// The input ends before the record does.
    Incomplete,
    /// Nothing but line ends is left.
    End,
    /// The record that begins at `start` is malformed at `at`.
    Bad { start: usize, at: usize, problem: Problem },
}

/// How the text after a field goes on.
enum After {
    Field(usize),
    Record { end: usize, next: usize },
    Incomplete,
}

/// Finds the fields of the record at `from`, skipping empty lines; `lines` counts the line ends passed.
///
/// `last` says that nothing follows the input.
pub(crate) fn split(
    input: &[u8],
    from: usize,
    last: bool,
    delimiter: u8,
    fields: &mut Vec<Field>,
    lines: &mut Lines,
) -> Step {
    fields.clear();
    let mut pos = from;
    loop {
        match (input.get(pos), input.get(pos + 1)) {
            (Some(b'\r'), Some(b'\n')) => pos += 1,
            (Some(b'\r'), None) if !last => return Step::Incomplete,
            (Some(b'\n' | b'\r'), _) => {
                pos += 1;
                lines.before += 1;
            }
            (Some(_), _) => break,
            (None, _) => return Step::End,
        }
    }
    let start = pos;
    loop {
        let (field, end) = if input.get(pos) == Some(&b'"') {
            match quoted(input, pos + 1, last) {
                Ok(field) => {
                    let text = input.get(field.start..field.end).unwrap_or_default();
                    lines.quoted = true;
                    lines.inside += memchr_iter(b'\n', text).count() as u64;
                    (field, field.end + 1)
                }
                Err(true) => {
                    return Step::Bad { start, at: pos, problem: Problem::Unclosed };
                }
                Err(false) => return Step::Incomplete,
            }
        } else {
            let rest = input.get(pos..).unwrap_or_default();
            match memchr3(delimiter, b'\n', b'\r', rest) {
                Some(length) => {
                    (Field { start: pos, end: pos + length, doubled: false }, pos + length)
                }
                None if last => {
                    (Field { start: pos, end: input.len(), doubled: false }, input.len())
                }
                None => return Step::Incomplete,
            }
        };
        match after(input, end, last, delimiter) {
            Some(After::Field(next)) => {
                fields.push(field);
                pos = next;
            }
            Some(After::Record { end, next }) => {
                fields.push(field);
                return Step::Record { start, end, next };
            }
            Some(After::Incomplete) => return Step::Incomplete,
            None => {
                return Step::Bad { start, at: end, problem: Problem::AfterQuote };
            }
        }
    }
}

/// What a split passed besides fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    /// Line ends of empty lines before the record.
    pub(crate) before: u64,
    /// Line ends inside quoted fields.
    pub(crate) inside: u64,
    /// Some field is quoted.
    pub(crate) quoted: bool,
}

/// Finds the end of the quoted field whose text begins at `start`; the error says whether the input is final.
fn quoted(input: &[u8], start: usize, last: bool) -> Result<Field, bool> {
    let (mut scan, mut doubled) = (start, false);
    loop {
        let rest = input.get(scan..).unwrap_or_default();
        let close = scan + memchr(b'"', rest).ok_or(last)?;
        match input.get(close + 1) {
            Some(b'"') => {
                doubled = true;
                scan = close + 2;
            }
            None if !last => return Err(false),
            _ => {
                return Ok(Field { start, end: close, doubled });
            }
        }
    }
}

fn after(input: &[u8], end: usize, last: bool, delimiter: u8) -> Option<After> {
    match input.get(end) {
        Some(&byte) if byte == delimiter => Some(After::Field(end + 1)),
        Some(b'\n') => Some(After::Record { end, next: end + 1 }),
        Some(b'\r') => match input.get(end + 1) {
            Some(b'\n') => Some(After::Record { end, next: end + 2 }),
            None if !last => Some(After::Incomplete),
            _ => Some(After::Record { end, next: end + 1 }),
        },
        None if last => Some(After::Record { end, next: end }),
        None => Some(After::Incomplete),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(input: &[u8]) -> Result<Vec<Vec<String>>, Problem> {
        let (mut rows, mut fields, mut pos) = (Vec::new(), Vec::new(), 0);
        loop {
            match split(input, pos, true, b',', &mut fields, &mut Lines::default()) {
                Step::Record { next, .. } => {
                    let text =
                        |f: &Field| String::from_utf8_lossy(&input[f.start..f.end]).into_owned();
                    let cell = |f: &Field| {
                        if f.doubled { text(f).replace("\"\"", "\"") } else { text(f) }
                    };
                    rows.push(fields.iter().map(cell).collect());
                    pos = next;
                }
                Step::End => return Ok(rows),
                Step::Bad { problem, .. } => return Err(problem),
                Step::Incomplete => panic!("incomplete at the end of the input"),
            }
        }
    }

    #[test]
    fn quotes() {
        assert_eq!(
            rows(b"a,\"b\"\"c\",\"\"\r\n\"x\ny\",,5\" pipe").unwrap(),
            [vec!["a", "b\"c", ""], vec!["x\ny", "", "5\" pipe"]]
        );
        assert_eq!(rows(b"a\n\"b"), Err(Problem::Unclosed));
        assert_eq!(rows(b"\"a\"b\n"), Err(Problem::AfterQuote));
        assert_eq!(rows(b"\n\r\n\na,\n\n").unwrap(), [["a", ""]]);
    }

    #[test]
    fn lines_are_counted_where_they_are() {
        let mut lines = Lines::default();
        let step = split(b"\n\r\n\r\"x\ny\nz\",1\n", 0, true, b',', &mut Vec::new(), &mut lines);
        assert_eq!(
            (step, lines),
            (
                Step::Record { start: 4, end: 13, next: 14 },
                Lines { before: 3, inside: 2, quoted: true }
            )
        );
    }

    proptest! {
        #[test]
        fn fields_are_those_of_the_csv_crate(text in "([ab,é]|\"\"|\"|\n|\r|\r\n|,\"[a,\n]{0,3}\"){0,24}") {
            if let Ok(rows) = rows(text.as_bytes()) {
                let mut reader = ::csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
                let expected: Vec<Vec<String>> = reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect();
                prop_assert_eq!(rows, expected);
            }
        }

        #[test]
        fn a_prefix_never_gives_another_record(text in "([ab,]|\"\"|\"|\n|\r|\r\n|,\"[a,\n]{0,3}\"){0,24}", cut in 0usize..40) {
            let input = text.as_bytes();
            let (mut whole, mut part) = (Vec::new(), Vec::new());
            let expected = split(input, 0, true, b',', &mut whole, &mut Lines::default());
            let prefix = &input[..cut.min(input.len())];
            match split(prefix, 0, false, b',', &mut part, &mut Lines::default()) {
                Step::Incomplete | Step::End => {}
                step => {
                    prop_assert_eq!(step, expected);
                    if matches!(step, Step::Record { .. }) {
                        prop_assert_eq!(part, whole);
                    }
                }
            }
        }
    }
}
