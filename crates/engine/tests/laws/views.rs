//! Whole snapshots fed through a join decide the same as tables fed key by key.

use lockstep_engine::csv::CsvOptions;
use lockstep_engine::dataset::SideName;
use lockstep_engine::reconcile::{Reconciler, Side, feed};
use lockstep_engine::snapshot::{self, Snapshot};
use lockstep_engine::table::Table;
use lockstep_engine::terms::Terms;
use lockstep_engine::value::{Row, Value};
use lockstep_engine::views::feed_views;
use proptest::prelude::*;

use crate::policies::policies_of_columns;
use crate::tables::{COLUMNS, times, worlds};
use crate::world::schema;

fn snapshot(rows: &[Row]) -> Snapshot {
    let mut text = "id,a,b,c,d,status\n".to_owned();
    for row in rows {
        let cells: Vec<String> = row.iter().map(Value::to_string).collect();
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    snapshot::csv::read(text.as_bytes(), &CsvOptions::default()).unwrap()
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn views_decide_like_tables(
        world in worlds(), policy in policies_of_columns(), times in times(), twice in any::<[bool; 2]>(), blank in any::<[bool; 2]>()
    ) {
        let mut policy = policy;
        policy.columns.values_mut().for_each(|column| column.only = None);
        let schema = schema(COLUMNS);
        let terms = Terms::new(&schema, &policy).unwrap();
        let rows = |table: &Table| table.iter().map(|(_, row)| row.clone()).collect::<Vec<_>>();
        let base = rows(&world.base);
        let sides = SideName::BOTH.map(|side| {
            let n = usize::from(side == SideName::Right);
            let mut rows = rows(world.side(side));
            rows.extend(rows.first().cloned().filter(|_| twice[n]));
            if blank[n] {
                let mut row = crate::world::row("", &[1.into(), 2.into(), 3.into(), 4.into()]);
                row[0] = Value::Null;
                rows.push(row);
            }
            rows
        });
        let snapshots = [&base, &sides[0], &sides[1]].map(|rows| snapshot(rows));
        let views = snapshots.each_ref().map(|snapshot| snapshot.view_by_name(&schema).unwrap());
        let mut reconciler = Reconciler::new(&terms, &times);
        let findings = feed_views(&mut reconciler, Some(&views[0]), &views[1], &views[2]);
        let seen = reconciler.finish();
        for (n, findings) in [findings.left, findings.right].iter().enumerate() {
            prop_assert_eq!(!findings.is_empty(), twice[n] && sides[n].len() > usize::from(blank[n]) || blank[n]);
        }
        let tables = sides.map(|rows| Table::from_rows(&schema, rows));
        let (left, right) = (Side::complete(&tables[0]), Side::complete(&tables[1]));
        let mut reconciler = Reconciler::new(&terms, &times).readings(left.reading, right.reading);
        feed(&mut reconciler, Some(&world.base), left, right);
        prop_assert_eq!(seen, reconciler.finish());
    }
}
