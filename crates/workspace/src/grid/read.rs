//! Reading cells in place.

use std::sync::{Arc, OnceLock};

use super::edit::missing;
use super::{Blocks, Cell, CellView, Grid, Row, Slot, Work, codec};
use crate::http::ApiError;

/// Is the rows of a range, held so that they can be read after the transaction.
pub(crate) struct Window {
    /// Those that are not loaded yet are waited for.
    parts: Arc<[OnceLock<Part>]>,
}

/// Loads the blocks of a [`Window`] while its first rows are read already.
pub(crate) struct Loader {
    parts: Arc<[OnceLock<Part>]>,
    /// What to load: the place among the parts, the block, and its rows.
    wanted: Vec<(usize, i64, u32, u32)>,
}

impl Loader {
    /// Loads all blocks.
    pub(crate) fn run(self, blocks: &mut dyn Blocks) {
        for (place, id, skip, rows) in &self.wanted {
            // What cannot be loaded was logged; the reader of the window meets it.
            let part = match blocks.load(*id) {
                Ok(data) => Part::Packed { data, skip: *skip, rows: *rows },
                Err(_) => Part::Failed,
            };
            if let Some(place) = self.parts.get(*place) {
                let _ = place.set(part);
            }
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // Nobody waits for what will not come.
        for part in self.parts.iter() {
            let _ = part.set(Part::Failed);
        }
    }
}

/// Is a run of rows of a [`Window`].
pub(crate) enum Part {
    /// Rows with nothing in them.
    Blank(u32),
    /// The rows of a block from `skip` on; the block may hold fewer, the rest is blank then.
    Packed { data: Arc<[u8]>, skip: u32, rows: u32 },
    /// A block that could not be loaded.
    Failed,
}

/// Is one row of a [`Window`].
pub(crate) enum Line<'a> {
    /// Nothing in it.
    Blank,
    /// Encoded cells.
    Packed(&'a [u8]),
}

impl Line<'_> {
    /// Calls a closure for every cell that is not blank, from left to right.
    pub(crate) fn each(&self, visit: &mut impl FnMut(u32, CellView<'_>)) -> Result<(), ApiError> {
        match self {
            Line::Blank => Ok(()),
            Line::Packed(bytes) => codec::each(bytes, visit).ok_or_else(damaged),
        }
    }
}

impl Window {
    /// Returns so many rows of a slot.
    pub(super) fn of_slot(
        slot: &Slot,
        blocks: &mut dyn Blocks,
        skip: u32,
        rows: u32,
    ) -> Result<Self, ApiError> {
        Ok(Self { parts: Arc::from([OnceLock::from(part(slot, blocks, skip, rows)?)]) })
    }

    /// Returns the runs of rows, from top to bottom; each is waited for.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().map(OnceLock::wait)
    }

