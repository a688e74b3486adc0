//! What is about a store in PostgreSQL, and what both kinds promise those who update one server after the other.

use super::*;
use crate::error::Kind;
use crate::store::open::MIGRATIONS;

/// Notes a step of the tables that this version does not know, as a later one would have taken it.
async fn step(store: &Store, version: i64) {
    by_hand(
        store,
        format!(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES ({version}, 'later', TRUE, x'00', 0)"
        ),
    )
    .await;
}

#[tokio::test]
async fn tables_one_step_ahead_are_worked_with_and_more_are_refused() {
    let (_folder, store) = fresh().await;
    let place = address(&store);
    let lease = hold(&store, "d", "me", at(0)).await;
    complete(&store, &lease, &run("r1", "d"), vec![action("a", None, Some(1))]).await;
    // What a step may do: another table, and a column that what is written without it need not name.
    by_hand(
        &store,
        "CREATE TABLE later (name TEXT NOT NULL PRIMARY KEY);
         ALTER TABLE runs ADD COLUMN later TEXT;
         ALTER TABLE events ADD COLUMN later BIGINT NOT NULL DEFAULT 7",
    )
    .await;
    step(&store, 900).await;
    // A server of before goes on, and one that starts meanwhile works too.
    complete(&store, &lease, &run("r2", "d"), vec![action("b", None, Some(2))]).await;
    store.close().await;
    let store = open_at(&place).await;
    complete(&store, &lease, &run("r3", "d"), vec![action("a", Some(1), None)]).await;
    assert_eq!(store.base("d").await.unwrap().unwrap().rows, [row("b", 2)]);
    assert!(matches!(store.verify_audit().await.unwrap(), AuditVerdict::Whole { lines: 3, .. }));
    step(&store, 901).await;
    store.close().await;
    let opened = match place.starts_with("postgres") {
        true => Store::connect(&place).await,
        false => Store::open(Path::new(&place)).await,
    };
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidArgument);
    let said = error.to_string();
    assert!(said.contains("newer Lockstep") && said.contains("901"), "{said}");
    assert!(said.contains("Next: update Lockstep"), "{said}");
}

#[tokio::test]
async fn a_step_that_is_missing_before_the_last_known_one_is_no_step_ahead() {
    let (_folder, store) = fresh().await;
    let place = address(&store);
    step(&store, 2).await;
    store.close().await;
    let opened = match place.starts_with("postgres") {
        true => Store::connect(&place).await,
        false => Store::open(Path::new(&place)).await,
    };
    assert!(opened.unwrap_err().to_string().contains("newer Lockstep"));
}

#[test]
fn steps_only_add_so_that_the_version_before_works_on() {
    for step in MIGRATIONS.iter().filter(|step| step.version >= 60) {
        let words: String = step
            .sql
            .as_str()
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"))
            .collect::<Vec<_>>()
            .join(" ");
        for statement in words.split(';').map(str::trim).filter(|one| !one.is_empty()) {
            let table =
                statement.starts_with("CREATE TABLE") || statement.starts_with("CREATE INDEX");
            let column = statement.starts_with("ALTER TABLE")
                && statement.contains(" ADD COLUMN ")
                && (!statement.contains("NOT NULL") || statement.contains("DEFAULT"));
            assert!(table || column, "step {}: {statement}", step.version);
        }
    }
}

#[tokio::test]
async fn a_message_with_the_first_of_all_characters_closes_its_run() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let actions = vec![action("k\u{0}", None, Some(1))];
    let moves = vec![put("k\u{0}", None, Some(1))];
    store.begin(&lease, &run("r1", "d"), &[batch(1, actions)], &own(&moves)).await.unwrap();
    let note = Some("row \"k\u{0}\" was refused");
    store.mark_batch(&lease, "r1", 1, BatchState::Applied, note, &[]).await.unwrap();
    let mut done = outcome(RunState::Applied, moves);
    done.error = Some("a\u{0}b".into());
    store.finish(&lease, "r1", &done).await.unwrap();
    assert_eq!(store.run("r1").await.unwrap().unwrap().error.as_deref(), Some("a\u{2400}b"));
    // The row is kept as it is.
    assert_eq!(store.base("d").await.unwrap().unwrap().rows, [row("k\u{0}", 1)]);
    assert_eq!(store.life("d", &Key::of("k\u{0}"), 9).await.unwrap().len(), 1);
    assert!(matches!(store.verify_audit().await.unwrap(), AuditVerdict::Whole { lines: 1, .. }));
}

