//! What did not change is not read again: files, databases and APIs, in every direction; and every way in which what was
//! seen before stops counting.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use crate::{
    support::lockstep,
    two_way::{Pair, STOCK},
};

mod api;
mod database;
mod shapes;

/// Makes a file look as if it had been saved long ago, so that its time proves something; each time another.
pub(super) fn settle(pair: &Pair) {
    static SAVED: AtomicU64 = AtomicU64::new(1_700_000_000);
    let saved = Duration::from_secs(SAVED.fetch_add(1, Ordering::SeqCst));
    set_time(pair, SystemTime::UNIX_EPOCH + saved);
}

fn set_time(pair: &Pair, time: SystemTime) {
    let path = pair.house.folder.path().join("stock.csv");
    std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

/// Changes the file in a way that neither its size nor its time shows: only who opens it can see it.
pub(super) fn hide(pair: &Pair, csv: &str) {
    assert_eq!(pair.read_file().len(), csv.len(), "the same size");
    let path = pair.house.folder.path().join("stock.csv");
    let time = std::fs::metadata(path).unwrap().modified().unwrap();
    pair.file(csv);
    set_time(pair, time);
}

/// Returns how a member was read, and how many rows.
pub(super) fn read(report: &Value, side: &str) -> (String, u64) {
    let sides = report["sides"].as_array().unwrap();
    let found = sides.iter().find(|one| one["name"] == side).unwrap();
    (found["read"].as_str().unwrap().to_owned(), found["rowsRead"].as_u64().unwrap())
}

pub(super) fn whole(rows: u64) -> (String, u64) {
    ("whole".into(), rows)
}

pub(super) fn unchanged() -> (String, u64) {
    ("unchanged".into(), 0)
}

/// A pair in step whose file is known from the last run.
async fn known(more: Value) -> Pair {
    let pair = Pair::new().await;
    pair.file(STOCK);
    settle(&pair);
    let report = pair.apply(more.clone()).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!(read(&report, "left"), whole(3));
    pair
}

/// What the file says when somebody changed it behind its time.
const HIDDEN: &str = "sku,name,qty\nA,Apple,99\nB,Beet,20\nC,Corn,30\n";

#[tokio::test]
async fn a_file_that_did_not_change_is_not_opened() {
    let pair = known(json!({})).await;
    hide(&pair, HIDDEN);
    for _ in 0..3 {
        let report = pair.apply(json!({})).await;
        assert_eq!(report["state"], "inStep", "{report:#}");
        assert_eq!(read(&report, "left"), unchanged());
        assert_eq!(read(&report, "right"), whole(3));
        assert_eq!(report["counts"]["unchanged"], 3);
        assert_eq!(report["calls"]["reads"], 1, "a sheet that did not change costs one call");
        assert_eq!(report["calls"]["writes"], 0);
    }
    // A plan does not open it either; what touches its time does, and finds what it says.
    assert_eq!(read(&pair.plan(json!({})).await, "left"), unchanged());
    pair.file(HIDDEN);
    let report = pair.apply(json!({})).await;
    assert_eq!((&report["counts"]["update"], read(&report, "left")), (&json!(1), whole(3)));
    assert_eq!(pair.sheet().await[1], json!(["A", "Apple", 99]));
}

#[tokio::test]
async fn every_so_many_runs_all_is_read_and_it_is_said() {
    let every = json!({"fullEvery": 3});
    let pair = known(every.clone()).await;
    hide(&pair, HIDDEN);
    for _ in 0..2 {
        let report = pair.apply(every.clone()).await;
        assert_eq!((&report["state"], read(&report, "left")), (&json!("inStep"), unchanged()));
    }
    let plan = pair.plan(every.clone()).await;
    assert_eq!((&plan["counts"]["update"], read(&plan, "left")), (&json!(1), whole(3)));
    assert!(plan["next"].as_str().unwrap().contains("All rows were read"), "{plan:#}");
    let mut arguments = every.clone();
    arguments["planId"] = plan["planId"].clone();
    let report = pair.apply(arguments).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert!(report["next"].as_str().unwrap().contains("All rows were read"), "{report:#}");
    let report = pair.apply(every).await;
    assert_eq!(read(&report, "left"), unchanged());
    assert!(!report["next"].as_str().unwrap().contains("All rows were read"));

    let never = json!({"fullEvery": 1});
    pair.apply(never.clone()).await;
    assert_eq!(read(&pair.apply(never).await, "left"), whole(3));
}

/// The file is not read to compare; to write it, it is.
#[tokio::test]
async fn an_edit_of_the_sheet_reaches_a_file_that_was_not_read() {
    let pair = known(json!({})).await;
    pair.set("B3", json!([["Beetroot"]])).await;
    pair.set("A5", json!([["D", "Dill", 40]])).await;
    let plan = pair.plan(json!({})).await;
    assert_eq!((&plan["counts"]["left"], read(&plan, "left")), (&json!(2), unchanged()));
    let report = pair.apply(json!({"planId": plan["planId"]})).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!(pair.read_file(), "sku,name,qty\nA,Apple,10\nB,Beetroot,20\nC,Corn,30\nD,Dill,40\n");
    // What we wrote ourselves is read again once.
    settle(&pair);
    assert_eq!(read(&pair.apply(json!({})).await, "left"), whole(4));
    assert_eq!(read(&pair.apply(json!({})).await, "left"), unchanged());
}

/// The plan was made without reading the file, and the file turns out to be another: nothing is written by that plan.
#[tokio::test]
async fn a_plan_made_from_what_was_seen_is_refused_when_it_is_not_so() {
    let pair = known(json!({})).await;
    hide(&pair, HIDDEN);
    pair.set("B3", json!([["Beetroot"]])).await;
    let plan = pair.plan(json!({})).await;
    assert_eq!((&plan["counts"]["left"], &plan["counts"]["update"]), (&json!(1), &json!(0)));
    let mut arguments = pair.dataset(json!({"planId": plan["planId"]}));
    arguments["mode"] = json!("apply");
    let error = pair.house.err("syncDataset", arguments).await;
    assert!(error.contains("does not describe what is there now"), "{error}");
    assert_eq!(pair.read_file(), HIDDEN);
    let report = pair.apply(json!({})).await;
    assert_eq!((&report["counts"]["left"], &report["counts"]["update"]), (&json!(1), &json!(1)));
    assert_eq!(pair.sheet().await[1], json!(["A", "Apple", 99]));
    assert!(pair.read_file().contains("B,Beetroot,20"));
}

/// A plan has the same name whichever way its members were read.
#[tokio::test]
async fn a_plan_of_a_whole_read_is_applied_without_one() {
    let pair = known(json!({})).await;
    pair.set("B3", json!([["Beetroot"]])).await;
    let unread = pair.plan(json!({})).await;
    // Another time of the same content: it is opened and found to be as it was.
    pair.file(STOCK);
    let opened = pair.plan(json!({})).await;
    assert_eq!(opened["planId"], unread["planId"]);
    let forgotten = forget(&pair, "Z").await;
    assert!(forgotten.status.success(), "{forgotten:?}");
    let full = pair.plan(json!({})).await;
    assert_eq!((&full["planId"], read(&full, "left")), (&unread["planId"], whole(3)));
}

async fn forget(pair: &Pair, key: &str) -> std::process::Output {
    let mut command = lockstep(pair.house.data());
    command.args(["forget", "stock", key]);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test]
async fn what_was_seen_stops_counting() {
    // Somebody forgets a record.
    let pair = known(json!({})).await;
    assert!(forget(&pair, "C").await.status.success());
    assert_eq!(read(&pair.apply(json!({})).await, "left"), whole(3));
    assert_eq!(read(&pair.apply(json!({})).await, "left"), unchanged());
    // The dataset is defined in another way.
    let columns = json!({"columns": [{"name": "sku"}, {"name": "name"}]});
    assert_eq!(read(&pair.apply(columns).await, "left"), whole(3));
    // A run is taken back, though it wrote to the other side alone.
    let pair = known(json!({})).await;
    pair.file("sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\n");
    settle(&pair);
    let run = pair.apply(json!({})).await["runId"].clone();
    assert_eq!(read(&pair.apply(json!({})).await, "left"), unchanged());
    pair.house.ok("rollbackSync", json!({"runId": run, "mode": "apply"})).await;
    let report = pair.apply(json!({})).await;
    assert_eq!(read(&report, "left"), whole(3), "{report:#}");
}

/// The rows in which a member is not as what both sides agreed on are kept apart: a conflict stays one.
#[tokio::test]
async fn a_conflict_that_nobody_decided_is_still_there() {
    let pair = known(json!({})).await;
    pair.file("sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\n");
    settle(&pair);
    pair.set("C2", json!([[12]])).await;
    let first = pair.apply(json!({})).await;
    assert_eq!(first["counts"]["conflicts"], 1, "{first:#}");
    let second = pair.apply(json!({})).await;
    assert_eq!(read(&second, "left"), unchanged());
    assert_eq!(second["conflicts"], first["conflicts"]);
    pair.set("C2", json!([[11]])).await;
    let third = pair.apply(json!({})).await;
    assert_eq!((third["counts"].get("conflicts"), read(&third, "left")), (None, unchanged()));
}

#[tokio::test]
async fn rows_that_cannot_be_told_apart_are_read_every_time() {
    let pair = Pair::new().await;
    pair.file("sku,name,qty\nA,Apple,10\nB,Beet,20\nB,Bean,30\n,blank,1\n");
    settle(&pair);
    pair.apply(json!({})).await;
    let report = pair.apply(json!({})).await;
    assert_eq!((read(&report, "left"), report["counts"]["setAside"].as_u64()), (whole(4), Some(3)));
}

#[tokio::test]
async fn a_source_is_known_by_a_target_that_is_like_it() {
    let one_way = json!({"direction": "leftToRight", "maxDeletePercent": 60});
    let pair = known(one_way.clone()).await;
    hide(&pair, HIDDEN);
    let report = pair.apply(one_way.clone()).await;
    assert_eq!((&report["state"], read(&report, "left")), (&json!("inStep"), unchanged()));
    // The target drifts: what the source says must be known, so it is read.
    pair.set("B3", json!([["Beetroot"]])).await;
    let report = pair.apply(one_way.clone()).await;
    assert_eq!(read(&report, "left"), whole(3), "{report:#}");
    assert_eq!(pair.sheet().await[1..3], [json!(["A", "Apple", 99]), json!(["B", "Beet", 20])]);
    assert_eq!(read(&pair.apply(one_way.clone()).await, "left"), unchanged());
    // A row that is marked stays on the target: it is among the few that the sides do not share.
    pair.file("sku,name,qty\nA,Apple,99\nB,Beet,20\n");
    settle(&pair);
    let report = pair.apply(one_way.clone()).await;
    assert_eq!(report["counts"]["mark"], 1, "{report:#}");
    let report = pair.apply(one_way).await;
    let found = (&report["state"], read(&report, "left"));
    assert_eq!(found, (&json!("inStep"), unchanged()), "{report:#}");
}
