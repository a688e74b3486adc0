use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::schema::{Column, ColumnType};
use crate::snapshot::{Mapping, Snapshot, SnapshotBuilder};
use crate::value::Row;

type Rows = Vec<(String, String, String)>;

fn snapshot(rows: &Rows) -> Snapshot {
    let mut builder = SnapshotBuilder::new(["id", "n", "t"]);
    rows.iter().for_each(|(id, n, t)| builder.push([Cell::Text(id), Cell::Text(n), Cell::Text(t)]));
    builder.finish()
}

fn schema() -> Schema {
    let columns = vec![
        Column::new("id", ColumnType::Number),
        Column::new("n", ColumnType::Number),
        Column::new("t", ColumnType::Text),
    ];
    Schema::new(columns, vec![0])
}

fn rows() -> impl Strategy<Value = Rows> {
    let id = prop_oneof![8 => "[1-6]", 1 => "0[1-6]|[1-6]\\.0| [1-6]", 1 => "|x"];
    prop::collection::vec((id, "[12]|1\\.0|", "a|b|a |e\u{301}|é"), 0..10)
}

/// The same join, by a map of typed rows.
fn oracle(views: &[&View<'_>]) -> Joined {
    let mut joined = Joined::default();
    let mut keys: BTreeMap<Key, Vec<Vec<usize>>> = BTreeMap::new();
    for (at, view) in views.iter().enumerate() {
        for row in 0..view.len() {
            match view.key(row) {
                key if key.is_blank() => joined.blanks.push((at, row)),
                key => {
                    keys.entry(key).or_insert_with(|| vec![Vec::new(); views.len()])[at].push(row)
                }
            }
        }
    }
    for (key, rows) in keys {
        let typed: Vec<Option<Row>> =
            rows.iter().zip(views).map(|(rows, view)| Some(view.row(*rows.first()?))).collect();
        if rows.iter().any(|rows| rows.len() > 1) {
            joined.duplicates.push(DuplicateKey { key, rows });
        } else if typed[0].is_some() && typed.iter().all(|row| *row == typed[0]) {
            joined.equal += 1;
        } else {
            joined.rows.push(JoinedRow {
                key,
                rows: rows.iter().map(|rows| rows.first().copied()).collect(),
            });
        }
    }
    joined
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn a_join_is_that_of_a_map(tables in prop::collection::vec(rows(), 1..4)) {
        let schema = schema();
        let snapshots: Vec<Snapshot> = tables.iter().map(snapshot).collect();
        let views: Vec<View<'_>> = snapshots.iter().map(|s| s.view_by_name(&schema).unwrap()).collect();
        let views: Vec<&View<'_>> = views.iter().collect();
        let joined = join(&views.iter().map(|view| Some(*view)).collect::<Vec<_>>());
        prop_assert_eq!(joined, oracle(&views));
    }
}

#[test]
fn a_missing_view_has_no_rows_and_no_opinion() {
    let (schema, table) = (schema(), snapshot(&vec![("1".into(), "2".into(), "a".into())]));
    let view = table.view_by_name(&schema).unwrap();
    let joined = join(&[None, Some(&view), Some(&view)]);
    assert_eq!((joined.equal, joined.rows.len()), (1, 0));
    let empty = snapshot(&vec![]);
    let empty = empty.view_by_name(&schema).unwrap();
    let joined = join(&[None, Some(&view), Some(&empty)]);
    assert_eq!(joined.rows, [JoinedRow { key: view.key(0), rows: vec![None, Some(0), None] }]);
    assert_eq!(join(&[None, None]), Joined::default());
}

#[test]
fn columns_mapped_in_some_views_are_compared_there() {
    let schema = schema();
    let tables = ["a", "b", "b"].map(|t| snapshot(&vec![("1".into(), "2".into(), t.into())]));
    let narrow = [Mapping::new("id", "id"), Mapping::new("n", "n")];
    let full = [Mapping::new("id", "id"), Mapping::new("n", "n"), Mapping::new("t", "t")];
    let differing = |mappings: [&[Mapping]; 3]| {
        let views: Vec<View<'_>> =
            tables.iter().zip(mappings).map(|(table, m)| table.view(&schema, m).unwrap()).collect();
        join(&views.iter().map(Some).collect::<Vec<_>>()).rows.len()
    };
    assert_eq!(differing([&full, &full, &full]), 1);
    assert_eq!(differing([&full, &narrow, &narrow]), 0);
    assert_eq!(differing([&full, &narrow, &full]), 1);
    assert_eq!(differing([&narrow, &full, &full]), 0);
}

#[test]
fn findings_name_absolute_rows() {
    let schema = schema();
    let mut builder = SnapshotBuilder::new(["id", "n", "t"]);
    for (row, id) in [(10, "1"), (20, ""), (30, "1.0"), (40, "2")] {
        builder.push_at(row, [Cell::Text(id)]);
    }
    let table = builder.finish();
    let view = table.view_by_name(&schema).unwrap();
    let texts: Vec<String> =
        join(&[Some(&view)]).findings(0, &view).iter().map(Finding::to_string).collect();
    assert_eq!(texts, ["row 20 has no complete key", "rows 10, 30 all have the key '1'"]);
}
