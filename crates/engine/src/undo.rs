//! Takes a run back: the same comparison with the roles turned, and what base unlearns with it.
//!
//! Base is what the run wrote to a side, left what was there before, right what is there now. Each side is compared by
//! itself ([`compare`]); [`take_back`] then sees to it that both sides and base go back together.

use std::collections::{BTreeMap, BTreeSet};

use crate::conflict::{self, CellConflict, Conflict, ConflictKind};
use crate::dataset::{
    Clash, DeletePolicy, Deletes, Direction, Granularity, PerSide, Policy, SideName,
};
use crate::facts::cell;
use crate::key::Key;
use crate::reconcile::{BaseChange, Change, Joined, Presence, Reconciled, Reconciler, presence};
use crate::schema::Schema;
use crate::table::Table;
use crate::terms::{PolicyError, Terms};
use crate::times::Times;
use crate::value::{Row, Value};

/// What base knew of a key before a run, what the run taught it, and what it knows now.
#[derive(Clone, Copy, Debug)]
pub struct Taught<'a> {
    /// Before the run.
    pub before: Option<&'a Row>,
    /// After it.
    pub after: Option<&'a Row>,
    /// Now.
    pub now: Option<&'a Row>,
}

/// Returns the terms of an undo: what someone has changed since is held, cell by cell.
///
/// # Errors
/// None that a schema of a run can cause.
pub fn terms(schema: &Schema) -> Result<Terms, PolicyError> {
    let policy = Policy {
        direction: Direction::Both,
        clash: Clash::Hold,
        granularity: Granularity::Cell,
        deletes: DeletePolicy::new(Deletes::Ignore, Deletes::Delete),
        ..Policy::default()
    };
    Terms::new(schema, &policy)
}

/// Compares what a run wrote to a side with what is there now; the writes to the right are the way back.
///
/// The run wrote each key once; other rows of the side are not looked at.
pub fn compare(terms: &Terms, wrote: &[Change], now: &Table) -> Reconciled {
    let times = Times::default();
    let mut reconciler = Reconciler::new(terms, &times);
    for Change { key, before, after, .. } in wrote {
        reconciler.push(&Joined {
            key,
            base: after.as_ref(),
            left: before.as_ref().map_or(Presence::Absent, Presence::Present),
            left_index: None,
            right: presence(now, key),
            right_index: now.index_of(key),
        });
    }
    // Nothing is written to what was before, and base is another matter.
    Reconciled { left: Vec::new(), base: Vec::new(), ..reconciler.finish() }
}

/// Brings the ways back of both sides together, with the moves of base that go with them.
///
/// A cell that the run wrote on both sides goes back on both or stays on both: half of it would look like an edit of
/// the side that went back, and a sum would count what the other side had added once more. A row that someone has
/// changed since it was inserted, or brought back since it was deleted, stays on both sides as it is. Base goes back in
/// the cells that do, and only where no later run has taught it more; there the cell stays, and is listed.
pub fn take_back<'a>(
    wrote: &PerSide<Vec<Change>>,
    compared: PerSide<Reconciled>,
    taught: impl Fn(&Key) -> Option<Taught<'a>>,
) -> Reconciled {
    let open = PerSide::from_fn(|side| open(wrote.get(side), compared.get(side)));
    let mut undone: BTreeMap<Key, PerSide<Option<Change>>> = BTreeMap::new();
    let mut result = Reconciled::default();
    for (side, one) in [(SideName::Left, compared.left), (SideName::Right, compared.right)] {
        for change in one.right {
            let key = change.key.clone();
            *undone.entry(key).or_default().get_mut(side) = Some(change);
        }
        result.conflicts.extend(one.conflicts);
        result.withheld.extend(one.withheld);
        result.losers.extend(one.losers);
    }
    let wrote = PerSide::from_fn(|side| by_key(wrote.get(side)));
    for (key, mut writes) in undone {
        let opened = PerSide::from_fn(|side| open.get(side).get(&key));
        let run = PerSide::from_fn(|side| wrote.get(side).get(&key).copied());
        let taught = taught(&key);
        if SideName::BOTH.iter().any(|side| *opened.get(*side) == Some(&Open::Row)) {
            continue;
        }
        let moved_on = moved_on(taught.as_ref(), &writes);
        let mut stays = moved_on.clone();
        for side in SideName::BOTH {
            if let (Some(Open::Cells(cells)), Some(other)) =
                (opened.get(side), run.get(side.other()))
            {
                stays.extend(cells.iter().filter(|column| other.cells.contains(column)));
            }
        }
        for side in SideName::BOTH {
            let write = writes.get_mut(side);
            if let Some(change) = write.as_ref().filter(|change| touches(change, &moved_on)) {
                result.conflicts.push(later_run(change, run.get(side).as_ref(), &moved_on));
            }
            *write = write.take().and_then(|change| without(change, &stays, &moved_on));
        }
        result.base.extend(taught.and_then(|taught| unlearn(&key, &taught, &run, &writes)));
        for (write, changes, counts) in [
            (writes.left, &mut result.left, &mut result.counts.left),
            (writes.right, &mut result.right, &mut result.counts.right),
        ] {
            if let Some(change) = write {
                *counts.entry(change.kind).or_default() += 1;
                changes.push(change);
            }
        }
    }
    result.conflicts.sort_by(|a, b| a.key.cmp(&b.key));
    result.withheld.sort_by(|a, b| a.key.cmp(&b.key));
    result
}

/// What of a key someone has changed since the run.
#[derive(Debug, PartialEq, Eq)]
enum Open {
    /// The row, or it is not known what is there.
    Row,
    Cells(BTreeSet<usize>),
}

