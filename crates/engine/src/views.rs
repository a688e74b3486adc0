//! Feeds whole snapshots to a reconciler: joined by key, typed only where they differ.

use std::collections::{BTreeMap, BTreeSet};

use crate::dataset::{PerSide, SideName};
use crate::findings::Finding;
use crate::join::join;
use crate::key::Key;
use crate::reconcile::{Joined, Presence, Reading, Reconciler};
use crate::snapshot::View;
use crate::terms::{DeleteTerms, Terms};
use crate::value::Row;

/// Gives every key of two snapshots and of base to a reconciler; returns what is wrong with the keys of each side.
///
/// All views are of the schema that the reconciler's terms were made for. Keys that a side has more than once are not
/// decided, and rows without a key keep anything from being deleted elsewhere. Without a base (`None`) rows that are
/// equal on both sides are only counted; give an empty view to have base learn them.
pub fn feed_views(
    reconciler: &mut Reconciler<'_>,
    base: Option<&View<'_>>,
    left: &View<'_>,
    right: &View<'_>,
) -> PerSide<Vec<Finding>> {
    let joined = join(&[base, Some(left), Some(right)]);
    for (view, side) in [(1, SideName::Left), (2, SideName::Right)] {
        if joined.blanks.iter().any(|(at, _)| *at == view) {
            reconciler.at_best(side, Reading::Doubtful);
        }
    }
    let mut apart = BTreeSet::new();
    let watch = marks_alone(reconciler.terms());
    for row in &joined.rows {
        let at = |view: usize| row.rows.get(view).copied().flatten();
        push(
            reconciler,
            &row.key,
            [base, Some(left), Some(right)],
            [at(0), at(1), at(2)],
            [false, false],
        );
        if watch {
            apart.insert(&row.key);
        }
    }
    for duplicate in &joined.duplicates {
        let rows = |view: usize| duplicate.rows.get(view).map_or(&[][..], Vec::as_slice);
        let at = [0, 1, 2].map(|view| rows(view).first().copied());
        let unknown = [rows(1).len() > 1, rows(2).len() > 1];
        push(reconciler, &duplicate.key, [base, Some(left), Some(right)], at, unknown);
        if watch {
            apart.insert(&duplicate.key);
        }
    }
    let seen = equal_but_marked(reconciler, &apart, [base, Some(left), Some(right)]);
    let equal = (joined.equal as u64).saturating_sub(seen);
    reconciler.skip(equal, base.is_some());
    PerSide { left: joined.findings(1, left), right: joined.findings(2, right) }
}

fn push(
    reconciler: &mut Reconciler<'_>,
    key: &Key,
    views: [Option<&View<'_>>; 3],
    at: [Option<usize>; 3],
    [left_unknown, right_unknown]: [bool; 2],
) {
    let row = |view: Option<&View<'_>>, at: Option<usize>| -> Option<Row> { Some(view?.row(at?)) };
    let [base, left, right] = views;
    let [base_at, left_index, right_index] = at;
    let (base, left, right) = (row(base, base_at), row(left, left_index), row(right, right_index));
    reconciler.push(&Joined {
        key,
        base: base.as_ref(),
        left: presence(left.as_ref(), left_unknown),
        left_index,
        right: presence(right.as_ref(), right_unknown),
        right_index,
    });
}

fn presence(row: Option<&Row>, unknown: bool) -> Presence<'_> {
    match row {
        _ if unknown => Presence::Unknown,
        Some(row) => Presence::Present(row),
        None => Presence::Absent,
    }
}

/// Returns whether a side marks deleted rows in a column of its own, which the join does not compare.
fn marks_alone(terms: &Terms) -> bool {
    SideName::BOTH
        .iter()
        .any(|side| matches!(terms.deletes.get(*side), DeleteTerms::Mark { own: true, .. }))
}

/// Decides the rows that are equal in every compared column and yet marked as deleted on one side; returns how many.
fn equal_but_marked(
    reconciler: &mut Reconciler<'_>,
    apart: &BTreeSet<&Key>,
    views: [Option<&View<'_>>; 3],
) -> u64 {
    let [_, left, right] = views;
    let mut marked: BTreeMap<Key, [Option<usize>; 3]> = BTreeMap::new();
    for (side, view) in [(SideName::Left, left), (SideName::Right, right)] {
        let (DeleteTerms::Mark { column, value, own: true }, Some(view)) =
            (reconciler.terms().deletes.get(side), view)
        else {
            continue;
        };
        for row in (0..view.len()).filter(|row| view.cell(*row, *column) == *value) {
            let key = view.key(row);
            if !key.is_blank() && !apart.contains(&key) {
                marked.insert(key, [None; 3]);
            }
        }
    }
    if marked.is_empty() {
        return 0;
    }
    for (place, view) in views.iter().enumerate() {
        let Some(view) = view else { continue };
        for row in 0..view.len() {
            if let Some(slot) = marked.get_mut(&view.key(row)).and_then(|rows| rows.get_mut(place))
            {
                *slot = Some(row);
            }
        }
    }
    for (key, at) in &marked {
        push(reconciler, key, views, *at, [false, false]);
    }
    marked.len() as u64
}
