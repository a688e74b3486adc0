//! Rows that go to a database as one parameter or a few, whatever their number.

use serde_json::Value as Json;

use super::Engine;

/// One value on its way to a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Datum {
    Null,
    Text(String),
    /// A number that the database must see as one; only SQLite tells `1` from `'1'`.
    Number(String),
}

impl Datum {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Text(text) | Self::Number(text) => Some(text),
        }
    }

    fn into_json(self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Text(text) => Json::String(text),
            Self::Number(text) => match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(integer), _) => integer.into(),
                (_, Ok(float)) => {
                    serde_json::Number::from_f64(float).map_or(Json::String(text), Json::Number)
                }
                _ => Json::String(text),
            },
        }
    }
}

/// A table of values: an id for each row, and the columns `c0`, `c1`, ….
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) width: usize,
    pub(super) ids: Vec<i64>,
    pub(super) cells: Vec<Vec<Datum>>,
}

impl Rows {
    /// Starts a table without rows.
    pub(super) fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    pub(super) fn push(&mut self, id: usize, cells: Vec<Datum>) {
        self.ids.push(i64::try_from(id).unwrap_or(i64::MAX));
        self.cells.push(cells);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Returns the rows as a table named `v` with the columns `i`, `c0`, `c1`, … of a statement.
    pub(super) fn table(engine: Engine, width: usize) -> String {
        let columns = |each: &dyn Fn(usize) -> String| -> String {
            (0..width).map(|column| format!(", {}", each(column))).collect()
        };
        match engine {
            Engine::Postgres => format!(
                "unnest($1::int8[]{}) AS v(i{})",
                columns(&|column| format!("${}::text[]", column + 2)),
                columns(&|column| format!("c{column}"))
            ),
            Engine::Mysql => format!(
                "JSON_TABLE(?, '$[*]' COLUMNS(i BIGINT PATH '$[0]'{})) AS v",
                columns(&|column| format!("c{column} LONGTEXT PATH '$[{}]'", column + 1))
            ),
            Engine::Sqlite => format!(
                "(SELECT json_extract(value, '$[0]') AS i{} FROM json_each(?1)) AS v",
                columns(&|column| format!("json_extract(value, '$[{}]') AS c{column}", column + 1))
            ),
        }
    }

    /// Returns the rows turned into columns, for PostgreSQL.
    pub(super) fn into_columns(self) -> (Vec<i64>, Vec<Vec<Option<String>>>) {
        let mut columns: Vec<Vec<Option<String>>> =
            (0..self.width).map(|_| Vec::with_capacity(self.ids.len())).collect();
        for row in self.cells {
            for (column, datum) in columns.iter_mut().zip(row) {
                column.push(datum.into_text());
            }
        }
        (self.ids, columns)
    }

    /// Returns the rows as one JSON text, for MySQL and SQLite.
    pub(super) fn into_json(self) -> String {
        let row = |(id, cells): (i64, Vec<Datum>)| {
            let cells = cells.into_iter().map(Datum::into_json);
            Json::Array(std::iter::once(Json::from(id)).chain(cells).collect())
        };
        Json::Array(self.ids.into_iter().zip(self.cells).map(row).collect()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_json_or_columns() {
        let mut rows = Rows::new(2);
        rows.push(7, vec![Datum::Text("a\"b".into()), Datum::Null]);
        rows.push(8, vec![Datum::Number("12".into()), Datum::Number("0.1".into())]);
        assert_eq!(rows.clone().into_json(), r#"[[7,"a\"b",null],[8,12,0.1]]"#);
        let (ids, columns) = rows.into_columns();
        assert_eq!(ids, [7, 8]);
        assert_eq!(columns[0], [Some("a\"b".to_owned()), Some("12".to_owned())]);
        assert_eq!(columns[1], [None, Some("0.1".to_owned())]);
    }
}
