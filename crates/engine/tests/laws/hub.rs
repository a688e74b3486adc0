//! A hub and its spokes: the order of spokes does not matter, and one spoke is the two-way case.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lockstep_engine::dataset::{
    Clash, ColumnPolicy, Combine, DeletePolicy, Deletes, Direction, Granularity, Policy, SideName,
    Strategy,
};
use lockstep_engine::hub::{HubChoice, HubDecision, HubReconciled, Spoke, reconcile_hub};
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{Change, ChangeKind, Side};
use lockstep_engine::table::Table;
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::{Row, Value};
use proptest::prelude::*;
use proptest::strategy::Strategy as Gen;

use crate::exhaustive::{clocks, triples, world};
use crate::policies;
use crate::world::{row, schema, write};

const KEY: &str = "k";

#[derive(Clone, Debug)]
struct Hub {
    hub: Table,
    /// Name, base, rows, times.
    spokes: Vec<(String, Table, Table, Times)>,
}

impl Hub {
    fn reconcile(&self, terms: &Terms, decisions: &BTreeMap<Key, HubDecision>) -> HubReconciled {
        let spokes: Vec<Spoke<'_>> = self
            .spokes
            .iter()
            .map(|(name, base, rows, times)| Spoke {
                name,
                terms,
                base: Some(base),
                side: Side::complete(rows),
                times,
            })
            .collect();
        reconcile_hub(Side::complete(&self.hub), &spokes, terms, decisions)
    }

    /// Deletions that a run carries keep the time of the one that was decided for: the latest there was.
    fn carry_times(&mut self, result: &HubReconciled) {
        let key = Key::of(KEY);
        let gone = |change: &Change| matches!(change.kind, ChangeKind::Delete | ChangeKind::Mark);
        let mut deleters: Vec<Option<Timestamp>> = Vec::new();
        let at = |times: &Times, side| times.of(&key).and_then(|origins| origins.get(side).row.at);
        for (_, base, rows, times) in &self.spokes {
            if base.get(&key).is_some() && rows.get(&key).is_none() {
                deleters.push(at(times, SideName::Right));
            }
        }
        let hub_at = self.spokes.first().and_then(|(_, _, _, times)| at(times, SideName::Left));
        if self.hub.get(&key).is_none() {
            deleters.push(hub_at);
        }
        let carried =
            deleters.into_iter().collect::<Option<Vec<_>>>().and_then(|at| at.into_iter().max());
        let hub_gone = result.hub.iter().any(gone);
        for ((_, _, _, times), spoke) in self.spokes.iter_mut().zip(&result.spokes) {
            if hub_gone {
                times.entry(key.clone(), SideName::Left).row.at = carried;
            }
            if spoke.changes.iter().any(gone) {
                times.entry(key.clone(), SideName::Right).row.at = carried;
            }
        }
    }

    fn apply(&mut self, result: &HubReconciled) {
        self.carry_times(result);
        for change in &result.hub {
            assert!(write(&mut self.hub, change), "{change:?}");
        }
        for ((_, base, rows, _), spoke) in self.spokes.iter_mut().zip(&result.spokes) {
            for change in &spoke.changes {
                assert!(write(rows, change), "{change:?}");
            }
            for change in &spoke.base {
                assert_eq!(base.get(&change.key), change.before.as_ref());
                base.set(change.key.clone(), change.after.clone());
            }
        }
    }
}

