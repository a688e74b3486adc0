//! The formats of files: found out from the content and the name, or named by the caller.

use std::collections::{HashMap, HashSet};

use lockstep_engine::{
    schema::ColumnType,
    snapshot::{Snapshot, SnapshotBuilder},
};
use serde::{Deserialize, Serialize};

use super::{FileSource, broken, delimited, edits::Edits, json, parquet, people, xlsx};
use crate::{
    error::{Error, Result},
    replica::scan::Role,
};

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Format {
    /// Delimited text; the delimiter is found out if it is not named.
    Delimited(Option<char>),
    /// Delimited text in which no cell is a formula to the program that people open it with.
    ForPeople(Option<char>),
    /// A JSON document with an array of objects.
    Json,
    /// One JSON object a line.
    JsonLines,
    /// An Excel workbook.
    Xlsx,
    /// Apache Parquet.
    Parquet,
}

/// What a format's reader returns.
pub(super) struct Rows {
    pub(super) snapshot: Snapshot,
    /// The types of the columns that the format itself knows, by name.
    pub(super) types: HashMap<String, ColumnType>,
    /// The columns that hold formulas, by name.
    pub(super) formulas: HashSet<String>,
}

impl Default for Rows {
    fn default() -> Self {
        SnapshotBuilder::new(Vec::<String>::new()).finish().into()
    }
}

impl From<Snapshot> for Rows {
    fn from(snapshot: Snapshot) -> Self {
        Self { snapshot, types: HashMap::new(), formulas: HashSet::new() }
    }
}

/// How files begin that an encrypted workbook, or one of the old binary kind, is in.
const COMPOUND: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

impl Format {
    /// Returns the format of this name: `csv`, `csv;` with the delimiter behind it, `tsv`, `json`, `jsonl`, `xlsx`, `parquet`.
    ///
    /// # Errors
    /// Another name.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let unknown = || {
            Error::invalid(format!("\"{name}\" is no format of files")).next(
                "the formats are csv (\"csv;\" names the delimiter), tsv, csvForPeople and tsvForPeople, json, jsonl, xlsx and parquet",
            )
        };
        let lower = name.to_lowercase();
        Ok(match lower.as_str() {
            "csv" => Self::Delimited(None),
            "tsv" => Self::Delimited(Some('\t')),
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::JsonLines,
            "xlsx" | "xlsm" => Self::Xlsx,
            "parquet" => Self::Parquet,
            other => {
                if let Some(plain) = other.strip_suffix("forpeople") {
                    return match Self::named(plain)? {
                        Self::Delimited(delimiter) => Ok(Self::ForPeople(delimiter)),
                        _ => Err(unknown()),
                    };
                }
                let mut rest = other.strip_prefix("csv").ok_or_else(unknown)?.chars();
                match (rest.next(), rest.next()) {
                    (Some(delimiter), None)
                        if delimiter.is_ascii()
                            && !delimiter.is_alphanumeric()
                            && !matches!(delimiter, '"' | '\r' | '\n' | '\0') =>
                    {
                        Self::Delimited(Some(delimiter))
                    }
                    _ => return Err(unknown()),
                }
            }
        })
    }

    /// Returns the format of a file: as the caller names it, else as its first bytes say, else as its name says.
    ///
    /// # Errors
    /// A format that is not read, such as an encrypted workbook.
    pub(crate) fn of(source: &FileSource, bytes: &[u8]) -> Result<Self> {
        if bytes.starts_with(COMPOUND) {
            return Err(broken("the file is an encrypted workbook, or one of the old .xls kind")
                .next("save it as .xlsx without a password"));
        }
        let found = match &source.format {
            Some(name) => Self::named(name)?,
            None => Self::magic(bytes)
                .or_else(|| Self::by_name(&source.path, bytes))
                .unwrap_or_else(|| text(bytes)),
        };
        if found != Self::Xlsx && (source.sheet.is_some() || source.header_row.is_some()) {
            return Err(Error::invalid(
                "sheet and headerRow go with a spreadsheet or an XLSX file",
            )
            .next("leave them out, or name the format with format: \"xlsx\""));
        }
        if found != Self::Json && source.pointer.is_some() {
            return Err(Error::invalid("pointer goes with a JSON file")
                .next("leave it out, or name the format with format: \"json\""));
        }
        if !found.is_text() && source.encoding.is_some() {
            return Err(Error::invalid("encoding goes with files of text").next("leave it out"));
        }
        Ok(found)
    }

    fn magic(bytes: &[u8]) -> Option<Self> {
        match bytes {
            bytes if bytes.starts_with(b"PK\x03\x04") => Some(Self::Xlsx),
            bytes if bytes.starts_with(b"PAR1") => Some(Self::Parquet),
            _ => None,
        }
    }

    fn by_name(path: &str, bytes: &[u8]) -> Option<Self> {
        let (_, extension) = path.rsplit_once('.')?;
        let format = Self::named(extension).ok()?;
        // Many tools write one object a line and call it .json.
        Some(if format == Self::Json { json_kind(bytes) } else { format })
    }

    fn is_text(self) -> bool {
        !matches!(self, Self::Xlsx | Self::Parquet)
    }

    /// Reads the rows.
    ///
    /// # Errors
    /// Content that is not of the format, or that could not be written where the role says that it is.
    pub(super) fn read(self, bytes: &[u8], source: &FileSource, role: Role) -> Result<Rows> {
        if self.is_text() && role.writes() {
            writable(bytes, source)?;
        }
        match self {
            Self::Delimited(delimiter) => delimited::read(bytes, source, delimiter),
            Self::ForPeople(delimiter) => {
                let text = people::strip(bytes, source.encoding.as_deref(), delimiter)?;
                let source = FileSource { encoding: None, ..source.clone() };
                delimited::read(&text, &source, delimiter)
            }
            Self::Json => json::read(bytes, source),
            Self::JsonLines => json::read_lines(bytes, source),
            Self::Xlsx => xlsx::read(bytes, source, role),
            Self::Parquet => parquet::read(bytes),
        }
    }

    /// Returns the content with the changes made, and all else kept.
    ///
    /// # Errors
    /// Values that the format does not hold, and what could not be kept.
    pub(super) fn edit(
        self,
        bytes: &[u8],
        source: &FileSource,
        edits: &Edits<'_>,
    ) -> Result<Vec<u8>> {
        match self {
            Self::Delimited(delimiter) => delimited::edit(bytes, delimiter, edits),
            Self::ForPeople(delimiter) => {
                let text = people::strip(bytes, None, delimiter)?;
                people::protect(&delimited::edit(&text, delimiter, edits)?, delimiter)
            }
            Self::Json => json::edit(bytes, source, edits),
            Self::JsonLines => json::edit_lines(bytes, source, edits),
            Self::Xlsx => xlsx::edit(bytes, source, edits),
            Self::Parquet => parquet::edit(bytes, edits),
        }
    }

    /// Returns the content of a new file.
    ///
    /// # Errors
    /// Values that the format does not hold.
    pub(super) fn create(self, source: &FileSource, edits: &Edits<'_>) -> Result<Vec<u8>> {
        match self {
            Self::Delimited(delimiter) => delimited::create(delimiter, edits),
            Self::ForPeople(delimiter) => {
                people::protect(&delimited::create(delimiter, edits)?, delimiter)
            }
            Self::Json => json::create(source, edits),
            Self::JsonLines => json::create_lines(edits),
            Self::Xlsx => xlsx::create(source, edits),
            Self::Parquet => parquet::create(edits),
        }
    }
}

