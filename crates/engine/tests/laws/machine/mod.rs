//! People, runs and faults in any order: a state machine over two sides, base and the journal.
//!
//! What a run does around the engine (the order of its journal, markers, settling what a dead run left) is modelled here
//! as the shell does it; what base learns from a run that was half written, and how a run is taken back, are the
//! engine's own [`confirm`](lockstep_engine::confirm) and [`undo`](lockstep_engine::undo).

mod ledger;
mod operations;
mod people;
mod run;
mod stories;
mod sums;
mod undo;

pub(crate) mod replica;

use std::collections::BTreeSet;

use lockstep_engine::conflict::Conflict;
use lockstep_engine::dataset::{
    Clash, DeletePolicy, Deletes, Direction, Drift, Policy, SideName, Strategy,
};
use lockstep_engine::decision::{CellChoice, Choice, Decision, Decisions};
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{
    BaseChange, ChangeKind, Reading, Reconciled, Reconciler, Side, feed,
};
use lockstep_engine::schema::Schema;
use lockstep_engine::table::Table;
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::{Row, Value};
use proptest::prelude::*;
use proptest::strategy::Strategy as Gen;

use crate::check;
use crate::machine::ledger::FRESH;
use crate::machine::operations::{Edit, Operation, Sync};
use crate::machine::run::{Fault, Journal, Store};
use crate::policies::policies_of_columns;
use crate::tables::COLUMNS;
use crate::world::{World, schema};

#[derive(Clone)]
struct Machine {
    store: Store,
    schema: Schema,
    policies: Vec<Policy>,
    decisions: Decisions,
    /// The next value that nobody wrote before.
    fresh: i64,
    /// How often people edited, to know whether they did since.
    edits: u64,
}

impl Machine {
    fn new(policies: Vec<Policy>) -> Machine {
        Machine {
            store: Store::default(),
            schema: schema(COLUMNS),
            policies,
            decisions: Decisions::default(),
            fresh: FRESH,
            edits: 0,
        }
    }

    fn perform(&mut self, operation: &Operation) {
        match operation {
            Operation::Person(edit) => self.edit(edit),
            Operation::Sync(sync) => drop(self.sync(sync)),
            Operation::Decide { nth, how, policy } => self.decide(*nth, *how, *policy),
            Operation::Rollback { nth, fault } => self.rollback(*nth, fault),
        }
        self.check();
    }

    fn terms(&self, policy: usize) -> (Policy, Terms) {
        let policy = self.policies[policy % self.policies.len()].clone();
        let terms = Terms::new(&self.schema, &policy).unwrap();
        (policy, terms)
    }

    fn plan(
        &self,
        terms: &Terms,
        times: &Times,
        left: (&Table, Reading),
        right: (&Table, Reading),
    ) -> Reconciled {
        let sides = [left, right].map(|(rows, reading)| {
            let complete = Side::complete(rows);
            Side { reading: reading.max(complete.reading), ..complete }
        });
        let mut reconciler = Reconciler::new(terms, times)
            .readings(sides[0].reading, sides[1].reading)
            .tombstones(&self.store.tombstones)
            .decisions(&self.decisions);
        feed(&mut reconciler, Some(&self.store.base), sides[0], sides[1]);
        reconciler.finish()
    }

    /// Recovers, reads, plans and applies; returns the plan that was carried out to its end.
    fn sync(&mut self, sync: &Sync) -> Option<Reconciled> {
        self.store.recover();
        let (policy, terms) = self.terms(sync.policy);
        let times = if sync.timed { self.store.ledger.times() } else { Times::default() };
        let lost = |side: SideName| match sync.lost {
            Some((of, mask)) if of == side => (mask, Reading::Partial),
            _ => (0, Reading::Complete),
        };
        let [left, right] = SideName::BOTH.map(|side| {
            let (mask, reading) = lost(side);
            (self.store.side(side).read(&self.schema, mask), reading)
        });
        let plan = self.plan(&terms, &times, (&left.0, left.1), (&right.0, right.1));
        absence_proves_nothing(&plan, [(&left.0, left.1), (&right.0, right.1)]);
        let whole = |table: &Table| table.duplicates().is_empty() && table.blank() == 0;
        let whole = sync.lost.is_none() && whole(&left.0) && whole(&right.0);
        if whole {
            let world = World {
                base: self.store.base.clone(),
                left: left.0,
                right: right.0,
                tombstones: Some(self.store.tombstones.clone()),
            };
            check::laws(&world, &policy, &terms, &times);
        }
        self.journal(&plan, &policy, sync.right_first);
        let mut undisturbed = self.store.clone();
        undisturbed.finish(&Fault { crash: None, ..sync.fault.clone() });
        if let Some(edit) = &sync.race {
            self.edit(edit);
        }
        if !self.store.finish(&sync.fault) {
            if whole && sync.race.is_none() && sync.fault.refuse == 0 {
                self.rerun_ends_the_same(sync, &undisturbed, &plan);
            }
            return None;
        }
        self.base_is_what_both_had();
        if whole && sync.race.is_none() && sync.fault.refuse == 0 {
            self.rests(&terms, &times, &plan);
        }
        Some(plan)
    }

