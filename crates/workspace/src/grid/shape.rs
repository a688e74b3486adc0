//! What is known of a block without reading it: where it shows something. Finding the end of a long
//! table then costs a look at each block's shape instead of a read of the sheet.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::read::Window;
use super::{Blocks, Grid, Row, Slot, Work};
use crate::http::ApiError;

/// Is where the cells of a block show something: a value or a formula.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    /// The runs of columns in which some row shows something, in order: start and one past the end.
    #[serde(rename = "c")]
    columns: Vec<(u32, u32)>,
    /// A column in which every row of the block shows something.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    full: Option<u32>,
}

impl Shape {
    /// Returns the shape of the rows of a block.
    pub(super) fn of(rows: &[Row]) -> Self {
        let mut counts: Vec<usize> = Vec::new();
        for row in rows {
            if counts.len() < row.len() {
                counts.resize(row.len(), 0);
            }
            for (count, cell) in counts.iter_mut().zip(row) {
                *count += usize::from(!cell.is_empty());
            }
        }
        let mut columns: Vec<(u32, u32)> = Vec::new();
        for (column, _) in (0_u32..).zip(&counts).filter(|(_, count)| **count > 0) {
            add(&mut columns, column);
        }
        let full = (0_u32..).zip(&counts).find(|(_, count)| **count == rows.len());
        Self { columns, full: full.map(|(column, _)| column) }
    }
}

/// Adds a column to runs that end before it or at it.
fn add(runs: &mut Vec<(u32, u32)>, column: u32) {
    match runs.last_mut() {
        Some((_, end)) if *end == column => *end += 1,
        _ => runs.push((column, column + 1)),
    }
}

impl Slot {
    /// Returns the shape where it is known and still true.
    fn known_shape(&self) -> Option<&Shape> {
        if matches!(self.work, Work::Rows(_)) { None } else { self.shape.as_ref() }
    }
}

impl Grid {
    /// Returns how many rows in a row show something in some columns, from `row` on downwards, or
    /// from the one above it on upwards.
    pub(crate) fn run_length(
        &self,
        blocks: &mut dyn Blocks,
        row: u32,
        down: bool,
        columns: &Range<u32>,
    ) -> Result<u32, ApiError> {
        let mut total = 0;
        let mut slots: Vec<(u32, &Slot)> = self.starts().collect();
        if !down {
            slots.reverse();
        }
        for (first, slot) in slots {
            let (start, end) = if down {
                (first.max(row), first + slot.rows)
            } else {
                (first, (first + slot.rows).min(row))
            };
            if start >= end {
                continue;
            }
            if slot.is_blank() {
                return Ok(total);
            }
            let whole = end - start;
            if slot.known_shape().and_then(|shape| shape.full).is_some_and(|c| columns.contains(&c))
            {
                total += whole;
                continue;
            }
            let mut shows = vec![false; whole as usize];
            Window::of_slot(slot, blocks, start - first, whole)?.each(&mut |number, line| {
                line.each(&mut |column, cell| {
                    if !cell.is_empty()
                        && columns.contains(&column)
                        && let Some(shown) = shows.get_mut(number as usize)
                    {
                        *shown = true;
                    }
                })
            })?;
            let length = if down {
                shows.iter().take_while(|shown| **shown).count()
            } else {
                shows.iter().rev().take_while(|shown| **shown).count()
            };
            total += u32::try_from(length).unwrap_or(0);
            if length < shows.len() {
                return Ok(total);
            }
        }
        Ok(total)
    }

    /// Returns the runs of columns in which the rows `start..end` show something.
    pub(crate) fn shown_columns(
        &self,
        blocks: &mut dyn Blocks,
        rows: &Range<u32>,
    ) -> Result<Vec<(u32, u32)>, ApiError> {
        let mut all: Vec<(u32, u32)> = Vec::new();
        for (first, slot) in self.starts() {
            let (start, end) = (rows.start.max(first), rows.end.min(first + slot.rows));
            if start >= end || slot.is_blank() {
                continue;
            }
            let mut found: Vec<(u32, u32)> = Vec::new();
            match slot.known_shape() {
                Some(shape) if end - start == slot.rows => found.clone_from(&shape.columns),
                // What the whole block has is known already: there is nothing to find in its rows.
                Some(shape) if shape.columns.iter().all(|run| covered(&all, *run)) => continue,
                _ => {
                    Window::of_slot(slot, blocks, start - first, end - start)?.each(
                        &mut |_, line| {
                            line.each(&mut |column, cell| {
                                if !cell.is_empty() && !covered(&found, (column, column + 1)) {
                                    found = joined(&found, (column, column + 1));
                                }
                            })
                        },
                    )?;
                }
            }
            for run in found {
                if !covered(&all, run) {
                    all = joined(&all, run);
                }
            }
        }
        Ok(all)
    }

