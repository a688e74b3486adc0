//! The channels of Drive live as long as their watch: each is replaced before it ends.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Stage;

/// Returns the ids of the channels that a database knows.
fn channels(stage: &Stage, database: &str) -> Vec<String> {
    if database == "lockstep.db" {
        return crate::support::store::column(stage.house.data(), "SELECT id FROM channels");
    }
    let store = rusqlite::Connection::open(stage.house.data().join(database)).unwrap();
    let mut statement = store.prepare("SELECT id FROM channels").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_channel_is_replaced_before_it_ends_though_nothing_else_looks() {
    let mut stage = Stage::new(|_| {}).await;
    // The workspace goes by the system's clock.
    stage.hand.advance(Timestamp::now().duration_since(stage.now()));
    stage.worker = stage.context.worker().reached_at(Some("http://127.0.0.1:9".into()));
    let sheet = json!({"type": "spreadsheet", "name": "S", "sheets": [{"title": "stock"}]});
    let id = stage.ok("createFile", sheet).await["id"].as_str().unwrap().to_owned();
    stage.house.write("a.csv", "sku,qty\nA,1\n");
    let dataset = json!({"name": "stock", "left": {"file": "a.csv"}, "key": ["sku"],
        "right": {"spreadsheetId": id, "sheet": "stock"}, "direction": "both", "mode": "apply"});
    stage.ok("syncDataset", dataset).await;
    let start = json!({"action": "start", "dataset": "stock", "pollSeconds": 0});
    stage.ok("watchDataset", start).await;
    stage.seconds(1).await;
    let first = channels(&stage, "lockstep.db");
    assert_eq!((first.len(), &channels(&stage, "workspace.db")), (1, &first));
    let shown = stage.status().await;
    assert_eq!(shown["triggers"], json!(["drive (1 channels)"]), "{shown:#}");

    // It was given a day; two hours before its end another one takes its place.
    stage.pass(SignedDuration::from_hours(21)).await;
    assert_eq!(channels(&stage, "lockstep.db"), first);
    stage.pass(SignedDuration::from_hours(2)).await;
    let second = channels(&stage, "lockstep.db");
    assert_eq!((second.len(), &channels(&stage, "workspace.db")), (1, &second));
    assert_ne!(second, first);

    stage.ok("watchDataset", json!({"action": "stop", "dataset": "stock"})).await;
    stage.seconds(1).await;
    let none = Vec::<String>::new();
    assert_eq!(
        (channels(&stage, "lockstep.db"), channels(&stage, "workspace.db")),
        (none.clone(), none)
    );
}
