//! Values as JSON, for APIs and JSON columns.

use serde_json::{Number as JsonNumber, Value as Json};

use crate::cell::Cell;
use crate::list;
use crate::schema::{Column, ColumnType};
use crate::value::{Number, Value};

/// Returns the JSON that reads back as the value under the column's type.
///
/// Numbers that JSON readers would round (beyond 64-bit integers and shortest floats) are written as strings. Lists
/// become arrays; one that holds what JSON would not give back exactly becomes its text.
pub fn encode(value: &Value, ty: &ColumnType) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(value) if *ty == ColumnType::Number => {
            number(value).unwrap_or_else(|| value.to_string().into())
        }
        Value::List(items) => items
            .iter()
            .map(item)
            .collect::<Option<_>>()
            .map_or_else(|| value.to_string().into(), Json::Array),
        other => Json::String(other.to_string()),
    }
}

fn number(value: &Number) -> Option<Json> {
    if value.is_integer()
        && let Ok(integer) = value.to_string().parse::<i64>()
    {
        return Some(Json::Number(integer.into()));
    }
    let number = JsonNumber::from_f64(value.to_f64_exact()?)?;
    // The shortest text of a float is not unique in its last digit, and JSON writers choose differently.
    (number.to_string().parse().as_ref() == Ok(value)).then_some(Json::Number(number))
}

fn item(value: &Value) -> Option<Json> {
    match value {
        Value::Null => Some(Json::Null),
        Value::Bool(value) => Some(Json::Bool(*value)),
        Value::Text(text) => Some(Json::String(text.to_string())),
        Value::Number(value) => number(value),
        Value::List(items) => items.iter().map(item).collect::<Option<_>>().map(Json::Array),
        Value::Date(_) | Value::Time(_) | Value::DateTime(_) => None,
    }
}

/// Reads JSON by a column's type; an object is kept as its text.
pub fn decode(json: &Json, ty: &ColumnType) -> Value {
    let column = Column::new("", *ty);
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => column.value(&Cell::Bool(*value)),
        // A JSON number in a date column is a serial only in sheets; APIs write epochs, so it is kept as text here.
        Json::Number(value) => match ty {
            ColumnType::Number | ColumnType::Text | ColumnType::Bool | ColumnType::List => {
                column.value(&Cell::Number(&value.to_string()))
            }
            ColumnType::Date | ColumnType::Time | ColumnType::DateTime => {
                column.value(&Cell::Text(&value.to_string()))
            }
        },
        Json::String(text) => column.read(text),
        Json::Array(_) => {
            let text = json.to_string();
            match (ty, list::parse(&text)) {
                (ColumnType::List, Some(items)) => Value::List(items),
                _ => column.read(&text),
            }
        }
        Json::Object(_) => column.read(&json.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::{any_type, value_of};

    #[test]
    fn forms() {
        use ColumnType::*;
        for (ty, text, expected) in [
            (Number, "10.50", json!(10.5)),
            (Number, "9007199254740993", json!(9007199254740993i64)),
            (Number, "18446744073709551616", json!("18446744073709551616")),
            (Number, "0.1234567890123456789", json!("0.1234567890123456789")),
            (Text, "007", json!("007")),
            (Bool, "TRUE", json!(true)),
            (Date, "2024-01-15", json!("2024-01-15")),
            (List, "a,b", json!(["a", "b"])),
            (List, "[1,\"x\"]", json!([1, "x"])),
            (Text, "", json!(null)),
        ] {
            assert_eq!(encode(&Column::new("c", ty).read(text), &ty), expected, "{ty} {text}");
        }
        assert_eq!(decode(&json!({"a": 1}), &Text), Value::from(r#"{"a":1}"#));
        assert_eq!(decode(&json!([1]), &Text), Value::from("[1]"));
        assert_eq!(decode(&json!(45306), &Date), Value::from("45306"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn values_survive_the_wire((ty, value) in any_type().prop_flat_map(|ty| (Just(ty), value_of(ty)))) {
            let wire = encode(&value, &ty).to_string();
            prop_assert_eq!(decode(&serde_json::from_str(&wire).unwrap(), &ty), value);
        }
    }
}
