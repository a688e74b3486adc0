//! A run as the shell makes it: a journal before the first effect, markers with the writes, base last.

use std::collections::BTreeSet;

use lockstep_engine::conflict::Loser;
use lockstep_engine::dataset::{Policy, SideName};
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{BaseChange, Change};
use lockstep_engine::schema::Schema;
use lockstep_engine::table::Table;
use lockstep_engine::value::Row;

use crate::machine::ledger::Ledger;
use crate::machine::replica::Replica;
use crate::machine::undo;

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
    /// Its marker; that of taking it back is the next number.
    pub(crate) marker: u64,
    /// The side said no, or the row was no longer the one that was seen.
    pub(crate) refused: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) change: BaseChange,
    /// Whether the key was, and shall be, known as deleted.
    pub(crate) buried: [bool; 2],
}

#[derive(Clone, Debug)]
pub(crate) struct Journal {
    pub(crate) actions: Vec<Action>,
    pub(crate) moves: Vec<Move>,
    pub(crate) losers: Vec<Loser>,
    pub(crate) policy: Policy,
    pub(crate) schema: Schema,
    /// Both sides before the first effect.
    pub(crate) before: [Vec<Row>; 2],
    /// How often people had edited when it was planned.
    pub(crate) edits: u64,
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
        self.actions += 2;
        Action { side, change, marker: self.actions, refused: false }
    }

    /// Carries the journal out, from wherever it stands; returns whether the run ended.
    pub(crate) fn finish(&mut self, fault: &Fault) -> bool {
        let Some(mut journal) = self.journal.take() else { return true };
        let done = self.steps(&mut journal, fault).is_some();
        if done {
            self.runs.push(journal);
        } else {
            self.journal = Some(journal);
        }
        done
    }

    /// Every step is atomic, and is made once whether or not its answer was heard; `None` when the process died.
    fn steps(&mut self, journal: &mut Journal, fault: &Fault) -> Option<()> {
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
            if action.refused || self.side(action.side).markers.contains(&action.marker) {
                continue;
            }
            step()?;
            if fault.refuse >> (n % 8) & 1 == 1
                || !self.write(action.side, &action.change, action.marker)
            {
                action.refused = true;
            }
        }
        // Half of a key's writes would make the next comparison count what was merged a second time.
        let broken: BTreeSet<Key> = journal
            .actions
            .iter()
            .filter(|action| action.refused)
            .map(|action| action.change.key.clone())
            .collect();
        for action in journal.actions.iter().filter(|action| !action.refused) {
            let back = action.marker + 1;
            let there = self.side(action.side);
            if broken.contains(&action.change.key) && !there.markers.contains(&back) {
                step()?;
                let now = there.read(&journal.schema, 0);
                let taken =
                    undo::taken_back(&journal.schema, &journal.policy, &action.change, &now);
                taken.map(|change| self.write(action.side, &change, back));
            }
        }
        step()?;
        for Move { change, buried } in
            journal.moves.iter().filter(|m| !broken.contains(&m.change.key))
        {
            assert_eq!(self.base.get(&change.key), change.before.as_ref(), "one run at a time");
            self.base.set(change.key.clone(), change.after.clone());
            match buried[1] {
                true => self.tombstones.insert(change.key.clone()),
                false => self.tombstones.remove(&change.key),
            };
        }
        let undone = |key: &Key| {
            let mut actions = journal.actions.iter().filter(|action| action.change.key == *key);
            broken.contains(key)
                && actions.all(|action| {
                    action.refused || self.side(action.side).markers.contains(&(action.marker + 1))
                })
        };
        let losers: Vec<&Loser> =
            journal.losers.iter().filter(|loser| !undone(&loser.key)).collect();
        losers.into_iter().for_each(|loser| self.ledger.record(loser));
        journal.actions.retain(|action| !broken.contains(&action.change.key));
        journal.moves.retain(|m| !broken.contains(&m.change.key));
        Some(())
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
