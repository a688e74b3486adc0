//! Spokes that are only read or only written, that were not read whole, or that have a key twice.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lockstep_engine::conflict::Lost;
use lockstep_engine::dataset::{
    Clash, Deletes, Direction, Drift, Granularity, Policy, SideName, Strategy,
};
use lockstep_engine::hub::{HubReconciled, Spoke, reconcile_hub};
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{Reading, Side};
use lockstep_engine::table::Table;
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::{Row, Value};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Strategy as Gen;

use crate::hub::any_row;
use crate::policies;
use crate::world::{schema, write};

const KEY: &str = "k";

/// How much is known of a side's row.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    Whole,
    /// It is read in part: what is not there may be on the page that was lost.
    Partly,
    /// It has the key twice.
    Twice,
}

#[derive(Clone, Debug)]
struct One {
    name: String,
    direction: Direction,
    base: Option<Row>,
    row: Option<Row>,
    seen: Seen,
    at: Option<i64>,
}

impl One {
    fn unknown(&self) -> bool {
        match self.seen {
            Seen::Whole => false,
            Seen::Partly => self.row.is_none(),
            Seen::Twice => self.row.is_some(),
        }
    }
}

#[derive(Clone, Debug)]
struct Case {
    hub: One,
    spokes: Vec<One>,
    policy: Policy,
}

fn table(row: &Option<Row>, seen: Seen) -> Table {
    let twice = [row.clone(), row.clone()].into_iter().flatten();
    match (row, seen) {
        (Some(_), Seen::Twice) => Table::from_rows(&schema(2), twice),
        _ => {
            let mut table = Table::default();
            table.set(Key::of(KEY), row.clone());
            table
        }
    }
}

impl Case {
    fn reconcile(&self) -> HubReconciled {
        let terms = Terms::new(&schema(2), &self.policy).unwrap();
        let side = |one: &One| table(&one.row, one.seen);
        let own: Vec<(Terms, Table, Table, Times)> = self
            .spokes
            .iter()
            .map(|one| {
                let policy = Policy { direction: one.direction, ..self.policy.clone() };
                let mut times = Times::default();
                for (side, at) in [(SideName::Left, self.hub.at), (SideName::Right, one.at)] {
                    let at = at.map(|at| Timestamp::from_second(at).unwrap());
                    times.entry(Key::of(KEY), side).row.at = at;
                }
                let base = table(&one.base, Seen::Whole);
                (Terms::new(&schema(2), &policy).unwrap(), base, side(one), times)
            })
            .collect();
        let reading =
            |seen| if seen == Seen::Partly { Reading::Partial } else { Reading::Complete };
        let spokes: Vec<Spoke<'_>> = self
            .spokes
            .iter()
            .zip(&own)
            .map(|(one, (terms, base, rows, times))| Spoke {
                name: &one.name,
                terms,
                base: Some(base),
                side: Side { rows, reading: reading(one.seen) },
                times,
            })
            .collect();
        let rows = side(&self.hub);
        let hub = Side { rows: &rows, reading: reading(self.hub.seen) };
        reconcile_hub(hub, &spokes, &terms, &BTreeMap::new())
    }

    fn applied(&self, result: &HubReconciled) -> Case {
        let mut after = self.clone();
        let put = |one: &mut One, changes: &[lockstep_engine::reconcile::Change]| {
            for change in changes {
                let mut rows = table(&one.row, Seen::Whole);
                assert!(write(&mut rows, change), "{change:?}");
                one.row = rows.get(&change.key).cloned();
            }
        };
        put(&mut after.hub, &result.hub);
        for (one, spoke) in after.spokes.iter_mut().zip(&result.spokes) {
            put(one, &spoke.changes);
            for change in &spoke.base {
                assert_eq!(one.base, change.before);
                one.base = change.after.clone();
            }
        }
        after
    }
}

fn seen() -> impl Gen<Value = Seen> {
    prop_oneof![6 => Just(Seen::Whole), 1 => Just(Seen::Partly), 1 => Just(Seen::Twice)]
}

