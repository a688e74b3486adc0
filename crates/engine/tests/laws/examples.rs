//! Single cases that no law tells apart: who is named in a record, and what a decision about a hub's row does.

use std::collections::BTreeMap;

use lockstep_engine::class::Class;
use lockstep_engine::conflict::{Lost, Withholding};
use lockstep_engine::dataset::{
    Clash, ColumnPolicy, DeletePolicy, Deletes, Direction, Drift, Policy, SideName, Strategy,
};
use lockstep_engine::hub::{HubChoice, HubDecision, HubReconciled, Spoke, reconcile_hub};
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{Reading, Reconciler, Side};
use lockstep_engine::schema::{Column, ColumnType, Schema};
use lockstep_engine::table::Table;
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::{Row, Value};

use crate::world::{World, row, schema};

/// The two cells of a row.
pub(crate) type Cells = Option<[i64; 2]>;

fn table(cells: Cells) -> Table {
    let mut table = Table::default();
    table.set(Key::of("k"), cells.map(|[a, b]| row("k", &[a.into(), b.into()])));
    table
}

/// A hub and spokes by direction, base and row.
pub(crate) fn hub(
    hub: Cells,
    spokes: &[(Direction, Cells, Cells)],
    policy: &Policy,
    take: Option<&str>,
) -> HubReconciled {
    let terms = Terms::new(&schema(2), policy).unwrap();
    let own: Vec<_> = spokes
        .iter()
        .map(|(direction, base, row)| {
            let policy = Policy { direction: *direction, ..policy.clone() };
            (Terms::new(&schema(2), &policy).unwrap(), table(*base), table(*row))
        })
        .collect();
    let times = Times::default();
    let names = ["s0", "s1", "s2"];
    let spokes: Vec<Spoke<'_>> = own
        .iter()
        .zip(names)
        .map(|((terms, base, rows), name)| Spoke {
            name,
            terms,
            base: Some(base),
            side: Side::complete(rows),
            times: &times,
        })
        .collect();
    let rows = table(hub);
    let reconcile = |decisions: &BTreeMap<Key, HubDecision>| {
        reconcile_hub(Side::complete(&rows), &spokes, &terms, decisions)
    };
    let open = reconcile(&BTreeMap::new());
    let Some(take) = take else { return open };
    let digest = open.conflicts[0].digest.clone();
    reconcile(&BTreeMap::from([(
        Key::of("k"),
        HubDecision { digest, choice: HubChoice::Take(take.into()) },
    )]))
}

fn deleting(clash: Clash) -> Policy {
    Policy { clash, deletes: DeletePolicy::both(Deletes::Delete), ..Policy::default() }
}

const BOTH: Direction = Direction::Both;

fn losers(result: &HubReconciled) -> Vec<(String, String, String)> {
    let lost = |lost: &Lost| match lost {
        Lost::Cell { column, value } => format!("{column}={value}"),
        Lost::Row(row) => format!("row {}", row[1]),
        Lost::Deletion => "deletion".into(),
    };
    result.losers.iter().map(|l| (l.from.to_string(), lost(&l.lost), l.rule.to_string())).collect()
}

fn said(from: &str, lost: &str, rule: &str) -> (String, String, String) {
    (from.into(), lost.into(), rule.into())
}

#[test]
fn a_decision_about_a_row_takes_the_word_of_the_one_it_names() {
    // s0 deleted the row, s1 changed it, the hub has it as it was.
    let spokes = [(BOTH, Some([1, 1]), None), (BOTH, Some([1, 1]), Some([2, 1]))];
    let policy = deleting(Clash::Hold);
    let open = hub(Some([1, 1]), &spokes, &policy, None);
    assert!(open.is_quiet());
    assert_eq!(
        (&*open.conflicts[0].deleted, &*open.conflicts[0].changed),
        (&["s0".into()][..], &["s1".into()][..])
    );
    let kept = hub(Some([1, 1]), &spokes, &policy, Some("s1"));
    assert_eq!(kept.hub[0].after.as_ref().unwrap()[1], Value::from(2));
    assert!(
        kept.spokes[0].changes[0].before.is_none()
            && kept.conflicts.is_empty()
            && kept.withheld.is_empty()
    );
    assert_eq!(losers(&kept), [said("s0", "deletion", "decision")]);
    let gone = hub(Some([1, 1]), &spokes, &policy, Some("s0"));
    assert!(gone.hub[0].after.is_none() && gone.spokes[1].changes[0].after.is_none());
    assert_eq!(losers(&gone), [said("s1", "1=2", "decision")]);
    // Someone who neither deleted nor changed the row has no word to take.
    let nobody = hub(Some([1, 1]), &spokes, &policy, Some("hub"));
    assert!(nobody.is_quiet() && nobody.conflicts.len() == 1);
    assert_eq!(nobody.withheld[0].reason, Withholding::StaleDecision);
}

