//! Values as parameters of SQL statements.

use jiff::civil::{Date, Time};

use crate::cell::Cell;
use crate::schema::{Column, ColumnType};
use crate::value::{DateTime, Value};

/// A parameter that a database driver binds; a driver without the type binds its text form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlValue {
    /// NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// A 64-bit integer.
    Integer(i64),
    /// An exact decimal in text, for NUMERIC.
    Decimal(String),
    /// Text.
    Text(String),
    /// A day.
    Date(Date),
    /// A time of day.
    Time(Time),
    /// A day and time, with or without an offset.
    DateTime(DateTime),
}

impl SqlValue {
    /// Returns the text form, or `None` for NULL.
    pub fn to_text(&self) -> Option<String> {
        Some(match self {
            SqlValue::Null => return None,
            SqlValue::Bool(value) => value.to_string(),
            SqlValue::Integer(value) => value.to_string(),
            SqlValue::Decimal(text) | SqlValue::Text(text) => text.clone(),
            SqlValue::Date(value) => value.to_string(),
            SqlValue::Time(value) => value.to_string(),
            SqlValue::DateTime(value) => value.to_string(),
        })
    }
}

/// Returns the parameter for a value; lists go as their text.
pub fn encode(value: &Value, _ty: &ColumnType) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Bool(value) => SqlValue::Bool(*value),
        Value::Number(number) => {
            let text = number.to_string();
            text.parse().map_or(SqlValue::Decimal(text), SqlValue::Integer)
        }
        Value::Text(text) => SqlValue::Text(text.to_string()),
        Value::Date(value) => SqlValue::Date(*value),
        Value::Time(value) => SqlValue::Time(*value),
        Value::DateTime(value) => SqlValue::DateTime(*value),
        Value::List(_) => SqlValue::Text(value.to_string()),
    }
}

/// Reads what a driver returned, by the column's type; numbers in date columns are not serials here.
pub fn decode(cell: &Cell<'_>, ty: &ColumnType) -> Value {
    let column = Column::new("", *ty);
    match (cell, ty) {
        (Cell::Number(text), ColumnType::Date | ColumnType::Time | ColumnType::DateTime) => {
            column.read(text)
        }
        _ => column.value(cell),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{any_type, value_of};

    #[test]
    fn forms() {
        let encode = |ty, text: &str| encode(&Column::new("c", ty).read(text), &ty);
        assert_eq!(encode(ColumnType::Number, "12"), SqlValue::Integer(12));
        assert_eq!(encode(ColumnType::Number, "12.50"), SqlValue::Decimal("12.5".into()));
        assert_eq!(
            encode(ColumnType::Number, "9223372036854775808"),
            SqlValue::Decimal("9223372036854775808".into())
        );
        assert_eq!(encode(ColumnType::Text, "007"), SqlValue::Text("007".into()));
        assert_eq!(encode(ColumnType::List, "[1]"), SqlValue::Text("[1]".into()));
        assert_eq!(SqlValue::Null.to_text(), None);
    }

    proptest! {
        #[test]
        fn text_forms_survive((ty, value) in any_type().prop_flat_map(|ty| (Just(ty), value_of(ty)))) {
            let text = encode(&value, &ty).to_text().unwrap();
            prop_assert_eq!(decode(&Cell::Text(&text), &ty), value);
        }

        #[test]
        fn integers_come_back_as_numbers(value: i64) {
            let text = value.to_string();
            prop_assert_eq!(decode(&Cell::Number(&text), &ColumnType::Number), Value::from(value));
        }
    }
}
