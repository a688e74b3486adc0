//! A run as the shell makes it: a journal before the first effect, markers with the writes, base last; what a dead run
//! left open is settled by its markers, and nothing is replayed.

use std::collections::BTreeSet;

use lockstep_engine::confirm::{Made, confirmed};
use lockstep_engine::conflict::Loser;
use lockstep_engine::dataset::{Policy, SideName};
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{BaseChange, Change};
use lockstep_engine::table::Table;
use lockstep_engine::value::Row;

use crate::machine::ledger::Ledger;
use crate::machine::replica::Replica;

/// What is durable: both sides, base with its tombstones, and the journal of a run that has not ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) left: Replica,
    pub(crate) right: Replica,
    pub(crate) base: Table,
    pub(crate) tombstones: BTreeSet<Key>,
    pub(crate) journal: Option<Journal>,
    /// Runs that ended, for those who take them back.
    pub(crate) runs: Vec<Journal>,
    pub(crate) ledger: Ledger,
    pub(crate) actions: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) side: SideName,
    pub(crate) change: Change,
    pub(crate) marker: u64,
    /// The side said no, the row was no longer the one that was seen, or the process died before.
    pub(crate) missing: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Journal {
    pub(crate) actions: Vec<Action>,
    /// What base shall learn; of a run that ended, what it did learn.
    pub(crate) moves: Vec<BaseChange>,
    pub(crate) losers: Vec<Loser>,
    pub(crate) policy: Policy,
    /// Both sides before the first effect.
    pub(crate) before: [Vec<Row>; 2],
    /// How often people had edited when it was planned.
    pub(crate) edits: u64,
    /// The keys of which not every write was made.
    pub(crate) broken: BTreeSet<Key>,
}

/// What goes wrong while a journal is carried out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fault {
    /// The process dies after so many steps.
    pub(crate) crash: Option<u8>,
    /// The writes that the sides refuse, by number.
    pub(crate) refuse: u8,
}

impl Store {
    pub(crate) fn side(&self, side: SideName) -> &Replica {
        match side {
            SideName::Left => &self.left,
            SideName::Right => &self.right,
        }
    }

    pub(crate) fn side_mut(&mut self, side: SideName) -> &mut Replica {
        match side {
            SideName::Left => &mut self.left,
            SideName::Right => &mut self.right,
        }
    }

    pub(crate) fn sides(&self) -> [Vec<Row>; 2] {
        [self.left.sorted(), self.right.sorted()]
    }

    pub(crate) fn action(&mut self, side: SideName, change: Change) -> Action {
        self.actions += 1;
        Action { side, change, marker: self.actions, missing: false }
    }

    /// Carries out the journal of a run that begins; returns whether the run came to its end.
    pub(crate) fn finish(&mut self, fault: &Fault) -> bool {
        let Some(mut journal) = self.journal.take() else { return true };
        let done = self.send(&mut journal, fault).is_some();
        match done {
            true => self.close(journal),
            false => self.journal = Some(journal),
        }
        done
    }

    /// Settles what a run that died left open: what has no marker was not written and never will be.
    pub(crate) fn recover(&mut self) {
        let Some(mut journal) = self.journal.take() else { return };
        for action in &mut journal.actions {
            action.missing = !self.side(action.side).markers.contains(&action.marker);
        }
        self.close(journal);
    }

    /// Sends every write once; each leaves its marker or does nothing. `None` when the process died.
    fn send(&mut self, journal: &mut Journal, fault: &Fault) -> Option<()> {
        let mut left = fault.crash;
        let mut step = || match &mut left {
            Some(0) => None,
            Some(n) => {
                *n -= 1;
                Some(())
            }
            None => Some(()),
        };
        for (n, action) in journal.actions.iter_mut().enumerate() {
            step()?;
            let refused = fault.refuse >> (n % 8) & 1 == 1;
            action.missing = refused || !self.write(action.side, &action.change, action.marker);
        }
        step()
    }

    /// Base learns what was confirmed, in one transaction with the end of the run.
    fn close(&mut self, mut journal: Journal) {
        let made = journal.actions.iter().map(|one| Made::new(&one.change, !one.missing));
        journal.moves = confirmed(std::mem::take(&mut journal.moves), made);
        for change in &journal.moves {
            assert_eq!(self.base.get(&change.key), change.before.as_ref(), "one run at a time");
            self.base.set(change.key.clone(), change.after.clone());
            match change.after {
                None => self.tombstones.insert(change.key.clone()),
                Some(_) => self.tombstones.remove(&change.key),
            };
        }
        // A key of which nothing was written is compared afresh, and then again something may lose.
        let untouched = |key: &Key| {
            let mut actions =
                journal.actions.iter().filter(|one| one.change.key == *key).peekable();
            actions.peek().is_some() && actions.all(|one| one.missing)
        };
        let losers = journal.losers.iter().filter(|loser| !untouched(&loser.key));
        losers.for_each(|loser| self.ledger.record(loser));
        let missing = journal.actions.iter().filter(|one| one.missing);
        journal.broken = missing.map(|one| one.change.key.clone()).collect();
        journal.actions.retain(|one| !one.missing);
        self.runs.push(journal);
    }

    fn write(&mut self, side: SideName, change: &Change, marker: u64) -> bool {
        let written = self.side_mut(side).write(change, marker);
        if written {
            let other = self.side(side.other());
            let other = other.find(&change.key).map(|at| other.rows[at].clone());
            self.ledger.carried(side, change, other.as_ref());
        }
        written
    }
}
