//! What base learns from a run of which not every write was confirmed.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::cell;
use crate::key::Key;
use crate::merge::ChangeKind;
use crate::reconcile::{BaseChange, Change};
use crate::value::{Row, Value};

/// One write of a run, to either side.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// The key.
    pub key: &'a Key,
    /// What kind of write.
    pub kind: ChangeKind,
    /// The row before.
    pub before: Option<&'a Row>,
    /// The row after.
    pub after: Option<&'a Row>,
    /// The columns written.
    pub cells: &'a [usize],
    /// Whether it is certain that it was made.
    pub confirmed: bool,
}

impl<'a> Made<'a> {
    /// Builds the record of a change.
    pub fn new(change: &'a Change, confirmed: bool) -> Made<'a> {
        Made {
            key: &change.key,
            kind: change.kind,
            before: change.before.as_ref(),
            after: change.after.as_ref(),
            cells: &change.cells,
            confirmed,
        }
    }

    /// Returns whether the write made a row, or removed it.
    fn of_a_row(&self) -> bool {
        self.before.is_none() || self.after.is_none()
    }
}

/// Returns the moves of base that follow from what was confirmed.
///
/// A key whose writes, on both sides, were all confirmed moves as intended; one of which nothing was written stays. Of
/// a key of which one side alone was written base learns what makes the next comparison end what was begun, or take it
/// back, without losing anything and without counting anything twice.
pub fn confirmed<'a>(
    moves: Vec<BaseChange>,
    writes: impl IntoIterator<Item = Made<'a>, IntoIter: Clone>,
) -> Vec<BaseChange> {
    let writes = writes.into_iter();
    let missing: BTreeSet<&Key> =
        writes.clone().filter(|made| !made.confirmed).map(|made| made.key).collect();
    // As a rule nothing is missing; the writes of those keys alone are held.
    let mut of_key: BTreeMap<&Key, Vec<Made<'a>>> = BTreeMap::new();
    for made in writes.filter(|made| missing.contains(made.key)) {
        of_key.entry(made.key).or_default().push(made);
    }
    moves
        .into_iter()
        .filter_map(|change| {
            let writes = of_key.get(&change.key).map(Vec::as_slice).unwrap_or_default();
            let made = writes.iter().find(|made| made.confirmed);
            match (made, writes.iter().find(|made| !made.confirmed)) {
                (_, None) => Some(change),
                (None, Some(_)) => None,
                (Some(made), Some(missing)) => half(change, made, missing),
            }
        })
        .collect()
}

/// Returns the move of base of a key of which one side alone was written.
///
/// A row that was to come (back) on the other side is not there yet: the key stays, or it would read as deleted. One
/// that went is gone, whatever became of the other side's cells.
fn half(change: BaseChange, made: &Made<'_>, missing: &Made<'_>) -> Option<BaseChange> {
    let apart = missing.cells.iter().all(|column| !made.cells.contains(column));
    if missing.of_a_row() || (missing.kind == ChangeKind::Reactivate && apart) {
        return None;
    }
    if made.of_a_row() && change.after.is_none() {
        return Some(change);
    }
    let known = change.after.as_ref().or(change.before.as_ref())?;
    let value = |(column, value): (usize, &Value)| {
        let written = made.cells.contains(&column);
        let wrote = cell(made.after, column);
        if missing.cells.contains(&column) {
            // Where both sides were to become the same, base moves to what the other one still holds: the written side
            // then counts as the one that changed, and its value is carried. Were base left as it is, both would seem
            // to have changed, and a sum would count what the other side had added twice. Where each was to get back
            // its own, base moves to what was written: the other side's value is carried, and neither has gone back.
            let apart = written && wrote != cell(missing.after, column);
            if apart { wrote.clone() } else { cell(missing.before, column).clone() }
        } else if change.after.is_none() && written {
            Value::Null
        } else {
            value.clone()
        }
    };
    let after: Row = known.iter().enumerate().map(value).collect();
    (change.before.as_ref() != Some(&after)).then_some(BaseChange { after: Some(after), ..change })
}
