//! What a tool answers by default is short, however much there is.

use std::{fmt::Write, fs};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::session::Session;

/// A thousand tokens, at four characters each.
const SHORT: usize = 4_000;

/// Calls a tool, and returns what it says in structure; its text must be short.
fn short(session: &mut Session, tool: &str, arguments: Value) -> Value {
    let answer = session.call(tool, arguments.clone());
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.len() < SHORT, "{tool} {arguments}: {} characters: {text}", text.len());
    assert_ne!(answer["result"]["isError"], true, "{tool} {arguments}: {text}");
    answer["result"]["structuredContent"].clone()
}

#[test]
fn answers_stay_below_a_thousand_tokens() {
    let folder = TempDir::new().unwrap();
    let mut session = Session::initialized(folder.path());
    let mut rows = String::from("id");
    for column in 0..12 {
        write!(rows, ",column {column}").unwrap();
    }
    for row in 0..2_000 {
        write!(rows, "\nk{row}").unwrap();
        for column in 0..12 {
            write!(rows, ",value {row} of {column}").unwrap();
        }
    }
    fs::write(folder.path().join("rows.csv"), rows).unwrap();
    for number in 0..40 {
        let name = format!("Spreadsheet number {number}");
        short(&mut session, "createFile", json!({"type": "spreadsheet", "name": name}));
    }
    let found = short(&mut session, "findFiles", json!({}));
    let id = found["files"][0]["id"].clone();
    let sync = json!({"name": "wide", "left": {"file": "rows.csv"}, "right": {"spreadsheetId": id}, "key": ["id"]});
    let plan = short(&mut session, "syncDataset", sync);
    assert_eq!(plan["truncated"], true, "{plan}");
    assert!(plan["changes"].as_array().unwrap().len() >= 2, "{plan}");
    let done = short(&mut session, "syncDataset", json!({"name": "wide", "mode": "apply"}));
    assert_eq!(done["counts"]["insert"], 2_000, "{done}");
    short(&mut session, "describeSpreadsheet", json!({"spreadsheetId": id}));
    short(&mut session, "syncHistory", json!({}));
    for shape in ["records", "rows"] {
        let page = short(&mut session, "readSheet", json!({"spreadsheetId": id, "as": shape}));
        assert!(page["rows"].as_array().unwrap().len() > 5, "{page}");
        assert!(page["nextCursor"].is_string(), "the rest is behind a cursor: {page}");
    }
    let verified = short(&mut session, "verifyDataset", json!({"name": "wide"}));
    assert!(verified.is_object(), "{verified}");
    short(&mut session, "healthReport", json!({}));
    short(&mut session, "watchDataset", json!({}));
    short(&mut session, "resolveConflicts", json!({}));
    let life = json!({"dataset": "wide", "key": ["k7"]});
    short(&mut session, "syncHistory", life);
    let changes = short(&mut session, "syncHistory", json!({"runId": done["runId"]}));
    assert!(changes["cursor"].is_string(), "the rest is behind a cursor: {changes}");
    short(&mut session, "rollbackSync", json!({"runId": done["runId"]}));
    // Everything differs now, and is told in as few words.
    let other =
        fs::read_to_string(folder.path().join("rows.csv")).unwrap().replace("value", "other");
    fs::write(folder.path().join("rows.csv"), other).unwrap();
    short(&mut session, "verifyDataset", json!({"name": "wide"}));
    let many: Vec<Value> = (0..60)
        .map(|sheet| {
            let header: Vec<String> = (0..20).map(|at| format!("column {at} of {sheet}")).collect();
            json!({"title": format!("Sheet number {sheet}"), "values": [header]})
        })
        .collect();
    let many = json!({"type": "spreadsheet", "name": "Many", "sheets": many});
    let many = short(&mut session, "createFile", many)["id"].clone();
    let described = short(&mut session, "describeSpreadsheet", json!({"spreadsheetId": many}));
    let shown = described["sheets"].as_array().unwrap();
    let others = described["others"].as_array().unwrap();
    assert_eq!(shown.len() + others.len(), 60, "no sheet is kept from the model: {described}");
    let last = json!({"spreadsheetId": many, "sheet": others.last().unwrap()});
    let last = short(&mut session, "describeSpreadsheet", last);
    assert_eq!(last["sheets"][0]["header"].as_array().unwrap().len(), 20, "{last}");
    // Whoever asks for more gets more.
    let page = session.call("readSheet", json!({"spreadsheetId": id, "limit": 100}));
    let rows = page["result"]["structuredContent"]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 100, "a hundred were asked for");
    let long = session.call("syncDataset", json!({"name": "wide", "sample": 30}));
    assert!(long["result"]["structuredContent"].is_object(), "{long}");
}
