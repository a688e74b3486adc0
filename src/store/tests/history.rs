use super::*;
use crate::error::Kind;
use crate::store::retain::Retained;

fn ids(runs: &[Run]) -> Vec<&str> {
    runs.iter().map(|run| run.id.as_str()).collect()
}

#[tokio::test]
async fn runs_come_newest_first_in_pages() {
    let (_folder, store) = fresh().await;
    let (d, e) = (hold(&store, "d", "me", at(0)).await, hold(&store, "e", "me", at(0)).await);
    for (id, lease) in [("r-1", &d), ("r-10", &e), ("r-2", &d), ("s-3", &d)] {
        complete(&store, lease, &run(id, &lease.dataset), vec![]).await;
    }
    assert_eq!(ids(&store.runs(None, None, 9).await.unwrap()), ["s-3", "r-2", "r-10", "r-1"]);
    assert_eq!(ids(&store.runs(Some("d"), None, 2).await.unwrap()), ["s-3", "r-2"]);
    assert_eq!(ids(&store.runs(Some("d"), Some("r-2"), 2).await.unwrap()), ["r-1"]);
    assert_eq!(ids(&store.runs(None, Some("r-1"), 2).await.unwrap()), Vec::<&str>::new());
    assert_eq!(store.runs(None, Some("x"), 2).await.unwrap_err().kind(), Kind::NotFound);

    assert_eq!(store.run("s").await.unwrap().unwrap().id, "s-3");
    assert_eq!(store.run("r-1").await.unwrap().unwrap().id, "r-1", "the whole name goes first");
    assert_eq!(store.run("r-3").await.unwrap(), None);
    assert_eq!(store.run("r_1").await.unwrap(), None, "no pattern");
    assert!(store.run("r-").await.unwrap_err().to_string().contains("several"));
    assert!(store.run(" ").await.is_err());
}

#[tokio::test]
async fn the_changes_of_a_run_come_in_pages() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let actions: Vec<Action> = (0..7).map(|n| action(&format!("k{n}"), None, Some(n))).collect();
    let (head, tail) = actions.split_at(4);
    let batches = [batch(1, head.to_vec()), batch(2, tail.to_vec())];
    let mut new = run("r1", "d");
    new.sensitive = vec![1];
    store.begin(&lease, &new, &batches, &[]).await.unwrap();
    store.mark_batch(&lease, "r1", 1, BatchState::Applied, None, &[]).await.unwrap();
    let (mut seen, mut cursor) = (vec![], Some(0));
    while let Some(after) = cursor {
        let (page, next) = store.changes("r1", after, 3).await.unwrap();
        assert!(page.len() <= 3);
        seen.extend(page);
        cursor = next;
    }
    assert_eq!(seen.len(), 7);
    for (number, record) in seen.iter().enumerate() {
        let state = if number < 4 { BatchState::Applied } else { BatchState::Intended };
        let wanted = ChangeRecord {
            run: "r1".into(),
            at: at(0),
            side: "right".into(),
            action: actions[number].clone(),
            columns: names(&["id", "n"]),
            sensitive: vec![1],
            state,
        };
        assert_eq!(*record, wanted);
    }
    assert_eq!(store.changes("r1", 0, 7).await.unwrap().1, None);
    assert_eq!(store.changes("none", 0, 7).await.unwrap(), (vec![], None));
}

#[tokio::test]
async fn one_record_is_followed_over_all_runs() {
    let (_folder, store) = fresh().await;
    let (d, e) = (hold(&store, "d", "me", at(0)).await, hold(&store, "e", "me", at(0)).await);
    let mine =
        [action("k", None, Some(1)), action("k", Some(1), Some(2)), action("k", Some(2), None)];
    for (number, mine) in mine.iter().enumerate() {
        let actions = vec![action("x", None, Some(number as i64)), mine.clone()];
        complete(&store, &d, &run(&format!("d{number}"), "d"), actions).await;
    }
    complete(&store, &e, &run("e0", "e"), vec![action("k", None, Some(9))]).await;
    let life = store.life("d", &Key::of(" k "), 9).await.unwrap();
    let found: Vec<_> = life.iter().map(|one| (one.run.as_str(), one.action.clone())).collect();
    let [first, second, third] = mine;
    assert_eq!(found, [("d2", third), ("d1", second), ("d0", first)]);
    assert_eq!(life[0].at, at(5));
    assert_eq!(store.life("d", &Key::of("k"), 2).await.unwrap().len(), 2);
    assert_eq!(store.life("d", &Key::of("K"), 2).await.unwrap(), []);

    if on_server("a plan is chosen by the statistics of its tables, which are tiny here") {
        return;
    }
    for (sql, index) in [
        (
            "SELECT * FROM actions a JOIN runs r ON r.number = a.run
             WHERE a.key_digest = x'00' AND r.dataset = 'd' ORDER BY a.run DESC, a.number DESC",
            "actions_life",
        ),
        (
            "SELECT * FROM runs WHERE state = 'applying' AND dataset = 'd' ORDER BY number",
            "runs_open",
        ),
    ] {
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
                .fetch_all(&store.reads)
                .await
                .unwrap();
        let plan: String = plan.into_iter().map(|step| step.3).collect();
        assert!(plan.contains(index) && !plan.contains("SCAN"), "{plan}");
    }
}

