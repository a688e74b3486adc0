//! What a batch reads back in the same call, and whether it proves that the batch hit the rows it was meant for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lockstep_a1::{column_letters, quote_always};
use lockstep_engine::key::Key;
use lockstep_google::{BatchReply, CellValue};

use super::{header::label, sheet_check::View, sheet_ops::Ops, sheet_recheck::runs};

/// The most ranges of one read-back, which stand in the body of the call; more scattered rows are read as one span.
///
/// A span costs all that lies between: a hundredth of a large table is better named row by row.
pub(crate) const MAX_RANGES: usize = 1_500;

/// The cells that came back with a batch: the header and keys, as they were right after it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    cells: HashMap<(u32, u32), CellValue>,
    end: u32,
}

static EMPTY: CellValue = CellValue::Empty;

impl Evidence {
    /// Returns the evidence of a reply; `None` if the reply was lost and the cells were read later.
    pub(crate) fn of(reply: &BatchReply, sheet: i32) -> Option<Self> {
        if reply.found_applied {
            return None;
        }
        let mut evidence = Self::default();
        for block in reply.read_back.iter().filter(|block| block.sheet == sheet) {
            for (row, cells) in (block.row..).zip(&block.rows) {
                for (column, cell) in (block.column..).zip(cells) {
                    if cell.value != CellValue::Empty {
                        evidence.end = evidence.end.max(row.saturating_add(1));
                        evidence.cells.insert((row, column), cell.value.clone());
                    }
                }
            }
        }
        Some(evidence)
    }

    /// Returns a cell.
    pub(crate) fn cell(&self, row: u32, column: u32) -> &CellValue {
        self.cells.get(&(row, column)).unwrap_or(&EMPTY)
    }

    /// Returns the key that stands in a row.
    pub(crate) fn key(&self, view: &View<'_>, row: u32) -> Key {
        view.layout.key_with(view.writes, |column| self.cell(row, column))
    }

    /// Returns the keys of all rows, from the first of the data on; only after a read-back of all.
    pub(crate) fn keys(&self, view: &View<'_>) -> Vec<Key> {
        (view.layout.first_row()..self.end).map(|row| self.key(view, row)).collect()
    }

    /// Returns whether the columns are where the batch took them to be.
    pub(crate) fn header_is(&self, names: &BTreeMap<u32, String>, row: u32) -> bool {
        names.iter().all(|(column, name)| label(self.cell(row, *column)) == *name)
    }
}

/// Returns the columns that a batch takes to be where they are, with their names.
pub(crate) fn columns(view: &View<'_>, ops: &Ops) -> BTreeMap<u32, String> {
    let mapped = view.writes.headers.iter().flatten().filter_map(|name| view.layout.column(name));
    let set = ops.sets.values().flat_map(|set| set.cells.iter().map(|(column, _)| *column));
    let all = mapped.chain(set);
    all.map(|column| (column, view.layout.label(column).to_string())).collect()
}

/// Returns the range of the header, as far as it has the named columns.
pub(crate) fn header_range(
    title: &str,
    header_row: u32,
    names: &BTreeMap<u32, String>,
) -> Option<String> {
    let (first, _) = names.first_key_value()?;
    let (last, _) = names.last_key_value()?;
    let row = u64::from(header_row) + 1;
    let (first, last) = (column_letters(*first), column_letters(*last));
    Some(format!("{}!{first}{row}:{last}{row}", quote_always(title)))
}

