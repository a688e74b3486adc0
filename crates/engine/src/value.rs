//! One cell's value.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use jiff::civil::{Date, Time};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use crate::datetime::DateTime;
use crate::datetime::{parse_date, parse_time};
pub use crate::number::Number;

/// A typed value of one cell; `==` is the typed equality of the whole engine.
///
/// The order is the canonical order of values: nulls, booleans, numbers, texts, dates, times, date-times, lists, each
/// by its own order. It has no meaning to a person; symmetric strategies break ties with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// Nothing: an empty cell, a database NULL, a blank text.
    Null,
    /// True or false.
    Bool(bool),
    /// An exact decimal.
    Number(Number),
    /// Text in Unicode NFC.
    Text(Box<str>),
    /// A day.
    Date(Date),
    /// A time of day.
    Time(Time),
    /// A day and time, with or without an offset from UTC.
    DateTime(DateTime),
    /// Several values, for cells that hold a set or a list.
    List(Vec<Value>),
}

/// One row's values, aligned with the columns of its schema.
///
/// A clone shares the values: a row stands in a plan, in the journal and in the moves of the bases, and is there once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Row(Arc<[Value]>);

impl Row {
    /// Takes the values of an equal row in the place of its own, so that they are there once.
    pub(crate) fn share(&mut self, other: &Row) {
        if self == other {
            self.clone_from(other);
        }
    }
}

impl Deref for Row {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0
    }
}

/// Changes the values of this row alone: they are copied first if another one shares them.
impl DerefMut for Row {
    fn deref_mut(&mut self) -> &mut [Value] {
        Arc::make_mut(&mut self.0)
    }
}

impl From<Vec<Value>> for Row {
    fn from(values: Vec<Value>) -> Row {
        Row(values.into())
    }
}

impl From<&[Value]> for Row {
    fn from(values: &[Value]) -> Row {
        Row(values.into())
    }
}

impl<const N: usize> From<[Value; N]> for Row {
    fn from(values: [Value; N]) -> Row {
        Row(values.into())
    }
}

impl FromIterator<Value> for Row {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Row {
        Row(values.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Row {
    type Item = &'a Value;
    type IntoIter = std::slice::Iter<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl Value {
    /// Returns a text value as given, without normalising it.
    pub fn text(text: impl Into<Box<str>>) -> Value {
        Value::Text(text.into())
    }

    /// Returns whether the value is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Returns the text of a text value.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the number of a number value.
    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Number(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.into())
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Value {
        Value::Number(value)
    }
}

impl fmt::Display for Value {
    /// Writes the canonical text that the value's own column type reads back as an equal value; null is empty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(value) => write!(f, "{value}"),
            Value::Text(value) => f.write_str(value),
            Value::Date(value) => write!(f, "{value}"),
            Value::Time(value) => write!(f, "{value}"),
            Value::DateTime(value) => write!(f, "{value}"),
            Value::List(items) => f.write_str(&crate::list::write(items)),
        }
    }
}

/// The JSON form: null, booleans, texts and lists as themselves, the rest as an object with one tag.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wire {
    Null,
    Bool(bool),
    Text(Box<str>),
    List(Vec<Value>),
    Number { n: Number },
    Date { d: Box<str> },
    Time { t: Box<str> },
    DateTime { dt: Box<str> },
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wire = match self {
            Value::Null => Wire::Null,
            Value::Bool(value) => Wire::Bool(*value),
            Value::Number(value) => Wire::Number { n: value.clone() },
            Value::Text(value) => Wire::Text(value.clone()),
            Value::Date(value) => Wire::Date { d: value.to_string().into() },
            Value::Time(value) => Wire::Time { t: value.to_string().into() },
            Value::DateTime(value) => Wire::DateTime { dt: value.to_string().into() },
            Value::List(items) => Wire::List(items.clone()),
        };
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        let bad = |what: &str, text: &str| de::Error::custom(format!("'{text}' is not a {what}"));
        Ok(match Wire::deserialize(deserializer)? {
            Wire::Null => Value::Null,
            Wire::Bool(value) => Value::Bool(value),
            Wire::Text(value) => Value::Text(value),
            Wire::List(items) => Value::List(items),
            Wire::Number { n } => Value::Number(n),
            Wire::Date { d } => Value::Date(parse_date(&d).ok_or_else(|| bad("date", &d))?),
            Wire::Time { t } => Value::Time(parse_time(&t).ok_or_else(|| bad("time", &t))?),
            Wire::DateTime { dt } => {
                Value::DateTime(dt.parse().map_err(|()| bad("date-time", &dt))?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_form_is_readable_and_lossless() {
        let values = vec![
            Value::Null,
            Value::Bool(true),
            Value::Number("123456789012345678901234567890.5".parse().unwrap()),
            Value::text("007"),
            Value::Date(Date::constant(2024, 1, 15)),
            Value::Time(Time::constant(9, 30, 0, 0)),
            Value::DateTime("2024-01-15T09:30:00+02:00".parse().unwrap()),
            Value::List(vec![Value::from("a"), Value::from(1)]),
        ];
        let json = serde_json::to_string(&values).unwrap();
        assert_eq!(
            json,
            r#"[null,true,{"n":"123456789012345678901234567890.5"},"007",{"d":"2024-01-15"},{"t":"09:30:00"},{"dt":"2024-01-15T07:30:00Z"},["a",{"n":"1"}]]"#
        );
        assert_eq!(serde_json::from_str::<Vec<Value>>(&json).unwrap(), values);
    }

    #[test]
    fn json_refuses_impossible_values() {
        for json in [r#"{"d":"2024-02-30"}"#, r#"{"n":"x"}"#, r#"{"q":"x"}"#, "1.5"] {
            assert!(serde_json::from_str::<Value>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn canonical_order_is_by_kind_then_value() {
        let ascending = [
            Value::Null,
            Value::Bool(false),
            Value::Bool(true),
            Value::from(-1),
            Value::from(2),
            Value::from(10),
            Value::from("10"),
            Value::from("2"),
            Value::Date(Date::constant(2024, 1, 15)),
            Value::List(vec![]),
        ];
        assert!(ascending.is_sorted_by(|a, b| a < b));
    }
}
