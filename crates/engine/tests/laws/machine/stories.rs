//! Stories that once lost something, played again by name.

use std::collections::BTreeMap;

use lockstep_engine::dataset::{
    ColumnPolicy, Combine, DeletePolicy, Deletes, Direction, Drift, Granularity, Policy, SideName,
    Strategy,
};
use lockstep_engine::value::{Row, Value};

use crate::machine::Machine;
use crate::machine::operations::{Edit, How, Operation, Sync};
use crate::machine::run::Fault;

const LEFT: SideName = SideName::Left;
const RIGHT: SideName = SideName::Right;

fn plain() -> Policy {
    let deletes = DeletePolicy::both(Deletes::Delete);
    Policy { strategy: Strategy::LatestWins, deletes, ..Policy::default() }
}

fn merging(column: &str, merge: Combine) -> BTreeMap<String, ColumnPolicy> {
    let merge = Some(merge);
    BTreeMap::from([(column.to_owned(), ColumnPolicy { merge, ..ColumnPolicy::default() })])
}

fn insert(side: SideName, how: [How; 4]) -> Edit {
    Edit::Insert { side, key: 1, how: how.to_vec(), twice: false }
}

fn fresh(side: SideName) -> Edit {
    insert(side, [How::Fresh; 4])
}

fn set(side: SideName, column: usize) -> Edit {
    Edit::Set { side, key: 1, column, how: How::Fresh }
}

fn sync(policy: usize) -> Operation {
    Operation::Sync(Sync { policy, ..Sync::default() })
}

fn raced(policy: usize, race: Edit) -> Operation {
    Operation::Sync(Sync { policy, race: Some(race), ..Sync::default() })
}

fn rollback(nth: usize) -> Operation {
    Operation::Rollback { nth, fault: Fault::default() }
}

fn play(policies: &[Policy], operations: &[Operation]) -> Machine {
    let mut machine = Machine::new(policies.to_vec());
    operations.iter().for_each(|operation| machine.perform(operation));
    machine
}

fn cells(machine: &Machine, side: SideName) -> Vec<Value> {
    let rows: &[Row] = &machine.store.side(side).rows;
    rows.first().map_or_else(Vec::new, |row| row[1..5].to_vec())
}

fn numbers(values: [i64; 4]) -> Vec<Value> {
    values.map(Value::from).to_vec()
}

/// A rollback that dies after its first write, and an edit before what it left is settled.
#[test]
fn a_rollback_that_dies_and_is_settled_after_an_edit_loses_nothing() {
    let dated = Policy { modified_at: Some("d".into()), ..plain() };
    for policies in [[plain(), dated.clone()], [dated.clone(), plain()], [dated.clone(), dated]] {
        for nth in 0..4 {
            let how = [How::Fresh, How::Blank, How::Fresh, How::Copied];
            let fault = Fault { crash: Some(1), refuse: 0 };
            let last = Sync { fault: Fault { crash: None, refuse: 34 }, ..Sync::default() };
            let mut machine = play(
                &policies,
                &[
                    Operation::Person(fresh(LEFT)),
                    raced(0, insert(RIGHT, how)),
                    sync(3),
                    sync(0),
                    sync(0),
                    Operation::Rollback { nth, fault },
                    Operation::Person(set(LEFT, 2)),
                    Operation::Sync(last),
                ],
            );
            machine.settle_down();
        }
    }
}

/// An undo decides nothing: a sum that someone has gone on from is held, on both sides.
#[test]
fn a_sum_that_someone_has_gone_on_from_is_not_taken_back_on_one_side() {
    let policy =
        Policy { columns: merging("a", Combine::Sum), granularity: Granularity::Cell, ..plain() };
    let start = [
        Operation::Person(insert(LEFT, [How::Small(10), How::Blank, How::Blank, How::Blank])),
        sync(0),
        Operation::Person(Edit::Add { side: LEFT, key: 1, amount: 2 }),
        Operation::Person(Edit::Add { side: RIGHT, key: 1, amount: 3 }),
        sync(0),
        Operation::Person(Edit::Add { side: RIGHT, key: 1, amount: 1 }),
        rollback(0),
    ];
    let mut machine = play(&[policy], &start);
    let (left, right) = (cells(&machine, LEFT), cells(&machine, RIGHT));
    assert_eq!((&left[0], &right[0]), (&Value::from(15), &Value::from(16)));
    machine.perform(&sync(0));
    assert_eq!(cells(&machine, LEFT)[0], Value::from(16), "nothing is counted twice");
}

/// The first of the writes of an undo is made and the other is not: the sum is what it was.
#[test]
fn a_sum_of_which_half_went_back_is_whole_again() {
    let policy = Policy { columns: merging("a", Combine::Sum), ..plain() };
    for (refuse, crash) in [(1, None), (2, None), (0, Some(0)), (0, Some(1)), (0, Some(2))] {
        for again in [false, true] {
            let mut machine = play(
                std::slice::from_ref(&policy),
                &[
                    Operation::Person(insert(
                        LEFT,
                        [How::Small(10), How::Blank, How::Blank, How::Blank],
                    )),
                    sync(0),
                    Operation::Person(Edit::Add { side: LEFT, key: 1, amount: 2 }),
                    Operation::Person(Edit::Add { side: RIGHT, key: 1, amount: 3 }),
                    sync(0),
                ],
            );
            if again {
                machine.perform(&rollback(0));
            }
            machine.perform(&Operation::Rollback { nth: 0, fault: Fault { crash, refuse } });
            machine.perform(&sync(0));
            for side in SideName::BOTH {
                let sum = &cells(&machine, side)[0];
                assert_eq!(sum, &Value::from(15), "{refuse} {crash:?} {again}");
            }
        }
    }
}

