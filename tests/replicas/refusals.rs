//! What a replica refuses: rows that changed, rows that break a constraint, names and rights that are wrong.

use serde_json::json;

use super::{
    kind::Replica,
    laws::{ROWS, World, stock},
};

/// Somebody changes a row after it was read and before it is written: theirs stays, and the run says so.
pub(super) async fn a_held_row_is_not_overwritten(replica: &dyn Replica) {
    if !replica.abilities().held {
        return;
    }
    let world = World::new(replica, &stock(ROWS)).await;
    let wanted =
        stock(&["A|Apple|11|~", "B|Beet|21|~", "C|Corn|30|~", "D|Dill|40|~", "E|Egg|50|~"]);
    world.other(&wanted);
    let apply = world.house.ok("syncDataset", world.sync(&wanted, json!({})));
    let report = replica.hold("B", "qty", "77", Box::pin(apply)).await;
    let told = report["unconfirmed"].to_string();
    let named = told.contains("\"right\"") && told.contains("\"B\"");
    assert!(named && told.contains("\\\"qty\\\""), "{report:#}");
    let there = stock(&["A|Apple|11|~", "B|Beet|77|~", "C|Corn|30|~", "D|Dill|40|~", "E|Egg|50|~"]);
    assert_eq!(world.read(&there).await.typed(), there.typed());
}

/// A row that the replica refuses takes its batch back, or is left out.
pub(super) async fn a_refused_row_is_named(replica: &dyn Replica) {
    if !replica.abilities().constraints {
        return;
    }
    let world = World::new(replica, &stock(ROWS)).await;
    let wanted = stock(&[
        "A|Apple|11|~",
        "B|Beet|5000|~",
        "C|Corn|31|~",
        "D|Dill|many|~",
        "N|New|2000|~",
        "O|Oat|3|~",
    ]);
    world.other(&wanted);
    let more = json!({"deletes": "ignore"});
    let error = world.house.err("syncDataset", world.sync(&wanted, more.clone())).await;
    let named = ["row B", "row D", "row N"].iter().any(|row| error.contains(row));
    assert!(named && error.contains("onError") && error.contains("refuses"), "{error}");
    assert_eq!(world.read(&stock(ROWS)).await.typed(), stock(ROWS).typed(), "nothing was written");
    let mut side = replica.side();
    side["onError"] = json!("skip");
    let report = world.apply(&wanted, json!({"deletes": "ignore", "right": side})).await;
    assert_eq!(
        (&report["state"], &report["unconfirmed"]),
        (&json!("partial"), &json!(null)),
        "{report:#}"
    );
    let told = report["refused"].as_array().unwrap();
    let mut keys: Vec<&str> = told.iter().map(|one| one["key"].as_str().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["B", "D", "N"], "{report:#}");
    let history = world.house.ok("syncHistory", json!({"runId": report["runId"]})).await;
    let left =
        history["changes"].as_array().unwrap().iter().filter(|one| one["state"] == "leftOut");
    assert_eq!(left.count(), 3, "{history:#}");
    assert_eq!(history["runs"][0]["state"], "partial");
    let there = stock(&[
        "A|Apple|11|~",
        "B|Beet|20|~",
        "C|Corn|31|~",
        "D|Dill|40|~",
        "E|Egg|50|~",
        "O|Oat|3|~",
    ]);
    assert_eq!(world.read(&there).await.typed(), there.typed());
}

/// What may only be read is not written, and a wrong name is answered by near ones.
pub(super) async fn refusals_help(replica: &dyn Replica) {
    let abilities = replica.abilities();
    if abilities.connection {
        let world = World::with(replica, &stock(ROWS), false).await;
        world.other(&stock(&["A|Apple|11|~"]));
        let error = world.house.err("syncDataset", world.sync(&stock(ROWS), json!({}))).await;
        assert!(
            error.starts_with("permissionDenied") && error.contains("writable = true"),
            "{error}"
        );
    }
    if abilities.catalogue {
        let world = World::new(replica, &stock(ROWS)).await;
        world.other(&stock(ROWS));
        let columns = json!([{"name": "sku"}, {"name": "qty", "right": "qyt"}]);
        let ask = world.sync(&stock(ROWS), json!({"columns": columns}));
        let error = world.house.err("syncDataset", ask).await;
        assert!(error.contains("\"qyt\"") && error.contains("Did you mean \"qty\"?"), "{error}");
        let mut side = replica.side();
        if side["table"].is_string() {
            side["table"] = json!("mime");
            let ask = world.sync(&stock(ROWS), json!({"right": side}));
            let error = world.house.err("syncDataset", ask).await;
            assert!(error.contains("Did you mean \"mine\"?"), "{error}");
        }
        let mut side = replica.side();
        if side["connection"].is_string() {
            side["connection"] = json!("shap");
            let ask = world.sync(&stock(ROWS), json!({"right": side}));
            let error = world.house.err("syncDataset", ask).await;
            assert!(error.contains("Did you mean \"shop\"?"), "{error}");
        }
    }
}
