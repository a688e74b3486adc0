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

use super::{Shell, definition::Definition, expected::Referred, lost, policy::Mark, saved};
use crate::{
    error::{Error, Result},
    store::{
        Base, PackedBase, base_name,
        conflicts::{Filter, Observed, State, Stored},
    },
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
    /// The conflicts that wait, for a person or for a run.
    conflicts: Vec<Stored>,
    /// When pending values were first seen, by key, column and member.
    times: BTreeMap<(Key, String, String), Observed>,
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
            let rewritten = definition.only.as_ref().filter(|_| definition.rewrite_lost);
            if let Some(only) = rewritten
                && let Some(mut base) = shell.store.base(&name).await?
            {
                lost::unlearn(shell, definition, member, only, &mut base).await?;
                learned.version = Some(base.version);
                learned.snapshot = rows(&base);
            } else if let Some(base) = shell.store.packed_base(&name).await? {
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
        if definition.has_base() {
            let live = Filter {
                dataset: Some(definition.name.clone()),
                states: vec![State::Open, State::Decided],
                ..Filter::default()
            };
            known.conflicts = shell.store.conflicts(&live, 0, u32::MAX).await?.conflicts;
            for one in shell.store.cell_times(&definition.name).await? {
                known.times.insert((one.key.clone(), one.column.clone(), one.member.clone()), one);
            }
        }
        Ok(known)
    }

    /// Returns what a member last agreed on.
    pub(super) fn base(&self, member: &str) -> &Learned {
        self.bases.get(member).unwrap_or(&NOTHING)
    }

    /// Returns the conflicts that wait, for a person or for a run.
    pub(super) fn conflicts(&self) -> &[Stored] {
        &self.conflicts
    }

    /// Returns when pending values were first seen.
    pub(super) fn times(&self) -> impl Iterator<Item = &Observed> {
        self.times.values()
    }

    /// Returns when the pending value of a cell was first seen on a member; a blank column is the row.
    pub(super) fn time(&self, key: &Key, column: &str, member: &str) -> Option<&Observed> {
        self.times.get(&(key.clone(), column.to_owned(), member.to_owned()))
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

/// Returns the rows of a base that was loaded whole, likewise.
fn rows(base: &Base) -> Snapshot {
    let mut builder = SnapshotBuilder::new(base.columns.iter().cloned());
    for row in &base.rows {
        let texts = Texts::of(row);
        builder.push((0..row.len()).map(|at| texts.cell(at)));
    }
    builder.finish()
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
