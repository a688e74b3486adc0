//! Where a table's columns stand on a sheet, and which key each of its rows has.

use std::{collections::HashMap, sync::Arc};

use lockstep_engine::{key::Key, value::Value};
use lockstep_google::Request;

use super::{
    apply::Writes,
    header::label,
    sheet,
    sheet_dress::Dress,
    sheet_frame::Frame,
    sheet_picture::{Picture, Seen, at},
};

/// How many rows below the place of the header it is looked for, if people moved it.
const MOVED_BY: u32 = 50;

/// The columns of a table, found by the names in its header row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    /// The header's row, from 0.
    pub(crate) header_row: u32,
    labels: Vec<Arc<str>>,
    by_label: HashMap<Arc<str>, u32>,
    /// For each key column, its index in the schema and its column on the sheet.
    keys: Vec<(usize, u32)>,
    /// The table's part of the sheet, if it shares it.
    pub(crate) frame: Option<Frame>,
    /// What new rows get beside their values.
    pub(crate) dress: Arc<Dress>,
    /// What takes back what landed beside the table, because its columns had moved.
    pub(crate) undo: Option<Request>,
    /// How many rows the grid has at least.
    pub(crate) grid_rows: u32,
}

/// The rows that have a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// One row, from 0.
    One(u32),
    /// Several rows: they cannot be told apart.
    Many,
}

/// The rows by key; rows without a whole key are left out.
pub(crate) type Index = HashMap<Key, Spot>;

impl Layout {
    /// Finds the header: the row that has all these names, the nearest to where it was.
    ///
    /// Returns the table's own part of the picture with it; `None` if no row near there has them all, or the row has one
    /// of them twice.
    pub(crate) fn find(
        &self,
        picture: Picture,
        writes: &Writes<'_>,
        names: &[&str],
    ) -> Option<(Picture, Self)> {
        let hint = self.header_row;
        let mut rows: Vec<u32> = (0..picture.height().min(hint.saturating_add(MOVED_BY))).collect();
        rows.sort_by_key(|row| row.abs_diff(hint));
        for row in rows {
            let mut found = Self::at_row(&picture, writes, row);
            if let Some(frame) = &self.frame {
                let Some(frame) = frame.moved(&picture, (hint, row), self.own_labels(), names)
                else {
                    continue;
                };
                found.keep(frame.columns, writes);
                found.frame = Some(frame);
            }
            if names.iter().all(|name| found.count(name) == 1) {
                found.dress = Arc::clone(&self.dress);
                found.grid_rows = self.grid_rows.max(picture.height());
                let picture = match &found.frame {
                    Some(frame) => frame.cut(picture),
                    None => picture,
                };
                return Some((picture, found));
            }
        }
        None
    }

    /// Returns the names of the table's own columns, from its first on.
    pub(crate) fn own_labels(&self) -> &[Arc<str>] {
        let (start, end) = self.frame.as_ref().map_or((0, u32::MAX), |frame| frame.columns);
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let end = size(end).min(self.labels.len());
        self.labels.get(size(start).min(end)..end).unwrap_or_default()
    }

    /// Forgets the names of all columns but these.
    pub(crate) fn keep(&mut self, (start, end): (u32, u32), writes: &Writes<'_>) {
        let labels = std::mem::take(&mut self.labels);
        self.by_label.clear();
        for (column, label) in (0_u32..).zip(labels) {
            let own = (start..end).contains(&column);
            self.name(column, if own { label } else { Arc::from("") });
        }
        self.find_keys(writes);
    }

    /// Returns whether a column is the table's, as far as its sheet is shared.
    pub(crate) fn holds(&self, column: u32) -> bool {
        self.frame.as_ref().is_none_or(|frame| frame.holds(column))
    }

    /// Returns the layout by the names in a row, whatever they are.
    pub(crate) fn at_row(picture: &Picture, writes: &Writes<'_>, row: u32) -> Self {
        let labels: Vec<Arc<str>> =
            picture.row(row).iter().map(|cell| label(cell.value()).into()).collect();
        let mut layout = Self { header_row: row, ..Self::default() };
        for (column, name) in (0_u32..).zip(labels) {
            layout.name(column, name);
        }
        layout.find_keys(writes);
        layout
    }

    /// Names a column, as when a batch adds it.
    pub(crate) fn name(&mut self, column: u32, name: Arc<str>) {
        let Ok(index) = usize::try_from(column) else { return };
        if self.labels.len() <= index {
            self.labels.resize_with(index + 1, || Arc::from(""));
        }
        if let Some(slot) = self.labels.get_mut(index) {
            *slot = Arc::clone(&name);
        }
        if !name.is_empty() {
            self.by_label.entry(name).or_insert(column);
        }
    }

    /// Looks up the key columns again, after columns were named.
    pub(crate) fn find_keys(&mut self, writes: &Writes<'_>) {
        let key = writes.schema.key.iter();
        self.keys = key
            .filter_map(|column| Some((*column, self.column(writes.header(*column))?)))
            .collect();
    }

    fn count(&self, name: &str) -> usize {
        self.labels.iter().filter(|label| ***label == *name).count()
    }

    /// Returns the column with this name.
    pub(crate) fn column(&self, name: &str) -> Option<u32> {
        self.by_label.get(name).copied()
    }

    /// Returns the names of all columns, from the first on.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(|label| &**label)
    }

    /// Returns the name of a column; blank where it has none.
    pub(crate) fn label(&self, column: u32) -> Arc<str> {
        let label = usize::try_from(column).ok().and_then(|column| self.labels.get(column));
        label.map_or_else(|| Arc::from(""), Arc::clone)
    }

    /// Returns whether a name stands in more than one column.
    pub(crate) fn is_twin(&self, name: &str) -> bool {
        self.count(name) > 1
    }

    /// Returns the columns of the key on the sheet.
    pub(crate) fn key_columns(&self) -> impl Iterator<Item = u32> {
        self.keys.iter().map(|(_, column)| *column)
    }

    /// Returns the first row of data, from 0.
    pub(crate) fn first_row(&self) -> u32 {
        self.header_row.saturating_add(1)
    }

    /// Returns the key that cells of a row make.
    pub(crate) fn key_with<'c>(
        &self,
        writes: &Writes<'_>,
        cell: impl Fn(u32) -> &'c lockstep_google::CellValue,
    ) -> Key {
        let values = writes.schema.key.iter().map(|column| {
            let place = self.keys.iter().find(|(known, _)| known == column);
            match (place, writes.schema.columns.get(*column)) {
                (Some((_, place)), Some(column)) => column.value(&sheet::cell(cell(*place))),
                _ => Value::Null,
            }
        });
        Key::normalised(values, writes.schema.fold_key_case)
    }

    /// Returns the key of a row.
    pub(crate) fn key(&self, writes: &Writes<'_>, row: &[Seen]) -> Key {
        self.key_with(writes, |column| at(row, column).value())
    }

    /// Returns the rows of a picture by key.
    pub(crate) fn index(&self, writes: &Writes<'_>, picture: &Picture) -> Index {
        let mut index = Index::with_capacity(picture.rows.len());
        for (row, cells) in (self.first_row()..).zip(picture.cells_from(self.first_row())) {
            let key = self.key(writes, &cells);
            if !key.is_blank() {
                index.entry(key).and_modify(|spot| *spot = Spot::Many).or_insert(Spot::One(row));
            }
        }
        index
    }
}
