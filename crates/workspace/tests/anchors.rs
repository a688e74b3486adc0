//! What is anchored to rows, columns and ranges, and what moves cells.

use serde_json::{Value, json};

use crate::server::Server;
use crate::sheets::{batch, new, put, values};

#[tokio::test]
async fn metadata_follows_its_row_and_its_id_is_unique() {
    let server = Server::start().await;
    let id = new(&server).await;
    let create = |number: i32, location: Value| {
        json!({"createDeveloperMetadata": {"developerMetadata": {
            "metadataId": number, "metadataKey": "k", "metadataValue": "v", "visibility": "DOCUMENT", "location": location}}})
    };
    let row = json!({"dimensionRange": {"dimension": "ROWS", "startIndex": 5, "endIndex": 6}});
    batch(&server, &id, json!([create(7, row), create(8, json!({"spreadsheet": true}))]))
        .await
        .ok();
    let again = batch(&server, &id, json!([
        {"updateCells": {"start": {}, "rows": [{"values": [{"userEnteredValue": {"stringValue": "late"}}]}], "fields": "userEnteredValue"}},
        create(8, json!({"spreadsheet": true}))
    ])).await.error();
    assert_eq!(again, (400, "Invalid requests[1].createDeveloperMetadata: Developer metadata with ID 8 already exists.".to_owned()));
    assert_eq!(values(&server, &id, "A1").await, Value::Null, "the failed batch wrote a cell");

    let place = || async {
        let entry = server.get(&format!("/v4/spreadsheets/{id}/developerMetadata/7")).await;
        if entry.status == 404 {
            None
        } else {
            entry.ok()["location"]["dimensionRange"]["startIndex"].as_u64()
        }
    };
    let dimension = |kind: &str, start: u32, end: u32| json!([{kind: {"range": {"dimension": "ROWS", "startIndex": start, "endIndex": end}}}]);
    batch(&server, &id, dimension("insertDimension", 0, 2)).await.ok();
    assert_eq!(place().await, Some(7));
    batch(&server, &id, dimension("deleteDimension", 1, 2)).await.ok();
    assert_eq!(place().await, Some(6));
    batch(&server, &id, json!([{"moveDimension": {"source": {"dimension": "ROWS", "startIndex": 6, "endIndex": 7}, "destinationIndex": 0}}])).await.ok();
    assert_eq!(place().await, Some(0));
    put(&server, &id, "A1", "RAW", json!([[9], [1]])).await.ok();
    batch(&server, &id, json!([{"sortRange": {"range": {"startRowIndex": 0, "endRowIndex": 2}, "sortSpecs": [{"dimensionIndex": 0, "sortOrder": "ASCENDING"}]}}])).await.ok();
    assert_eq!(place().await, Some(1));

    let found = server
        .post(
            &format!("/v4/spreadsheets/{id}/developerMetadata:search"),
            json!({"dataFilters": [{"developerMetadataLookup": {}}]}),
        )
        .await
        .ok();
    assert_eq!(found["matchedDeveloperMetadata"].as_array().unwrap().len(), 2);
    let write = json!({"valueInputOption": "RAW", "data": [{"dataFilter": {"developerMetadataLookup": {"metadataId": 7}}, "values": [["by id"]]}]});
    let answer = server
        .post(&format!("/v4/spreadsheets/{id}/values:batchUpdateByDataFilter"), write)
        .await
        .ok();
    assert_eq!(answer["responses"][0]["updatedRange"], "Sheet1!A2");
    batch(&server, &id, dimension("deleteDimension", 1, 2)).await.ok();
    assert_eq!(place().await, None);
}