/// Refuses text that could not be written back as it is.
fn writable(bytes: &[u8], source: &FileSource) -> Result<()> {
    let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let other =
        source.encoding.as_deref().is_some_and(|name| !name.trim().eq_ignore_ascii_case("utf-8"));
    if utf16 || other {
        return Err(Error::invalid("the file is not UTF-8: it can be read, not written")
            .next("save it as UTF-8, or name another file"));
    }
    Ok(())
}

/// Tells a JSON document from JSON Lines: the latter's first line is an object, and another begins after it.
fn json_kind(bytes: &[u8]) -> Format {
    let mut lines =
        bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    let whole =
        first.starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(first).is_ok();
    match lines.next() {
        Some(next) if whole && next.starts_with(b"{") => Format::JsonLines,
        _ => Format::Json,
    }
}

/// Returns the format of text whose name does not tell.
fn text(bytes: &[u8]) -> Format {
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    match body.first() {
        Some(b'[') => Format::Json,
        Some(b'{') => json_kind(body),
        _ => Format::Delimited(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, format: Option<&str>, bytes: &[u8]) -> Result<Format> {
        let format = format.map(str::to_owned);
        Format::of(&FileSource { path: path.into(), format, ..FileSource::default() }, bytes)
    }

    #[test]
    fn formats_are_found_by_content_name_and_word() {
        let csv = Format::Delimited(None);
        let tsv = Format::Delimited(Some('\t'));
        for (path, format, bytes, expected) in [
            ("a.csv", None, &b"a,b"[..], csv),
            ("a.TSV", None, b"", tsv),
            ("a.json", None, b"[]", Format::Json),
            ("a.json", None, b"{\"a\":1}\n{\"a\":2}\n", Format::JsonLines),
            ("a.json", None, b"{\"a\":\n{\"b\":2}}\n", Format::Json),
            ("a.ndjson", None, b"{}", Format::JsonLines),
            ("a.xlsx", None, b"", Format::Xlsx),
            ("a.csv", None, b"PK\x03\x04..", Format::Xlsx),
            ("a.dat", None, b"PAR1..", Format::Parquet),
            ("a", None, b"\xef\xbb\xbf [1]", Format::Json),
            ("a", None, b"{\"a\":1}", Format::Json),
            ("a", None, b"a;b", csv),
            ("a.json", Some("csv;"), b"[]", Format::Delimited(Some(';'))),
            ("a.txt", Some("JSONL"), b"", Format::JsonLines),
            ("a.csv", Some("csvForPeople"), b"a,b", Format::ForPeople(None)),
            ("a.csv", Some("csv;forPeople"), b"a;b", Format::ForPeople(Some(';'))),
            ("a.csv", Some("tsvForPeople"), b"", Format::ForPeople(Some('\t'))),
        ] {
            assert_eq!(of(path, format, bytes).unwrap(), expected, "{path} {format:?}");
        }
    }

    #[test]
    fn what_is_no_format_and_arguments_of_others_are_refused() {
        for name in ["xls", "csvx", "csv\"", "csv;;", "", "ods", "jsonForPeople", "forPeople"] {
            let error = of("a", Some(name), b"").unwrap_err().to_string();
            assert!(error.contains("parquet"), "{error}");
        }
        let error = of("a.xlsx", None, COMPOUND).unwrap_err().to_string();
        assert!(error.contains("encrypted"), "{error}");
        let source =
            FileSource { path: "a.csv".into(), sheet: Some("x".into()), ..FileSource::default() };
        assert!(Format::of(&source, b"").unwrap_err().to_string().contains("headerRow"));
        let source = FileSource {
            path: "a.csv".into(),
            pointer: Some("/x".into()),
            ..FileSource::default()
        };
        assert!(Format::of(&source, b"").unwrap_err().to_string().contains("JSON"));
    }
}