#[tokio::test]
async fn a_column_name_that_a_server_cannot_keep_is_refused_before_anything_is_written() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let mut new = run("r1", "d");
    new.columns = names(&["id", "n\u{0}"]);
    let begun = store.begin(&lease, &new, &[], &[]).await;
    if server().is_none() {
        return begun.unwrap();
    }
    let said = begun.unwrap_err().to_string();
    assert!(said.contains("U+0000") && said.contains("rename the column"), "{said}");
    assert_eq!(store.open_runs("d").await.unwrap(), []);
    let said = store.save_dataset("d\u{0}", &json!({}), at(0)).await.unwrap_err().to_string();
    assert!(said.contains("U+0000") && said.contains("Next: "), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datasets_are_written_side_by_side_and_what_is_locked_is_not_claimed() {
    if server().is_none() {
        return;
    }
    let (_folder, store) = fresh().await;
    let (other, third) = (again(&store).await, again(&store).await);
    let lease = hold(&store, "a", "me", at(0)).await;
    let work = ["x", "y"].map(|key| Work {
        member: "right".into(),
        key: Key::of(key),
        kind: ChangeKind::Update,
        columns: names(&["n"]),
        digest: vec![1],
    });
    let members = ["right".to_owned()].into();
    let scope = Scope { members: &members, keys: None };
    store.note_events(&lease, &work, scope, at(1)).await.unwrap();
    let soon = std::time::Duration::from_millis(300);

    // Somebody writes another dataset: this one is written beside it, what concerns all is not, and neither is that one.
    let elsewhere = other.write_of("b").await.unwrap();
    let claim = async |limit| {
        let none = Default::default();
        store.claim_events(&lease, &none, limit, at(2)).await.unwrap().len()
    };
    assert_eq!(claim(1).await, 1);
    assert!(tokio::time::timeout(soon, third.write()).await.is_err());
    assert!(tokio::time::timeout(soon, third.write_of("b")).await.is_err());
    elsewhere.rollback().await.unwrap();

    // An event that somebody has in hand is left to a later claim.
    let mut hand = other.writes.begin().await.unwrap();
    let lock = "SELECT number FROM events ORDER BY number LIMIT 1 FOR UPDATE";
    sqlx::query(lock).execute(&mut *hand).await.unwrap();
    assert_eq!(claim(9).await, 1);
    hand.rollback().await.unwrap();
    assert_eq!(claim(9).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_can_make_the_tables_of_one_database_at_once() {
    let Some(server) = server() else { return };
    let place = database(&server).await;
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let place = place.clone();
            tokio::spawn(async move {
                Store::connect(&place).await.map(|store| store.path().to_owned())
            })
        })
        .collect();
    for one in opening {
        one.await.unwrap().unwrap();
    }
    let store = Store::connect(&place).await.unwrap();
    store.save_dataset("d", &json!({}), at(0)).await.unwrap();
    let keys = [store.shared_key().await.unwrap(), again(&store).await.shared_key().await.unwrap()];
    assert!(keys[0].is_some() && keys[0] == keys[1], "servers sign with one key");
}

#[tokio::test]
async fn what_a_server_cannot_do_is_told_with_what_to_do_instead() {
    let Some(server) = server() else { return };
    let (folder, store) = fresh().await;
    let said = store.backup(&folder.path().join("b.db")).await.unwrap_err().to_string();
    assert!(said.contains("PostgreSQL") && said.contains("pg_dump"), "{said}");
    for (address, words) in [
        ("nonsense", "no address"),
        ("mysql://host/db", "no address"),
        (&*on(&server, "no_such_database"), "refuses"),
        ("postgres://nobody:hidden@127.0.0.1:1/db", "cannot be reached"),
    ] {
        let said = Store::connect(address).await.unwrap_err().to_string();
        assert!(said.contains(words) && said.contains("Next: "), "{address}: {said}");
        assert!(!said.contains("hidden"), "{said}");
    }
    assert!(!format!("{store:?}").contains('@'), "{store:?}");
    // One that holds the lock of writers too long is told, and nothing is left behind.
    let other = again(&store).await;
    let held = store.write().await.unwrap();
    let waited = sqlx::raw_sql(
        "BEGIN; SET LOCAL lock_timeout = '50ms'; SELECT pg_advisory_xact_lock(1282102132)",
    )
    .execute(&other.writes)
    .await;
    let said = crate::error::Error::from(waited.unwrap_err()).to_string();
    assert!(said.contains("locked"), "{said}");
    sqlx::raw_sql("ROLLBACK").execute(&other.writes).await.unwrap();
    held.rollback().await.unwrap();
    other.save_dataset("d", &json!({}), at(0)).await.unwrap();
}

#[tokio::test]
async fn a_database_put_back_from_a_dump_shuts_the_holders_of_before_out() {
    if server().is_none() {
        return;
    }
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    store.begin(&lease, &run("r1", "d"), &[], &[]).await.unwrap();
    store.settle_dump().await.unwrap();
    let error = store.finish(&lease, "r1", &outcome(RunState::Failed, vec![])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Changed);
    let new = hold(&store, "d", "you", at(1)).await;
    assert!(new.fence > lease.fence + 1_000);
    store.finish(&new, "r1", &outcome(RunState::Failed, vec![])).await.unwrap();
}

#[tokio::test]
async fn servers_hear_of_calls_and_watches_at_once() {
    let (_folder, store) = fresh().await;
    let other = again(&store).await;
    let Some(mut wakes) = other.listen().await.unwrap() else {
        assert!(server().is_none());
        return;
    };
    store.take_call("d", &[], None, at(0)).await.unwrap();
    store.start_watch("d", &json!({}), at(0)).await.unwrap();
    let lease = hold(&store, &format!("{WATCH}d"), "me", at(0)).await;
    store.release(&lease).await.unwrap();
    for wanted in ["d", "", "d"] {
        let word = tokio::time::timeout(std::time::Duration::from_secs(5), wakes.next()).await;
        assert_eq!(word.unwrap().unwrap(), wanted);
    }
}
