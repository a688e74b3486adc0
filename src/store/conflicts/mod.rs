//! The queue of conflicts: what runs left for a person, and what was decided about it.
//!
//! `record` brings it up to date in the transaction that closes a run, `settle` consumes what that run applied, `list`
//! and `decide` serve people, `times` keeps when pending values were first seen.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lockstep_engine::key::Key;
use lockstep_engine::value::{Row, Value};
use serde::{Deserialize, Serialize};

mod decide;
mod list;
mod read;
mod record;
pub(super) mod settle;
pub(super) mod times;

pub(crate) use self::decide::{Verdict, unknown};
pub(crate) use self::list::{Filter, Group, Page};
pub(crate) use self::times::Observed;

/// What kind of dispute a conflict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    /// A cell was changed differently.
    Edit,
    /// A row was added differently.
    Create,
    /// The left, or somebody around a hub, deleted the row; another changed it.
    DeleteEdit,
    /// The left changed the row, the right deleted it.
    EditDelete,
}

/// How far a conflict came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum State {
    /// It waits for a person.
    Open,
    /// It was decided, and waits for a run.
    Decided,
    /// A run wrote what was decided.
    Applied,
    /// The sides agree again, or it ended otherwise: nothing waits any more.
    Closed,
    /// It was decided, but the values had changed; it was shown again under another id.
    Stale,
}

/// What one member says about a disputed cell or row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Voice {
    /// The member.
    pub(crate) who: String,
    /// The value; null for a row.
    pub(crate) value: Value,
    /// Whether it deleted the row.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deleted: bool,
    /// When it was first seen to say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Timestamp>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Choice {
    /// What a member says.
    Take(String),
    /// What was last agreed on.
    Base,
    /// A value of its own.
    Value(Value),
}

/// A conflict as it stands in the queue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    /// Its name.
    pub(crate) id: String,
    /// The dataset.
    pub(crate) dataset: String,
    /// The key.
    pub(crate) key: Key,
    /// The column; blank where the whole row is disputed.
    pub(crate) column: String,
    /// What kind of dispute.
    pub(crate) kind: Kind,
    /// The engine's name for the disputed state.
    pub(crate) digest: String,
    /// How far it came.
    pub(crate) state: State,
    /// What was last agreed on; `None` where nothing was, or spokes did not agree on the same.
    pub(crate) base: Option<Value>,
    /// What the members say.
    pub(crate) voices: Vec<Voice>,
    /// Why it was not decided by itself.
    pub(crate) reason: String,
    /// Who looks after it.
    pub(crate) assignee: Option<String>,
    /// What people wrote about it.
    pub(crate) note: Option<String>,
    /// When it was first seen.
    pub(crate) created: Timestamp,
    /// The decision.
    pub(crate) choice: Option<Choice>,
    /// When it was decided.
    pub(crate) decided: Option<Timestamp>,
    /// Who decided, and how.
    pub(crate) decided_by: Option<String>,
    /// When nothing waited any more.
    pub(crate) closed: Option<Timestamp>,
    /// What ended it.
    pub(crate) closed_by: Option<String>,
    /// The run that wrote it.
    pub(crate) run: Option<String>,
}

/// The rows of a disputed key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rows {
    /// The names of the columns that the rows are aligned with.
    pub(crate) columns: Vec<String>,
    /// The row on each member; none where it has none, or deleted it.
    pub(crate) members: BTreeMap<String, Option<Row>>,
    /// What each member last agreed on with the hub, or the right with the left.
    pub(crate) bases: BTreeMap<String, Row>,
}

/// One disputed cell, or row, of a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Disputed {
    /// The column; blank where the whole row is disputed.
    pub(crate) column: String,
    /// What was last agreed on.
    pub(crate) base: Option<Value>,
    /// What the members say.
    pub(crate) voices: Vec<Voice>,
    /// Why it was not decided by itself.
    pub(crate) reason: String,
}

/// What a run found disputed about one key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dispute {
    /// The key.
    pub(crate) key: Key,
    /// What kind of dispute.
    pub(crate) kind: Kind,
    /// The engine's name for the disputed state.
    pub(crate) digest: String,
    /// The cells.
    pub(crate) cells: Vec<Disputed>,
    /// The rows.
    pub(crate) rows: Rows,
}

impl Dispute {
    /// Returns whether the whole row is disputed.
    pub(super) fn is_of_row(&self) -> bool {
        self.cells.iter().any(|cell| cell.column.is_empty())
    }
}

/// Decisions that a run carries out: key and column, with the time at which each was made.
pub(crate) type Taken = BTreeMap<(Key, String), Timestamp>;

/// What a comparison found of conflicts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// What is disputed now.
    pub(crate) disputes: Vec<Dispute>,
    /// The decisions that this run carries out.
    pub(crate) applied: Taken,
    /// What a policy decided that was disputed before: key and column, with the rule.
    pub(crate) settled: BTreeMap<(Key, String), String>,
    /// Keys that could not be judged: what waits there goes on waiting.
    pub(crate) unjudged: BTreeSet<Key>,
    /// The columns that are kept in step.
    pub(crate) columns: Vec<String>,
    /// Whether there is anything to bring up to date.
    pub(crate) matters: bool,
    /// Members that were not read: what waits there goes on waiting.
    pub(crate) down: BTreeSet<String>,
    /// When pending values were first seen.
    pub(crate) times: Vec<Observed>,
}

/// Returns the name of a conflict: the same for the same dispute, whoever finds it.
pub(super) fn name(dataset: &str, digest: &str, column: &str) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("lockstep 2026 conflict");
    for part in [dataset, digest, column] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex().chars().take(12).collect()
}
