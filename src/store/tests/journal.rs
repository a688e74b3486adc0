use std::collections::BTreeSet;

use super::*;
use crate::error::Kind;

#[tokio::test]
async fn intent_is_there_as_it_was_given() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let mut second = batch(2, vec![action("b", Some(1), Some(2)), action("a", Some(1), None)]);
    second.side = "left".into();
    let first = batch(1, vec![action("c", None, Some(3))]);
    let moves = vec![put("a", Some(1), None), put("b", Some(1), Some(2))];
    let mut new = run("r1", "d");
    new.sensitive = vec![1];
    store.begin(&lease, &new, &[second.clone(), first.clone()], &own(&moves)).await.unwrap();

    // From another handle, as another process sees it.
    let other = again(&store).await;
    assert_eq!(other.batches("r1").await.unwrap(), [first, second]);
    let intended = |moves: Moves| Intended { moves, moved: false };
    assert_eq!(other.intended_base("r1").await.unwrap(), own(&moves).map(intended));
    assert_eq!(other.open_datasets().await.unwrap(), ["d"]);
    let open = other.open_runs("d").await.unwrap();
    let wanted = Run {
        id: "r1".into(),
        dataset: "d".into(),
        plan_id: new.plan_id.clone(),
        kind: RunKind::Sync,
        undoes: None,
        undone_by: None,
        state: RunState::Applying,
        caller: new.caller.clone(),
        started: at(0),
        finished: None,
        fence: 1,
        columns: new.columns.clone(),
        sensitive: vec![1],
        counts: serde_json::Value::Null,
        error: None,
    };
    assert_eq!(open, [wanted]);
    assert_eq!(store.batches("nothing").await.unwrap(), []);

    let taken = store.begin(&lease, &new, &[], &[]).await.unwrap_err();
    assert!(taken.to_string().contains("begun already"), "{taken}");
}

#[tokio::test]
async fn a_thousand_actions_and_more_keep_their_order() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let of = |from, to| (from..to).map(|n| action(&format!("k{n}"), None, Some(n))).collect();
    let batches = [batch(1, of(0, 700)), batch(2, vec![]), batch(3, of(700, 1_801))];
    store.begin(&lease, &run("r1", "d"), &batches, &[]).await.unwrap();
    assert_eq!(store.batches("r1").await.unwrap(), batches);
}

#[tokio::test]
async fn rows_that_do_not_fit_the_columns_are_refused_before_anything_is_stored() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let mut short = action("k", None, Some(1));
    short.after = Some([Value::from("k")].into());
    let moved = BaseChange { key: Key::of("k"), before: None, after: short.after.clone() };
    assert!(store.begin(&lease, &run("r1", "d"), &[batch(1, vec![short])], &[]).await.is_err());
    assert!(
        store
            .begin(&lease, &run("r1", "d"), &[], &own(std::slice::from_ref(&moved)))
            .await
            .is_err()
    );
    assert_eq!(store.open_runs("d").await.unwrap(), []);
    store.begin(&lease, &run("r1", "d"), &[], &[]).await.unwrap();
    let error = store.finish(&lease, "r1", &outcome(RunState::Applied, vec![moved])).await;
    assert!(error.unwrap_err().to_string().contains("1 values for 2 columns"));
}

#[tokio::test]
async fn a_batch_is_settled_once() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let batches: Vec<Batch> = (1..=4).map(|seq| batch(seq, vec![])).collect();
    store.begin(&lease, &run("r1", "d"), &batches, &[]).await.unwrap();
    use BatchState::*;
    let mark =
        async |seq, state| store.mark_batch(&lease, "r1", seq, state, Some("why"), &[]).await;
    mark(1, Applied).await.unwrap();
    mark(1, Applied).await.unwrap();
    for state in [Intended, Void, Failed] {
        assert_eq!(mark(1, state).await.unwrap_err().kind(), Kind::Changed);
    }
    mark(2, Void).await.unwrap();
    assert_eq!(mark(2, Applied).await.unwrap_err().kind(), Kind::Changed);
    mark(3, Failed).await.unwrap();
    mark(3, Intended).await.unwrap();
    assert_eq!(mark(9, Applied).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(
        store.mark_batch(&lease, "r9", 1, Applied, None, &[]).await.unwrap_err().kind(),
        Kind::NotFound
    );

    let error = store.finish(&lease, "r1", &outcome(RunState::Partial, vec![])).await.unwrap_err();
    assert!(error.to_string().contains("batch 3") && error.to_string().contains("void"), "{error}");
    assert_eq!(store.void_intended(&lease, "r1", "cancelled").await.unwrap(), 2);
    let states: Vec<_> =
        store.batches("r1").await.unwrap().into_iter().map(|one| (one.state, one.note)).collect();
    let said = |text: &str| Some(text.to_owned());
    assert_eq!(
        states,
        [
            (Applied, said("why")),
            (Void, said("why")),
            (Void, said("cancelled")),
            (Void, said("cancelled"))
        ]
    );
    assert!(store.finish(&lease, "r1", &outcome(RunState::Applying, vec![])).await.is_err());
    store.finish(&lease, "r1", &outcome(RunState::Partial, vec![])).await.unwrap();
    assert_eq!(mark(4, Void).await.unwrap_err().kind(), Kind::Changed);
    let error = store.finish(&lease, "r1", &outcome(RunState::Applied, vec![])).await.unwrap_err();
    assert!(error.to_string().contains("is closed"), "{error}");
}

