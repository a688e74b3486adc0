//! Which rows a batch hit that it was not meant for, and what they held before.

use std::collections::{HashMap, HashSet};

use lockstep_engine::key::Key;
use lockstep_google::CellWrite;

use super::{
    sheet_anchor::Held,
    sheet_check::{View, after as cells_after},
    sheet_layout::Spot,
    sheet_ops::{Append, Ops, SetRow},
    sheet_picture::{Seen, at},
    sheet_repair::Work,
    sheet_verify::{Evidence, keys_after},
    sheet_wounds::{Column, Extra, Lost, Restore, Stray, same, stray_row},
};

/// How many rows above a lost one are remembered, to find its place again.
const ABOVE: usize = 20;

impl Work {
    /// Finds out what a batch did that was not proven to have hit only what it was meant for.
    ///
    /// `evidence` is what came back with the batch, if the columns were in their places; `held` which rows anchors
    /// prove to have been in theirs (`None` without anchors); `before` and `after` are the sheet as it was seen before the
    /// batch, and read whole after it.
    pub(crate) fn examine(
        &mut self,
        ops: &Ops,
        before: &View<'_>,
        evidence: Option<&Evidence>,
        held: Option<&Held>,
        after: &View<'_>,
    ) {
        let sure = |row: &u32| held.is_some_and(|held| held.rows.contains(row));
        // The view's own index is of the places before earlier batches moved rows.
        let index = before.layout.index(before.writes, before.picture);
        let before = &View { index: &index, ..*before };
        for (was, set) in &ops.sets {
            let row = ops.row_after(*was);
            match evidence.map(|seen| seen.key(before, row)) {
                Some(key) if key == set.key => self.confirm(set.change),
                Some(key) if key.is_blank() => {
                    // Somebody took the row's key away, or it is another row without one.
                    let own = sure(was).then(|| before.picture.row(*was));
                    self.stray(before, set, row, own.as_deref(), after);
                }
                Some(key) => {
                    for (column, write) in &set.cells {
                        let old = match sure(was) {
                            // Somebody gave the row another key.
                            true => Some(before.picture.cell(*was, *column)),
                            false => self.held(before, &key, *column),
                        };
                        let column = Column::of(before.layout, *column);
                        self.hit(key.clone(), column, old, write, &set.key);
                    }
                }
                None => self.footprints(ops, set, row, before, after),
            }
        }
        let may_have_deleted =
            ops.moves_rows() && !(held.is_some() && ops.removes.keys().all(sure));
        self.examine_new_rows(ops, before, after, may_have_deleted);
        if may_have_deleted {
            let actual = match evidence {
                // Without anchors all keys are read back.
                Some(seen) if held.is_none() => seen.keys(before),
                _ => self.keys(after),
            };
            self.examine_deletes(ops, before, &actual);
        }
    }

    /// Takes a change for made.
    pub(crate) fn confirm(&mut self, change: Option<usize>) {
        if let Some(change) = change {
            self.changes.retain(|position| *position != change);
        }
    }

    /// Returns what a row held in a column, as far as is known.
    fn held(&self, before: &View<'_>, key: &Key, column: u32) -> Option<Seen> {
        match before.index.get(key) {
            Some(Spot::One(row)) => Some(before.picture.cell(*row, column)),
            _ => None,
        }
    }

    /// Remembers a cell that received what was meant for another row.
    fn hit(&mut self, key: Key, column: Column, old: Option<Seen>, write: &CellWrite, meant: &Key) {
        let wrote = Seen::after(write);
        let known =
            self.restores.iter_mut().find(|known| known.key == key && known.column == column);
        if let Some(known) = known {
            // Hit twice: what it held before the first time counts.
            known.wrote = wrote;
            return;
        }
        if old.clone().unwrap_or_default() != wrote {
            self.restores.push(Restore { key, column, old, wrote, meant: meant.clone() });
        }
    }

