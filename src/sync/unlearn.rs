//! What the bases forget when a run is taken back.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::{
    hub::HUB,
    key::Key,
    plan::Disagreement,
    reconcile::BaseChange,
    schema::Schema,
    value::{Row, Value},
};

use super::{
    Shell,
    prepare::{Member, Planned},
};
use crate::{
    error::Result,
    store::{Base, Moves, Run, base_name},
};

/// Returns the moves of the bases that go with the way back, and their columns: what the run taught them is forgotten
/// where it was undone.
///
/// # Errors
/// A store that cannot be read.
pub(super) async fn unlearn(
    shell: &Shell,
    run: &Run,
    planned: &Planned,
) -> Result<(Vec<Moves>, Vec<String>)> {
    let hub = planned.members.first().is_some_and(|member| member.name == HUB);
    let mut all = Vec::new();
    let mut columns: Vec<String> = Vec::new();
    let mut bases = Vec::new();
    for member in planned.members.iter().skip(1) {
        let spoke = if hub { member.name.as_str() } else { "" };
        let name = base_name(&run.dataset, spoke);
        let now = shell.store.base(&name).await?;
        for column in now.iter().flat_map(|base| &base.columns) {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        bases.push((member, spoke, name, now));
    }
    for (member, spoke, name, now) in bases {
        let sides = planned.members.iter().take(1).chain([member]);
        let changes = moves(shell, run, planned, sides, &name, now, &columns).await?;
        all.push(Moves { spoke: spoke.to_owned(), changes });
    }
    Ok((all, columns))
}

/// Returns the moves of one base, in the given columns.
async fn moves(
    shell: &Shell,
    run: &Run,
    planned: &Planned,
    sides: impl Iterator<Item = &Member>,
    base: &str,
    now: Option<Base>,
    columns: &[String],
) -> Result<Vec<BaseChange>> {
    let schema = &planned.plan.body().basis.schema;
    let now = by_key(now, columns, schema);
    let (taught, before) = match shell.store.base_made_by(base, &run.id).await? {
        None => Default::default(),
        Some(version) => {
            let earlier = match version.checked_sub(1) {
                None | Some(0) => None,
                Some(earlier) => shell.store.base_at(base, earlier).await?,
            };
            let taught = shell.store.base_at(base, version).await?;
            (by_key(taught, columns, schema), by_key(earlier, columns, schema))
        }
    };
    let held: BTreeSet<&Key> =
        planned.plan.body().result.conflicts.iter().map(Disagreement::key).collect();
    let mut moves: BTreeMap<Key, BaseChange> = BTreeMap::new();
    for change in sides.flat_map(|member| planned.writes(member)) {
        let key = &change.key;
        let (was, taught, now_row) = (before.get(key), taught.get(key), now.get(key));
        if was == taught || taught != now_row {
            // The run did not teach this, or a later one taught more.
            continue;
        }
        let back = match (was, now_row) {
            (Some(was), Some(row)) if held.contains(key) => {
                Some(with(row, was, &change.cells, columns, schema))
            }
            (was, _) => was.cloned(),
        };
        let entry = BaseChange { key: key.clone(), before: now_row.cloned(), after: back };
        moves.insert(key.clone(), entry);
    }
    Ok(moves.into_values().collect())
}

/// Returns a row with some cells of another; `cells` are columns of the schema.
fn with(row: &Row, other: &Row, cells: &[usize], columns: &[String], schema: &Schema) -> Row {
    let mut row = row.clone();
    for name in cells.iter().filter_map(|at| Some(&schema.columns.get(*at)?.name)) {
        let at = columns.iter().position(|known| known == name);
        if let Some((slot, value)) = at.and_then(|at| Some((row.get_mut(at)?, other.get(at)?))) {
            *slot = value.clone();
        }
    }
    row
}

/// Returns the rows of a version of base by key, in the given columns.
fn by_key(base: Option<Base>, columns: &[String], schema: &Schema) -> BTreeMap<Key, Row> {
    let Some(base) = base else { return BTreeMap::new() };
    let from: Vec<Option<usize>> =
        columns.iter().map(|name| base.columns.iter().position(|known| known == name)).collect();
    let key: Vec<usize> = schema
        .key
        .iter()
        .filter_map(|at| schema.columns.get(*at))
        .filter_map(|column| columns.iter().position(|name| *name == column.name))
        .collect();
    let aligned = |row: &Row| -> Row {
        let value = |at: &Option<usize>| at.and_then(|at| row.get(at)).cloned();
        from.iter().map(|at| value(at).unwrap_or(Value::Null)).collect()
    };
    let keyed = |row: Row| {
        let values = key.iter().filter_map(|at| row.get(*at)).cloned();
        (Key::normalised(values, schema.fold_key_case), row)
    };
    base.rows.iter().map(aligned).map(keyed).collect()
}
