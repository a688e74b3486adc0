//! Conditions on rows, checked on the server so that rows that do not match cost no tokens.

use std::cmp::Ordering;

use lockstep_engine::{schema::ColumnType, value::Value};
use schemars::JsonSchema;
use serde::Deserialize;

use super::cell::CellArg;
use crate::error::{Error, Result};

/// What a cell must be.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Op {
    /// Equal to the value.
    Eq,
    /// Not equal to the value.
    Ne,
    /// Less than the value.
    Lt,
    /// At most the value.
    Le,
    /// Greater than the value.
    Gt,
    /// At least the value.
    Ge,
    /// Contains the text, ignoring case.
    Contains,
    /// Starts with the text, ignoring case.
    StartsWith,
    /// Has nothing in it.
    Blank,
    /// Has something in it.
    NotBlank,
}

/// One condition; all conditions of a filter must hold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Condition {
    pub(crate) column: String,
    pub(crate) op: Op,
    pub(crate) value: Option<CellArg>,
}

impl Condition {
    /// Returns an error if the value does not fit the operation.
    ///
    /// # Errors
    /// A missing or superfluous value, or one that cannot be compared.
    pub(crate) fn check(&self) -> Result<()> {
        let wants = !matches!(self.op, Op::Blank | Op::NotBlank);
        match (&self.value, wants) {
            (Some(CellArg::Formula(_)), _) => Err(Error::invalid(format!(
                "filter on \"{}\": a formula cannot be compared with",
                self.column
            ))
            .next("give a text, number, boolean or {\"date\": …}")),
            (None | Some(CellArg::Keep), true) => Err(Error::invalid(format!(
                "filter on \"{}\": the operation needs a value",
                self.column
            ))
            .next("add \"value\", or use blank / notBlank")),
            _ => Ok(()),
        }
    }

    /// Returns whether a cell meets the condition.
    pub(crate) fn matches(&self, cell: &Value) -> bool {
        let blank = cell.is_null();
        let wanted = match &self.value {
            Some(CellArg::Value(value, _)) => value,
            _ => &Value::Null,
        };
        match self.op {
            Op::Blank => blank,
            Op::NotBlank => !blank,
            Op::Eq => compare(cell, wanted) == Some(Ordering::Equal),
            Op::Ne => compare(cell, wanted) != Some(Ordering::Equal),
            Op::Lt => compare(cell, wanted) == Some(Ordering::Less),
            Op::Gt => compare(cell, wanted) == Some(Ordering::Greater),
            Op::Le => matches!(compare(cell, wanted), Some(Ordering::Less | Ordering::Equal)),
            Op::Ge => matches!(compare(cell, wanted), Some(Ordering::Greater | Ordering::Equal)),
            Op::Contains => {
                cell.to_string().to_lowercase().contains(&wanted.to_string().to_lowercase())
            }
            Op::StartsWith => {
                cell.to_string().to_lowercase().starts_with(&wanted.to_string().to_lowercase())
            }
        }
    }
}

/// Compares by the cell's own type; a text that reads as that type is taken as it.
///
/// Values of types that have no common order (a word and a number) compare as unequal only.
fn compare(cell: &Value, wanted: &Value) -> Option<Ordering> {
    let ty = match cell {
        Value::Number(_) => ColumnType::Number,
        Value::Bool(_) => ColumnType::Bool,
        Value::Date(_) => ColumnType::Date,
        Value::Time(_) => ColumnType::Time,
        Value::DateTime(_) => ColumnType::DateTime,
        Value::Null | Value::Text(_) | Value::List(_) => ColumnType::Text,
    };
    let wanted = match (wanted, ty) {
        (Value::Text(text), ty) => ty.parse(text).ok()?,
        (Value::Date(date), ColumnType::DateTime) => ty.parse(&date.to_string()).ok()?,
        (other, ColumnType::Text) if !other.is_null() => Value::text(other.to_string()),
        (other, _) => other.clone(),
    };
    let same_kind = std::mem::discriminant(cell) == std::mem::discriminant(&wanted);
    same_kind.then(|| cell.cmp(&wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(op: &str, value: serde_json::Value) -> Condition {
        serde_json::from_value(serde_json::json!({"column": "c", "op": op, "value": value}))
            .unwrap()
    }

    fn date(text: &str) -> Value {
        ColumnType::Date.parse(text).unwrap()
    }

    #[test]
    fn cells_are_compared_by_their_own_type() {
        let ten = Value::from(10);
        for (op, value, holds) in [
            ("eq", serde_json::json!(10.0), true),
            ("eq", serde_json::json!("10.00"), true),
            ("gt", serde_json::json!("9"), true),
            ("lt", serde_json::json!(9), false),
            ("ne", serde_json::json!("ten"), true),
            ("ge", serde_json::json!("ten"), false),
        ] {
            assert_eq!(condition(op, value.clone()).matches(&ten), holds, "{op} {value}");
        }
        assert!(condition("ge", serde_json::json!("2024-01-15")).matches(&date("2024-01-15")));
        assert!(
            condition("lt", serde_json::json!({"date": "2024-02-01"})).matches(&date("2024-01-15"))
        );
        assert!(condition("contains", serde_json::json!("BUS")).matches(&Value::from("Airbus")));
        assert!(condition("eq", serde_json::json!("007")).matches(&Value::from("007")));
        assert!(!condition("eq", serde_json::json!(7)).matches(&Value::from("007")));
    }

    #[test]
    fn blank_is_told_from_everything() {
        let blank: Condition = serde_json::from_str(r#"{"column":"c","op":"blank"}"#).unwrap();
        assert!(
            blank.check().is_ok() && blank.matches(&Value::Null) && !blank.matches(&Value::from(0))
        );
        assert!(condition("ne", serde_json::json!(0)).matches(&Value::Null));
        assert!(!condition("lt", serde_json::json!(5)).matches(&Value::Null));
    }

    #[test]
    fn a_condition_without_its_value_is_refused() {
        let error = condition("eq", serde_json::Value::Null).check().unwrap_err().to_string();
        assert!(error.contains("\"c\"") && error.contains("value"), "{error}");
    }
}
