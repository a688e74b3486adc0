//! What is to be written to a replica, and what writing it came to.

use lockstep_engine::{reconcile::Change, schema::Schema, snapshot::Snapshot};

use super::{files::Files, scan::Target};
use crate::{
    clock::Clock,
    error::{Error, Result},
    progress::Progress,
};
use lockstep_google::Google;

/// The writes to one replica; applying them makes no choices.
#[derive(Debug)]
pub(crate) struct Writes<'a> {
    /// The columns.
    pub(crate) schema: &'a Schema,
    /// For each column of the schema, its header on this replica, if it has one there.
    pub(crate) headers: &'a [Option<String>],
    /// Columns that are not on the replica yet and are added when a change needs them; indices of the schema.
    pub(crate) optional: &'a [usize],
    /// The rows as they were read.
    pub(crate) snapshot: &'a Snapshot,
    /// The changes; new rows in the order in which they are to stand.
    pub(crate) changes: &'a [&'a Change],
}

impl Writes<'_> {
    /// Returns the columns that the replica must have for the changes, by index of the schema.
    pub(crate) fn needed(&self) -> Vec<usize> {
        let touched = |column: usize| {
            self.changes.iter().any(|change| {
                let filled = |row: &lockstep_engine::value::Row| {
                    row.get(column).is_some_and(|value| !value.is_null())
                };
                change.cells.contains(&column) && change.after.as_ref().is_some_and(filled)
            })
        };
        (0..self.headers.len())
            .filter(|column| self.headers.get(*column).is_some_and(Option::is_some))
            .filter(|column| !self.optional.contains(column) || touched(*column))
            .collect()
    }

    /// Returns a column's header on this replica.
    pub(crate) fn header(&self, column: usize) -> &str {
        self.headers.get(column).and_then(Option::as_deref).unwrap_or_default()
    }
}

/// Applies writes to a replica; returns when the service or the disk has confirmed all of them.
///
/// # Errors
/// A replica that changed since it was read, a refusal, or a failure half-way; says what was written.
pub(crate) async fn apply(
    google: &Google,
    files: &Files,
    clock: Clock,
    progress: &Progress,
    target: &Target,
    writes: &Writes<'_>,
) -> Result<()> {
    match target {
        Target::ReadOnly => Err(Error::internal("the replica can only be read")),
        Target::Sheet(table) => {
            super::sheet_apply::apply(google, clock, progress, table, writes).await
        }
        Target::File(table) => super::file_apply::apply(files, table, writes),
    }
}
