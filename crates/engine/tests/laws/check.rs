//! The laws that hold for every comparison, as assertions.
//!
//! They are written against the rows before and after, without a look at how the engine decides.

use std::collections::BTreeSet;

use lockstep_engine::class::{Class, Outcome};
use lockstep_engine::conflict::{Conflict, Lost};
use lockstep_engine::dataset::{Deletes, Direction, Granularity, Policy, SideName};
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::Reconciled;
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::{Row, Value};

use crate::world::World;

pub(crate) struct Checked {
    pub(crate) result: Reconciled,
    pub(crate) after: World,
}

/// Reconciles and checks every law that one comparison and the one after it can show.
pub(crate) fn laws(world: &World, policy: &Policy, terms: &Terms, times: &Times) -> Checked {
    let result = world.reconcile(terms, times);
    let mut after = world.clone();
    after.apply(&result);
    let checked = Checked { result, after };
    one_class_each(world, policy, &checked);
    converges(policy, &checked, terms);
    second_plan_is_empty(&checked, terms, times);
    mirrors(world, policy, times, &checked, terms);
    invents_nothing(world, policy, &checked, terms);
    loses_nothing_silently(world, policy, &checked, terms);
    one_sided_edits_survive(world, policy, &checked, terms);
    base_is_what_both_have(world, &checked, policy, terms);
    holds_do_not_move(world, policy, &checked);
    checked
}

fn shared(terms: &Terms, policy: &Policy) -> Vec<usize> {
    let schema = terms.schema();
    let both = |name: &str| policy.columns.get(name).is_none_or(|column| column.only.is_none());
    (0..schema.columns.len())
        .filter(|i| !schema.key.contains(i) && both(&schema.columns[*i].name))
        .collect()
}

fn direction(terms: &Terms, policy: &Policy, column: usize) -> Direction {
    let name = &terms.schema().columns[column].name;
    policy.columns.get(name).and_then(|column| column.direction).unwrap_or(policy.direction)
}

pub(crate) fn is_marked(terms: &Terms, policy: &Policy, side: SideName, row: &Row) -> bool {
    mark_of(terms, policy, side, row).is_some()
}

/// The column that says that the row counts as deleted; taking that back loses no one's data.
fn mark_of(terms: &Terms, policy: &Policy, side: SideName, row: &Row) -> Option<usize> {
    match policy.deletes.on(side) {
        Deletes::Mark { column: Some(column), value } => {
            let index = terms.schema().position(column).unwrap();
            (row[index] == terms.schema().columns[index].ty.parse(value).unwrap()).then_some(index)
        }
        _ => None,
    }
}

/// Law 1.
fn one_class_each(world: &World, policy: &Policy, checked: &Checked) {
    let keys = world.keys().len() as u64;
    let counts = &checked.result.counts;
    assert_eq!(counts.classes.values().sum::<u64>(), keys, "{policy:?}");
    assert_eq!(counts.outcomes.values().sum::<u64>(), keys, "{policy:?}");
    for (counted, writes) in
        [(&counts.left, &checked.result.left), (&counts.right, &checked.result.right)]
    {
        for (kind, n) in counted {
            assert_eq!(writes.iter().filter(|change| change.kind == *kind).count() as u64, *n);
        }
        assert_eq!(counted.values().sum::<u64>(), writes.len() as u64);
    }
    // In each list a key occurs once, except in those of single cells.
    for list in [&checked.result.left, &checked.result.right] {
        let keys: BTreeSet<&Key> = list.iter().map(|change| &change.key).collect();
        assert_eq!(keys.len(), list.len());
    }
}

/// The keys for which something was left as it is.
fn open(checked: &Checked) -> BTreeSet<Key> {
    let result = &checked.result;
    let held = result.conflicts.iter().map(|conflict| &conflict.key);
    held.chain(result.drift.iter().map(|drift| &drift.key))
        .chain(result.withheld.iter().map(|w| &w.key))
        .cloned()
        .collect()
}

