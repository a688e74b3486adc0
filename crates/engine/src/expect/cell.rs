//! Tests that look at one value.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::Value as Json;

use crate::schema::{Column, ColumnType};
use crate::value::{Number, Value};

/// The most bytes that a compiled pattern may take: a pattern that a model wrote must not grow without bound.
const MAX_PATTERN: usize = 1 << 20;

/// Compiles a pattern; matching takes time linear in the text, whatever the pattern.
pub(super) fn regex(pattern: &str) -> Result<Regex, String> {
    let built = regex::RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build();
    built.map_err(|error| {
        let text = error.to_string();
        // The last line says what is wrong; the ones before it draw where.
        text.lines().last().unwrap_or(&text).trim().to_owned()
    })
}

/// A bound of a range.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    /// Nothing is asked.
    Open,
    /// Numbers are compared as numbers, whatever the column's type.
    Number(Number),
    /// Other values by the column's type.
    Value(Value),
}

impl Bound {
    /// Reads a bound by a column's type.
    pub(super) fn of(json: Option<&Json>, column: &Column) -> Bound {
        match json.map(|json| (json, read(json, column))) {
            None => Bound::Open,
            Some((Json::Number(_), Value::Number(number))) => Bound::Number(number),
            Some((Json::Number(number), _)) => {
                number.to_string().parse().map_or(Bound::Open, Bound::Number)
            }
            Some((_, value)) => Bound::Value(value),
        }
    }

    /// Reads a bound while no type is known.
    pub(super) fn plain(json: &Json) -> Bound {
        Bound::of(Some(json), &Column::new("", ColumnType::Text))
    }

    /// Returns whether it is above another, as far as the two can be compared.
    pub(super) fn is_above(&self, other: &Bound) -> bool {
        match other {
            Bound::Open => false,
            Bound::Number(number) => {
                self.compare(&Value::Number(number.clone())) == Some(Ordering::Less)
            }
            Bound::Value(value) => self.compare(value) == Some(Ordering::Less),
        }
    }

    /// Returns where a value lies, seen from the bound; nothing where the two cannot be compared.
    pub(super) fn compare(&self, value: &Value) -> Option<Ordering> {
        match self {
            Bound::Open => None,
            Bound::Number(bound) => Some(number(value)?.cmp(bound)),
            Bound::Value(bound) => {
                let alike = std::mem::discriminant(bound) == std::mem::discriminant(value);
                alike.then(|| value.cmp(bound))
            }
        }
    }
}

fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Reads a value of JSON as a cell of a column.
pub(super) fn read(json: &Json, column: &Column) -> Value {
    match json {
        Json::String(text) => column.read(text),
        other => column.read(&other.to_string()),
    }
}

/// Returns whether a value is of a type, or a text that reads as one.
pub(super) fn is_of(value: &Value, ty: ColumnType) -> bool {
    match (value, ty) {
        (Value::Text(text), ty) => ty.parse(text).is_ok(),
        (_, ColumnType::Text) => false,
        (Value::Number(_), ColumnType::Number)
        | (Value::Bool(_), ColumnType::Bool)
        | (Value::Date(_), ColumnType::Date | ColumnType::DateTime)
        | (Value::Time(_), ColumnType::Time)
        | (Value::DateTime(_), ColumnType::DateTime)
        | (Value::List(_), ColumnType::List) => true,
        (other, ty) => ty.parse(&other.to_string()).is_ok(),
    }
}
