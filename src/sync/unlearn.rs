//! What the bases knew before a run that is taken back, what it taught them, and what they forget.

use std::collections::BTreeMap;

use lockstep_engine::{
    key::Key,
    reconcile::BaseChange,
    schema::Schema,
    undo::Taught,
    value::{Row, Value},
};

use super::{Shell, definition::Definition, rest};
use crate::{
    error::Result,
    store::{Base, Moves, Run, base_name},
};

type Rows = BTreeMap<Key, Row>;

/// What the bases of a dataset know: rows in the columns of the run's schema, then those that only a base has.
pub(super) struct Memory {
    columns: Vec<String>,
    /// For each member that has a base: its place among the members, the base, and its rows before, after and now.
    bases: Vec<(usize, String, [Rows; 3])>,
}

impl Memory {
    /// Loads what the bases know of a run.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(super) async fn load(
        shell: &Shell,
        run: &Run,
        definition: &Definition,
        schema: &Schema,
    ) -> Result<Self> {
        let mut found = Vec::new();
        let mut columns = rest::names(schema);
        let names: Vec<&str> = definition.members().iter().map(|(name, _)| *name).collect();
        for (member, spoke) in definition.bases() {
            let Some(at) = names.iter().position(|name| *name == member) else { continue };
            let name = base_name(&run.dataset, spoke);
            let now = shell.store.base(&name).await?;
            let (before, after) = match shell.store.base_made_by(&name, &run.id).await? {
                // The run did not move it, or nobody remembers how: what it knows stays.
                None => (now.clone(), now.clone()),
                Some(version) => {
                    let before = match version.checked_sub(1) {
                        None | Some(0) => None,
                        Some(earlier) => shell.store.base_at(&name, earlier).await?,
                    };
                    (before, shell.store.base_at(&name, version).await?)
                }
            };
            for column in now.iter().flat_map(|base| &base.columns) {
                if !columns.contains(column) {
                    columns.push(column.clone());
                }
            }
            found.push((at, spoke.to_owned(), [before, after, now]));
        }
        let read = |base: Option<Base>| by_key(base, &columns, schema);
        let bases = found
            .into_iter()
            .map(|(at, spoke, versions)| (at, spoke, versions.map(read)))
            .collect();
        Ok(Self { columns, bases })
    }

    /// Returns what the base of a member knows of a key.
    pub(super) fn taught(&self, member: usize, key: &Key) -> Option<Taught<'_>> {
        let (_, _, [before, after, now]) = self.bases.iter().find(|(at, ..)| *at == member)?;
        Some(Taught { before: before.get(key), after: after.get(key), now: now.get(key) })
    }

    /// Returns the moves of the bases as the store takes them, and their columns.
    pub(super) fn moves(&self, mut moves: Vec<Vec<BaseChange>>) -> (Vec<Moves>, Vec<String>) {
        let own: Vec<usize> = (0..self.columns.len())
            .filter(|at| self.columns.get(*at).is_some_and(|name| rest::header(name).is_none()))
            .collect();
        let cut = |row: Option<Row>| -> Option<Row> {
            row.map(|row| {
                own.iter().map(|at| row.get(*at).cloned().unwrap_or(Value::Null)).collect()
            })
        };
        let one = |change: BaseChange| BaseChange {
            key: change.key,
            before: cut(change.before),
            after: cut(change.after),
        };
        let all = self.bases.iter().map(|(at, spoke, _)| {
            let changes = moves.get_mut(*at).map(std::mem::take).unwrap_or_default();
            Moves { spoke: spoke.clone(), changes: changes.into_iter().map(one).collect() }
        });
        let all = all.collect();
        (all, own.iter().filter_map(|at| self.columns.get(*at).cloned()).collect())
    }
}

/// Returns the rows of a version of base by key, in the given columns.
fn by_key(base: Option<Base>, columns: &[String], schema: &Schema) -> Rows {
    let Some(base) = base else { return Rows::new() };
    let from: Vec<Option<usize>> =
        columns.iter().map(|name| base.columns.iter().position(|known| known == name)).collect();
    let aligned = |row: &Row| -> Row {
        let value = |at: &Option<usize>| at.and_then(|at| row.get(at)).cloned();
        from.iter().map(|at| value(at).unwrap_or(Value::Null)).collect()
    };
    base.rows.iter().map(aligned).map(|row| (schema.key_of(&row), row)).collect()
}