#[test]
fn a_decision_that_a_row_stays_answers_what_is_disputed_within_it() {
    // s0 deleted the row, s1 and the hub changed one cell of it in two ways.
    let spokes = [(BOTH, Some([1, 1]), None), (BOTH, Some([1, 1]), Some([2, 1]))];
    let policy = deleting(Clash::Hold);
    let policy = Policy { strategy: Strategy::ManualReview, ..policy };
    for (who, value, loser) in [("hub", 7, "s1"), ("s1", 2, "hub")] {
        let kept = hub(Some([7, 1]), &spokes, &policy, Some(who));
        assert!(kept.conflicts.is_empty() && kept.withheld.is_empty(), "{who}");
        let back = kept.spokes[0].changes[0].after.as_ref().unwrap();
        assert_eq!(back[1], Value::from(value), "{who}");
        let lost = format!("1={}", if who == "hub" { 2 } else { 7 });
        let said = [said("s0", "deletion", "decision"), said(loser, &lost, "decision")];
        assert_eq!(losers(&kept), said, "{who}");
    }
}

#[test]
fn a_decision_about_cells_takes_the_value_and_records_the_others() {
    let spokes = [(BOTH, Some([1, 1]), Some([2, 1])), (BOTH, Some([1, 1]), Some([3, 1]))];
    let decided = hub(Some([1, 1]), &spokes, &deleting(Clash::Hold), Some("s1"));
    assert_eq!(decided.hub[0].after.as_ref().unwrap()[1], Value::from(3));
    assert_eq!(losers(&decided), [said("s0", "1=2", "decision")]);
    assert!(decided.spokes[1].changes.is_empty() && decided.spokes[0].changes.len() == 1);
}

#[test]
fn records_name_who_lost_and_by_what() {
    // The hub's own edit goes with the row that s0 deleted; so does that of s1.
    let spokes = [(BOTH, Some([1, 1]), None), (BOTH, Some([1, 1]), Some([1, 5]))];
    let gone = hub(Some([7, 1]), &spokes, &deleting(Clash::DeleteWins), None);
    assert_eq!(
        losers(&gone),
        [said("hub", "1=7", "clash:deleteWins"), said("s1", "2=5", "clash:deleteWins")]
    );
    // A mark takes nothing away but the cell it is put in.
    let marks = Policy { deletes: DeletePolicy::default(), ..deleting(Clash::DeleteWins) };
    assert!(losers(&hub(Some([7, 1]), &spokes, &marks, None)).is_empty());
    // What a spoke that is only written made of its rows is corrected.
    let out = (Direction::LeftToRight, Some([1, 1]), Some([9, 1]));
    let corrected =
        hub(Some([1, 1]), &[out, (BOTH, Some([1, 1]), Some([1, 1]))], &deleting(Clash::Hold), None);
    assert_eq!(losers(&corrected), [said("s0", "1=9", "drift:overwrite")]);
    let extra =
        hub(None, &[(Direction::LeftToRight, None, Some([9, 1]))], &deleting(Clash::Hold), None);
    assert_eq!(losers(&extra), [said("s0", "row 9", "drift:overwrite")]);
    assert!(extra.spokes[0].changes[0].after.is_none());
}

#[test]
fn spokes_that_are_written_keep_or_report_their_own_by_policy() {
    for (drift, notes) in [(Drift::Report, 1), (Drift::Keep, 0)] {
        let policy = Policy { drift, ..deleting(Clash::Hold) };
        let one =
            |base, row| hub(Some([1, 1]), &[(Direction::LeftToRight, base, row)], &policy, None);
        for (base, row) in [(Some([1, 1]), Some([9, 1])), (Some([1, 1]), None)] {
            let kept = one(base, row);
            assert!(kept.is_quiet());
            assert_eq!(kept.spokes[0].drift.len(), notes, "{kept:?}");
        }
        assert!(
            hub(None, &[(Direction::LeftToRight, None, Some([9, 1]))], &policy, None).is_quiet()
        );
        assert_eq!(one(None, None).spokes[0].changes.len(), 1);
    }
}

