//! A target that is down: its events wait, and arrive once and in order.

use std::collections::BTreeMap;

use lockstep::replica::connections::ConnectionConfig;
use serde_json::{Value, json};

use super::Stage;
use crate::{
    health::deduction,
    support::api::{Reply, Stub, Trouble, plain},
};

pub(super) const API: &str = r#"
kind = "http"
baseUrl = "URL"
writable = true
timeoutSeconds = 2
limits = { attempts = 1 }

[resources.items]
id = "/id"

[resources.items.list]
path = "/items"
items = "/data"
total = "/total"
pagination = { kind = "offset", parameter = "offset" }

[resources.items.get]
path = "/items/{id}"

[resources.items.find]
path = "/items"
query = { sku = "{field.sku}" }
items = "/data"

[resources.items.create]
path = "/items"

[resources.items.update]
path = "/items/{id}"

[resources.items.fields]
sku = "/sku"
qty = "/qty"
"#;

pub(super) fn text(rows: &BTreeMap<String, i64>) -> String {
    rows.iter()
        .fold("sku,qty\n".to_owned(), |text, (sku, qty)| text + format!("{sku},{qty}\n").as_str())
}

/// Returns the writes that the API took for each item: its numbers, in order.
pub(super) fn writes(api: &Stub) -> BTreeMap<String, Vec<i64>> {
    let mut writes: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let world = api.world();
    for asked in world.asked.iter().filter(|asked| asked.method != "GET") {
        let sku = match asked.body.get("sku").and_then(Value::as_str) {
            Some(sku) => sku.to_owned(),
            None => {
                let item = world.items.get(asked.last());
                item.and_then(|item| item["sku"].as_str()).unwrap_or_default().to_owned()
            }
        };
        let qty = &asked.body["qty"];
        let qty = qty.as_i64().or_else(|| qty.as_str()?.parse().ok()).unwrap_or(-1);
        writes.entry(sku).or_default().push(qty);
    }
    writes
}

#[tokio::test]
async fn a_target_that_is_down_for_an_hour_gets_everything_once_and_in_order() {
    let api = Stub::start(plain).await;
    let connection: ConnectionConfig = toml::from_str(&API.replace("URL", &api.url)).unwrap();
    let mut stage = Stage::new(|config| {
        config.connections.insert("crm".into(), connection);
    })
    .await;
    let mut rows: BTreeMap<String, i64> = (0..20).map(|n| (format!("K{n:02}"), 0)).collect();
    stage.house.write("a.csv", text(&rows));
    stage.house.write("b.csv", text(&rows));
    let dataset = json!({
        "name": "stock",
        "hub": {"file": "a.csv"},
        "spokes": [
            {"name": "b", "file": "b.csv"},
            {"name": "crm", "connection": "crm", "resource": "items", "direction": "out"},
        ],
        "key": ["sku"], "deletes": "ignore",
        "columns": [{"name": "sku", "type": "text"}, {"name": "qty", "type": "number"}],
    });
    stage.ok("syncDataset", dataset.clone()).await;
    stage.ok("watchDataset", json!({"action": "start", "dataset": "stock"})).await;
    stage.seconds(1).await;
    let there = api.world().items.len();
    assert_eq!(there, 20, "{:#}", stage.status().await);
    api.world().asked.clear();

    // Nothing that is sent arrives for an hour; people go on editing.
    for method in ["GET", "POST", "PATCH", "PUT"] {
        api.trouble(method, "", 1_000_000, Trouble::Instead(Reply::json(503, &json!({}))));
    }
    for minute in 1..=60_i64 {
        for n in 0..20 {
            if (n + minute) % 4 == 0 {
                rows.insert(format!("K{n:02}"), minute);
            }
        }
        stage.house.write("a.csv", text(&rows));
        stage.seconds(60).await;
    }
    let status = stage.status().await;
    assert_eq!(status["breakers"][0]["member"], "crm", "{status:#}");
    assert_eq!(status["breakers"][0]["state"], "open");
    assert_eq!((&status["depth"], &status["deadLetters"]), (&json!(20), &json!(0)), "{status:#}");
    assert!(status["lagSeconds"].as_f64().unwrap() > 3_000.0, "{status:#}");
    let found = health(&stage).await;
    assert_eq!((&found["score"], &found["metrics"]["queueDepth"]), (&json!(40.0), &json!(20.0)));
    assert!(found["metrics"]["queueLagSeconds"].as_f64().unwrap() > 3_000.0, "{found:#}");
    let why = deduction(&found, "backlog")["why"].as_str().unwrap();
    assert!(why.starts_with("20 changes wait for longer than 5 minutes (crm cannot"), "{why}");
    let why = deduction(&found, "lastRunFailed")["why"].as_str().unwrap();
    assert!(why.starts_with("crm cannot be reached since "), "{why}");
    // The other spoke did not wait.
    let b = std::fs::read_to_string(stage.house.folder.path().join("b.csv")).unwrap();
    assert_eq!(b, text(&rows));

    let tries = api.world().asked.len();
    assert!(tries < 120, "{tries} requests to an API that is down");
    api.world().rules.clear();
    api.world().asked.clear();
    stage.seconds(900).await;
    let now: BTreeMap<String, Vec<i64>> =
        rows.iter().map(|(sku, qty)| (sku.clone(), vec![*qty])).collect();
    assert_eq!(writes(&api), now, "each row once, with what it is now");
    let status = stage.status().await;
    assert_eq!((&status["depth"], &status["deadLetters"]), (&json!(0), &json!(0)), "{status:#}");
    assert!(status.get("breakers").is_none(), "{status:#}");
    // What is left are the runs of that hour, which wrote the other spoke alone.
    let found = health(&stage).await;
    let deductions = found["deductions"].as_array().unwrap();
    assert!(deductions.iter().all(|one| one["what"] == "success"), "{found:#}");
    assert_eq!(found["metrics"]["queueDepth"], 0.0);
    // Later edits of one row arrive in their order.
    api.world().asked.clear();
    for qty in 100..105 {
        rows.insert("K00".into(), qty);
        stage.house.write("a.csv", text(&rows));
        stage.seconds(600).await;
    }
    assert_eq!(writes(&api), [("K00".to_owned(), (100..105).collect())].into());
}

