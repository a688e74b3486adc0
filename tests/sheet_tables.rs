//! Tables on real sheets: several on one sheet, with formulas, formats, validation, protection and merged cells.

use lockstep::app::App;
use lockstep_google::{CellValue, Google, GridParts, Render};
use lockstep_workspace::Faults;
use serde_json::{Value, json};

use crate::town::{Town, call};

/// A sheet in a served workspace, a Lockstep over it, and requests as Google's own clients send them.
struct Desk {
    town: Town,
    app: App,
    id: String,
    sheet: i32,
}

impl Desk {
    async fn new(values: Value) -> Self {
        let town = Town::new(Faults::default()).await;
        let app = town.server().await;
        let (id, sheet) = town.spreadsheet("T").await;
        let desk = Self { town, app, id, sheet };
        desk.put("A1", values).await;
        desk
    }

    fn people(&self) -> &Google {
        &self.town.people
    }

    /// Sends requests of a batch update as anybody's client does; `0` as the sheet's id is this sheet's.
    async fn send(&self, requests: Value) {
        self.send_as(None, requests).await.unwrap_or_else(|error| panic!("{error}"));
    }

    async fn send_as(&self, user: Option<&str>, requests: Value) -> Result<Value, String> {
        let text = requests.to_string();
        let text = text.replace("\"sheetId\":0", &format!("\"sheetId\":{}", self.sheet));
        let requests: Value = serde_json::from_str(&text).unwrap();
        let path = format!("v4/spreadsheets/{}:batchUpdate", self.id);
        self.town.post(&path, user, &json!({ "requests": requests })).await
    }

    async fn put(&self, range: &str, values: Value) {
        let arguments =
            json!({"spreadsheetId": self.id, "sheet": "T", "range": range, "values": values});
        call(&self.app, "updateCells", arguments).await.unwrap();
    }

    async fn ok(&self, name: &str, arguments: Value) -> Value {
        match call(&self.app, name, arguments).await {
            Ok(result) => result,
            Err(error) => panic!("{name} failed:\n{error}"),
        }
    }

    async fn err(&self, name: &str, arguments: Value) -> String {
        match call(&self.app, name, arguments).await {
            Ok(result) => panic!("{name} did not fail:\n{result:#}"),
            Err(error) => error.to_string(),
        }
    }

    /// Returns the arguments of a sync from `t.csv` to this sheet.
    fn sync(&self, csv: &str, right: Value, more: Value) -> Value {
        std::fs::write(self.town.files().join("t.csv"), csv).unwrap();
        let mut to = json!({"spreadsheetId": self.id, "sheet": "T"});
        to.as_object_mut().unwrap().extend(right.as_object().unwrap().clone());
        let mut arguments = json!({"left": {"file": "t.csv"}, "right": to, "key": ["id"], "mode": "apply",
            "maxDeletePercent": 100, "override": ["emptied"]});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    }

    async fn apply(&self, csv: &str, right: Value, more: Value) -> Value {
        self.ok("syncDataset", self.sync(csv, right, more)).await
    }

    /// Returns a range as people see it in formulas' place: formulas as their text.
    async fn seen(&self, range: &str) -> Value {
        let range = format!("'T'!{range}");
        let found = self.people().values(&self.id, &[range], Render::Formula).await.unwrap();
        let cell = |cell: &CellValue| match cell {
            CellValue::Empty => json!(""),
            CellValue::Number(number) if number.fract() == 0.0 => json!(*number as i64),
            CellValue::Number(number) => json!(number),
            CellValue::Bool(value) => json!(value),
            CellValue::Text(text) | CellValue::Error(text) => json!(text),
        };
        found[0].rows.iter().map(|row| row.iter().map(cell).collect::<Value>()).collect()
    }

    /// Returns the number format's pattern of a cell, and its validation's kind.
    async fn look(&self, cell: &str) -> (Option<String>, Option<String>) {
        let parts = GridParts { format: true, validation: true, ..GridParts::default() };
        let blocks = self.people().grid(&self.id, &[format!("'T'!{cell}")], parts).await.unwrap();
        let cell = blocks[0].rows.first().and_then(|row| row.first()).cloned().unwrap_or_default();
        let pattern = cell.format.and_then(|format| format.pattern).map(|text| text.to_string());
        (pattern, cell.validation.map(|rule| rule.condition.kind))
    }
}

fn area(rows: (u32, u32), columns: (u32, u32)) -> Value {
    json!({"sheetId": 0, "startRowIndex": rows.0, "endRowIndex": rows.1,
        "startColumnIndex": columns.0, "endColumnIndex": columns.1})
}

/// Two tables beside each other with the same headers, the right one longer.
fn two_tables() -> Value {
    json!([
        ["id", "n", "", "id", "n"],
        ["a", 1, "", "x", 10],
        ["b", 2, "", "y", 20],
        ["c", 3, "", "z", 30],
        ["", "", "", "w", 40],
    ])
}

