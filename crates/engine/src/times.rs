//! When, and from which source, the values of each side came: given to the engine, never guessed by it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::side::{PerSide, SideName};

/// When a value was changed, and by which source.
///
/// A value that the engine itself carried keeps the time and the source it had where it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Origin {
    /// The time of the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The name of the source; the side's (or spoke's) own name where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
}

/// The origins of one row on one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowOrigins {
    /// Of the row as a whole; for a row that is gone, the time it was deleted.
    pub row: Origin,
    /// Of single cells, by column.
    pub cells: BTreeMap<usize, Origin>,
}

impl RowOrigins {
    /// Returns the source of a cell: its own, else the row's.
    pub fn source(&self, column: usize) -> Option<&str> {
        let cell = self.cells.get(&column).and_then(|origin| origin.source.as_deref());
        cell.or(self.row.source.as_deref())
    }

    /// Returns the time of a cell itself.
    pub fn cell_time(&self, column: usize) -> Option<Timestamp> {
        self.cells.get(&column).and_then(|origin| origin.at)
    }
}

/// The origins of every row, and the time that counts as now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    rows: BTreeMap<Key, PerSide<RowOrigins>>,
    /// What rules see as `now`.
    pub now: Option<Timestamp>,
}

impl Times {
    /// Returns the origins of a key's rows, to fill them in.
    pub fn entry(&mut self, key: Key, side: SideName) -> &mut RowOrigins {
        self.rows.entry(key).or_default().get_mut(side)
    }

    /// Returns the origins of a key's rows.
    pub fn of(&self, key: &Key) -> Option<&PerSide<RowOrigins>> {
        self.rows.get(key)
    }

    /// Returns the same with the sides called the other way round.
    pub fn mirrored(&self) -> Times {
        let swap = |sides: &PerSide<RowOrigins>| PerSide {
            left: sides.right.clone(),
            right: sides.left.clone(),
        };
        Times {
            rows: self.rows.iter().map(|(key, sides)| (key.clone(), swap(sides))).collect(),
            now: self.now,
        }
    }
}
