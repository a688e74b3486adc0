//! Taking runs back: later edits of people survive, and a rollback can be taken back itself.

use serde_json::{Value, json};

use crate::two_way::{Pair, STOCK};

async fn undo(pair: &Pair, run: &Value, more: Value) -> Value {
    let mut arguments = json!({"runId": run["runId"], "mode": "apply"});
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    pair.house.ok("rollbackSync", arguments).await
}

fn one_way(deletes: &str) -> Value {
    json!({"direction": "leftToRight", "deletes": deletes, "maxDeletePercent": 100})
}

#[tokio::test]
async fn every_kind_of_change_comes_back_with_the_columns_nobody_mapped() {
    let pair = Pair::new().await;
    pair.file(STOCK);
    pair.apply(one_way("delete")).await;
    pair.set("D1:E4", json!([["note", "shelf"], ["n1", 1], ["n2", 2], ["n3", true]])).await;
    let before = pair.sheet().await;

    pair.file("sku,name,qty\nA,Apple,11\nC,Corn,30\nD,Dill,40\n");
    let run = pair.apply(one_way("delete")).await;
    let counts = &run["counts"];
    assert_eq!(
        (&counts["insert"], &counts["update"], &counts["delete"]),
        (&json!(1), &json!(1), &json!(1)),
        "{run:#}"
    );
    let written = pair.sheet().await;

    let plan = pair.house.ok("rollbackSync", json!({"runId": run["runId"]})).await;
    assert_eq!(plan["state"], "planned", "{plan:#}");
    assert_eq!(pair.sheet().await, written, "a plan writes nothing");
    let undone = undo(&pair, &run, json!({"planId": plan["planId"]})).await;
    assert_eq!(undone["state"], "applied", "{undone:#}");
    let sorted = |mut rows: Vec<Value>| {
        rows.sort_by_key(ToString::to_string);
        rows
    };
    assert_eq!(sorted(pair.sheet().await), sorted(before));

    let error = pair.house.err("rollbackSync", json!({"runId": run["runId"]})).await;
    assert!(error.contains("taken back by run"), "{error}");
    let redone = undo(&pair, &undone, json!({})).await;
    assert_eq!(redone["state"], "applied", "{redone:#}");
    assert_eq!(sorted(pair.sheet().await), sorted(written));
}

#[tokio::test]
async fn later_edits_of_people_survive_and_are_listed() {
    let pair = Pair::in_step(STOCK).await;
    pair.file("sku,name,qty\nA,Apfel,11\nB,Beet,21\nC,Corn,30\nD,Dill,40\n");
    let run = pair.apply(json!({})).await;
    // A person corrects one cell that the run wrote, one that it did not, and a row that it added.
    pair.set("C2", json!([[12]])).await;
    pair.set("B3", json!([["Beetroot"]])).await;
    pair.set("C5", json!([[44]])).await;
    let undone = undo(&pair, &run, json!({})).await;
    let rows = pair.sheet().await;
    assert_eq!(rows[1], json!(["A", "Apple", 12]), "the name went back, the person's 12 stays");
    assert_eq!(rows[2], json!(["B", "Beetroot", 20]));
    assert_eq!(rows[4], json!(["D", "Dill", 44]));
    let keys: Vec<&Value> =
        undone["conflicts"].as_array().unwrap().iter().map(|c| &c["key"]).collect();
    assert_eq!(keys, ["A", "D"], "{undone:#}");
}

#[tokio::test]
async fn after_a_rollback_the_next_plan_is_that_of_before() {
    let pair = Pair::in_step(STOCK).await;
    pair.file("sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\n");
    let first = pair.plan(json!({})).await;
    let run = pair.apply(json!({})).await;
    undo(&pair, &run, json!({})).await;
    assert_eq!(pair.sheet().await[1], json!(["A", "Apple", 10]));
    let again = pair.plan(json!({})).await;
    assert_eq!(again["changes"], first["changes"], "the left's edit is not lost");
    assert_eq!(again["counts"]["left"], Value::Null, "{again:#}");
}

#[tokio::test]
async fn chosen_keys_alone_are_taken_back_from_a_file_too() {
    let pair = Pair::in_step(STOCK).await;
    pair.set("C2:C4", json!([[11], [21], [31]])).await;
    let run = pair.apply(json!({})).await;
    assert_eq!(pair.read_file(), "sku,name,qty\nA,Apple,11\nB,Beet,21\nC,Corn,31\n");
    undo(&pair, &run, json!({"keys": ["B"]})).await;
    assert_eq!(pair.read_file(), "sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,31\n");
    let error = pair.house.err("rollbackSync", json!({"runId": run["runId"], "keys": ["Z"]})).await;
    assert!(
        error.contains("did not write the key \"Z\"") || error.contains("taken back"),
        "{error}"
    );
}

