use std::collections::BTreeMap;

use super::*;
use crate::error::Kind;

fn seen(n: i64) -> Seen {
    let apart = BTreeMap::from([(Key::of("a"), Some(row("a", n))), (Key::of("b"), None)]);
    Seen { about: json!({ "stamp": n }), apart }
}

async fn keep(store: &Store, lease: &Lease, members: &[(&str, i64)]) {
    let members = members.iter().map(|(name, n)| ((*name).to_owned(), seen(*n))).collect();
    store.keep_seen(lease, members, at(1)).await.unwrap();
}

async fn names_of(store: &Store, dataset: &str) -> Vec<String> {
    store.seen(dataset).await.unwrap().into_keys().collect()
}

#[tokio::test]
async fn what_was_seen_comes_back_and_is_replaced_as_a_whole() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    keep(&store, &lease, &[("left", 1), ("right", 2)]).await;
    assert_eq!(
        store.seen("d").await.unwrap(),
        BTreeMap::from([("left".to_owned(), seen(1)), ("right".to_owned(), seen(2))])
    );
    keep(&store, &lease, &[("right", 3)]).await;
    assert_eq!(store.seen("d").await.unwrap(), BTreeMap::from([("right".to_owned(), seen(3))]));
    assert_eq!(store.seen("e").await.unwrap(), BTreeMap::new());
}

#[tokio::test]
async fn only_who_has_the_lease_may_keep_it() {
    let (_folder, store) = fresh().await;
    let old = hold(&store, "d", "me", at(0)).await;
    let new = hold(&store, "d", "you", at(100)).await;
    let refused = store.keep_seen(&old, vec![("left".into(), seen(1))], at(101)).await;
    assert_eq!(refused.unwrap_err().kind(), Kind::Changed);
    keep(&store, &new, &[("left", 2)]).await;
    assert_eq!(names_of(&store, "d").await, ["left"]);
}

#[tokio::test]
async fn it_is_gone_when_a_run_begins_and_when_something_is_forgotten_or_too_old() {
    let (_folder, store) = fresh().await;
    let other = hold(&store, "e", "me", at(0)).await;
    let lease = hold(&store, "d", "me", at(0)).await;
    keep(&store, &other, &[("left", 1)]).await;

    keep(&store, &lease, &[("left", 1)]).await;
    store.begin(&lease, &run("r1", "d"), &[], &[]).await.unwrap();
    assert_eq!(names_of(&store, "d").await, Vec::<String>::new());
    store.finish(&lease, "r1", &outcome(RunState::Applied, vec![])).await.unwrap();

    keep(&store, &lease, &[("left", 1)]).await;
    store.forget("d", &Key::of("zzz")).await.unwrap();
    assert_eq!(names_of(&store, "d").await, Vec::<String>::new());
    assert_eq!(names_of(&store, "e").await, ["left"], "another dataset's stays");

    keep(&store, &lease, &[("left", 1)]).await;
    store.retain(at(100), SignedDuration::from_secs(99)).await.unwrap();
    assert_eq!(names_of(&store, "d").await, ["left"]);
    store.retain(at(101), SignedDuration::from_secs(99)).await.unwrap();
    assert_eq!(names_of(&store, "d").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_restored_store_has_seen_nothing() {
    if on_server("it is about the file, and PostgreSQL has its own backups") {
        return;
    }
    let (folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    keep(&store, &lease, &[("left", 1)]).await;
    let (backup, to) = (folder.path().join("backup.db"), folder.path().join("other.db"));
    store.backup(&backup).await.unwrap();
    restore(&backup, &to, false).await.unwrap();
    let restored = open_at(to.to_str().unwrap()).await;
    assert_eq!(names_of(&restored, "d").await, Vec::<String>::new());
    assert_eq!(names_of(&store, "d").await, ["left"]);
}
