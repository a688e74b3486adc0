//! A column of a database: what it holds, how it is read as text, and how a text becomes its value again.

use lockstep_engine::{cell::Cell, schema::ColumnType};

use super::{Engine, name::quote};

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, and every type whose text form says everything: uuid, enum, interval, inet, json, ….
    Text,
    /// Exact numbers, and floats in their shortest form.
    Number,
    /// MySQL's FLOAT, which prints too few digits of itself: it is read as a double.
    Single,
    Bool,
    Date,
    Time,
    /// Date and time without an offset.
    DateTime,
    /// A moment: date and time with an offset.
    Instant,
    /// An array of plain values.
    List,
    /// Any value; SQLite's columns without a type, and what a query of it computes.
    Any,
    /// What no other replica can hold; the text says what it is.
    Unfit(String),
}

impl Kind {
    /// Returns the type that the catalogue is certain of.
    pub(super) fn column_type(&self) -> Option<ColumnType> {
        Some(match self {
            Self::Text => ColumnType::Text,
            Self::Number | Self::Single => ColumnType::Number,
            Self::Bool => ColumnType::Bool,
            Self::Date => ColumnType::Date,
            Self::Time => ColumnType::Time,
            Self::DateTime | Self::Instant => ColumnType::DateTime,
            Self::List => ColumnType::List,
            Self::Any | Self::Unfit(_) => return None,
        })
    }

    /// Returns whether values are days or times.
    pub(super) fn is_temporal(&self) -> bool {
        matches!(self, Self::Date | Self::Time | Self::DateTime | Self::Instant)
    }
}

/// A column as the catalogue describes it.
#[derive(Clone, Debug)]
pub(super) struct ColumnInfo {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The type that a text is cast to: PostgreSQL's without length, MySQL's word for CAST, nothing for SQLite.
    pub(super) cast: String,
    /// For texts of MySQL, their collation.
    pub(super) collation: Option<String>,
    /// Why the database alone writes it: a generated column, or an identity that is always its own.
    pub(super) generated: Option<&'static str>,
}

impl ColumnInfo {
    /// Returns a column of a query, or one of which only the kind is known.
    pub(super) fn plain(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind, cast: String::new(), collation: None, generated: None }
    }

    /// Returns the expression that a scan selects; `table` is the alias before the column, if any.
    ///
    /// For PostgreSQL the expression's own text form is read; MySQL's is a text already; SQLite's is the value.
    pub(super) fn selected(&self, engine: Engine, table: &str) -> String {
        let column = format!("{table}{}", quote(engine, &self.name));
        match (engine, &self.kind) {
            (Engine::Postgres, Kind::List) => format!("to_json({column}::text[])"),
            (Engine::Postgres | Engine::Sqlite, _) => column,
            (Engine::Mysql, Kind::Single) => format!("CAST({column} + 0e0 AS CHAR)"),
            (Engine::Mysql, Kind::Number) if self.cast == "bit" => {
                format!("CAST({column} + 0 AS CHAR)")
            }
            (Engine::Mysql, Kind::Instant) => format!("CONCAT(CAST({column} AS CHAR), 'Z')"),
            (Engine::Mysql, Kind::Text) if self.collation.is_some() => {
                format!("CONVERT({column} USING utf8mb4)")
            }
            (Engine::Mysql, _) => format!("CAST({column} AS CHAR)"),
        }
    }

    /// Returns the expression that turns a text into a value of the column.
    pub(super) fn typed(&self, engine: Engine, text: &str) -> String {
        match engine {
            Engine::Postgres if self.cast.is_empty() => text.to_owned(),
            // The cast is without the length: only the assignment refuses what is too long, a cast would cut it.
            Engine::Postgres => format!("{text}::{}", self.cast),
            Engine::Mysql if self.cast == "bit" => format!("CAST({text} AS UNSIGNED)"),
            Engine::Mysql | Engine::Sqlite => text.to_owned(),
        }
    }

    /// Reads a text that the database wrote; `own` is room for one that must be made anew.
    pub(super) fn cell<'a>(&self, text: Option<&'a str>, own: &'a mut String) -> Cell<'a> {
        let Some(text) = text else { return Cell::Null };
        match self.kind {
            Kind::Number => Cell::Number(text),
            Kind::Bool => match text {
                "t" | "true" | "1" => Cell::Bool(true),
                "f" | "false" | "0" => Cell::Bool(false),
                other => Cell::Number(other),
            },
            Kind::Single => {
                // The double is exactly the float: the float's own shortest form is the one to show.
                let single = text.parse::<f64>().map(|double| double as f32);
                match single {
                    Ok(single) => {
                        *own = single.to_string();
                        Cell::Number(own)
                    }
                    Err(_) => Cell::Text(text),
                }
            }
            _ => Cell::Text(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_by_what_the_column_holds() {
        let mut own = String::new();
        let read = |kind, text: &'static str, own: &mut String| {
            format!("{:?}", ColumnInfo::plain("c", kind).cell(Some(text), own))
        };
        assert_eq!(read(Kind::Bool, "t", &mut own), "Bool(true)");
        assert_eq!(read(Kind::Bool, "2", &mut own), "Number(\"2\")");
        assert_eq!(read(Kind::Number, "1.50", &mut own), "Number(\"1.50\")");
        assert_eq!(read(Kind::Single, "0.10000000149011612", &mut own), "Number(\"0.1\")");
        assert_eq!(read(Kind::Text, "007", &mut own), "Text(\"007\")");
    }

    #[test]
    fn a_cast_never_cuts() {
        let mut column = ColumnInfo::plain("c\"", Kind::Text);
        column.cast = "character varying".into();
        assert_eq!(column.typed(Engine::Postgres, "v.c0"), "v.c0::character varying");
        assert_eq!(column.selected(Engine::Postgres, "t."), "t.\"c\"\"\"");
        column.kind = Kind::List;
        assert_eq!(column.selected(Engine::Postgres, ""), "to_json(\"c\"\"\"::text[])");
    }
}
