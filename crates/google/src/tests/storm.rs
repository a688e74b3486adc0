//! Many batches through a bad day: each one is applied once, and none is reported wrongly.

use std::time::Duration;

use lockstep_workspace::{Effect, Faults, Options, Rule, Workspace};

use crate::{
    Backoff, CellFields, CellValue, CellWrite, Config, Dimension, Google, Marker, NewSpreadsheet,
    Render, Request,
};

const BATCHES: u32 = 150;

/// More than a third of the requests meet a fault, half of those after the effect.
fn bad_day() -> Faults {
    let rule = |effect, after| Rule { probability: 0.07, ..of(effect, after) };
    Faults {
        seed: 7,
        rules: vec![
            rule(Effect::Reset, false),
            rule(Effect::Reset, true),
            rule(Effect::Truncate, true),
            rule(Effect::Unavailable, false),
            rule(Effect::Internal, true),
            rule(Effect::Html { status: 502 }, true),
        ],
        ..Faults::default()
    }
}

fn of(effect: Effect, after: bool) -> Rule {
    let rule = Rule::new(effect).on("/v4/spreadsheets/");
    if after { rule.after() } else { rule }
}

#[tokio::test]
async fn every_batch_is_applied_once_on_a_bad_day() {
    let workspace = Workspace::in_memory_with(Options::new().faults(bad_day())).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { workspace.serve(listener, std::future::pending()).await });
    let backoff = Backoff {
        attempts: 8,
        base: Duration::from_millis(1),
        cap: Duration::from_millis(5),
        ..Backoff::default()
    };
    let google = Google::new(Config { backoff, ..Config::local(&url) }).unwrap();
    let new = NewSpreadsheet { title: "Storm".into(), ..NewSpreadsheet::default() };
    let book = google.create_spreadsheet(&new).await.unwrap();
    let sheet = book.sheets[0].id;
    let mut found_by_marker = 0;
    for number in 0..BATCHES {
        let requests = [
            Request::InsertDimension {
                sheet,
                dimension: Dimension::Rows,
                start: 0,
                end: 1,
                inherit_from_before: false,
            },
            Request::UpdateCells {
                sheet,
                row: 0,
                column: 0,
                rows: vec![vec![CellWrite::number(number.into())]],
                fields: CellFields::Values,
            },
        ];
        let marker = Marker {
            metadata_id: i32::try_from(number + 1).unwrap(),
            key: "lockstep".into(),
            value: number.to_string(),
        };
        // What stays unsettled is settled by the same call, later.
        let reply = loop {
            match google.batch_update_once(&book.id, &requests, &marker, &[]).await {
                Ok(reply) => break reply,
                Err(error) => assert_ne!(error.retry, crate::Retry::Permanent, "{error}"),
            }
        };
        found_by_marker += usize::from(reply.found_applied);
    }
    assert!(found_by_marker > 5, "{found_by_marker}: the day was not bad enough to test anything");
    let column = [format!("'{}'!A:A", book.sheets[0].title)];
    let found = google.values(&book.id, &column, Render::Unformatted).await.unwrap();
    let expected: Vec<_> = (0..BATCHES).rev().map(|n| vec![CellValue::Number(n.into())]).collect();
    assert_eq!(found[0].rows, expected);
}
