//! Base, left and right each absent or one of nine two-column rows: 1,000 triples, under every policy.

use std::collections::BTreeMap;

use lockstep_engine::class::Class;
use lockstep_engine::dataset::{DeletePolicy, Deletes, Policy, SideName};
use lockstep_engine::key::Key;
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::{Row, Value};

use crate::check;
use crate::policies;
use crate::world::{World, row, schema};

const KEY: &str = "k";

fn rows() -> Vec<Option<Row>> {
    let values = [Value::Null, Value::from(1), Value::from(2)];
    let mut rows = vec![None];
    for a in &values {
        rows.extend(values.iter().map(|b| Some(row(KEY, &[a.clone(), b.clone()]))));
    }
    rows
}

pub(crate) fn triples() -> impl Iterator<Item = [Option<Row>; 3]> {
    let triple =
        |n: usize| [rows()[n / 100].clone(), rows()[n / 10 % 10].clone(), rows()[n % 10].clone()];
    (0..1000).map(triple)
}

pub(crate) fn world([base, left, right]: &[Option<Row>; 3]) -> World {
    let mut world = World::default();
    for (table, row) in
        [(&mut world.base, base), (&mut world.left, left), (&mut world.right, right)]
    {
        table.set(Key::of(KEY), row.clone());
    }
    world
}

/// Left first or right first, or nothing known.
pub(crate) fn clocks() -> [Times; 3] {
    let at = |left: i64, right: i64| {
        let mut times = Times::default();
        for (side, second) in [(SideName::Left, left), (SideName::Right, right)] {
            times.entry(Key::of(KEY), side).row.at =
                Some(jiff::Timestamp::from_second(second).unwrap());
            for column in 1..4 {
                let origin = times.entry(Key::of(KEY), side).cells.entry(column).or_default();
                origin.at = Some(jiff::Timestamp::from_second(second).unwrap());
            }
        }
        times
    };
    [at(100, 200), at(100, 100), Times::default()]
}

#[test]
fn the_classes_and_their_numbers_are_those_of_the_table() {
    let policy = Policy { deletes: DeletePolicy::both(Deletes::Delete), ..Policy::default() };
    let terms = Terms::new(&schema(2), &policy).unwrap();
    let mut counts: BTreeMap<Class, u64> = BTreeMap::new();
    for triple in triples() {
        let world = world(&triple);
        let [base, left, right] = &triple;
        let expected = check::class_by_table(base.as_ref(), left.as_ref(), right.as_ref());
        let result = world.reconcile(&terms, &Times::default());
        if expected == Class::Absent {
            assert!(result.counts.classes.is_empty());
        } else {
            assert_eq!(result.counts.classes, BTreeMap::from([(expected, 1)]), "{triple:?}");
        }
        *counts.entry(expected).or_default() += 1;
    }
    let expected = [
        (Class::Absent, 1),
        (Class::InSync, 9),
        (Class::ConvergentAdd, 9),
        (Class::ConvergentModify, 72),
        (Class::ConvergentDelete, 9),
        (Class::LeftAdd, 9),
        (Class::RightAdd, 9),
        (Class::LeftModify, 72),
        (Class::RightModify, 72),
        (Class::LeftDelete, 9),
        (Class::RightDelete, 9),
        (Class::DivergentAdd, 72),
        (Class::CellMerge, 216),
        (Class::DivergentModify, 288),
        (Class::DeleteModify, 72),
        (Class::ModifyDelete, 72),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
}

#[test]
fn every_law_under_every_policy() {
    let schema = schema(2);
    let clocks = clocks();
    let mut cases = 0;
    // Every policy, unless a run that repeats all tests many times (the check by mutations) asks for every n-th.
    let step = std::env::var("LAWS_STEP").ok().and_then(|step| step.parse().ok()).unwrap_or(1);
    for policy in policies::all().step_by(step) {
        let terms = Terms::new(&schema, &policy).unwrap();
        for triple in triples() {
            let world = world(&triple);
            // A clock can only matter where a strategy or a clash looks at it.
            for times in clocks.iter().skip(if looks_at_times(&policy) { 0 } else { 2 }) {
                let checked = check::laws(&world, &policy, &terms, times);
                check::holds_are_stable(&checked, &terms, times);
                cases += 1;
            }
        }
    }
    assert!(cases > 500_000 / step, "{cases}");
}

pub(crate) fn looks_at_times(policy: &Policy) -> bool {
    use lockstep_engine::dataset::{Clash, Strategy};
    let timed = [
        Strategy::LatestWins,
        Strategy::FieldByField,
        Strategy::PriorityBased,
        Strategy::AutomaticMerge,
    ];
    policy.clash == Clash::Later || timed.contains(&policy.strategy)
}