#[tokio::test]
async fn a_rollback_is_noted_on_the_run_it_takes_back() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    complete(&store, &lease, &run("r1", "d"), vec![action("k", None, Some(1))]).await;
    let undo = |id: &str, undoes: &str| NewRun {
        kind: RunKind::Rollback,
        undoes: Some(undoes.into()),
        ..run(id, "d")
    };
    let by = async |id: &str| store.run(id).await.unwrap().unwrap().undone_by;
    store.begin(&lease, &undo("r2", "r1"), &[], &[]).await.unwrap();
    store.finish(&lease, "r2", &outcome(RunState::Failed, vec![])).await.unwrap();
    assert_eq!(by("r1").await, None, "it failed");
    complete(&store, &lease, &undo("r3", "r1"), vec![action("k", Some(1), None)]).await;
    assert_eq!(by("r1").await.as_deref(), Some("r3"));
    assert_eq!(store.run("r3").await.unwrap().unwrap().undoes.as_deref(), Some("r1"));
    // Taking the rollback back puts the first run in force again.
    complete(&store, &lease, &undo("r4", "r3"), vec![action("k", None, Some(1))]).await;
    assert_eq!((by("r3").await.as_deref(), by("r1").await), (Some("r4"), None));
}

#[tokio::test]
async fn retention_drops_what_is_old_and_nothing_that_is_needed() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let day = 86_400;
    let keep = SignedDuration::from_hours(24 * 10);
    for (number, finished) in [(0, 0), (1, 5), (2, 20)] {
        let id = format!("r{number}");
        let work = vec![action("k", (number > 0).then_some(number - 1), Some(number))];
        let moves = vec![put("k", (number > 0).then_some(number - 1), Some(number))];
        store.begin(&lease, &run(&id, "d"), &[batch(1, work)], &own(&moves)).await.unwrap();
        store.mark_batch(&lease, &id, 1, BatchState::Applied, None, &[]).await.unwrap();
        let done = Outcome { finished: at(finished * day), ..outcome(RunState::Applied, moves) };
        store.finish(&lease, &id, &done).await.unwrap();
    }
    // Old, but open.
    let open = [batch(1, vec![action("z", None, Some(1))])];
    store.begin(&lease, &run("open", "d"), &open, &[]).await.unwrap();
    let plan = plans::plan("d", "k");
    store.put_plan(&plan, &json!({}), at(0)).await.unwrap();

    let nothing = store.retain(at(day), keep).await.unwrap();
    assert_eq!(nothing, Retained { plans: 1, ..Retained::default() });
    let dropped = store.retain(at(16 * day), keep).await.unwrap();
    assert_eq!(dropped, Retained { runs: 2, actions: 2, bases: 2, ..Retained::default() });
    assert_eq!(store.retain(at(16 * day), keep).await.unwrap(), Retained::default());
    assert_eq!(store.base("d").await.unwrap().unwrap().rows, [row("k", 2)]);
    assert_eq!(store.base_at("d", 2).await.unwrap(), None);
    assert_eq!(store.runs(None, None, 9).await.unwrap().len(), 4, "the lines stay");
    assert_eq!(store.batches("r1").await.unwrap(), []);
    assert_eq!(store.batches("r2").await.unwrap().len(), 1);
    assert_eq!(store.batches("open").await.unwrap(), open);

    // However old, the current base and an open run stay.
    let all = store.retain(at(900 * day), SignedDuration::ZERO).await.unwrap();
    assert_eq!(all, Retained { runs: 1, actions: 1, bases: 0, ..Retained::default() });
    assert_eq!(store.base("d").await.unwrap().unwrap().rows, [row("k", 2)]);
    assert_eq!(store.batches("open").await.unwrap(), open);
    let segments: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM base_segments")
        .fetch_one(&store.reads)
        .await
        .unwrap();
    assert_eq!(segments, 1);
    assert!(store.retain(at(0), SignedDuration::from_secs(-1)).await.is_err());
    assert!(matches!(store.verify_audit().await.unwrap(), AuditVerdict::Whole { lines: 3, .. }));
}
