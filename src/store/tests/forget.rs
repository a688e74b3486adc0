use std::fs;

use lockstep_engine::plan::{Body, Plan};

use super::*;
use crate::error::Kind;
use crate::store::forget::Forgotten;

const SECRET: &str = "Zwiebelfisch";

/// Returns whether a text stands anywhere in the store: in its files, or in any row of a server's.
pub(super) async fn is_kept(folder: &TempDir, store: &Store, text: &str) -> bool {
    if server().is_none() {
        return on_disk(folder, text);
    }
    let mut conn = store.reads.acquire().await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = 'public'",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    for table in tables {
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT CAST(t AS TEXT) FROM {table} t"
        )))
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        if rows.iter().any(|row| row.contains(text) || row.contains(&hex)) {
            return true;
        }
    }
    false
}

fn on_disk(folder: &TempDir, text: &str) -> bool {
    fs::read_dir(folder.path()).unwrap().any(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn a_record_is_erased_everywhere_and_everything_else_stays() {
    let (folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let key = Key::of(SECRET);
    let mut many: Vec<Action> =
        (0..30).map(|n| action(&format!("k{n:02}"), None, Some(n))).collect();
    many.push(action(SECRET, None, Some(1)));
    complete(&store, &lease, &run("r1", "d"), many).await;
    complete(&store, &lease, &run("r2", "d"), vec![action(SECRET, Some(1), Some(2))]).await;
    complete(&store, &lease, &run("r3", "d"), vec![action("k00", Some(0), Some(5))]).await;
    complete(&store, &lease, &run("r4", "d"), vec![action(SECRET, Some(2), None)]).await;
    let mut failed = outcome(RunState::Failed, vec![]);
    failed.error = Some(format!("the row {} was refused", SECRET.to_uppercase()));
    store.begin(&lease, &run("r5", "d"), &[batch(1, vec![])], &[]).await.unwrap();
    let note = format!("row {SECRET}: refused");
    store.mark_batch(&lease, "r5", 1, BatchState::Failed, Some(&note), &[]).await.unwrap();
    store.finish(&lease, "r5", &failed).await.unwrap();
    let other = hold(&store, "e", "me", at(0)).await;
    complete(&store, &other, &run("e1", "e"), vec![action(SECRET, None, Some(1))]).await;
    store.put_plan(&plans::plan("d", SECRET), &json!({}), at(0)).await.unwrap();
    store.put_plan(&plans::plan("d", "k01"), &json!({}), at(0)).await.unwrap();
    store.put_plan(&plans::plan("e", SECRET), &json!({}), at(0)).await.unwrap();
    let before: Vec<Base> = {
        let mut all = vec![];
        for version in 1..=4 {
            all.push(store.base_at("d", version).await.unwrap().unwrap());
        }
        all
    };
    let audit = store.audit(0, 99).await.unwrap();

    let forgotten = store.forget("d", &key).await.unwrap();
    let wanted = Forgotten {
        bases: 4,
        actions: 3,
        plans: 1,
        tombstones: 1,
        audit_payloads: 3,
        ..Forgotten::default()
    };
    assert_eq!(forgotten, wanted);
    for (version, before) in (1..).zip(before) {
        let after = store.base_at("d", version).await.unwrap().unwrap();
        let rest: Vec<Row> =
            before.rows.into_iter().filter(|row| row[0] != Value::from(SECRET)).collect();
        assert_eq!(after.rows, rest, "version {version}");
        assert_eq!(rest.len(), 30);
    }
    assert_eq!(store.life("d", &key, 9).await.unwrap(), []);
    assert_eq!(store.changes("r1", 0, 99).await.unwrap().0.len(), 30);
    assert_eq!(store.tombstones("d").await.unwrap().len(), 0);
    assert_eq!(store.run("r5").await.unwrap().unwrap().error.as_deref(), Some("(erased)"));
    assert_eq!(store.batches("r5").await.unwrap()[0].note.as_deref(), Some("(erased)"));
    for (before, after) in audit.iter().zip(store.audit(0, 99).await.unwrap()) {
        let mine =
            before.dataset == "d" && before.payload.as_ref().unwrap()["key"] == json!([SECRET]);
        assert_eq!(after.payload.is_none(), mine);
        assert_eq!(after.hash, before.hash);
    }
    let AuditVerdict::Whole { lines: 35, erased: 3, .. } = store.verify_audit().await.unwrap()
    else {
        panic!()
    };
    let plan = |dataset, key| plans::plan(dataset, key).id().to_owned();
    assert_eq!(store.plan(&plan("d", SECRET), at(0)).await.unwrap(), PlanLookup::Unknown);
    assert!(matches!(store.plan(&plan("d", "k01"), at(0)).await.unwrap(), PlanLookup::Found(_)));

    // The other dataset's record is another one.
    assert_eq!(store.life("e", &key, 9).await.unwrap().len(), 1);
    assert_eq!(store.base("e").await.unwrap().unwrap().rows, [row(SECRET, 1)]);
    // An encrypted store does not show it anyway.
    assert_eq!(is_kept(&folder, &store, SECRET).await, keys().is_none());
    let forgotten = store.forget("e", &key).await.unwrap();
    let wanted = Forgotten {
        bases: 1,
        actions: 1,
        plans: 1,
        tombstones: 0,
        audit_payloads: 1,
        ..Forgotten::default()
    };
    assert_eq!(forgotten, wanted);
    assert_eq!(store.base("e").await.unwrap().unwrap().rows, Vec::<Row>::new());
    assert!(!is_kept(&folder, &store, SECRET).await, "not even in free pages or the log");
    let shown = is_kept(&folder, &store, "k01").await;
    assert_eq!(shown, keys().is_none(), "the search finds what is there");
    assert_eq!(store.forget("d", &key).await.unwrap(), Forgotten::default());

    // Life goes on: the next runs build on what is left.
    complete(&store, &lease, &run("r6", "d"), vec![action(SECRET, None, Some(9))]).await;
    assert_eq!(store.base("d").await.unwrap().unwrap().rows.len(), 31);
    complete(&store, &other, &run("e2", "e"), vec![action("k", None, Some(1))]).await;
    assert_eq!(store.base("e").await.unwrap().unwrap().rows, [row("k", 1)]);
}

#[tokio::test]
async fn a_key_at_the_end_of_a_segment_leaves_the_order_whole() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let wide = |key: &str| -> Row { [Value::from(key), Value::text("x".repeat(1_000_000))].into() };
    let keys: Vec<String> = (0..12).map(|n| format!("k{n:02}")).collect();
    let insert = |key: &str| Action { after: Some(wide(key)), ..action(key, None, Some(1)) };
    complete(&store, &lease, &run("r1", "d"), keys.iter().map(|key| insert(key)).collect()).await;
    let segments: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM base_segments")
        .fetch_one(&store.reads)
        .await
        .unwrap();
    assert!(segments >= 2);
    let mut left = keys.clone();
    // Every key once, so also each segment's last one, and the last of all.
    for key in keys.iter().rev().step_by(2).chain(keys.iter().rev().skip(1).step_by(2)) {
        assert_eq!(store.forget("d", &Key::of(key)).await.unwrap().bases, 1, "{key}");
        left.retain(|other| other != key);
        let rows = store.base("d").await.unwrap().unwrap().rows;
        assert_eq!(rows, left.iter().map(|key| wide(key)).collect::<Vec<_>>());
    }
    complete(&store, &lease, &run("r2", "d"), vec![insert("k05")]).await;
    assert_eq!(store.base("d").await.unwrap().unwrap().rows, [wide("k05")]);
}

#[tokio::test]
async fn nothing_is_erased_under_an_open_run() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    store.begin(&lease, &run("r1", "d"), &[], &[]).await.unwrap();
    let error = store.forget("d", &Key::of("k")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Changed);
    assert!(error.to_string().contains("open"), "{error}");
    store.forget("other", &Key::of("k")).await.unwrap();
}

#[tokio::test]
async fn a_plan_that_quotes_a_row_without_naming_it_goes_too() {
    let (_folder, store) = fresh().await;
    let named = plans::plan("d", "other");
    let problem = format!("'{SECRET}' is not a number");
    let finding =
        lockstep_engine::findings::Finding::NotOfType { row: 7, column: "n".into(), problem };
    let quoting = Plan::new(Body { findings: vec![finding], ..named.body().clone() });
    store.put_plan(&named, &json!({}), at(0)).await.unwrap();
    store.put_plan(&quoting, &json!({}), at(0)).await.unwrap();
    assert_eq!(store.forget("d", &Key::of("some key")).await.unwrap().plans, 1);
    assert!(matches!(store.plan(named.id(), at(0)).await.unwrap(), PlanLookup::Found(_)));
    assert_eq!(store.plan(quoting.id(), at(0)).await.unwrap(), PlanLookup::Unknown);
}

#[tokio::test]
async fn messages_that_quote_a_record_are_blanked_and_the_rest_stays() {
    let (folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    // By a value of its row alone, as some messages do.
    let row = |key: &str, value: &str| -> Row { [Value::from(key), Value::from(value)].into() };
    let insert = Action { after: Some(row("k1", SECRET)), ..action("k1", None, Some(1)) };
    let other = Action { after: Some(row("k2", "of another")), ..action("k2", None, Some(1)) };
    complete(&store, &lease, &run("r1", "d"), vec![insert, other]).await;
    let said = format!("the value {} is refused", SECRET.to_uppercase());
    for (dataset, said) in [("d", said.as_str()), ("e", "another one's trouble")] {
        let error = Some(("invalid".to_owned(), said.to_owned()));
        let learned = |facts: &mut Facts| {
            (facts.last_error, facts.quality) = (error, Some(json!({"failed": [said], "of": 3})));
        };
        store.learn(dataset, learned).await.unwrap();
        let breaker = Breaker {
            member: "m".into(),
            failures: 3,
            since: at(0),
            until: at(9),
            why: said.into(),
        };
        store.put_breakers(dataset, &[breaker]).await.unwrap();
        store.start_watch(dataset, &json!({}), at(0)).await.unwrap();
        let status =
            json!({"looked": "2026-01-01T00:00:00Z", "error": said, "halts": [said], "events": 7});
        store.put_watch_status(dataset, &status).await.unwrap();
        let body = json!({"text": said, "blocks": [{"text": {"text": said}}],
            "lockstep": {"detail": said, "kind": "halted"}});
        store.open_incident(dataset, "halted", said, at(0), &["webhook"], &body).await.unwrap();
        for delivery in store.due_deliveries(at(1), 9).await.unwrap() {
            store.tried(delivery.id, at(1), at(2), Some(said)).await.unwrap();
        }
    }
    // What is told of the alerts themselves may quote what a channel refused.
    store.open_incident("", "alerts", &said, at(0), &["sheet"], &json!({})).await.unwrap();
    let before = store.notices_of("d").await.unwrap();
    assert_eq!(before.len(), 10, "{before:?}");

    store.forget("d", &Key::of("k1")).await.unwrap();
    assert!(!is_kept(&folder, &store, SECRET).await);
    assert!(!is_kept(&folder, &store, &SECRET.to_uppercase()).await);
    let facts = store.facts("d").await.unwrap();
    assert_eq!(facts.last_error, Some(("invalid".to_owned(), "(erased)".to_owned())));
    assert_eq!(facts.quality, Some(json!({"failed": ["(erased)"], "of": 3})));
    let breakers = store.breakers("d").await.unwrap();
    assert_eq!((breakers[0].why.as_str(), breakers[0].failures), ("(erased)", 3));
    let status = json!({"looked": "2026-01-01T00:00:00Z", "error": "(erased)", "halts": ["(erased)"], "events": 7});
    assert_eq!(store.watch("d").await.unwrap().unwrap().status, status);
    let details: Vec<String> =
        store.incidents().await.unwrap().into_iter().map(|one| one.detail).collect();
    assert_eq!(details, ["(erased)", "another one's trouble", "(erased)"]);
    let sent = store.due_deliveries(at(9), 9).await.unwrap();
    assert_eq!(sent[0].body["lockstep"], json!({"detail": "(erased)", "kind": "halted"}));
    // What is of another dataset stays as it was.
    let rest: Vec<String> =
        store.notices_of("e").await.unwrap().into_iter().map(|(_, words)| words).collect();
    assert_eq!(rest.iter().filter(|words| words.contains("another one's trouble")).count(), 8);
}
