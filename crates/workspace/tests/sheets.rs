//! Shapes and errors of the Sheets API, by table.

use serde_json::{Value, json};

use crate::server::Server;

pub(crate) async fn new(server: &Server) -> String {
    let answer = server.post("/v4/spreadsheets", json!({"properties": {"title": "T"}})).await.ok();
    answer["spreadsheetId"].as_str().unwrap().to_owned()
}

pub(crate) async fn put(
    server: &Server,
    id: &str,
    range: &str,
    mode: &str,
    values: Value,
) -> crate::server::Answer {
    let path = format!("/v4/spreadsheets/{id}/values/{range}?valueInputOption={mode}");
    server.send("PUT", &path, "application/json", json!({ "values": values }).to_string()).await
}

pub(crate) async fn batch(server: &Server, id: &str, requests: Value) -> crate::server::Answer {
    server
        .post(&format!("/v4/spreadsheets/{id}:batchUpdate"), json!({ "requests": requests }))
        .await
}

pub(crate) async fn values(server: &Server, id: &str, range: &str) -> Value {
    server.get(&format!("/v4/spreadsheets/{id}/values/{range}")).await.ok()["values"].clone()
}

#[tokio::test]
async fn answers_look_like_the_service() {
    let server = Server::start().await;
    let id = new(&server).await;
    let answer = put(&server, &id, "Sheet1!A1", "RAW", json!([["a", null, 1.5], [true]])).await;
    assert_eq!(answer.header("content-type"), "application/json; charset=UTF-8");
    assert_eq!(answer.header("vary"), "Origin, X-Origin, Referer");
    assert_eq!(
        answer.text,
        format!(
            "{{\n  \"spreadsheetId\": \"{id}\",\n  \"updatedRange\": \"Sheet1!A1:C2\",\n  \"updatedRows\": 2,\n  \"updatedColumns\": 2,\n  \"updatedCells\": 3\n}}\n"
        )
    );
    let read = server.get(&format!("/v4/spreadsheets/{id}/values/Sheet1!A1:D9")).await;
    assert_eq!(
        read.text,
        "{\n  \"range\": \"Sheet1!A1:D9\",\n  \"majorDimension\": \"ROWS\",\n  \"values\": [\n    [\n      \"a\",\n      \"\",\n      \"1.5\"\n    ],\n    [\n      \"TRUE\"\n    ]\n  ]\n}\n"
    );
    let compact =
        server.get(&format!("/v4/spreadsheets/{id}/values/A1:B1?prettyPrint=false")).await;
    assert_eq!(
        compact.text,
        r#"{"range":"Sheet1!A1:B1","majorDimension":"ROWS","values":[["a"]]}"#
    );
}

#[tokio::test]
async fn reads_trim_turn_and_render() {
    let server = Server::start().await;
    let id = new(&server).await;
    put(
        &server,
        &id,
        "A1",
        "USER_ENTERED",
        json!([["x", "", "2020-01-01"], [], ["", "y", 7], ["", ""]]),
    )
    .await
    .ok();
    let cases = [
        ("A1:Z9", "", json!([["x", "", "2020-01-01"], [], ["", "y", "7"]])),
        (
            "A1:Z9",
            "?valueRenderOption=UNFORMATTED_VALUE",
            json!([["x", "", 43831], [], ["", "y", 7]]),
        ),
        (
            "A1:Z9",
            "?valueRenderOption=UNFORMATTED_VALUE&dateTimeRenderOption=FORMATTED_STRING",
            json!([["x", "", "2020-01-01"], [], ["", "y", 7]]),
        ),
        (
            "A1:Z9",
            "?majorDimension=COLUMNS",
            json!([["x"], ["", "", "y"], ["2020-01-01", "", "7"]]),
        ),
        ("B:C", "", json!([["", "2020-01-01"], [], ["y", "7"]])),
        ("C3", "", json!([["7"]])),
        ("E1:F2", "", Value::Null),
    ];
    for (range, query, expected) in cases {
        assert_eq!(
            values(&server, &id, &format!("{range}{query}")).await,
            expected,
            "{range}{query}"
        );
    }
}

