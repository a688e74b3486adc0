//! The laws over random tables: many keys, several columns with policies of their own, times and origins.

use jiff::Timestamp;
use lockstep_engine::conflict::Lost;
use lockstep_engine::dataset::{
    Clash, ColumnPolicy, DeletePolicy, Deletes, Direction, Granularity, Policy, SideName, Strategy,
};
use lockstep_engine::decision::{Choice, Decision, Decisions};
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{
    ChangeKind, Joined, Presence, Reconciled, Reconciler, Side, reconcile,
};
use lockstep_engine::schema::Schema;
use lockstep_engine::table::Table;
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::{Row, Value};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Strategy as Gen;

use crate::check;
use crate::policies::{self, policies_of_columns};
use crate::world::{World, row, schema};

pub(crate) const COLUMNS: usize = 4;

fn cell() -> impl Gen<Value = Value> + Clone {
    prop_oneof![1 => Just(Value::Null), 6 => (0..4i64).prop_map(Value::from)]
}

/// One table, perturbed twice: what two people make of what they once agreed on.
pub(crate) fn worlds() -> impl Gen<Value = World> {
    let cells = proptest::collection::vec(cell(), COLUMNS);
    let fate = || prop_oneof![4 => Just(0u8), 4 => Just(1u8), 1 => Just(2u8)];
    let edit =
        (fate(), proptest::collection::vec(proptest::option::weighted(0.3, cell()), COLUMNS));
    let one = (proptest::option::weighted(0.8, cells.clone()), cells, edit.clone(), edit);
    proptest::collection::vec(one, 0..6).prop_map(|keys| {
        let mut world = World::default();
        for (n, (base, fresh, left, right)) in keys.into_iter().enumerate() {
            let id = format!("k{n}");
            let key = Key::of(&id);
            let ground = base.clone().unwrap_or(fresh);
            let made = |(fate, edits): (u8, Vec<Option<Value>>)| match fate {
                2 => None,
                0 if base.is_some() => Some(row(&id, &ground)),
                0 => None,
                _ => {
                    let cells = edits
                        .into_iter()
                        .zip(&ground)
                        .map(|(edit, old)| edit.unwrap_or(old.clone()));
                    Some(row(&id, &cells.collect::<Vec<_>>()))
                }
            };
            world.base.set(key.clone(), base.as_ref().map(|base| row(&id, base)));
            world.left.set(key.clone(), made(left));
            world.right.set(key, made(right));
        }
        world
    })
}

pub(crate) fn times() -> impl Gen<Value = Times> {
    let one = proptest::option::weighted(0.8, 0..3i64);
    let side = (
        one.clone(),
        proptest::collection::vec(one, COLUMNS),
        select(vec![None, Some("crm"), Some("erp")]),
    );
    proptest::collection::vec((side.clone(), side), 6).prop_map(|keys| {
        let mut times = Times::default();
        for (n, (left, right)) in keys.into_iter().enumerate() {
            for (side, (at, cells, source)) in [(SideName::Left, left), (SideName::Right, right)] {
                let time = |second: Option<i64>| {
                    second.map(|second| Timestamp::from_second(second).unwrap())
                };
                let origins = times.entry(Key::of(&format!("k{n}")), side);
                origins.row.at = time(at);
                origins.row.source = source.map(Into::into);
                for (column, at) in cells.into_iter().enumerate() {
                    origins.cells.entry(column + 1).or_default().at = time(at);
                }
            }
        }
        times
    })
}

/// Blanks the cells that a side does not have, as a view of a real snapshot does.
fn fitted(mut world: World, policy: &Policy, schema: &Schema) -> World {
    let lacking = |side: Option<SideName>| -> Vec<usize> {
        let here = |name: &String| {
            policy.columns.get(name).and_then(|c| c.only).is_none_or(|only| Some(only) == side)
        };
        (0..schema.columns.len()).filter(|i| !here(&schema.columns[*i].name)).collect()
    };
    let lists = [
        (&mut world.base, None),
        (&mut world.left, Some(SideName::Left)),
        (&mut world.right, Some(SideName::Right)),
    ];
    for (table, side) in lists {
        let rows: Vec<(Key, Row)> =
            table.iter().map(|(key, row)| (key.clone(), row.clone())).collect();
        for (key, mut row) in rows {
            for column in lacking(side) {
                row[column] = Value::Null;
            }
            table.set(key, Some(row));
        }
    }
    world
}

