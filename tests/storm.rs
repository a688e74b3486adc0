//! A bad day: a fifth of all requests fails, half of those after they had their effect.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use lockstep::app::App;
use lockstep_google::{CellFields, CellValue, CellWrite, Render, Request};
use lockstep_workspace::{Effect, Faults, Rule};
use serde_json::{Value, json};

use crate::town::{Town, call};

/// A fifth of the requests meets a fault, half of them after the effect.
pub(crate) fn bad_day(seed: u64) -> Faults {
    let rule = |effect, after: bool, probability| {
        let rule = Rule::new(effect).on("/v4/spreadsheets/");
        let rule = if after { rule.after() } else { rule };
        Rule { probability, ..rule }
    };
    Faults {
        seed,
        rules: vec![
            rule(Effect::Reset, false, 0.05),
            rule(Effect::Unavailable, false, 0.05),
            rule(Effect::Reset, true, 0.05),
            rule(Effect::Truncate, true, 0.03),
            rule(Effect::Html { status: 502 }, true, 0.03),
        ],
        ..Faults::default()
    }
}

/// Returns a count, or a tenth of it unless the whole is asked for (`tests/run --full`).
pub(crate) fn scaled(count: u32) -> u32 {
    if std::env::var_os("LOCKSTEP_FULL").is_some() { count } else { count / 10 }
}

async fn rows(town: &Town, book: &str, sheet: &str) -> Vec<Vec<CellValue>> {
    let range = [format!("'{sheet}'")];
    let found = town.people.values(book, &range, Render::Unformatted).await.unwrap();
    found[0].rows.clone()
}

/// Appends until it is done; returns how often it was told that it may not be.
async fn append(app: &App, book: &str, number: u32) -> u32 {
    let arguments = json!({
        "spreadsheetId": book, "sheet": "log", "idempotencyKey": format!("row {number}"),
        "rows": [[number, format!("row {number}")]],
    });
    for failures in 0..1_000 {
        match call(app, "appendRows", arguments.clone()).await {
            Ok(_) => return failures,
            Err(error) => {
                assert_ne!(error.retry(), lockstep::error::Retry::Permanent, "{error}");
            }
        }
    }
    panic!("row {number} was never appended");
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_are_neither_lost_nor_doubled() {
    let town = Town::new(bad_day(1)).await;
    let (book, sheet) = town.spreadsheet("log").await;
    let header = Request::UpdateCells {
        sheet,
        row: 0,
        column: 0,
        rows: vec![vec![CellWrite::text("number"), CellWrite::text("text")]],
        fields: CellFields::Values,
    };
    town.people.batch_update(&book, &[header], &[]).await.unwrap();
    let app = Arc::new(town.server().await);
    let count = scaled(10_000);
    let (next, failures) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (app, book) = (Arc::clone(&app), book.clone());
        let (next, failures) = (Arc::clone(&next), Arc::clone(&failures));
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= count {
                    return;
                }
                failures.fetch_add(append(&app, &book, number).await, Ordering::SeqCst);
            }
        });
    }
    workers.join_all().await;
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for row in rows(&town, &book, "log").await.into_iter().skip(1) {
        *seen.entry(format!("{:?}", row[0])).or_default() += 1;
    }
    let doubled = seen.values().filter(|times| **times > 1).count();
    println!(
        "{count} appends, {} answers in doubt: {} lost, {doubled} doubled",
        failures.load(Ordering::SeqCst),
        count as usize - seen.len()
    );
    assert_eq!((seen.len(), doubled), (count as usize, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sync_is_lost_doubled_or_falsely_done() {
    let town = Town::new(bad_day(2)).await;
    let (book, _) = town.spreadsheet("stock").await;
    let app = town.server().await;
    let arguments = json!({
        "name": "storm", "left": {"file": "stock.csv"}, "key": ["sku"], "mode": "apply",
        "right": {"spreadsheetId": book, "sheet": "stock"}, "direction": "both", "deletes": "delete",
        "maxDeletePercent": 100, "sample": 0,
    });
    let (mut done, mut failed, mut false_done) = (0, 0, 0);
    let mut wanted: BTreeMap<String, String> = BTreeMap::new();
    for round in 0..scaled(1_000) {
        wanted.insert(format!("k{round}"), format!("v{round}"));
        wanted.insert(format!("k{}", round / 2), format!("changed in {round}"));
        if round % 7 == 3 {
            wanted.remove(&format!("k{}", round - 2));
        }
        let mut csv = String::from("sku,value\n");
        for (key, value) in &wanted {
            csv.push_str(&format!("{key},{value}\n"));
        }
        std::fs::write(town.files().join("stock.csv"), csv).unwrap();
        loop {
            match call(&app, "syncDataset", arguments.clone()).await {
                Ok(report) => {
                    let state: &Value = &report["state"];
                    assert!(state == "applied" || state == "inStep", "{report:#}");
                    done += 1;
                    break;
                }
                Err(error) => {
                    assert_ne!(error.retry(), lockstep::error::Retry::Permanent, "{error}");
                    failed += 1;
                }
            }
        }
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        for row in rows(&town, &book, "stock").await.into_iter().skip(1) {
            if let [CellValue::Text(key), CellValue::Text(value), ..] = row.as_slice() {
                assert!(found.insert(key.clone(), value.clone()).is_none(), "{key} is doubled");
            }
        }
        false_done += u32::from(found != wanted);
    }
    println!(
        "{done} syncs, {failed} failures told and tried again: {false_done} falsely done, 0 doubled"
    );
    assert_eq!(false_done, 0);
}
