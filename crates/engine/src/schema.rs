//! Columns, their types, and how text is read by them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::datetime::{parse_date, parse_time};
use crate::key::Key;
use crate::text::{fold_case, normalise, trim_trailing};
use crate::value::{DateTime, Number, Value};
use crate::{list, serial};

/// The type of a column's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ColumnType {
    /// Any text; the type of a column of which nothing is known.
    #[default]
    Text,
    /// Exact decimals.
    Number,
    /// True or false.
    Bool,
    /// Days.
    Date,
    /// Times of day.
    Time,
    /// Days with time, with or without an offset from UTC.
    DateTime,
    /// Lists of values.
    List,
}

/// Tells that a text cannot be read as a column's type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a {ty}: expected {}", shorten(text), ty.expected())]
pub struct ParseError {
    /// What was read.
    pub text: Box<str>,
    /// The type it was read as.
    pub ty: ColumnType,
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(60).and_then(|(at, _)| text.get(..at)) {
        Some(head) => format!("{head}…"),
        None => text.to_owned(),
    }
}

impl ColumnType {
    /// Reads a text with the default options of a column; blank text is null.
    ///
    /// # Errors
    /// When the text is no value of this type. Callers that must not lose it keep it as [`Value::Text`].
    pub fn parse(self, text: &str) -> Result<Value, ParseError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(Value::Null);
        }
        let value = match self {
            ColumnType::Text => Some(Value::Text(normalise(trim_trailing(text)).into())),
            ColumnType::Number => trimmed.parse::<Number>().ok().map(Value::Number),
            ColumnType::Bool => parse_bool(trimmed).map(Value::Bool),
            ColumnType::Date => parse_date(trimmed).map(Value::Date),
            ColumnType::Time => parse_time(trimmed).map(Value::Time),
            ColumnType::DateTime => parse_datetime(trimmed).map(Value::DateTime),
            ColumnType::List => list::parse(trimmed).map(Value::List),
        };
        value.ok_or_else(|| ParseError { text: text.into(), ty: self })
    }

    /// Returns what a value of this type looks like, for messages.
    fn expected(self) -> &'static str {
        match self {
            ColumnType::Text => "any text",
            ColumnType::Number => "digits with an optional sign, point and exponent, like -12.50",
            ColumnType::Bool => "true or false (or yes/no, 1/0)",
            ColumnType::Date => "a date like 2024-01-15",
            ColumnType::Time => "a time like 09:30 or 09:30:00.5",
            ColumnType::DateTime => "a date-time like 2024-01-15T09:30:00Z",
            ColumnType::List => "items separated by commas, or a JSON array of plain values",
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ColumnType::Text => "text",
            ColumnType::Number => "number",
            ColumnType::Bool => "bool",
            ColumnType::Date => "date",
            ColumnType::Time => "time",
            ColumnType::DateTime => "dateTime",
            ColumnType::List => "list",
        })
    }
}

impl FromStr for ColumnType {
    type Err = UnknownType;

    fn from_str(text: &str) -> Result<ColumnType, UnknownType> {
        use ColumnType::*;
        let known = [Text, Number, Bool, Date, Time, DateTime, List];
        let same = |ty: &ColumnType| ty.to_string().eq_ignore_ascii_case(text.trim());
        known.into_iter().find(same).ok_or_else(|| UnknownType(text.to_owned()))
    }
}

/// Tells that a name is no column type's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no column type; the types are text, number, bool, date, time, dateTime and list")]
pub struct UnknownType(String);

fn parse_bool(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(&["true", "yes", "t", "y", "1"]) {
        Some(true)
    } else if is(&["false", "no", "f", "n", "0"]) {
        Some(false)
    } else {
        None
    }
}

fn parse_datetime(text: &str) -> Option<DateTime> {
    let midnight = || parse_date(text).map(|date| DateTime::local(date.at(0, 0, 0, 0)));
    text.parse().ok().or_else(midnight)
}

