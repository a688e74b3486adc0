//! What a kind of replica must let the suite do: be made, be read raw, and be edited by somebody else.

use std::{future::Future, pin::Pin};

use lockstep::config::Config;
use lockstep_engine::schema::{Column, ColumnType};
use serde_json::Value as Json;

use crate::harness::House;

/// What an async method of [`Replica`] returns.
pub(crate) type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A cell as text; `None` is null.
pub(crate) type Text = Option<String>;

/// A table to be made: its columns with their types, and its rows as texts.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) columns: Vec<(&'static str, ColumnType)>,
    pub(crate) rows: Vec<Vec<Text>>,
    /// How many of the columns, from the first, are the key.
    pub(crate) key: usize,
}

impl Table {
    /// Reads a table from `name:type` words and rows of words between bars; `~` is null.
    pub(crate) fn new(columns: &[(&'static str, ColumnType)], rows: &[&str]) -> Self {
        let cell = |word: &str| (word != "~").then(|| word.to_owned());
        Self {
            columns: columns.to_vec(),
            rows: rows.iter().map(|row| row.split('|').map(cell).collect()).collect(),
            key: 1,
        }
    }

    pub(crate) fn keyed(mut self, key: usize) -> Self {
        self.key = key;
        self
    }

    /// Returns the rows typed, in the order of their texts: what two replicas must agree on.
    pub(crate) fn typed(&self) -> Vec<Vec<String>> {
        let read = |((_, ty), text): (&(&str, ColumnType), &Text)| match text {
            None => "null".to_owned(),
            Some(text) => format!("{:?}", Column::new("", *ty).read(text)).replace("Null", "null"),
        };
        let row = |row: &Vec<Text>| self.columns.iter().zip(row).map(read).collect();
        let mut rows: Vec<Vec<String>> = self.rows.iter().map(row).collect();
        rows.sort();
        rows
    }
}

/// What a kind can do; a law that needs more is passed over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Abilities {
    /// It refuses rows by constraints: a table made with a check that `qty` is below 1,000 and `name` unique.
    pub(crate) constraints: bool,
    /// Somebody can hold a row while it is written: [`Replica::hold`].
    pub(crate) held: bool,
    /// It has a catalogue: columns are not made by a write, and a wrong name is answered by near ones.
    pub(crate) catalogue: bool,
    /// Its numbers are 64-bit integers and floats.
    pub(crate) floats: bool,
    /// The operator can declare it read-only by itself.
    pub(crate) connection: bool,
}

/// One replica of a kind, alive for one test.
pub(crate) trait Replica: Send + Sync {
    /// Returns what it can do.
    fn abilities(&self) -> Abilities;
    /// Adds what the operator says of it.
    fn configure(&self, config: &mut Config, writable: bool);
    /// Makes it hold exactly this table.
    fn fill<'a>(&'a self, house: &'a House, table: &'a Table) -> Doing<'a, ()>;
    /// Returns the side argument of `syncDataset`.
    fn side(&self) -> Json;
    /// Reads the columns raw, past Lockstep's adapter.
    fn read<'a>(&'a self, house: &'a House, like: &'a Table) -> Doing<'a, Table>;
    /// Sets a cell of the row whose first column is `key`, as somebody else.
    fn set<'a>(
        &'a self,
        house: &'a House,
        key: &'a str,
        column: &'a str,
        value: &'a str,
    ) -> Doing<'a, ()>;
    /// Removes the row whose first column is `key`, as somebody else.
    fn remove<'a>(&'a self, house: &'a House, key: &'a str) -> Doing<'a, ()>;
    /// Sets a cell as somebody else who commits only after `meanwhile` had time to read and to wait.
    fn hold<'a>(
        &'a self,
        _key: &'a str,
        _column: &'a str,
        _value: &'a str,
        _meanwhile: Doing<'a, Json>,
    ) -> Doing<'a, Json> {
        unreachable!("only kinds that say so can be held")
    }
}

/// Returns the CSV of a table; a blank is written quoted where it is a text, bare where it is null.
pub(crate) fn csv(table: &Table) -> String {
    let line = |cells: Vec<String>| format!("{}\n", cells.join(","));
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut out = line(table.columns.iter().map(|(name, _)| quoted(name)).collect());
    for row in &table.rows {
        out.push_str(&line(
            row.iter().map(|text| text.as_deref().map(quoted).unwrap_or_default()).collect(),
        ));
    }
    out
}
