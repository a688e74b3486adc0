//! Changing rows: one cell's row, and whole rows inserted, deleted and moved.

use std::sync::Arc;

use super::{Blocks, CHUNK, Cell, DECODED_CELLS, Grid, Row, Slot, Work, codec};
use crate::http::ApiError;

impl Grid {
    /// Returns a row to be changed.
    pub(crate) fn row_mut(
        &mut self,
        blocks: &mut dyn Blocks,
        row: u32,
    ) -> Result<&mut Row, ApiError> {
        let (index, start) = self.materialize(blocks, row)?;
        if self.decoded > DECODED_CELLS / self.block_cells() {
            self.pack_all(index);
        }
        let slot = self.slots.get_mut(index).ok_or_else(missing)?;
        if !matches!(slot.work, Work::Rows(_)) {
            self.decoded += 1;
        }
        self.hint = (index, start);
        slot.decode(blocks)?.get_mut((row - start) as usize).ok_or_else(missing)
    }

    /// Returns a cell to be changed; its row is made long enough.
    pub(crate) fn cell_mut(
        &mut self,
        blocks: &mut dyn Blocks,
        row: u32,
        column: u32,
    ) -> Result<&mut Cell, ApiError> {
        let cells = self.row_mut(blocks, row)?;
        let column = column as usize;
        if cells.len() <= column {
            cells.resize_with(column + 1, Cell::default);
        }
        cells.get_mut(column).ok_or_else(missing)
    }

    /// Inserts blank rows before a row, or at the end.
    pub(crate) fn insert_rows(
        &mut self,
        blocks: &mut dyn Blocks,
        at: u32,
        count: u32,
    ) -> Result<(), ApiError> {
        if count == 0 {
            return Ok(());
        }
        if let Some((index, start)) = self.find(at)
            && let Some(slot) = self.slots.get_mut(index)
            && !slot.is_blank()
            && at > start
            && slot.rows + count <= CHUNK * 2
        {
            let rows = slot.decode(blocks)?;
            let offset = (at - start) as usize;
            rows.splice(offset..offset, std::iter::repeat_n(Row::new(), count as usize));
            slot.rows += count;
            self.moved();
            return Ok(());
        }
        let index = self.split(blocks, at)?;
        self.slots.insert(index, Slot::blank(count));
        self.join_blanks(index.saturating_sub(1), index + 1);
        Ok(())
    }

    /// Deletes rows `start..end`.
    pub(crate) fn delete_rows(
        &mut self,
        blocks: &mut dyn Blocks,
        start: u32,
        end: u32,
    ) -> Result<(), ApiError> {
        self.take_rows(blocks, start, end).map(drop)
    }

    /// Moves rows `start..end` before row `to`, counted before they are taken out.
    pub(crate) fn move_rows(
        &mut self,
        blocks: &mut dyn Blocks,
        start: u32,
        end: u32,
        to: u32,
    ) -> Result<(), ApiError> {
        let taken = self.take_rows(blocks, start, end)?;
        let to = if to > start { to - (end - start) } else { to };
        let index = self.split(blocks, to)?;
        let count = taken.len();
        self.slots.splice(index..index, taken);
        self.join_blanks(index.saturating_sub(1), index + count);
        Ok(())
    }

    fn take_rows(
        &mut self,
        blocks: &mut dyn Blocks,
        start: u32,
        end: u32,
    ) -> Result<Vec<Slot>, ApiError> {
        let first = self.split(blocks, start)?;
        let last = self.split(blocks, end)?;
        let taken: Vec<Slot> = self.slots.drain(first..last.max(first)).collect();
        self.join_blanks(first.saturating_sub(1), first);
        Ok(taken)
    }

    /// Makes a slot begin at a row; returns its index, which may be one past the last.
    fn split(&mut self, blocks: &mut dyn Blocks, row: u32) -> Result<usize, ApiError> {
        self.moved();
        let Some((index, start)) = self.find(row) else {
            return Ok(self.slots.len());
        };
        if start == row {
            return Ok(index);
        }
        let slot = self.slots.get_mut(index).ok_or_else(missing)?;
        let head = row - start;
        let tail = if slot.is_blank() {
            Slot::blank(slot.rows - head)
        } else {
            let below = slot.decode(blocks)?.split_off(head as usize);
            Slot { work: Work::Rows(below), ..Slot::blank(slot.rows - head) }
        };
        slot.rows = head;
        self.slots.insert(index + 1, tail);
        Ok(index + 1)
    }

    /// Returns the slot of a row, with blank stretches cut so that only a block of them is used.
    fn materialize(&mut self, blocks: &mut dyn Blocks, row: u32) -> Result<(usize, u32), ApiError> {
        let (index, start) = self.find(row).ok_or_else(missing)?;
        let chunk = self.chunk();
        let offset = row - start;
        let slot = self.slots.get(index).ok_or_else(missing)?;
        if !slot.is_blank() {
            return Ok((index, start));
        }
        let available = slot.rows;
        // A row just below a block that is not full grows the block: appending makes no slivers.
        if let Some(above) = index.checked_sub(1).and_then(|above| self.slots.get_mut(above))
            && !above.is_blank()
            && above.rows + offset < chunk
        {
            let taken = offset + 1;
            let start = start - above.rows;
            above.decode(blocks)?.extend(std::iter::repeat_n(Row::new(), taken as usize));
            above.rows += taken;
            if taken == available {
                self.slots.remove(index);
            } else if let Some(slot) = self.slots.get_mut(index) {
                slot.rows -= taken;
            }
            self.moved();
            return Ok((index - 1, start));
        }
        if available <= chunk {
            return Ok((index, start));
        }
        let before = offset / chunk * chunk;
        let middle = chunk.min(available - before);
        let after = available - before - middle;
        let parts = [before, middle, after];
        self.slots
            .splice(index..=index, parts.into_iter().filter(|rows| *rows > 0).map(Slot::blank));
        self.moved();
        Ok((index + usize::from(before > 0), start + before))
    }

    /// Joins neighbouring blank slots among `from..=to`.
    fn join_blanks(&mut self, from: usize, to: usize) {
        self.moved();
        for index in (from..=to).rev() {
            let joined = match (self.slots.get(index), self.slots.get(index + 1)) {
                (Some(one), Some(two)) if one.is_blank() && two.is_blank() => two.rows,
                _ => continue,
            };
            self.slots.remove(index + 1);
            if let Some(slot) = self.slots.get_mut(index) {
                slot.rows += joined;
            }
        }
    }

    /// Packs decoded blocks, all but one, to bound memory.
    pub(super) fn pack_all(&mut self, except: usize) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if index == except {
                continue;
            }
            slot.note();
            if let Work::Rows(rows) = &slot.work {
                slot.work = Work::Packed(Arc::from(codec::encode(rows)));
            }
        }
        self.decoded = 1;
    }

    /// Returns how many rows a new block gets: fewer on wide sheets.
    pub(super) fn chunk(&self) -> u32 {
        (65_536 / self.columns.max(1)).clamp(1, CHUNK)
    }

    pub(super) fn block_cells(&self) -> usize {
        (self.chunk() as usize * self.columns as usize).max(1)
    }
}

pub(super) fn missing() -> ApiError {
    ApiError::internal("a row outside the grid was asked for")
}
