//! A small table of typed rows by key.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Key;
use crate::schema::Schema;
use crate::value::Row;

/// Rows by key, with those set aside whose key does not tell them apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    rows: BTreeMap<Key, (Row, Option<usize>)>,
    duplicates: BTreeSet<Key>,
    blank: usize,
}

impl Table {
    /// Builds a table; rows with a blank key, and all rows of a key that occurs more than once, are set aside.
    ///
    /// A row shorter than the schema is filled up with nulls, a longer one cut.
    pub fn from_rows(schema: &Schema, rows: impl IntoIterator<Item = Row>) -> Table {
        let mut table = Table::default();
        for (index, row) in rows.into_iter().enumerate() {
            let mut row = row.to_vec();
            row.resize(schema.columns.len(), crate::value::Value::Null);
            let key = schema.key_of(&row);
            if key.is_blank() {
                table.blank += 1;
            } else if table.rows.remove(&key).is_some() {
                table.duplicates.insert(key);
            } else if !table.duplicates.contains(&key) {
                table.rows.insert(key, (row.into(), Some(index)));
            }
        }
        table
    }

    /// Returns the row of a key.
    pub fn get(&self, key: &Key) -> Option<&Row> {
        self.rows.get(key).map(|(row, _)| row)
    }

    /// Returns where the row of a key stood among the rows the table was built of.
    pub fn index_of(&self, key: &Key) -> Option<usize> {
        self.rows.get(key).and_then(|(_, index)| *index)
    }

    /// Puts a row in the place of the key's, or takes it out; returns what was there.
    pub fn set(&mut self, key: Key, row: Option<Row>) -> Option<Row> {
        match row {
            Some(row) => self.rows.insert(key, (row, None)),
            None => self.rows.remove(&key),
        }
        .map(|(row, _)| row)
    }

    /// Returns the rows in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Row)> {
        self.rows.iter().map(|(key, (row, _))| (key, row))
    }

    /// Returns the keys that occur more than once.
    pub fn duplicates(&self) -> &BTreeSet<Key> {
        &self.duplicates
    }

    /// Returns how many rows have a blank key.
    pub fn blank(&self) -> usize {
        self.blank
    }

    /// Returns how many rows can be told apart.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether no row can be told apart.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