/// Law 2: where nothing was held, both sides and base are the same afterwards.
fn converges(policy: &Policy, checked: &Checked, terms: &Terms) {
    let counts = &checked.result.counts.outcomes;
    // Deletions that are not carried out and drift that is kept stay open on purpose, without a record each.
    if counts.contains_key(&Outcome::Ignored)
        || policy.drift == lockstep_engine::dataset::Drift::Keep
    {
        return;
    }
    let open = open(checked);
    let after = &checked.after;
    for key in after.keys().iter().filter(|key| !open.contains(*key)) {
        let live = |side: SideName| {
            let row = after.side(side).get(key)?;
            let there =
                after.side(side.other()).get(key).is_some() && after.base.get(key).is_some();
            (there || !is_marked(terms, policy, side, row)).then_some(row)
        };
        let rows = [after.base.get(key), live(SideName::Left), live(SideName::Right)];
        let seen = rows.map(|row| {
            row.map(|row| {
                shared(terms, policy).into_iter().map(|i| row[i].clone()).collect::<Vec<_>>()
            })
        });
        assert!(
            seen[0] == seen[1] && seen[1] == seen[2],
            "{key}: {seen:?}\n{policy:?}\n{:?}",
            checked.result
        );
    }
}

/// Law 3.
fn second_plan_is_empty(checked: &Checked, terms: &Terms, times: &Times) {
    let second = checked.after.reconcile(terms, times);
    assert!(second.is_quiet(), "first {:?}\nsecond {second:?}", checked.result);
    assert!(second.base.is_empty(), "first {:?}\nsecond {second:?}", checked.result);
    assert!(second.losers.is_empty(), "{second:?}");
}

/// Law 4: compares everything but the reasons, which name the sides.
fn mirrors(world: &World, policy: &Policy, times: &Times, checked: &Checked, terms: &Terms) {
    let mirrored_terms = Terms::new(terms.schema(), &policy.mirrored()).unwrap();
    let mirrored = world.mirrored().reconcile(&mirrored_terms, &times.mirrored());
    let result = &checked.result;
    assert_eq!(mirrored.left, result.right, "{policy:?}\n{world:?}");
    assert_eq!(mirrored.right, result.left, "{policy:?}\n{world:?}");
    assert_eq!(mirrored.base, result.base, "{policy:?}\n{world:?}");
    let classes = result.counts.classes.iter().map(|(class, n)| (class.mirrored(), *n)).collect();
    assert_eq!(mirrored.counts.classes, classes);
    assert_eq!(mirrored.counts.outcomes, result.counts.outcomes);
    let cells = |conflict: &Conflict| -> Vec<(usize, Value, BTreeSet<Value>)> {
        let cell = |cell: &lockstep_engine::conflict::CellConflict| {
            (
                cell.column,
                cell.base.clone(),
                BTreeSet::from([cell.left.clone(), cell.right.clone()]),
            )
        };
        conflict.cells.iter().map(cell).collect()
    };
    assert_eq!(mirrored.conflicts.len(), result.conflicts.len());
    for (a, b) in mirrored.conflicts.iter().zip(&result.conflicts) {
        assert_eq!((&a.key, &a.base, &a.left, &a.right), (&b.key, &b.base, &b.right, &b.left));
        assert_eq!(cells(a), cells(b));
    }
    let losers = |result: &Reconciled, swap: bool| -> BTreeSet<String> {
        let flip = |from: &str| match (swap, from) {
            (true, "left") => "right".to_owned(),
            (true, "right") => "left".to_owned(),
            _ => from.to_owned(),
        };
        let one = |l: &lockstep_engine::conflict::Loser| {
            format!("{} {} {:?} {:?}", l.key, flip(&l.from), l.at, l.lost)
        };
        result.losers.iter().map(one).collect()
    };
    assert_eq!(losers(&mirrored, true), losers(result, false));
}