    /// Returns how many runs of rows there are.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Calls a closure for every row, from top to bottom, with its number counted from the first.
    pub(crate) fn each(
        &self,
        visit: &mut dyn FnMut(u32, Line<'_>) -> Result<(), ApiError>,
    ) -> Result<(), ApiError> {
        let mut number = 0;
        for part in self.parts() {
            match part {
                Part::Failed => return Err(damaged()),
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
        let parts: Result<Vec<_>, ApiError> = self
            .slots_of(start, end)
            .map(|(slot, skip, rows)| part(slot, blocks, skip, rows).map(OnceLock::from))
            .collect();
        Ok(Window { parts: parts?.into() })
    }

    /// Returns the rows `start..end`, clipped to the grid, and what loads them.
    pub(crate) fn window_ahead(&self, start: u32, end: u32) -> (Window, Loader) {
        let mut wanted = Vec::new();
        let parts: Arc<[OnceLock<Part>]> = self
            .slots_of(start, end)
            .enumerate()
            .map(|(place, (slot, skip, rows))| match &slot.work {
                Work::None if slot.id != 0 => {
                    wanted.push((place, slot.id, skip, rows));
                    OnceLock::new()
                }
                // Nothing to load: the blocks are not asked.
                _ => OnceLock::from(part(slot, &mut NoBlocks, skip, rows).unwrap_or(Part::Failed)),
            })
            .collect();
        (Window { parts: Arc::clone(&parts) }, Loader { parts, wanted })
    }

    /// Returns the slots of the rows `start..end`, and which rows of each are among them: how many
    /// are skipped and how many taken.
    fn slots_of(&self, start: u32, end: u32) -> impl Iterator<Item = (&Slot, u32, u32)> {
        self.starts().take_while(move |(first, _)| *first < end).filter_map(move |(first, slot)| {
            let (from, to) = (start.max(first), end.min(first + slot.rows));
            (from < to).then(|| (slot, from - first, to - from))
        })
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
                Window::of_slot(slot, blocks, 0, slot.rows)?.each(&mut |number, line| {
                    line.each(&mut |_, cell| {
                        if !cell.is_empty() {
                            used = number + 1;
                        }
                    })
                })?;
                if used > 0 {
                    return Ok(start + used);
                }
            }
            end = start;
        }
        Ok(0)
    }

    /// Returns the blocks that hold formulas, each with its first row.
    pub(crate) fn formula_blocks(&self) -> Result<Vec<(u32, FormulaBlock)>, ApiError> {
        self.starts()
            .filter_map(|(first, slot)| {
                let block = match &slot.work {
                    Work::Rows(rows) => Ok(FormulaBlock::Changed(formulas_in(rows))),
                    Work::Packed(data) if slot.formulas => {
                        formulas_of(data).map(FormulaBlock::Changed)
                    }
                    Work::None if slot.formulas => Ok(FormulaBlock::Stored(slot.id)),
                    _ => return None,
                };
                Some(block.map(|block| (first, block)))
            })
            .collect()
    }

    /// Returns the position and text of every formula.
    pub(crate) fn formulas(
        &self,
        blocks: &mut dyn Blocks,
    ) -> Result<Vec<(u32, u32, String)>, ApiError> {
        let mut all = Vec::new();
        for (first, block) in self.formula_blocks()? {
            let found = match block {
                FormulaBlock::Stored(id) => formulas_of(&blocks.load(id)?)?,
                FormulaBlock::Changed(found) => found,
            };
            all.extend(found.into_iter().map(|at| (first + at.row, at.column, at.text)));
        }
        Ok(all)
    }
}

/// Is the formulas of a block.
pub(crate) enum FormulaBlock {
    /// They are in the stored block of that id.
    Stored(i64),
    /// They are here: the block is not stored yet.
    Changed(Vec<FormulaAt>),
}

/// Is a formula and its place in a block.
pub(crate) struct FormulaAt {
    /// Counted from the first row of the block.
    pub(crate) row: u32,
    pub(crate) column: u32,
    pub(crate) text: String,
}

fn formulas_in(rows: &[Row]) -> Vec<FormulaAt> {
    let mut found = Vec::new();
    for (row, cells) in (0_u32..).zip(rows) {
        for (column, cell) in (0_u32..).zip(cells) {
            if let Some(formula) = &cell.formula {
                found.push(FormulaAt { row, column, text: formula.to_string() });
            }
        }
    }
    found
}

/// Returns the formulas in the bytes of a block.
pub(crate) fn formulas_of(data: &[u8]) -> Result<Vec<FormulaAt>, ApiError> {
    let mut found = Vec::new();
    for (row, line) in (0_u32..).zip(codec::lines(data).ok_or_else(damaged)?) {
        codec::each(line.ok_or_else(damaged)?, &mut |column, cell| {
            if let Some(formula) = cell.formula {
                found.push(FormulaAt { row, column, text: formula.to_owned() });
            }
        })
        .ok_or_else(damaged)?;
    }
    Ok(found)
}

/// Has no blocks.
struct NoBlocks;

impl Blocks for NoBlocks {
    fn load(&mut self, id: i64) -> Result<Arc<[u8]>, ApiError> {
        Err(ApiError::internal(format!("block {id} is not loaded here")))
    }
}

fn part(slot: &Slot, blocks: &mut dyn Blocks, skip: u32, rows: u32) -> Result<Part, ApiError> {
    Ok(match &slot.work {
        Work::Rows(all) => {
            let part = all.get(skip as usize..(skip + rows) as usize).ok_or_else(missing)?;
            Part::Packed { data: Arc::from(codec::encode(part)), skip: 0, rows }
        }
        Work::Packed(data) => Part::Packed { data: Arc::clone(data), skip, rows },
        Work::None if slot.id == 0 => Part::Blank(rows),
        Work::None => Part::Packed { data: blocks.load(slot.id)?, skip, rows },
    })
}

/// Returns the error for bytes that are no cells.
pub(crate) fn damaged() -> ApiError {
    ApiError::internal("a block of cells is damaged")
}
