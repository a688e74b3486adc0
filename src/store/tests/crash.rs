use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

const PLACE: &str = "LOCKSTEP_TEST_PLACE";
const READY: &str = "LOCKSTEP_TEST_READY";
const START: &str = "LOCKSTEP_TEST_START";

/// Runs over and over until it is killed; begins by closing what a killed one left open.
#[tokio::test]
#[ignore = "the child of the test below"]
async fn child() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let start: i64 = std::env::var(START).unwrap().parse().unwrap();
    let store = open_at(&place).await;
    let lease = hold(&store, "d", &format!("child {start}"), at(start)).await;
    for open in store.open_runs("d").await.unwrap() {
        store.mark_batch(&lease, &open.id, 1, BatchState::Applied, None, &[]).await.unwrap();
        let bases = store.intended_base(&open.id).await.unwrap();
        let bases = bases.into_iter().map(|one| one.moves).collect();
        let done = Outcome { bases, ..outcome(RunState::Applied, vec![]) };
        store.finish(&lease, &open.id, &done).await.unwrap();
    }
    std::fs::write(std::env::var_os(READY).unwrap(), "").unwrap();
    loop {
        let n = store.base("d").await.unwrap().map_or(0, |base| base.version as i64);
        let work = ["a", "b"].map(|key| action(key, (n > 0).then_some(n - 1), Some(n)));
        complete(&store, &lease, &run(&format!("r{n}"), "d"), work.into()).await;
    }
}

#[tokio::test]
async fn a_process_killed_at_any_moment_leaves_whole_transactions() {
    let folder = TempDir::new().unwrap();
    let place = place(&folder).await;
    let mut reached = 0;
    for kill in 0..12u64 {
        let ready = folder.path().join(format!("ready{kill}"));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::crash::child", "--ignored", "--nocapture"])
            .env(PLACE, &place)
            .env(READY, &ready)
            .env(START, (kill * 1_000).to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while !ready.exists() {
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(20 + 13 * kill)).await;
        child.kill().unwrap();
        child.wait().unwrap();

        let store = open_at(&place).await;
        let AuditVerdict::Whole { lines, .. } = store.verify_audit().await.unwrap() else {
            panic!("the chain is broken")
        };
        let base = store.base("d").await.unwrap();
        let version = base.as_ref().map_or(0, |base| base.version);
        if let Some(base) = base {
            let n = version as i64 - 1;
            assert_eq!(base.rows, [row("a", n), row("b", n)]);
        }
        assert_eq!(lines, 2 * version);
        let open = store.open_runs("d").await.unwrap();
        assert!(open.len() <= 1);
        if let Some(open) = open.first() {
            assert_eq!(open.id, format!("r{version}"));
            assert_eq!(store.batches(&open.id).await.unwrap()[0].actions.len(), 2);
            assert_eq!(store.intended_base(&open.id).await.unwrap()[0].moves.changes.len(), 2);
        }
        assert!(version >= reached, "what was stored is gone");
        reached = version;
        store.close().await;
    }
    assert!(reached > 0, "the children did nothing");
}