#[test]
fn a_spoke_that_is_only_read_agrees_with_what_is_made_of_it() {
    let read = (Direction::RightToLeft, Some([1, 1]), Some([2, 1]));
    let policy = Policy { strategy: Strategy::LeftPriority, ..deleting(Clash::Hold) };
    let lost = hub(Some([7, 1]), &[read, (BOTH, Some([1, 1]), Some([1, 1]))], &policy, None);
    assert!(lost.hub.is_empty() && lost.spokes[0].changes.is_empty());
    assert_eq!(lost.spokes[0].base[0].after, table(Some([2, 1])).get(&Key::of("k")).cloned());
    assert_eq!(losers(&lost), [said("s0", "1=2", "leftPriority")]);
    // A cell in dispute is not agreed on, the other is.
    let cells = Policy {
        granularity: lockstep_engine::dataset::Granularity::Cell,
        ..deleting(Clash::Hold)
    };
    let held =
        hub(Some([7, 1]), &[(Direction::RightToLeft, Some([1, 1]), Some([2, 4]))], &cells, None);
    assert_eq!(held.spokes[0].base[0].after, table(Some([1, 4])).get(&Key::of("k")).cloned());
    assert_eq!(*held.hub[0].cells, [2]);
    // It deletes its row, which another had put into the hub: nothing is written to it.
    let gone = hub(Some([1, 1]), &[(Direction::RightToLeft, Some([1, 1]), None)], &policy, None);
    assert!(gone.hub[0].after.is_none());
    assert_eq!(gone.spokes[0].base[0].after, None);
    // The hub lacks the row that was agreed on, so it was deleted there, and the spoke's copy says nothing new.
    assert!(
        hub(None, &[(Direction::RightToLeft, Some([1, 1]), Some([1, 1]))], &policy, None)
            .is_quiet()
    );
}

#[test]
fn a_cell_that_only_the_spoke_may_write_is_its_own() {
    let column =
        ColumnPolicy { direction: Some(Direction::RightToLeft), ..ColumnPolicy::default() };
    let policy =
        Policy { columns: BTreeMap::from([("a".into(), column)]), ..deleting(Clash::Hold) };
    let result = hub(Some([7, 1]), &[(BOTH, Some([1, 1]), Some([2, 1]))], &policy, None);
    assert!(result.spokes.iter().all(|spoke| spoke.changes.is_empty()), "{result:?}");
}

#[test]
fn a_cell_that_only_the_hub_may_write_does_not_flow_back() {
    let column =
        ColumnPolicy { direction: Some(Direction::LeftToRight), ..ColumnPolicy::default() };
    let policy =
        Policy { columns: BTreeMap::from([("a".into(), column)]), ..deleting(Clash::Hold) };
    let result = hub(Some([1, 1]), &[(BOTH, Some([1, 1]), Some([2, 5]))], &policy, None);
    assert_eq!(*result.hub[0].cells, [2]);
    assert_eq!(*result.spokes[0].changes[0].cells, [1]);
    assert_eq!(losers(&result), [said("s0", "1=2", "drift:overwrite")]);
}

#[test]
fn rules_see_one_spoke_against_the_hub_and_no_more() {
    let rules = serde_json::json!([{"type": "valueBased", "when": "left.b == 1", "action": "calculate",
        "fields": ["a"], "expression": "left.a * 100 + right.a + base.a"}]);
    let rules = serde_json::from_value(rules).unwrap();
    let policy = Policy { strategy: Strategy::RuleBased, rules, ..deleting(Clash::Hold) };
    let two = hub(
        Some([7, 1]),
        &[(BOTH, Some([1, 1]), Some([2, 1])), (BOTH, Some([1, 1]), Some([1, 1]))],
        &policy,
        None,
    );
    assert_eq!(two.hub[0].after.as_ref().unwrap()[1], Value::from(703));
    let spokes = [(BOTH, Some([1, 1]), Some([2, 1])), (BOTH, Some([1, 1]), Some([3, 1]))];
    let reason = |result: HubReconciled| result.conflicts[0].cells[0].reason.to_string();
    for cells in [[7, 1], [1, 1]] {
        let reason = reason(hub(Some(cells), &spokes, &policy, None));
        assert!(reason.contains("sources disagree"), "{reason}");
    }
}

