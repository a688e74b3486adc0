//! Cells at fixed places, written only if their rows and columns are where they were when they were checked.

use std::collections::BTreeSet;

use jiff::Timestamp;
use lockstep_a1::{Rect, quote_always};
use lockstep_google::{
    CellFields, CellWrite, Google, GridBlock, GridCell, Input, Kind as GoogleKind, Request, Retry,
    Sheet,
};

use super::{
    marker,
    sheet_anchor::{self, Anchors, Held},
    sheet_picture::Seen,
};
use crate::error::{Error, Kind, Result};

/// How often it is tried to take a write back.
const ATTEMPTS: usize = 6;

/// A write to a rectangle of a sheet, and what was there when it was checked.
pub(crate) struct CheckedWrite<'a> {
    /// The service.
    pub(crate) google: &'a Google,
    /// The time.
    pub(crate) now: Timestamp,
    /// The spreadsheet's id.
    pub(crate) spreadsheet: &'a str,
    /// The sheet.
    pub(crate) sheet: &'a Sheet,
    /// The cells; at most [`sheet_anchor::MAX_ROWS`] rows.
    pub(crate) rect: Rect,
    /// All cells of these rows, from the sheet's first column on, as they were checked.
    pub(crate) rows: &'a [Vec<GridCell>],
    /// What is done before the write: old markers go.
    pub(crate) setup: &'a [Request],
    /// The write.
    pub(crate) requests: &'a [Request],
}

/// What came of a write.
#[derive(Debug)]
pub(crate) enum Put {
    /// It was made.
    Done,
    /// Nothing was written: the rows are not where, or not what, they were when they were checked.
    Moved,
    /// Nothing was written: the rows are not there any more, or the spreadsheet has no room for tags.
    Refused(Error),
}

/// Returns the range of all cells of the rows of a rectangle.
pub(crate) fn whole_rows(sheet: &Sheet, rect: Rect) -> String {
    format!("{}!{}:{}", quote_always(&sheet.title), u64::from(rect.start_row) + 1, rect.end_row)
}

