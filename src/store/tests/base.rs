use std::collections::BTreeMap;

use super::*;

/// Lets base learn moves without writing anything to a side.
async fn learn(
    store: &Store,
    lease: &Lease,
    id: &str,
    columns: &[String],
    moves: Vec<BaseChange>,
) -> Option<u64> {
    let mut new = run(id, &lease.dataset);
    new.columns = columns.to_vec();
    store.begin(lease, &new, &[], &own(&moves)).await.unwrap();
    let outcome = Outcome { columns: columns.to_vec(), ..outcome(RunState::Applied, moves) };
    store.finish(lease, id, &outcome).await.unwrap()
}

async fn parts(store: &Store, version: u64) -> Vec<i64> {
    sqlx::query_scalar("SELECT segment FROM base_parts WHERE version = $1 ORDER BY position")
        .bind(version as i64)
        .fetch_all(&store.reads)
        .await
        .unwrap()
}

#[tokio::test]
async fn there_is_no_base_before_the_first_run() {
    let (_folder, store) = fresh().await;
    assert_eq!(store.base("d").await.unwrap(), None);
    assert_eq!(store.base_at("d", 1).await.unwrap(), None);
    let lease = hold(&store, "d", "me", at(0)).await;
    assert_eq!(learn(&store, &lease, "r1", &names(&["id", "n"]), vec![]).await, None);
    assert_eq!(store.base("d").await.unwrap(), None);
}

#[tokio::test]
async fn a_small_delta_shares_the_segments_and_a_large_one_is_folded() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let columns = names(&["id", "n"]);
    let key = |n: i64| format!("k{n:04}");
    let all = (0..100).map(|n| put(&key(n), None, Some(n))).collect();
    assert_eq!(learn(&store, &lease, "r1", &columns, all).await, Some(1));
    let first = parts(&store, 1).await;

    // Ten of a hundred is a tenth: not above it yet.
    let ten = (0..10).map(|n| put(&key(n), Some(n), Some(n + 1_000))).collect();
    assert_eq!(learn(&store, &lease, "r2", &columns, ten).await, Some(2));
    assert_eq!(parts(&store, 2).await, first);
    // The same keys again do not make it larger.
    let again = (0..10).map(|n| put(&key(n), Some(n + 1_000), Some(n + 2_000))).collect();
    learn(&store, &lease, "r3", &columns, again).await;
    assert_eq!(parts(&store, 3).await, first);
    learn(&store, &lease, "r4", &columns, vec![put(&key(50), Some(50), None)]).await;
    assert_ne!(parts(&store, 4).await, first);

    let base = store.base("d").await.unwrap().unwrap();
    assert_eq!((base.version, base.columns.clone()), (4, columns));
    assert_eq!(base.rows.len(), 99);
    assert_eq!(base.rows[9], row(&key(9), 2_009));
    assert_eq!(store.base_at("d", 1).await.unwrap().unwrap().rows[9], row(&key(9), 9));
    assert_eq!(store.base_at("d", 2).await.unwrap().unwrap().rows[9], row(&key(9), 1_009));
    assert_eq!(store.base_at("d", 5).await.unwrap(), None);
    assert_eq!(store.base_at("other", 1).await.unwrap(), None);
}

#[tokio::test]
async fn other_columns_align_the_rows_by_name() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let all = (0..40).map(|n| put(&format!("k{n:02}"), None, Some(n))).collect();
    learn(&store, &lease, "r1", &names(&["id", "n"]), all).await;
    // One row in the delta, so that both kinds are aligned.
    learn(&store, &lease, "r2", &names(&["id", "n"]), vec![put("k07", Some(7), Some(70))]).await;
    let columns = names(&["n", "note", "id"]);
    let new: Row = [Value::from(1), Value::from("new"), Value::from("k99")].into();
    let moves = vec![BaseChange { key: Key::of("k99"), before: None, after: Some(new.clone()) }];
    assert_eq!(learn(&store, &lease, "r3", &columns, moves).await, Some(3));
    let base = store.base("d").await.unwrap().unwrap();
    assert_eq!(base.columns, columns);
    assert_eq!(base.rows.len(), 41);
    assert_eq!(*base.rows[6], [Value::from(6), Value::Null, Value::from("k06")]);
    assert_eq!(*base.rows[7], [Value::from(70), Value::Null, Value::from("k07")]);
    assert_eq!(base.rows[40], new);
    assert_eq!(store.base_at("d", 2).await.unwrap().unwrap().columns, names(&["id", "n"]));
    // Columns alone move it too.
    assert_eq!(learn(&store, &lease, "r4", &names(&["id"]), vec![]).await, Some(4));
    assert_eq!(*store.base("d").await.unwrap().unwrap().rows[40], [Value::from("k99")]);
    assert_eq!(learn(&store, &lease, "r5", &names(&["id"]), vec![]).await, None);
}

