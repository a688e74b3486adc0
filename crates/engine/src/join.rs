//! Brings the rows of several views together by key, and drops those on which all agree.

use std::ops::Range;

use rayon::prelude::*;

use crate::cell::Cell;
use crate::findings::Finding;
use crate::group::{Group, Grouper};
use crate::index::{Entry, Index, SHARDS};
use crate::key::Key;
use crate::schema::Schema;
use crate::snapshot::{View, pack};

/// The keys on which views do not agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Keys whose rows differ or are missing somewhere, in the order of keys.
    pub rows: Vec<JoinedRow>,
    /// How many keys are present in every view with equal rows.
    pub equal: usize,
    /// Keys that some view has more than once, in the order of keys; they are in no other list.
    pub duplicates: Vec<DuplicateKey>,
    /// Rows without a complete key: view and row.
    pub blanks: Vec<(usize, usize)>,
}

/// One key and its row in each view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedRow {
    /// The key.
    pub key: Key,
    /// For each view, the index of the row, or `None` when it has none.
    pub rows: Vec<Option<usize>>,
}

/// A key that some view has more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateKey {
    /// The key.
    pub key: Key,
    /// For each view, the indices of all rows with the key.
    pub rows: Vec<Vec<usize>>,
}

impl Joined {
    /// Returns the findings about duplicate and blank keys of one view.
    pub fn findings(&self, view: usize, seen: &View<'_>) -> Vec<Finding> {
        let blank = self
            .blanks
            .iter()
            .filter(|(at, _)| *at == view)
            .map(|(_, row)| Finding::BlankKey { row: seen.origin(*row) });
        let repeated = self.duplicates.iter().filter_map(|duplicate| {
            let rows = duplicate.rows.get(view).filter(|rows| rows.len() > 1)?;
            Some(Finding::DuplicateKey {
                key: duplicate.key.clone(),
                rows: rows.iter().map(|row| seen.origin(*row)).collect(),
            })
        });
        blank.chain(repeated).collect()
    }
}

