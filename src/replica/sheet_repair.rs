//! What is left of a batch: changes to make, and rows to mend that it hit because others had moved them.

use std::collections::{HashMap, HashSet};

use lockstep_engine::key::Key;

use super::{
    apply::{Repair, Sent, Unconfirmed},
    sheet_check::{Todo, View, cell_name},
    sheet_cut::add,
    sheet_layout::{Index, Spot},
    sheet_ops::{Ops, Put, Removal, SetRow},
    sheet_picture::{Picture, Seen},
    sheet_wounds::{Extra, Lost, Restore, Stray, same, stray_row},
};
use crate::{
    error::{Error, Kind},
    store::LeftOut,
};

/// How many rows an error lists.
const MAX_LISTED: usize = 20;

/// What is still to be done for a batch.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Changes, by their position.
    pub(crate) changes: Vec<usize>,
    /// Cells to restore.
    pub(crate) restores: Vec<Restore>,
    /// Rows without a key to clear.
    pub(crate) strays: Vec<Stray>,
    /// Rows to put back.
    pub(crate) lost: Vec<Lost>,
    /// New rows that must go again.
    pub(crate) extra: Vec<Extra>,
    sent: Sent,
}

impl Work {
    /// Starts with the changes of a batch.
    pub(crate) fn new(changes: Vec<usize>) -> Self {
        Self { changes, ..Self::default() }
    }