    /// Returns the last row in a range of rows that shows something in some columns, and the last
    /// of these columns in it.
    pub(crate) fn last_shown(
        &self,
        blocks: &mut dyn Blocks,
        rows: &Range<u32>,
        columns: &Range<u32>,
    ) -> Result<Option<(u32, u32)>, ApiError> {
        let slots: Vec<(u32, &Slot)> = self.starts().collect();
        for (first, slot) in slots.into_iter().rev() {
            let (start, end) = (rows.start.max(first), rows.end.min(first + slot.rows));
            let nothing = slot.known_shape().is_some_and(|shape| {
                !shape.columns.iter().any(|(from, to)| *from < columns.end && *to > columns.start)
            });
            if start >= end || slot.is_blank() || nothing {
                continue;
            }
            let mut last = None;
            Window::of_slot(slot, blocks, start - first, end - start)?.each(
                &mut |number, line| {
                    line.each(&mut |column, cell| {
                        if !cell.is_empty() && columns.contains(&column) {
                            last = Some((start + number, column));
                        }
                    })
                },
            )?;
            if last.is_some() {
                return Ok(last);
            }
        }
        Ok(None)
    }

    /// Returns the slots, each with its first row.
    pub(super) fn starts(&self) -> impl Iterator<Item = (u32, &Slot)> {
        self.slots.iter().scan(0, |next, slot| {
            let first = *next;
            *next += slot.rows;
            Some((first, slot))
        })
    }
}

/// Returns whether runs hold all of one.
fn covered(runs: &[(u32, u32)], (start, end): (u32, u32)) -> bool {
    runs.iter().any(|(from, to)| *from <= start && end <= *to)
}

/// Returns runs with one more, in order, those that touch joined.
fn joined(runs: &[(u32, u32)], run: (u32, u32)) -> Vec<(u32, u32)> {
    let (mut start, mut end) = run;
    let mut out: Vec<(u32, u32)> = Vec::with_capacity(runs.len() + 1);
    for (from, to) in runs {
        if *to < start || *from > end {
            out.push((*from, *to));
        } else {
            start = start.min(*from);
            end = end.max(*to);
        }
    }
    let place = out.partition_point(|(from, _)| *from < start);
    out.insert(place, (start, end));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Cell, Scalar};
    use std::sync::Arc;

    /// Refuses to load: what the shapes tell must be enough.
    struct Nothing;

    impl Blocks for Nothing {
        fn load(&mut self, id: i64) -> Result<Arc<[u8]>, ApiError> {
            Err(ApiError::internal(format!("block {id} was read")))
        }
    }

    fn filled(rows: u32, columns: u32) -> Grid {
        let mut grid = Grid::new(rows + 100, columns + 5);
        for row in 0..rows {
            for column in 0..columns {
                // Every third cell of the columns after the first is blank.
                if column == 0 || (row + column) % 3 != 0 {
                    let cell = grid.cell_mut(&mut Nothing, row, column).unwrap();
                    *cell = Cell { value: Scalar::Number(1.0), ..Cell::default() };
                }
            }
        }
        let stored: Vec<usize> = grid.encode().iter().map(|pending| pending.slot).collect();
        for (slot, id) in stored.into_iter().zip(1..) {
            grid.stored(slot, id);
        }
        grid
    }

    #[test]
    fn a_long_table_is_known_without_reading_it() {
        let grid = filled(256 * 40, 4);
        let rows = 256 * 40;
        assert_eq!(grid.run_length(&mut Nothing, rows, false, &(0..4)).unwrap(), rows);
        assert_eq!(grid.run_length(&mut Nothing, 0, true, &(0..1)).unwrap(), rows);
        assert_eq!(grid.shown_columns(&mut Nothing, &(0..rows)).unwrap(), [(0, 4)]);
        assert_eq!(grid.last_shown(&mut Nothing, &(0..rows), &(6..9)).unwrap(), None);
    }

    #[test]
    fn runs_join_where_they_touch() {
        let mut runs = Vec::new();
        for run in [(4, 5), (0, 1), (2, 4), (1, 2), (8, 9)] {
            runs = joined(&runs, run);
        }
        assert_eq!(runs, [(0, 5), (8, 9)]);
        assert!(covered(&runs, (1, 4)) && !covered(&runs, (4, 6)));
    }
}