#[tokio::test]
async fn rows_of_many_megabytes_take_several_segments() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let wide = |n: i64| -> Row {
        [Value::from(format!("k{n:03}").as_str()), Value::text("x".repeat(400_000))].into()
    };
    let moves = |range: std::ops::Range<i64>| -> Vec<BaseChange> {
        range
            .map(|n| BaseChange {
                key: Key::of(&format!("k{n:03}")),
                before: None,
                after: Some(wide(n)),
            })
            .collect()
    };
    learn(&store, &lease, "r1", &names(&["id", "n"]), moves(0..30)).await;
    let first = parts(&store, 1).await;
    assert_eq!(first.len(), 3);
    // Folding rows behind the last one leaves the segments before it.
    learn(&store, &lease, "r2", &names(&["id", "n"]), moves(30..40)).await;
    let second = parts(&store, 2).await;
    assert_eq!(second[..2], first[..2]);
    let base = store.base("d").await.unwrap().unwrap();
    assert_eq!(base.rows, (0..40).map(wide).collect::<Vec<_>>());
    // The intended moves came in pieces and are gone.
    let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM intended_base")
        .fetch_one(&store.reads)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn damage_is_told() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    learn(&store, &lease, "r1", &names(&["id", "n"]), vec![put("k", None, Some(1))]).await;
    by_hand(&store, "UPDATE base_segments SET data = x'00'").await;
    let error = store.base("d").await.unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
    assert!(error.to_string().contains("restore"), "{error}");
}

/// One run: the columns it has, and rows by key; `None` forgets the row.
type Step = (usize, BTreeMap<i64, Option<[Value; 3]>>);

fn any_step() -> impl Strategy<Value = Step> {
    let row = prop::option::weighted(0.7, [any_value(), any_value(), any_value()]);
    (0usize..8, prop::collection::btree_map(0i64..30, row, 0..12))
}

/// Most runs have the first columns.
fn columns(choice: usize) -> Vec<String> {
    match choice {
        6 => names(&["b", "id", "a"]),
        7 => names(&["a", "c", "b"]),
        _ => names(&["id", "a", "b"]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_version_is_what_it_was_when_it_was_made(steps in prop::collection::vec(any_step(), 1..10)) {
        wait(async {
            let (_folder, store) = fresh().await;
            let lease = hold(&store, "d", "me", at(0)).await;
            let mut known: Vec<(Vec<String>, BTreeMap<i64, Row>)> = vec![];
            for (number, (choice, changes)) in steps.into_iter().enumerate() {
                let columns = columns(choice);
                let (old, mut rows) = known.last().cloned().unwrap_or((columns.clone(), BTreeMap::new()));
                for row in rows.values_mut() {
                    let named = |name| old.iter().position(|other| other == name);
                    *row = columns.iter().map(|name| named(name).map_or(Value::Null, |at| row[at].clone())).collect();
                }
                let mut moves = vec![];
                for (key, row) in changes {
                    let after = row.map(Row::from);
                    let before = match &after {
                        Some(row) => rows.insert(key, row.clone()),
                        None => rows.remove(&key),
                    };
                    moves.push(BaseChange { key: Key::normalised([Value::from(key)], false), before, after });
                }
                let still = moves.is_empty() && (known.is_empty() || old == columns);
                let made = learn(&store, &lease, &format!("r{number}"), &columns, moves).await;
                if still {
                    assert_eq!(made, None);
                    continue;
                }
                known.push((columns, rows));
                assert_eq!(made, Some(known.len() as u64));
            }
            for (version, (columns, rows)) in (1u64..).zip(&known) {
                let base = store.base_at("d", version).await.unwrap().unwrap();
                assert_eq!((&base.columns, base.rows), (columns, rows.values().cloned().collect()));
            }
            let current = store.base("d").await.unwrap().map(|base| base.version);
            assert_eq!(current.unwrap_or(0), known.len() as u64);
        });
    }
}