/// Law 5: only marks, blanks of cleared marks and combined values were on neither side.
fn invents_nothing(world: &World, policy: &Policy, checked: &Checked, terms: &Terms) {
    for side in SideName::BOTH {
        for change in checked.result.writes(side) {
            let Some(after) = &change.after else { continue };
            for (index, value) in after.iter().enumerate() {
                let name = &terms.schema().columns[index].name;
                let combined =
                    policy.columns.get(name).is_some_and(|column| column.merge.is_some());
                let known = SideName::BOTH.iter().any(|side| {
                    world.side(*side).get(&change.key).is_some_and(|row| row[index] == *value)
                });
                let marking = is_marked(terms, policy, side, after);
                let calculated = policy.rules.iter().any(|rule| rule.expression.is_some());
                assert!(
                    known || combined || marking || calculated || value.is_null(),
                    "{name} of {change:?}\n{policy:?}"
                );
            }
        }
    }
}

/// Law 6.
fn loses_nothing_silently(world: &World, policy: &Policy, checked: &Checked, terms: &Terms) {
    for key in world.keys() {
        let base = world.base.get(&key);
        for side in SideName::BOTH {
            let (before, after) = (world.side(side).get(&key), checked.after.side(side).get(&key));
            let lost = |wanted: &dyn Fn(&Lost) -> bool| {
                checked
                    .result
                    .losers
                    .iter()
                    .any(|l| l.key == key && &*l.from == side.as_str() && wanted(&l.lost))
            };
            match (base, before) {
                (Some(_), None) if after.is_some() => {
                    assert!(lost(&|lost| *lost == Lost::Deletion), "{key} {side}")
                }
                (_, Some(row)) => {
                    for (index, value) in row.iter().enumerate() {
                        let old = base.map_or(&Value::Null, |base| &base[index]);
                        let kept = after.is_some_and(|after| after[index] == *value);
                        if !shared(terms, policy).contains(&index)
                            || value == old
                            || kept
                            || mark_of(terms, policy, side, row) == Some(index)
                        {
                            continue;
                        }
                        let recorded = lost(&|lost| match lost {
                            Lost::Cell { column, value: v } => *column == index && v == value,
                            Lost::Row(row) => row[index] == *value,
                            Lost::Deletion => false,
                        });
                        assert!(
                            recorded,
                            "{key} {side} column {index} value {value:?}: {:?}",
                            checked.result
                        );
                    }
                }
                _ => {}
            }
        }
    }
}

/// Law 7: a cell that one side alone changed is on both sides afterwards, or at least still on its own.
fn one_sided_edits_survive(world: &World, policy: &Policy, checked: &Checked, terms: &Terms) {
    for key in world.keys() {
        let (Some(base), Some(left), Some(right)) =
            (world.base.get(&key), world.left.get(&key), world.right.get(&key))
        else {
            continue;
        };
        let held = checked.result.conflicts.iter().any(|conflict| conflict.key == key);
        for index in shared(terms, policy) {
            if direction(terms, policy, index) != Direction::Both {
                continue;
            }
            let (edited, value) = match (left[index] != base[index], right[index] != base[index]) {
                (true, false) => (SideName::Left, &left[index]),
                (false, true) => (SideName::Right, &right[index]),
                _ => continue,
            };
            let on = |side: SideName| {
                checked.after.side(side).get(&key).is_some_and(|row| row[index] == *value)
            };
            assert!(on(edited), "{key} column {index}\n{policy:?}");
            // A rule that did not decide looks at the cell, so it waits with the one in dispute; and with what only
            // waits for that one waits the time that may decide it.
            let name = &terms.schema().columns[index].name;
            let looks = |what: &str| {
                policy.rules.iter().any(|rule| {
                    rule.when.iter().chain(&rule.expression).any(|text| text.contains(what))
                })
            };
            let looked_at = looks(&format!(".{name}"))
                || (policy.modified_at.as_ref() == Some(name) && looks("."));
            if !held || policy.granularity == Granularity::Cell && !looked_at {
                assert!(
                    on(edited.other()),
                    "{key} column {index}\n{policy:?}\n{:?}",
                    checked.result
                );
            }
        }
    }
}

