//! Every policy that can be said without columns of one's own, and random ones with them.

use std::collections::BTreeMap;

use lockstep_engine::dataset::{
    Clash, ColumnPolicy, Combine, DeletePolicy, Deletes, Direction, Drift, Granularity, Policy,
    SideName, Strategy,
};
use proptest::sample::select;
use proptest::strategy::Strategy as Gen;

use crate::tables::COLUMNS;

pub(crate) fn mark(column: &str, value: &str) -> Deletes {
    Deletes::Mark { column: Some(column.into()), value: value.into() }
}

/// Every combination of direction, strategy, clash, granularity, drift and delete policy.
pub(crate) fn all() -> impl Iterator<Item = Policy> {
    let directions = [Direction::Both, Direction::LeftToRight, Direction::RightToLeft];
    directions.into_iter().flat_map(|direction| {
        // Drift exists only one way, a clash only both ways: the other settings of each would say the same again.
        let drifts: &[Drift] = match direction {
            Direction::Both => &[Drift::Overwrite],
            _ => &[Drift::Overwrite, Drift::Report, Drift::Keep],
        };
        let clashes: &[Clash] =
            if direction == Direction::Both { &Clash::ALL } else { &[Clash::Hold] };
        let strategies: &[Strategy] =
            if direction == Direction::Both { &Strategy::ALL } else { &[Strategy::ManualReview] };
        strategies.iter().flat_map(move |&strategy| {
            clashes.iter().flat_map(move |&clash| {
                drifts.iter().flat_map(move |&drift| {
                    [Granularity::Row, Granularity::Cell].into_iter().flat_map(move |granularity| {
                        deletes().into_iter().map(move |deletes| Policy {
                            direction,
                            strategy,
                            clash,
                            granularity,
                            drift,
                            deletes,
                            ..Policy::default()
                        })
                    })
                })
            })
        })
    })
}

pub(crate) fn deletes() -> [DeletePolicy; 5] {
    [
        DeletePolicy::both(Deletes::Delete),
        DeletePolicy::both(Deletes::Ignore),
        DeletePolicy::both(mark("status", "inactive")),
        DeletePolicy::both(mark("a", "2")),
        DeletePolicy::new(Deletes::Delete, mark("status", "inactive")),
    ]
}

/// A policy with directions, strategies and merges of single columns, and rules.
pub(crate) fn policies_of_columns() -> impl Gen<Value = Policy> {
    let direction = || {
        select(vec![
            Direction::Both,
            Direction::Both,
            Direction::LeftToRight,
            Direction::RightToLeft,
        ])
    };
    let merges =
        [Combine::Sum, Combine::Max, Combine::Min, Combine::Fill, Combine::Union, Combine::Concat];
    let column = (
        proptest::option::weighted(0.3, direction()),
        proptest::option::weighted(0.3, select(Strategy::ALL.to_vec())),
        proptest::option::weighted(0.2, select(merges.to_vec())),
        proptest::option::weighted(0.1, select(SideName::BOTH.to_vec())),
    )
        .prop_map(|(direction, strategy, merge, only)| ColumnPolicy {
            direction,
            strategy,
            merge,
            only,
            ..ColumnPolicy::default()
        });
    let choices = (
        direction(),
        select(Strategy::ALL.to_vec()),
        select(Clash::ALL.to_vec()),
        select(vec![Granularity::Row, Granularity::Cell]),
        select(vec![Drift::Overwrite, Drift::Report, Drift::Keep]),
        select(deletes().to_vec()),
    );
    let rules = select(vec![
        "[]",
        r#"[{"type":"sourcePriority","sources":["crm"],"action":"preferSource","prefer":["crm"]},
            {"type":"timeBased","minGapSeconds":1,"action":"useLatest"}]"#,
        r#"[{"type":"fieldPriority","fields":["a","b"],"action":"mergeFields","merge":"max"}]"#,
        r#"[{"type":"valueBased","fields":["a","c"],"when":"left.b == right.b && base.d != 1","action":"mergeFields","merge":"max"},
            {"type":"valueBased","fields":["d"],"when":"left.a + right.a > 2","action":"useLatest"}]"#,
        r#"[{"type":"fieldPriority","fields":["b"],"action":"calculate","expression":"left.a + right.a + base.c"}]"#,
    ]);
    (choices, proptest::collection::vec(column, COLUMNS), proptest::bool::ANY, rules).prop_map(
        |((direction, strategy, clash, granularity, drift, deletes), columns, modified, rules)| {
            let mut columns: BTreeMap<String, ColumnPolicy> =
                ["a", "b", "c", "d"].map(String::from).into_iter().zip(columns).collect();
            // `a` is a column that rows may be marked in, so it stays on both sides; `d` may say when a row changed.
            columns.entry("a".into()).and_modify(|column| column.only = None);
            let modified_at = modified.then(|| "d".to_owned());
            let priorities =
                BTreeMap::from([("left".into(), 2), ("right".into(), 2), ("crm".into(), 3)]);
            let rules = serde_json::from_str(rules).unwrap();
            Policy {
                direction,
                strategy,
                clash,
                granularity,
                drift,
                deletes,
                columns,
                modified_at,
                priorities,
                rules,
                ..Policy::default()
            }
        },
    )
}
