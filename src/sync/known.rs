//! What both sides last agreed on, as a snapshot that the engine compares with.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use lockstep_engine::{
    cell::Cell,
    key::Key,
    schema::Schema,
    snapshot::{Snapshot, SnapshotBuilder},
    value::Value,
};

use super::{Shell, definition::Definition, expected::Referred, lost, policy::Mark, saved};
use crate::{
    error::Result,
    store::{Base, base_name},
};

/// What earlier runs of a dataset found out and agreed on.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The types that the bases were learned with; none before the first run.
    pub(super) schema: Option<Schema>,
    /// The columns in which members marked their rows.
    pub(super) marks: BTreeMap<String, Mark>,
    /// The columns of other datasets that expectations refer to.
    pub(super) referred: Referred,
    /// What each member with a base last agreed on; none before its first run.
    bases: BTreeMap<String, Learned>,
}

/// Base and the tombstones of one member; empty before its first run.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// The version of base.
    pub(super) version: Option<u64>,
    /// The rows; no headers where there is no base.
    pub(super) snapshot: Snapshot,
    /// Keys that base forgot because they were deleted.
    pub(super) tombstones: BTreeSet<Key>,
}

static NOTHING: LazyLock<Learned> = LazyLock::new(Learned::default);

impl Known {
    /// Loads what is known of a dataset; nothing of one that keeps no base.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(super) async fn load(shell: &Shell, definition: &Definition) -> Result<Self> {
        let referred = Referred::load(shell, definition).await?;
        let mut known = Self { referred, ..Self::default() };
        for (member, spoke) in definition.bases() {
            let name = base_name(&definition.name, spoke);
            let mut learned =
                Learned { tombstones: shell.store.tombstones(&name).await?, ..Learned::default() };
            if let Some(mut base) = shell.store.base(&name).await? {
                if definition.rewrite_lost
                    && let Some(only) = &definition.only
                {
                    lost::unlearn(shell, definition, member, only, &mut base).await?;
                }
                (learned.version, learned.snapshot) = (Some(base.version), snapshot(&base));
            }
            known.bases.insert(member.to_owned(), learned);
        }
        if known.bases.values().any(|learned| learned.version.is_some())
            && let Some(saved) = saved::load(shell, &definition.name).await?
        {
            (known.schema, known.marks) = (saved.schema, saved.marks);
        }
        Ok(known)
    }

    /// Returns what a member last agreed on.
    pub(super) fn base(&self, member: &str) -> &Learned {
        self.bases.get(member).unwrap_or(&NOTHING)
    }

    /// Returns the members that have a base, or will have one.
    pub(super) fn members(&self) -> impl Iterator<Item = &str> {
        self.bases.keys().map(String::as_str)
    }

    /// Returns the versions of the bases.
    pub(super) fn versions(&self) -> BTreeMap<String, u64> {
        let version = |(name, learned): (&String, &Learned)| Some((name.clone(), learned.version?));
        self.bases.iter().filter_map(version).collect()
    }

    /// Returns the columns that the bases have, without those in which a member marks its rows.
    ///
    /// Base may have more than the schema: a run that changed the columns and died before its end left it so.
    pub(super) fn mapped(&self) -> Vec<String> {
        let Some(schema) = &self.schema else { return Vec::new() };
        let own = |name: &str| self.marks.values().any(|mark| mark.column == name);
        let has = |name: &String| {
            self.bases.values().any(|learned| learned.snapshot.headers().contains(name))
        };
        let columns = schema.columns.iter().map(|column| &column.name);
        columns.filter(|name| has(name) && !own(name)).cloned().collect()
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