    /// Remembers a row without a key that received what was meant for another.
    ///
    /// What it held is known if it is known which row it was (`own`), or if one with the same other cells was there before.
    fn stray(
        &mut self,
        before: &View<'_>,
        set: &SetRow,
        row: u32,
        own: Option<&[Seen]>,
        after: &View<'_>,
    ) {
        let stray = |olds: &[Seen]| Stray {
            cells: (0_u32..)
                .zip(&set.cells)
                .map(|(n, (column, write))| {
                    (Column::of(before.layout, *column), Seen::after(write), at(olds, n).clone())
                })
                .filter(|(_, wrote, old)| wrote != old)
                .collect(),
            others: Vec::new(),
            meant: set.key.clone(),
        };
        let written = |column: u32| set.cells.iter().any(|(own, _)| *own == column);
        let there = after.picture.row(row);
        let width = |row: &[Seen]| u32::try_from(row.len()).unwrap_or(u32::MAX);
        let twin = |cells: &&Vec<Seen>| {
            let columns = 0..width(cells).max(width(&there));
            let mut others = columns.filter(|column| !written(*column));
            let same = others.clone().all(|column| at(cells, column) == at(&there, column));
            same && others.any(|column| !at(cells, column).is_empty())
                && before.layout.key(before.writes, cells).is_blank()
        };
        let mut twins = before.picture.cells_from(0).filter(|row| twin(&row));
        let known = match (own, twins.next(), twins.next()) {
            (Some(own), ..) => Some(own.to_vec()),
            (None, Some(twin), None) => Some(twin),
            _ => None,
        };
        let olds: Vec<Seen> = known
            .into_iter()
            .flat_map(|row| -> Vec<Seen> {
                set.cells.iter().map(|(column, _)| at(&row, *column).clone()).collect()
            })
            .collect();
        let stray = stray(&olds);
        if !stray.cells.is_empty() {
            self.strays.push(stray);
        }
    }

    /// Finds the cells that a row's writes landed in, when nothing was read back with them.
    fn footprints(
        &mut self,
        ops: &Ops,
        set: &SetRow,
        row: u32,
        before: &View<'_>,
        after: &View<'_>,
    ) {
        let mut landed = set.cells.iter().map(|(column, _)| *column);
        if landed.any(|column| after.layout.key_columns().any(|key| key == column)) {
            self.lost_key(set, row, before, after);
            return;
        }
        for (column, write) in &set.cells {
            let wrote = Seen::after(write);
            let name = before.layout.label(*column);
            if let (Some(Spot::One(own)), Some(place)) =
                (after.index.get(&set.key), after.layout.column(&name))
                && after.picture.cell(*own, place) == wrote
            {
                continue;
            }
            let landed = Column::of(after.layout, *column);
            let is_step = |candidate: u32| {
                if after.picture.cell(candidate, *column) != wrote {
                    return false;
                }
                let key = after.layout.key(after.writes, &after.picture.row(candidate));
                let own = ops.sets.values().any(|set| {
                    set.key == key
                        && set.cells.iter().any(|(place, own)| {
                            Column::of(before.layout, *place) == landed && Seen::after(own) == wrote
                        })
                });
                let was = before.index.get(&key).map(|_| old_value(before, after, &key, *column));
                !own && match was {
                    Some(was) => was != wrote,
                    // A row that is new, or has no key, only where the write was aimed at.
                    None => candidate == row,
                }
            };
            let found = if is_step(row) {
                Some(row)
            } else {
                let mut steps =
                    (after.layout.first_row()..after.picture.height()).filter(|row| is_step(*row));
                match (steps.next(), steps.next()) {
                    (Some(step), None) => Some(step),
                    _ => None,
                }
            };
            let Some(found) = found else { continue };
            let key = after.layout.key(after.writes, &after.picture.row(found));
            if key.is_blank() {
                let (cells, others) = (vec![(landed, wrote, Seen::default())], Vec::new());
                self.strays.push(Stray { cells, others, meant: set.key.clone() });
                continue;
            }
            let old = before.index.get(&key).map(|_| old_value(before, after, &key, *column));
            self.hit(key, landed, old, write, &set.key);
        }
    }

