//! Delimited text: CSV, TSV and their relatives.
//!
//! The delimiter and the encoding are found where they are not given; everything that would have to be guessed
//! (invalid bytes, rows of the wrong length, quotes that do not match) is an error that says where.

mod decode;
pub(crate) mod reader;
mod sniff;
mod spans;
pub(crate) mod split;

pub use decode::decode;
pub use sniff::sniff_delimiter;
pub use spans::{Span, spans};

use serde::{Deserialize, Serialize};

/// How a delimited file is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CsvOptions {
    /// The delimiter; found from the header when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// The encoding's name, such as `windows-1252`; UTF-8, or what the byte order mark says, when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Texts that mean null in every column, such as `NA`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nulls: Vec<String>,
    /// Reads rows that are shorter than the header as if their last cells were empty.
    pub pad_short_rows: bool,
}

/// Tells why a delimited text cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// Not even a header is there.
    #[error("the file is empty: a header line with the column names was expected")]
    Empty,
    /// A byte sequence is not UTF-8.
    #[error(
        "not valid UTF-8 at byte {offset}, line {line}; give the file's encoding (for example windows-1252)"
    )]
    Utf8 {
        /// Offset of the first invalid byte.
        offset: u64,
        /// The line the record begins on.
        line: u64,
    },
    /// A byte sequence is invalid in the encoding asked for.
    #[error("the bytes are not valid {encoding} (first at byte {offset}); give another encoding")]
    Malformed {
        /// The encoding's name.
        encoding: &'static str,
        /// Offset of the first invalid sequence.
        offset: u64,
    },
    /// The encoding's name is not known.
    #[error(
        "'{0}' is no known encoding; names like utf-8, utf-16le, windows-1252, iso-8859-15 or shift_jis are"
    )]
    UnknownEncoding(String),
    /// The delimiter is not one byte, or is a quote or line end.
    #[error("{0:?} cannot be a delimiter; use one ASCII character such as , ; | or a tab")]
    Delimiter(char),
    /// A quoted field is never closed.
    #[error("line {line}: a quoted field begins here (byte {offset}) and is never closed")]
    UnclosedQuote {
        /// The line of the opening quote.
        line: u64,
        /// Offset of the opening quote.
        offset: u64,
    },
    /// Text follows the closing quote of a field.
    #[error(
        "line {line}: text follows the closing quote of a field (byte {offset}); double the quotes inside quoted fields"
    )]
    AfterQuote {
        /// The line of the closing quote.
        line: u64,
        /// Offset just after the closing quote.
        offset: u64,
    },
    /// Rows have more or fewer fields than the header.
    #[error("{}", ragged(*expected, *total, first))]
    Ragged {
        /// Fields of the header.
        expected: usize,
        /// How many rows are wrong.
        total: u64,
        /// Line and number of fields of the first of them.
        first: Vec<(u64, usize)>,
    },
    /// The source could not be read.
    #[error("reading failed: {0}")]
    Read(#[source] std::io::Error),
}

fn ragged(expected: usize, total: u64, first: &[(u64, usize)]) -> String {
    let places: Vec<String> =
        first.iter().map(|(line, fields)| format!("line {line} has {fields}")).collect();
    let more = if total > first.len() as u64 { ", …" } else { "" };
    let rows = if total == 1 { "1 row does".to_owned() } else { format!("{total} rows do") };
    format!("{rows} not have the header's {expected} fields: {}{more}", places.join(", "))
}

/// Collects rows of the wrong length, so that the error names the first few.
#[derive(Default)]
pub(crate) struct Lengths {
    total: u64,
    first: Vec<(u64, usize)>,
}

impl Lengths {
    /// Notes a row that is longer than the header, or shorter unless `pad` allows that.
    #[inline]
    pub(crate) fn check(&mut self, expected: usize, fields: usize, line: u64, pad: bool) {
        if fields != expected && !(pad && fields < expected) {
            self.note(fields, line);
        }
    }

    #[cold]
    fn note(&mut self, fields: usize, line: u64) {
        self.total += 1;
        if self.first.len() < 5 {
            self.first.push((line, fields));
        }
    }

    /// Returns the error about the rows noted.
    pub(crate) fn finish(self, expected: usize) -> Result<(), CsvError> {
        match self.total {
            0 => Ok(()),
            total => Err(CsvError::Ragged { expected, total, first: self.first }),
        }
    }
}

/// Returns the delimiter as a byte, found in the text where the options do not give it.
pub(crate) fn delimiter(options: &CsvOptions, head: &[u8]) -> Result<u8, CsvError> {
    match options.delimiter {
        None => Ok(sniff_delimiter(head)),
        Some(given) if given.is_ascii() && !matches!(given, '"' | '\n' | '\r' | '\0') => {
            Ok(given as u8)
        }
        Some(given) => Err(CsvError::Delimiter(given)),
    }
}
