//! Takes a run back: the same comparison with the roles turned, key by key whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::dataset::{ColumnPolicy, Combine, DeletePolicy, Deletes, Policy, SideName};
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{BaseChange, Change, Side, reconcile};
use lockstep_engine::schema::Schema;
use lockstep_engine::table::Table;
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::Row;

use crate::machine::run::{Journal, Move, Store};

/// The terms of an undo: nothing is decided, but from a sum the run's own part is taken out again.
fn terms(schema: &Schema, policy: &Policy) -> Terms {
    let sum = Some(Combine::Sum);
    let sums = policy.columns.iter().filter(|(_, column)| column.merge == sum);
    let columns = sums
        .map(|(name, _)| (name.clone(), ColumnPolicy { merge: sum, ..ColumnPolicy::default() }));
    let deletes = DeletePolicy::both(Deletes::Delete);
    Terms::new(schema, &Policy { deletes, columns: columns.collect(), ..Policy::default() })
        .unwrap()
}

/// Returns the write that takes back what was written, given what is there now; `None` where people disagree.
pub(crate) fn taken_back(
    schema: &Schema,
    policy: &Policy,
    change: &Change,
    now: &Table,
) -> Option<Change> {
    let table = |row: Option<&Row>| {
        let mut table = Table::default();
        table.set(change.key.clone(), row.cloned());
        table
    };
    let (wrote, before) = (table(change.after.as_ref()), table(change.before.as_ref()));
    let now = if now.duplicates().contains(&change.key) {
        return None;
    } else {
        table(now.get(&change.key))
    };
    let (left, right) = (Side::complete(&before), Side::complete(&now));
    reconcile(Some(&wrote), left, right, &terms(schema, policy), &Times::default()).right.pop()
}

/// Plans the undo of a run: base = what it wrote, left = what was there before, right = what is there now.
///
/// Where a person or a later run has changed what it wrote, the key stays as it is, on both sides and in base: half an
/// undo would look like an edit of the side that was undone.
pub(crate) fn plan(store: &mut Store, schema: &Schema, run: &Journal, edits: u64) -> Journal {
    let terms = terms(schema, &run.policy);
    let mut writes = Vec::new();
    let mut open: BTreeSet<Key> = BTreeSet::new();
    for side in SideName::BOTH {
        let now = store.side(side).read(schema, 0);
        let (mut wrote, mut before, mut there) =
            (Table::default(), Table::default(), Table::default());
        for action in run.actions.iter().filter(|action| action.side == side) {
            let key = &action.change.key;
            wrote.set(key.clone(), action.change.after.clone());
            before.set(key.clone(), action.change.before.clone());
            there.set(key.clone(), now.get(key).cloned());
            open.extend(now.duplicates().get(key).cloned());
        }
        let result = reconcile(
            Some(&wrote),
            Side::complete(&before),
            Side::complete(&there),
            &terms,
            &Times::default(),
        );
        open.extend(result.conflicts.into_iter().map(|conflict| conflict.key));
        // Right is what is there; nothing else is written.
        writes.extend(result.right.into_iter().map(|change| (side, change)));
    }
    let mut written: BTreeMap<&Key, BTreeSet<usize>> = BTreeMap::new();
    for action in &run.actions {
        written.entry(&action.change.key).or_default().extend(&action.change.cells);
    }
    let mut moves = Vec::new();
    for Move { change, buried } in &run.moves {
        let Some(cells) = written.get(&change.key) else { continue };
        let now = store.base.get(&change.key);
        match restored(change, now, cells) {
            Some(after) => moves.push(Move {
                buried: [buried[1], if after.is_some() { false } else { buried[0] }],
                change: BaseChange { key: change.key.clone(), before: now.cloned(), after },
            }),
            None => drop(open.insert(change.key.clone())),
        }
    }
    moves.retain(|m| !open.contains(&m.change.key));
    writes.retain(|(_, change)| !open.contains(&change.key));
    let actions = writes.into_iter().map(|(side, change)| store.action(side, change)).collect();
    Journal {
        actions,
        moves,
        losers: Vec::new(),
        policy: run.policy.clone(),
        schema: schema.clone(),
        before: store.sides(),
        edits,
    }
}

/// Returns base as it was in the cells that the run wrote, or `None` where a later run has moved them on.
fn restored(
    change: &BaseChange,
    now: Option<&Row>,
    cells: &BTreeSet<usize>,
) -> Option<Option<Row>> {
    match (&change.before, &change.after, now) {
        (Some(before), Some(after), Some(now)) => {
            let mut row = now.clone();
            for &column in cells {
                if now[column] != after[column] {
                    return None;
                }
                row[column] = before[column].clone();
            }
            Some(Some(row))
        }
        (before, after, now) => (now == after.as_ref()).then(|| before.clone()),
    }
}