/// Law 8: every cell that base learns is what both sides have, once their writes are made.
fn base_is_what_both_have(world: &World, checked: &Checked, policy: &Policy, terms: &Terms) {
    for change in &checked.result.base {
        let after = &checked.after;
        let rows = [after.left.get(&change.key), after.right.get(&change.key)];
        match &change.after {
            None => {
                let live = |side: SideName| {
                    after
                        .side(side)
                        .get(&change.key)
                        .is_some_and(|row| !is_marked(terms, policy, side, row))
                };
                assert!(!live(SideName::Left) && !live(SideName::Right), "{change:?}\n{policy:?}");
            }
            Some(new) => {
                for index in shared(terms, policy) {
                    let old = world.base.get(&change.key).map_or(&Value::Null, |base| &base[index]);
                    if new[index] != *old && direction(terms, policy, index) == Direction::Both {
                        for row in rows {
                            assert_eq!(
                                row.map(|row| &row[index]),
                                Some(&new[index]),
                                "{change:?}\n{policy:?}"
                            );
                        }
                    }
                }
            }
        }
    }
}

/// Law 11: what is held does not move, and is held in the same state again.
fn holds_do_not_move(world: &World, policy: &Policy, checked: &Checked) {
    for conflict in &checked.result.conflicts {
        let key = &conflict.key;
        if policy.granularity == Granularity::Row || conflict.cells.is_empty() {
            assert_eq!(world.left.get(key), checked.after.left.get(key));
            assert_eq!(world.right.get(key), checked.after.right.get(key));
            assert_eq!(world.base.get(key), checked.after.base.get(key));
        }
        for cell in &conflict.cells {
            let at = |row: Option<&Row>| row.map_or(Value::Null, |row| row[cell.column].clone());
            assert_eq!(at(checked.after.left.get(key)), cell.left);
            assert_eq!(at(checked.after.right.get(key)), cell.right);
            assert_eq!(at(checked.after.base.get(key)), cell.base);
        }
    }
}

/// Checks that a second look finds the same disputes under the same names.
pub(crate) fn holds_are_stable(checked: &Checked, terms: &Terms, times: &Times) {
    let again = checked.after.reconcile(terms, times);
    let names = |result: &Reconciled| -> Vec<(Key, Box<str>)> {
        result
            .conflicts
            .iter()
            .map(|conflict| (conflict.key.clone(), conflict.digest.clone()))
            .collect()
    };
    assert_eq!(names(&again), names(&checked.result));
}

/// Says by the table alone, for rows without marks, what happened to a key.
pub(crate) fn class_by_table(base: Option<&Row>, left: Option<&Row>, right: Option<&Row>) -> Class {
    match (base, left, right) {
        (None, None, None) => Class::Absent,
        (None, Some(_), None) => Class::LeftAdd,
        (None, None, Some(_)) => Class::RightAdd,
        (None, Some(l), Some(r)) if l == r => Class::ConvergentAdd,
        (None, Some(_), Some(_)) => Class::DivergentAdd,
        (Some(_), None, None) => Class::ConvergentDelete,
        (Some(b), None, Some(r)) if b == r => Class::LeftDelete,
        (Some(_), None, Some(_)) => Class::DeleteModify,
        (Some(b), Some(l), None) if b == l => Class::RightDelete,
        (Some(_), Some(_), None) => Class::ModifyDelete,
        (Some(b), Some(l), Some(r)) if l == r && b == l => Class::InSync,
        (Some(_), Some(l), Some(r)) if l == r => Class::ConvergentModify,
        (Some(b), Some(l), Some(_)) if b == l => Class::RightModify,
        (Some(b), Some(_), Some(r)) if b == r => Class::LeftModify,
        (Some(b), Some(l), Some(r)) => {
            let clash = (0..b.len()).any(|i| l[i] != b[i] && r[i] != b[i] && l[i] != r[i]);
            if clash { Class::DivergentModify } else { Class::CellMerge }
        }
    }
}
