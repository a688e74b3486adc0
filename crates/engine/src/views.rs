//! Feeds whole snapshots to a reconciler: joined by key, typed only where they differ, on all cores.

use rayon::prelude::*;

use crate::dataset::{PerSide, SideName};
use crate::findings::Finding;
use crate::join::{Joined, JoinedRow, Keep, join_keeping};
use crate::key::Key;
use crate::reconcile::{self, Presence, Reading, Reconciler};
use crate::snapshot::View;
use crate::terms::{DeleteTerms, Terms};
use crate::value::{Row, Value};

/// Keys that one thread decides in one go.
const CHUNK: usize = 1 << 10;

/// Chunks that are decided before they are gathered: all of them at once would be there twice.
const AT_ONCE: usize = 16;

/// Gives every key of two snapshots and of base to a reconciler; returns what is wrong with the keys of each side.
///
/// All views are of the schema that the reconciler's terms were made for. Keys that a side or base has more than once
/// are not decided, and rows without a key keep anything from being deleted elsewhere. Without a base (`None`) rows
/// that are equal on both sides are only counted; give an empty view to have base learn them.
pub fn feed_views(
    reconciler: &mut Reconciler<'_>,
    base: Option<&View<'_>>,
    left: &View<'_>,
    right: &View<'_>,
) -> PerSide<Vec<Finding>> {
    let joined = feed_joined(reconciler, base, left, right);
    PerSide { left: joined.findings(1, left), right: joined.findings(2, right) }
}

/// Does what [`feed_views`] does, and returns the join of base, left and right in its place.
pub fn feed_joined(
    reconciler: &mut Reconciler<'_>,
    base: Option<&View<'_>>,
    left: &View<'_>,
    right: &View<'_>,
) -> Joined {
    feed_chunks(reconciler, [base, Some(left), Some(right)], CHUNK)
}

fn feed_chunks(
    reconciler: &mut Reconciler<'_>,
    views: [Option<&View<'_>>; 3],
    chunk: usize,
) -> Joined {
    let marks = marks(reconciler.terms());
    let marked = |place: usize, row: usize| {
        let view = views.get(place).copied().flatten();
        let mut own = marks.iter().filter(|mark| mark.place == place);
        own.any(|mark| view.is_some_and(|view| view.cell(row, mark.column) == *mark.value))
    };
    let keep: Option<Keep<'_>> = if marks.is_empty() { None } else { Some(&marked) };
    let joined = join_keeping(&views, keep);
    for (place, side) in [(1, SideName::Left), (2, SideName::Right)] {
        if joined.blanks.iter().any(|(at, _)| *at == place) {
            reconciler.at_best(side, Reading::Doubtful);
        }
    }
    let fork = reconciler.fork();
    let part = |rows: &[JoinedRow]| {
        let mut part = fork.clone();
        for row in rows {
            let at = |place: usize| row.rows.get(place).copied().flatten();
            push(&mut part, &row.key, views, [at(0), at(1), at(2)], [false, false]);
        }
        part
    };
    for rows in joined.rows.chunks(chunk * AT_ONCE) {
        let parts: Vec<Reconciler<'_>> = rows.par_chunks(chunk).map(part).collect();
        for part in parts {
            reconciler.absorb(part);
        }
    }
    for duplicate in &joined.duplicates {
        let rows = |place: usize| duplicate.rows.get(place).map_or(&[][..], Vec::as_slice);
        let at = [0, 1, 2].map(|place| rows(place).first().copied());
        // A key that base has twice says of neither side what it changed.
        let unknown = [1, 2].map(|side| rows(side).len() > 1 || rows(0).len() > 1);
        push(reconciler, &duplicate.key, views, at, unknown);
    }
    let [base, ..] = views;
    reconciler.skip(joined.equal as u64, base.is_some());
    joined
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
    reconciler.push(&reconcile::Joined {
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

/// A column in which one side marks deleted rows, and which the join does not compare because only it has the column.
struct Mark<'a> {
    place: usize,
    column: usize,
    value: &'a Value,
}

fn marks(terms: &Terms) -> Vec<Mark<'_>> {
    let places = [(1, SideName::Left), (2, SideName::Right)].into_iter();
    let mark = |(place, side)| match terms.deletes.get(side) {
        DeleteTerms::Mark { column, value, own: true } => {
            Some(Mark { place, column: *column, value })
        }
        _ => None,
    };
    places.filter_map(mark).collect()
}

#[cfg(test)]
#[path = "views_tests.rs"]
mod tests;