#[test]
fn one_spoke_is_the_two_way_case() {
    let schema = schema(2);
    let step = std::env::var("LAWS_STEP").ok().and_then(|step| step.parse().ok()).unwrap_or(1);
    for policy in policies::all().filter(|policy| policy.direction == Direction::Both).step_by(step)
    {
        let terms = Terms::new(&schema, &policy).unwrap();
        for times in &clocks()[..if crate::exhaustive::looks_at_times(&policy) { 3 } else { 1 }] {
            for triple in triples() {
                let world = world(&triple);
                // Marked on both sides and forgotten: for two sides rows like others, for a hub rows that were deleted.
                let marked = |row: &Option<Row>| {
                    let marks = policy.deletes == policies::deletes()[3];
                    marks && row.as_ref().is_some_and(|row| row[1] == Value::from(2))
                };
                if triple[0].is_none() && marked(&triple[1]) && marked(&triple[2]) {
                    continue;
                }
                let two = world.reconcile(&terms, times);
                let hub = Hub {
                    hub: world.left.clone(),
                    spokes: vec![(
                        "right".into(),
                        world.base.clone(),
                        world.right.clone(),
                        times.clone(),
                    )],
                };
                let result = hub.reconcile(&terms, &BTreeMap::new());
                assert_eq!(result.hub, two.left, "{policy:?}\n{world:?}\n{result:?}");
                assert_eq!(
                    result.spokes[0].changes, two.right,
                    "{policy:?}\n{world:?}\n{result:?}"
                );
                assert_eq!(result.spokes[0].base, two.base, "{policy:?}\n{world:?}\n{result:?}");
                assert_eq!(
                    result.conflicts.len(),
                    two.conflicts.len(),
                    "{policy:?}\n{world:?}\n{result:?}"
                );
                let losers = |losers: &[lockstep_engine::conflict::Loser]| {
                    let mut all: Vec<String> = losers
                        .iter()
                        .map(|l| format!("{} {:?}", l.from.replace("hub", "left"), l.lost))
                        .collect();
                    all.sort();
                    all
                };
                assert_eq!(losers(&result.losers), losers(&two.losers), "{policy:?}\n{world:?}");
            }
        }
    }
}

pub(crate) fn any_row() -> impl Gen<Value = Option<Row>> {
    let cell = prop_oneof![Just(Value::Null), (1..4i64).prop_map(Value::from)];
    proptest::option::weighted(0.8, (cell.clone(), cell).prop_map(|(a, b)| row(KEY, &[a, b])))
}

fn any_hub() -> impl Gen<Value = Hub> {
    let at = || proptest::option::weighted(0.9, 0..3i64);
    let spoke = (any_row(), any_row(), at());
    (any_row(), any_row(), proptest::collection::vec(spoke, 1..4), at()).prop_map(
        |(hub, old, spokes, hub_at)| {
            let table = |row: &Option<Row>| {
                let mut table = Table::default();
                table.set(Key::of(KEY), row.clone());
                table
            };
            let spokes = spokes.iter().enumerate().map(|(n, (base, row, at))| {
                let mut times = Times::default();
                for (side, at) in [(SideName::Left, hub_at), (SideName::Right, *at)] {
                    times.entry(Key::of(KEY), side).row.at =
                        at.map(|at| Timestamp::from_second(at).unwrap());
                }
                // Most spokes last agreed on the same row; some fell behind.
                let base = if n == 2 { base } else { &old };
                (format!("s{n}"), table(base), table(row), times)
            });
            Hub { hub: table(&hub), spokes: spokes.collect() }
        },
    )
}

