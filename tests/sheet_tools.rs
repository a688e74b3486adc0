//! The sheet tools against the embedded workspace: what is written is what is read, where it should be, once.

use lockstep_google::{MetadataPlace, MetadataQuery, Request};
use serde_json::{Value, json};

use crate::harness::House;

async fn book(house: &House, values: Value) -> String {
    let made = house
        .ok(
            "createFile",
            json!({"type": "spreadsheet", "name": "Book", "sheets": [{"title": "data", "values": values}]}),
        )
        .await;
    made["id"].as_str().unwrap().to_owned()
}

async fn rows(house: &House, id: &str) -> Value {
    house
        .ok("readSheet", json!({"spreadsheetId": id, "sheet": "data", "as": "rows", "limit": 1000}))
        .await["rows"]
        .clone()
}

#[tokio::test]
async fn typed_values_read_back_as_they_were_written() {
    let house = House::new().await;
    let id =
        book(&house, json!([["id", "text", "number", "flag", "day", "at", "time", "sum"]])).await;
    let values = json!([[
        1,
        "007",
        12.5,
        true,
        {"date": "2024-01-15"},
        {"dateTime": "2024-01-15T10:30:00"},
        {"time": "10:30:00"},
        {"formula": "=C2*2"}
    ]]);
    let written = house
        .ok(
            "updateCells",
            json!({"spreadsheetId": id, "sheet": "data", "range": "A2", "values": values}),
        )
        .await;
    assert_eq!(written["cells"], 8);
    assert_eq!(written["before"], json!([[null, null, null, null, null, null, null, null]]));
    let page = house.ok("readSheet", json!({"spreadsheetId": id})).await;
    assert_eq!(
        page["rows"],
        json!([{"row": 2, "cells": {"id": 1, "text": "007", "number": 12.5, "flag": true, "day": "2024-01-15",
            "at": "2024-01-15T10:30:00", "time": "10:30:00", "sum": 25}}])
    );
    assert_eq!(page["truncated"], false);
}

#[tokio::test]
async fn text_that_looks_like_something_else_stays_text() {
    let house = House::new().await;
    let id = book(&house, json!([["a"]])).await;
    let texts = json!([
        ["=1+1"],
        ["+1"],
        ["'x"],
        ["TRUE"],
        ["2024-01-15"],
        ["1e3"],
        ["50%"],
        [" "],
        ["é東\u{1F335}"]
    ]);
    house.ok("updateCells", json!({"spreadsheetId": id, "range": "A2", "values": texts})).await;
    let read = rows(&house, &id).await;
    for (index, text) in texts.as_array().unwrap().iter().enumerate() {
        assert_eq!(read[index + 1]["cells"][0], text[0], "row {}", index + 2);
    }
}

#[tokio::test]
async fn null_keeps_and_an_empty_text_clears() {
    let house = House::new().await;
    let id = book(&house, json!([["a", "b", "c"], [1, 2, 3]])).await;
    let written = house
        .ok(
            "updateCells",
            json!({"spreadsheetId": id, "range": "A2:C2", "values": [[null, "", 9]]}),
        )
        .await;
    assert_eq!((&written["cells"], &written["before"]), (&json!(2), &json!([[1, 2, 3]])));
    assert_eq!(rows(&house, &id).await[1]["cells"], json!([1, null, 9]));
}

#[tokio::test]
async fn if_unchanged_stops_a_write_over_a_newer_value() {
    let house = House::new().await;
    let id = book(&house, json!([["a", "b"], [1, {"date": "2024-01-15"}]])).await;
    let write = |expected: Value| json!({"spreadsheetId": id, "range": "A2", "values": [[5, {"date": "2024-02-01"}]], "ifUnchanged": expected});
    let error = house.err("updateCells", write(json!([[2, null]]))).await;
    assert!(error.starts_with("changed:") && error.contains("A2 holds \"1\""), "{error}");
    assert_eq!(rows(&house, &id).await[1]["cells"], json!([1, "2024-01-15"]));
    house.ok("updateCells", write(json!([[1, "2024-01-15"]]))).await;
    assert_eq!(rows(&house, &id).await[1]["cells"], json!([5, "2024-02-01"]));
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let house = House::new().await;
    let id = book(&house, json!([["a"], [1]])).await;
    let before = rows(&house, &id).await;
    for (tool, arguments) in [
        (
            "updateCells",
            json!({"spreadsheetId": id, "range": "A2", "values": [[2]], "dryRun": true}),
        ),
        ("appendRows", json!({"spreadsheetId": id, "rows": [[3]], "dryRun": true})),
        ("createFile", json!({"type": "folder", "name": "Never", "dryRun": true})),
    ] {
        house.ok(tool, arguments).await;
    }
    assert_eq!(rows(&house, &id).await, before);
    assert_eq!(house.ok("findFiles", json!({"name": "Never"})).await["files"], json!([]));
}

