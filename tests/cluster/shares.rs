//! Several servers over one PostgreSQL share the watches out, and those that do not watch keep still.

use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::{app, call, watching};
use crate::support::postgres::{self, Database};

const DATASETS: usize = 12;

/// How many watches each server has, the least first.
const SHARES: &str = "SELECT COUNT(*)::text FROM leases
    WHERE dataset LIKE chr(31) || 'watch%' AND holder IS NOT NULL GROUP BY holder ORDER BY COUNT(*)";

/// Waits until each server has its part.
async fn shared_as(store: &Database, wanted: &[&str], within: Duration) {
    let began = Instant::now();
    loop {
        let found: Vec<String> =
            store.texts(SHARES).await.into_iter().flatten().flatten().collect();
        if found == wanted {
            println!("{wanted:?} after {:.1} s", began.elapsed().as_secs_f64());
            return;
        }
        assert!(began.elapsed() < within, "{found:?} instead of {wanted:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Returns how many transactions the store has seen.
async fn transactions(store: &Database) -> i64 {
    // The counters are sent when a session has been idle for a second.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let sql = "SELECT xact_commit::text FROM pg_stat_database WHERE datname = current_database()";
    store.texts(sql).await[0][0].as_ref().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_are_shared_out_among_the_servers_that_are_there() {
    let Some(store) = postgres::database().await else { return };
    let (files, home) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let maker = app(home.path(), files.path(), &store.url, |_| {}).await;
    let text = |n: usize, qty: u32| {
        std::fs::write(files.path().join(format!("d{n}.csv")), format!("id,qty\nA,{qty}\n"))
    };
    for n in 0..DATASETS {
        text(n, 0).unwrap();
        let dataset = json!({"name": format!("d{n}"), "left": {"file": format!("d{n}.csv")}, "key": ["id"],
            "right": {"file": format!("e{n}.csv")}, "mode": "apply"});
        call(&maker, "syncDataset", dataset).await;
        let watch = json!({"action": "start", "dataset": format!("d{n}"), "pollSeconds": 600});
        call(&maker, "watchDataset", watch).await;
    }
    maker.stop().await;
    let begin = || watching(home.path(), files.path(), &store.url);
    let soon = Duration::from_secs(30);
    let mut servers = vec![begin()];
    shared_as(&store, &["12"], soon).await;
    // One that comes later gets its part.
    servers.push(begin());
    shared_as(&store, &["6", "6"], soon).await;
    servers.push(begin());
    shared_as(&store, &["4", "4", "4"], soon).await;

    // Every server hears of the files; only the one that watches acts on it.
    let before = transactions(&store).await;
    for n in 0..DATASETS {
        text(n, 1).unwrap();
    }
    let began = Instant::now();
    let arrived = |n: usize| {
        let there = std::fs::read_to_string(files.path().join(format!("e{n}.csv")));
        there.is_ok_and(|there| there.contains("A,1"))
    };
    while !(0..DATASETS).all(arrived) {
        assert!(began.elapsed() < soon, "not all arrived");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let more = transactions(&store).await - before;
    println!(
        "{more} transactions for {DATASETS} changes and {:.1} s",
        began.elapsed().as_secs_f64()
    );
    assert!(more < 1500, "{more} transactions");

    // What one had that is gone is taken by the others.
    servers[0].kill().unwrap();
    servers[0].wait().unwrap();
    shared_as(&store, &["6", "6"], soon).await;
    for server in &mut servers[1..] {
        server.kill().unwrap();
        server.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lacks_the_files_leaves_the_watches_to_the_others() {
    let Some(store) = postgres::database().await else { return };
    let (files, nothing) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let homes = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let maker = app(homes[0].path(), files.path(), &store.url, |_| {}).await;
    let text = |n: usize, qty: u32| {
        std::fs::write(files.path().join(format!("d{n}.csv")), format!("id,qty\nA,{qty}\n"))
            .unwrap();
    };
    for n in 0..4 {
        text(n, 0);
        let dataset = json!({"name": format!("d{n}"), "left": {"file": format!("d{n}.csv")}, "key": ["id"],
            "right": {"file": format!("e{n}.csv")}, "mode": "apply"});
        call(&maker, "syncDataset", dataset).await;
        let watch = json!({"action": "start", "dataset": format!("d{n}"), "pollSeconds": 1});
        call(&maker, "watchDataset", watch).await;
    }
    maker.stop().await;
    let mut servers = [
        watching(homes[0].path(), files.path(), &store.url),
        watching(homes[1].path(), nothing.path(), &store.url),
    ];
    // Its part would be two of them, after ten seconds.
    for qty in 1..=30 {
        (0..4).for_each(|n| text(n, qty));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let began = Instant::now();
    let arrived = |n: usize| {
        let there = std::fs::read_to_string(files.path().join(format!("e{n}.csv")));
        there.is_ok_and(|there| there.contains("A,30"))
    };
    while !(0..4).all(arrived) {
        assert!(began.elapsed() < Duration::from_secs(30), "not all arrived");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("all arrived {:.1} s after the last change", began.elapsed().as_secs_f64());
    shared_as(&store, &["4"], Duration::from_secs(30)).await;
    for server in &mut servers {
        server.kill().unwrap();
        server.wait().unwrap();
    }
}
