//! What could not be decided, and what was decided against: values, never errors.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::side::SideName;
use crate::terms::Terms;
use crate::value::{Row, Value};

/// What kind of dispute a conflict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConflictKind {
    /// Cells were set differently on both sides.
    Cells,
    /// Left deleted the row, right changed it.
    DeleteModify,
    /// Left changed the row, right deleted it.
    ModifyDelete,
}

/// One disputed cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellConflict {
    /// The column.
    pub column: usize,
    /// What both sides last agreed on; null where they never did.
    pub base: Value,
    /// What left says.
    pub left: Value,
    /// What right says.
    pub right: Value,
    /// Why it was not decided.
    pub reason: Box<str>,
}

/// A key that waits for a decision; neither side nor base moves for what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// The key.
    pub key: Key,
    /// What kind of dispute.
    pub kind: ConflictKind,
    /// The disputed cells; empty when the dispute is about the row.
    pub cells: Vec<CellConflict>,
    /// Why it was not decided.
    pub reason: Box<str>,
    /// The row both sides last agreed on.
    pub base: Option<Row>,
    /// The row on the left.
    pub left: Option<Row>,
    /// The row on the right.
    pub right: Option<Row>,
    /// Names the exact state that is disputed; a decision must quote it, and is refused once the state has moved.
    pub digest: Box<str>,
}

/// What a loser record keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Lost {
    /// A cell's value that was changed and did not survive.
    Cell {
        /// The column.
        column: usize,
        /// The value.
        value: Value,
    },
    /// A whole row that was added and did not survive.
    Row(Row),
    /// A deletion that was undone.
    Deletion,
}

/// A change that was decided against: nothing is lost silently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Loser {
    /// The key.
    pub key: Key,
    /// Which side (or spoke) had made the change.
    pub from: Box<str>,
    /// The source it came from, when that is known to be another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
    /// When it was made, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What was lost.
    pub lost: Lost,
    /// What decided: a strategy, a merge, a rule or a policy.
    pub rule: Box<str>,
}

/// A change that the receiving side of a one-way direction made by itself and keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftNote {
    /// The key.
    pub key: Key,
    /// The side that drifted.
    pub side: SideName,
    /// The cell; `None` when the whole row was added, deleted or must not be deleted.
    pub column: Option<usize>,
    /// What the source says.
    pub expected: Value,
    /// What the side says instead.
    pub found: Value,
}

/// Why nothing was decided for a key although something may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Withholding {
    /// The side was not proven completely read for the key.
    NotRead(SideName),
    /// The row should be marked as deleted, and the side has no column to mark it in.
    NoMarkColumn(SideName),
    /// A decision was made about another state than the present one.
    StaleDecision,
}

/// A key for which something was held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Withheld {
    /// The key.
    pub key: Key,
    /// Why.
    pub reason: Withholding,
}

/// Returns a name for a dispute about a whole row: the key and the three rows, in the columns that both sides have.
pub(crate) fn row_digest(terms: &Terms, key: &Key, rows: [Option<&Row>; 3]) -> Box<str> {
    name_of(&(key, rows.map(|row| row.map(|row| terms.compared(row)))))
}

/// Returns a name for a dispute about single cells, which the other cells of the row may move without ending.
pub(crate) fn cell_digest(key: &Key, cells: &[CellConflict]) -> Box<str> {
    let cells: Vec<_> =
        cells.iter().map(|cell| (cell.column, &cell.base, &cell.left, &cell.right)).collect();
    name_of(&(key, cells))
}

pub(crate) fn name_of(state: &impl Serialize) -> Box<str> {
    // Values of this crate always have a JSON form; an empty one would only make every decision stale.
    let bytes = serde_json::to_vec(state).unwrap_or_default();
    blake3::hash(&bytes).to_hex().chars().take(32).collect::<String>().into()
}
