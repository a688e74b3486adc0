//! What a merge makes is never longer than a cell holds, and just as long is not too long.

use std::collections::BTreeMap;

use lockstep_engine::dataset::{ColumnPolicy, Combine, Policy};
use lockstep_engine::key::Key;
use lockstep_engine::schema::{Column, ColumnType, Schema};
use lockstep_engine::table::Table;
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::{Row, Value};

use crate::world::World;

/// Merges two values without a base; the value, or why a person has to look.
fn merged(ty: ColumnType, merge: Combine, left: Value, right: Value) -> Result<Value, String> {
    let schema =
        Schema::new(vec![Column::new("id", ColumnType::Text), Column::new("c", ty)], vec![0]);
    let column = ColumnPolicy { merge: Some(merge), ..ColumnPolicy::default() };
    let policy = Policy { columns: BTreeMap::from([("c".into(), column)]), ..Policy::default() };
    let terms = Terms::new(&schema, &policy).unwrap();
    let table = |value| {
        let mut table = Table::default();
        table.set(Key::of("k"), Some(Row::from([Value::from("k"), value])));
        table
    };
    let world = World { left: table(left), right: table(right), ..World::default() };
    let mut result = world.reconcile(&terms, &Times::default());
    match result.conflicts.pop() {
        Some(conflict) => Err(conflict.reason.into()),
        None => Ok(result.base[0].after.as_ref().unwrap()[1].clone()),
    }
}

#[test]
fn lists_end_at_ten_thousand_items() {
    let list = |from: i64, to: i64| Value::List((from..to).map(Value::from).collect());
    for merge in [Combine::Union, Combine::Set] {
        let merged = |to| merged(ColumnType::List, merge, list(0, 5000), list(5000, to));
        assert_eq!(merged(10_000), Ok(list(0, 10_000)));
        assert_eq!(merged(10_001), Err("the merged list would have more than 10000 items".into()));
    }
}

#[test]
fn texts_end_at_32768_characters() {
    let text = |letter: &str, n: usize| Value::from(&*letter.repeat(n));
    let joined = |n| merged(ColumnType::Text, Combine::Concat, text("é", 100), text("b", n));
    assert_eq!(joined(32_666).unwrap().to_string().chars().count(), 32_768);
    assert_eq!(joined(32_667), Err("the joined text would have more than 32768 characters".into()));
}
