//! The cells of a sheet: an ordered list of row blocks, like the leaves of a B-tree.
//!
//! A block holds about [`CHUNK`] rows and is one immutable blob in the store; a stretch of blank
//! rows of any length is one slot without a blob. Edits decode the blocks they touch and leave the
//! others alone; the store encodes and writes the touched ones.

mod cell;
mod changes;
mod codec;
mod columns;
mod edit;
mod read;
mod save;
mod shape;
mod walk;

pub(crate) use cell::{Cell, CellError, CellView, Scalar, ScalarView};
pub(crate) use codec::Row;
pub(crate) use read::{FormulaAt, FormulaBlock, Loader, Part, Window, damaged, formulas_of};
pub(crate) use walk::{RawCell, RawValue, Walk};

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::shape::Shape;
use crate::http::ApiError;

/// Is how many rows a new block gets.
pub(crate) const CHUNK: u32 = 256;

/// Is how many cells may lie decoded in memory before blocks are packed again.
const DECODED_CELLS: usize = 3_000_000;

/// Gives the bytes of stored blocks.
pub(crate) trait Blocks {
    /// Returns the bytes of a block.
    fn load(&mut self, id: i64) -> Result<Arc<[u8]>, ApiError>;
}

/// Is the cells of one sheet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Grid {
    columns: u32,
    slots: Vec<Slot>,
    /// The slot that was used last and its first row, to find neighbours fast.
    #[serde(skip)]
    hint: (usize, u32),
    #[serde(skip)]
    decoded: usize,
}

/// Is one run of rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Slot {
    /// The block in the store; 0 when the rows are blank or only in `work`.
    #[serde(rename = "i")]
    id: i64,
    #[serde(rename = "r")]
    rows: u32,
    /// Whether any of its cells has a formula.
    #[serde(rename = "f", default, skip_serializing_if = "std::ops::Not::not")]
    formulas: bool,
    /// Whether any of its formulas changes with time: TODAY or NOW.
    #[serde(rename = "v", default, skip_serializing_if = "std::ops::Not::not")]
    volatile: bool,
    /// Where it shows something; unknown of blocks that were stored before it was noted.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    shape: Option<Shape>,
    #[serde(skip)]
    work: Work,
}

/// Is what was changed in a slot and is not stored yet.
#[derive(Debug, Clone, Default)]
enum Work {
    #[default]
    None,
    Rows(Vec<Row>),
    Packed(Arc<[u8]>),
}

impl Grid {
    /// Returns a blank grid.
    pub(crate) fn new(rows: u32, columns: u32) -> Self {
        let mut slots = Vec::new();
        if rows > 0 {
            slots.push(Slot::blank(rows));
        }
        Self { columns, slots, hint: (0, 0), decoded: 0 }
    }

    /// Returns the number of rows.
    pub(crate) fn rows(&self) -> u32 {
        self.slots.iter().map(|slot| slot.rows).sum()
    }

    /// Returns the number of columns.
    pub(crate) fn columns(&self) -> u32 {
        self.columns
    }

    /// Returns one past the last row that is not in the blank stretch at the end.
    pub(crate) fn filled_rows(&self) -> u32 {
        let blank = match self.slots.last() {
            Some(slot) if slot.is_blank() => slot.rows,
            _ => 0,
        };
        self.rows() - blank
    }

    /// Returns whether any cell may have a formula.
    pub(crate) fn has_formulas(&self) -> bool {
        self.slots.iter().any(|slot| slot.formulas || slot.is_changed())
    }

    /// Returns whether any stored formula changes with time.
    pub(crate) fn is_volatile(&self) -> bool {
        self.slots.iter().any(|slot| slot.volatile)
    }

    /// Returns the slot that holds a row, and its first row.
    fn find(&self, row: u32) -> Option<(usize, u32)> {
        let (mut index, mut start) = if row >= self.hint.1 { self.hint } else { (0, 0) };
        loop {
            let slot = self.slots.get(index)?;
            if row - start < slot.rows {
                return Some((index, start));
            }
            start += slot.rows;
            index += 1;
        }
    }

    /// Forgets where things were, after slots moved.
    fn moved(&mut self) {
        self.hint = (0, 0);
    }
}

impl Slot {
    fn blank(rows: u32) -> Self {
        Self { id: 0, rows, formulas: false, volatile: false, shape: None, work: Work::None }
    }

    fn is_blank(&self) -> bool {
        self.id == 0 && matches!(self.work, Work::None)
    }

    /// Notes what is to be known of the rows without reading them, before they are packed.
    fn note(&mut self) {
        if let Work::Rows(rows) = &self.work {
            let formulas = || rows.iter().flatten().filter_map(|cell| cell.formula.as_deref());
            self.formulas = formulas().next().is_some();
            self.volatile = formulas().any(crate::formula::is_volatile);
            self.shape = Some(Shape::of(rows));
        }
    }

    fn is_changed(&self) -> bool {
        !matches!(self.work, Work::None)
    }

    /// Returns the rows decoded, to be changed.
    fn decode(&mut self, blocks: &mut dyn Blocks) -> Result<&mut Vec<Row>, ApiError> {
        let decoded = match &self.work {
            Work::Rows(_) => None,
            Work::Packed(bytes) => Some(unpack(bytes, self.rows)?),
            Work::None if self.id == 0 => Some(vec![Row::new(); self.rows as usize]),
            Work::None => Some(unpack(&blocks.load(self.id)?, self.rows)?),
        };
        if let Some(rows) = decoded {
            self.work = Work::Rows(rows);
            self.id = 0;
            self.shape = None;
        }
        match &mut self.work {
            Work::Rows(rows) => Ok(rows),
            _ => Err(ApiError::internal("a block did not decode")),
        }
    }
}

fn unpack(bytes: &[u8], rows: u32) -> Result<Vec<Row>, ApiError> {
    codec::decode(bytes, rows).ok_or_else(|| ApiError::internal("a block of cells is damaged"))
}