fn any_policy() -> impl Gen<Value = Policy> {
    let merge = proptest::option::of(prop_oneof![
        Just(Combine::Sum),
        Just(Combine::Max),
        Just(Combine::Min)
    ]);
    (
        proptest::sample::select(Strategy::ALL.to_vec()),
        proptest::sample::select(Clash::ALL.to_vec()),
        proptest::sample::select(vec![Granularity::Row, Granularity::Cell]),
        proptest::sample::select(policies::deletes().to_vec()),
        merge,
        proptest::bool::ANY,
    )
        .prop_map(|(strategy, clash, granularity, deletes, merge, modified)| {
            let column = ColumnPolicy { merge, ..ColumnPolicy::default() };
            let columns = BTreeMap::from([("b".into(), column)]);
            let priorities =
                BTreeMap::from([("s0".into(), 2), ("s1".into(), 1), ("hub".into(), 1)]);
            let modified_at = modified.then(|| "b".to_owned());
            Policy {
                strategy,
                clash,
                granularity,
                deletes,
                columns,
                priorities,
                modified_at,
                ..Policy::default()
            }
        })
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn the_order_of_spokes_does_not_matter(hub in any_hub(), policy in any_policy(), turn in 1..3usize) {
        let terms = Terms::new(&schema(2), &policy).unwrap();
        let result = hub.reconcile(&terms, &BTreeMap::new());
        let mut turned = hub.clone();
        let by = turn % turned.spokes.len();
        turned.spokes.rotate_left(by);
        turned.spokes.reverse();
        let mut other = turned.reconcile(&terms, &BTreeMap::new());
        let mut sorted = result.clone();
        for result in [&mut sorted, &mut other] {
            result.spokes.sort_by(|a, b| a.name.cmp(&b.name));
            result.losers.sort_by_key(|loser| format!("{loser:?}"));
        }
        prop_assert_eq!(sorted, other);
    }

    #[test]
    fn a_hub_converges_and_then_rests(hub in any_hub(), policy in any_policy()) {
        let terms = Terms::new(&schema(2), &policy).unwrap();
        let result = hub.reconcile(&terms, &BTreeMap::new());
        let mut after = hub.clone();
        after.apply(&result);
        let second = after.reconcile(&terms, &BTreeMap::new());
        prop_assert!(second.is_quiet(), "{:?}\nthen {:?}", result, second);
        prop_assert!(second.spokes.iter().all(|spoke| spoke.base.is_empty()), "{:?}\nthen {:?}", result, second);
        let names = |result: &HubReconciled| result.conflicts.iter().map(|c| c.digest.clone()).collect::<Vec<_>>();
        prop_assert_eq!(names(&result), names(&second));
        let ignores = SideName::BOTH.iter().any(|side| *policy.deletes.on(*side) == Deletes::Ignore);
        if result.conflicts.is_empty() && !ignores && policy.deletes != policies::deletes()[3] {
            let mark = |row: &&Row| row[3] != Value::from("inactive");
            let hub = after.hub.get(&Key::of(KEY)).filter(mark);
            for (name, base, rows, _) in &after.spokes {
                prop_assert_eq!(rows.get(&Key::of(KEY)).filter(mark), hub, "{} {:?}", name, result);
                prop_assert_eq!(base.get(&Key::of(KEY)).filter(mark), hub, "{} {:?}", name, result);
            }
        }
    }

    #[test]
    fn a_decision_ends_a_conflict(hub in any_hub(), policy in any_policy()) {
        let terms = Terms::new(&schema(2), &policy).unwrap();
        let result = hub.reconcile(&terms, &BTreeMap::new());
        let Some(conflict) = result.conflicts.first() else { return Ok(()) };
        let shared = |name: &str| conflict.cells.iter().all(|cell| cell.voices.iter().any(|v| &*v.from == name));
        let take = match conflict.changed.first() {
            Some(name) => name.clone(),
            None => match conflict.cells[0].voices.iter().find(|voice| shared(&voice.from)) {
                Some(voice) => voice.from.clone(),
                None => return Ok(()),
            },
        };
        let decision = HubDecision {
            digest: conflict.digest.clone(),
            choice: HubChoice::Take(take),
        };
        let decided = hub.reconcile(&terms, &BTreeMap::from([(Key::of(KEY), decision.clone())]));
        if conflict.changed.is_empty() {
            prop_assert!(decided.conflicts.is_empty(), "{:?}", decided);
        }
        let stale = HubDecision { digest: "elsewhere".into(), ..decision };
        let refused = hub.reconcile(&terms, &BTreeMap::from([(Key::of(KEY), stale)]));
        prop_assert_eq!(&refused.conflicts, &result.conflicts);
        prop_assert_eq!(&refused.hub, &result.hub);
        prop_assert!(!refused.withheld.is_empty());
    }
}

