//! A bad day: a fifth of all requests fails, half of those after they had their effect.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use lockstep::app::App;
use lockstep_google::{CellFields, CellValue, CellWrite, Render, Request};
use lockstep_workspace::{Effect, Faults, Rule};
use serde_json::{Value, json};

use crate::{
    crash::{
        Model,
        kinds::{self, Kind, Rows},
    },
    town::{Town, call},
};

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

/// Returns how many faults struck, before and after the effect; panics if it was no bad day.
async fn struck(town: &Town) -> (u64, u64) {
    let counts = town.struck().await;
    let (before, after) = counts.split_at(2);
    let (before, after) = (before.iter().sum(), after.iter().sum());
    assert!(before > 0 && after > 0, "the storm never came: {counts:?}");
    (before, after)
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
    let (before, after) = struck(&town).await;
    println!(
        "{count} appends, {before} faults before and {after} after the effect, {} answers in doubt: {} lost, {doubled} doubled",
        failures.load(Ordering::SeqCst),
        count as usize - seen.len()
    );
    assert_eq!((seen.len(), doubled), (count as usize, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sync_is_lost_doubled_or_falsely_done() {
    day(Side::File(kinds::CSV), scaled(1_000), 2).await;
}

/// Every kind of file is written as well as the sheet, while the sheet's service has its bad day.
#[tokio::test(flavor = "multi_thread")]
async fn no_sync_of_any_kind_of_file_is_lost_doubled_or_falsely_done() {
    let kinds = [kinds::TSV, kinds::JSON, kinds::LINES, kinds::XLSX, kinds::PARQUET];
    for (kind, seed) in kinds.into_iter().zip(3..) {
        day(Side::File(kind), scaled(200), seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sync_of_a_sqlite_table_is_lost_doubled_or_falsely_done() {
    day(Side::Table, scaled(400), 8).await;
}

/// What a sheet is synced with.
enum Side {
    File(Kind),
    /// A table of a SQLite database.
    Table,
}

impl Side {
    fn name(&self) -> &'static str {
        match self {
            Self::File(kind) => kind.file,
            Self::Table => "stock.db",
        }
    }

    fn argument(&self) -> Value {
        match self {
            Self::File(kind) => json!({"file": kind.file}),
            Self::Table => json!({"connection": "shop", "table": "stock"}),
        }
    }

    /// Lets a person write all rows.
    fn put(&self, path: &Path, rows: &Model) {
        if let Self::File(kind) = self {
            return std::fs::write(path, (kind.write)(rows)).unwrap();
        }
        let mut other = rusqlite::Connection::open(path).unwrap();
        let tx = other.transaction().unwrap();
        tx.execute_batch(
            "CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, name TEXT, qty INTEGER); \
             DELETE FROM stock",
        )
        .unwrap();
        for (sku, (name, qty)) in rows {
            tx.execute("INSERT INTO stock VALUES (?1, ?2, ?3)", (sku, name, qty)).unwrap();
        }
        tx.commit().unwrap();
    }

    /// Reads all rows, past Lockstep.
    fn get(&self, path: &Path) -> Rows {
        if let Self::File(kind) = self {
            return (kind.read)(&std::fs::read(path).unwrap());
        }
        let other = rusqlite::Connection::open(path).unwrap();
        let mut all = other.prepare("SELECT sku, name, qty FROM stock").unwrap();
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
        all.query_map([], row).unwrap().map(Result::unwrap).collect()
    }
}

/// Syncs a side and a sheet so many times on a bad day; people edit the side, and from time to time the sheet.
async fn day(side: Side, rounds: u32, seed: u64) {
    let town = Town::new(bad_day(seed)).await;
    let (book, sheet) = town.spreadsheet("stock").await;
    let path = town.files().join(side.name());
    let app = town
        .server_with(|config| {
            let text =
                format!("kind = \"sqlite\"\nurl = \"sqlite:{}\"\nwritable = true", path.display());
            config.connections.insert("shop".into(), toml::from_str(&text).unwrap());
        })
        .await;
    let arguments = json!({
        "name": "storm", "left": side.argument(), "key": ["sku"], "mode": "apply",
        "right": {"spreadsheetId": book, "sheet": "stock"}, "direction": "both", "deletes": "delete",
        "maxDeletePercent": 100, "sample": 0,
    });
    let (mut done, mut failed, mut false_done, mut doubled) = (0, 0, 0, 0);
    let mut wanted = Model::new();
    for round in 0..rounds {
        let number = i64::from(round);
        wanted.insert(format!("k{round}"), (format!("v{round}"), number));
        wanted.insert(format!("k{}", round / 2), (format!("changed in {round}"), -number));
        if round % 7 == 3 {
            wanted.remove(&format!("k{}", round - 2));
        }
        side.put(&path, &wanted);
        if round % 5 == 4 {
            // A person's edit of the sheet must come into the file.
            let there = rows(&town, &book, "stock").await;
            let key = CellValue::Text("k0".into());
            let at = there.iter().position(|row| row.first() == Some(&key)).unwrap();
            let name = format!("by hand in {round}");
            let edit = Request::UpdateCells {
                sheet,
                row: u32::try_from(at).unwrap(),
                column: 1,
                rows: vec![vec![CellWrite::text(&*name)]],
                fields: CellFields::Values,
            };
            town.people.batch_update(&book, &[edit], &[]).await.unwrap();
            wanted.get_mut("k0").unwrap().0 = name;
        }
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
        let there = rows(&town, &book, "stock").await;
        let on_sheet = there.iter().skip(1).filter_map(|row| match row.as_slice() {
            [CellValue::Text(key), CellValue::Text(name), CellValue::Number(qty), ..] => {
                Some((key.clone(), (name.clone(), *qty as i64)))
            }
            _ => None,
        });
        for found in [side.get(&path), on_sheet.collect()] {
            let count = found.len();
            let found: Model = found.into_iter().collect();
            doubled += count - found.len();
            false_done += u32::from(found != wanted);
        }
    }
    let (before, after) = struck(&town).await;
    println!(
        "{}: {done} syncs, {before} faults before and {after} after the effect, {failed} failures told and tried again: {false_done} falsely done, {doubled} doubled",
        side.name()
    );
    assert_eq!((false_done, doubled), (0, 0), "{}", side.name());
}
