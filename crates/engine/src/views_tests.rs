use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::cell::Cell;
use crate::dataset::Policy;
use crate::reconcile::{Reconciled, Side, feed};
use crate::schema::{Column, ColumnType, Schema};
use crate::snapshot::{Mapping, Snapshot, SnapshotBuilder};
use crate::table::Table;
use crate::times::Times;

/// Rows of id, n, t and gone; only the right side maps the last.
type Rows = Vec<[String; 4]>;

fn rows() -> impl Strategy<Value = Rows> {
    let id = prop_oneof![12 => "[1-6]", 1 => "0[1-6]|[1-6]\\.0", 1 => "|x"];
    let gone = prop_oneof![3 => Just(String::new()), 1 => Just("yes".to_owned())];
    let cell = |pattern: &'static str| pattern.prop_map(|text: String| text);
    prop::collection::vec((id, cell("[12]|1\\.0|"), cell("a|b|a |e\u{301}|é"), gone), 0..9)
        .prop_map(|rows| rows.into_iter().map(|(id, n, t, gone)| [id, n, t, gone]).collect())
}

fn policies() -> impl Strategy<Value = Policy> {
    let mark = json!({ "mark": { "column": "gone", "value": "yes" } });
    let deletes = prop::sample::select(vec![json!("delete"), json!("ignore"), mark]);
    let direction = prop::sample::select(vec!["both", "leftToRight", "rightToLeft"]);
    let strategy = prop::sample::select(vec!["manualReview", "leftPriority", "automaticMerge"]);
    let clash = prop::sample::select(vec!["hold", "editWins", "deleteWins"]);
    (deletes, direction, strategy, clash).prop_map(|(deletes, direction, strategy, clash)| {
        serde_json::from_value(json!({
            "deletes": { "left": "delete", "right": deletes }, "direction": direction, "strategy": strategy,
            "clash": clash, "columns": { "gone": { "only": "right" } },
        }))
        .unwrap()
    })
}

fn schema() -> Schema {
    let columns = vec![
        Column::new("id", ColumnType::Number),
        Column::new("n", ColumnType::Number),
        Column::new("t", ColumnType::Text),
        Column::new("gone", ColumnType::Text),
    ];
    Schema::new(columns, vec![0])
}

fn snapshot(rows: &Rows) -> Snapshot {
    let mut builder = SnapshotBuilder::new(["id", "n", "t", "gone"]);
    rows.iter().for_each(|row| builder.push(row.iter().map(|text| Cell::Text(text))));
    builder.finish()
}

fn view<'a>(snapshot: &'a Snapshot, schema: &'a Schema, columns: usize) -> View<'a> {
    let names = schema.columns.iter().take(columns);
    let mappings: Vec<Mapping> = names.map(|c| Mapping::new(&c.name, &c.name)).collect();
    snapshot.view(schema, &mappings).unwrap()
}

fn table(view: &View<'_>) -> Table {
    Table::from_rows(view.schema(), (0..view.len()).map(|row| view.row(row)))
}