/// Joins views of one schema by key; a `None` view is skipped and has no rows.
///
/// Rows are equal when every column has equal values in all the views that map it. Equality is typed: digests only
/// save the work for rows whose bytes are the same.
pub fn join(views: &[Option<&View<'_>>]) -> Joined {
    join_keeping(views, None)
}

/// Tells of a view and one of its rows that its key is to be listed although all views agree on it.
pub(crate) type Keep<'a> = &'a (dyn Fn(usize, usize) -> bool + Sync);

/// Joins like [`join`], and lists the keys of some rows in any case.
pub(crate) fn join_keeping(views: &[Option<&View<'_>>], keep: Option<Keep<'_>>) -> Joined {
    let present: Vec<(usize, &View<'_>)> =
        views.iter().enumerate().filter_map(|(at, view)| Some((at, (*view)?))).collect();
    let Some((_, first)) = present.first() else {
        return Joined::default();
    };
    let columns = Columns::new(first.schema(), &present);
    let sides: Vec<Vec<Part>> = present
        .par_iter()
        .map(|(_, view)| {
            let starts: Vec<usize> = (0..view.len()).step_by(PART).collect();
            let part =
                |start| index(view, &columns.everywhere, start..view.len().min(start + PART));
            starts.into_par_iter().map(part).collect()
        })
        .collect();
    let what = Views { present: &present, width: views.len(), columns: &columns, keep };
    let room = || (Grouper::default(), vec![Vec::new(); present.len()]);
    let shards: Vec<Joined> = (0..SHARDS)
        .into_par_iter()
        .map_init(room, |(grouper, buffers), shard| {
            let whole =
                sides.iter().zip(buffers).map(|(parts, buffer)| whole(parts, shard, buffer));
            join_shard(grouper, &whole.collect::<Vec<_>>(), &what)
        })
        .collect();
    let mut joined = Joined::default();
    for mut shard in shards {
        joined.rows.append(&mut shard.rows);
        joined.duplicates.append(&mut shard.duplicates);
        joined.equal += shard.equal;
    }
    joined.rows.par_sort_unstable_by(|a, b| a.key.cmp(&b.key));
    joined.duplicates.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    for ((at, _), parts) in present.iter().zip(sides) {
        let blanks = parts.into_iter().flat_map(|part| part.blanks);
        joined.blanks.extend(blanks.map(|row| (*at, row)));
    }
    joined
}

/// Rows that are indexed in one piece: enough pieces for every core, and few enough that they cost nothing.
const PART: usize = 1 << 17;

/// The rows of a piece of a view, and those of them without a complete key.
struct Part {
    index: Index,
    blanks: Vec<usize>,
}

/// Returns one shard of all the parts of a view, in the order of its rows.
fn whole<'a>(parts: &'a [Part], shard: usize, buffer: &'a mut Vec<Entry>) -> &'a [Entry] {
    if let [part] = parts {
        return part.index.shard(shard);
    }
    buffer.clear();
    parts.iter().for_each(|part| buffer.extend_from_slice(part.index.shard(shard)));
    buffer
}

/// What is joined.
struct Views<'a> {
    present: &'a [(usize, &'a View<'a>)],
    /// How many views there are, with those that are not present.
    width: usize,
    columns: &'a Columns,
    keep: Option<Keep<'a>>,
}

/// The columns that are compared.
struct Columns {
    /// Mapped in every view, so that one digest covers them.
    everywhere: Vec<usize>,
    /// Mapped in several views but not in all.
    somewhere: Vec<usize>,
}

impl Columns {
    fn new(schema: &Schema, views: &[(usize, &View<'_>)]) -> Columns {
        let count =
            |column: &usize| views.iter().filter(|(_, view)| view.is_mapped(*column)).count();
        let all = 0..schema.columns.len();
        Columns {
            everywhere: all.clone().filter(|column| count(column) == views.len()).collect(),
            somewhere: all.filter(|column| (2..views.len()).contains(&count(column))).collect(),
        }
    }
}

fn index(view: &View<'_>, columns: &[usize], rows: Range<usize>) -> Part {
    let snapshot = view.snapshot();
    let identity = view.is_identity(columns);
    // Where the packed row is hashed as it lies, only the cells of the key are looked at.
    let needed = if identity { view.cells_of_key() } else { usize::MAX };
    let (mut index, mut blanks) = (Index::new(rows.len()), Vec::new());
    let (mut parts, mut scratch) = (Vec::new(), Vec::new());
    for row in rows {
        let packed = snapshot.packed(row);
        parts.clear();
        let mut rest = packed;
        parts.extend(std::iter::from_fn(|| pack::take(&mut rest)).take(needed));
        let Some(key) = view.key_digest(&parts, &mut scratch) else {
            blanks.push(row);
            continue;
        };
        let digest = if identity {
            xxhash_rust::xxh3::xxh3_128(packed)
        } else {
            view.row_digest(&parts, columns, &mut scratch)
        };
        index.push(Entry::new(key, digest, row as u64));
    }
    Part { index, blanks }
}

fn join_shard(grouper: &mut Grouper, sides: &[&[Entry]], views: &Views<'_>) -> Joined {
    let Views { present, width, columns, keep } = views;
    let mut joined = Joined::default();
    for group in grouper.group(sides).iter() {
        if group.is_repeated() {
            joined.duplicates.extend(duplicate(&group, present, *width));
            continue;
        }
        let same = group.is_same();
        if same && columns.somewhere.is_empty() && keep.is_none() {
            joined.equal += 1;
            continue;
        }
        let rows: Vec<Option<usize>> = (0..present.len())
            .map(|side| group.entry(side).map(|entry| entry.place as usize))
            .collect();
        let doubtful: &[usize] = if same { &[] } else { &columns.everywhere };
        let complete: Option<Vec<usize>> = rows.iter().copied().collect();
        let wanted = || {
            let mut places =
                present.iter().zip(&rows).filter_map(|((at, _), row)| Some((*at, (*row)?)));
            keep.is_some_and(|keep| places.any(|(view, row)| keep(view, row)))
        };
        if complete.is_some_and(|rows| {
            equal(present, &rows, doubtful) && equal(present, &rows, &columns.somewhere)
        }) && !wanted()
        {
            joined.equal += 1;
        } else if let Some(key) = key(present, &rows) {
            let mut spread = vec![None; *width];
            for ((at, _), row) in present.iter().zip(rows) {
                spread.get_mut(*at).into_iter().for_each(|slot| *slot = row);
            }
            joined.rows.push(JoinedRow { key, rows: spread });
        }
    }
    joined
}

fn duplicate(
    group: &Group<'_>,
    views: &[(usize, &View<'_>)],
    width: usize,
) -> Option<DuplicateKey> {
    let first: Vec<Option<usize>> =
        (0..views.len()).map(|side| group.entry(side).map(|entry| entry.place as usize)).collect();
    let mut rows = vec![Vec::new(); width];
    for (side, (at, _)) in views.iter().enumerate() {
        if let Some(slot) = rows.get_mut(*at) {
            *slot = group.places(side).into_iter().map(|place| place as usize).collect();
            slot.sort_unstable();
        }
    }
    Some(DuplicateKey { key: key(views, &first)?, rows })
}

fn key(views: &[(usize, &View<'_>)], rows: &[Option<usize>]) -> Option<Key> {
    views.iter().zip(rows).find_map(|((_, view), row)| row.map(|row| view.key(row)))
}

/// Returns whether the views that map each of the columns have equal values in it.
fn equal(views: &[(usize, &View<'_>)], rows: &[usize], columns: &[usize]) -> bool {
    if columns.is_empty() {
        return true;
    }
    let cells: Vec<Vec<Option<Cell<'_>>>> =
        views.iter().zip(rows).map(|((_, view), row)| view.mapped_cells(*row)).collect();
    columns.iter().all(|&column| {
        let mut voices = cells
            .iter()
            .zip(views)
            .filter_map(|(cells, (_, view))| Some((cells.get(column).copied()??, view)));
        let Some((first, view)) = voices.next() else {
            return true;
        };
        let Some(definition) = view.schema().columns.get(column) else {
            return true;
        };
        voices.all(|(cell, _)| cell == first || definition.value(&cell) == definition.value(&first))
    })
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