/// Returns the health of the dataset, of which nothing is measured now.
pub(super) async fn health(stage: &Stage) -> Value {
    let ask = json!({"dataset": "stock", "detail": true, "measure": false});
    stage.ok("healthReport", ask).await["datasets"][0].clone()
}

#[tokio::test]
async fn a_spoke_whose_credential_is_refused_is_told_though_the_others_are_in_step() {
    let api = Stub::start(plain).await;
    let connection: ConnectionConfig = toml::from_str(&API.replace("URL", &api.url)).unwrap();
    let stage = Stage::new(|config| {
        config.connections.insert("crm".into(), connection);
    })
    .await;
    stage.house.write("a.csv", "sku,qty\nA,1\n");
    let dataset = json!({"name": "stock", "hub": {"file": "a.csv"}, "key": ["sku"], "mode": "apply",
        "spokes": [{"name": "b", "file": "b.csv"},
            {"name": "crm", "connection": "crm", "resource": "items", "direction": "out"}],
        "columns": [{"name": "sku", "type": "text"}, {"name": "qty", "type": "number"}]});
    stage.ok("syncDataset", dataset).await;
    let before = health(&stage).await;
    assert_eq!(before["score"], 100.0, "{before:#}");
    for method in ["GET", "POST"] {
        api.trouble(method, "", 1_000_000, Trouble::Instead(Reply::json(401, &json!({}))));
    }
    // With something to write to the others, and without.
    for text in ["sku,qty\nA,2\n", "sku,qty\nA,2\n"] {
        stage.house.write("a.csv", text);
        let report = stage.ok("syncDataset", json!({"name": "stock", "mode": "apply"})).await;
        assert_eq!(report["state"], "partial", "{report:#}");
        let found = health(&stage).await;
        let why = deduction(&found, "lastRunFailed")["why"].as_str().unwrap();
        assert!(why.contains("unauthenticated") && why.contains("crm"), "{found:#}");
    }
    api.world().rules.clear();
    stage.ok("syncDataset", json!({"name": "stock", "mode": "apply"})).await;
    let after = health(&stage).await;
    let deductions = after["deductions"].as_array().unwrap();
    assert!(deductions.iter().all(|one| one["what"] != "lastRunFailed"), "{after:#}");
}
