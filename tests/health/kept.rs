//! What a report keeps, and what it makes of what was kept: a sample, another window, the past.

use lockstep::config::AlertsConfig;
use serde_json::{Value, json};

use super::{edit, health, house, rows, share};
use crate::{harness::House, support::store};

const HOUR: i64 = 3_600_000_000;

fn has(found: &Value, what: &str) -> bool {
    found["deductions"].as_array().unwrap().iter().any(|one| one["what"] == what)
}

#[tokio::test]
async fn a_sample_lifts_no_cap_and_may_set_one() {
    let house = house().await;
    let sampled = async |sample: u32, seed: u32| {
        let ask = json!({"dataset": "d", "sample": sample, "seed": seed, "detail": true});
        house.ok("healthReport", ask).await["datasets"][0].clone()
    };
    edit(&house, "b.csv", |text| text.replace("n7,", "x7,"));
    assert_eq!(health(&house).await["score"], 50.0);
    for seed in 1..=4 {
        let found = sampled(1, seed).await;
        assert_eq!(found["score"], 50.0, "the drift is not gone: {found:#}");
    }
    edit(&house, "b.csv", |text| text.replace("x7,", "n7,"));
    assert_eq!(health(&house).await["score"], 100.0, "all rows were compared");
    edit(&house, "b.csv", |text| text.replace("@x.de", "@y.de"));
    assert!(has(&sampled(3, 1).await, "unexplainedDrift"), "each row that was drawn has it");
    house.write("b.csv", rows());

    // Nothing was compared for a month.
    let read = "SELECT facts FROM dataset_health WHERE dataset = 'd'";
    let mut facts: Value = serde_json::from_str(&store::column(house.data(), read)[0]).unwrap();
    facts["compared"] = json!(jiff::Timestamp::now().as_microsecond() - 30 * 24 * HOUR);
    let facts = facts.to_string();
    store::run(
        house.data(),
        &format!("UPDATE dataset_health SET facts = '{facts}' WHERE dataset = 'd'"),
    );
    assert!(has(&sampled(1, 1).await, "verificationStale"));
    assert!(!has(&sampled(40, 1).await, "verificationStale"));
}

#[tokio::test]
async fn another_window_writes_no_history() {
    let house = house().await;
    let kept = || store::column(house.data(), "SELECT score FROM health_history").len();
    for window in ["7d", "30d"] {
        let report = house.ok("healthReport", json!({"dataset": "d", "window": window})).await;
        assert_eq!((report["window"].as_str(), kept()), (Some(window), 0));
    }
    house.ok("healthReport", json!({"dataset": "d"})).await;
    assert_eq!(kept(), 1);
}

#[tokio::test]
async fn the_bound_is_that_of_the_alerts() {
    let house = House::with(|config| {
        let command = vec!["true".to_owned()];
        config.alerts =
            Some(AlertsConfig { threshold: Some(80), command, ..AlertsConfig::default() });
    })
    .await;
    house.write("a.csv", rows());
    let arguments = json!({"name": "d", "left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["id"], "mode": "apply"});
    house.ok("syncDataset", arguments).await;
    let report = house.ok("healthReport", json!({"dashboard": true})).await;
    assert!(report["next"].as_str().unwrap().starts_with("nothing is below 80"), "{report:#}");
    let ask = json!({"spreadsheetId": report["dashboard"], "sheet": "Health", "limit": 100});
    let table = house.ok("readSheet", ask).await.to_string();
    assert!(table.contains("Datasets below 80") && !table.contains("below 70"), "{table}");
}

#[tokio::test]
async fn the_dashboard_is_never_of_one_dataset() {
    let house = house().await;
    for ask in [json!({"dashboard": true}), json!({"spreadsheetId": "x"})] {
        let mut ask = ask;
        ask["dataset"] = json!("d");
        let error = house.err("healthReport", ask).await;
        assert!(error.contains("the dashboard is of all datasets"), "{error}");
    }
}

#[tokio::test]
async fn trends_are_told_from_the_window_before() {
    let house = house().await;
    let now = jiff::Timestamp::now().as_microsecond();
    let (before, half) =
        (now - 36 * HOUR, json!({"applied": 2, "failed": 2, "rows": 7}).to_string());
    for grain in [3_600, 86_400] {
        let bucket = before - before % (grain * 1_000_000);
        store::run(
            house.data(),
            &format!(
                "INSERT INTO run_rollups (grain, bucket, dataset, data) VALUES ({grain}, {bucket}, 'd', '{half}')"
            ),
        );
    }
    let at = now - 10 * HOUR;
    let at = at - at % HOUR;
    for dataset in ["", "d"] {
        store::run(
            house.data(),
            &format!(
                "INSERT INTO health_history (dataset, at, score) VALUES ('{dataset}', {at}, 60.5)"
            ),
        );
    }
    let one = house.ok("healthReport", json!({"dataset": "d"})).await;
    assert_eq!(one["trend"], 39.5, "{one:#}");
    assert_eq!(share(&one["datasets"][0], "success"), 1.0, "the run before is not of this window");
    let report = house.ok("healthReport", json!({"dashboard": true})).await;
    assert_eq!(report["trend"], 39.5, "{report:#}");
    let ask = json!({"spreadsheetId": report["dashboard"], "sheet": "Health", "limit": 100});
    let table = house.ok("readSheet", ask).await;
    let trend = |metric: &str| {
        let row =
            table["rows"].as_array().unwrap().iter().find(|row| row["cells"]["Metric"] == metric);
        row.unwrap_or_else(|| panic!("{metric}: {table:#}"))["cells"]["Trend"].clone()
    };
    assert_eq!(trend("Health score"), 39.5, "{table:#}");
    assert_eq!(trend("Success rate"), 0.5);
    assert_eq!(trend("Error rate"), -0.5);
    assert_eq!(trend("Runs"), -3);
    assert_eq!(trend("Rows written"), 33);
}