/// Returns the ranges to read back: the header, and the key columns of the rows that are touched.
///
/// All rows (`whole`) where rows are deleted without an anchor on each: only the whole sequence of keys shows that the
/// right ones went. From where new rows were expected on, where there are any: a row with the same key may have come there at the
/// same moment. `end` is the row after the last one before the batch.
pub(crate) fn ranges(
    view: &View<'_>,
    ops: &Ops,
    names: &BTreeMap<u32, String>,
    title: &str,
    end: u32,
    whole: bool,
) -> Vec<String> {
    let mut ranges: Vec<String> =
        header_range(title, view.layout.header_row, names).into_iter().collect();
    let title = quote_always(title);
    let keys: Vec<String> = view.layout.key_columns().map(column_letters).collect();
    if whole {
        let first = u64::from(view.layout.first_row()) + 1;
        let last = ops.end_after(view, end).map(|last| last.to_string()).unwrap_or_default();
        ranges.extend(keys.iter().map(|key| format!("{title}!{key}{first}:{key}{last}")));
        return ranges;
    }
    if !ops.appends.is_empty() {
        let last = ops.end_after(view, end).map(|last| last.to_string()).unwrap_or_default();
        let end = u64::from(ops.row_after(end)) + 1;
        ranges.extend(keys.iter().map(|key| format!("{title}!{key}{end}:{key}{last}")));
    }
    let rows: BTreeSet<u32> = ops.sets.keys().copied().chain(ops.pattern(view)).collect();
    let mut runs = runs(rows.iter().map(|row| ops.row_after(*row)), MAX_RANGES);
    if runs.len().saturating_mul(keys.len()) > MAX_RANGES
        && let (Some((start, _)), Some((_, end))) = (runs.first(), runs.last())
    {
        runs = vec![(*start, *end)];
    }
    for (start, end) in runs {
        let start = u64::from(start) + 1;
        ranges.extend(keys.iter().map(|key| format!("{title}!{key}{start}:{key}{end}")));
    }
    ranges
}

/// Returns whether the evidence proves that every row was hit that was meant, and no other.
///
/// `held` says whether anchors prove that rows and columns were in their places; `None` if there were none. `whole` says
/// whether all keys were read back.
pub(crate) fn proves(
    view: &View<'_>,
    ops: &Ops,
    names: &BTreeMap<u32, String>,
    seen: &Evidence,
    end: u32,
    (held, whole): (Option<bool>, bool),
) -> bool {
    // A row without a key looks like any other such row: only a look at the whole sheet tells, or an anchor.
    let own = |row: &u32, key: &Key| {
        (!key.is_blank() || held == Some(true)) && seen.key(view, ops.row_after(*row)) == *key
    };
    let sets = || ops.sets.iter().all(|(row, set)| own(row, &set.key));
    // What new rows look like came from a row of the table, not from one that had moved there.
    let pattern = || {
        ops.pattern(view)
            .is_none_or(|row| own(&row, &view.layout.key(view.writes, &view.picture.row(row))))
    };
    let rest = || {
        if whole {
            return seen.keys(view) == keys_after(view, ops);
        }
        let new = ops.appends.iter().map(|append| &append.key);
        let end = ops.row_after(end);
        ops.appends.is_empty() || (end..seen.end).map(|row| seen.key(view, row)).eq(new.cloned())
    };
    let header = || seen.header_is(names, view.layout.header_row);
    held != Some(false) && header() && sets() && pattern() && rest()
}

/// Returns the keys of all rows as they should be after the batch, from the first of the data on.
pub(crate) fn keys_after(view: &View<'_>, ops: &Ops) -> Vec<Key> {
    let first = view.layout.first_row();
    let mut keys = Vec::with_capacity(view.picture.rows.len());
    let put = |keys: &mut Vec<Key>, row: u32| {
        keys.extend(ops.puts.iter().filter(|put| put.row == row).map(|put| put.key.clone()));
    };
    for row in first..view.picture.height() {
        put(&mut keys, row);
        if !ops.removes.contains_key(&row) {
            // A row that had lost its key gets it back with what is written to it.
            let set = ops.sets.get(&row).map(|set| set.key.clone());
            let key = || view.layout.key(view.writes, &view.picture.row(row));
            keys.push(set.unwrap_or_else(key));
        }
    }
    put(&mut keys, view.picture.height().max(first));
    keys.extend(ops.appends.iter().map(|append| append.key.clone()));
    while keys.last().is_some_and(|key| key.as_values().iter().all(|value| value.is_null())) {
        keys.pop();
    }
    keys
}