fn open(wrote: &[Change], compared: &Reconciled) -> BTreeMap<Key, Open> {
    let wrote = by_key(wrote);
    let mut open: BTreeMap<Key, Open> =
        compared.withheld.iter().map(|withheld| (withheld.key.clone(), Open::Row)).collect();
    for conflict in &compared.conflicts {
        let whole = conflict.cells.is_empty()
            || wrote.get(&conflict.key).is_none_or(|change| of_a_row(change));
        let held = match whole {
            true => Open::Row,
            false => Open::Cells(conflict.cells.iter().map(|cell| cell.column).collect()),
        };
        open.insert(conflict.key.clone(), held);
    }
    open
}

fn by_key(changes: &[Change]) -> BTreeMap<&Key, &Change> {
    changes.iter().map(|change| (&change.key, change)).collect()
}

/// Returns whether a write made a row, or removed it.
fn of_a_row(change: &Change) -> bool {
    change.before.is_none() || change.after.is_none()
}

/// Returns the columns that would go back and that a later run has taught base more about.
fn moved_on(taught: Option<&Taught<'_>>, writes: &PerSide<Option<Change>>) -> BTreeSet<usize> {
    let Some(taught) = taught.filter(|taught| taught.before != taught.after) else {
        return BTreeSet::new();
    };
    let writes = || writes.left.iter().chain(&writes.right);
    let cells = || writes().flat_map(|change| change.cells.iter().copied());
    match (taught.after, taught.now) {
        (Some(after), Some(now)) if !writes().any(of_a_row) => cells()
            .filter(|column| cell(Some(after), *column) != cell(Some(now), *column))
            .collect(),
        (after, now) if after == now => BTreeSet::new(),
        (after, now) => {
            let columns = after.or(now).map_or(0, |row| row.len());
            (0..columns).chain(cells()).collect()
        }
    }
}

fn touches(change: &Change, columns: &BTreeSet<usize>) -> bool {
    of_a_row(change) && !columns.is_empty()
        || change.cells.iter().any(|column| columns.contains(column))
}

/// Returns the rest of a write when some columns stay as they are; a row goes back whole, unless base has moved on.
fn without(
    mut change: Change,
    stays: &BTreeSet<usize>,
    moved_on: &BTreeSet<usize>,
) -> Option<Change> {
    if of_a_row(&change) {
        return moved_on.is_empty().then_some(change);
    }
    change.cells.retain(|column| !stays.contains(column));
    let (before, after) = (change.before.as_ref(), change.after.as_mut()?);
    for column in stays {
        if let Some(slot) = after.get_mut(*column) {
            *slot = cell(before, *column).clone();
        }
    }
    (!change.cells.is_empty()).then_some(change)
}

/// Says that a later run has gone on from what is to be taken back.
fn later_run(change: &Change, run: Option<&&Change>, columns: &BTreeSet<usize>) -> Conflict {
    let reason = "a later run has gone on from here: take that one back first";
    let wrote = run.and_then(|run| run.after.as_ref());
    let cells: Vec<CellConflict> = change
        .cells
        .iter()
        .filter(|column| !of_a_row(change) && columns.contains(column))
        .map(|&column| CellConflict {
            column,
            base: cell(wrote, column).clone(),
            left: cell(change.after.as_ref(), column).clone(),
            right: cell(change.before.as_ref(), column).clone(),
            reason: reason.into(),
        })
        .collect();
    let kind = match (&change.before, &change.after) {
        (Some(_), None) => ConflictKind::DeleteModify,
        (None, _) => ConflictKind::ModifyDelete,
        _ => ConflictKind::Cells,
    };
    let digest = conflict::name_of(&(&change.key, &cells, wrote, &change.before));
    Conflict {
        key: change.key.clone(),
        kind,
        cells,
        reason: reason.into(),
        base: wrote.cloned(),
        left: change.after.clone(),
        right: change.before.clone(),
        digest,
    }
}

/// Returns the move of base that goes with the writes to a key.
fn unlearn(
    key: &Key,
    taught: &Taught<'_>,
    run: &PerSide<Option<&Change>>,
    writes: &PerSide<Option<Change>>,
) -> Option<BaseChange> {
    let writes = || writes.left.iter().chain(&writes.right);
    if taught.before == taught.after || writes().next().is_none() {
        return None;
    }
    let undone: BTreeSet<usize> =
        writes().flat_map(|change| change.cells.iter().copied()).collect();
    let stayed: BTreeSet<usize> = [run.left, run.right]
        .into_iter()
        .flatten()
        .flat_map(|change| change.cells.iter().copied())
        .filter(|column| !undone.contains(column))
        .collect();
    let whole = writes().any(of_a_row) || stayed.is_empty();
    let after = match (taught.before, taught.after, taught.now) {
        (before, after, now) if whole && after == now => before.cloned(),
        // What the run had forgotten is known again, but for the cells that nobody agrees on yet.
        (Some(before), None, _) => {
            let value = |(column, value): (usize, &Value)| match stayed.contains(&column) {
                true => Value::Null,
                false => value.clone(),
            };
            Some(before.iter().enumerate().map(value).collect())
        }
        (before, _, Some(now)) => {
            let value = |(column, value): (usize, &Value)| match undone.contains(&column) {
                true => cell(before, column).clone(),
                false => value.clone(),
            };
            Some(now.iter().enumerate().map(value).collect())
        }
        (_, _, None) => return None,
    };
    let change = BaseChange { key: key.clone(), before: taught.now.cloned(), after };
    (change.before != change.after).then_some(change)
}
