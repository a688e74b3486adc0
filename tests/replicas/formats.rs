//! JSON, JSON Lines, XLSX and Parquet files as replicas, read and made by the libraries of other people.

use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};

use lockstep::config::Config;
use lockstep_engine::schema::ColumnType;
use serde_json::{Map, Value as Json, json};

use super::{
    kind::{Abilities, Doing, Replica, Table, Text},
    parquet_file, xlsx_file,
};
use crate::harness::House;

/// A file of a format that holds a whole table.
pub(super) struct Formatted {
    name: &'static str,
    load: fn(&Path, &Table) -> Table,
    save: fn(&Path, &Table),
    floats: bool,
    /// The columns that it was made with, and those that a sync added.
    columns: Mutex<Vec<(&'static str, ColumnType)>>,
}

impl Formatted {
    fn new(
        name: &'static str,
        load: fn(&Path, &Table) -> Table,
        save: fn(&Path, &Table),
        floats: bool,
    ) -> Self {
        Self { name, load, save, floats, columns: Mutex::default() }
    }

    pub(super) fn json() -> Self {
        Self::new("mine.json", load_json, |path, table| save(path, table, true), false)
    }

    pub(super) fn lines() -> Self {
        Self::new("mine.jsonl", load_lines, |path, table| save(path, table, false), false)
    }

    pub(super) fn xlsx() -> Self {
        Self::new("mine.xlsx", xlsx_file::load, xlsx_file::save, false)
    }

    pub(super) fn parquet() -> Self {
        Self::new("mine.parquet", parquet_file::load, parquet_file::save, true)
    }

    fn path(&self, house: &House) -> PathBuf {
        house.folder.path().join(self.name)
    }

    fn edit(&self, house: &House, change: impl Fn(&mut Table)) {
        let columns = self.columns.lock().unwrap().clone();
        let mut table = (self.load)(&self.path(house), &Table { columns, rows: vec![], key: 1 });
        change(&mut table);
        (self.save)(&self.path(house), &table);
    }
}

impl Replica for Formatted {
    fn abilities(&self) -> Abilities {
        Abilities { floats: self.floats, ..Abilities::default() }
    }

    fn configure(&self, _config: &mut Config, _writable: bool) {}

    fn fill<'a>(&'a self, house: &'a House, table: &'a Table) -> Doing<'a, ()> {
        Box::pin(async move {
            self.columns.lock().unwrap().clone_from(&table.columns);
            (self.save)(&self.path(house), table);
        })
    }

    fn side(&self) -> Json {
        json!({"file": self.name})
    }

    fn read<'a>(&'a self, house: &'a House, like: &'a Table) -> Doing<'a, Table> {
        Box::pin(async move { (self.load)(&self.path(house), like) })
    }

    fn set<'a>(
        &'a self,
        house: &'a House,
        key: &'a str,
        column: &'a str,
        value: &'a str,
    ) -> Doing<'a, ()> {
        Box::pin(async move {
            self.edit(house, |table| {
                let at = table.columns.iter().position(|(name, _)| *name == column).unwrap();
                let row = table.rows.iter_mut().find(|row| row[0].as_deref() == Some(key));
                row.unwrap()[at] = Some(value.to_owned());
            });
        })
    }

    fn remove<'a>(&'a self, house: &'a House, key: &'a str) -> Doing<'a, ()> {
        Box::pin(async move {
            self.edit(house, |table| table.rows.retain(|row| row[0].as_deref() != Some(key)));
        })
    }
}

/// Returns a cell as JSON of its column's type.
fn value((name, ty): &(&'static str, ColumnType), text: &Text) -> Option<(String, Json)> {
    let text = text.as_deref()?;
    let value = match ty {
        ColumnType::Number | ColumnType::Bool => {
            serde_json::from_str(text).unwrap_or_else(|_| json!(text))
        }
        ColumnType::List if text.starts_with('[') => serde_json::from_str(text).unwrap(),
        ColumnType::List => json!(text.split(", ").collect::<Vec<_>>()),
        _ => json!(text),
    };
    Some(((*name).to_owned(), value))
}

fn save(path: &Path, table: &Table, document: bool) {
    let object = |row: &Vec<Text>| {
        let members = table.columns.iter().zip(row);
        Json::Object(members.filter_map(|(column, text)| value(column, text)).collect())
    };
    let rows: Vec<Json> = table.rows.iter().map(object).collect();
    let text = match document {
        true => serde_json::to_string_pretty(&rows).unwrap(),
        false => rows.iter().map(|row| format!("{row}\n")).collect(),
    };
    std::fs::write(path, text).unwrap();
}

fn load_json(path: &Path, like: &Table) -> Table {
    let rows: Vec<Map<String, Json>> =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    objects(&rows, like)
}

fn load_lines(path: &Path, like: &Table) -> Table {
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Map<String, Json>> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    objects(&rows, like)
}

fn objects(rows: &[Map<String, Json>], like: &Table) -> Table {
    let cell = |row: &Map<String, Json>, name: &str| match row.get(name)? {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let row = |row| like.columns.iter().map(|(name, _)| cell(row, name)).collect();
    Table { rows: rows.iter().map(row).collect(), ..like.clone() }
}