/// One column of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Column {
    /// The column's name in the dataset.
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type", default)]
    pub ty: ColumnType,
    /// Drops trailing spaces of texts (on unless declared off).
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub trim: bool,
    /// Folds letter case away: values compare without it, and are carried in lower case.
    #[serde(default, skip_serializing_if = "is_no")]
    pub fold_case: bool,
    /// Keeps a blank text as an empty text instead of null (text columns only).
    #[serde(default, skip_serializing_if = "is_no")]
    pub keep_blank: bool,
    /// Texts that mean null, such as `NA`; compared exactly, after trimming.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nulls: Vec<String>,
    /// Minutes east of UTC that date-times written without an offset are taken to be at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_minutes: Option<i16>,
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn is_no(value: &bool) -> bool {
    !*value
}

impl Column {
    /// Returns a column with the default options.
    pub fn new(name: impl Into<String>, ty: ColumnType) -> Column {
        Column {
            name: name.into(),
            ty,
            trim: true,
            fold_case: false,
            keep_blank: false,
            nulls: Vec::new(),
            offset_minutes: None,
        }
    }

    /// Reads a text by the column's type and options; what is no value of the type stays a text, so nothing is lost.
    pub fn read(&self, text: &str) -> Value {
        if !self.nulls.is_empty() && self.nulls.iter().any(|null| null == text.trim()) {
            return Value::Null;
        }
        if self.ty == ColumnType::Text {
            return self.read_text(text);
        }
        match self.ty.parse(text) {
            Ok(Value::DateTime(value)) => Value::DateTime(self.place(value)),
            Ok(value) => value,
            Err(_) => Value::Text(normalise(text.trim()).into()),
        }
    }

    fn read_text(&self, text: &str) -> Value {
        if text.trim().is_empty() && !self.keep_blank {
            return Value::Null;
        }
        let text = if self.trim { trim_trailing(text) } else { text };
        Value::Text(if self.fold_case { fold_case(text).into() } else { normalise(text).into() })
    }

    /// Gives a date-time without an offset the column's, where one is declared.
    fn place(&self, value: DateTime) -> DateTime {
        match (value.offset_minutes(), self.offset_minutes) {
            (None, Some(minutes)) => DateTime::at_offset(value.civil(), minutes).unwrap_or(value),
            _ => value,
        }
    }

    /// Reads a cell of a replica; a number in a date, time or date-time column is a sheet serial.
    pub fn value(&self, cell: &Cell<'_>) -> Value {
        match cell {
            Cell::Null => Value::Null,
            Cell::Text(text) => self.read(text),
            Cell::Bool(value) if self.ty == ColumnType::Bool => Value::Bool(*value),
            Cell::Bool(value) => self.read(if *value { "true" } else { "false" }),
            Cell::Float(value) => match Number::try_from(*value) {
                Ok(number) => self.number(number),
                Err(_) => self.read(&value.to_string()),
            },
            Cell::Number(text) => match text.parse() {
                Ok(number) => self.number(number),
                Err(_) => self.read(text),
            },
        }
    }

    fn number(&self, number: Number) -> Value {
        let value = match self.ty {
            ColumnType::Number => return Value::Number(number),
            ColumnType::Date => serial::date(&number).map(Value::Date),
            ColumnType::Time => serial::time(&number).map(Value::Time),
            ColumnType::DateTime => {
                serial::datetime(&number).map(|value| Value::DateTime(self.place(value)))
            }
            ColumnType::List => Some(Value::List(vec![Value::Number(number.clone())])),
            ColumnType::Text | ColumnType::Bool => None,
        };
        value.unwrap_or_else(|| self.read(&number.to_string()))
    }
}

/// The columns of a dataset and which of them are its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// The columns, in the order of every [`Row`](crate::value::Row).
    pub columns: Vec<Column>,
    /// Indices of the key columns, in key order.
    pub key: Vec<usize>,
    /// Compares the texts of keys without letter case.
    #[serde(default, skip_serializing_if = "is_no")]
    pub fold_key_case: bool,
}

impl Schema {
    /// Returns a schema; `key` holds indices into `columns`.
    pub fn new(columns: Vec<Column>, key: Vec<usize>) -> Schema {
        Schema { columns, key, fold_key_case: false }
    }

    /// Returns the index of the column with this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Returns the key of a row; a key column that the row does not have counts as null.
    pub fn key_of(&self, row: &[Value]) -> Key {
        let values = self.key.iter().map(|&column| row.get(column).cloned().unwrap_or(Value::Null));
        Key::normalised(values, self.fold_key_case)
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
