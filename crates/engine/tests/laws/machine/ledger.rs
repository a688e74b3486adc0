//! What people wrote, and what may have become of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lockstep_engine::conflict::{Loser, Lost};
use lockstep_engine::dataset::SideName;
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::Change;
use lockstep_engine::times::Times;
use lockstep_engine::value::{Row, Value};

type Place = (Key, usize);

/// The memory that no part of the engine has: every value that a person wrote and that nobody replaced knowingly.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// Values that must be somewhere: on a side, or in a loser record.
    wanted: BTreeSet<(Key, usize, Value)>,
    recorded: BTreeSet<(Key, usize, Value)>,
    /// Every value a side ever had.
    had: BTreeSet<(SideName, Key, usize, Value)>,
    cells: BTreeMap<(SideName, Key, usize), i64>,
    rows: BTreeMap<(SideName, Key), i64>,
    clock: i64,
}

impl Ledger {
    /// A person changed a row that they saw; the values that are no longer there were replaced knowingly.
    pub(crate) fn edited(&mut self, side: SideName, before: Option<&Row>, after: Option<&Row>) {
        self.clock += 1;
        let key = Key::of(&before.or(after).unwrap()[0].to_string());
        self.rows.insert((side, key.clone()), self.clock);
        for column in 1..before.or(after).unwrap().len() {
            let (old, new) = (before.map(|row| &row[column]), after.map(|row| &row[column]));
            if old == new {
                continue;
            }
            self.cells.insert((side, key.clone(), column), self.clock);
            if let Some(old) = old {
                self.wanted.remove(&(key.clone(), column, old.clone()));
            }
            // Only values that are written once can be told from those that others wrote.
            if let Some(new) = new.filter(|new| is_fresh(new)) {
                self.wanted.insert((key.clone(), column, new.clone()));
            }
        }
        self.has(side, after);
    }

    /// A run wrote to a side: a value that came from the other side keeps its time.
    pub(crate) fn carried(&mut self, side: SideName, change: &Change, other: Option<&Row>) {
        self.has(side, change.after.as_ref());
        let key = &change.key;
        for &column in change.cells.iter() {
            let same = other.is_some_and(|other| {
                Some(&other[column]) == change.after.as_ref().map(|row| &row[column])
            });
            let at = |side: SideName| self.cells.get(&(side, key.clone(), column)).copied();
            let at = if same { at(side.other()) } else { at(side).max(at(side.other())) };
            at.map(|at| self.cells.insert((side, key.clone(), column), at));
        }
        let row = self.rows.get(&(side.other(), key.clone())).copied();
        row.map(|at| self.rows.insert((side, key.clone()), at));
    }

    fn has(&mut self, side: SideName, row: Option<&Row>) {
        for (column, value) in row.into_iter().flat_map(|row| row.iter().enumerate()) {
            let key = Key::of(&row.unwrap()[0].to_string());
            self.had.insert((side, key, column, value.clone()));
        }
    }

    pub(crate) fn both_had(&self, (key, column): Place, value: &Value) -> bool {
        let had = |side| self.had.contains(&(side, key.clone(), column, value.clone()));
        value.is_null() || (had(SideName::Left) && had(SideName::Right))
    }

    pub(crate) fn record(&mut self, loser: &Loser) {
        let (recorded, key) = (&mut self.recorded, &loser.key);
        match &loser.lost {
            Lost::Cell { column, value } => {
                recorded.insert((key.clone(), *column, value.clone()));
            }
            Lost::Row(row) => recorded
                .extend(row.iter().enumerate().map(|(n, value)| (key.clone(), n, value.clone()))),
            Lost::Deletion => {}
        }
    }

    /// Nothing is lost: every wanted value is in one of the rows or in a record.
    pub(crate) fn check<'a>(
        &self,
        rows: impl Iterator<Item = &'a Row>,
        waiting: impl Iterator<Item = &'a Loser>,
    ) {
        let mut found = Ledger { recorded: self.recorded.clone(), ..Ledger::default() };
        waiting.for_each(|loser| found.record(loser));
        for row in rows {
            let key = Key::of(&row[0].to_string());
            found
                .recorded
                .extend(row.iter().enumerate().map(|(n, value)| (key.clone(), n, value.clone())));
        }
        let lost: Vec<_> = self.wanted.difference(&found.recorded).collect();
        assert!(lost.is_empty(), "lost without a record: {lost:?}");
    }

    pub(crate) fn times(&self) -> Times {
        let at = |second: &i64| Some(Timestamp::from_second(*second).unwrap());
        let mut times = Times::default();
        times.now = at(&(self.clock + 1));
        for ((side, key), second) in &self.rows {
            times.entry(key.clone(), *side).row.at = at(second);
        }
        for ((side, key, column), second) in &self.cells {
            times.entry(key.clone(), *side).cells.entry(*column).or_default().at = at(second);
        }
        times
    }
}

/// The first of the values that no two people ever write.
pub(crate) const FRESH: i64 = 100;

fn is_fresh(value: &Value) -> bool {
    *value >= Value::from(FRESH) && matches!(value, Value::Number(_))
}
