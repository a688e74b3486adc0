//! A file's rows and changes to them, for the tests of every format.

use lockstep_engine::{
    key::Key,
    reconcile::{Change, ChangeKind},
    schema::{Column, ColumnType, Schema},
    snapshot::{Mapping, Snapshot},
    value::{Row, Value},
};

use super::{FileSource, edits::Edits, format::Format, verify};
use crate::{
    error::Result,
    replica::{apply::Writes, scan::Role},
};

/// A file as it was read, and what is to be changed; the first column is the key.
pub(super) struct Sheet {
    pub(super) source: FileSource,
    pub(super) snapshot: Snapshot,
    schema: Schema,
    headers: Vec<Option<String>>,
    changes: Vec<Change>,
}

impl Sheet {
    /// Reads a file, to be written later.
    pub(super) fn read(
        source: &FileSource,
        bytes: &[u8],
        columns: &[(&str, ColumnType)],
    ) -> Result<Self> {
        let format = Format::of(source, bytes)?;
        let snapshot = format.read(bytes, source, Role::Target)?.snapshot;
        let typed = columns.iter().map(|(name, ty)| Column::new(*name, *ty)).collect();
        Ok(Self {
            source: source.clone(),
            snapshot,
            schema: Schema::new(typed, vec![0]),
            headers: columns.iter().map(|(name, _)| Some((*name).to_owned())).collect(),
            changes: Vec::new(),
        })
    }

    /// Reads a file by its name alone.
    pub(super) fn of(path: &str, bytes: &[u8], columns: &[(&str, ColumnType)]) -> Self {
        let source = FileSource { path: path.into(), ..FileSource::default() };
        Self::read(&source, bytes, columns).unwrap()
    }

    fn at(&self, key: &str) -> (usize, Row) {
        let there = self
            .schema
            .columns
            .iter()
            .filter(|column| self.snapshot.headers().contains(&column.name));
        let mappings: Vec<Mapping> =
            there.map(|column| Mapping::new(&column.name, &column.name)).collect();
        let view = self.snapshot.view(&self.schema, &mappings).unwrap();
        let wanted = self.schema.columns[0].read(key);
        let row = (0..view.len())
            .find(|row| view.row(*row)[0] == wanted)
            .unwrap_or_else(|| panic!("no {key}"));
        (row, view.row(row))
    }

    fn column(&self, name: &str) -> usize {
        self.schema.position(name).unwrap()
    }

    /// Changes cells of a row.
    pub(super) fn set(mut self, key: &str, cells: &[(&str, &str)]) -> Self {
        let (row, before) = self.at(key);
        let mut after = before.clone();
        let mut touched: Vec<usize> = Vec::new();
        for (name, text) in cells {
            let column = self.column(name);
            after[column] = self.schema.columns[column].read(text);
            touched.push(column);
        }
        touched.sort_unstable();
        self.changes.push(Change {
            key: Key::of(key),
            kind: ChangeKind::Update,
            before: Some(before),
            after: Some(after),
            cells: touched.into(),
            row: Some(row),
        });
        self
    }

    /// Adds a row, with a text for each column.
    pub(super) fn add(mut self, texts: &[&str]) -> Self {
        let after: Row =
            self.schema.columns.iter().zip(texts).map(|(column, text)| column.read(text)).collect();
        let filled = after.iter().enumerate().filter(|(_, value)| **value != Value::Null);
        self.changes.push(Change {
            key: Key::of(texts[0]),
            kind: ChangeKind::Insert,
            before: None,
            cells: filled.map(|(column, _)| column).collect(),
            after: Some(after),
            row: None,
        });
        self
    }

    /// Deletes a row.
    pub(super) fn delete(mut self, key: &str) -> Self {
        let (row, before) = self.at(key);
        self.changes.push(Change {
            key: Key::of(key),
            kind: ChangeKind::Delete,
            before: Some(before),
            after: None,
            cells: Vec::new().into(),
            row: Some(row),
        });
        self
    }

    /// Writes the changes into the bytes, and reads them back as a real write does.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        self.run(Some(bytes))
    }

    /// Makes a new file of the changes.
    pub(super) fn create(&self) -> Result<Vec<u8>> {
        self.run(None)
    }

    fn run(&self, bytes: Option<&[u8]>) -> Result<Vec<u8>> {
        let changes: Vec<&Change> = self.changes.iter().collect();
        let writes = Writes {
            schema: &self.schema,
            headers: &self.headers,
            optional: &[],
            snapshot: &self.snapshot,
            changes: &changes,
        };
        let edits = Edits::new(&writes);
        let format = Format::of(&self.source, bytes.unwrap_or_default())?;
        let content = match bytes {
            Some(bytes) => format.edit(bytes, &self.source, &edits)?,
            None => format.create(&self.source, &edits)?,
        };
        let after = format.read(&content, &self.source, Role::Target)?.snapshot;
        verify::check(&self.snapshot, &after, &edits)?;
        Ok(content)
    }

    /// Starts a file that is not there yet.
    pub(super) fn new(path: &str, columns: &[(&str, ColumnType)]) -> Self {
        let source = FileSource { path: path.into(), ..FileSource::default() };
        let typed = columns.iter().map(|(name, ty)| Column::new(*name, *ty)).collect();
        Self {
            source,
            snapshot: Snapshot::default(),
            schema: Schema::new(typed, vec![0]),
            headers: columns.iter().map(|(name, _)| Some((*name).to_owned())).collect(),
            changes: Vec::new(),
        }
    }
}

/// Returns the rows of a file as texts, its header first.
pub(super) fn texts(path: &str, bytes: &[u8]) -> Vec<Vec<String>> {
    let source = FileSource { path: path.into(), ..FileSource::default() };
    let rows = Format::of(&source, bytes).unwrap().read(bytes, &source, Role::Source).unwrap();
    let mut out = vec![rows.snapshot.headers().to_vec()];
    for row in 0..rows.snapshot.len() {
        out.push(rows.snapshot.row(row).map(|cell| text(&cell)).collect());
    }
    out
}

/// Returns a cell with its kind: `'text`, a bare number, `true`, `~` for null.
pub(super) fn text(cell: &lockstep_engine::cell::Cell<'_>) -> String {
    use lockstep_engine::cell::Cell;
    match cell {
        Cell::Null => "~".into(),
        Cell::Bool(value) => value.to_string(),
        Cell::Float(value) => value.to_string(),
        Cell::Number(text) => (*text).to_owned(),
        Cell::Text(text) => format!("'{text}"),
    }
}

/// Reads bytes as a file, and adds a row to what can be read; whatever comes of it, nothing may panic.
pub(super) fn survive(path: &str, bytes: &[u8]) {
    let source = FileSource { path: path.into(), ..FileSource::default() };
    let Ok(format) = Format::of(&source, bytes) else { return };
    let Ok(rows) = format.read(bytes, &source, Role::Source) else { return };
    let Some(key) = rows.snapshot.headers().first().cloned() else { return };
    if let Ok(sheet) = Sheet::read(&source, bytes, &[(&key, ColumnType::Text)]) {
        let _ = sheet.add(&["a new row"]).write(bytes);
    }
}
