//! Formulas over HTTP: computed after every write, following rows, columns, sheets and copies.

use lockstep_workspace::Options;
use serde_json::{Value, json};

use crate::server::Server;

struct Sheet {
    server: Server,
    path: String,
}

impl Sheet {
    async fn new() -> Self {
        Self::with(Options::new()).await
    }

    async fn with(options: Options) -> Self {
        let server = Server::with(options).await;
        let made =
            server.post("/v4/spreadsheets", json!({"properties": {"title": "t"}})).await.ok();
        let path = format!("/v4/spreadsheets/{}", made["spreadsheetId"].as_str().unwrap());
        Self { server, path }
    }

    async fn put(&self, range: &str, values: Value) {
        let path = format!("{}/values/{range}?valueInputOption=USER_ENTERED", self.path);
        let answer = self
            .server
            .send("PUT", &path, "application/json", json!({"values": values}).to_string())
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    async fn batch(&self, requests: Value) {
        let answer = self
            .server
            .post(&format!("{}:batchUpdate", self.path), json!({"requests": requests}))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    async fn get(&self, range: &str, render: &str) -> Value {
        let path = format!("{}/values/{range}?valueRenderOption={render}", self.path);
        self.server.get(&path).await.ok()["values"].clone()
    }

    async fn shown(&self, range: &str) -> Value {
        self.get(range, "FORMATTED_VALUE").await
    }

    async fn formulas(&self, range: &str) -> Value {
        self.get(range, "FORMULA").await
    }
}

#[tokio::test]
async fn values_and_formulas_by_render_option() {
    let sheet = Sheet::new().await;
    sheet
        .put(
            "A1:D2",
            json!([["=4/2", "2020-01-01", "string", 53], ["=3/2", 0.12, "1999-01-02", ""]]),
        )
        .await;
    assert_eq!(
        sheet.get("Sheet1", "UNFORMATTED_VALUE").await,
        json!([[2, 43831, "string", 53], [1.5, 0.12, 36162]])
    );
    assert_eq!(
        sheet.shown("Sheet1").await,
        json!([["2", "2020-01-01", "string", "53"], ["1.5", "0.12", "1999-01-02"]])
    );
    assert_eq!(sheet.formulas("A1:A2").await, json!([["=4/2"], ["=3/2"]]));
}

#[tokio::test]
async fn chains_are_computed_in_order_and_again() {
    let sheet = Sheet::new().await;
    sheet.put("A1", json!([["=A2*2", "=A1+SUM(A2:A3)"], ["=A3+1"], [10]])).await;
    assert_eq!(sheet.shown("A1:B1").await, json!([["22", "43"]]));
    sheet.put("A3", json!([[1]])).await;
    assert_eq!(sheet.shown("A1:B1").await, json!([["4", "7"]]));
    let path = format!("{}/values/A3:clear", sheet.path);
    sheet.server.post(&path, json!({})).await.ok();
    assert_eq!(sheet.shown("A1:A2").await, json!([["2"], ["1"]]));
}

#[tokio::test]
async fn circles_and_errors() {
    let sheet = Sheet::new().await;
    sheet
        .put(
            "A1",
            json!([
                ["=B1", "=C1+1", "=A1", "=A1+1", "=E1"],
                ["=1/0", "=A2+1", "=NOPE()", "=1+", "=IFERROR(A2,\"x\")"]
            ]),
        )
        .await;
    assert_eq!(
        sheet.shown("A1:E2").await,
        json!([
            ["#REF!", "#REF!", "#REF!", "#REF!", "#REF!"],
            ["#DIV/0!", "#DIV/0!", "#NAME?", "#ERROR!", "x"]
        ])
    );
    let path =
        format!("{}?ranges=A1:A2&fields=sheets.data.rowData.values.effectiveValue", sheet.path);
    let rows = sheet.server.get(&path).await.ok()["sheets"][0]["data"][0]["rowData"].clone();
    assert_eq!(rows[0]["values"][0]["effectiveValue"]["errorValue"]["type"], "REF");
    assert_eq!(
        rows[1]["values"][0]["effectiveValue"]["errorValue"],
        json!({"type": "DIVIDE_BY_ZERO", "message": "Function DIVIDE parameter 2 cannot be zero."})
    );
    sheet.put("C1", json!([[5]])).await;
    assert_eq!(sheet.shown("A1:D1").await, json!([["6", "6", "5", "7"]]));
}

#[tokio::test]
async fn references_follow_rows_columns_and_titles() {
    let sheet = Sheet::new().await;
    sheet.batch(json!([{"addSheet": {"properties": {"sheetId": 7, "title": "Other"}}}])).await;
    sheet.put("A1", json!([[1], [2], [3], ["=SUM(A1:A3)"], ["=$A$2"]])).await;
    sheet.put("Other!A1", json!([["=Sheet1!A4*10"]])).await;
    assert_eq!(sheet.shown("Other!A1").await, json!([["60"]]));
    let rows = |start: u32, end: u32| json!({"sheetId": 0, "dimension": "ROWS", "startIndex": start, "endIndex": end});
    sheet
        .batch(json!([{"insertDimension": {"range": rows(1, 3), "inheritFromBefore": false}}]))
        .await;
    assert_eq!(sheet.formulas("A6:A7").await, json!([["=SUM(A1:A5)"], ["=$A$4"]]));
    assert_eq!(sheet.formulas("Other!A1").await, json!([["=Sheet1!A6*10"]]));
    sheet.put("A2", json!([[100]])).await;
    assert_eq!(sheet.shown("Other!A1").await, json!([["1060"]]));
    sheet.batch(json!([{"deleteDimension": {"range": rows(3, 4)}}])).await;
    assert_eq!(sheet.formulas("A5:A6").await, json!([["=SUM(A1:A4)"], ["=#REF!"]]));
    assert_eq!(sheet.shown("A5:A6").await, json!([["104"], ["#REF!"]]));
    let columns = json!({"sheetId": 0, "dimension": "COLUMNS", "startIndex": 0, "endIndex": 1});
    sheet.batch(json!([{"insertDimension": {"range": columns}}])).await;
    sheet.batch(json!([{"updateSheetProperties": {"properties": {"sheetId": 0, "title": "My Data"}, "fields": "title"}}])).await;
    assert_eq!(sheet.formulas("Other!A1").await, json!([["='My Data'!B5*10"]]));
    assert_eq!(sheet.shown("Other!A1").await, json!([["1040"]]));
}

#[tokio::test]
async fn long_chains_do_not_exhaust_the_stack() {
    let sheet = Sheet::new().await;
    sheet.batch(json!([{"updateSheetProperties": {
        "properties": {"sheetId": 0, "gridProperties": {"rowCount": 20000}}, "fields": "gridProperties.rowCount"}}])).await;
    let rows: Vec<Value> = (0..20_000)
        .map(|row| if row == 19_999 { json!([1]) } else { json!([format!("=A{}+1", row + 2)]) })
        .collect();
    sheet.put("A1", json!(rows)).await;
    assert_eq!(sheet.shown("A1").await, json!([["20000"]]));
}

#[tokio::test]
async fn dates_and_money_are_shown_as_such() {
    let options = Options::new().fixed_clock(1_795_370_400_000); // 2026-11-22T18:00:00Z
    let sheet = Sheet::with(options).await;
    sheet
        .put(
            "A1",
            json!([
                ["=TODAY()", "=A1+1", "=A1-B1", "=NOW()"],
                ["$5", "=A2*2", "=SUM(A2:A3)", "=DATE(2024,2,29)"],
                ["$1.50"]
            ]),
        )
        .await;
    assert_eq!(
        sheet.shown("A1:D2").await,
        json!([
            ["11/22/2026", "11/23/2026", "-1", "11/22/2026 18:00:00"],
            ["$5", "10", "$7", "2/29/2024"]
        ])
    );
    assert_eq!(sheet.get("A1:B1", "UNFORMATTED_VALUE").await, json!([[46348, 46349]]));
}

#[tokio::test]
async fn references_follow_shifted_and_cut_cells() {
    let sheet = Sheet::new().await;
    sheet.batch(json!([
        {"addSheet": {"properties": {"sheetId": 7, "title": "Other"}}},
        {"addNamedRange": {"namedRange": {"namedRangeId": "n", "name": "Total", "range":
            {"sheetId": 0, "startRowIndex": 2, "endRowIndex": 3, "startColumnIndex": 0, "endColumnIndex": 1}}}}
    ])).await;
    sheet.put("A1", json!([[1, "=A3"], [2, "=SUM(A1:A2)"], ["=A1+A2", "=Total"]])).await;
    let cells = |top: u32, bottom: u32| json!({"sheetId": 0, "startRowIndex": top, "endRowIndex": bottom, "startColumnIndex": 0, "endColumnIndex": 1});
    sheet.batch(json!([{"insertRange": {"range": cells(1, 2), "shiftDimension": "ROWS"}}])).await;
    assert_eq!(
        sheet.formulas("A1:B4").await,
        json!([[1, "=A4"], ["", "=SUM(A1:A3)"], [2, "=Total"], ["=A1+A3"]])
    );
    assert_eq!(sheet.shown("B1:B3").await, json!([["3"], ["3"], ["3"]]));
    sheet.batch(json!([{"deleteRange": {"range": cells(1, 2), "shiftDimension": "ROWS"}}])).await;
    assert_eq!(sheet.formulas("A3").await, json!([["=A1+A2"]]));
    assert_eq!(sheet.formulas("B1:B3").await, json!([["=A3"], ["=SUM(A1:A2)"], ["=Total"]]));
    sheet
        .batch(json!([{"cutPaste": {"source": cells(1, 3), "destination": {"sheetId": 7, "rowIndex": 4, "columnIndex": 2}}}]))
        .await;
    assert_eq!(sheet.formulas("Other!C5:C6").await, json!([[2], ["=Sheet1!A1+C5"]]));
    assert_eq!(sheet.formulas("B1:B3").await, json!([["=Other!C6"], ["=SUM(A1:A2)"], ["=Total"]]));
    assert_eq!(sheet.shown("B1:B3").await, json!([["3"], ["1"], ["3"]]));
    sheet.put("A1", json!([[10]])).await;
    assert_eq!(sheet.shown("B1:B3").await, json!([["12"], ["10"], ["12"]]));
}

#[tokio::test]
async fn what_changes_with_time_is_fresh_at_every_read() {
    const DAY: i64 = 86_400_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.db");
    let mut id = String::new();
    for (day, expected) in [(20_000, "10/4/2024"), (20_001, "10/5/2024")] {
        let options = Options::new().fixed_clock(day * DAY);
        let server = Server::open(&path, options).await;
        if id.is_empty() {
            let new = server.post("/v4/spreadsheets", json!({})).await.ok();
            id = new["spreadsheetId"].as_str().unwrap().to_owned();
            let range = format!("/v4/spreadsheets/{id}/values/A1?valueInputOption=USER_ENTERED");
            let values = json!({"values": [["=TODAY()", "=A1+1", 5, "=C1*2"]]});
            server.send("PUT", &range, "application/json", values.to_string()).await.ok();
        }
        let read = server.get(&format!("/v4/spreadsheets/{id}/values/A1:D1")).await.ok();
        let serial = day + 25_569 + 1;
        assert_eq!(read["values"][0][0], expected);
        assert_eq!(read["values"][0][3], "10");
        let raw = format!("/v4/spreadsheets/{id}/values/B1?valueRenderOption=UNFORMATTED_VALUE");
        assert_eq!(server.get(&raw).await.ok()["values"][0][0], serial);
        let fields = "sheets.data.rowData.values.effectiveValue";
        let grid = server.get(&format!("/v4/spreadsheets/{id}?ranges=B1&fields={fields}")).await;
        let value = &grid.ok()["sheets"][0]["data"][0]["rowData"][0]["values"][0]["effectiveValue"];
        assert_eq!(value["numberValue"], serial);
    }
}

#[tokio::test]
async fn a_write_reaches_all_that_depends_on_it_and_the_rest_stays() {
    let sheet = Sheet::new().await;
    sheet.batch(json!([
        {"addSheet": {"properties": {"sheetId": 7, "title": "Other", "gridProperties": {"rowCount": 3000, "columnCount": 4}}}},
        {"addSheet": {"properties": {"sheetId": 8, "title": "Sums"}}}
    ])).await;
    let rows: Vec<Value> = (1..=2000).map(|row| json!([row, format!("=A{row}*2")])).collect();
    sheet.put("Other!A1", json!(rows)).await;
    sheet
        .put(
            "Sums!A1",
            json!([["=SUM(Other!B:B)", "=A1+1", "=Later!A1", "=COUNTIF(Other!A:A,\"\")"]]),
        )
        .await;
    assert_eq!(sheet.shown("Sums!A1:D1").await, json!([["4002000", "4002001", "#REF!", "1000"]]));
    sheet.put("Other!A1500", json!([[0]])).await;
    assert_eq!(sheet.shown("Other!B1499:B1501").await, json!([["2998"], ["0"], ["3002"]]));
    assert_eq!(sheet.shown("Sums!A1:B1").await, json!([["3999000", "3999001"]]));
    // A grid that grows is read to its new edge, and a sheet that comes is found.
    sheet
        .batch(json!([
            {"appendDimension": {"sheetId": 7, "dimension": "ROWS", "length": 10}},
            {"addSheet": {"properties": {"title": "Later"}}}
        ]))
        .await;
    sheet.put("Later!A1", json!([["here"]])).await;
    assert_eq!(sheet.shown("Sums!C1:D1").await, json!([["here", "1010"]]));
    // A circle that is closed by one cell and opened again.
    sheet.put("Sums!A3", json!([["=B3", "=C3", 5]])).await;
    sheet.put("Sums!C3", json!([["=A3"]])).await;
    assert_eq!(sheet.shown("Sums!A3:C3").await, json!([["#REF!", "#REF!", "#REF!"]]));
    sheet.put("Sums!C3", json!([[6]])).await;
    assert_eq!(sheet.shown("Sums!A3:C3").await, json!([["6", "6", "6"]]));
}
