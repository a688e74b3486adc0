//! Cells as tool arguments and as tool results.

use std::borrow::Cow;

use lockstep_engine::{
    encode::sheet,
    schema::ColumnType,
    value::{Number, Value},
};
use lockstep_google::{CellValue, CellWrite, NumberKind};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::replica::sheet::{decode, to_write};

/// A cell in a result: text, number, boolean, or null for a blank one; dates are ISO 8601 text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct CellOut(serde_json::Value);

/// Returns the cells without the blank ones at the end, as the service itself does.
pub(crate) fn trimmed<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<CellOut> {
    let values: Vec<&Value> = values.collect();
    let filled = values.iter().rposition(|value| !value.is_null()).map_or(0, |last| last + 1);
    values.into_iter().take(filled).map(CellOut::from).collect()
}

impl CellOut {
    /// Returns the JSON of a value's cell.
    pub(crate) fn json(value: &Value) -> serde_json::Value {
        Self::from(value).0
    }
}

impl From<&Value> for CellOut {
    fn from(value: &Value) -> Self {
        Self(match value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => number_out(number),
            other => other.to_string().into(),
        })
    }
}

/// Writes a number as a JSON number where that is exact, else as text.
fn number_out(number: &Number) -> serde_json::Value {
    let text = number.to_string();
    if let Ok(integer) = text.parse::<i64>() {
        return integer.into();
    }
    number
        .to_f64_exact()
        .and_then(serde_json::Number::from_f64)
        .map_or_else(|| text.into(), serde_json::Value::Number)
}

impl JsonSchema for CellOut {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Cell".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"}
        ]})
    }
}

/// A cell in an argument.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CellArg {
    /// `null`: the cell stays as it is.
    Keep,
    /// A typed value; `""` is [`Value::Null`] and clears the cell.
    Value(Value, ColumnType),
    /// `{"formula": "=..."}`: the only way to write a formula.
    Formula(String),
}

impl CellArg {
    /// Returns what to write; [`CellArg::Keep`] must have been dealt with by position.
    pub(crate) fn to_write(&self) -> CellWrite {
        match self {
            Self::Keep => CellWrite::empty(),
            Self::Formula(formula) => CellWrite::formula(formula.clone()),
            Self::Value(value, ty) => to_write(&sheet::encode(value, ty)),
        }
    }
}

const KINDS: &str = "a cell is text, a number, a boolean, null (leave as it is), \
{\"formula\": \"=...\"}, {\"date\": \"2024-01-15\"}, {\"time\": \"10:30\"} or {\"dateTime\": \"2024-01-15T10:30\"}";

impl<'de> Deserialize<'de> for CellArg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde_json::Value as Json;
        let json = Json::deserialize(deserializer)?;
        let typed = |text: &str, ty: ColumnType, example: &str| match ty.parse(text) {
            Ok(Value::Null) | Err(_) => {
                Err(de::Error::custom(format!("\"{text}\" is not of the form {example}; {KINDS}")))
            }
            Ok(value) => Ok(Self::Value(value, ty)),
        };
        match json {
            Json::Null => Ok(Self::Keep),
            Json::Bool(value) => Ok(Self::Value(Value::Bool(value), ColumnType::Bool)),
            Json::Number(number) => typed(&number.to_string(), ColumnType::Number, "12.5"),
            Json::String(text) if text.is_empty() => Ok(Self::Value(Value::Null, ColumnType::Text)),
            Json::String(text) => Ok(Self::Value(Value::text(text), ColumnType::Text)),
            Json::Object(object) => {
                let mut fields = object.iter();
                match (fields.next(), fields.next()) {
                    (Some((name, Json::String(text))), None) => match name.as_str() {
                        "formula" if text.starts_with('=') => Ok(Self::Formula(text.clone())),
                        "formula" => Err(de::Error::custom("a formula starts with \"=\"")),
                        "date" => typed(text, ColumnType::Date, "2024-01-15"),
                        "time" => typed(text, ColumnType::Time, "10:30:00"),
                        "dateTime" => typed(text, ColumnType::DateTime, "2024-01-15T10:30:00"),
                        _ => Err(de::Error::custom(KINDS)),
                    },
                    _ => Err(de::Error::custom(KINDS)),
                }
            }
            Json::Array(_) => Err(de::Error::custom(KINDS)),
        }
    }
}

impl JsonSchema for CellArg {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "CellArg".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        any_cell()
    }
}

/// Returns the schema of a cell as an argument; what objects may say is told in words, once.
pub(crate) fn any_cell() -> Schema {
    json_schema!({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"}, {"type": "object"}]})
}

/// Reads a cell of a sheet by its own type: a number is a date only if it is formatted as one.
pub(crate) fn typed(cell: &CellValue, format: Option<NumberKind>) -> Value {
    match cell {
        CellValue::Empty => Value::Null,
        CellValue::Bool(value) => Value::Bool(*value),
        CellValue::Text(text) | CellValue::Error(text) => Value::text(text.as_str()),
        CellValue::Number(number) => {
            let ty = match format {
                Some(NumberKind::Date) => ColumnType::Date,
                Some(NumberKind::Time) => ColumnType::Time,
                Some(NumberKind::DateTime) => ColumnType::DateTime,
                _ => ColumnType::Number,
            };
            decode(&CellValue::Number(*number), ty)
        }
    }
}
