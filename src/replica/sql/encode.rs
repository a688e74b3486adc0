//! Values on their way into a column, as the text that the database reads as exactly them.

use lockstep_engine::{cell::Cell, value::Value};

use super::{
    Engine,
    column::{ColumnInfo, Kind},
    rows::Datum,
};

/// Returns what is bound for a value.
pub(super) fn datum(engine: Engine, column: &ColumnInfo, value: &Value) -> Datum {
    match (engine, value) {
        (_, Value::Null) => Datum::Null,
        (Engine::Postgres, Value::List(items)) if column.kind == Kind::List => {
            Datum::Text(array(items))
        }
        (Engine::Postgres, other) => Datum::Text(other.to_string()),
        (_, Value::Bool(value)) if column.kind != Kind::Text => {
            Datum::Number(u8::from(*value).to_string())
        }
        // MySQL's times have no offset; a TIMESTAMP is read and written in UTC.
        (Engine::Mysql, Value::DateTime(value)) => Datum::Text(value.utc().to_string()),
        (Engine::Mysql, other) => Datum::Text(other.to_string()),
        (Engine::Sqlite, Value::Number(number)) if column.kind != Kind::Text => {
            let text = number.to_string();
            match text.parse::<i64>().is_ok() || number.to_f64_exact().is_some() {
                true => Datum::Number(text),
                // The column may still hold it as text; what it does not keep is found when it is read back.
                false => Datum::Text(text),
            }
        }
        // The form of SQLite's own date and time functions.
        (Engine::Sqlite, Value::DateTime(value)) => {
            Datum::Text(value.to_string().replacen('T', " ", 1))
        }
        (Engine::Sqlite, other) => Datum::Text(other.to_string()),
    }
}

/// Returns what is bound for a cell of a scan: the same value again.
pub(super) fn again(engine: Engine, column: &ColumnInfo, cell: &Cell<'_>) -> Datum {
    match (engine, cell) {
        (_, Cell::Null) => Datum::Null,
        (Engine::Postgres, Cell::Bool(value)) => Datum::Text(value.to_string()),
        (_, Cell::Bool(value)) => Datum::Number(u8::from(*value).to_string()),
        (_, Cell::Float(value)) => Datum::Number(value.to_string()),
        (_, Cell::Number(text)) => Datum::Number((*text).to_owned()),
        (Engine::Mysql, Cell::Text(text)) if column.kind == Kind::Instant => {
            Datum::Text(text.trim_end_matches('Z').to_owned())
        }
        (_, Cell::Text(text)) => Datum::Text((*text).to_owned()),
    }
}

/// Returns the literal of a PostgreSQL array.
///
/// <https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>
fn array(items: &[Value]) -> String {
    let item = |item: &Value| match item {
        Value::Null => "NULL".to_owned(),
        Value::List(items) => array(items),
        other => {
            let text = other.to_string().replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{text}\"")
        }
    };
    format!("{{{}}}", items.iter().map(item).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use lockstep_engine::schema::{Column, ColumnType};

    use super::*;

    #[test]
    fn each_database_gets_the_form_it_reads() {
        let value = |ty, text: &str| Column::new("c", ty).read(text);
        let column = |kind| ColumnInfo::plain("c", kind);
        let text = |text: &str| Datum::Text(text.into());
        let number = |text: &str| Datum::Number(text.into());
        use {ColumnType as T, Engine::*};
        for (engine, kind, given, expected) in [
            (Postgres, Kind::Bool, value(T::Bool, "yes"), text("true")),
            (Mysql, Kind::Bool, value(T::Bool, "yes"), number("1")),
            (Sqlite, Kind::Bool, value(T::Bool, "no"), number("0")),
            (Sqlite, Kind::Text, value(T::Bool, "no"), text("false")),
            (Postgres, Kind::Number, value(T::Number, "1.50"), text("1.5")),
            (Sqlite, Kind::Number, value(T::Number, "1.50"), number("1.5")),
            (
                Sqlite,
                Kind::Number,
                value(T::Number, "0.1234567890123456789"),
                text("0.1234567890123456789"),
            ),
            (
                Mysql,
                Kind::Instant,
                value(T::DateTime, "2024-01-15T09:30+02:00"),
                text("2024-01-15T07:30:00"),
            ),
            (
                Postgres,
                Kind::Instant,
                value(T::DateTime, "2024-01-15T09:30+02:00"),
                text("2024-01-15T07:30:00Z"),
            ),
            (
                Sqlite,
                Kind::DateTime,
                value(T::DateTime, "2024-01-15T09:30"),
                text("2024-01-15 09:30:00"),
            ),
            (
                Postgres,
                Kind::List,
                value(T::List, r#"["a\"b\\", null, "NULL", ""]"#),
                text(r#"{"a\"b\\",NULL,"NULL",""}"#),
            ),
            (Postgres, Kind::Text, Value::Null, Datum::Null),
        ] {
            assert_eq!(datum(engine, &column(kind), &given), expected, "{engine:?} {given:?}");
        }
    }
}
