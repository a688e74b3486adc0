//! Turning changed slots into blocks for the store.

use std::sync::Arc;

use super::{Blocks, CHUNK, Grid, Row, Slot, Work, codec};
use crate::http::ApiError;

/// Is the size above which a block is cut in two, in bytes.
const BLOCK_BYTES: usize = 512 * 1024;

/// Is one block to be stored.
pub(crate) struct Pending {
    /// The slot it belongs to, for [`Grid::stored`].
    pub(crate) slot: usize,
    /// Its bytes.
    pub(crate) data: Arc<[u8]>,
}

impl Grid {
    /// Packs every changed slot, cutting large blocks and joining small neighbours, and returns
    /// the blocks to store.
    pub(crate) fn encode(&mut self) -> Vec<Pending> {
        let mut packed: Vec<Slot> = Vec::with_capacity(self.slots.len());
        for slot in std::mem::take(&mut self.slots) {
            match slot.work {
                Work::Rows(rows) => push_rows(&mut packed, rows),
                _ => push(&mut packed, slot),
            }
        }
        self.slots = packed;
        self.decoded = 0;
        self.moved();
        let mut pending = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            slot.note();
            if let Work::Rows(rows) = &slot.work {
                slot.work = Work::Packed(Arc::from(codec::encode(rows)));
            }
            if let Work::Packed(data) = &slot.work {
                pending.push(Pending { slot: index, data: Arc::clone(data) });
            }
        }
        pending
    }

    /// Notes the id under which a block was stored.
    pub(crate) fn stored(&mut self, slot: usize, id: i64) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.id = id;
            slot.work = Work::None;
        }
    }

    /// Returns the ids of the stored blocks.
    pub(crate) fn ids(&self) -> impl Iterator<Item = i64> + '_ {
        self.slots.iter().map(|slot| slot.id).filter(|id| *id != 0)
    }

    /// Returns a copy that owns none of the stored blocks, to be saved as another sheet.
    pub(crate) fn duplicate(&self, blocks: &mut dyn Blocks) -> Result<Self, ApiError> {
        let mut copy = self.clone();
        for slot in &mut copy.slots {
            if matches!(slot.work, Work::None) && slot.id != 0 {
                slot.work = Work::Packed(blocks.load(slot.id)?);
                slot.id = 0;
            }
        }
        Ok(copy)
    }
}

/// Adds decoded rows, joined to a small changed neighbour above.
fn push_rows(packed: &mut Vec<Slot>, mut rows: Vec<Row>) {
    if let Some(above) = packed.last_mut()
        && let Work::Rows(upper) = &mut above.work
        && upper.len() + rows.len() <= CHUNK as usize
        && (upper.len() < CHUNK as usize / 4 || rows.len() < CHUNK as usize / 4)
    {
        upper.append(&mut rows);
        rows = std::mem::take(upper);
        packed.pop();
    }
    cut(packed, rows);
}

/// Adds decoded rows, in as many blocks as their number and size ask for.
fn cut(packed: &mut Vec<Slot>, mut rows: Vec<Row>) {
    if rows.len() > CHUNK as usize * 2 || (rows.len() > 1 && weight(&rows) > BLOCK_BYTES) {
        let below = rows.split_off(rows.len() / 2);
        cut(packed, rows);
        return cut(packed, below);
    }
    let Ok(count) = u32::try_from(rows.len()) else {
        return;
    };
    if rows.iter().flatten().all(super::Cell::is_blank) {
        return push(packed, Slot::blank(count));
    }
    packed.push(Slot { work: Work::Rows(rows), ..Slot::blank(count) });
}

/// Adds a slot; blank ones join.
fn push(packed: &mut Vec<Slot>, slot: Slot) {
    if slot.rows == 0 {
        return;
    }
    match packed.last_mut() {
        Some(above) if above.is_blank() && slot.is_blank() => above.rows += slot.rows,
        _ => packed.push(slot),
    }
}

/// Returns about how many bytes rows take when packed.
fn weight(rows: &[Row]) -> usize {
    rows.iter()
        .flatten()
        .map(|cell| {
            let text = match &cell.value {
                super::Scalar::Text(text) => text.len(),
                _ => 8,
            };
            2 + text
                + cell.formula.as_ref().map_or(0, |formula| formula.len())
                + if cell.extra.is_some() { 64 } else { 0 }
        })
        .sum()
}
