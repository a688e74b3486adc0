//! Takes a run back: the same comparison with the roles turned, and what base unlearns with it.
//!
//! Base is what the run wrote to a side, left what was there before, right what is there now. Each side is compared by
//! itself ([`compare`]); [`take_back`] then sees to it that all members and their bases go back together.

use std::collections::{BTreeMap, BTreeSet};

use crate::conflict::{self, CellConflict, Conflict, ConflictKind, Withheld};
use crate::dataset::{Clash, DeletePolicy, Deletes, Direction, Granularity, Policy};
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

/// The way back of all members of a dataset: of a pair left and right, else the hub and its spokes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// The writes to each member, by key.
    pub members: Vec<Vec<Change>>,
    /// The moves of the base that each member has with the first one, which has none itself.
    pub bases: Vec<Vec<BaseChange>>,
    /// What stays because someone has changed it since, by key.
    pub conflicts: Vec<Conflict>,
    /// What was held back for want of knowledge, by key.
    pub withheld: Vec<Withheld>,
}

/// Brings the ways back of all members together, with the moves of the bases that go with them.
///
/// A cell that the run wrote on several members goes back on all or stays on all: half of it would look like an edit of
/// those that went back, and a sum would count what another had added once more. A row that someone has changed since
/// it was inserted, or brought back since it was deleted, stays everywhere as it is. A base goes back in the cells that
/// do, and only where no later run has taught one more; there the cell stays, and is listed. `taught` is asked with the
/// place of the member that has the base.
pub fn take_back<'a>(
    wrote: &[Vec<Change>],
    compared: Vec<Reconciled>,
    taught: impl Fn(usize, &Key) -> Option<Taught<'a>>,
) -> Undone {
    let open: Vec<BTreeMap<Key, Open>> =
        wrote.iter().zip(&compared).map(|(wrote, compared)| open(wrote, compared)).collect();
    let mut result = Undone {
        members: vec![Vec::new(); wrote.len()],
        bases: vec![Vec::new(); wrote.len()],
        ..Undone::default()
    };
    let mut undone: BTreeMap<Key, Vec<Option<Change>>> = BTreeMap::new();
    for (at, one) in compared.into_iter().enumerate() {
        for change in one.right {
            let writes =
                undone.entry(change.key.clone()).or_insert_with(|| vec![None; wrote.len()]);
            if let Some(slot) = writes.get_mut(at) {
                *slot = Some(change);
            }
        }
        result.conflicts.extend(one.conflicts);
        result.withheld.extend(one.withheld);
    }
    let wrote: Vec<BTreeMap<&Key, &Change>> = wrote.iter().map(|changes| by_key(changes)).collect();
    for (key, mut writes) in undone {
        let opened: Vec<Option<&Open>> = open.iter().map(|open| open.get(&key)).collect();
        let run: Vec<Option<&Change>> =
            wrote.iter().map(|wrote| wrote.get(&key).copied()).collect();
        if opened.contains(&Some(&Open::Row)) {
            continue;
        }
        let known: Vec<Option<Taught<'a>>> =
            (0..run.len()).map(|at| (at > 0).then(|| taught(at, &key)).flatten()).collect();
        let both = |at: usize| [0, at].map(|at| writes.get(at).and_then(Option::as_ref));
        let moved_on: BTreeSet<usize> = known
            .iter()
            .enumerate()
            .flat_map(|(at, taught)| moved_on(taught.as_ref(), &both(at)))
            .collect();
        let mut stays = moved_on.clone();
        for (at, opened) in opened.iter().enumerate() {
            let Some(Open::Cells(cells)) = opened else { continue };
            let others = run.iter().enumerate().filter(|(other, _)| *other != at);
            for change in others.filter_map(|(_, change)| *change) {
                stays.extend(cells.iter().filter(|column| change.cells.contains(column)));
            }
        }
        for (write, run) in writes.iter_mut().zip(&run) {
            if let Some(change) = write.as_ref().filter(|change| touches(change, &moved_on)) {
                result.conflicts.push(later_run(change, run.as_ref(), &moved_on));
            }
            *write = write.take().and_then(|change| without(change, &stays, &moved_on));
        }
        let both = |at: usize| [0, at].map(|at| writes.get(at).and_then(Option::as_ref));
        for ((at, taught), moves) in known.iter().enumerate().zip(&mut result.bases) {
            let run = [0, at].map(|at| run.get(at).copied().flatten());
            moves.extend(taught.and_then(|taught| unlearn(&key, &taught, run, both(at))));
        }
        for (write, changes) in writes.into_iter().zip(&mut result.members) {
            changes.extend(write);
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
fn moved_on(taught: Option<&Taught<'_>>, writes: &[Option<&Change>]) -> BTreeSet<usize> {
    let Some(taught) = taught.filter(|taught| taught.before != taught.after) else {
        return BTreeSet::new();
    };
    let writes = || writes.iter().copied().flatten();
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
    change.cells = change.cells.iter().copied().filter(|at| !stays.contains(at)).collect();
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
    run: [Option<&Change>; 2],
    writes: [Option<&Change>; 2],
) -> Option<BaseChange> {
    let writes = || writes.iter().copied().flatten();
    if taught.before == taught.after || writes().next().is_none() {
        return None;
    }
    let undone: BTreeSet<usize> =
        writes().flat_map(|change| change.cells.iter().copied()).collect();
    let stayed: BTreeSet<usize> = run
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
