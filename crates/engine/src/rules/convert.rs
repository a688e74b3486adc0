//! Values between cells and expressions.

use rhai::{Array, Dynamic};

use crate::combine::cut;
use crate::schema::{Column, ColumnType};
use crate::value::{Number, Value};

/// Returns a value as an expression sees it: times as ISO texts, which sort by time.
pub(crate) fn to_dynamic(value: &Value) -> Result<Dynamic, String> {
    Ok(match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.to_decimal() {
            Some(decimal) => Dynamic::from_decimal(decimal),
            None => {
                return Err(format!("{} has too many digits to calculate with", cut(value)));
            }
        },
        Value::Text(text) => text.to_string().into(),
        Value::Date(_) | Value::Time(_) | Value::DateTime(_) => value.to_string().into(),
        Value::List(items) => {
            let items: Array = items.iter().map(to_dynamic).collect::<Result<_, _>>()?;
            items.into()
        }
    })
}

/// Returns what an expression computed as a value of the column.
pub(crate) fn from_dynamic(result: Dynamic, column: &Column) -> Result<Value, String> {
    let value = plain(result)?;
    let value = match (&value, column.ty) {
        (Value::Text(text), _) => column.read(text),
        _ => value,
    };
    let fits = matches!(
        (&value, column.ty),
        (Value::Null, _)
            | (Value::Text(_), ColumnType::Text)
            | (Value::Number(_), ColumnType::Number)
            | (Value::Bool(_), ColumnType::Bool)
            | (Value::Date(_), ColumnType::Date)
            | (Value::Time(_), ColumnType::Time)
            | (Value::DateTime(_), ColumnType::DateTime)
            | (Value::List(_), ColumnType::List)
    );
    // Lists are read back only so deep: what was calculated must be one that a cell can hold.
    if fits && matches!(value, Value::List(_)) && column.read(&value.to_string()) != value {
        Err(format!("the result is nested deeper than a list in column '{}' can be", column.name))
    } else if fits {
        Ok(value)
    } else {
        Err(format!(
            "the result '{}' is no {} for column '{}'",
            cut(&value),
            column.ty,
            column.name
        ))
    }
}

fn plain(result: Dynamic) -> Result<Value, String> {
    if result.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(value) = result.as_bool() {
        return Ok(Value::Bool(value));
    }
    if let Ok(value) = result.as_int() {
        return Ok(value.into());
    }
    if let Ok(value) = result.as_decimal() {
        return Ok(Value::Number(Number::from(value)));
    }
    let kind = result.type_name();
    if result.is_array() {
        let items = result.into_array().unwrap_or_default();
        return Ok(Value::List(items.into_iter().map(plain).collect::<Result<_, _>>()?));
    }
    match result.into_immutable_string() {
        Ok(text) => Ok(Value::text(text.as_str())),
        Err(_) => Err(format!("the result is a {kind}, which no cell can hold")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_would_not_read_back_is_refused() {
        let column = Column::new("g", ColumnType::List);
        let nested =
            |depth: usize| (0..depth).fold(Dynamic::ONE, |inner, _| Dynamic::from(vec![inner]));
        let deepest =
            (1..100).take_while(|depth| from_dynamic(nested(*depth), &column).is_ok()).last();
        assert!((2..20).contains(&deepest.unwrap()));
        let error = from_dynamic(nested(30), &column).unwrap_err();
        assert_eq!(error, "the result is nested deeper than a list in column 'g' can be");
    }
}