    /// Returns whether nothing is left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.changes.is_empty() && !self.is_torn()
    }

    /// Returns whether rows are hurt and not mended yet.
    fn is_torn(&self) -> bool {
        !(self.restores.is_empty()
            && self.strays.is_empty()
            && self.lost.is_empty()
            && self.extra.is_empty())
    }

    /// Returns what came of the batch.
    pub(crate) fn finish(self) -> Sent {
        self.sent
    }

    /// Gives a change up.
    pub(crate) fn give_up(&mut self, change: usize, why: String) {
        self.changes.retain(|position| *position != change);
        self.sent.unconfirmed.push(Unconfirmed { change, why: LeftOut::changed(why) });
    }

    /// Tells what the race did to a row.
    pub(crate) fn tell(&mut self, key: &Key, row: u32, what: String) {
        let key = if key.is_blank() { String::new() } else { key.to_string() };
        let repair = Repair { key, row: u64::from(row) + 1, what };
        if !self.sent.repaired.contains(&repair) {
            self.sent.repaired.push(repair);
        }
    }

    /// Returns the operations that do what is left, on the sheet as it is seen.
    ///
    /// What needs no doing any more is dropped, and what cannot be done is told.
    pub(crate) fn ops(&mut self, view: &View<'_>) -> Ops {
        let mut ops = Ops::default();
        let mut mended = Picture::default();
        let torn = !self.restores.is_empty() || !self.strays.is_empty();
        if torn {
            mended.clone_from(view.picture);
            self.restore_cells(view, &mut ops, &mut mended);
            self.clear_strays(view, &mut ops, &mut mended);
        }
        self.remove_extra(view, &mut ops);
        self.put_back(view, &mut ops);
        // A row that lost its key has it again.
        let index = if torn { view.layout.index(view.writes, &mended) } else { Index::default() };
        let view = if torn { View { picture: &mended, index: &index, ..*view } } else { *view };
        // A row that comes back, and one that goes first, are dealt with in the next round.
        let lost = self.lost.iter().map(|lost| &lost.key);
        let extra = self.extra.iter().filter(|extra| !extra.doubled).map(|extra| &extra.key);
        let wait: HashSet<&Key> =
            lost.chain(extra.filter(|key| view.index.contains_key(*key))).collect();
        let changes = std::mem::take(&mut self.changes);
        let (waiting, changes): (Vec<usize>, Vec<usize>) =
            changes.into_iter().partition(|position| {
                let change = view.writes.changes.get(*position);
                change.is_some_and(|change| wait.contains(&change.key))
            });
        self.changes = waiting;
        for position in changes {
            let Some(change) = view.writes.changes.get(position) else { continue };
            match view.check(change) {
                Ok(Todo::Set(row, cells)) => {
                    if !cells.is_empty() {
                        self.changes.push(position);
                        merge(&mut ops, row, &change.key, position, cells);
                    }
                }
                Ok(Todo::Gone) => {}
                Ok(todo) => {
                    self.changes.push(position);
                    add(&mut ops, change, position, todo);
                }
                Err(why) => {
                    let why = LeftOut::changed(why.text());
                    self.sent.unconfirmed.push(Unconfirmed { change: position, why });
                }
            }
        }
        ops
    }

    fn restore_cells(&mut self, view: &View<'_>, ops: &mut Ops, mended: &mut Picture) {
        for restore in std::mem::take(&mut self.restores) {
            if self.lost.iter().any(|lost| lost.key == restore.key) {
                // Its row comes back first, with what it held.
                self.restores.push(restore);
                continue;
            }
            let spot = view.index.get(&restore.key);
            let (Some(Spot::One(row)), Some(column)) = (spot, restore.column.find(view.layout))
            else {
                let what = format!(
                    "received {}, meant for \"{}\", and is not there any more, or not once",
                    restore.wrote.shown(),
                    restore.meant
                );
                self.tell(&restore.key, 0, what);
                continue;
            };
            let old = restore.old.clone().unwrap_or_default();
            let there = view.picture.cell(*row, column);
            if there == old {
                continue;
            }
            let place = cell_name(*row, column);
            let wrote = restore.wrote.shown();
            let had = format!("{place} received {wrote}, meant for \"{}\"", restore.meant);
            if there != restore.wrote {
                let now = there.shown();
                let what = format!("{had}; somebody wrote {now} there since, which stays");
                self.tell(&restore.key, *row, what);
                continue;
            }
            let what = match &restore.old {
                Some(old) => format!("{had}; it was put back to {}", old.shown()),
                None => format!(
                    "{had}; the row is newer than the check before the write, so what was there is not known: it was cleared"
                ),
            };
            self.tell(&restore.key, *row, what);
            mended.put(*row, column, old.clone());
            let set = ops.sets.entry(*row).or_insert_with(|| SetRow {
                key: restore.key.clone(),
                cells: Vec::new(),
                change: None,
            });
            set.cells.push((column, old.write()));
            set.cells.sort_by_key(|(column, _)| *column);
            self.restores.push(restore);
        }
    }

    fn clear_strays(&mut self, view: &View<'_>, ops: &mut Ops, mended: &mut Picture) {
        let mut strays = std::mem::take(&mut self.strays);
        // A row may have been hit twice: the trace that tells most of it goes first, the others add to it.
        strays.sort_by_key(|stray| std::cmp::Reverse(stray.cells.len()));
        for stray in strays {
            let taken = |row: u32, places: &[u32]| {
                ops.sets
                    .get(&row)
                    .is_some_and(|set| set.cells.iter().any(|(column, _)| places.contains(column)))
            };
            let found = stray_row(view, &stray, taken);
            let Some((row, places)) = found else { continue };
            let what = format!(
                "received values meant for \"{}\" in {} cells; they were taken away again",
                stray.meant,
                places.len()
            );
            let cells = places.into_iter().zip(&stray.cells);
            let cells: Vec<_> = cells
                .map(|(column, (_, _, old))| {
                    mended.put(row, column, old.clone());
                    (column, old.write())
                })
                .collect();
            let key = view.layout.key(view.writes, &mended.row(row));
            self.tell(&key, row, what);
            let set = ops.sets.entry(row).or_insert_with(|| SetRow {
                key: key.clone(),
                cells: Vec::new(),
                change: None,
            });
            set.key = key;
            set.cells.extend(cells);
            set.cells.sort_by_key(|(column, _)| *column);
            self.strays.push(stray);
        }
    }

    fn remove_extra(&mut self, view: &View<'_>, ops: &mut Ops) {
        if self.extra.is_empty() {
            return;
        }
        let mut rows: HashMap<Key, Vec<u32>> = HashMap::new();
        for row in view.layout.first_row()..view.picture.height() {
            let key = view.layout.key(view.writes, &view.picture.row(row));
            rows.entry(key).or_default().push(row);
        }
        for extra in std::mem::take(&mut self.extra) {
            let twins = rows.get(&extra.key).map(Vec::as_slice).unwrap_or_default();
            let is_it = |row: &u32| {
                !ops.removes.contains_key(row) && same(&view.picture.row(*row), &extra.cells)
            };
            let found = match extra.doubled {
                true if twins.len() > 1 => twins.iter().rev().copied().find(is_it),
                true => None,
                false => {
                    (view.layout.first_row()..view.picture.height()).rev().find(|row| is_it(row))
                }
            };
            let Some(row) = found else { continue };
            let key = view.layout.key(view.writes, &view.picture.row(row));
            let what = if extra.doubled {
                "came twice: somebody else added a row with this key at the same moment; ours was taken back"
            } else {
                "a new row had landed beside rows or in columns that had moved; it was written again"
            };
            self.tell(&extra.key, row, what.into());
            ops.removes.insert(row, Removal { key, change: None });
            self.extra.push(extra);
        }
    }

    fn put_back(&mut self, view: &View<'_>, ops: &mut Ops) {
        for lost in std::mem::take(&mut self.lost) {
            if view.index.contains_key(&lost.key) {
                continue;
            }
            let above = lost.above.iter().find_map(|key| match view.index.get(key) {
                Some(Spot::One(row)) => Some(row.saturating_add(1)),
                _ => None,
            });
            let row = above.unwrap_or_else(|| view.layout.first_row());
            let mut cells = Vec::new();
            for (column, cell) in &lost.cells {
                let place = column.find(view.layout).and_then(|place| usize::try_from(place).ok());
                let Some(place) = place else { continue };
                if cells.len() <= place {
                    cells.resize_with(place + 1, Seen::default);
                }
                if let Some(slot) = cells.get_mut(place) {
                    *slot = cell.clone();
                }
            }
            let unsure = if lost.unsure {
                " (somebody else may have deleted it at the same moment: then delete it again)"
            } else {
                ""
            };
            let what =
                format!("was deleted in place of a row that had moved; it was put back{unsure}");
            self.tell(&lost.key, row, what);
            ops.puts.push(Put { key: lost.key.clone(), row, cells });
            self.lost.push(lost);
        }
    }

    /// Forgets what a batch did that hit all that it was meant for.
    pub(crate) fn landed(&mut self, ops: &Ops) {
        let sets = ops.sets.values().filter_map(|set| set.change);
        let removes = ops.removes.values().filter_map(|removal| removal.change);
        let appends = ops.appends.iter().map(|append| append.change);
        let done: HashSet<usize> = sets.chain(removes).chain(appends).collect();
        self.changes.retain(|position| !done.contains(position));
        (self.restores, self.strays) = (Vec::new(), Vec::new());
        (self.lost, self.extra) = (Vec::new(), Vec::new());
    }

    /// Returns an error that says which rows are not as they should be, if there are any.
    pub(crate) fn open(&self, error: Error) -> Error {
        if !self.is_torn() {
            return error;
        }
        let cells = self.restores.iter().map(|restore| {
            let old = restore.old.as_ref().map_or_else(|| "not known".to_owned(), Seen::shown);
            format!(
                "\"{}\", {}: was {old}, is {}",
                restore.key,
                restore.column,
                restore.wrote.shown()
            )
        });
        let rows = self.lost.iter().map(|lost| format!("\"{}\" was deleted", lost.key));
        let strays = self
            .strays
            .iter()
            .map(|stray| format!("a row without a key holds values of \"{}\"", stray.meant));
        let extra = self.extra.iter().map(|extra| match extra.doubled {
            true => format!("\"{}\" is there twice", extra.key),
            false => format!("the new row \"{}\" stands in wrong columns", extra.key),
        });
        let all: Vec<String> = cells.chain(rows).chain(strays).chain(extra).collect();
        let more = all.len().saturating_sub(MAX_LISTED);
        let mut listed = all.into_iter().take(MAX_LISTED).collect::<Vec<_>>().join("; ");
        if more > 0 {
            listed.push_str(&format!("; and {more} more"));
        }
        Error::new(
            Kind::Ambiguous,
            format!(
                "the batch was written while rows were moved, and could not be mended: {listed}"
            ),
        )
        .next("look at these rows, correct them, then call syncDataset again")
        .with_source(error)
    }
}

/// Adds a change's cells to those that are restored in the same row: the change decides.
fn merge(
    ops: &mut Ops,
    row: u32,
    key: &Key,
    position: usize,
    cells: Vec<(u32, lockstep_google::CellWrite)>,
) {
    let set = ops.sets.entry(row).or_insert_with(|| SetRow {
        key: key.clone(),
        cells: Vec::new(),
        change: None,
    });
    set.change = Some(position);
    set.cells.retain(|(column, _)| !cells.iter().any(|(own, _)| own == column));
    set.cells.extend(cells);
    set.cells.sort_by_key(|(column, _)| *column);
}