#[tokio::test]
async fn objects_are_kept_and_follow() {
    let server = Server::start().await;
    let id = new(&server).await;
    let range = json!({"sheetId": 0, "startRowIndex": 4, "endRowIndex": 6, "startColumnIndex": 0, "endColumnIndex": 2});
    let replies = batch(&server, &id, json!([
        {"mergeCells": {"range": range, "mergeType": "MERGE_ALL"}},
        {"addNamedRange": {"namedRange": {"name": "Spot", "range": range}}},
        {"addConditionalFormatRule": {"rule": {"ranges": [range], "booleanRule": {"condition": {"type": "NOT_BLANK"}, "format": {"textFormat": {"bold": true}}}}}},
        {"addBanding": {"bandedRange": {"range": range}}},
        {"setBasicFilter": {"filter": {"range": {"sheetId": 0}}}},
        {"updateSheetProperties": {"properties": {"tabColorStyle": {"rgbColor": {"red": 0.5411764705882353}}, "gridProperties": {"frozenRowCount": 1}}, "fields": "tabColorStyle,gridProperties.frozenRowCount"}},
        {"insertDimension": {"range": {"dimension": "ROWS", "startIndex": 2, "endIndex": 3}}}
    ])).await.ok();
    assert!(replies["replies"][3]["addBanding"]["bandedRange"]["bandedRangeId"].is_number());
    let moved =
        json!({"startRowIndex": 5, "endRowIndex": 7, "startColumnIndex": 0, "endColumnIndex": 2});
    let sheet = server.get(&format!("/v4/spreadsheets/{id}")).await.ok();
    assert_eq!(sheet["namedRanges"][0]["range"], moved);
    let sheet = &sheet["sheets"][0];
    assert_eq!(sheet["merges"], json!([moved]));
    assert_eq!(sheet["conditionalFormats"][0]["ranges"], json!([moved]));
    assert_eq!(sheet["bandedRanges"][0]["range"], moved);
    assert_eq!(sheet["basicFilter"]["range"]["endRowIndex"], 1001);
    assert_eq!(sheet["properties"]["tabColor"], json!({"red": 0.541_176_5}));
    assert_eq!(sheet["properties"]["gridProperties"]["frozenRowCount"], 1);
    assert_eq!(values(&server, &id, "Spot").await, Value::Null);
    let split = batch(
        &server,
        &id,
        json!([{"unmergeCells": {"range": {"startRowIndex": 5, "endRowIndex": 6}}}]),
    )
    .await
    .error();
    assert_eq!(
        split.1,
        "Invalid requests[0].unmergeCells: You must select all cells in a merged range to merge or unmerge them."
    );
}

#[tokio::test]
async fn borders_are_drawn_by_side() {
    let server = Server::start().await;
    let id = new(&server).await;
    let thin = json!({"style": "SOLID", "color": {"red": 1}});
    let range =
        json!({"startRowIndex": 0, "endRowIndex": 2, "startColumnIndex": 0, "endColumnIndex": 1});
    batch(&server, &id, json!([
        {"updateBorders": {"range": range, "top": thin, "bottom": thin, "innerHorizontal": {"style": "DOTTED"}}},
        {"updateBorders": {"range": range, "bottom": {"style": "NONE"}}}
    ]))
    .await
    .ok();
    let path = format!(
        "/v4/spreadsheets/{id}?fields=sheets.data.rowData.values.userEnteredFormat.borders(top.style,bottom.style)"
    );
    let sheet = server.get(&path).await.ok();
    let cell = |row: usize| {
        sheet["sheets"][0]["data"][0]["rowData"][row]["values"][0]["userEnteredFormat"]["borders"]
            .clone()
    };
    assert_eq!(cell(0), json!({"top": {"style": "SOLID"}, "bottom": {"style": "DOTTED"}}));
    assert_eq!(cell(1), json!({"top": {"style": "DOTTED"}}));
}

#[tokio::test]
async fn cells_are_copied_cut_found_and_tidied() {
    let server = Server::start().await;
    let id = new(&server).await;
    put(&server, &id, "A1", "USER_ENTERED", json!([[1, "=A1+1"], ["a  b ", "abba"], ["x", "x"]]))
        .await
        .ok();
    let area = |top: u32, bottom: u32, left: u32, right: u32| json!({"startRowIndex": top, "endRowIndex": bottom, "startColumnIndex": left, "endColumnIndex": right});
    let replies = batch(&server, &id, json!([
        {"copyPaste": {"source": area(0, 1, 0, 2), "destination": area(4, 6, 0, 2)}},
        {"trimWhitespace": {"range": area(0, 9, 0, 9)}},
        {"findReplace": {"find": "b", "replacement": "7", "range": area(1, 2, 1, 2)}},
        {"cutPaste": {"source": area(2, 3, 0, 2), "destination": {"rowIndex": 7, "columnIndex": 2}}}
    ])).await.ok();
    assert_eq!(replies["replies"][1]["trimWhitespace"]["cellsChangedCount"], 1);
    assert_eq!(
        replies["replies"][2]["findReplace"],
        json!({"valuesChanged": 1, "rowsChanged": 1, "sheetsChanged": 1, "occurrencesChanged": 2})
    );
    assert_eq!(
        values(&server, &id, "A1:D9?valueRenderOption=FORMULA").await,
        json!([
            [1, "=A1+1"],
            ["a b", "a77a"],
            [],
            [],
            [1, "=A5+1"],
            [1, "=A6+1"],
            [],
            ["", "", "x", "x"]
        ])
    );
}
