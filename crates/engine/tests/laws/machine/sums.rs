//! What people add to a column that is merged by `sum` is in the end there once, whatever happens in between.

use std::collections::BTreeMap;

use lockstep_engine::dataset::{ColumnPolicy, Combine, Policy, SideName};
use lockstep_engine::key::Key;
use lockstep_engine::value::Value;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Strategy as Gen;

use crate::machine::Machine;
use crate::machine::operations::{Edit, How, Operation, Sync, fault};

/// Less than nothing, so that no sum is taken for one of the values that are written once; and by the thousand on the
/// left alone, so that the sides never add the same by chance, which is one change and not two.
fn add() -> impl Gen<Value = Edit> + Clone {
    (select(SideName::BOTH.to_vec()), -50..0i64).prop_map(|(side, amount)| {
        let amount = if side == SideName::Left { 1000 * amount } else { amount };
        Edit::Add { side, key: 0, amount }
    })
}

fn operations() -> impl Gen<Value = Vec<Operation>> {
    let sync = (any::<bool>(), fault(), weighted(0.3, add()));
    let operation = prop_oneof![
        3 => add().prop_map(Operation::Person),
        4 => sync.prop_map(|(right_first, fault, race)| {
            Operation::Sync(Sync { right_first, fault, race, ..Sync::default() })
        }),
        1 => (0..3usize, fault()).prop_map(|(nth, fault)| Operation::Rollback { nth, fault }),
    ];
    vec(operation, 1..16)
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn what_is_added_is_there_once(operations in operations()) {
        let sum = ColumnPolicy { merge: Some(Combine::Sum), ..ColumnPolicy::default() };
        let policy = Policy { columns: BTreeMap::from([("a".into(), sum)]), ..Policy::default() };
        let mut machine = Machine::new(vec![policy]);
        let how = vec![How::Small(0), How::Blank, How::Blank, How::Blank];
        machine.edit(&Edit::Insert { side: SideName::Left, key: 0, how, twice: false });
        machine.sync(&Sync::default());
        // The row itself stays.
        machine.store.runs.clear();
        let mut total = 0;
        for operation in &operations {
            let before = machine.edits;
            machine.perform(operation);
            let added = match operation {
                Operation::Person(Edit::Add { amount, .. }) => Some(amount),
                Operation::Sync(Sync { race: Some(Edit::Add { amount, .. }), .. }) if machine.edits > before => Some(amount),
                _ => None,
            };
            total += added.unwrap_or(&0);
        }
        machine.sync(&Sync::default());
        for side in SideName::BOTH {
            let side = machine.store.side(side);
            let row = &side.rows[side.find(&Key::of("k0")).unwrap()];
            prop_assert_eq!(&row[1], &Value::from(total), "{:?}", machine.store.runs);
        }
    }
}