#[tokio::test]
async fn appended_rows_land_after_the_last_row_in_the_headers_columns() {
    let house = House::new().await;
    let id = book(
        &house,
        json!([
            ["", "", ""],
            ["", "id", "", "name"],
            ["", 1, "", "a"],
            ["", "", "", ""],
            ["", "", "note below"]
        ]),
    )
    .await;
    let done = house
        .ok(
            "appendRows",
            json!({"spreadsheetId": id, "sheet": "data",
            "rows": [{"name": "b", "id": 2}, [3, {"formula": "=B7&\"!\""}]]}),
        )
        .await;
    assert_eq!(
        (&done["firstRow"], &done["lastRow"], &done["appended"]),
        (&json!(6), &json!(7), &json!(2))
    );
    let read = rows(&house, &id).await;
    assert_eq!(read[5]["cells"], json!([null, 2, null, "b"]));
    assert_eq!(read[6]["cells"], json!([null, 3, null, "3!"]));
    assert_eq!(read[4]["cells"], json!([null, null, "note below"]));
}

#[tokio::test]
async fn an_idempotency_key_is_carried_out_once() {
    let house = House::new().await;
    let id = book(&house, json!([["id"]])).await;
    let append =
        |value: i32| json!({"spreadsheetId": id, "rows": [[value]], "idempotencyKey": "order-1"});
    assert_eq!(house.ok("appendRows", append(1)).await["appended"], 1);
    let again = house.ok("appendRows", append(1)).await;
    assert_eq!((&again["appended"], &again["alreadyDone"]), (&json!(0), &json!(true)));
    let error = house.err("appendRows", append(2)).await;
    assert!(error.contains("other rows"), "{error}");
    assert_eq!(rows(&house, &id).await.as_array().unwrap().len(), 2);
}

