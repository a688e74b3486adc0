//! The two sides of a reconciliation.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SideName {
    /// The left side; the source of a one-way dataset unless its direction says otherwise, and the hub of a hub.
    Left,
    /// The right side; a spoke of a hub.
    Right,
}

impl SideName {
    /// Returns both sides, left first.
    pub const BOTH: [SideName; 2] = [SideName::Left, SideName::Right];

    /// Returns the other side.
    pub fn other(self) -> SideName {
        match self {
            SideName::Left => SideName::Right,
            SideName::Right => SideName::Left,
        }
    }

    /// Returns `left` or `right`.
    pub fn as_str(self) -> &'static str {
        match self {
            SideName::Left => "left",
            SideName::Right => "right",
        }
    }
}

impl fmt::Display for SideName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing for each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PerSide<T> {
    /// The left one.
    pub left: T,
    /// The right one.
    pub right: T,
}

impl<T> PerSide<T> {
    /// Builds one for each side.
    pub fn from_fn(mut build: impl FnMut(SideName) -> T) -> PerSide<T> {
        PerSide { left: build(SideName::Left), right: build(SideName::Right) }
    }

    /// Returns the one of a side.
    pub fn get(&self, side: SideName) -> &T {
        match side {
            SideName::Left => &self.left,
            SideName::Right => &self.right,
        }
    }

    /// Returns the one of a side, to change it.
    pub fn get_mut(&mut self, side: SideName) -> &mut T {
        match side {
            SideName::Left => &mut self.left,
            SideName::Right => &mut self.right,
        }
    }
}
