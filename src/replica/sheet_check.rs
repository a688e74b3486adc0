//! Whether a row is still as a change was planned for, and what is to be written to it.

use lockstep_a1::column_letters;
use lockstep_engine::{
    encode,
    reconcile::{Change, ChangeKind},
    value::Value,
};
use lockstep_google::{CellValue, CellWrite};

use super::{
    apply::Writes,
    sheet,
    sheet_layout::{Index, Layout, Spot},
    sheet_picture::{Picture, Seen},
};
use crate::error::{Error, Kind};

/// What a change comes to on a sheet as it is seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Todo {
    /// Cells of a row, by column; none if the row is as it shall be already.
    Set(u32, Vec<(u32, CellWrite)>),
    /// A new row, from the sheet's first column on.
    Append(Vec<CellWrite>),
    /// A row goes.
    Remove(u32),
    /// The row to remove is gone.
    Gone,
}

/// Why a change cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The sheet is not what it was.
    Changed(String),
    /// A formula stands where a value was to be written.
    Formula(String),
}

impl Why {
    /// Returns the reason.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Changed(text) | Self::Formula(text) => text,
        }
    }

    /// Returns the error of a sheet that was not written at all.
    pub(crate) fn error(self, title: &str) -> Error {
        match self {
            Self::Changed(text) => changed(title, &text),
            Self::Formula(text) => Error::invalid(format!("{text}; nothing was written"))
                .next("leave the column out: name the others in columns")
                .context(format!("sheet \"{title}\"")),
        }
    }
}

/// Returns the error of a sheet that is not what was compared.
pub(crate) fn changed(title: &str, text: &str) -> Error {
    Error::new(
        Kind::Changed,
        format!(
            "the sheet \"{title}\" changed while it was compared ({text}); nothing was written"
        ),
    )
    .next("call syncDataset again: it compares afresh")
}

/// A sheet as it is seen, and how its rows and columns are found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// What is to be written.
    pub(crate) writes: &'a Writes<'a>,
    /// The sheet.
    pub(crate) picture: &'a Picture,
    /// Its columns.
    pub(crate) layout: &'a Layout,
    /// Its rows.
    pub(crate) index: &'a Index,
}

impl View<'_> {
    /// Returns what a change comes to here.
    ///
    /// # Errors
    /// A row that is gone, doubled or was edited where the change touches it; a column that is gone.
    pub(crate) fn check(&self, change: &Change) -> Result<Todo, Why> {
        let spot = self.index.get(&change.key).copied();
        match (change.kind, spot) {
            (_, Some(Spot::Many)) => {
                Err(Why::Changed(format!("several rows have the key \"{}\"", change.key)))
            }
            (ChangeKind::Insert, None) => self.append(change).map(Todo::Append),
            (ChangeKind::Insert, Some(Spot::One(row))) => Err(Why::Changed(format!(
                "a row with the key \"{}\" appeared, row {}",
                change.key,
                u64::from(row) + 1
            ))),
            (ChangeKind::Delete, None) => Ok(Todo::Gone),
            (ChangeKind::Delete, Some(Spot::One(row))) => {
                let before = change.before.as_deref().unwrap_or_default();
                for column in 0..before.len() {
                    if let Some(place) = self.layout.column(self.writes.header(column))
                        && self.picture.cell(row, place).formula().is_none()
                    {
                        self.same(change, column, row, place)?;
                    }
                }
                Ok(Todo::Remove(row))
            }
            (_, None) => {
                Err(Why::Changed(format!("the row with the key \"{}\" is gone", change.key)))
            }
            (_, Some(Spot::One(row))) => self.set(change, row),
        }
    }

    fn set(&self, change: &Change, row: u32) -> Result<Todo, Why> {
        let mut cells = Vec::with_capacity(change.cells.len());
        for column in change.cells.iter() {
            if self.writes.headers.get(*column).is_none_or(Option::is_none) {
                continue;
            }
            let name = self.writes.header(*column);
            let mut write = write(self.writes, change, *column);
            let Some(place) = self.layout.column(name) else {
                // A column that would only be added to be blank is not there, and is not missed.
                if self.writes.optional.contains(column) && write == CellWrite::empty() {
                    continue;
                }
                return Err(Why::Changed(format!("the column \"{name}\" is gone")));
            };
            let there = self.picture.cell(row, place);
            if let Some(formula) = there.formula() {
                return Err(Why::Formula(format!(
                    "column \"{name}\" holds formulas ({} is {formula}), which are never overwritten",
                    cell_name(row, place)
                )));
            }
            if there.is_already(&write) {
                continue;
            }
            self.same(change, *column, row, place)?;
            if matches!(there.value(), CellValue::Number(_)) {
                // A date that becomes another date keeps the format that people gave it.
                write.format = None;
            } else {
                self.format(&mut write, place);
            }
            cells.push((place, write));
        }
        cells.sort_by_key(|(place, _)| *place);
        Ok(Todo::Set(row, cells))
    }

    fn append(&self, change: &Change) -> Result<Vec<CellWrite>, Why> {
        let formulas = self.layout.formula_columns();
        let mut row = Vec::new();
        for (column, header) in self.writes.headers.iter().enumerate() {
            let Some(name) = header else { continue };
            let mut cell = write(self.writes, change, column);
            let Some(place) = self.layout.column(name) else {
                if self.writes.optional.contains(&column) && cell == CellWrite::empty() {
                    continue;
                }
                return Err(Why::Changed(format!("the column \"{name}\" is gone")));
            };
            if formulas.contains(&place) {
                // New rows get the formula; what it shows is compared like any other value by the next run.
                continue;
            }
            self.format(&mut cell, place);
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            if row.len() <= place {
                row.resize_with(place.saturating_add(1), CellWrite::empty);
            }
            if let Some(slot) = row.get_mut(place) {
                *slot = cell;
            }
        }
        Ok(row)
    }

    /// Gives a date the format that people gave others in its column.
    fn format(&self, write: &mut CellWrite, place: u32) {
        if let (Some(format), Some(own)) = (&mut write.format, self.layout.date_format(place)) {
            format.clone_from(own);
        }
    }

    /// Returns an error if a cell is not as it was when the change was planned.
    fn same(&self, change: &Change, column: usize, row: u32, place: u32) -> Result<(), Why> {
        let there = self.picture.cell(row, place);
        let before = change.before.as_ref().and_then(|row| row.get(column)).unwrap_or(&Value::Null);
        let now = match self.writes.schema.columns.get(column) {
            Some(column) => column.value(&sheet::cell(there.value())),
            None => Value::Null,
        };
        if now == *before {
            return Ok(());
        }
        Err(Why::Changed(format!(
            "cell {}, \"{}\" of \"{}\", is {} now",
            cell_name(row, place),
            self.writes.header(column),
            change.key,
            there.shown()
        )))
    }
}

/// Returns a cell's name, as `B7`.
pub(crate) fn cell_name(row: u32, column: u32) -> String {
    format!("{}{}", column_letters(column), u64::from(row) + 1)
}

/// Returns the typed write of a cell of a changed row.
fn write(writes: &Writes<'_>, change: &Change, column: usize) -> CellWrite {
    let value = change.after.as_ref().and_then(|row| row.get(column)).unwrap_or(&Value::Null);
    let ty = writes.schema.columns.get(column).map(|column| column.ty).unwrap_or_default();
    sheet::to_write(&encode::sheet::encode(value, &ty))
}

/// Returns the cells of a row after writes to it.
pub(crate) fn after(writes: &[CellWrite]) -> Vec<Seen> {
    writes.iter().map(Seen::after).collect()
}
