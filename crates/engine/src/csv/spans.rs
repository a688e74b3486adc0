//! Finds where records and fields lie in a delimited text, for writers that keep the bytes they do not change.

use std::ops::Range;

use memchr::memchr_iter;

use super::CsvError;
use super::split::{Field, Lines, Problem, Step, split};

/// Where one record lies in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The record without its line end.
    pub record: Range<usize>,
    /// Where what follows the line end begins.
    pub next: usize,
    /// The fields in their order, with their quotes.
    pub fields: Vec<Range<usize>>,
}

/// Walks over the records of a UTF-8 text without a byte order mark; the header is the first.
///
/// Empty lines are no records: they lie between the `next` of one and the `record` of the following one.
///
/// # Errors
/// Each item may be an error about malformed quotes, after which nothing follows.
pub fn spans(text: &[u8], delimiter: u8) -> impl Iterator<Item = Result<Span, CsvError>> {
    let (mut position, mut fields) = (0, Vec::<Field>::new());
    std::iter::from_fn(move || {
        let mut lines = Lines::default();
        match split(text, position, true, delimiter, &mut fields, &mut lines) {
            Step::Record { start, end, next } => {
                position = next;
                let fields = fields.iter().map(|field| with_quotes(text, start, field)).collect();
                Some(Ok(Span { record: start..end, next, fields }))
            }
            Step::Bad { at, problem, .. } => {
                position = text.len();
                let before = text.get(..at).unwrap_or_default();
                let line = memchr_iter(b'\n', before).count() as u64 + 1;
                let offset = at as u64;
                Some(Err(match problem {
                    Problem::Unclosed => CsvError::UnclosedQuote { line, offset },
                    Problem::AfterQuote => CsvError::AfterQuote { line, offset },
                }))
            }
            Step::End | Step::Incomplete => None,
        }
    })
}

/// A quote before a field's text is its own: before an unquoted field stands a delimiter, or nothing of its record.
fn with_quotes(text: &[u8], record: usize, field: &Field) -> Range<usize> {
    let quote = field.start.checked_sub(1).filter(|at| *at >= record);
    match quote.and_then(|at| text.get(at)) {
        Some(b'"') => field.start - 1..field.end + 1,
        _ => field.start..field.end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_a_record_a_line_end_or_an_empty_line() {
        let text = "id,\"a \"\"b\"\"\"\r\n\r\n\"\",x\n\"1\n2\",\"\"\nlast,";
        let spans: Vec<Span> = spans(text.as_bytes(), b',').map(Result::unwrap).collect();
        let fields: Vec<Vec<&str>> = spans
            .iter()
            .map(|span| span.fields.iter().map(|f| text.get(f.clone()).unwrap()).collect())
            .collect();
        assert_eq!(
            fields,
            [
                vec!["id", "\"a \"\"b\"\"\""],
                vec!["\"\"", "x"],
                vec!["\"1\n2\"", "\"\""],
                vec!["last", ""]
            ]
        );
        assert_eq!(text.get(spans[0].next..spans[1].record.start), Some("\r\n"));
        assert_eq!(spans[3].next, text.len());
    }

    #[test]
    fn malformed_quotes_end_the_walk() {
        let mut walk = spans(b"a\n\"b", b',');
        assert!(walk.next().unwrap().is_ok());
        assert!(matches!(walk.next(), Some(Err(CsvError::UnclosedQuote { line: 2, .. }))));
        assert!(walk.next().is_none());
    }
}