#[tokio::test]
async fn of_two_tables_on_a_sheet_the_named_one_alone_is_written() {
    for range in ["A1:B", "A1", "A:B", "Left"] {
        let desk = Desk::new(two_tables()).await;
        desk.send(json!([{"addNamedRange": {"namedRange": {"name": "Left", "range": area((0, 4), (0, 2))}}}])).await;
        let csv = "id,n\na,1\nc,33\nd,4\ne,5\n";
        let report = desk.apply(csv, json!({"range": range}), json!({"deletes": "delete"})).await;
        assert_eq!(report["calls"]["writes"], 1, "{range}: {report:#}");
        assert_eq!(
            desk.seen("A1:E9").await,
            json!([
                ["id", "n", "", "id", "n"],
                ["a", 1, "", "x", 10],
                ["c", 33, "", "y", 20],
                ["d", 4, "", "z", 30],
                ["e", 5, "", "w", 40],
            ]),
            "{range}"
        );
        let again = desk.apply(csv, json!({"range": range}), json!({"deletes": "delete"})).await;
        assert_eq!(
            (&again["state"], &again["calls"]["reads"]),
            (&json!("inStep"), &json!(1)),
            "{range}"
        );
        let page = desk.ok("readSheet", json!({"spreadsheetId": desk.id, "range": range, "filter": [{"column": "n", "op": "gt", "value": 4}]})).await;
        let keys: Vec<&Value> =
            page["rows"].as_array().unwrap().iter().map(|row| &row["cells"]["id"]).collect();
        assert_eq!(keys, ["c", "e"], "{range}");
    }
}

#[tokio::test]
async fn without_a_range_rows_beside_another_table_are_not_deleted() {
    let desk =
        Desk::new(json!([["id", "n", "", "k", "m"], ["a", 1, "", "x", 10], ["b", 2, "", "y", 20]]))
            .await;
    let columns = json!([{"name": "id"}, {"name": "n"}]);
    let error = desk
        .err(
            "syncDataset",
            desk.sync("id,n\na,1\n", json!({}), json!({"deletes": "delete", "columns": columns})),
        )
        .await;
    assert!(error.contains("D:E") && error.contains("range: \"A1:B\""), "{error}");
    assert_eq!(desk.seen("A3:E3").await, json!([["b", 2, "", "y", 20]]));
    let report = desk
        .apply(
            "id,n\na,1\n",
            json!({"range": "A1:B"}),
            json!({"deletes": "delete", "columns": columns}),
        )
        .await;
    assert_eq!(report["counts"]["delete"], 1);
    assert_eq!(
        desk.seen("A1:E3").await,
        json!([["id", "n", "", "k", "m"], ["a", 1, "", "x", 10], ["", "", "", "y", 20]])
    );
}

#[tokio::test]
async fn a_table_below_moves_down_to_make_room_and_stays_when_rows_go() {
    let values = json!([
        ["", "", "id", "n"], ["", "", "a", 1], ["", "", "b", 2], ["", "", "c", 3],
        ["", "", "", ""], ["beside", "", "total", {"formula": "=SUM(D2:D4)"}], ["beside", "", "other", 9],
    ]);
    let desk = Desk::new(values).await;
    desk.send(json!([{"addNamedRange": {"namedRange": {"name": "Stock", "range": area((0, 4), (2, 4))}}}])).await;
    let to = json!({"range": "Stock"});
    desk.apply("id,n\na,1\nb,2\nc,3\nd,4\ne,5\n", to.clone(), json!({})).await;
    assert_eq!(
        desk.seen("A1:D10").await,
        json!([
            ["", "", "id", "n"],
            ["", "", "a", 1],
            ["", "", "b", 2],
            ["", "", "c", 3],
            ["", "", "d", 4],
            ["beside", "", "e", 5],
            ["beside"],
            ["", "", "total", "=SUM(D2:D4)"],
            ["", "", "other", 9],
        ])
    );
    // The named range has grown: the new rows are the table's, and nothing below is.
    let again = desk.apply("id,n\na,1\nb,2\nc,3\nd,4\ne,5\n", to.clone(), json!({})).await;
    assert_eq!(again["state"], "inStep", "{again:#}");
    desk.apply("id,n\nb,2\ne,5\n", to.clone(), json!({"deletes": "delete"})).await;
    assert_eq!(
        desk.seen("C1:D10").await,
        json!([
            ["id", "n"],
            ["b", 2],
            ["e", 5],
            [],
            [],
            [],
            [],
            ["total", "=SUM(D2:D2)"],
            ["other", 9]
        ])
    );
    let last = desk.apply("id,n\nb,2\ne,6\n", to, json!({"deletes": "delete"})).await;
    assert_eq!((&last["counts"]["update"], &last["counts"]["delete"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn a_closed_range_that_is_full_and_a_table_that_would_be_torn_are_refused() {
    let desk =
        Desk::new(json!([["id", "n"], ["a", 1], ["b", 2], [], ["wide", "table", "here"]])).await;
    let to = |range: &str| json!({ "range": range });
    let error = desk
        .err("syncDataset", desk.sync("id,n\na,1\nb,2\nc,3\nd,4\n", to("A1:B4"), json!({})))
        .await;
    assert!(error.contains("room for 1 more rows"), "{error}");
    let error =
        desk.err("syncDataset", desk.sync("id,n\na,1\nb,2\nc,3\n", to("A1:B4"), json!({}))).await;
    assert!(error.contains("B5") && error.contains("torn"), "{error}");
    let error = desk
        .err("syncDataset", desk.sync("id,n\na,1\n", to("A1:B4"), json!({"deletes": "delete"})))
        .await;
    assert!(error.contains("torn"), "{error}");
    assert_eq!(
        desk.seen("A1:C5").await,
        json!([["id", "n"], ["a", 1], ["b", 2], [], ["wide", "table", "here"]])
    );
    for (range, word) in [
        ("A9:B", "exceeds"),
        ("Nope", "there is no range or table"),
        ("C1", "blank"),
        ("'T'", "no range"),
    ] {
        let range = if word == "exceeds" { "A9999:B" } else { range };
        let error = desk.err("syncDataset", desk.sync("id,n\na,1\n", to(range), json!({}))).await;
        assert!(error.contains(word), "{range}: {error}");
    }
}
