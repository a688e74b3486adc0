//! Reading cells in place.

use std::sync::Arc;

use super::edit::missing;
use super::{Blocks, Cell, CellView, Grid, Row, Slot, Work, codec};
use crate::http::ApiError;

/// Is the rows of a range, held so that they can be read after the transaction.
pub(crate) struct Window {
    parts: Vec<Part>,
}

enum Part {
    Blank(u32),
    Packed { data: Arc<[u8]>, skip: u32, rows: u32 },
    Rows(Vec<Row>),
}

/// Is one row of a [`Window`].
pub(crate) enum Line<'a> {
    /// Nothing in it.
    Blank,
    /// Encoded cells.
    Packed(&'a [u8]),
    /// Decoded cells.
    Cells(&'a [Cell]),
}

impl Line<'_> {
    /// Calls a closure for every cell that is not blank, from left to right.
    pub(crate) fn each(&self, visit: &mut impl FnMut(u32, CellView<'_>)) -> Result<(), ApiError> {
        match self {
            Line::Blank => Ok(()),
            Line::Packed(bytes) => codec::each(bytes, visit).ok_or_else(damaged),
            Line::Cells(cells) => {
                for (column, cell) in (0_u32..).zip(cells.iter()) {
                    if !cell.is_blank() {
                        visit(column, cell.view());
                    }
                }
                Ok(())
            }
        }
    }
}

impl Window {
    /// Calls a closure for every row, from top to bottom, with its number counted from the first.
    pub(crate) fn each(
        &self,
        visit: &mut dyn FnMut(u32, Line<'_>) -> Result<(), ApiError>,
    ) -> Result<(), ApiError> {
        let mut number = 0;
        for part in &self.parts {
            match part {
                Part::Blank(rows) => {
                    for _ in 0..*rows {
                        visit(number, Line::Blank)?;
                        number += 1;
                    }
                }
                Part::Packed { data, skip, rows } => {
                    let mut lines = codec::lines(data).ok_or_else(damaged)?.skip(*skip as usize);
                    for _ in 0..*rows {
                        match lines.next() {
                            Some(line) => visit(number, Line::Packed(line.ok_or_else(damaged)?))?,
                            None => visit(number, Line::Blank)?,
                        }
                        number += 1;
                    }
                }
                Part::Rows(rows) => {
                    for row in rows {
                        visit(number, Line::Cells(row))?;
                        number += 1;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Grid {
    /// Returns the rows `start..end`, clipped to the grid.
    pub(crate) fn window(
        &self,
        blocks: &mut dyn Blocks,
        start: u32,
        end: u32,
    ) -> Result<Window, ApiError> {
        let mut parts = Vec::new();
        let mut first = 0_u32;
        for slot in &self.slots {
            let last = first + slot.rows;
            let (from, to) = (start.max(first), end.min(last));
            if from < to {
                parts.push(part(slot, blocks, from - first, to - from)?);
            }
            first = last;
            if first >= end {
                break;
            }
        }
        Ok(Window { parts })
    }

    /// Returns copies of the rows `start..end`, each cut to the columns that hold something.
    pub(crate) fn copy_rows(
        &self,
        blocks: &mut dyn Blocks,
        start: u32,
        end: u32,
    ) -> Result<Vec<Row>, ApiError> {
        let mut rows = Vec::new();
        self.window(blocks, start, end)?.each(&mut |_, line| {
            let mut row = Row::new();
            line.each(&mut |column, cell| {
                row.resize_with(column as usize, Cell::default);
                row.push(cell.to_cell());
            })?;
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Returns one past the last row that shows something, 0 when none does.
    pub(crate) fn used_rows(&self, blocks: &mut dyn Blocks) -> Result<u32, ApiError> {
        let mut end = self.rows();
        for slot in self.slots.iter().rev() {
            let start = end - slot.rows;
            if !slot.is_blank() {
                let mut used = 0;
                Window { parts: vec![part(slot, blocks, 0, slot.rows)?] }.each(
                    &mut |number, line| {
                        line.each(&mut |_, cell| {
                            if !cell.is_empty() {
                                used = number + 1;
                            }
                        })
                    },
                )?;
                if used > 0 {
                    return Ok(start + used);
                }
            }
            end = start;
        }
        Ok(0)
    }

    /// Returns the position and text of every formula.
    pub(crate) fn formulas(
        &self,
        blocks: &mut dyn Blocks,
    ) -> Result<Vec<(u32, u32, String)>, ApiError> {
        let mut found = Vec::new();
        let mut first = 0;
        for slot in &self.slots {
            if slot.formulas || slot.is_changed() {
                Window { parts: vec![part(slot, blocks, 0, slot.rows)?] }.each(
                    &mut |number, line| {
                        line.each(&mut |column, cell| {
                            if let Some(formula) = cell.formula {
                                found.push((first + number, column, formula.to_owned()));
                            }
                        })
                    },
                )?;
            }
            first += slot.rows;
        }
        Ok(found)
    }
}

fn part(slot: &Slot, blocks: &mut dyn Blocks, skip: u32, rows: u32) -> Result<Part, ApiError> {
    Ok(match &slot.work {
        Work::Rows(all) => {
            Part::Rows(all.get(skip as usize..(skip + rows) as usize).ok_or_else(missing)?.to_vec())
        }
        Work::Packed(data) => Part::Packed { data: Arc::clone(data), skip, rows },
        Work::None if slot.id == 0 => Part::Blank(rows),
        Work::None => Part::Packed { data: blocks.load(slot.id)?, skip, rows },
    })
}

fn damaged() -> ApiError {
    ApiError::internal("a block of cells is damaged")
}
