//! What both sides last agreed on, as a snapshot that the engine compares with.

use std::collections::BTreeSet;

use lockstep_engine::{
    cell::Cell,
    dataset::PerSide,
    key::Key,
    schema::Schema,
    snapshot::{Snapshot, SnapshotBuilder},
    value::Value,
};

use super::{Shell, definition::Definition, policy::Mark, saved};
use crate::{error::Result, store::Base};

/// Base and the tombstones of a dataset; empty before the first run and for one-way datasets.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The version of base.
    pub(super) version: Option<u64>,
    /// The types that base was learned with.
    pub(super) schema: Option<Schema>,
    /// The rows; no headers where there is no base.
    pub(super) snapshot: Snapshot,
    /// The columns in which the sides marked their rows.
    pub(super) marks: PerSide<Option<Mark>>,
    /// Keys that base forgot because they were deleted.
    pub(super) tombstones: BTreeSet<Key>,
}

impl Known {
    /// Loads what is known of a dataset.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(super) async fn load(shell: &Shell, definition: &Definition) -> Result<Self> {
        if !definition.has_base() {
            return Ok(Self::default());
        }
        let tombstones = shell.store.tombstones(&definition.name).await?;
        let Some(base) = shell.store.base(&definition.name).await? else {
            return Ok(Self { tombstones, ..Self::default() });
        };
        let saved = saved::load(shell, &definition.name).await?;
        let (schema, marks) = saved.map(|saved| (saved.schema, saved.marks)).unwrap_or_default();
        let version = Some(base.version);
        Ok(Self { version, schema, snapshot: snapshot(&base), marks, tombstones })
    }

    /// Returns the columns of base that both sides have, without those in which a side marks its rows.
    ///
    /// Base may have more than the schema: a run that changed the columns and died before its end left it so.
    pub(super) fn mapped(&self) -> Vec<String> {
        let Some(schema) = &self.schema else { return Vec::new() };
        let marks = [&self.marks.left, &self.marks.right];
        let own = |name: &String| {
            marks.iter().any(|mark| mark.as_ref().is_some_and(|m| m.column == *name))
        };
        self.snapshot
            .headers()
            .iter()
            .filter(|name| schema.position(name).is_some() && !own(name))
            .cloned()
            .collect()
    }
}

/// Returns base's rows with its columns as headers, each value in the text that its column reads back.
fn snapshot(base: &Base) -> Snapshot {
    let mut builder = SnapshotBuilder::new(base.columns.iter().cloned());
    for row in &base.rows {
        let texts: Vec<Option<String>> =
            row.iter().map(|value| (!value.is_null()).then(|| value.to_string())).collect();
        let cells = row.iter().zip(&texts).map(|(value, text)| match (value, text) {
            (Value::Bool(value), _) => Cell::Bool(*value),
            (Value::Number(_), Some(text)) => Cell::Number(text),
            (_, Some(text)) => Cell::Text(text),
            (_, None) => Cell::Null,
        });
        builder.push(cells);
    }
    builder.finish()
}