fn cases() -> impl Gen<Value = Case> {
    let directions =
        vec![Direction::Both, Direction::Both, Direction::LeftToRight, Direction::RightToLeft];
    let at = || proptest::option::weighted(0.9, 0..3i64);
    let spoke = (select(directions), any_row(), any_row(), any::<bool>(), seen(), at());
    let policy = (
        select(Strategy::ALL.to_vec()),
        select(Clash::ALL.to_vec()),
        select(vec![Granularity::Row, Granularity::Cell]),
        select(policies::deletes().to_vec()),
        select(vec![Drift::Overwrite, Drift::Report, Drift::Keep]),
    )
        .prop_map(|(strategy, clash, granularity, deletes, drift)| Policy {
            strategy,
            clash,
            granularity,
            deletes,
            drift,
            ..Policy::default()
        });
    (any_row(), any_row(), seen(), at(), proptest::collection::vec(spoke, 1..4), policy).prop_map(
        |(hub, old, seen, at, spokes, policy)| {
            let one = |name: &str, direction, base, row, seen, at| One {
                name: name.into(),
                direction,
                base,
                row,
                seen,
                at,
            };
            let spokes = spokes.into_iter().enumerate().map(
                |(n, (direction, base, row, behind, seen, at))| {
                    let base = if behind { base } else { old.clone() };
                    one(&format!("s{n}"), direction, base, row, seen, at)
                },
            );
            let spokes = spokes.collect();
            Case { hub: one("hub", Direction::Both, None, hub, seen, at), spokes, policy }
        },
    )
}