#[tokio::test]
async fn titles_with_any_letter_are_reached() {
    let server = Server::start().await;
    let id = new(&server).await;
    for (number, title) in
        ["a/b", "50% off?", "C# x", "Jon's", "A1", "x:append"].into_iter().enumerate()
    {
        batch(
            &server,
            &id,
            json!([{"addSheet": {"properties": {"title": title, "sheetId": number + 1}}}]),
        )
        .await
        .ok();
        let range = format!("'{}'!A1", title.replace('\'', "''"));
        let encoded: String = range.bytes().map(|byte| format!("%{byte:02X}")).collect();
        put(&server, &id, &encoded, "RAW", json!([[title]])).await.ok();
        assert_eq!(values(&server, &id, &encoded).await, json!([[title]]));
        let append = format!("/v4/spreadsheets/{id}/values/{encoded}:append?valueInputOption=RAW");
        let answer = server.post(&append, json!({"values": [["more"]]})).await.ok();
        assert!(answer["tableRange"].as_str().unwrap().ends_with("!A1"), "{answer}");
        assert!(answer["updates"]["updatedRange"].as_str().unwrap().ends_with("!A2"), "{answer}");
    }
}

#[tokio::test]
async fn errors_are_told_in_the_words_of_the_service() {
    let server = Server::start().await;
    let id = new(&server).await;
    let get = |path: &str| format!("/v4/spreadsheets/{id}{path}");
    for (path, expected) in [
        ("/values/NOPE!A5:F15", (400, "Unable to parse range: NOPE!A5:F15")),
        (
            "/values/A5000:B5001",
            (
                400,
                "Range (Sheet1!A5000:B5001) exceeds grid limits. Max rows: 1000, max columns: 26",
            ),
        ),
        ("/values/AAAA1", (400, "Unable to parse range: AAAA1")),
        ("?fields=sheets.foo", (400, "Request contains an invalid argument.")),
        ("/developerMetadata/7", (404, "No developer metadata with ID 7")),
    ] {
        let (status, message) = server.get(&get(path)).await.error();
        assert_eq!((status, message.as_str()), expected, "{path}");
    }
    assert_eq!(
        server.get("/v4/spreadsheets/test").await.error(),
        (404, "Requested entity was not found.".to_owned())
    );
    for (range, values, expected) in [
        (
            "A1:B1",
            json!([[1, 2, 3]]),
            "Requested writing within range ['Sheet1'!A1:B1], but tried writing to column [C]",
        ),
        (
            "A1:B1",
            json!([[1], [2], [3]]),
            "Requested writing within range ['Sheet1'!A1:B1], but tried writing to row [2]",
        ),
        (
            "A1001",
            json!([[1]]),
            "Range (Sheet1!A1001) exceeds grid limits. Max rows: 1000, max columns: 26",
        ),
        (
            "A1",
            json!([["x".repeat(50_001)]]),
            "Your input contains more than the maximum of 50000 characters in a single cell.",
        ),
        (
            "A1",
            json!("X"),
            "Invalid value at 'data.values' (type.googleapis.com/google.protobuf.ListValue), \"X\"",
        ),
    ] {
        let (status, message) = put(&server, &id, range, "RAW", values).await.error();
        assert_eq!((status, message.as_str()), (400, expected), "{range}");
    }
    for (request, expected) in [
        (json!([]), "Must specify at least one request."),
        (
            json!([{"nope": {}}]),
            "Invalid JSON payload received. Unknown name \"nope\" at 'requests[0]': Cannot find field.",
        ),
        (
            json!([{"addSheet": {"properties": {"title": "Sheet1"}}}]),
            "Invalid requests[0].addSheet: A sheet with the name \"Sheet1\" already exists. Please enter another name.",
        ),
        (
            json!([{"repeatCell": {"range": {"sheetId": 0}, "cell": {}}}]),
            "Invalid requests[0].repeatCell: At least one field must be listed in 'fields'. (Use '*' to indicate all fields.)",
        ),
        (
            json!([{"updateSheetProperties": {"properties": {"hidden": true}, "fields": "hidden"}}]),
            "Invalid requests[0].updateSheetProperties: You can't hide all the sheets in a document.",
        ),
        (
            json!([{"moveDimension": {"source": {"dimension": "ROWS", "startIndex": 1, "endIndex": 2}, "destinationIndex": 1}}]),
            "Invalid requests[0].moveDimension: destinationIndex[1] must be outside the requested range[1-2]",
        ),
        (
            json!([{"appendCells": {"rows": [{"values": vec![json!({}); 27]}], "fields": "*"}}]),
            "Invalid requests[0].appendCells: Attempting to write column: 26, beyond the last requested column of: 25",
        ),
        (
            json!([{"appendDimension": {"dimension": "ROWS", "length": 10_000_000}}]),
            "Invalid requests[0].appendDimension: This action would increase the number of cells in the workbook above the limit of 10000000 cells.",
        ),
        (
            json!([{"appendDimension": {"dimension": "COLUMNS", "length": 18_253}}]),
            "Invalid requests[0].appendDimension: This action would increase the number of columns in the sheet above the limit of 18278 columns.",
        ),
        (
            json!([{"addDataSource": {}}]),
            "Invalid requests[0].addDataSource: addDataSource is not supported by the embedded workspace.",
        ),
    ] {
        let (status, message) = batch(&server, &id, request).await.error();
        assert_eq!((status, message.as_str()), (400, expected));
    }
}