    fn journal(&mut self, plan: &Reconciled, policy: &Policy, right_first: bool) {
        let order = if right_first { [SideName::Right, SideName::Left] } else { SideName::BOTH };
        let changes = order.into_iter().flat_map(|side| {
            plan.writes(side).iter().map(move |change| (side, change.clone())).collect::<Vec<_>>()
        });
        let actions = changes.map(|(side, change)| self.store.action(side, change)).collect();
        let (losers, policy) = (plan.losers.clone(), policy.clone());
        self.store.journal = Some(Journal {
            actions,
            moves: plan.base.clone(),
            losers,
            policy,
            before: self.store.sides(),
            edits: self.edits,
            broken: BTreeSet::new(),
        });
    }

    /// Law 9: what a rerun makes of a run that died is what the run would have made, if nobody interferes.
    fn rerun_ends_the_same(&self, sync: &Sync, undisturbed: &Store, plan: &Reconciled) {
        let mut rerun = self.clone();
        let calm = Sync { fault: Fault::default(), ..sync.clone() };
        let again = rerun.sync(&calm).unwrap();
        let seen = |store: &Store| (store.sides(), store.base.clone(), store.tombstones.clone());
        assert_eq!(seen(&rerun.store), seen(undisturbed), "{plan:?}\nthen {again:?}");
    }

    /// Law 8, as far as history can tell: what base learned under a direction that goes both ways, both sides had.
    fn base_is_what_both_had(&self) {
        let Some(run) = self.store.runs.last() else { return };
        let whole = |change: &&BaseChange| !run.broken.contains(&change.key);
        for BaseChange { key, before, after } in run.moves.iter().filter(whole) {
            for column in 1..=COLUMNS {
                let name = &self.schema.columns[column].name;
                let own = run.policy.columns.get(name).and_then(|column| column.direction);
                let value = after.as_ref().map(|row| &row[column]);
                let moved = value != before.as_ref().map(|row| &row[column]);
                if let (Some(value), true, Direction::Both) =
                    (value, moved, own.unwrap_or(run.policy.direction))
                {
                    assert!(
                        self.store.ledger.both_had((key.clone(), column), value),
                        "{key} {name} {value:?}"
                    );
                }
            }
        }
    }

    /// Laws 3 and 11: after a run that nothing disturbed there is nothing to do, and what was held is held.
    fn rests(&self, terms: &Terms, times: &Times, plan: &Reconciled) {
        let [left, right] = SideName::BOTH.map(|side| self.store.side(side).read(&self.schema, 0));
        let again =
            self.plan(terms, times, (&left, Reading::Complete), (&right, Reading::Complete));
        assert!(
            again.is_quiet() && again.base.is_empty() && again.losers.is_empty(),
            "{plan:?}\nthen {again:?}"
        );
        let names =
            |plan: &Reconciled| plan.conflicts.iter().map(|c| c.digest.clone()).collect::<Vec<_>>();
        assert_eq!(names(&again), names(plan));
    }

    /// A person looks at what waits and decides one of the conflicts; the word counts at the next run.
    fn decide(&mut self, nth: usize, how: u8, policy: usize) {
        let (_, terms) = self.terms(policy);
        let [left, right] = SideName::BOTH.map(|side| self.store.side(side).read(&self.schema, 0));
        let times = self.store.ledger.times();
        let decisions = std::mem::take(&mut self.decisions);
        let plan =
            self.plan(&terms, &times, (&left, Reading::Complete), (&right, Reading::Complete));
        self.decisions = decisions;
        let conflicts: Vec<&Conflict> = plan.conflicts.iter().collect();
        let Some(conflict) = (!conflicts.is_empty()).then(|| conflicts[nth % conflicts.len()])
        else {
            return;
        };
        let choice = match how % 6 {
            0 => Choice::Take(SideName::Left),
            1 => Choice::Take(SideName::Right),
            2 => Choice::By(Strategy::LatestWins),
            3 => Choice::By(Strategy::RightPriority),
            how => {
                let value = Value::from(i64::from(how));
                let choices =
                    [CellChoice::Base, CellChoice::Value(value), CellChoice::Take(SideName::Left)];
                let cells =
                    conflict.cells.iter().zip(choices.into_iter().cycle().skip(usize::from(how)));
                Choice::Cells(cells.map(|(cell, choice)| (cell.column, choice)).collect())
            }
        };
        self.decisions
            .insert(conflict.key.clone(), Decision { digest: conflict.digest.clone(), choice });
    }

