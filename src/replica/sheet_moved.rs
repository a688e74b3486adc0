//! Columns that moved while a batch shifted cells of a table alone: what it put into columns that are none of its own.
//!
//! Whole rows stay whole wherever columns go. Cells that are shifted do not: new ones are taken out again where they are
//! found as they were written; what else was hit is said, and left to people.

use lockstep_google::{GridRange, Request};

use super::{
    sheet_check::{after, cell_name},
    sheet_frame::Frame,
    sheet_ops::Ops,
    sheet_picture::{Picture, Seen},
};
use crate::error::{Error, Kind, Result};

/// What the last batch did to the cells of a table that shares its rows.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    columns: (u32, u32),
    /// Where its new rows begin.
    first: u32,
    rows: Vec<Vec<Seen>>,
    /// Whether it deleted cells or put some back.
    shifted: bool,
    /// The cells that it wrote.
    written: Vec<(u32, u32, Seen)>,
}

impl Placed {
    /// Returns what a batch does to the cells of a frame; `end` is where its new rows go.
    pub(crate) fn of(ops: &Ops, frame: &Frame, end: u32) -> Self {
        let sets = ops.sets.iter().flat_map(|(row, set)| {
            let row = ops.row_after(*row);
            set.cells.iter().map(move |(column, cell)| (row, *column, Seen::after(cell)))
        });
        Self {
            columns: frame.columns,
            first: end,
            rows: ops.appends.iter().map(|append| after(&append.cells)).collect(),
            shifted: ops.moves_rows(),
            written: sets.collect(),
        }
    }

    /// Takes new rows out of a picture of the whole sheet, if the table's columns are others now; returns the request that
    /// takes them out of the sheet.
    ///
    /// # Errors
    /// Cells of others that were shifted or written to, and nobody knows what they held.
    pub(crate) fn undo(
        &self,
        sheet: i32,
        now: (u32, u32),
        whole: &mut Picture,
    ) -> Result<Option<Request>> {
        if now == self.columns {
            return Ok(None);
        }
        let outside = |column: &u32| !(now.0..now.1).contains(column);
        let hit = self.written.iter().find(|(row, column, cell)| {
            outside(column) && !cell.is_empty() && whole.cell(*row, *column) == *cell
        });
        let count = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let last = self.first.saturating_add(count);
        let there = |(row, cells): (u32, &Vec<Seen>)| {
            (self.columns.0..self.columns.1).all(|column| {
                let seen = whole.cell(row, column);
                let wrote = super::sheet_picture::at(cells, column);
                seen == *wrote || (wrote.is_empty() && seen.formula().is_some())
            })
        };
        let place = match hit {
            Some((row, column, _)) => Some(cell_name(*row, *column)),
            None if self.shifted => Some(cell_name(self.first, self.columns.0)),
            None if !(self.first..).zip(&self.rows).all(there) => {
                Some(cell_name(self.first, self.columns.0))
            }
            None => None,
        };
        if let Some(place) = place {
            return Err(Error::new(
                Kind::Ambiguous,
                format!("columns were moved while cells beside other tables were written; look at {place} and around it, where cells of others may have been hit"),
            )
            .next("correct what was hit (the version history has it), then call syncDataset again"));
        }
        if count == 0 {
            return Ok(None);
        }
        for column in self.columns.0..self.columns.1 {
            for row in self.first..whole.height() {
                let below = whole.cell(row.saturating_add(count), column);
                whole.put(row, column, below);
            }
        }
        Ok(Some(Request::DeleteRange {
            range: GridRange {
                sheet,
                start_row: Some(self.first),
                end_row: Some(last),
                start_column: Some(self.columns.0),
                end_column: Some(self.columns.1),
            },
        }))
    }
}
