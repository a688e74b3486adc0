//! Objects of an S3 service.

use serde_json::{Value, json};

use super::{
    Desk, STOCK,
    bucket::{Bucket, Race, way},
};
use crate::support::{kill, lockstep};

const KEY: &str = "team/stock.csv";

#[tokio::test(flavor = "multi_thread")]
async fn an_object_and_a_sheet_are_kept_in_step() {
    let Some(bucket) = Bucket::start() else { return };
    bucket.put(KEY, STOCK);
    let desk = Desk::new(&Bucket::connection(bucket.port, "writable = true"), "stock.csv").await;
    assert_eq!(desk.sync().await["state"], "applied");
    assert_eq!(desk.lines().await, ["sku,name,qty", "A,Apple,10", "B,Beet,20"]);
    desk.set("B2", json!("Apfel")).await;
    bucket.put(KEY, "sku,name,qty\nA,Apple,10\nB,Beet,21\nC,Corn,30\n");
    let report = desk.sync().await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!(Desk::side(&report)["note"], Value::Null, "it can be guarded: {report:#}");
    let all = "sku,name,qty\nA,Apfel,10\nB,Beet,21\nC,Corn,30\n";
    assert_eq!(bucket.get(KEY).unwrap(), all);
    assert_eq!(desk.lines().await.join("\n") + "\n", all);
    assert_eq!(desk.sync().await["state"], "inStep");
    let run = json!({"runId": report["runId"], "mode": "apply"});
    desk.house.ok("rollbackSync", run).await;
    assert_eq!(bucket.get(KEY).unwrap(), "sku,name,qty\nA,Apple,10\nB,Beet,21\nC,Corn,30\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_there_is_made() {
    let Some(bucket) = Bucket::start() else { return };
    let desk = Desk::new(&Bucket::connection(bucket.port, "writable = true"), "new.csv").await;
    desk.house.write("stock.csv", STOCK);
    let mut ask = desk.arguments();
    ask["left"] = json!({"file": "stock.csv"});
    ask["right"] = json!({"connection": "lake", "file": "new/deep.csv"});
    desk.house.ok("syncDataset", ask).await;
    assert_eq!(bucket.get("team/new/deep.csv").unwrap(), STOCK);
    let missing = desk.fails().await;
    assert!(missing.contains("no columns") || missing.contains("new.csv"), "{missing}");
}

/// Somebody writes the object between the comparison and the write: the service refuses ours, and theirs stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_somebody_overtakes_is_refused_by_the_service_and_made_afresh() {
    let Some(bucket) = Bucket::start() else { return };
    bucket.put(KEY, STOCK);
    let (port, next) = way(bucket.clone(), KEY).await;
    let desk = Desk::new(&Bucket::connection(port, "writable = true"), "stock.csv").await;
    desk.sync().await;
    desk.set("B2", json!("Apfel")).await;
    *next.lock().unwrap() = Some((Race::First, STOCK.replace("20", "99")));
    let error = desk.fails().await;
    assert!(error.contains("changed while it was compared"), "{error}");
    assert_eq!(bucket.get(KEY).unwrap(), STOCK.replace("20", "99"), "theirs stays");
    assert_eq!(desk.sync().await["state"], "applied");
    let both = "sku,name,qty\nA,Apfel,10\nB,Beet,99\n";
    assert_eq!(bucket.get(KEY).unwrap(), both);
    assert_eq!(desk.lines().await.join("\n") + "\n", both);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_lost_is_found_out() {
    let Some(bucket) = Bucket::start() else { return };
    bucket.put(KEY, STOCK);
    let (port, next) = way(bucket.clone(), KEY).await;
    let desk = Desk::new(&Bucket::connection(port, "writable = true"), "stock.csv").await;
    desk.sync().await;
    desk.set("B2", json!("Apfel")).await;
    *next.lock().unwrap() = Some((Race::Deaf, String::new()));
    let report = desk.sync().await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!(bucket.get(KEY).unwrap(), STOCK.replace("Apple", "Apfel"));
    assert_eq!(desk.sync().await["state"], "inStep");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_conditions_is_told_in_the_report() {
    let Some(bucket) = Bucket::start() else { return };
    bucket.put(KEY, STOCK);
    let more = "writable = true\nconditionalWrites = false";
    let desk = Desk::new(&Bucket::connection(bucket.port, more), "stock.csv").await;
    desk.sync().await;
    desk.set("B2", json!("Apfel")).await;
    let report = desk.sync().await;
    let note = Desk::side(&report)["note"].as_str().unwrap();
    assert!(note.contains("cannot guard a write"), "{report:#}");
    assert_eq!(bucket.get(KEY).unwrap(), STOCK.replace("Apple", "Apfel"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_did_not_allow_is_refused() {
    let Some(bucket) = Bucket::start() else { return };
    bucket.put(KEY, STOCK);
    bucket.put("secret.csv", STOCK);
    let read_only = Desk::new(&Bucket::connection(bucket.port, ""), "stock.csv").await;
    let error = read_only.fails().await;
    assert!(error.contains("writable = true under [connections.lake]"), "{error}");
    for path in ["../secret.csv", "/secret.csv", "a/../../secret.csv", "."] {
        let writable = Bucket::connection(bucket.port, "writable = true");
        let desk = Desk::new(&writable, path).await;
        let error = desk.fails().await;
        assert!(error.contains("outside the folder") || error.contains("names no file"), "{error}");
    }
    let gone = Desk::new(&Bucket::connection(1, "writable = true"), "stock.csv").await;
    let error = gone.fails().await;
    assert!(error.contains("the folder \"lake\" (an S3 bucket)"), "{error}");
    assert!(!error.contains("secret-of-test"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_over_an_object_is_finished_by_the_next_one() {
    let Some(bucket) = Bucket::start() else { return };
    bucket.put(KEY, STOCK);
    let section = Bucket::connection(bucket.port, "writable = true");
    let desk = Desk::new(&section, "stock.csv").await;
    desk.sync().await;
    let config = format!("backend = \"local\"\n[connections.lake]\n{section}\n");
    let config = desk.house.write("lockstep.toml", config);
    let points = ["begun:1", "sending:1", "sent:1", "marked:1", "sending:2", "sent:2", "closing:1"];
    let mut killed = 0;
    for (round, point) in points.iter().enumerate() {
        desk.set("B2", json!(format!("round {round}"))).await;
        let text = bucket.get(KEY).unwrap();
        bucket.put(KEY, &format!("{text}N{round},new,{round}\n"));
        let mut command = lockstep(desk.house.data());
        command.arg("--config").arg(&config).args(["--allow-write", "call", "syncDataset"]);
        command.arg(desk.arguments().to_string());
        killed += u32::from(kill::at(command, point));
        desk.sync().await;
        let text = bucket.get(KEY).unwrap();
        assert!(text.contains(&format!("A,round {round},10\n")), "{point}: {text}");
        assert_eq!(text.matches(&format!("N{round},")).count(), 1, "{point}: {text}");
        assert_eq!(desk.lines().await.join("\n") + "\n", text, "{point}");
        assert_eq!(desk.sync().await["state"], "inStep", "{point}");
    }
    println!("killed {killed} times: 0 lost, 0 doubled");
    assert!(killed >= 5, "only {killed} kills hit");
}
