//! The body of a batchUpdate: read request by request, refused as a whole.

use serde_json::{Value, json};

use crate::server::{Answer, Server};

struct Book {
    server: Server,
    path: String,
}

impl Book {
    async fn new() -> Self {
        let server = Server::start().await;
        let made = server.post("/v4/spreadsheets", json!({})).await.ok();
        let path = format!("/v4/spreadsheets/{}", made["spreadsheetId"].as_str().unwrap());
        Self { server, path }
    }

    async fn send(&self, body: impl ToString) -> Answer {
        let path = format!("{}:batchUpdate", self.path);
        self.server.send("POST", &path, "application/json", body.to_string()).await
    }

    async fn values(&self) -> Value {
        self.server.get(&format!("{}/values/Sheet1", self.path)).await.ok()["values"].clone()
    }
}

fn cell(row: u32, value: Value) -> Value {
    json!({"updateCells": {"start": {"rowIndex": row}, "fields": "userEnteredValue",
        "rows": [{"values": [{"userEnteredValue": value}]}]}})
}

fn number(row: u32, value: u32) -> Value {
    cell(row, json!({ "numberValue": value }))
}

#[tokio::test]
async fn requests_come_in_several_shapes() {
    let book = Book::new().await;
    // A list, a lone request, a list in the list as pygsheets sends it, older spellings of names.
    book.send(json!({"requests": [number(0, 1), number(1, 2)]})).await.ok();
    book.send(json!({ "requests": number(2, 3) })).await.ok();
    book.send(json!({"requests": [[number(3, 4)], number(4, 5)]})).await.ok();
    let snake = json!({"requests": [{"update_cells": {"rows": {"values": {"user_entered_value": {"number_value": 6}}},
        "start": {"row_index": 5, "sheet_id": null}, "fields": "userEnteredValue"}}]});
    book.send(snake).await.ok();
    let append = json!({"requests": [{"appendCells": {"fields": "*", "rows": [{"values": []}, {"values": [{"userEnteredValue": {"boolValue": true}}]}]}}]});
    book.send(append).await.ok();
    assert_eq!(
        book.values().await,
        json!([["1"], ["2"], ["3"], ["4"], ["5"], ["6"], [], ["TRUE"]])
    );
}

#[tokio::test]
async fn a_fault_in_the_form_comes_before_any_other_and_nothing_is_done() {
    let book = Book::new().await;
    let beyond = number(5000, 1);
    let typo = cell(0, json!({ "numberWorth": 1 }));
    let wrong = cell(0, json!({ "numberValue": "x" }));
    let unknown = |place: &str| {
        format!(
            "Invalid JSON payload received. Unknown name \"numberWorth\" at '{place}.update_cells.rows[0].values[0].user_entered_value': Cannot find field."
        )
    };
    let first = number(0, 7);
    for (requests, expected) in [
        (json!([]), "Must specify at least one request.".to_owned()),
        (json!([first, {}]), "Invalid requests[1]: No request set.".to_owned()),
        (json!([first, beyond]), "Invalid requests[1].updateCells: Attempting to write row: 5000, beyond the last requested row of: 999".to_owned()),
        (json!([first, beyond, typo]), unknown("requests[2]")),
        (json!([first, typo, beyond, wrong]), format!("{}\nInvalid value at 'requests[3].update_cells.rows[0].values[0].user_entered_value.number_value' (TYPE_DOUBLE), \"x\"", unknown("requests[1]"))),
        (json!([first, {"noSuchRequest": {}}]), "Invalid JSON payload received. Unknown name \"noSuchRequest\" at 'requests[1]': Cannot find field.".to_owned()),
        (json!([first, {"addSheet": {}, "deleteSheet": {"sheetId": 1}}]), "Invalid JSON payload received. Oneof field 'deleteSheet' is already set. Cannot set 'addSheet' at 'requests[1]'".to_owned()),
        (json!("all"), "Invalid value at 'requests' (type.googleapis.com/google.apps.sheets.v4.Request), \"all\"".to_owned()),
    ] {
        assert_eq!(book.send(json!({ "requests": requests })).await.error(), (400, expected));
    }
    let two = json!({"requests": [first, typo, wrong]});
    let details = book.send(two).await.json()["error"]["details"][0]["fieldViolations"].clone();
    assert_eq!(details.as_array().unwrap().len(), 2);
    let cut = json!({ "requests": [first] }).to_string();
    let broken = book.send(cut.strip_suffix("]}").unwrap()).await.error();
    assert!(
        broken.0 == 400 && broken.1.starts_with("Invalid JSON payload received."),
        "{broken:?}"
    );
    assert_eq!(book.send("[1]").await.status, 400);
    assert_eq!(book.values().await, Value::Null);
    let none =
        book.server.post("/v4/spreadsheets/none:batchUpdate", json!({"requests": [typo]})).await;
    assert_eq!(none.error(), (400, unknown("requests[0]")));
    let none =
        book.server.post("/v4/spreadsheets/none:batchUpdate", json!({"requests": [first]})).await;
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn a_hundred_thousand_requests_are_the_most() {
    let book = Book::new().await;
    let request = |count: usize| {
        let one = r#"{"deleteSheet":{"sheetId":5}}"#;
        format!(r#"{{"requests":[{}]}}"#, vec![one; count].join(","))
    };
    let too_many = book.send(request(100_001)).await.error();
    assert_eq!(too_many, (400, "Cannot exceed 100000 requests in a single batch.".to_owned()));
    let refused = book.send(request(100_000)).await.error();
    assert!(refused.1.starts_with("Invalid requests[0].deleteSheet: "), "{refused:?}");
}