#[tokio::test]
async fn history_tells_runs_changes_and_the_life_of_a_record() {
    let pair = Pair::in_step(STOCK).await;
    pair.file("sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\n");
    let run = pair.apply(json!({})).await;
    let runs = pair.house.ok("syncHistory", json!({"dataset": "stock"})).await;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 2, "{runs:#}");
    assert_eq!(runs["runs"][0]["runId"], run["runId"]);
    let first = pair.house.ok("syncHistory", json!({"limit": 1})).await;
    let rest = pair.house.ok("syncHistory", json!({"limit": 1, "cursor": first["cursor"]})).await;
    assert_eq!(rest["runs"][0]["runId"], runs["runs"][1]["runId"]);

    let changes = pair.house.ok("syncHistory", json!({"runId": run["runId"]})).await;
    assert_eq!(changes["changes"][0]["cells"], json!({"qty": "10 → 11"}), "{changes:#}");
    let life = pair.house.ok("syncHistory", json!({"dataset": "stock", "key": ["A"]})).await;
    let kinds: Vec<&Value> =
        life["changes"].as_array().unwrap().iter().map(|c| &c["kind"]).collect();
    assert_eq!(kinds, ["update", "insert"], "{life:#}");
    let error = pair.house.err("rollbackSync", json!({"runId": "nosuchrun"})).await;
    assert!(error.contains("syncHistory"), "{error}");
}

#[tokio::test]
async fn the_plan_of_a_rollback_is_kept_and_named_by_enough_digits() {
    let pair = Pair::in_step(STOCK).await;
    pair.file("sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\n");
    let run = pair.apply(json!({})).await;
    let plan = pair.house.ok("rollbackSync", json!({"runId": run["runId"]})).await;
    let id = plan["planId"].as_str().unwrap();
    let page = pair.house.resource(&format!("lockstep://plans/{id}")).await;
    assert!(page[0].contains("| update | A | qty | 11 | 10 |"), "{}", page[0]);
    let apply = |id: &str| json!({"runId": run["runId"], "mode": "apply", "planId": id});
    let error = pair.house.err("rollbackSync", apply(id.get(..1).unwrap())).await;
    assert!(error.contains("at least 8"), "{error}");
    let error = pair.house.err("rollbackSync", apply("0123456789abcdef")).await;
    assert!(error.contains("there is no plan") && error.contains(id), "{error}");
    pair.set("B2", json!([["Apfel"]])).await;
    let error = pair.house.err("rollbackSync", apply(id)).await;
    assert!(error.contains("does not describe what is there now"), "{error}");
    assert_eq!(pair.sheet().await[1], json!(["A", "Apfel", 11]), "a stale plan writes nothing");
}

#[tokio::test]
async fn what_a_later_run_taught_is_kept_when_an_earlier_one_is_taken_back() {
    let pair = Pair::in_step(STOCK).await;
    pair.file("sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\n");
    let first = pair.apply(json!({})).await;
    pair.file("sku,name,qty\nA,Apfel,11\nB,Beet,20\nC,Corn,30\n");
    pair.apply(json!({})).await;
    undo(&pair, &first, json!({})).await;
    assert_eq!(pair.sheet().await[1], json!(["A", "Apfel", 10]));
    // The file's 11 is still what a person said: the next run must not take it back from them.
    let next = pair.apply(json!({})).await;
    assert_eq!(pair.read_file().lines().nth(1), Some("A,Apfel,11"), "{next:#}");
    assert_eq!(pair.sheet().await[1], json!(["A", "Apfel", 11]));
}

#[tokio::test]
async fn a_sum_that_someone_has_changed_since_is_not_counted_twice() {
    let pair = Pair::in_step(STOCK).await;
    let sum =
        json!({"columns": [{"name": "sku"}, {"name": "name"}, {"name": "qty", "merge": "sum"}]});
    pair.file("sku,name,qty\nA,Apple,12\nB,Beet,20\nC,Corn,30\n");
    pair.set("C2", json!([[13]])).await;
    let run = pair.apply(sum.clone()).await;
    assert_eq!(pair.sheet().await[1], json!(["A", "Apple", 15]), "{run:#}");
    pair.set("C2", json!([[16]])).await;
    let undone = undo(&pair, &run, json!({})).await;
    assert_eq!(undone["counts"]["conflicts"], 1, "{undone:#}");
    pair.apply(sum).await;
    assert_eq!(pair.sheet().await[1], json!(["A", "Apple", 16]));
    assert_eq!(pair.read_file().lines().nth(1), Some("A,Apple,16"));
}