impl CheckedWrite<'_> {
    /// Tags the rows, looks at them again, and writes.
    ///
    /// # Errors
    /// An outcome that could not be settled, and a row that another one replaced in the very moment of the write: what it
    /// received is taken back.
    pub(crate) async fn put(&self) -> Result<Put> {
        let tags = sheet_anchor::tags(&marker::run_id(), "cells", self.now);
        let put = self.attempt(&self.anchors(&tags)).await;
        if !matches!(put, Ok(Put::Done)) {
            // Nobody will use them; if this fails, too, a run that needs their room removes them.
            let untag = [sheet_anchor::untag(&tags)];
            let _ = self.google.batch_update(self.spreadsheet, &untag, &[]).await;
        }
        put
    }

    fn anchors(&self, tags: &str) -> Anchors {
        let Rect { start_row, end_row, start_column, end_column } = self.rect;
        let rows: BTreeSet<u32> = (start_row..end_row).collect();
        // The sheet's last row may be far away, and others delete blank rows there.
        let end = end_row.saturating_add(1).min(self.sheet.rows);
        Anchors::new(tags, self.sheet.id, &rows, start_column..end_column, end)
    }

    async fn attempt(&self, anchors: &Anchors) -> Result<Put> {
        let seen = match self.lay(anchors).await {
            Ok(Some(seen)) => seen,
            Ok(None) => return Ok(Put::Moved),
            Err(error) if error.kind() == Kind::InvalidArgument => return Ok(Put::Refused(error)),
            Err(error) => return Err(error),
        };
        if !self.is_as_checked(&seen) {
            return Ok(Put::Moved);
        }
        match self.send(anchors, self.setup, self.requests).await? {
            None => Ok(Put::Moved),
            Some(held) if self.hit(&held) => Ok(Put::Done),
            Some(held) => Err(self.take_back(anchors, &held).await?),
        }
    }

    /// Tags the rows; returns them as they are in that moment, or `None` if the answer was lost.
    async fn lay(&self, anchors: &Anchors) -> Result<Option<Vec<Vec<GridCell>>>> {
        let mut requests = anchors.lay();
        let ranges = [whole_rows(self.sheet, self.rect)];
        for swept in [false, true] {
            let sent = self.google.batch_update(self.spreadsheet, &requests, &ranges).await;
            return match sent {
                Ok(reply) => Ok(Some(rows_of(reply.read_back, self.rect))),
                Err(error) if error.retry == Retry::Ambiguous => Ok(None),
                Err(error) if error.kind == GoogleKind::Invalid && !swept => {
                    // There may be no room because of tags of runs that died.
                    let old = sheet_anchor::sweep(self.google, self.spreadsheet, self.now).await?;
                    requests.splice(0..0, old);
                    continue;
                }
                Err(error) => Err(Error::from(error)
                    .context("the rows could not be tagged to be guarded; nothing was written")),
            };
        }
        Ok(None)
    }

    /// Sends a write behind anchors; `None` if it was refused as a whole.
    async fn send(
        &self,
        anchors: &Anchors,
        setup: &[Request],
        requests: &[Request],
    ) -> Result<Option<Held>> {
        let mut all = setup.to_vec();
        all.extend(anchors.hold());
        all.extend(requests.iter().cloned());
        all.push(anchors.lift());
        let marker = marker::of_run(&marker::run_id(), 0, self.now);
        let sent = self.google.batch_update_once(self.spreadsheet, &all, &marker, &[]).await;
        match sent {
            // The answer was lost; that it was applied proves that no tag was elsewhere.
            Ok(reply) if reply.found_applied => {
                let rows = (self.rect.start_row..self.rect.end_row).collect();
                Ok(Some(Held { all: true, columns: true, rows }))
            }
            Ok(reply) => {
                let replies = reply.replies.get(setup.len()..).unwrap_or_default();
                Ok(Some(anchors.held(replies)))
            }
            Err(error) if error.kind == GoogleKind::Invalid && error.status.is_some() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns whether the rows and columns that were written are proven to be those that were checked.
    fn hit(&self, held: &Held) -> bool {
        held.columns && (self.rect.start_row..self.rect.end_row).all(|row| held.rows.contains(&row))
    }

    /// Returns whether the rows show what they did; what a formula shows may change by itself.
    fn is_as_checked(&self, seen: &[Vec<GridCell>]) -> bool {
        let height = self.rows.len().max(seen.len());
        (0..height).all(|row| {
            let width = |rows: &[Vec<GridCell>]| rows.get(row).map_or(0, Vec::len);
            (0..width(self.rows).max(width(seen))).all(|column| {
                let was = cell(self.rows, row, column);
                let computed = matches!(was.entered, Input::Formula(_))
                    || (was.entered == Input::Empty && was.value != GridCell::default().value);
                computed || was.value == cell(seen, row, column).value
            })
        })
    }

    /// Takes a write back that met a row which had replaced another one; returns the error to tell.
    async fn take_back(&self, anchors: &Anchors, held: &Held) -> Result<Error> {
        for _ in 0..ATTEMPTS {
            let Some(seen) = self.lay(anchors).await? else { continue };
            let back = self.undo(held, &seen);
            if back.is_empty()
                || self.send(anchors, &[], &back).await?.is_some_and(|held| self.hit(&held))
            {
                return Ok(Error::new(
                    Kind::Changed,
                    format!(
                        "in the moment of the write somebody put other rows in place of rows of {}; what was written was \
                         taken back",
                        self.rect
                    ),
                )
                .next("read the range again, and decide with the values that are there now"));
            }
        }
        Ok(Error::new(
            Kind::Ambiguous,
            format!(
                "{} was written, but at the same moment somebody put other rows in place of some, and rows kept moving \
                 when it was to be taken back",
                self.rect
            ),
        )
        .next("read these rows, and put right what was written to a wrong one"))
    }

    /// Returns the writes that put back what was there; cells that somebody wrote since, and rows that had come, stay
    /// what they are, but for the values that they received.
    fn undo(&self, held: &Held, seen: &[Vec<GridCell>]) -> Vec<Request> {
        let mut undo = Vec::new();
        for request in self.requests {
            let Request::UpdateCells { sheet, row: top, column: left, rows, fields } = request
            else {
                continue;
            };
            for (row, writes) in (*top..).zip(rows) {
                for (column, write) in (*left..).zip(writes) {
                    let (Some(at), Ok(place)) = (self.row(row), usize::try_from(column)) else {
                        continue;
                    };
                    let there = Seen::showing(cell(seen, at, place).value);
                    if !matches!(write.value, Input::Formula(_)) && there != Seen::after(write) {
                        continue;
                    }
                    let old = match held.rows.contains(&row) {
                        true => cell(self.rows, at, place),
                        false => GridCell::default(),
                    };
                    let format = old.format.filter(|_| *fields == CellFields::ValuesAndFormats);
                    let rows = vec![vec![CellWrite { value: old.entered, format }]];
                    let (sheet, fields) = (*sheet, *fields);
                    undo.push(Request::UpdateCells { sheet, row, column, rows, fields });
                }
            }
        }
        undo
    }

    fn row(&self, row: u32) -> Option<usize> {
        usize::try_from(row.checked_sub(self.rect.start_row)?).ok()
    }
}

fn cell(rows: &[Vec<GridCell>], row: usize, column: usize) -> GridCell {
    rows.get(row).and_then(|cells| cells.get(column)).cloned().unwrap_or_default()
}

/// Returns the rows of a rectangle from blocks that begin with its first row and the first column.
fn rows_of(blocks: Vec<GridBlock>, rect: Rect) -> Vec<Vec<GridCell>> {
    let own = |block: &GridBlock| block.row == rect.start_row && block.column == 0;
    blocks.into_iter().find(own).map(|block| block.rows).unwrap_or_default()
}
