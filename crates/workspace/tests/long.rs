//! Long sheets: read by two threads in pieces, and told as a short one would be.

use serde_json::{Value, json};

use crate::server::Server;

const ROWS: usize = 6000;

/// Returns what a row holds: whole stretches, single rows and the start of the sheet hold nothing.
fn row(number: usize) -> Vec<Value> {
    let blank = number < 700 || number % 900 < 300 || number % 7 == 3 || number > 5500;
    if blank {
        return Vec::new();
    }
    vec![
        json!(format!("row {number}")),
        if number.is_multiple_of(5) { json!("") } else { json!(number as f64 / 4.0 + 0.125) },
        json!(number.is_multiple_of(2)),
        json!("a \"quoted\" é\n"),
    ]
}

/// Returns rows as the service tells them: none at the end that hold nothing.
fn told(rows: impl Iterator<Item = Vec<Value>>) -> Value {
    let mut rows: Vec<Vec<Value>> = rows.collect();
    while rows.last().is_some_and(Vec::is_empty) {
        rows.pop();
    }
    if rows.is_empty() { Value::Null } else { json!(rows) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_sheet_is_told_row_by_row() {
    let server = Server::start().await;
    let made = server
        .post("/v4/spreadsheets", json!({"sheets": [{"properties": {"title": "S", "gridProperties": {"rowCount": ROWS, "columnCount": 5}}}]}))
        .await
        .ok();
    let path = format!("/v4/spreadsheets/{}/values", made["spreadsheetId"].as_str().unwrap());
    let body = json!({"values": (1..=ROWS).map(row).collect::<Vec<_>>()}).to_string();
    let put = format!("{path}/S!A1?valueInputOption=RAW");
    server.send("PUT", &put, "application/json", body).await.ok();
    let unformatted = "valueRenderOption=UNFORMATTED_VALUE";
    for (first, last) in [(1, ROWS), (1, 699), (650, 4000), (1201, 5600), (5501, ROWS), (900, 2100)]
    {
        let expected = told((first..=last).map(row));
        for more in ["", "&prettyPrint=false", "&fields=values"] {
            let read = server.get(&format!("{path}/S!A{first}:E{last}?{unformatted}{more}")).await;
            assert_eq!(read.ok()["values"], expected, "{first} to {last} {more}");
        }
        // A column in the middle: what is left of it is not told.
        let middle = told((first..=last).map(|number| match row(number).get(2) {
            Some(value) => vec![value.clone()],
            None => Vec::new(),
        }));
        let read = server.get(&format!("{path}/S!C{first}:C{last}?{unformatted}")).await.ok();
        assert_eq!(read["values"], middle);
    }
    let all = format!("{path}:batchGet?ranges=S&ranges=S!E:E&ranges=S!A1400:D4000&{unformatted}");
    let read = server.get(&all).await.ok();
    assert_eq!(read["valueRanges"][0]["values"], told((1..=ROWS).map(row)));
    assert_eq!(read["valueRanges"][1].get("values"), None);
    assert_eq!(read["valueRanges"][2]["values"], told((1400..=4000).map(row)));
    let columns = server.get(&format!("{path}/S?{unformatted}&majorDimension=COLUMNS")).await.ok();
    let last = (1..=ROWS).rfind(|number| !row(*number).is_empty()).unwrap();
    let first: Vec<Value> =
        (1..=last).map(|n| row(n).first().cloned().unwrap_or_else(|| json!(""))).collect();
    assert_eq!(columns["values"][0], json!(first));
    assert_eq!(columns["values"].as_array().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_finds_the_end_of_a_long_table() {
    let server = Server::start().await;
    let made = server
        .post("/v4/spreadsheets", json!({"sheets": [{"properties": {"title": "S", "gridProperties": {"rowCount": ROWS, "columnCount": 8}}}]}))
        .await
        .ok();
    let path = format!("/v4/spreadsheets/{}/values", made["spreadsheetId"].as_str().unwrap());
    // Two tables side by side with a free column between, and a third below a free row.
    let rows: Vec<Value> = (1..=3000)
        .map(|n| json!([n, "x", null, if n <= 1000 { json!("y") } else { json!(null) }]))
        .collect();
    let put = async |range: &str, rows: Value| {
        let path = format!("{path}/S!{range}?valueInputOption=RAW");
        server
            .send("PUT", &path, "application/json", json!({ "values": rows }).to_string())
            .await
            .ok();
    };
    put("A1", json!(rows)).await;
    put("B3002", json!([["z"], ["z"]])).await;
    let append = async |range: &str| {
        let path = format!("{path}/S!{range}:append?valueInputOption=RAW");
        let answer = server.post(&path, json!({"values": [["n"]]})).await.ok();
        (answer["tableRange"].clone(), answer["updates"]["updatedRange"].clone())
    };
    let table = |table: &str, cell: &str| (json!(table), json!(cell));
    assert_eq!(append("D1:D10").await, table("S!D1:D1000", "S!D1001"));
    assert_eq!(append("A500").await, table("S!A1:B3000", "S!A3001"));
    // Now the row between is filled, and the tables are one.
    assert_eq!(append("A1").await, table("S!A1:B3003", "S!A3004"));
    assert_eq!(append("H:H").await, (Value::Null, json!("S!H1")));
}
