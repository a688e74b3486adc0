use std::time::Instant;

use super::*;

/// Prints what a base of a million rows of ten columns costs; asserts no time.
///
/// `cargo nextest run --release -p lockstep --lib --run-ignored only --no-capture million`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints a figure; run it in release"]
async fn a_base_of_a_million_rows() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let columns: Vec<String> = (0..10).map(|n| format!("column {n}")).collect();
    let key = |n: i64| format!("key-{n:07}");
    let wide = |n: i64| -> Row {
        let text =
            |what: &str| Value::from(format!("{what} {}", n.wrapping_mul(7_919) % 9_973).as_str());
        let day = jiff::civil::Date::constant(2024, 1, 1);
        [
            Value::from(key(n).as_str()),
            text("customer"),
            Value::from(n * 100),
            Value::Number(format!("{}.{:02}", n % 5_000, n % 100).parse().unwrap()),
            Value::Date(day.checked_add(jiff::Span::new().days(n % 700)).unwrap()),
            Value::from(n % 3 == 0),
            text("street"),
            text("city"),
            Value::Null,
            text("a somewhat longer remark about the record"),
        ]
        .into()
    };
    let moves: Vec<BaseChange> = (0..1_000_000)
        .map(|n| BaseChange { key: Key::of(&key(n)), before: None, after: Some(wide(n)) })
        .collect();
    let mut new = run("r1", "d");
    new.columns.clone_from(&columns);
    let timed =
        |what: &str, since: Instant| println!("{what}: {:.2} s", since.elapsed().as_secs_f64());

    let since = Instant::now();
    store.begin(&lease, &new, &[], &own(&moves)).await.unwrap();
    timed("begin, 1,000,000 rows of 10 columns to learn", since);
    let since = Instant::now();
    let done = Outcome { columns: columns.clone(), ..outcome(RunState::Applied, moves) };
    store.finish(&lease, "r1", &done).await.unwrap();
    timed("finish", since);
    for _ in 0..3 {
        let since = Instant::now();
        let base = store.base("d").await.unwrap().unwrap();
        timed("load of base", since);
        assert_eq!(base.rows.len(), 1_000_000);
        assert_eq!(base.rows[999_999], wide(999_999));
    }
    let change = |n: i64| BaseChange {
        key: Key::of(&key(n)),
        before: Some(wide(n)),
        after: Some(wide(n + 1)),
    };
    for (id, count) in [("r2", 1_000), ("r3", 9_100)] {
        let moves: Vec<BaseChange> = (0..count).map(|n| change(n * 97)).collect();
        new.id = id.into();
        store.begin(&lease, &new, &[], &own(&moves)).await.unwrap();
        let since = Instant::now();
        let done = Outcome { columns: columns.clone(), ..outcome(RunState::Applied, moves) };
        store.finish(&lease, id, &done).await.unwrap();
        timed(&format!("finish, {count} rows changed"), since);
        let since = Instant::now();
        store.base("d").await.unwrap();
        timed("load of base", since);
    }
    let inserts: Vec<Action> = (0..100_000)
        .map(|n| Action {
            key: Key::of(&key(n)),
            kind: ChangeKind::Update,
            before: Some(wide(n)),
            after: Some(wide(n + 1)),
            cells: vec![2, 3].into(),
            left_out: None,
        })
        .collect();
    new.id = "r4".into();
    let since = Instant::now();
    store.begin(&lease, &new, &[batch(1, inserts)], &[]).await.unwrap();
    timed("begin, 100,000 actions", since);
    store.mark_batch(&lease, "r4", 1, BatchState::Applied, None, &[]).await.unwrap();
    let since = Instant::now();
    let done = Outcome { columns, ..outcome(RunState::Applied, vec![]) };
    store.finish(&lease, "r4", &done).await.unwrap();
    timed("finish, 100,000 lines of audit", since);
    let since = Instant::now();
    assert!(matches!(
        store.verify_audit().await.unwrap(),
        AuditVerdict::Whole { lines: 100_000, .. }
    ));
    timed("verify_audit, 100,000 lines", since);
    let size = std::fs::metadata(store.path()).unwrap().len();
    println!("file: {} MB", size / 1_000_000);
}