/// A row that a spoke added while the others deleted theirs, where deletions win and are ignored: it stays that spoke's
/// own, is not given to those that deleted it, and is weighed like a new one when the hub has the key again.
#[test]
fn a_new_row_that_lost_to_a_deletion_stays_where_it_is() {
    let table = |a: Option<i64>| {
        let mut table = Table::default();
        table.set(Key::of(KEY), a.map(|a| row(KEY, &[a.into(), Value::Null])));
        table
    };
    let deletes = DeletePolicy::both(Deletes::Ignore);
    let policy = Policy { clash: Clash::DeleteWins, deletes, ..Policy::default() };
    let terms = Terms::new(&schema(2), &policy).unwrap();
    for added in [None, Some(1), Some(2)] {
        let mut new = Table::default();
        let cell = added.map_or(Value::Null, Value::from);
        new.set(Key::of(KEY), Some(row(KEY, &[cell, Value::Null])));
        let spokes = [(Some(1), table(None)), (None, new)];
        let spokes = ["a", "b"]
            .into_iter()
            .zip(spokes)
            .map(|(name, (base, rows))| (name.to_owned(), table(base), rows, Times::default()));
        let mut hub = Hub { hub: table(None), spokes: spokes.collect() };
        let first = hub.reconcile(&terms, &BTreeMap::new());
        assert!(first.is_quiet());
        hub.apply(&first);
        let second = hub.reconcile(&terms, &BTreeMap::new());
        assert!(second.is_quiet() && second.spokes.iter().all(|spoke| spoke.base.is_empty()));
        hub.hub = table(Some(7));
        let third = hub.reconcile(&terms, &BTreeMap::new());
        // A blank is no word against the hub's; every other value is.
        assert_eq!(third.conflicts.len(), usize::from(added.is_some()), "{third:?}");
        assert_eq!(third.spokes[1].changes.len(), usize::from(added.is_none()), "{third:?}");
    }
}

#[test]
fn the_newest_of_three_spokes_wins_in_every_order() {
    let at = |second: i64| {
        let mut times = Times::default();
        times.entry(Key::of(KEY), SideName::Right).row.at =
            Some(Timestamp::from_second(second).unwrap());
        times
    };
    let table = |a: i64| {
        let mut table = Table::default();
        table.set(Key::of(KEY), Some(row(KEY, &[a.into(), Value::Null])));
        table
    };
    let policy = Policy { strategy: Strategy::LatestWins, ..Policy::default() };
    let terms = Terms::new(&schema(2), &policy).unwrap();
    let spokes = [("a", 1, 10), ("b", 2, 30), ("c", 3, 20)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let spokes =
            order.map(|n| (spokes[n].0.to_owned(), table(0), table(spokes[n].1), at(spokes[n].2)));
        let mut hub = Hub { hub: table(0), spokes: spokes.to_vec() };
        let result = hub.reconcile(&terms, &BTreeMap::new());
        hub.apply(&result);
        assert_eq!(hub.hub, table(2));
        assert!(hub.spokes.iter().all(|(_, base, rows, _)| *rows == table(2) && *base == table(2)));
        assert_eq!(result.losers.len(), 2);
    }
}

#[test]
fn sums_add_up_over_all_spokes() {
    let table = |a: i64| {
        let mut table = Table::default();
        table.set(Key::of(KEY), Some(row(KEY, &[a.into(), Value::Null])));
        table
    };
    let column = ColumnPolicy { merge: Some(Combine::Sum), ..ColumnPolicy::default() };
    let policy = Policy { columns: BTreeMap::from([("a".into(), column)]), ..Policy::default() };
    let terms = Terms::new(&schema(2), &policy).unwrap();
    let spoke = |name: &str, a| (name.to_owned(), table(10), table(a), Times::default());
    let mut hub =
        Hub { hub: table(12), spokes: vec![spoke("a", 15), spoke("b", 9), spoke("c", 10)] };
    let result = hub.reconcile(&terms, &BTreeMap::new());
    hub.apply(&result);
    assert_eq!(hub.hub, table(10 + 2 + 5 - 1));
}