proptest! {
    #![proptest_config(crate::cases())]

    /// Laws 1 to 8 and 11.
    #[test]
    fn the_laws_hold(world in worlds(), policy in policies_of_columns(), times in times()) {
        let schema = schema(COLUMNS);
        let terms = Terms::new(&schema, &policy).unwrap();
        let world = fitted(world, &policy, &schema);
        let checked = check::laws(&world, &policy, &terms, &times);
        check::holds_are_stable(&checked, &terms, &times);
    }

    /// Law 9 and 10, as far as a pure engine can show them: every write is conditional on the row that was seen, and
    /// whichever writes of a run were made before it stopped, planning again from what is there ends the same.
    #[test]
    fn stopping_anywhere_and_planning_again_ends_the_same(
        world in worlds(), policy in policies_of_columns(), times in times(), stop in 0..8usize, right_first in any::<bool>()
    ) {
        let mut policy = policy;
        policy.columns.values_mut().for_each(|column| *column = ColumnPolicy::default());
        let schema = schema(COLUMNS);
        let terms = Terms::new(&schema, &policy).unwrap();
        let result = world.reconcile(&terms, &times);
        let mut undisturbed = world.clone();
        undisturbed.apply(&result);
        let mut stopped = world.clone();
        let sides = if right_first { [SideName::Right, SideName::Left] } else { SideName::BOTH };
        let steps = sides.into_iter().flat_map(|side| result.writes(side).iter().map(move |change| (side, change)));
        for (side, change) in steps.take(stop) {
            prop_assert!(crate::world::write(stopped.side_mut(side), change));
        }
        // A rerun first finishes what the journal holds: every action whose after-image is not there yet.
        let journal = SideName::BOTH.into_iter().flat_map(|side| result.writes(side).iter().map(move |c| (side, c)));
        for (side, change) in journal {
            let done = stopped.side(side).get(&change.key) == change.after.as_ref();
            prop_assert!(done || crate::world::write(stopped.side_mut(side), change));
        }
        for change in &result.base {
            stopped.base.set(change.key.clone(), change.after.clone());
        }
        prop_assert_eq!(&stopped, &undisturbed);
        prop_assert!(stopped.reconcile(&terms, &times).is_quiet());
    }

    /// Law 9 without a journal: what only carries values heals by itself, because sides that agree converge.
    #[test]
    fn carried_values_heal_without_a_journal(
        world in worlds(), times in times(), stop in 0..8usize, right_first in any::<bool>(),
        strategy in select(vec![Strategy::LeftPriority, Strategy::RightPriority, Strategy::ManualReview]),
        deletes in select(vec![Deletes::Delete, policies::mark("status", "inactive")]),
    ) {
        let policy = Policy { strategy, clash: Clash::EditWins, deletes: DeletePolicy::both(deletes), ..Policy::default() };
        let terms = Terms::new(&schema(COLUMNS), &policy).unwrap();
        let result = world.reconcile(&terms, &times);
        let mut undisturbed = world.clone();
        undisturbed.apply(&result);
        let mut stopped = world.clone();
        let sides = if right_first { [SideName::Right, SideName::Left] } else { SideName::BOTH };
        let steps = sides.into_iter().flat_map(|side| result.writes(side).iter().map(move |change| (side, change)));
        for (side, change) in steps.take(stop) {
            crate::world::write(stopped.side_mut(side), change);
        }
        let again = stopped.reconcile(&terms, &times);
        stopped.apply(&again);
        prop_assert_eq!(&stopped, &undisturbed);
    }

    /// Law 11: a decision on the state that was seen ends the conflict, one on another state is refused.
    #[test]
    fn decisions_are_about_a_state(
        world in worlds(), policy in policies_of_columns(), times in times(), take in select(SideName::BOTH.to_vec())
    ) {
        let terms = Terms::new(&schema(COLUMNS), &policy).unwrap();
        let world = fitted(world, &policy, &schema(COLUMNS));
        let result = world.reconcile(&terms, &times);
        let decide = |digest: &str| Decision { digest: digest.into(), choice: Choice::Take(take) };
        let decisions: Decisions = result.conflicts.iter().map(|c| (c.key.clone(), decide(&c.digest))).collect();
        let with = |decisions: &Decisions| -> Reconciled {
            let mut reconciler = Reconciler::new(&terms, &times).decisions(decisions);
            lockstep_engine::reconcile::feed(
                &mut reconciler, Some(&world.base), Side::complete(&world.left), Side::complete(&world.right),
            );
            reconciler.finish()
        };
        let decided = with(&decisions);
        prop_assert!(decided.conflicts.is_empty(), "{:?}", decided.conflicts);
        for conflict in &result.conflicts {
            let winner = world.side(take).get(&conflict.key);
            for cell in &conflict.cells {
                for change in [&decided.left, &decided.right].into_iter().flatten().filter(|c| c.key == conflict.key) {
                    prop_assert_eq!(change.after.as_ref().map(|row| &row[cell.column]), winner.map(|row| &row[cell.column]));
                }
            }
        }
        let stale: Decisions = result.conflicts.iter().map(|c| (c.key.clone(), decide("elsewhere"))).collect();
        let refused = with(&stale);
        prop_assert_eq!(&refused.conflicts, &result.conflicts);
        prop_assert_eq!(&refused.left, &result.left);
        prop_assert_eq!(refused.withheld.len(), result.withheld.len() + stale.len());
    }

    /// Law 11: a conflict closes itself when the sides agree.
    #[test]
    fn conflicts_close_when_the_sides_agree(world in worlds(), policy in policies_of_columns(), times in times()) {
        let terms = Terms::new(&schema(COLUMNS), &policy).unwrap();
        let mut world = fitted(world, &policy, &schema(COLUMNS));
        for conflict in world.reconcile(&terms, &times).conflicts {
            let left = world.left.get(&conflict.key).cloned();
            world.right.set(conflict.key.clone(), left);
        }
        prop_assert!(world.reconcile(&terms, &times).conflicts.is_empty());
    }

    /// Law 12: neither the order of rows nor of columns matters.
    #[test]
    fn order_does_not_matter(world in worlds(), policy in policies_of_columns(), times in times(), seed in any::<u64>()) {
        let schema = schema(COLUMNS);
        let terms = Terms::new(&schema, &policy).unwrap();
        let result = world.reconcile(&terms, &times);
        let mut keys = world.keys();
        keys.sort_by_key(|key| blake(seed, &key.to_string()));
        let mut reconciler = Reconciler::new(&terms, &times);
        for key in &keys {
            let (left, right) = (world.left.get(key), world.right.get(key));
            reconciler.push(&Joined {
                key,
                base: world.base.get(key),
                left: left.map_or(Presence::Absent, Presence::Present),
                left_index: None,
                right: right.map_or(Presence::Absent, Presence::Present),
                right_index: None,
            });
        }
        prop_assert_eq!(reconciler.finish(), result);
    }

    /// Law 13: without a complete read nothing is deleted, marked or forgotten.
    #[test]
    fn absence_proves_nothing_in_a_partial_read(world in worlds(), policy in policies_of_columns(), times in times()) {
        let terms = Terms::new(&schema(COLUMNS), &policy).unwrap();
        let (left, right) = (Side::partial(&world.left), Side::partial(&world.right));
        let result = reconcile(Some(&world.base), left, right, &terms, &times);
        for change in result.left.iter().chain(&result.right) {
            prop_assert!(!matches!(change.kind, ChangeKind::Delete | ChangeKind::Mark | ChangeKind::Insert), "{:?}", change);
        }
        prop_assert!(!result.losers.iter().any(|loser| loser.lost == Lost::Deletion));
    }

    /// Law 14: the undo of a run gives back what was there, and never tramples a later edit.
    #[test]
    fn rollback_is_a_reconciliation(world in worlds(), times in times(), edits in proptest::collection::vec(
        proptest::option::weighted(0.3, (0..COLUMNS, 5..8i64)), 6
    )) {
        let policy = Policy {
            strategy: Strategy::LeftPriority, clash: Clash::EditWins, deletes: DeletePolicy::both(Deletes::Delete),
            ..Policy::default()
        };
        let schema = schema(COLUMNS);
        let terms = Terms::new(&schema, &policy).unwrap();
        let mut after = world.clone();
        after.apply(&world.reconcile(&terms, &times));
        // Base is what the run wrote to the right, left what was there before, right what is there now.
        let mut now = after.right.clone();
        for (n, edit) in edits.iter().enumerate() {
            let key = Key::of(&format!("k{n}"));
            if let (Some((column, value)), Some(mut row)) = (edit, now.get(&key).cloned()) {
                row[column + 1] = (*value).into();
                now.set(key, Some(row));
            }
        }
        let undo_policy = Policy { deletes: DeletePolicy::both(Deletes::Delete), granularity: Granularity::Cell, ..Policy::default() };
        let undo_terms = Terms::new(&schema, &undo_policy).unwrap();
        let undo = World {
            base: after.right.clone(), left: world.right.clone(), right: now.clone(), tombstones: None
        };
        let result = undo.reconcile(&undo_terms, &times);
        let mut undone = undo.clone();
        undone.apply(&result);
        for (n, edit) in edits.iter().enumerate() {
            let key = Key::of(&format!("k{n}"));
            match (edit, now.get(&key)) {
                (Some((column, value)), Some(_)) => {
                    let kept = undone.right.get(&key).map(|row| row[column + 1] == Value::from(*value));
                    prop_assert_eq!(kept, Some(true), "{:?}", result);
                }
                _ => prop_assert_eq!(undone.right.get(&key), world.right.get(&key)),
            }
        }
    }

    /// Law 16: a one-way comparison without a base is a diff, and applying it gives the other table.
    #[test]
    fn one_way_is_diff_and_patch(world in worlds(), times in times()) {
        let policy = Policy {
            direction: Direction::LeftToRight, deletes: DeletePolicy::both(Deletes::Delete), ..Policy::default()
        };
        let terms = Terms::new(&schema(COLUMNS), &policy).unwrap();
        let mut world = World { base: Table::default(), ..world };
        let result = world.reconcile(&terms, &times);
        let left = world.left.clone();
        world.apply(&result);
        prop_assert_eq!(&world.left, &left);
        prop_assert_eq!(&world.right, &left);
        prop_assert_eq!(&world.base, &left);
        prop_assert!(result.left.is_empty() && result.conflicts.is_empty());
    }
}

fn blake(seed: u64, text: &str) -> u64 {
    text.bytes().fold(seed, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3).rotate_left(17)
    })
}