#[tokio::test]
async fn closing_a_run_moves_everything_at_once() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let actions = vec![action("a", None, Some(1)), action("b", None, Some(2))];
    complete(&store, &lease, &run("r1", "d"), actions).await;
    let batches = [
        batch(1, vec![action("a", Some(1), None)]),
        batch(2, vec![action("c", None, Some(3))]),
        batch(3, vec![action("e", None, Some(5))]),
    ];
    let moves = vec![put("a", Some(1), None), put("c", None, Some(3)), put("e", None, Some(5))];
    store.begin(&lease, &run("r2", "d"), &batches, &own(&moves)).await.unwrap();
    store.mark_batch(&lease, "r2", 1, BatchState::Applied, None, &[]).await.unwrap();
    store.mark_batch(&lease, "r2", 2, BatchState::Applied, None, &[]).await.unwrap();
    store.mark_batch(&lease, "r2", 3, BatchState::Failed, Some("refused"), &[]).await.unwrap();

    let mut what = outcome(RunState::Partial, moves[..2].to_vec());
    what.error = Some("one batch was refused".into());
    assert_eq!(store.finish(&lease, "r2", &what).await.unwrap(), Some(2));
    let base = store.base("d").await.unwrap().unwrap();
    assert_eq!(base.rows, [row("b", 2), row("c", 3)]);
    assert_eq!(store.tombstones("d").await.unwrap(), BTreeSet::from([Key::of("a")]));
    let stone = store.tombstone("d", &Key::of("a")).await.unwrap().unwrap();
    assert_eq!((stone.row, stone.run, stone.at), (Some(row("a", 1)), "r2".into(), at(5)));
    assert_eq!(stone.columns, names(&["id", "n"]));
    let run2 = store.run("r2").await.unwrap().unwrap();
    assert_eq!((run2.state, run2.finished), (RunState::Partial, Some(at(5))));
    assert_eq!((run2.error, run2.counts), (what.error, what.counts));
    assert_eq!(store.base_made_by("d", "r2").await.unwrap(), Some(2));
    assert_eq!(store.intended_base("r2").await.unwrap(), []);
    assert_eq!(store.open_datasets().await.unwrap(), Vec::<String>::new());
    // Two lines of the first run, two of the second: what was refused was not done.
    let audit = store.audit(2, 9).await.unwrap();
    let lines: Vec<_> = audit.iter().map(|line| (line.seq, line.run.as_str(), line.kind)).collect();
    assert!(lines.iter().map(|line| (line.0, line.1)).eq([(3, "r2"), (4, "r2")]));
    let lines: Vec<_> = lines.iter().map(|line| line.2).collect();
    assert_eq!(lines, [ChangeKind::Delete, ChangeKind::Insert].map(LineKind::Write));

    // A row that comes back has no tombstone, one that goes again a new one.
    complete(&store, &lease, &run("r3", "d"), vec![action("a", None, Some(7))]).await;
    assert_eq!(store.tombstones("d").await.unwrap(), BTreeSet::new());
    complete(&store, &lease, &run("r4", "d"), vec![action("a", Some(7), None)]).await;
    let stone = store.tombstone("d", &Key::of("a")).await.unwrap().unwrap();
    assert_eq!(stone.row, Some(row("a", 7)));
    complete(&store, &lease, &run("r5", "d"), vec![action("a", Some(7), None)]).await;
    assert_eq!(store.tombstone("d", &Key::of("a")).await.unwrap().unwrap().run, "r5");
    assert_eq!(store.tombstones("other").await.unwrap(), BTreeSet::new());
}