    /// Remembers a row whose key was overwritten because columns had moved; it is known by its other cells.
    fn lost_key(&mut self, set: &SetRow, row: u32, before: &View<'_>, after: &View<'_>) {
        let written = |column: u32| set.cells.iter().any(|(own, _)| *own == column);
        let there = after.picture.row(row);
        // The cells of a row from before that were not written to, by the places that they have now.
        let others = |was: u32| -> Vec<(Column, Seen)> {
            let cells = (0_u32..).zip(before.picture.row(was));
            cells
                .filter_map(|(column, cell)| {
                    let named = Column::of(before.layout, column);
                    let now = after.layout.column(&before.layout.label(column))?;
                    (!written(now)).then_some((named, cell))
                })
                .collect()
        };
        let is_it = |was: &u32| {
            let others = others(*was);
            others.iter().any(|(_, cell)| !cell.is_empty())
                && others.iter().all(|(column, cell)| {
                    column.find(after.layout).is_some_and(|now| at(&there, now) == cell)
                })
        };
        let own = match before.index.get(&set.key) {
            Some(Spot::One(own)) => Some(*own).filter(|own| is_it(own)),
            _ => None,
        };
        let was = own.or_else(|| {
            let mut rows = (before.layout.first_row()..before.picture.height()).filter(is_it);
            match (rows.next(), rows.next()) {
                (Some(row), None) => Some(row),
                _ => None,
            }
        });
        let Some(was) = was else { return };
        let cells = set.cells.iter().filter_map(|(column, write)| {
            let wrote = Seen::after(write);
            let place = before.layout.column(&after.layout.label(*column));
            let old = place.map_or_else(Seen::default, |place| before.picture.cell(was, place));
            (*at(&there, *column) == wrote && wrote != old)
                .then(|| (Column::of(after.layout, *column), wrote, old))
        });
        let cells: Vec<(Column, Seen, Seen)> = cells.collect();
        if !cells.is_empty() {
            self.strays.push(Stray { cells, others: others(was), meant: set.key.clone() });
        }
    }

    /// Returns the keys of all rows, those included that were overwritten, from the first of the data on.
    fn keys(&self, after: &View<'_>) -> Vec<Key> {
        let mut picture = after.picture.clone();
        for stray in &self.strays {
            if let Some((row, places)) = stray_row(after, stray, |_, _| false) {
                for (column, (_, _, old)) in places.into_iter().zip(&stray.cells) {
                    picture.put(row, column, old.clone());
                }
            }
        }
        let rows = after.layout.first_row()..picture.height();
        rows.map(|row| after.layout.key(after.writes, &picture.row(row))).collect()
    }

