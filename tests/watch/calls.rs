//! Calls, polls and the right to watch, over long times.

use std::collections::BTreeSet;

use super::*;
use crate::support::store;

/// Lets a call wait that names a row, as a webhook's does.
fn call(shop: &Shop, sku: &str) {
    let sql = format!(
        "INSERT INTO hook_calls (dataset, received, keys) VALUES ('stock', 0, '[[\"{sku}\"]]')"
    );
    store::run(shop.stage.house.data(), &sql);
}

#[tokio::test]
async fn a_watch_that_has_nothing_to_do_for_long_stays_with_its_process() {
    let mut shop = Shop::new("leftToRight").await;
    let start = json!({"action": "start", "dataset": "stock", "pollSeconds": 86_400});
    shop.stage.ok("watchDataset", start).await;
    shop.stage.seconds(3_600).await;
    let until = "SELECT until FROM leases WHERE dataset LIKE '%watch%' AND holder IS NOT NULL";
    let until = store::column(shop.stage.house.data(), until);
    let until: i64 = until.first().expect("somebody has it").parse().unwrap();
    assert!(until > shop.stage.now().as_microsecond(), "it has run out");
    let status = shop.stage.status().await;
    let time = |name: &str| status[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(time("nextLook").duration_since(time("lastLook")).as_hours(), 24, "{status:#}");
}

#[tokio::test]
async fn a_halted_dataset_rests_though_a_call_waits() {
    let mut shop = Shop::new("leftToRight").await;
    let start = json!({"action": "start", "dataset": "stock", "pollSeconds": 0});
    shop.stage.ok("watchDataset", start).await;
    shop.stage.seconds(1).await;
    shop.file(&stock(&[]));
    let now = json!({"action": "now", "dataset": "stock"});
    shop.stage.ok("watchDataset", now.clone()).await;
    let mut looks = BTreeSet::new();
    for _ in 0..25 {
        shop.stage.seconds(1).await;
        looks.insert(shop.stage.status().await["lastLook"].to_string());
    }
    let status = shop.stage.status().await;
    assert!(status["halted"].to_string().contains("emptied"), "{status:#}");
    assert_eq!(looks.len(), 1, "{looks:?}");
    // Who asks again is heard at once, and so is the call once there is something to be taken in.
    shop.file(&stock(&[("A", "Apple", 11), ("B", "Beet", 20), ("C", "Corn", 30)]));
    shop.stage.ok("watchDataset", now).await;
    shop.stage.seconds(1).await;
    assert_eq!(shop.rows()["A"].1, 11);
    let calls = store::column(shop.stage.house.data(), "SELECT COUNT(*) FROM hook_calls");
    assert_eq!(calls, ["0"]);
}

#[tokio::test]
async fn calls_about_one_row_do_not_keep_the_poll_from_the_others() {
    let mut shop = Shop::new("leftToRight").await;
    let start = json!({"action": "start", "dataset": "stock", "pollSeconds": 30});
    shop.stage.ok("watchDataset", start).await;
    shop.stage.seconds(1).await;
    shop.file(&stock(&[("A", "Apple", 11), ("B", "Beet", 21), ("C", "Corn", 30)]));
    for second in 0..12 {
        call(&shop, "A");
        shop.stage.seconds(5).await;
        assert_eq!(shop.rows()["A"].1, 11);
        assert!(second > 0 || shop.rows()["B"].1 == 20, "a call is about the row that it names");
    }
    assert_eq!(shop.rows()["B"].1, 21, "{:#}", shop.stage.status().await);
}

#[tokio::test]
async fn as_many_events_are_delivered_together_as_was_asked() {
    let mut shop = Shop::new("leftToRight").await;
    let names = ["A", "B", "C", "D", "E", "F", "G"];
    let all: Vec<(&str, &str, i64)> =
        names.iter().zip(1..).map(|(sku, qty)| (*sku, "x", qty)).collect();
    shop.file(&stock(&all));
    let start = json!({"action": "start", "dataset": "stock", "batchSize": 2});
    shop.stage.ok("watchDataset", start).await;
    shop.stage.seconds(600).await;
    assert_eq!(shop.rows(), stock(&all), "{:#}", shop.stage.status().await);
    let shown = shop.stage.ok("syncHistory", json!({"limit": 200})).await;
    let rows = |run: &Value| run["rows"]["right insert"].as_u64().unwrap_or(0);
    let runs: Vec<u64> = shown["runs"].as_array().unwrap().iter().map(rows).collect();
    assert_eq!(runs.iter().sum::<u64>(), 7, "{shown:#}");
    assert!(runs.iter().all(|rows| *rows <= 2), "{shown:#}");
}
