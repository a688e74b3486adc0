//! Watches that look more often than the quota allows.

use std::time::{Duration, Instant};

use lockstep::config::Backend;
use lockstep_workspace::{Faults, Quota};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::town::{Town, call};

/// Reads, and writes, that the service and the configuration allow in a minute.
const LIMIT: u32 = 60;

/// Datasets that each want a read a second.
const DATASETS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn watches_stay_within_the_quota_and_leave_room_for_who_asks() {
    let quota = Quota { read_per_user: LIMIT, write_per_user: LIMIT, ..Quota::default() };
    let town = Town::new(Faults { quota: Some(quota), ..Faults::default() }).await;
    let url = town.url().to_owned();
    let app = town
        .server_with(|config| {
            config.backend = Backend::Google;
            config.google.sheets_url = Some(url.clone());
            config.google.drive_url = Some(url.clone());
            // Set for every test alike: any variable that holds something will do.
            config.google.token_env = Some("PATH".into());
            config.google.calls_per_minute = Some(LIMIT);
        })
        .await;
    let sheets: Vec<Value> = (0..DATASETS).map(|n| json!({"title": format!("d{n}")})).collect();
    let new = json!({"type": "spreadsheet", "name": "T", "sheets": sheets});
    let id = call(&app, "createFile", new).await.unwrap()["id"].clone();
    for number in 0..DATASETS {
        let name = format!("d{number}");
        std::fs::write(town.files().join(format!("{name}.csv")), "id,n\n1,1\n").unwrap();
        let dataset = json!({"name": name, "left": {"file": format!("{name}.csv")}, "key": ["id"], "direction": "both",
            "right": {"spreadsheetId": id, "sheet": name}});
        call(&app, "syncDataset", dataset).await.unwrap();
        let start = json!({"action": "start", "dataset": name, "pollSeconds": 0.5});
        call(&app, "watchDataset", start).await.unwrap();
    }
    let stop = CancellationToken::new();
    let worker = tokio::spawn(app.context().worker().run(stop.clone()));
    // Ten seconds of ten looks a second and more: several times what a minute allows.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let asked = Instant::now();
    let plan = call(&app, "syncDataset", json!({"name": "d0"})).await.unwrap();
    let waited = asked.elapsed();
    stop.cancel();
    worker.await.unwrap();
    assert!(waited < Duration::from_secs(5), "whoever asks waits for no watch: {waited:?}");
    assert_eq!(plan["state"], "inStep", "{plan:#}");
    let status = call(&app, "watchDataset", json!({})).await.unwrap();
    let used = app.context().google.calls();
    assert_eq!(used.retries, 0, "the service refused nothing: {status:#}");
    println!("{DATASETS} watches: {} reads and {} writes of {LIMIT} each", used.reads, used.writes);
}
