//! What is to be changed in a file, row by row.

use std::collections::HashMap;

use lockstep_engine::{
    reconcile::{Change, ChangeKind},
    schema::{Column, ColumnType},
    value::Value,
};

use super::super::apply::Writes;

/// The changes to a file by the rows that they change.
pub(super) struct Edits<'a> {
    writes: &'a Writes<'a>,
    by_row: HashMap<usize, &'a Change>,
    /// The columns of the schema that the file must have.
    pub(super) columns: Vec<usize>,
}

/// What becomes of a row.
pub(super) enum Edit<'a> {
    Keep,
    Delete,
    Update(&'a Change),
}

impl<'a> Edits<'a> {
    pub(super) fn new(writes: &'a Writes<'a>) -> Self {
        let by_row =
            writes.changes.iter().filter_map(|change| Some((change.row?, *change))).collect();
        Self { writes, by_row, columns: writes.needed() }
    }

    /// Returns what becomes of a row, counted from 0 as it was read.
    pub(super) fn row(&self, row: usize) -> Edit<'a> {
        match self.by_row.get(&row) {
            None => Edit::Keep,
            Some(change) if change.kind == ChangeKind::Delete => Edit::Delete,
            Some(change) => Edit::Update(change),
        }
    }

    /// Returns the new rows in their order.
    pub(super) fn inserts(&self) -> impl Iterator<Item = &'a Change> {
        self.writes.changes.iter().copied().filter(|change| change.kind == ChangeKind::Insert)
    }

    /// Returns the name in the file of a column of the schema.
    pub(super) fn header(&self, column: usize) -> &'a str {
        self.writes.header(column)
    }

    /// Returns the names that the file does not have yet, in the order of the schema.
    pub(super) fn missing(&self, headers: &[String]) -> Vec<&'a str> {
        let names = self.columns.iter().map(|column| self.header(*column));
        names.filter(|name| !headers.iter().any(|header| header == name)).collect()
    }

    /// Returns for each of these names the column of the schema that it is.
    pub(super) fn mapped<S: AsRef<str>>(&self, names: &[S]) -> Vec<Option<usize>> {
        let at: HashMap<&str, usize> =
            self.columns.iter().map(|column| (self.header(*column), *column)).collect();
        names.iter().map(|name| at.get(name.as_ref()).copied()).collect()
    }

    /// Returns the value that a change gives a column; null where it gives none.
    pub(super) fn value(change: &'a Change, column: usize) -> &'a Value {
        change.after.as_ref().and_then(|row| row.get(column)).unwrap_or(&Value::Null)
    }

    pub(super) fn column(&self, column: usize) -> Option<&'a Column> {
        self.writes.schema.columns.get(column)
    }

    pub(super) fn ty(&self, column: usize) -> ColumnType {
        self.column(column).map(|column| column.ty).unwrap_or_default()
    }
}
