//! The statements of a batch: each is one for any number of rows.

use super::{
    Engine,
    catalog::Table,
    column::{ColumnInfo, Kind},
    name::quote,
    rows::Rows,
};

/// A table and the columns by which its rows are found.
pub(super) struct Statements<'a> {
    pub(super) engine: Engine,
    pub(super) table: &'a Table,
    pub(super) keys: &'a [&'a ColumnInfo],
}

impl Statements<'_> {
    /// Returns the condition that a row of the table `t` is the row of the values `v`.
    ///
    /// `nulls` says which parts of the key are NULL in some row: no index helps to find those.
    fn same(&self, nulls: &[bool]) -> String {
        let part = |(at, column): (usize, &&ColumnInfo)| {
            let name = format!("t.{}", quote(self.engine, &column.name));
            let value = format!("v.c{at}");
            let same = match self.engine {
                Engine::Postgres => {
                    let same = format!("{name} = {}", column.typed(self.engine, &value));
                    // Texts without case are found by the index, and told apart by their letters.
                    if column.cast.ends_with("citext") {
                        format!("{same} AND {name}::text = {value}")
                    } else {
                        same
                    }
                }
                Engine::Mysql => self.same_mysql(column, &name, &value),
                Engine::Sqlite if column.kind == Kind::Text => {
                    format!("{name} = {value} AND {name} = {value} COLLATE BINARY")
                }
                Engine::Sqlite => format!("{name} = {value}"),
            };
            match nulls.get(at) {
                Some(true) => format!("(({same}) OR ({name} IS NULL AND {value} IS NULL))"),
                _ => same,
            }
        };
        self.keys.iter().enumerate().map(part).collect::<Vec<_>>().join(" AND ")
    }

    fn same_mysql(&self, column: &ColumnInfo, name: &str, value: &str) -> String {
        let charset = column.collation.as_deref().and_then(|both| both.split_once(' '));
        if let Some((charset, collation)) = charset {
            let value = format!("CONVERT({value} USING {charset})");
            return format!(
                "{name} = {value} COLLATE {collation} AND CAST({name} AS BINARY) = CAST({value} AS BINARY)"
            );
        }
        let (word, unsigned) = match column.cast.split_once(' ') {
            Some((word, _)) => (word, true),
            None => (column.cast.as_str(), false),
        };
        let cast = match word {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" if !unsigned => "SIGNED",
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "bit" | "year" => "UNSIGNED",
            "decimal" => "DECIMAL(65, 30)",
            "double" | "float" => "DOUBLE",
            "date" => "DATE",
            "datetime" | "timestamp" => "DATETIME(6)",
            "time" => "TIME(6)",
            _ => return format!("{name} = {value}"),
        };
        format!("{name} = CAST({value} AS {cast})")
    }

    fn target(&self) -> String {
        self.table.name.quoted(self.engine)
    }

    /// Returns the statement that reads columns of the rows with these keys, after the row's id; it may lock them.
    pub(super) fn read(&self, columns: &[&ColumnInfo], nulls: &[bool], lock: bool) -> String {
        let text = |column: &&ColumnInfo| {
            let selected = column.selected(self.engine, "t.");
            match self.engine {
                Engine::Postgres => format!(", ({selected})::text"),
                Engine::Mysql | Engine::Sqlite => format!(", {selected}"),
            }
        };
        let lock = match self.engine {
            Engine::Postgres if lock => " FOR UPDATE OF t",
            Engine::Mysql if lock => " FOR UPDATE",
            // SQLite's writer has the whole file.
            _ => "",
        };
        format!(
            "SELECT v.i{} FROM {} JOIN {} AS t ON {}{lock}",
            columns.iter().map(text).collect::<String>(),
            Rows::table(self.engine, self.keys.len()),
            self.target(),
            self.same(nulls),
        )
    }

    /// Returns the statement that adds rows; the values of `columns` are `c0`, `c1`, ….
    pub(super) fn insert(&self, columns: &[&ColumnInfo]) -> String {
        let names: Vec<String> =
            columns.iter().map(|column| quote(self.engine, &column.name)).collect();
        let values = columns
            .iter()
            .enumerate()
            .map(|(at, column)| column.typed(self.engine, &format!("v.c{at}")));
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {}",
            self.target(),
            names.join(", "),
            values.collect::<Vec<_>>().join(", "),
            Rows::table(self.engine, columns.len()),
        )
    }

    /// Returns the statement that changes `columns` of rows; their values come after the key's.
    pub(super) fn update(&self, columns: &[&ColumnInfo], nulls: &[bool]) -> String {
        let rows = Rows::table(self.engine, self.keys.len() + columns.len());
        let (target, same) = (self.target(), self.same(nulls));
        let sets = columns.iter().enumerate().map(|(at, column)| {
            let value = format!("v.c{}", at + self.keys.len());
            let name = quote(self.engine, &column.name);
            let place = if self.engine == Engine::Mysql { format!("t.{name}") } else { name };
            format!("{place} = {}", column.typed(self.engine, &value))
        });
        let sets = sets.collect::<Vec<_>>().join(", ");
        match self.engine {
            Engine::Mysql => format!("UPDATE {target} AS t JOIN {rows} ON {same} SET {sets}"),
            Engine::Postgres | Engine::Sqlite => {
                format!("UPDATE {target} AS t SET {sets} FROM {rows} WHERE {same}")
            }
        }
    }

    /// Returns the statement that removes rows.
    pub(super) fn delete(&self, nulls: &[bool]) -> String {
        let rows = Rows::table(self.engine, self.keys.len());
        let (target, same) = (self.target(), self.same(nulls));
        match self.engine {
            Engine::Postgres => format!("DELETE FROM {target} AS t USING {rows} WHERE {same}"),
            Engine::Mysql => format!("DELETE t FROM {target} AS t JOIN {rows} ON {same}"),
            // By their row ids the rows are found through the index of the key; without them each row is asked.
            Engine::Sqlite if self.table.rowid => format!(
                "DELETE FROM {target} WHERE rowid IN (SELECT t.rowid FROM {rows} JOIN {target} AS t ON {same})"
            ),
            Engine::Sqlite => format!(
                "DELETE FROM {target} AS t WHERE EXISTS (SELECT 1 FROM {rows} WHERE {same})"
            ),
        }
    }
}