    fn rollback(&mut self, nth: usize, fault: &Fault) {
        self.store.recover();
        if self.store.runs.is_empty() {
            return;
        }
        let at = self.store.runs.len() - 1 - nth % self.store.runs.len();
        let run = self.store.runs.remove(at);
        let last = at == self.store.runs.len();
        self.store.journal = Some(undo::plan(&mut self.store, &self.schema, &run, self.edits));
        if self.store.finish(fault) && last && run.edits == self.edits && fault.refuse == 0 {
            assert_eq!(self.store.sides(), run.before, "{run:?}");
        }
    }

    /// What holds after every step.
    fn check(&self) {
        let store = &self.store;
        let waiting = store.journal.iter().flat_map(|journal| &journal.losers);
        store.ledger.check(store.left.rows.iter().chain(&store.right.rows), waiting);
    }

    /// People clean up, nothing goes wrong any more: both sides and base become the same.
    fn settle_down(&mut self) {
        for side in SideName::BOTH {
            self.store.side_mut(side).rows.retain(|row| !row[0].is_null());
            let rows: Vec<Row> = self.store.side(side).rows.clone();
            let ids: BTreeSet<&Value> = rows.iter().map(|row| &row[0]).collect();
            let mut extra: Vec<&Value> = rows.iter().map(|row| &row[0]).collect();
            for id in ids {
                extra.remove(extra.iter().position(|other| *other == id).unwrap());
            }
            for id in extra {
                self.edit(&Edit::Delete {
                    side,
                    key: id.to_string().trim_start_matches('k').parse().unwrap(),
                });
            }
        }
        self.policies.push(Policy {
            strategy: Strategy::LeftPriority,
            clash: Clash::EditWins,
            drift: Drift::Overwrite,
            deletes: DeletePolicy::both(Deletes::Delete),
            ..Policy::default()
        });
        let last = Sync { policy: self.policies.len() - 1, ..Sync::default() };
        let plan = self.sync(&last).unwrap();
        self.check();
        assert!(
            plan.conflicts.is_empty()
                && plan.withheld.iter().all(|w| self.decisions.contains_key(&w.key))
        );
        let [left, right] = SideName::BOTH.map(|side| self.store.side(side).read(&self.schema, 0));
        assert_eq!(left.iter().collect::<Vec<_>>(), right.iter().collect::<Vec<_>>(), "{plan:?}");
        assert_eq!(
            left.iter().collect::<Vec<_>>(),
            self.store.base.iter().collect::<Vec<_>>(),
            "{plan:?}"
        );
    }
}

/// Law 13: a row that was not seen is not written, deleted, marked or forgotten for that.
fn absence_proves_nothing(plan: &Reconciled, sides: [(&Table, Reading); 2]) {
    for (rows, reading) in sides {
        let unseen = |key: &Key| match reading {
            _ if rows.duplicates().contains(key) => true,
            Reading::Partial => rows.get(key).is_none(),
            _ => false,
        };
        for change in plan.left.iter().chain(&plan.right) {
            assert!(!unseen(&change.key), "{change:?}");
            let gone = rows.blank() > 0 && rows.get(&change.key).is_none();
            assert!(
                !gone || !matches!(change.kind, ChangeKind::Delete | ChangeKind::Mark),
                "{change:?}"
            );
        }
        for change in &plan.base {
            assert!(!unseen(&change.key), "{change:?}");
            assert!(
                rows.blank() == 0 || rows.get(&change.key).is_some() || change.before.is_none(),
                "{change:?}"
            );
        }
    }
}

fn policies() -> impl Gen<Value = Vec<Policy>> {
    // Which columns a side has does not change from run to run.
    let policy = policies_of_columns().prop_map(|mut policy| {
        policy.columns.values_mut().for_each(|column| column.only = None);
        policy
    });
    proptest::collection::vec(policy, 1..4)
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn nothing_is_lost_whatever_happens(policies in policies(), operations in operations::operations()) {
        let mut machine = Machine::new(policies);
        for operation in &operations {
            machine.perform(operation);
        }
        machine.settle_down();
    }
}