/// What a row says in the compared cells, unless it only stands there marked as deleted.
fn said<'a>(row: &'a Option<Row>, policy: &Policy, side: SideName) -> Option<&'a [Value]> {
    let row = row.as_ref()?;
    let marked = match policy.deletes.on(side) {
        Deletes::Mark { value, .. } => row[3] == Value::from(&**value),
        _ => false,
    };
    (!marked).then_some(&row[1..3])
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn nothing_is_decided_without_the_hub(case in cases()) {
        if !(case.hub.unknown()) { return Ok(()) }
        // A key that nobody ever agreed on may be on the lost page of the hub as well.
        let result = case.reconcile();
        prop_assert!(result.is_quiet() && result.losers.is_empty() && result.conflicts.is_empty(), "{:?}", result);
        prop_assert!(result.spokes.iter().all(|spoke| spoke.base.is_empty()), "{:?}", result);
    }

    #[test]
    fn an_unknown_spoke_is_left_out(case in cases()) {
        let everyone = || std::iter::once(&case.hub).chain(&case.spokes);
        if everyone().all(|one| one.base.is_none() && one.row.is_none()) {
            return Ok(());
        }
        if !(!case.hub.unknown() && case.spokes.iter().any(One::unknown) && !case.spokes.iter().all(One::unknown)) { return Ok(()) }
        let mut result = case.reconcile();
        let mut known = case.clone();
        known.spokes.retain(|one| !one.unknown());
        let without = known.reconcile();
        for (one, spoke) in case.spokes.iter().zip(&result.spokes).filter(|(one, _)| one.unknown()) {
            prop_assert!(spoke.changes.is_empty() && spoke.base.is_empty() && spoke.drift.is_empty(), "{}", one.name);
        }
        prop_assert_eq!(result.withheld.len() - without.withheld.len(), case.spokes.len() - known.spokes.len());
        result.spokes.retain(|spoke| known.spokes.iter().any(|one| *one.name == *spoke.name));
        result.withheld = without.withheld.clone();
        prop_assert_eq!(result, without);
    }

    #[test]
    fn a_spoke_that_is_only_written_has_no_say(case in cases(), other in any_row()) {
        let Some(at) = case.spokes.iter().position(|one| one.direction == Direction::LeftToRight) else { return Ok(()) };
        if !(case.spokes[at].row.is_some() && other.is_some()) { return Ok(()) }
        let mut changed = case.clone();
        changed.spokes[at].row = other;
        let marks = |case: &Case| case.policy.deletes == policies::deletes()[3]
            && case.spokes[at].row.as_ref().is_some_and(|row| row[1] == Value::from(2));
        if !(!marks(&case) && !marks(&changed)) { return Ok(()) }
        let (a, b) = (case.reconcile(), changed.reconcile());
        prop_assert_eq!(&a.hub, &b.hub);
        prop_assert_eq!(&a.conflicts, &b.conflicts);
        for n in (0..case.spokes.len()).filter(|n| *n != at) {
            prop_assert_eq!(&a.spokes[n], &b.spokes[n]);
        }
    }

    #[test]
    fn a_spoke_that_is_only_read_is_never_written(case in cases()) {
        let result = case.reconcile();
        for (one, spoke) in case.spokes.iter().zip(&result.spokes).filter(|(one, _)| one.direction == Direction::RightToLeft) {
            prop_assert!(spoke.changes.is_empty(), "{}: {:?}", one.name, result);
        }
    }

    #[test]
    fn every_kind_of_spoke_converges_and_rests(case in cases()) {
        let result = case.reconcile();
        let after = case.applied(&result);
        // A mark in a shared column reads as data to a spoke that keeps a row of its own as drift, where no other spoke that
        // is written (and was read) tells better: it takes the mark with the next run, and then rests.
        let both = case.spokes.iter().any(|one| one.direction == Direction::Both && !one.unknown());
        let late = case.policy.drift != Drift::Overwrite && !both;
        let settled = if late { after.applied(&after.reconcile()) } else { after.clone() };
        let second = settled.reconcile();
        let unknown = case.hub.unknown() || case.spokes.iter().any(One::unknown);
        // Times are given once here; a real store gives a deletion that was carried the time it had where it was made.
        if case.policy.clash != Clash::Later {
            prop_assert!(second.is_quiet() && second.losers.is_empty(), "{:?}\nthen {:?}", result, second);
            prop_assert!(second.spokes.iter().all(|spoke| spoke.base.is_empty()), "{:?}\nthen {:?}", result, second);
        }
        let ignores = SideName::BOTH.iter().any(|side| *case.policy.deletes.on(*side) == Deletes::Ignore);
        let drifts = case.policy.drift != Drift::Overwrite;
        if unknown || ignores || drifts || !result.conflicts.is_empty() || case.policy.deletes == policies::deletes()[3] {
            return Ok(());
        }
        let hub = said(&after.hub.row, &case.policy, SideName::Left);
        for one in &after.spokes {
            let own = said(&one.row, &case.policy, SideName::Right);
            match one.direction {
                // It agrees with whatever was made of it.
                Direction::RightToLeft => prop_assert_eq!(one.base.as_ref().map(|row| &row[1..3]), own, "{} {:?}", one.name, result),
                _ => {
                    prop_assert_eq!(own, hub, "{} {:?}", one.name, result);
                    prop_assert_eq!(one.base.as_ref().map(|row| &row[1..3]), hub, "{} {:?}", one.name, result);
                }
            }
        }
    }

    /// Laws 5 and 6: no cell comes from nowhere, and no change goes without a record.
    #[test]
    fn nothing_is_invented_and_nothing_lost(case in cases()) {
        let result = case.reconcile();
        let after = case.applied(&result);
        let everyone = || std::iter::once(&case.hub).chain(&case.spokes);
        for change in result.hub.iter().chain(result.spokes.iter().flat_map(|spoke| &spoke.changes)) {
            for (index, value) in change.after.iter().flat_map(|row| row.iter().enumerate()) {
                let known = everyone().any(|one| one.row.as_ref().is_some_and(|row| row[index] == *value));
                let mark = [Value::from("inactive"), Value::from(2), Value::Null].contains(value);
                prop_assert!(known || mark, "{:?}", change);
            }
        }
        // Who is said to have lost a value has it, and what decided is named.
        for loser in &result.losers {
            let one = everyone().find(|one| *one.name == *loser.from);
            prop_assert!(one.is_some() && !["", "clash", "hub"].contains(&&*loser.rule), "{:?}", loser);
            if let (Some(One { row: Some(row), .. }), Lost::Cell { column, value }) = (one, &loser.lost) {
                prop_assert_eq!(&row[*column], value, "{:?}", loser);
            }
        }
        for (one, now) in case.spokes.iter().zip(&after.spokes).filter(|(one, _)| one.direction != Direction::LeftToRight) {
            let Some(row) = one.row.as_ref().filter(|_| !one.unknown()) else { continue };
            for index in 1..3 {
                let changed = one.base.as_ref().map_or(&Value::Null, |base| &base[index]) != &row[index];
                let kept = [&now.row, &after.hub.row].iter().any(|there| there.as_ref().is_some_and(|there| there[index] == row[index]));
                let recorded = result.losers.iter().any(|loser| *loser.from == *one.name && match &loser.lost {
                    Lost::Cell { column, value } => *column == index && *value == row[index],
                    Lost::Row(lost) => lost[index] == row[index],
                    Lost::Deletion => false,
                });
                let mark = case.policy.deletes == policies::deletes()[3] && index == 1 && row[1] == Value::from(2);
                prop_assert!(!changed || kept || recorded || mark, "{} {} {:?}", one.name, index, result);
            }
        }
    }
}
