use std::fs;

use super::*;
use crate::error::Kind;
use crate::store::datasets::Dataset;

#[tokio::test]
async fn a_file_that_is_no_store_is_refused_in_words_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "these are notes, and no database at all. ".repeat(300);
    fs::write(&path, &text).unwrap();
    let error = Store::open(&path).await.unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidArgument);
    let said = error.to_string();
    assert!(said.contains("notes.txt") && said.contains("no Lockstep store"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("other.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let pool = Pool::<sqlx::Sqlite>::connect_with(options).await.unwrap();
    sqlx::query("CREATE TABLE pets (name TEXT)").execute(&pool).await.unwrap();
    pool.close().await;
    let before = fs::read(&path).unwrap();
    let error = Store::open(&path).await.unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_truncated_store_is_refused() {
    if on_server("it is about the file") {
        return;
    }
    let (folder, store) = fresh().await;
    let path = store.path().to_owned();
    store.close().await;
    let whole = fs::read(&path).unwrap();
    // Without its last page: a byte less may be a blank one, of which nothing is missing.
    for keep in [10, 1_000, 4_096, whole.len() / 2, whole.len() - 4_096] {
        let cut = folder.path().join(format!("cut-{keep}.db"));
        fs::write(&cut, &whole[..keep]).unwrap();
        let error = Store::open(&cut).await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains("damaged") || said.contains("no Lockstep store"), "{keep}: {said}");
        assert!(said.contains("Next: "), "{said}");
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_is_refused() {
    let folder = TempDir::new().unwrap();
    let error = Store::open(folder.path()).await.unwrap_err();
    assert!(error.to_string().contains("cannot be opened"), "{error}");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("below.db")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::PermissionDenied, "{error}");
}

#[tokio::test]
async fn what_is_stored_is_there_after_opening_again() {
    let (_folder, store) = fresh().await;
    let saved = store.save_dataset("prices", &json!({ "key": ["id"] }), at(0)).await.unwrap();
    let place = address(&store);
    store.close().await;
    let error = store.dataset("prices").await.unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
    let again = open_at(&place).await;
    assert_eq!(again.dataset("prices").await.unwrap(), Some(saved));
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_the_file() {
    if on_server("it is about the file") {
        return;
    }
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, store) = fresh().await;
    store.save_dataset("prices", &json!({}), at(0)).await.unwrap();
    let mut files = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        files += 1;
    }
    assert!(files >= 2, "the log is there too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_can_create_the_same_file_at_once() {
    for _ in 0..3 {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("below").join("lockstep.db");
        let opening: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                tokio::spawn(async move { Store::open(&path).await })
            })
            .collect();
        for (number, store) in opening.into_iter().enumerate() {
            let store = store.await.unwrap().unwrap();
            store.save_dataset(&format!("d{number}"), &json!({}), at(0)).await.unwrap();
        }
        let store = Store::open(&path).await.unwrap();
        assert_eq!(store.datasets(None, 100).await.unwrap().len(), 8);
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_kept() {
    if on_server("it is about the file") {
        return;
    }
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let pages: i64 =
        sqlx::query_scalar("PRAGMA page_count").fetch_one(&store.writes).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", pages + 4)))
        .execute(&store.writes)
        .await
        .unwrap();
    let actions = (0..2_000).map(|n| action(&format!("k{n}"), None, Some(n))).collect();
    let error = store.begin(&lease, &run("r1", "d"), &[batch(1, actions)], &[]).await.unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
    assert_eq!(error.kind(), Kind::Unavailable);
    sqlx::query("PRAGMA max_page_count = 1000000").execute(&store.writes).await.unwrap();
    assert_eq!(store.open_runs("d").await.unwrap(), []);
    assert_eq!(complete(&store, &lease, &run("r1", "d"), vec![]).await, None);
}

#[tokio::test]
async fn a_lock_that_does_not_end_is_told() {
    if on_server("it is about the file") {
        return;
    }
    let (_folder, store) = fresh().await;
    let other = again(&store).await;
    sqlx::query("PRAGMA busy_timeout = 20").execute(&other.writes).await.unwrap();
    let held = store.write().await.unwrap();
    let error = other.save_dataset("d", &json!({}), at(0)).await.unwrap_err();
    assert!(error.to_string().contains("locked"), "{error}");
    drop(held);
    sqlx::query("PRAGMA busy_timeout = 10000").execute(&other.writes).await.unwrap();
    other.save_dataset("d", &json!({}), at(0)).await.unwrap();
}

#[tokio::test]
async fn the_file_is_safe_against_power_cuts_and_erases_what_it_deletes() {
    if on_server("it is about the file") {
        return;
    }
    let (_folder, store) = fresh().await;
    for (pragma, wanted) in
        [("synchronous", 2i64), ("secure_delete", 1), ("foreign_keys", 1), ("auto_vacuum", 2)]
    {
        let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("PRAGMA {pragma}")))
            .fetch_one(&store.writes)
            .await
            .unwrap();
        assert_eq!(found, wanted, "{pragma}");
    }
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&store.writes).await.unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn a_definition_counts_its_versions() {
    let (_folder, store) = fresh().await;
    let first = json!({ "key": ["id"], "nulls": [] });
    let saved = store.save_dataset("prices", &first, at(0)).await.unwrap();
    assert_eq!((saved.version, saved.updated, saved.base_version), (1, at(0), None));
    // The order of members is no difference.
    let same = store.save_dataset("prices", &json!({ "nulls": [], "key": ["id"] }), at(1)).await;
    assert_eq!(same.unwrap(), saved);
    let other = store.save_dataset("prices", &json!({ "key": ["sku"] }), at(2)).await.unwrap();
    assert_eq!((other.version, other.updated), (2, at(2)));
    assert_eq!(store.save_dataset("prices", &first, at(3)).await.unwrap().version, 3);
    assert_eq!(store.dataset("nothing").await.unwrap(), None);
    assert!(store.save_dataset(" ", &first, at(0)).await.is_err());

    for name in ["b", "a", "c"] {
        store.save_dataset(name, &first, at(0)).await.unwrap();
    }
    let list = |found: Vec<Dataset>| found.into_iter().map(|one| one.name).collect::<Vec<_>>();
    assert_eq!(list(store.datasets(None, 2).await.unwrap()), ["a", "b"]);
    assert_eq!(list(store.datasets(Some("b"), 9).await.unwrap()), ["c", "prices"]);

    let lease = hold(&store, "a", "me", at(0)).await;
    complete(&store, &lease, &run("r1", "a"), vec![action("k", None, Some(1))]).await;
    assert_eq!(store.dataset("a").await.unwrap().unwrap().base_version, Some(1));
}

#[tokio::test]
async fn names_are_data_and_never_sql() {
    let (_folder, store) = fresh().await;
    // PostgreSQL's texts cannot hold the first of all characters: see `server`.
    let nul = if server().is_some() { "" } else { "\u{0}" };
    let evil = &format!("x'; DROP TABLE runs; -- \" ? ?1 $1 :a % _ \\ {nul}é");
    store.save_dataset(evil, &json!({ "a": evil }), at(0)).await.unwrap();
    let lease = hold(&store, evil, evil, at(0)).await;
    let mut new = run(evil, evil);
    new.columns = names(&[evil, "n"]);
    new.caller = evil.clone();
    complete(&store, &lease, &new, vec![action(evil, None, Some(1))]).await;
    assert_eq!(store.run(evil).await.unwrap().unwrap().caller, *evil);
    assert_eq!(store.datasets(None, 9).await.unwrap()[0].name, *evil);
    assert_eq!(store.base(evil).await.unwrap().unwrap().rows, [row(evil, 1)]);
    assert_eq!(store.life(evil, &Key::of(evil), 9).await.unwrap().len(), 1);
    assert_eq!(store.runs(Some(evil), None, 9).await.unwrap().len(), 1);
    assert_eq!(store.quota_claim(evil, 1, TTL, at(0)).await.unwrap(), None);
    assert_eq!(store.forget(evil, &Key::of(evil)).await.unwrap().actions, 1);
    assert!(matches!(store.verify_audit().await.unwrap(), AuditVerdict::Whole { lines: 1, .. }));
}