    fn examine_new_rows(
        &mut self,
        ops: &Ops,
        before: &View<'_>,
        after: &View<'_>,
        may_have_deleted: bool,
    ) {
        let mut names = before.writes.headers.iter().flatten();
        let moved = names.any(|name| before.layout.column(name) != after.layout.column(name));
        let mut twins: HashMap<&Key, Vec<Vec<Seen>>> = HashMap::new();
        let doubled = |append: &&Append| after.index.get(&append.key) == Some(&Spot::Many);
        for append in ops.appends.iter().filter(doubled) {
            twins.entry(&append.key).or_default();
        }
        let rows = after.picture.cells_from(0).take(if twins.is_empty() { 0 } else { usize::MAX });
        for row in rows {
            if let Some(rows) = twins.get_mut(&after.layout.key(after.writes, &row)) {
                rows.push(row);
            }
        }
        let formulas = after.layout.formula_columns();
        let bare = |row: u32| {
            ops.pattern(before).is_some()
                && formulas.iter().any(|c| after.picture.cell(row, *c).formula().is_none())
        };
        for append in &ops.appends {
            let cells = cells_after(&append.cells);
            match after.index.get(&append.key) {
                // Its formulas came from a row that was none of the table: it goes, and is written again.
                Some(Spot::One(row)) if bare(*row) && same(&after.picture.row(*row), &cells) => {
                    self.extra.push(Extra { key: append.key.clone(), cells, doubled: false });
                }
                Some(Spot::One(row)) if !moved || !same(&after.picture.row(*row), &cells) => {
                    self.confirm(Some(append.change));
                }
                Some(Spot::Many) => {
                    let rows = twins.get(&append.key).map(Vec::as_slice).unwrap_or_default();
                    if rows.iter().all(|row| same(row, &cells)) {
                        // Another writer wrote the very same row: one of them is what was wanted.
                        self.confirm(Some(append.change));
                    } else {
                        let why = format!("another row with the key \"{}\" came", append.key);
                        self.give_up(append.change, why);
                    }
                    self.extra.push(Extra { key: append.key.clone(), cells, doubled: true });
                }
                // It landed in columns that had moved: it goes, and is written again.
                Some(Spot::One(_)) | None if moved => {
                    self.extra.push(Extra { key: append.key.clone(), cells, doubled: false });
                }
                // Deleted by the batch itself, in place of a row that had moved: it is written again.
                _ if may_have_deleted => {}
                _ => {
                    let why = format!("the new row \"{}\" was removed at once", append.key);
                    self.give_up(append.change, why);
                }
            }
        }
    }

    /// Finds rows that were deleted by mistake: those that are gone although nobody was to delete them.
    fn examine_deletes(&mut self, ops: &Ops, before: &View<'_>, actual: &[Key]) {
        if *actual == keys_after(before, ops) {
            return;
        }
        let present: HashSet<&Key> = actual.iter().collect();
        let meant: HashSet<&Key> = ops.removes.values().map(|removal| &removal.key).collect();
        let first = before.layout.first_row();
        let rows: Vec<(u32, Key)> = (first..before.picture.height())
            .map(|row| {
                let set = ops.sets.get(&row).map(|set| set.key.clone());
                let key = || before.layout.key(before.writes, &before.picture.row(row));
                (row, set.unwrap_or_else(key))
            })
            .collect();
        let missing: Vec<usize> = (0..rows.len())
            .filter(|place| {
                rows.get(*place).is_some_and(|(_, key)| {
                    !key.is_blank()
                        && matches!(before.index.get(key), Some(Spot::One(_)))
                        && !present.contains(key)
                        && !meant.contains(key)
                })
            })
            .collect();
        let gone = meant.iter().filter(|key| !present.contains(*key)).count();
        let unsure = missing.len() + gone > ops.removes.len();
        // If more are gone than the batch deleted, somebody else deleted some at the same moment. Which, nobody can tell: a
        // row too many is told and can be deleted again, a lost one cannot be had again.
        for place in missing {
            let Some((row, key)) = rows.get(place) else { continue };
            let above = rows.iter().take(place).rev().take(ABOVE).map(|(_, key)| key.clone());
            let cells = (0_u32..).zip(before.picture.row(*row)).map(|(n, cell)| {
                let column = Column::of(before.layout, n);
                // What it held before it was hit, should it have been hit too.
                let hit = self.restores.iter().find(|hit| hit.key == *key && hit.column == column);
                let old = hit.map(|hit| hit.old.clone().unwrap_or_default());
                (column, old.unwrap_or(cell))
            });
            let cells = cells.collect();
            self.lost.push(Lost { key: key.clone(), cells, above: above.collect(), unsure });
        }
    }
}

/// Returns what a row held before in the column that has the name of this one now.
fn old_value(before: &View<'_>, after: &View<'_>, key: &Key, column: u32) -> Seen {
    let name = after.layout.label(column);
    match (before.index.get(key), before.layout.column(&name)) {
        (Some(Spot::One(row)), Some(place)) => before.picture.cell(*row, place),
        _ => Seen::default(),
    }
}