/// The rows with one row for each key and nothing in the column that one side alone has, as base has them.
fn once(rows: &Rows) -> Rows {
    let mut seen = std::collections::BTreeSet::new();
    let number =
        |row: &&[String; 4]| row[0].trim_start_matches('0').trim_end_matches(".0").to_owned();
    let agreed = |row: &[String; 4]| {
        let [id, n, t, _] = row.clone();
        [id, n, t, String::new()]
    };
    rows.iter().filter(|row| !row[0].is_empty() && seen.insert(number(row))).map(agreed).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Against the typed tables of the same rows, decided key by key.
    #[test]
    fn views_are_decided_as_tables(base in rows(), left in rows(), right in rows(), policy in policies(), chunk in 1usize..5) {
        let schema = schema();
        let snapshots = [once(&base), left, right].map(|rows| snapshot(&rows));
        let views = [view(&snapshots[0], &schema, 4), view(&snapshots[1], &schema, 3), view(&snapshots[2], &schema, 4)];
        let terms = Terms::new(&schema, &policy).unwrap();
        let times = Times::default();
        let mut by_views = Reconciler::new(&terms, &times);
        feed_chunks(&mut by_views, [Some(&views[0]), Some(&views[1]), Some(&views[2])], chunk);
        let tables = views.each_ref().map(table);
        let [left, right] = [&tables[1], &tables[2]].map(Side::complete);
        let mut by_tables = Reconciler::new(&terms, &times);
        by_tables.at_best(SideName::Left, left.reading);
        by_tables.at_best(SideName::Right, right.reading);
        feed(&mut by_tables, Some(&tables[0]), left, right);
        prop_assert_eq!(by_views.finish(), by_tables.finish());
    }

    /// Without a base nothing but base itself is decided otherwise than against an empty one.
    #[test]
    fn no_base_is_an_empty_base_that_learns_less(left in rows(), right in rows(), policy in policies()) {
        let schema = schema();
        let snapshots = [Vec::new(), left, right].map(|rows| snapshot(&rows));
        let views = [view(&snapshots[0], &schema, 4), view(&snapshots[1], &schema, 3), view(&snapshots[2], &schema, 4)];
        let terms = Terms::new(&schema, &policy).unwrap();
        let times = Times::default();
        let decide = |base: Option<&View<'_>>| {
            let mut reconciler = Reconciler::new(&terms, &times);
            let findings = feed_views(&mut reconciler, base, &views[1], &views[2]);
            (reconciler.finish(), findings)
        };
        let (without, findings) = decide(None);
        let (empty, same_findings) = decide(Some(&views[0]));
        prop_assert_eq!(findings, same_findings);
        prop_assert_eq!(&without.counts.classes, &empty.counts.classes);
        for change in &without.base {
            prop_assert!(empty.base.contains(change));
        }
        let rest = |result: Reconciled| Reconciled { base: Vec::new(), counts: Default::default(), ..result };
        prop_assert_eq!(rest(without), rest(empty));
    }
}

#[test]
fn many_rows_are_decided_on_many_threads() {
    let schema = schema();
    let rows = |change: fn(usize) -> Option<&'static str>| -> Snapshot {
        let mut builder = SnapshotBuilder::new(["id", "n", "t", "gone"]);
        for id in (0..300_000).rev() {
            if let Some(text) = change(id) {
                builder.push([
                    Cell::Text(&id.to_string()),
                    Cell::Null,
                    Cell::Text(text),
                    Cell::Null,
                ]);
            }
        }
        builder.finish()
    };
    let base = rows(|_| Some("as it was"));
    let left = rows(|id| (id % 10 != 1).then_some(if id % 10 == 2 { "left" } else { "as it was" }));
    let right =
        rows(|id| (id % 10 != 3).then_some(if id % 5 == 2 { "right" } else { "as it was" }));
    let views = [&base, &left, &right].map(|snapshot| view(snapshot, &schema, 4));
    let policy = serde_json::from_value(json!({ "deletes": "delete" })).unwrap();
    let terms = Terms::new(&schema, &policy).unwrap();
    let times = Times::default();
    let mut reconciler = Reconciler::new(&terms, &times);
    feed_views(&mut reconciler, Some(&views[0]), &views[1], &views[2]);
    let result = reconciler.finish();
    let keys =
        |keys: Vec<&Key>| -> Vec<String> { keys.iter().map(|key| key.to_string()).collect() };
    let with = |digits: &[usize]| -> Vec<String> {
        (0..300_000).filter(|id| digits.contains(&(id % 10))).map(|id| id.to_string()).collect()
    };
    assert_eq!(keys(result.left.iter().map(|change| &change.key).collect()), with(&[3, 7]));
    assert_eq!(keys(result.right.iter().map(|change| &change.key).collect()), with(&[1]));
    assert_eq!(keys(result.conflicts.iter().map(|conflict| &conflict.key).collect()), with(&[2]));
    assert_eq!(result.counts.classes.values().sum::<u64>(), 300_000);
    // Rows went in from the last to the first.
    assert_eq!(result.left[0].row, left.len().checked_sub(3));
}

#[test]
fn a_key_that_base_has_twice_is_not_decided() {
    let schema = schema();
    let row = |t: &str| ["1", "1", t, ""].map(str::to_owned);
    let snapshots =
        [vec![row("a"), row("b")], vec![row("c")], vec![row("a")]].map(|rows| snapshot(&rows));
    let views = snapshots.each_ref().map(|snapshot| view(snapshot, &schema, 4));
    let terms = Terms::new(&schema, &Policy::default()).unwrap();
    let times = Times::default();
    let mut reconciler = Reconciler::new(&terms, &times);
    feed_views(&mut reconciler, Some(&views[0]), &views[1], &views[2]);
    let result = reconciler.finish();
    assert!(result.is_quiet() && result.base.is_empty());
    assert!(!result.withheld.is_empty());
}
