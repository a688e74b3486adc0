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
    value::{Row, Value},
};

use super::{Shell, definition::Definition, policy::Mark, saved};
use crate::{
    error::{Error, Result},
    store::{PackedBase, base_name},
};

/// What earlier runs of a dataset found out and agreed on.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The types that the bases were learned with; none before the first run.
    pub(super) schema: Option<Schema>,
    /// The columns in which members marked their rows.
    pub(super) marks: BTreeMap<String, Mark>,
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
        let mut known = Self::default();
        for (member, spoke) in definition.bases() {
            let name = base_name(&definition.name, spoke);
            let mut learned =
                Learned { tombstones: shell.store.tombstones(&name).await?, ..Learned::default() };
            if let Some(base) = shell.store.packed_base(&name).await? {
                learned.version = Some(base.version);
                learned.snapshot = work(move || snapshot(&base)).await?;
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

/// Does work that keeps a processor busy, where it holds nobody up.
///
/// # Errors
/// The work's own.
pub(super) async fn work<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("a comparison failed").with_source(error))?
}

/// Returns base's rows with its columns as headers, each value in the text that its column reads back.
fn snapshot(base: &PackedBase) -> Result<Snapshot> {
    let mut builder = SnapshotBuilder::new(base.columns.iter().cloned());
    base.each(|row| {
        let texts = Texts::of(&row);
        builder.push((0..row.len()).map(|at| texts.cell(at)));
    })?;
    Ok(builder.finish())
}

/// The values of a row as cells that their columns read back as the same values.
pub(super) struct Texts<'a> {
    row: &'a Row,
    texts: Vec<Option<String>>,
}

impl<'a> Texts<'a> {
    /// Writes the values of a row.
    pub(super) fn of(row: &'a Row) -> Self {
        let text = |value: &Value| match value {
            Value::Null | Value::Bool(_) | Value::Text(_) => None,
            value => Some(value.to_string()),
        };
        Self { row, texts: row.iter().map(text).collect() }
    }

    /// Returns the cell of a column.
    pub(super) fn cell(&self, at: usize) -> Cell<'_> {
        let text = self.texts.get(at).and_then(Option::as_deref);
        match (self.row.get(at), text) {
            (Some(Value::Bool(value)), _) => Cell::Bool(*value),
            (Some(Value::Text(text)), _) => Cell::Text(text),
            (Some(Value::Number(_)), Some(text)) => Cell::Number(text),
            (_, Some(text)) => Cell::Text(text),
            (_, None) => Cell::Null,
        }
    }
}
