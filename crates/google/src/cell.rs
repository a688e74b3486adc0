//! Cells, as they are read and as they are written.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// The longest text a cell can hold, in UTF-16 units.
///
/// Google says "50000 characters" and counts inclusively (google-wire 2.8). That it counts UTF-16
/// units is a belief; it is the stricter reading, so that we never send what it would refuse.
pub const MAX_CELL_CHARACTERS: usize = 50_000;

/// A value read from a cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum CellValue {
    /// Nothing.
    #[default]
    Empty,
    /// A number; dates and times are serials, days since 1899-12-30.
    Number(f64),
    /// Text. Error cells such as `#DIV/0!` come as text from a values read.
    Text(String),
    /// A logical value.
    Bool(bool),
    /// An error, by its shown text, e.g. `#DIV/0!`: told apart from text only by a grid read.
    Error(String),
}

/// What to put into a cell, typed: nothing is parsed by the service.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Input {
    /// Clears the value.
    #[default]
    Empty,
    /// A number, finite.
    Number(f64),
    /// Text, taken literally: `=1+1` stays text.
    Text(String),
    /// A logical value.
    Bool(bool),
    /// A formula, with its leading `=`.
    Formula(String),
}

/// A cell to write: a value, and a number format if the format is written too.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CellWrite {
    /// The value.
    pub value: Input,
    /// The number format; only with [`CellFields::ValuesAndFormats`](crate::CellFields), where
    /// `None` takes the cell's number format away.
    pub format: Option<NumberFormat>,
}

impl CellWrite {
    /// Returns a write that clears the cell.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Returns a write of a number.
    pub fn number(value: f64) -> Self {
        Input::Number(value).into()
    }

    /// Returns a write of literal text.
    pub fn text(value: impl Into<String>) -> Self {
        Input::Text(value.into()).into()
    }

    /// Returns a write of a logical value.
    pub fn bool(value: bool) -> Self {
        Input::Bool(value).into()
    }

    /// Returns a write of a formula, which starts with `=`.
    pub fn formula(value: impl Into<String>) -> Self {
        Input::Formula(value.into()).into()
    }

    /// Returns the same write with a number format.
    pub fn with_format(mut self, format: NumberFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// Tells why the cell cannot be written, if it cannot.
    pub(crate) fn problem(&self) -> Option<String> {
        match &self.value {
            Input::Number(value) if !value.is_finite() => Some(format!(
                "{value} is not a number a sheet can hold; write it as text or leave the cell empty"
            )),
            Input::Text(text) | Input::Formula(text) if too_long(text) => Some(format!(
                "the text has {} characters, more than the {MAX_CELL_CHARACTERS} a cell can hold",
                text.encode_utf16().count()
            )),
            Input::Formula(text) if !text.starts_with('=') => {
                Some("a formula must start with '='".into())
            }
            _ => None,
        }
    }
}

fn too_long(text: &str) -> bool {
    // Bytes are never fewer than UTF-16 units: the usual short text is not counted.
    text.len() > MAX_CELL_CHARACTERS && text.encode_utf16().count() > MAX_CELL_CHARACTERS
}

impl From<Input> for CellWrite {
    fn from(value: Input) -> Self {
        Self { value, format: None }
    }
}

/// How a number is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberFormat {
    /// The kind, which the service demands.
    pub kind: NumberKind,
    /// The pattern, e.g. `yyyy-mm-dd`; the kind's default in the spreadsheet's locale if absent.
    pub pattern: Option<Arc<str>>,
}

impl NumberFormat {
    /// Returns a format of a kind and a pattern.
    pub fn new(kind: NumberKind, pattern: &str) -> Self {
        Self { kind, pattern: Some(pattern.into()) }
    }
}

/// Kinds of number formats (`NumberFormat.type` of the Sheets API).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NumberKind {
    /// Plain text: what is typed later stays text.
    Text,
    /// A number.
    Number,
    /// A percentage.
    Percent,
    /// An amount of money.
    Currency,
    /// A date.
    Date,
    /// A time of day or a duration.
    Time,
    /// A date with a time.
    DateTime,
    /// Scientific notation.
    Scientific,
}

impl NumberKind {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Text, "TEXT"),
        (Self::Number, "NUMBER"),
        (Self::Percent, "PERCENT"),
        (Self::Currency, "CURRENCY"),
        (Self::Date, "DATE"),
        (Self::Time, "TIME"),
        (Self::DateTime, "DATE_TIME"),
        (Self::Scientific, "SCIENTIFIC"),
    ];

    pub(crate) fn wire(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("NUMBER", |(_, name)| name)
    }

    pub(crate) fn from_wire(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, wire)| *wire == name).map(|(kind, _)| *kind)
    }
}

impl Serialize for NumberFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.kind.wire())?;
        if let Some(pattern) = &self.pattern {
            map.serialize_entry("pattern", &**pattern)?;
        }
        map.end()
    }
}

/// `ExtendedValue`: exactly one typed member.
impl Serialize for Input {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Empty => {}
            Self::Number(value) => map.serialize_entry("numberValue", value)?,
            Self::Text(value) => map.serialize_entry("stringValue", value)?,
            Self::Bool(value) => map.serialize_entry("boolValue", value)?,
            Self::Formula(value) => map.serialize_entry("formulaValue", value)?,
        }
        map.end()
    }
}

/// `CellData`: an empty cell is `{}`, never `null` (google-wire 1.3, bug 1).
impl Serialize for CellWrite {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.value != Input::Empty {
            map.serialize_entry("userEnteredValue", &self.value)?;
        }
        if let Some(format) = &self.format {
            map.serialize_entry("userEnteredFormat", &Formatted { format })?;
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Formatted<'a> {
    #[serde(rename = "numberFormat")]
    pub(crate) format: &'a NumberFormat,
}
