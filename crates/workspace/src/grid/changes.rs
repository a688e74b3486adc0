//! What differs between two states of a grid, told by their blocks: a stored block never changes.

use std::collections::HashMap;
use std::ops::Range;

use super::{Grid, Slot, Work};

impl Grid {
    /// Returns the rows that may differ from an earlier state of the grid, in order and apart from
    /// each other: those of blocks that one of the two does not have at the same place.
    pub(crate) fn changed_rows(&self, before: &Self) -> Vec<Range<u32>> {
        let mut old: HashMap<u32, &Slot> =
            before.starts().filter(|(_, slot)| !slot.is_blank()).collect();
        let mut changed: Vec<Range<u32>> = Vec::new();
        for (first, slot) in self.starts().filter(|(_, slot)| !slot.is_blank()) {
            let same = |old: &&Slot| {
                matches!(slot.work, Work::None) && old.id == slot.id && old.rows == slot.rows
            };
            if old.get(&first).is_some_and(same) {
                old.remove(&first);
            } else {
                changed.push(first..first + slot.rows);
            }
        }
        changed.extend(old.into_iter().map(|(first, slot)| first..first + slot.rows));
        changed.sort_unstable_by_key(|rows| rows.start);
        let mut apart: Vec<Range<u32>> = Vec::with_capacity(changed.len());
        for rows in changed {
            match apart.last_mut() {
                Some(last) if rows.start <= last.end => last.end = last.end.max(rows.end),
                _ => apart.push(rows),
            }
        }
        apart
    }
}