#[tokio::test]
async fn a_failure_anywhere_in_closing_leaves_the_run_open_and_whole() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    complete(&store, &lease, &run("r1", "d"), vec![action("a", None, Some(1))]).await;
    let actions = vec![action("a", Some(1), None), action("b", None, Some(2))];
    let moves = vec![put("a", Some(1), None), put("b", None, Some(2))];
    store.begin(&lease, &run("r2", "d"), &[batch(1, actions)], &own(&moves)).await.unwrap();
    store.mark_batch(&lease, "r2", 1, BatchState::Applied, None, &[]).await.unwrap();
    let state = async || {
        let base = store.base("d").await.unwrap();
        let stones = store.tombstones("d").await.unwrap();
        let audit = store.audit(0, 99).await.unwrap();
        let intended = store.intended_base("r2").await.unwrap();
        let versions: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM base_versions")
            .fetch_one(&store.reads)
            .await
            .unwrap();
        (base, stones, audit, intended, versions, store.open_runs("d").await.unwrap())
    };
    let before = state().await;
    let done = outcome(RunState::Applied, moves.clone());
    let steps = [
        ("INSERT", "base_versions"),
        ("INSERT", "base_segments"),
        ("INSERT", "base_parts"),
        ("UPDATE", "base_heads"),
        ("INSERT", "tombstones"),
        ("INSERT", "audit"),
        ("UPDATE", "audit_head"),
        ("UPDATE", "runs"),
        ("DELETE", "intended_base"),
    ];
    for (event, table) in steps {
        let trigger = match server().is_some() {
            true => format!(
                "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql
                     AS $$ BEGIN RAISE EXCEPTION 'fault'; END $$;
                 CREATE TRIGGER fault AFTER {event} ON {table}
                     FOR EACH ROW EXECUTE FUNCTION fail()"
            ),
            false => format!(
                "CREATE TRIGGER fault AFTER {event} ON {table}
                 BEGIN SELECT RAISE(ABORT, 'fault'); END"
            ),
        };
        by_hand(&store, trigger).await;
        let error = store.finish(&lease, "r2", &done).await.unwrap_err();
        assert!(error.to_string().contains("fault"), "{table} {event}: {error}");
        assert_eq!(state().await, before, "{table} {event}");
        let on = if server().is_some() { format!(" ON {table}") } else { String::new() };
        by_hand(&store, format!("DROP TRIGGER fault{on}")).await;
    }
    assert_eq!(store.finish(&lease, "r2", &done).await.unwrap(), Some(2));
    assert_eq!(store.base("d").await.unwrap().unwrap().rows, [row("b", 2)]);
    assert!(matches!(store.verify_audit().await.unwrap(), AuditVerdict::Whole { lines: 3, .. }));
}

#[tokio::test]
async fn what_agreed_already_is_learned_without_a_batch() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let moves = vec![put("a", None, Some(1))];
    store.begin(&lease, &run("r1", "d"), &[], &own(&moves)).await.unwrap();
    assert_eq!(
        store.finish(&lease, "r1", &outcome(RunState::Applied, moves)).await.unwrap(),
        Some(1)
    );
    assert_eq!(store.audit(0, 9).await.unwrap(), []);
    // A run that failed moves nothing, whatever its columns.
    store.begin(&lease, &run("r2", "d"), &[], &[]).await.unwrap();
    let mut failed = outcome(RunState::Failed, vec![]);
    failed.columns = names(&["other"]);
    assert_eq!(store.finish(&lease, "r2", &failed).await.unwrap(), None);
    assert_eq!(store.base("d").await.unwrap().unwrap().columns, names(&["id", "n"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_dropped_is_done_or_not_begun() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let (mut version, mut dropped) = (0u64, 0);
    for round in 0..60u64 {
        let id = format!("r{round}");
        let n = i64::try_from(round).unwrap();
        let moves = vec![put("a", (n > 0).then_some(n - 1), Some(n))];
        let actions = vec![action("a", (n > 0).then_some(n - 1), Some(n))];
        store.begin(&lease, &run(&id, "d"), &[batch(1, actions)], &own(&moves)).await.unwrap();
        store.mark_batch(&lease, &id, 1, BatchState::Applied, None, &[]).await.unwrap();
        let done = outcome(RunState::Applied, moves);
        let closing = {
            let (store, lease, id, done) = (store.clone(), lease.clone(), id.clone(), done.clone());
            tokio::spawn(async move { store.finish(&lease, &id, &done).await })
        };
        tokio::time::sleep(std::time::Duration::from_micros(150 * round)).await;
        closing.abort();
        dropped += u64::from(closing.await.is_err());
        // Another write of this process finds no transaction left behind.
        store.save_dataset("d", &json!({ "round": round }), at(0)).await.unwrap();
        let open = store.open_runs("d").await.unwrap().len() as u64;
        let base = store.base("d").await.unwrap().map_or(0, |base| base.version);
        let lines = store.audit(0, 999).await.unwrap().len() as u64;
        assert_eq!((base + open, lines), (version + 1, base), "round {round}");
        if open == 1 {
            store.finish(&lease, &id, &done).await.unwrap();
        }
        version += 1;
    }
    assert!(dropped > 0, "no call was dropped in the middle");
    assert!(matches!(store.verify_audit().await.unwrap(), AuditVerdict::Whole { lines: 60, .. }));
}
