//! What happened to a key since both sides last agreed, and what is made of it.

use serde::{Deserialize, Serialize};

/// What happened to a key: exactly one case for each key, by presence and equality alone, whatever the policy.
///
/// Only the columns that both sides have are compared. A row marked as deleted counts as absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// A side was not proven completely read for this key.
    Unknown,
    /// Nowhere.
    Absent,
    /// The same in all three.
    InSync,
    /// New on both sides, and the same.
    ConvergentAdd,
    /// Changed on both sides, and the same.
    ConvergentModify,
    /// Gone from both sides.
    ConvergentDelete,
    /// New on the left alone.
    LeftAdd,
    /// New on the right alone.
    RightAdd,
    /// Changed on the left alone.
    LeftModify,
    /// Changed on the right alone.
    RightModify,
    /// Gone from the left, unchanged on the right.
    LeftDelete,
    /// Gone from the right, unchanged on the left.
    RightDelete,
    /// New on both sides, and different.
    DivergentAdd,
    /// Changed on both sides, in different cells.
    CellMerge,
    /// Changed on both sides, and at least one cell differently.
    DivergentModify,
    /// Gone from the left, changed on the right.
    DeleteModify,
    /// Changed on the left, gone from the right.
    ModifyDelete,
}

impl Class {
    /// Returns the case with the sides called the other way round.
    pub fn mirrored(self) -> Class {
        match self {
            Class::LeftAdd => Class::RightAdd,
            Class::RightAdd => Class::LeftAdd,
            Class::LeftModify => Class::RightModify,
            Class::RightModify => Class::LeftModify,
            Class::LeftDelete => Class::RightDelete,
            Class::RightDelete => Class::LeftDelete,
            Class::DeleteModify => Class::ModifyDelete,
            Class::ModifyDelete => Class::DeleteModify,
            other => other,
        }
    }
}

/// What is made of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Nothing: there is nothing to do, or not enough is known to do it.
    Nothing,
    /// Base learns what both sides already agree on.
    Agreed,
    /// One side's change flows to the other.
    Carried,
    /// Cells of both sides flow, and none was disputed.
    Merged,
    /// A dispute was decided by a strategy, a rule or a decision.
    Resolved,
    /// At least one dispute waits for a person.
    Held,
    /// The receiving side of a one-way direction keeps a change of its own.
    Drifted,
    /// A deletion is not carried out, by the delete policy.
    Ignored,
}
