//! Values as cells of a spreadsheet.

use crate::cell::Cell;
use crate::schema::{Column, ColumnType};
use crate::serial;
use crate::value::Value;

/// A typed cell for a spreadsheet; nothing in it is parsed or evaluated by the sheet.
#[derive(Clone, Debug, PartialEq)]
pub enum SheetCell {
    /// An empty cell.
    Empty,
    /// A number, with the number format that shows it as what it is.
    Number {
        /// The number, or the serial of a date, time or date-time.
        value: f64,
        /// The pattern of a date, time or date-time format.
        pattern: Option<&'static str>,
    },
    /// Text, also where it looks like a number or a formula.
    Text(String),
    /// A boolean.
    Bool(bool),
}

/// Returns the cell that reads back as the value under the column's type: typed where a sheet holds it exactly, else text.
///
/// Texts: integers beyond 2^53, decimals that no float has as its shortest form, date-times with an offset, parts of a
/// millisecond, days before 1900, and whatever is not of the column's type.
pub fn encode(value: &Value, ty: &ColumnType) -> SheetCell {
    let number =
        |value: Option<f64>, pattern| value.map(|value| SheetCell::Number { value, pattern });
    let typed = match (value, ty) {
        (Value::Null, _) => Some(SheetCell::Empty),
        (Value::Bool(value), ColumnType::Bool) => Some(SheetCell::Bool(*value)),
        (Value::Number(value), ColumnType::Number) => number(value.to_f64_exact(), None),
        (Value::Date(value), ColumnType::Date) => {
            number(serial::of_date(*value), Some("yyyy-mm-dd"))
        }
        (Value::Time(value), ColumnType::Time) => number(serial::of_time(*value), Some("hh:mm:ss")),
        (Value::DateTime(value), ColumnType::DateTime) if value.offset_minutes().is_none() => {
            number(serial::of_datetime(value.civil()), Some("yyyy-mm-dd hh:mm:ss"))
        }
        _ => None,
    };
    typed.unwrap_or_else(|| SheetCell::Text(value.to_string()))
}

/// Reads a cell of a sheet by the column's type.
pub fn decode(cell: &Cell<'_>, ty: &ColumnType) -> Value {
    Column::new("", *ty).value(cell)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{any_type, value_of};

    fn read_back(cell: &SheetCell, ty: &ColumnType) -> Value {
        match cell {
            SheetCell::Empty => decode(&Cell::Null, ty),
            SheetCell::Number { value, .. } => decode(&Cell::Float(*value), ty),
            SheetCell::Text(text) => decode(&Cell::Text(text), ty),
            SheetCell::Bool(value) => decode(&Cell::Bool(*value), ty),
        }
    }

    #[test]
    fn forms() {
        use ColumnType::*;
        let number = |value, pattern| SheetCell::Number { value, pattern };
        let text = |text: &str| SheetCell::Text(text.into());
        for (ty, written, expected) in [
            (Number, "10.50", number(10.5, None)),
            (Number, "9007199254740993", text("9007199254740993")),
            (Number, "0.1234567890123456789", text("0.1234567890123456789")),
            (Number, "n/a", text("n/a")),
            (Text, "007", text("007")),
            (Text, "=1+1", text("=1+1")),
            (Text, "", SheetCell::Empty),
            (Bool, "TRUE", SheetCell::Bool(true)),
            (Date, "2024-01-15", number(45306.0, Some("yyyy-mm-dd"))),
            (Date, "1850-01-01", text("1850-01-01")),
            (Time, "12:00", number(0.5, Some("hh:mm:ss"))),
            (Time, "12:00:00.000001", text("12:00:00.000001")),
            (DateTime, "2024-01-15T12:00", number(45306.5, Some("yyyy-mm-dd hh:mm:ss"))),
            (DateTime, "2024-01-15T12:00+01:00", text("2024-01-15T11:00:00Z")),
            (List, "a,b", text("a, b")),
        ] {
            assert_eq!(
                encode(&Column::new("c", ty).read(written), &ty),
                expected,
                "{ty} {written}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn values_survive((ty, value) in any_type().prop_flat_map(|ty| (Just(ty), value_of(ty)))) {
            prop_assert_eq!(read_back(&encode(&value, &ty), &ty), value);
        }

        #[test]
        fn texts_survive_in_columns_of_other_types(ty in any_type(), text in "[ -~]{0,12}") {
            let value = Column::new("c", ty).read(&text);
            prop_assert_eq!(read_back(&encode(&value, &ty), &ty), value);
        }
    }
}
