//! A watch writes no more at a time than the role operator may.

use std::num::NonZeroU64;

use lockstep::{config::LimitsConfig, principal::Role};

use super::*;

#[tokio::test]
async fn a_watch_writes_no_more_at_a_time_than_an_operator_may() {
    let mut shop = Shop::with("leftToRight", |config| {
        let limits = LimitsConfig { max_rows: NonZeroU64::new(2), max_cells: None };
        config.access.roles.insert(Role::Operator, limits);
    })
    .await;
    let names = ["A", "B", "C", "D", "E", "F", "G"];
    let all: Vec<(&str, &str, i64)> =
        names.iter().zip(1..).map(|(sku, qty)| (*sku, "x", qty)).collect();
    shop.file(&stock(&all));
    shop.stage.ok("watchDataset", json!({"action": "start", "dataset": "stock"})).await;
    shop.stage.seconds(600).await;
    assert_eq!(shop.rows(), stock(&all), "{:#}", shop.stage.status().await);
    assert_eq!(shop.stage.letters().await, Vec::<Value>::new());
    let shown = shop.stage.ok("syncHistory", json!({"limit": 200})).await;
    let rows = |run: &Value| run["rows"]["right insert"].as_u64().unwrap_or(0);
    let runs: Vec<u64> = shown["runs"].as_array().unwrap().iter().map(rows).collect();
    assert_eq!(runs.iter().sum::<u64>(), 7, "{shown:#}");
    assert!(runs.iter().all(|rows| *rows <= 2), "{shown:#}");
}