/// Google has room for the markers of some hundred appends; the store remembers all of them.
#[tokio::test]
async fn an_idempotency_key_is_remembered_when_its_marker_had_to_go() {
    let house = House::new().await;
    let id = book(&house, json!([["id"]])).await;
    let append = |key: &str, value: i32| json!({"spreadsheetId": id, "rows": [[value]], "idempotencyKey": key});
    house.ok("appendRows", append("first", 1)).await;
    let google = house.app.context().google;
    let markers = async || {
        let query =
            MetadataQuery { key: Some("lockstep.marker".into()), ..MetadataQuery::default() };
        google.search_metadata(&id, &query).await.unwrap()
    };
    let first = markers().await.pop().unwrap();
    let later: Vec<Request> = (1..=160)
        .map(|n| Request::CreateMetadata {
            id: Some(n),
            key: "lockstep.marker".into(),
            value: format!("9999999999:{}", "x".repeat(74)),
            place: MetadataPlace::Spreadsheet,
        })
        .collect();
    google.batch_update(&id, &later, &[]).await.unwrap();
    house.ok("appendRows", append("second", 2)).await;
    assert!(markers().await.iter().all(|marker| marker.id != first.id), "there was room");
    let again = house.ok("appendRows", append("first", 1)).await;
    assert_eq!((&again["appended"], &again["alreadyDone"]), (&json!(0), &json!(true)));
    let error = house.err("appendRows", append("first", 3)).await;
    assert!(error.contains("other rows"), "{error}");
    assert_eq!(rows(&house, &id).await.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn pages_are_bounded_and_go_on_where_they_stopped() {
    let house = House::new().await;
    let values: Vec<Value> = std::iter::once(json!(["id", "even"]))
        .chain((1..=450).map(|n| json!([n, n % 2 == 0])))
        .collect();
    let id = book(&house, json!(values)).await;
    let mut seen = Vec::new();
    let mut cursor: Option<String> = None;
    for page_number in 0.. {
        let mut arguments = json!({"spreadsheetId": id, "columns": ["id"]});
        if let Some(cursor) = &cursor {
            arguments["cursor"] = json!(cursor);
        }
        let page = house.ok("readSheet", arguments).await;
        let page_rows = page["rows"].as_array().unwrap();
        assert!(page_rows.len() <= 200);
        seen.extend(page_rows.iter().map(|row| (row["row"].clone(), row["cells"]["id"].clone())));
        assert_eq!(page["truncated"], json!(page["nextCursor"].is_string()), "page {page_number}");
        match page["nextCursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    let wanted: Vec<(Value, Value)> = (1..=450).map(|n| (json!(n + 1), json!(n))).collect();
    assert_eq!(seen, wanted);

    let filtered = house
        .ok("readSheet", json!({"spreadsheetId": id, "limit": 3,
            "filter": [{"column": "even", "op": "eq", "value": true}, {"column": "id", "op": "gt", "value": 440}]}))
        .await;
    assert_eq!(filtered["rows"][0], json!({"row": 443, "cells": {"id": 442, "even": true}}));
    assert_eq!(
        (filtered["rows"].as_array().unwrap().len(), &filtered["truncated"]),
        (3, &json!(true))
    );
}

#[tokio::test]
async fn a_page_of_long_cells_keeps_to_its_bytes() {
    let house = House::new().await;
    let long = "x".repeat(20_000);
    let id = book(&house, json!([["id", "text"], [1, long], [2, long], [3, long]])).await;
    let page = house.ok("readSheet", json!({"spreadsheetId": id})).await;
    assert!(page.to_string().len() < 60_000);
    assert_eq!((&page["truncated"], &page["nextCursor"]), (&json!(true), &json!("3")));
    let rest = house.ok("readSheet", json!({"spreadsheetId": id, "cursor": "4"})).await;
    assert_eq!(rest["rows"][0]["row"], 4);
}

#[tokio::test]
async fn a_spreadsheet_is_described_without_its_rows() {
    let house = House::new().await;
    let id = book(
        &house,
        json!([["Fleet"], ["id", "seats", "built", "note"], ["a", 1, {"date": "2024-01-15"}, "x"],
            ["b", 2, {"date": "2024-01-16"}, ""]]),
    )
    .await;
    let url = format!("https://docs.google.com/spreadsheets/d/{id}/edit#gid=0");
    let found =
        house.ok("describeSpreadsheet", json!({"spreadsheetId": url, "headerRow": 2})).await;
    let sheet = &found["sheets"][0];
    assert_eq!(
        (&sheet["title"], &sheet["headerRow"], &sheet["dataRows"]),
        (&json!("data"), &json!(2), &json!(2))
    );
    let types: Vec<(&str, &str)> = sheet["header"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| (column["name"].as_str().unwrap(), column["type"].as_str().unwrap()))
        .collect();
    assert_eq!(types, [("id", "text"), ("seats", "number"), ("built", "date"), ("note", "text")]);
    assert_eq!(sheet["keyCandidates"], json!(["id", "seats", "built"]));
}

#[tokio::test]
async fn files_are_made_and_found_in_their_folder() {
    let house = House::new().await;
    let folder =
        house.ok("createFile", json!({"type": "folder", "name": "Reports"})).await["id"].clone();
    let book = house
        .ok("createFile", json!({"type": "spreadsheet", "name": "Q1 report", "folderId": folder}))
        .await["id"]
        .clone();
    house
        .ok(
            "createFile",
            json!({"type": "file", "name": "note.txt", "content": "hi", "folderId": folder}),
        )
        .await;
    let found = house.ok("findFiles", json!({"folderId": folder, "type": "spreadsheet"})).await;
    assert_eq!(found["files"].as_array().unwrap().len(), 1);
    assert_eq!(found["files"][0]["id"], book);
    assert_eq!(
        house.ok("findFiles", json!({"folderId": folder})).await["files"].as_array().unwrap().len(),
        2
    );
}
