//! Whole columns inserted, deleted and moved; and passes over every row.

use super::{Blocks, Cell, DECODED_CELLS, Grid, Row, Work};
use crate::http::ApiError;

impl Grid {
    /// Inserts columns without values before a column, or at the end; they take the formats of
    /// the column `like`, counted before.
    pub(crate) fn insert_columns(
        &mut self,
        blocks: &mut dyn Blocks,
        at: u32,
        count: u32,
        like: Option<u32>,
    ) -> Result<(), ApiError> {
        if at < self.columns || like.is_some() {
            self.each_row_mut(blocks, &mut |row| {
                let format =
                    like.and_then(|like| row.get(like as usize)).map_or(0, |cell| cell.format);
                let at = at as usize;
                if row.len() < at && format != 0 {
                    row.resize_with(at, Cell::default);
                }
                if row.len() >= at && (row.len() > at || format != 0) {
                    let cell = Cell { format, ..Cell::default() };
                    row.splice(at..at, std::iter::repeat_n(cell, count as usize));
                }
            })?;
        }
        self.columns += count;
        Ok(())
    }

    /// Deletes columns `start..end`.
    pub(crate) fn delete_columns(
        &mut self,
        blocks: &mut dyn Blocks,
        start: u32,
        end: u32,
    ) -> Result<(), ApiError> {
        self.each_row_mut(blocks, &mut |row| {
            let last = row.len().min(end as usize);
            if (start as usize) < last {
                row.drain(start as usize..last);
            }
        })?;
        self.columns -= end - start;
        Ok(())
    }

    /// Moves columns `start..end` before column `to`, counted before they are taken out.
    pub(crate) fn move_columns(
        &mut self,
        blocks: &mut dyn Blocks,
        start: u32,
        end: u32,
        to: u32,
    ) -> Result<(), ApiError> {
        let reach = end.max(to) as usize;
        self.each_row_mut(blocks, &mut |row| {
            if row.len() <= start.min(to) as usize {
                return;
            }
            if row.len() < reach {
                row.resize_with(reach, Cell::default);
            }
            let taken: Vec<Cell> = row.drain(start as usize..end as usize).collect();
            let to = if to > start { to - (end - start) } else { to } as usize;
            row.splice(to..to, taken);
        })
    }

    /// Calls a closure for every row that is not in a blank stretch.
    pub(crate) fn each_row_mut(
        &mut self,
        blocks: &mut dyn Blocks,
        change: &mut dyn FnMut(&mut Row),
    ) -> Result<(), ApiError> {
        let limit = DECODED_CELLS / self.block_cells();
        for index in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(index) else {
                break;
            };
            if slot.is_blank() {
                continue;
            }
            if !matches!(slot.work, Work::Rows(_)) {
                self.decoded += 1;
            }
            slot.decode(blocks)?.iter_mut().for_each(&mut *change);
            if self.decoded > limit {
                self.pack_all(usize::MAX);
            }
        }
        Ok(())
    }
}