/// Base goes back in the cells that do, although a later run has taught it another cell of the row.
#[test]
fn a_run_before_the_last_goes_back_without_an_edit_of_the_other_side() {
    let machine = play(
        &[plain()],
        &[
            Operation::Person(fresh(LEFT)),
            sync(0),
            Operation::Person(set(LEFT, 0)),
            sync(0),
            Operation::Person(set(LEFT, 1)),
            sync(0),
            rollback(1),
        ],
    );
    assert_eq!(cells(&machine, LEFT), numbers([105, 106, 103, 104]));
    assert_eq!(cells(&machine, RIGHT), numbers([101, 106, 103, 104]));
    let mut machine = machine;
    machine.perform(&sync(0));
    assert_eq!(cells(&machine, LEFT), numbers([105, 106, 103, 104]), "the edit is not lost");
    assert_eq!(cells(&machine, LEFT), cells(&machine, RIGHT));
}

/// What a run taught, a second one carried on, and the first is taken back alone: its cell stays, for the second to go
/// back first.
#[test]
fn what_a_later_run_has_gone_on_from_stays() {
    let policy = Policy { columns: merging("a", Combine::Sum), ..plain() };
    let half = Sync { fault: Fault { crash: None, refuse: 2 }, ..Sync::default() };
    let machine = play(
        &[policy],
        &[
            Operation::Person(insert(LEFT, [How::Small(10), How::Blank, How::Blank, How::Blank])),
            sync(0),
            Operation::Person(Edit::Add { side: LEFT, key: 1, amount: 2 }),
            Operation::Person(Edit::Add { side: RIGHT, key: 1, amount: 3 }),
            Operation::Sync(half),
            sync(0),
            rollback(1),
        ],
    );
    for side in SideName::BOTH {
        assert_eq!(cells(&machine, side)[0], Value::from(15));
    }
}

/// An undo made base forget a row; taken back itself, while a cell of it stays, it must not say that both agree there.
#[test]
fn an_undo_that_goes_back_but_for_one_cell_teaches_nothing_of_that_cell() {
    let policy = Policy { modified_at: Some("d".into()), ..plain() };
    let machine = play(
        &[policy],
        &[
            Operation::Person(fresh(RIGHT)),
            Operation::Person(fresh(LEFT)),
            sync(0),
            rollback(0),
            Operation::Person(set(RIGHT, 0)),
            rollback(0),
        ],
    );
    assert_eq!(cells(&machine, RIGHT), numbers([109, 106, 107, 108]));
    let (_, base) = machine.store.base.iter().next().unwrap();
    assert_eq!(base[1..5], [Value::Null, 106.into(), 107.into(), 108.into()]);
    let mut machine = machine;
    machine.settle_down();
}

/// A row that comes back keeps what only its side may write, and base does not say that the other side has it.
#[test]
fn what_a_returning_row_says_alone_is_not_agreed_on() {
    for drift in [Drift::Report, Drift::Keep] {
        let direction = Some(Direction::RightToLeft);
        let own = ColumnPolicy { direction, ..ColumnPolicy::default() };
        let deletes = DeletePolicy::both(crate::policies::mark("status", "inactive"));
        let columns = BTreeMap::from([("b".to_owned(), own)]);
        let mut machine = play(
            &[Policy { deletes, columns, drift, ..plain() }],
            &[
                Operation::Person(fresh(LEFT)),
                sync(0),
                Operation::Person(Edit::Delete { side: LEFT, key: 1 }),
                sync(0),
                Operation::Person(set(RIGHT, 1)),
                Operation::Person(fresh(LEFT)),
                sync(0),
            ],
        );
        assert_eq!(cells(&machine, LEFT), numbers([106, 107, 108, 109]));
        assert_eq!(cells(&machine, RIGHT), numbers([106, 105, 108, 109]));
        machine.settle_down();
    }
}

/// Cells that wait for a rule are decided by a time that must wait with them.
#[test]
fn the_time_that_decides_waiting_cells_waits_too() {
    let rules = r#"[{"type":"fieldPriority","fields":["b"],"action":"calculate","expression":"left.a + right.a + base.c"}]"#;
    let strategy = Some(Strategy::RuleBased);
    let policy = Policy {
        granularity: Granularity::Cell,
        modified_at: Some("d".into()),
        rules: serde_json::from_str(rules).unwrap(),
        columns: BTreeMap::from([(
            "b".to_owned(),
            ColumnPolicy { strategy, ..ColumnPolicy::default() },
        )]),
        ..plain()
    };
    let both = [Operation::Person(fresh(RIGHT)), Operation::Person(fresh(LEFT)), sync(0)];
    let machine = play(&[policy], &both);
    assert_eq!(cells(&machine, RIGHT), numbers([101, 102, 103, 104]));
    assert_eq!(cells(&machine, LEFT), numbers([105, 106, 107, 108]));
}
