//! What a batch can do to rows that had moved, and how such rows are found again.

use std::{fmt, sync::Arc};

use lockstep_engine::key::Key;

use super::{
    sheet_check::View,
    sheet_layout::Layout,
    sheet_picture::{Seen, at},
};

/// A column by its name, or by its place if it has none of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// The name in the header.
    Named(Arc<str>),
    /// The place on the sheet.
    At(u32),
}

impl Column {
    /// Returns the column at a place.
    pub(crate) fn of(layout: &Layout, place: u32) -> Self {
        let name = layout.label(place);
        if name.is_empty() || layout.is_twin(&name) { Self::At(place) } else { Self::Named(name) }
    }

    pub(crate) fn find(&self, layout: &Layout) -> Option<u32> {
        match self {
            Self::Named(name) => layout.column(name),
            Self::At(place) => Some(*place),
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "\"{name}\""),
            Self::At(place) => write!(f, "column {}", lockstep_a1::column_letters(*place)),
        }
    }
}

/// A cell that received a value of another row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Restore {
    /// The key of the row that was hit.
    pub(crate) key: Key,
    /// The column.
    pub(crate) column: Column,
    /// What was there; `None` if the row was not there when rows were read.
    pub(crate) old: Option<Seen>,
    /// What was written.
    pub(crate) wrote: Seen,
    /// The key of the row that it was meant for.
    pub(crate) meant: Key,
}

/// A row that received values of another row and cannot be found by its key: it has none, or lost it to such a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stray {
    /// The cells: column, what was written, what was there.
    pub(crate) cells: Vec<(Column, Seen, Seen)>,
    /// The row's other cells, if it had a key.
    pub(crate) others: Vec<(Column, Seen)>,
    /// The key of the row that it was meant for.
    pub(crate) meant: Key,
}

/// A row that was deleted by mistake.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lost {
    /// Its key.
    pub(crate) key: Key,
    /// Its cells.
    pub(crate) cells: Vec<(Column, Seen)>,
    /// The keys of the rows above it, the nearest first.
    pub(crate) above: Vec<Key>,
    /// Whether somebody else may have deleted it.
    pub(crate) unsure: bool,
}

/// A new row that must go again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Extra {
    /// The key that it was meant to have.
    pub(crate) key: Key,
    /// Its cells, as they were written.
    pub(crate) cells: Vec<Seen>,
    /// Whether it is right, but a row with its key came at the same moment; else it stands in the wrong columns.
    pub(crate) doubled: bool,
}

/// Returns the row that holds exactly what a stray write left, with the places of its columns.
pub(crate) fn stray_row(
    view: &View<'_>,
    stray: &Stray,
    taken: impl Fn(u32, &[u32]) -> bool,
) -> Option<(u32, Vec<u32>)> {
    let places: Option<Vec<u32>> =
        stray.cells.iter().map(|(column, ..)| column.find(view.layout)).collect();
    let places = places?;
    let is_it = |row: &u32| {
        let cells = view.picture.row(*row);
        let known = match stray.others.as_slice() {
            [] => view.layout.key(view.writes, &cells).is_blank(),
            others => others.iter().all(|(column, cell)| {
                column.find(view.layout).is_some_and(|column| at(&cells, column) == cell)
            }),
        };
        let mut left = places.iter().zip(&stray.cells);
        !taken(*row, &places)
            && known
            && left.all(|(column, (_, wrote, old))| {
                let there = at(&cells, *column);
                there == wrote && there != old
            })
    };
    let row = (view.layout.first_row()..view.picture.height()).find(is_it)?;
    Some((row, places))
}

/// Returns whether a row holds what was written to it, blanks at the end and the formulas that new rows get aside.
pub(crate) fn same(row: &[Seen], written: &[Seen]) -> bool {
    let width = row.len().max(written.len());
    (0..u32::try_from(width).unwrap_or(u32::MAX)).all(|column| {
        let (there, wrote) = (at(row, column), at(written, column));
        there == wrote || (wrote.is_empty() && there.formula().is_some())
    })
}
