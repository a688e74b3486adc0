//! What is to be kept in step, as the caller said it.

use lockstep_engine::{
    dataset::{Direction, Policy, SideName},
    schema::ColumnType,
};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    replica::{Source, apply::Guard, scan::Role},
};

/// A dataset: two replicas, a key, columns and a policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Definition {
    /// The name: runs, base and lease are kept under it.
    pub(crate) name: String,
    /// The left side; the source where the direction does not say otherwise.
    pub(crate) left: Source,
    /// The right side.
    pub(crate) right: Source,
    /// The names of the key columns.
    pub(crate) key: Vec<String>,
    /// The columns, or every column of the left.
    pub(crate) columns: Option<Vec<ColumnDef>>,
    /// Texts that mean blank in every column.
    pub(crate) nulls: Vec<String>,
    /// What happens to the other side's row when a row is gone from one side.
    pub(crate) deletes: Disappeared,
    /// Direction, strategy and bounds; its deletes are made from `deletes`.
    pub(crate) policy: Policy,
    /// How a sheet is guarded against rows that move during a write.
    pub(crate) guard: Guard,
    /// The halts that the caller passes.
    #[serde(skip)]
    pub(crate) overrides: Vec<String>,
}

/// A column that is kept in step.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ColumnDef {
    /// The name in reports.
    pub(crate) name: String,
    /// The header on the left.
    pub(crate) left: String,
    /// The header on the right.
    pub(crate) right: String,
    /// The declared type, if any.
    pub(crate) ty: Option<ColumnType>,
    /// Texts that mean blank.
    pub(crate) nulls: Vec<String>,
}

impl ColumnDef {
    /// Returns the header on a side.
    pub(crate) fn header(&self, side: SideName) -> &str {
        match side {
            SideName::Left => &self.left,
            SideName::Right => &self.right,
        }
    }
}

/// What happens to a row whose partner is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Disappeared {
    /// A column is set to a value.
    Mark {
        /// The header on the side where the row is.
        column: String,
        /// The value.
        value: String,
    },
    /// The row is deleted.
    Delete,
    /// The row is left alone.
    Ignore,
}

impl Definition {
    /// Returns a side's replica.
    pub(crate) fn source(&self, side: SideName) -> &Source {
        match side {
            SideName::Left => &self.left,
            SideName::Right => &self.right,
        }
    }

    /// Returns whether a side may be written.
    pub(crate) fn writes(&self, side: SideName) -> bool {
        self.policy.direction.source() != Some(side)
    }

    /// Returns whether what both sides last agreed on is kept.
    pub(crate) fn has_base(&self) -> bool {
        self.policy.direction == Direction::Both
    }

    /// Returns what a side is read for; `typed` says that the types of its columns are known from an earlier run.
    pub(crate) fn role(&self, side: SideName, typed: bool) -> Role {
        match (self.has_base(), self.writes(side)) {
            (true, _) => Role::Both { side, typed },
            (false, true) => Role::Target,
            (false, false) => Role::Source,
        }
    }

    /// Returns a hash of everything that decides what a plan says, so that a plan id names its arguments too.
    ///
    /// # Errors
    /// A definition without a JSON form, which is a defect.
    pub(crate) fn fingerprint(&self) -> Result<String> {
        hash(self)
    }

    /// Returns the definition as it is kept: without the rows that came with the call.
    pub(crate) fn kept(&self) -> Self {
        let mut kept = self.clone();
        for source in [&mut kept.left, &mut kept.right] {
            if let Source::Records { records } = source {
                records.clear();
            }
        }
        kept
    }

    /// Returns a name that follows from the sides and the key, for a dataset that nobody named.
    ///
    /// # Errors
    /// See [`fingerprint`](Self::fingerprint).
    pub(crate) fn default_name(left: &Source, right: &Source, key: &[String]) -> Result<String> {
        // Records change with every call; what they are written to does not.
        let left = match left {
            Source::Records { .. } => None,
            other => Some(other),
        };
        let digest: String = hash(&(left, right, key))?.chars().take(8).collect();
        Ok(format!("dataset-{digest}"))
    }
}

fn hash(what: &impl Serialize) -> Result<String> {
    let json = serde_json::to_vec(what)
        .map_err(|error| Error::internal("the definition has no JSON form").with_source(error))?;
    Ok(blake3::hash(&json).to_hex().to_string())
}