#[test]
fn what_is_known_of_a_key_depends_on_how_much_was_read() {
    // Nobody agreed on the key: a row may be new where blank keys make the reading doubtful, and nowhere else.
    let terms = Terms::new(&schema(2), &deleting(Clash::Hold)).unwrap();
    let (empty, one, times) = (Table::default(), table(Some([1, 1])), Times::default());
    for (reading, base, written) in [
        (Reading::Doubtful, None, 1),
        (Reading::Doubtful, Some([1, 1]), 0),
        (Reading::Partial, None, 0),
        (Reading::Complete, None, 1),
    ] {
        let base = table(base);
        let spoke = |rows, reading| Spoke {
            name: "s0",
            terms: &terms,
            base: Some(&base),
            side: Side { rows, reading },
            times: &times,
        };
        let from_hub = reconcile_hub(
            Side::complete(&one),
            &[spoke(&empty, reading)],
            &terms,
            &BTreeMap::new(),
        );
        assert_eq!(from_hub.spokes[0].changes.len(), written, "{reading:?}");
        assert_eq!(from_hub.is_quiet(), written == 0);
        let hub = Side { rows: &empty, reading };
        let to_hub =
            reconcile_hub(hub, &[spoke(&one, Reading::Complete)], &terms, &BTreeMap::new());
        assert_eq!(to_hub.hub.len(), written, "{reading:?}");
        assert_eq!(to_hub.is_quiet(), written == 0);
    }
}

#[test]
fn quiet_means_that_neither_side_is_written() {
    let terms = Terms::new(&schema(2), &deleting(Clash::Hold)).unwrap();
    let world = |left, right| World { left: table(left), right: table(right), ..World::default() };
    let quiet = |world: World| world.reconcile(&terms, &Times::default()).is_quiet();
    assert!(quiet(world(Some([1, 1]), Some([1, 1]))));
    assert!(!quiet(world(Some([1, 1]), None)) && !quiet(world(None, Some([1, 1]))));
}

#[test]
fn rows_that_are_equal_are_counted_without_being_looked_at() {
    let terms = Terms::new(&schema(2), &Policy::default()).unwrap();
    let times = Times::default();
    let mut reconciler = Reconciler::new(&terms, &times);
    reconciler.skip(0, true);
    reconciler.skip(3, false);
    reconciler.skip(4, true);
    reconciler.skip(5, true);
    let counts = reconciler.finish().counts;
    assert_eq!(counts.classes, BTreeMap::from([(Class::InSync, 9), (Class::ConvergentAdd, 3)]));
    assert_eq!(counts.outcomes.into_values().collect::<Vec<_>>(), [12]);
    let mut reconciler = Reconciler::new(&terms, &times);
    reconciler.skip(0, true);
    assert!(reconciler.finish().counts.classes.is_empty());
}

#[test]
fn a_dispute_is_named_by_what_both_sides_have() {
    let only = ColumnPolicy { only: Some(SideName::Left), ..ColumnPolicy::default() };
    let policy = Policy { columns: BTreeMap::from([("b".into(), only)]), ..Policy::default() };
    let terms = Terms::new(&schema(2), &policy).unwrap();
    let digest = |left: [i64; 2]| {
        let world =
            World { left: table(Some(left)), right: table(Some([2, 0])), ..World::default() };
        world.reconcile(&terms, &Times::default()).conflicts.remove(0).digest
    };
    assert_ne!(digest([1, 1]), digest([3, 1]));
    assert_eq!(digest([1, 1]), digest([1, 5]));
    assert!(
        terms.has(SideName::Left, 2)
            && !terms.has(SideName::Right, 2)
            && terms.has(SideName::Right, 1)
    );
}

#[test]
fn keys_are_no_cells_and_long_lists_of_columns_are_cut() {
    // Two spellings of one key differ in no cell.
    let mut schema = Schema::new(
        vec![Column::new("id", ColumnType::Text), Column::new("a", ColumnType::Number)],
        vec![0],
    );
    schema.fold_key_case = true;
    let rows = |id: &str| Table::from_rows(&schema, [Row::from([Value::from(id), 1.into()])]);
    let terms = Terms::new(&schema, &Policy::default()).unwrap();
    let world = World { left: rows("K"), right: rows("k"), ..World::default() };
    let result = world.reconcile(&terms, &Times::default());
    assert!(result.is_quiet() && result.conflicts.is_empty());
    assert_eq!(result.counts.classes, BTreeMap::from([(Class::ConvergentAdd, 1)]));
    let columns = |n: usize| {
        Schema::new(
            (0..n).map(|n| Column::new(format!("c{n}"), ColumnType::Text)).collect(),
            vec![0],
        )
    };
    let policy = Policy { modified_at: Some("x".into()), ..Policy::default() };
    let message = |n| Terms::new(&columns(n), &policy).unwrap_err().to_string();
    assert!(
        message(20).ends_with("c18, c19") && message(21).ends_with("c19 and 1 more"),
        "{}",
        message(21)
    );
}
