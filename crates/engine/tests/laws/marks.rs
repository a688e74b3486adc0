//! Rows that stand there with a value that may be a mark or may be data: the column is shared.

use std::collections::BTreeMap;

use lockstep_engine::conflict::Lost;
use lockstep_engine::dataset::{ColumnPolicy, DeletePolicy, Direction, Drift, Policy};
use lockstep_engine::hub::HubReconciled;
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::ChangeKind;
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::Value;

use crate::examples::{Cells, hub};
use crate::policies::mark;
use crate::world::{World, row, schema};

const BOTH: Direction = Direction::Both;
const WRITTEN: Direction = Direction::LeftToRight;
const READ: Direction = Direction::RightToLeft;

fn marking(drift: Drift) -> Policy {
    Policy { deletes: DeletePolicy::both(mark("a", "2")), drift, ..Policy::default() }
}

fn given(result: &HubReconciled, spoke: usize) -> Vec<Value> {
    let after = result.spokes[spoke].changes.iter().filter_map(|change| change.after.as_ref());
    after.flat_map(|row| row[1..3].to_vec()).collect()
}

/// The hub's row counts as deleted, and a spoke that is only read has one whose data looks like the mark: what was
/// decided reaches the hub like everyone else, or the next plan would write it again.
#[test]
fn a_marked_row_of_the_hub_becomes_what_was_decided() {
    let policy = marking(Drift::Overwrite);
    let spokes = [(READ, None, Some([2, 5])), (BOTH, None, None)];
    let result = hub(Some([2, 1]), &spokes, &policy, None);
    let change = &result.hub[0];
    assert_eq!((change.kind, &change.cells[..]), (ChangeKind::Update, &[2][..]));
    assert_eq!(change.after.as_ref().unwrap()[1..3], [2.into(), 5.into()]);
    assert_eq!(given(&result, 1), [2.into(), 5.into()]);
    let lost = Lost::Cell { column: 2, value: 1.into() };
    assert_eq!(
        (&*result.losers[0].from, &result.losers[0].lost, &*result.losers[0].rule),
        ("hub", &lost, "reactivate")
    );
    let now = Some([2, 5]);
    let spokes = [(READ, now, now), (BOTH, now, now)];
    let second = hub(now, &spokes, &policy, None);
    assert!(second.is_quiet() && second.losers.is_empty(), "{second:?}");
}

/// A marked row that is what was decided already is not written, not even nowhere.
#[test]
fn a_marked_row_that_is_right_already_is_not_written() {
    let spokes = [(READ, None, Some([2, 5])), (BOTH, None, Some([2, 5]))];
    let result = hub(Some([2, 5]), &spokes, &marking(Drift::Overwrite), None);
    assert!(result.is_quiet(), "{result:?}");
    assert_eq!(result.spokes[1].base[0].after.as_ref().unwrap()[1..3], [2.into(), 5.into()]);
}

/// A row that comes back is marked no longer.
#[test]
fn a_marked_row_that_comes_back_is_reactivated() {
    let spokes = [(READ, None, Some([3, 5])), (BOTH, None, None)];
    let result = hub(Some([2, 1]), &spokes, &marking(Drift::Overwrite), None);
    assert_eq!(result.hub[0].kind, ChangeKind::Reactivate);
    assert_eq!(result.hub[0].after.as_ref().unwrap()[1..3], [3.into(), 5.into()]);
}

/// What a spoke that is only written has of its own says nothing about the hub's row: it once agreed on it, so the
/// value is data.
#[test]
fn a_row_that_a_spoke_keeps_for_itself_does_not_say_that_the_hubs_is_deleted() {
    for drift in [Drift::Overwrite, Drift::Report, Drift::Keep] {
        for own in [[3, 7], [1, 7], [3, 1], [2, 7]] {
            let spokes: [(Direction, Cells, Cells); 2] =
                [(WRITTEN, Some([3, 7]), Some(own)), (WRITTEN, None, None)];
            let result = hub(Some([2, 7]), &spokes, &marking(drift), None);
            assert_eq!(given(&result, 1), [2.into(), 7.into()], "{drift:?} {own:?}");
        }
    }
}

/// Two sides: a row comes back to a marked one that alone may say what is in `b`, where the row says nothing.
#[test]
fn what_only_the_marked_row_may_say_fills_a_blank() {
    let direction = Some(READ);
    let own = ColumnPolicy { direction, ..ColumnPolicy::default() };
    for drift in [Drift::Overwrite, Drift::Report, Drift::Keep] {
        let deletes = DeletePolicy::both(mark("status", "inactive"));
        let columns = BTreeMap::from([("b".to_owned(), own.clone())]);
        let policy = Policy { deletes, drift, columns, ..Policy::default() };
        let terms = Terms::new(&schema(2), &policy).unwrap();
        let mut world = World { tombstones: Some([Key::of("k")].into()), ..World::default() };
        let mut marked = row("k", &[1.into(), 9.into()]);
        marked[3] = "inactive".into();
        world.left.set(Key::of("k"), Some(row("k", &[5.into(), Value::Null])));
        world.right.set(Key::of("k"), Some(marked));
        let result = world.reconcile(&terms, &Times::default());
        for changes in [&result.left, &result.right] {
            assert_eq!(changes[0].after.as_ref().unwrap()[1..3], [5.into(), 9.into()]);
        }
        assert_eq!(result.base[0].after.as_ref().unwrap()[1..3], [5.into(), 9.into()]);
        assert!(result.drift.is_empty(), "{drift:?}");
    }
}