#[tokio::test]
async fn appends_find_the_table() {
    let server = Server::start().await;
    let id = new(&server).await;
    let rows = json!([["a", 1], ["b", 2], ["c", 3], ["", ""], ["", ""], ["d", 4], ["e", 5]]);
    for (range, query, table, landed) in [
        ("A1", "", json!("Sheet1!A1:B3"), "Sheet1!A4:B5"),
        ("A6", "", json!("Sheet1!A6:B7"), "Sheet1!A8:B9"),
        ("Sheet1", "", json!("Sheet1!A6:B7"), "Sheet1!A8:B9"),
        ("D1", "", Value::Null, "Sheet1!D1:E2"),
        ("A1", "&insertDataOption=INSERT_ROWS", json!("Sheet1!A1:B3"), "Sheet1!A4:B5"),
    ] {
        server.post(&format!("/v4/spreadsheets/{id}/values/Sheet1:clear"), json!({})).await.ok();
        put(&server, &id, "A1", "RAW", rows.clone()).await.ok();
        let path =
            format!("/v4/spreadsheets/{id}/values/{range}:append?valueInputOption=RAW{query}");
        let answer = server.post(&path, json!({"values": [["x", 9], ["y", 8]]})).await.ok();
        assert_eq!(answer["tableRange"], table, "{range}");
        assert_eq!(answer["updates"]["updatedRange"], landed, "{range}");
        if query.is_empty() {
            continue;
        }
        let read = values(&server, &id, "A1:B12").await;
        assert_eq!(read[3], json!(["x", "9"]));
        assert_eq!(read[7], json!(["d", "4"]));
    }
}

#[tokio::test]
async fn a_batch_tells_its_own_outcome() {
    let server = Server::start().await;
    let id = new(&server).await;
    let body = json!({
        "requests": [
            {"updateCells": {"start": {"rowIndex": 1}, "fields": "userEnteredValue,userEnteredFormat.numberFormat", "rows": [{"values": [
                {"userEnteredValue": {"stringValue": "=1+1"}},
                {"userEnteredValue": {"numberValue": 45306}, "userEnteredFormat": {"numberFormat": {"type": "DATE", "pattern": "yyyy-mm-dd"}}}
            ]}]}}
        ],
        "includeSpreadsheetInResponse": true, "responseRanges": ["Sheet1!A2:B2"], "responseIncludeGridData": true
    });
    let path = format!(
        "/v4/spreadsheets/{id}:batchUpdate?fields=replies,updatedSpreadsheet.sheets.data.rowData.values(formattedValue,userEnteredValue)"
    );
    let answer = server.post(&path, body).await.ok();
    assert_eq!(
        answer,
        json!({"replies": [{}], "updatedSpreadsheet": {"sheets": [{"data": [{"rowData": [{"values": [
            {"formattedValue": "=1+1", "userEnteredValue": {"stringValue": "=1+1"}},
            {"formattedValue": "2024-01-15", "userEnteredValue": {"numberValue": 45306}}
        ]}]}]}]}})
    );
}
