//! The spokes of a hub are read at the same time: the slowest one is waited for, not all of them in turn.

use std::time::{Duration, Instant};

use lockstep::replica::connections::ConnectionConfig;
use serde_json::{Value, json};

use crate::{
    harness::House,
    support::api::{PLAIN, Stub, Trouble, plain},
};

/// How long each list takes.
const SLOW: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn spokes_are_read_at_the_same_time() {
    let mut stubs: Vec<Stub> = Vec::new();
    for number in 0..5 {
        let stub = Stub::start(plain).await;
        stub.world().add(json!({"sku": format!("s{number}"), "name": "x", "stock": {"qty": 1}}));
        stub.trouble("GET", "/items", 1, Trouble::Slow(SLOW));
        stubs.push(stub);
    }
    let house = House::with(|config| {
        for (number, stub) in stubs.iter().enumerate() {
            let text = PLAIN.replace("URL", &stub.url).replace("Seconds = 1", "Seconds = 9");
            let connection: ConnectionConfig = toml::from_str(&text).unwrap();
            config.connections.insert(format!("api{number}"), connection);
        }
    })
    .await;
    let sheets = json!([{"title": "hub"}]);
    let made = json!({"type": "spreadsheet", "name": "Hub", "sheets": sheets});
    let id = house.ok("createFile", made).await["id"].clone();
    let spoke = |number: usize| {
        let connection = format!("api{number}");
        json!({"name": format!("spoke{number}"), "connection": connection, "resource": "items"})
    };
    let ask = json!({
        "name": "many", "hub": {"spreadsheetId": id, "sheet": "hub"}, "key": ["sku"],
        "spokes": (0..5).map(spoke).collect::<Vec<_>>(), "mode": "apply",
    });
    let sync = house.ok("syncDataset", ask);
    let look = async {
        let mut first: Option<Instant> = None;
        loop {
            let asked = stubs.iter().filter(|stub| !stub.world().asked.is_empty()).count();
            if asked > 0 {
                first.get_or_insert_with(Instant::now);
            }
            if asked == stubs.len() {
                return first.unwrap().elapsed();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (report, apart): (Value, Duration) = tokio::join!(sync, look);
    assert!(apart < SLOW, "the last spoke was asked {apart:?} after the first, which had answered");
    // Each spoke got the rows of the four others, and says so for itself.
    let sides = report["sides"].as_array().unwrap();
    assert_eq!(sides.len(), 6, "{report:#}");
    for side in sides.iter().filter(|side| side["name"] != "hub") {
        assert_eq!(side["rows"], json!({"insert": 4}), "{report:#}");
    }
    for stub in &stubs {
        assert_eq!(stub.world().items.len(), 5);
    }
}
