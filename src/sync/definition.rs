//! What is to be kept in step, as the caller said it.

use lockstep_engine::schema::ColumnType;
use serde::Serialize;

use crate::replica::Source;

/// A dataset: two replicas, a key, columns and a policy.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Definition {
    /// The name, for reports.
    pub(crate) name: String,
    /// The source.
    pub(crate) left: Source,
    /// The target.
    pub(crate) right: Source,
    /// The names of the key columns.
    pub(crate) key: Vec<String>,
    /// The columns, or every column of the left.
    pub(crate) columns: Option<Vec<ColumnDef>>,
    /// Texts that mean blank in every column.
    pub(crate) nulls: Vec<String>,
    /// What happens to rows that are only on the right.
    pub(crate) deletes: Disappeared,
    /// Halts above this share of deletes and marks.
    pub(crate) max_delete_percent: Option<u8>,
    /// Halts above this share of updates.
    pub(crate) max_change_percent: Option<u8>,
    /// The halts that the caller passes.
    #[serde(skip)]
    pub(crate) overrides: Vec<String>,
}

/// A column that is kept in step.
#[derive(Clone, Debug, Serialize)]
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

/// What happens to rows that are only on the right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Disappeared {
    /// A column is set to a value.
    Mark {
        /// The header on the right.
        column: String,
        /// The value.
        value: String,
    },
    /// The row is deleted.
    Delete,
    /// The row is left alone.
    Ignore,
}
