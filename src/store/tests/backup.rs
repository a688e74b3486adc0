use std::fs;
use std::path::PathBuf;

use super::*;
use crate::error::Kind;

fn files(folder: &TempDir) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_others_write_is_whole() {
    if on_server("it is about the file, and PostgreSQL has its own backups") {
        return;
    }
    let (folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let writer = {
        let (store, lease) = (store.clone(), lease.clone());
        tokio::spawn(async move {
            for n in 0..40 {
                // Both rows always move together: a backup between them would show it.
                let actions = ["a", "b"].map(|key| action(key, (n > 0).then_some(n - 1), Some(n)));
                complete(&store, &lease, &run(&format!("r{n}"), "d"), actions.into()).await;
            }
        })
    };
    let mut versions = vec![];
    let mut number = 0;
    while !writer.is_finished() || number == 0 {
        let to = folder.path().join(format!("backup-{number}.db"));
        store.backup(&to).await.unwrap();
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&to).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "only its owner reads a backup");
        let copy = open_at(to.to_str().unwrap()).await;
        let AuditVerdict::Whole { lines, .. } = copy.verify_audit().await.unwrap() else {
            panic!()
        };
        if let Some(base) = copy.base("d").await.unwrap() {
            let n = base.version as i64 - 1;
            assert_eq!(base.rows, [row("a", n), row("b", n)]);
            assert_eq!(lines, 2 * base.version);
            versions.push(base.version);
        }
        copy.close().await;
        number += 1;
    }
    writer.await.unwrap();
    assert!(versions.is_sorted() && versions.first() < versions.last(), "{versions:?}");
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_leaves_no_pieces() {
    if on_server("it is about the file, and PostgreSQL has its own backups") {
        return;
    }
    let (folder, store) = fresh().await;
    let to = folder.path().join("backup.db");
    fs::write(&to, "mine").unwrap();
    let error = store.backup(&to).await.unwrap_err();
    assert!(error.to_string().contains("already"), "{error}");
    assert_eq!(fs::read_to_string(&to).unwrap(), "mine");
    let error = store.backup(&folder.path().join("no such folder").join("b.db")).await.unwrap_err();
    assert!(error.to_string().contains("cannot be written"), "{error}");
    store.close().await;
    assert_eq!(files(&folder), [to, folder.path().join("lockstep.db")]);
}

#[tokio::test]
async fn a_restored_store_goes_on_from_the_backup() {
    if on_server("it is about the file, and PostgreSQL has its own backups") {
        return;
    }
    let (folder, store) = fresh().await;
    let path = store.path().to_owned();
    let lease = hold(&store, "d", "me", at(0)).await;
    complete(&store, &lease, &run("r1", "d"), vec![action("a", None, Some(1))]).await;
    store.begin(&lease, &run("r2", "d"), &[], &[]).await.unwrap();
    let backup = folder.path().join("backup.db");
    store.backup(&backup).await.unwrap();
    store.finish(&lease, "r2", &outcome(RunState::Failed, vec![])).await.unwrap();
    complete(&store, &lease, &run("r3", "d"), vec![action("a", Some(1), Some(2))]).await;

    let error = restore(&backup, &path, false).await.unwrap_err();
    assert!(error.to_string().contains("there is a file already"), "{error}");
    let error = restore(&backup, &path, true).await.unwrap_err();
    assert!(error.to_string().contains("has the store open"), "{error}");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(store.base("d").await.unwrap().unwrap().version, 2, "and it still serves");
    store.close().await;

    restore(&backup, &path, true).await.unwrap();
    let store = open_at(path.to_str().unwrap()).await;
    assert_eq!(store.base("d").await.unwrap().unwrap().rows, [row("a", 1)]);
    assert_eq!(store.open_datasets().await.unwrap(), ["d"], "to be recovered");
    // The lease of the time of the backup holds nobody up, and its holder is shut out.
    let new = hold(&store, "d", "you", at(1)).await;
    assert!(new.fence > lease.fence + 1_000);
    let error = store.finish(&lease, "r2", &outcome(RunState::Failed, vec![])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Changed);
    store.finish(&new, "r2", &outcome(RunState::Failed, vec![])).await.unwrap();
    complete(&store, &new, &run("r3", "d"), vec![action("a", Some(1), Some(7))]).await;
    assert_eq!(store.base("d").await.unwrap().unwrap().rows, [row("a", 7)]);
    assert!(matches!(store.verify_audit().await.unwrap(), AuditVerdict::Whole { lines: 2, .. }));
}

#[tokio::test]
async fn what_is_no_backup_replaces_nothing() {
    if on_server("it is about the file, and PostgreSQL has its own backups") {
        return;
    }
    let (folder, store) = fresh().await;
    let path = store.path().to_owned();
    store.save_dataset("d", &json!({}), at(0)).await.unwrap();
    let good = folder.path().join("good.db");
    store.backup(&good).await.unwrap();
    let whole = fs::read(&good).unwrap();
    let bad = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    for version in [98, 99] {
        by_hand(
            &store,
            format!("INSERT INTO _sqlx_migrations VALUES ({version}, '', CURRENT_TIMESTAMP, TRUE, x'00', 0)"),
        )
        .await;
    }
    let newer = folder.path().join("newer.db");
    store.backup(&newer).await.unwrap();
    by_hand(&store, "DELETE FROM _sqlx_migrations WHERE version > 97").await;
    store.close().await;
    let before = fs::read(&path).unwrap();
    // A page in the middle that is noise, behind a header that is right.
    let mut noise = whole.clone();
    noise.iter_mut().skip(8_192).take(8_192).for_each(|byte| *byte = 0xa5);
    let none = folder.path().join("none.db");
    for (from, said) in [
        (
            bad("text.txt", "not a store at all, only text. ".repeat(200).as_bytes()),
            "no Lockstep store",
        ),
        (bad("empty.db", b""), "it is empty"),
        (bad("cut.db", &whole[..whole.len() / 2]), "damaged"),
        (bad("noise.db", &noise), "damaged"),
        (newer, "newer Lockstep"),
        (none, "no backup file"),
        (folder.path().to_owned(), "no backup file"),
    ] {
        let error = restore(&from, &path, true).await.unwrap_err();
        assert!(error.to_string().contains(said), "{}: {error}", from.display());
        assert_eq!(fs::read(&path).unwrap(), before, "{}", from.display());
    }
    let temporary = |file: &&PathBuf| file.extension().is_some_and(|end| end == "tmp");
    let left = files(&folder).iter().filter(temporary).count();
    assert_eq!(left, 0);

    // A damaged store, with a log that is not its own, is what a restore is for.
    fs::write(&path, "broken ".repeat(1_000)).unwrap();
    fs::write(folder.path().join("lockstep.db-wal"), "old log").unwrap();
    restore(&good, &path, true).await.unwrap();
    let store = open_at(path.to_str().unwrap()).await;
    assert!(store.dataset("d").await.unwrap().is_some());
    // A new place needs no force.
    let new = folder.path().join("new.db");
    restore(&good, &new, false).await.unwrap();
    assert!(open_at(new.to_str().unwrap()).await.dataset("d").await.unwrap().is_some());
}
