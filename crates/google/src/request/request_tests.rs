use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Input, MAX_CELL_CHARACTERS, NumberKind};

fn wire(request: &Request) -> Value {
    serde_json::to_value(request).unwrap()
}

fn date() -> NumberFormat {
    NumberFormat::new(NumberKind::Date, "yyyy-mm-dd")
}

/// Shapes of the discovery document.
#[test]
fn every_kind_has_google_s_shape() {
    let range = GridRange {
        sheet: 3,
        start_row: Some(1),
        end_row: None,
        start_column: Some(0),
        end_column: Some(2),
    };
    let metadata =
        |place| Request::CreateMetadata { id: Some(9), key: "k".into(), value: "v".into(), place };
    let created = |location: Value| {
        json!({"createDeveloperMetadata": {"developerMetadata": {"metadataId": 9,
            "metadataKey": "k", "metadataValue": "v", "location": location,
            "visibility": "DOCUMENT"}}})
    };
    let cases = [
        (
            Request::AppendDimension { sheet: 3, dimension: Dimension::Rows, length: 5 },
            json!({"appendDimension": {"sheetId": 3, "dimension": "ROWS", "length": 5}}),
        ),
        (
            Request::InsertDimension {
                sheet: 3,
                dimension: Dimension::Columns,
                start: 1,
                end: 3,
                inherit_from_before: true,
            },
            json!({"insertDimension": {"range": {"sheetId": 3, "dimension": "COLUMNS",
                "startIndex": 1, "endIndex": 3}, "inheritFromBefore": true}}),
        ),
        (
            Request::InsertRange { range: GridRange { end_row: Some(4), ..range } },
            json!({"insertRange": {"range": {"sheetId": 3, "startRowIndex": 1, "endRowIndex": 4,
                "startColumnIndex": 0, "endColumnIndex": 2}, "shiftDimension": "ROWS"}}),
        ),
        (
            Request::DeleteRange { range: GridRange { end_row: Some(4), ..range } },
            json!({"deleteRange": {"range": {"sheetId": 3, "startRowIndex": 1, "endRowIndex": 4,
                "startColumnIndex": 0, "endColumnIndex": 2}, "shiftDimension": "ROWS"}}),
        ),
        (
            Request::CopyPaste { source: range, target: range, paste: Paste::Validation },
            json!({"copyPaste": {"source": {"sheetId": 3, "startRowIndex": 1,
                "startColumnIndex": 0, "endColumnIndex": 2}, "destination": {"sheetId": 3,
                "startRowIndex": 1, "startColumnIndex": 0, "endColumnIndex": 2},
                "pasteType": "PASTE_DATA_VALIDATION"}}),
        ),
        (
            Request::MoveNamedRange { id: "n".into(), range },
            json!({"updateNamedRange": {"namedRange": {"namedRangeId": "n", "range": {"sheetId": 3,
                "startRowIndex": 1, "startColumnIndex": 0, "endColumnIndex": 2}}, "fields": "range"}}),
        ),
        (
            Request::MoveTable { id: "t".into(), range },
            json!({"updateTable": {"table": {"tableId": "t", "range": {"sheetId": 3,
                "startRowIndex": 1, "startColumnIndex": 0, "endColumnIndex": 2}}, "fields": "range"}}),
        ),
        (
            Request::DeleteDimension { sheet: 0, dimension: Dimension::Rows, start: 0, end: 1 },
            json!({"deleteDimension": {"range": {"sheetId": 0, "dimension": "ROWS",
                "startIndex": 0, "endIndex": 1}}}),
        ),
        (
            Request::AddSheet(NewSheet { title: "T".into(), rows: Some(2), ..NewSheet::default() }),
            json!({"addSheet": {"properties": {"title": "T", "gridProperties": {"rowCount": 2}}}}),
        ),
        (
            Request::AddSheet(NewSheet { title: "T".into(), ..NewSheet::default() }),
            json!({"addSheet": {"properties": {"title": "T"}}}),
        ),
        (Request::DeleteSheet { sheet: 4 }, json!({"deleteSheet": {"sheetId": 4}})),
        (
            Request::UpdateSheet {
                sheet: 0,
                change: SheetChange {
                    title: Some("N".into()),
                    hidden: Some(false),
                    frozen_rows: Some(0),
                    ..SheetChange::default()
                },
            },
            json!({"updateSheetProperties": {"properties": {"sheetId": 0, "title": "N",
                "hidden": false, "gridProperties": {"frozenRowCount": 0}},
                "fields": "title,hidden,gridProperties.frozenRowCount"}}),
        ),
        (
            Request::RepeatFormat { range, format: date() },
            json!({"repeatCell": {"range": {"sheetId": 3, "startRowIndex": 1,
                "startColumnIndex": 0, "endColumnIndex": 2},
                "cell": {"userEnteredFormat": {"numberFormat": {"type": "DATE", "pattern": "yyyy-mm-dd"}}},
                "fields": "userEnteredFormat.numberFormat"}}),
        ),
        (
            Request::Offer { range, values: vec!["left".into()] },
            json!({"setDataValidation": {"range": {"sheetId": 3, "startRowIndex": 1,
                "startColumnIndex": 0, "endColumnIndex": 2}, "rule": {"condition": {
                "type": "ONE_OF_LIST", "values": [{"userEnteredValue": "left"}]},
                "strict": false, "showCustomUi": true}}}),
        ),
        (
            Request::SortRange { range, keys: vec![SortKey { column: 2, descending: true }] },
            json!({"sortRange": {"range": {"sheetId": 3, "startRowIndex": 1,
                "startColumnIndex": 0, "endColumnIndex": 2},
                "sortSpecs": [{"dimensionIndex": 2, "sortOrder": "DESCENDING"}]}}),
        ),
        (metadata(MetadataPlace::Spreadsheet), created(json!({"spreadsheet": true}))),
        (metadata(MetadataPlace::Sheet { sheet: 0 }), created(json!({"sheetId": 0}))),
        (
            metadata(MetadataPlace::Row { sheet: 1, index: 7 }),
            created(json!({"dimensionRange": {"sheetId": 1, "dimension": "ROWS",
                "startIndex": 7, "endIndex": 8}})),
        ),
        (
            Request::DeleteMetadata(MetadataQuery {
                key: Some("k".into()),
                ..MetadataQuery::default()
            }),
            json!({"deleteDeveloperMetadata": {"dataFilter":
                {"developerMetadataLookup": {"metadataKey": "k"}}}}),
        ),
        (
            Request::DeleteMetadata(MetadataQuery {
                id: Some(7),
                place: Some(MetadataPlace::Column { sheet: 1, index: 2 }),
                ..MetadataQuery::default()
            }),
            json!({"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": {
                "metadataId": 7,
                "metadataLocation": {"dimensionRange": {"sheetId": 1, "dimension": "COLUMNS",
                    "startIndex": 2, "endIndex": 3}},
                "locationMatchingStrategy": "EXACT_LOCATION"}}}}),
        ),
    ];
    for (request, expected) in cases {
        request.check().unwrap();
        assert_eq!(wire(&request), expected);
        assert_eq!(request.wire_size(), expected.to_string().len());
    }
}

/// Nothing from outside is parsed: text that looks like a formula stays text.
#[test]
fn each_input_has_its_type() {
    for (cell, expected) in [
        (CellWrite::text("=1+1"), json!({"userEnteredValue": {"stringValue": "=1+1"}})),
        (CellWrite::text("007"), json!({"userEnteredValue": {"stringValue": "007"}})),
        (CellWrite::formula("=A1"), json!({"userEnteredValue": {"formulaValue": "=A1"}})),
        (CellWrite::bool(false), json!({"userEnteredValue": {"boolValue": false}})),
        (CellWrite::number(-0.1), json!({"userEnteredValue": {"numberValue": -0.1}})),
        (CellWrite::empty(), json!({})),
        (
            CellWrite::empty().with_format(date()),
            json!({"userEnteredFormat": {"numberFormat": {"type": "DATE", "pattern": "yyyy-mm-dd"}}}),
        ),
    ] {
        assert_eq!(serde_json::to_value(&cell).unwrap(), expected);
    }
}

#[test]
fn what_the_service_would_refuse_is_refused_with_its_place() {
    let cells = |cell: CellWrite, fields| Request::UpdateCells {
        sheet: 0,
        row: 9,
        column: 25,
        rows: vec![vec![], vec![CellWrite::empty(), cell]],
        fields,
    };
    let both = CellFields::ValuesAndFormats;
    for (cell, fields, problem) in [
        (CellWrite::text("x".repeat(MAX_CELL_CHARACTERS + 1)), both, "50001 characters"),
        (CellWrite::text("🌵".repeat(25_001)), both, "50002 characters"),
        (CellWrite::formula("A1"), both, "start with '='"),
        (CellWrite::number(f64::NAN), both, "NaN"),
        (CellWrite::number(1.0).with_format(date()), CellFields::Values, "values only"),
    ] {
        let error = cells(cell, fields).check().unwrap_err();
        assert!(error.message.contains("cell AA11 (row 11, column 27)"), "{error}");
        assert!(error.message.contains(problem), "{error}");
        assert!(error.to_string().len() < 300);
    }
    for cell in [
        CellWrite::text("x".repeat(MAX_CELL_CHARACTERS)),
        CellWrite::text("ä".repeat(MAX_CELL_CHARACTERS)),
        CellWrite::number(f64::MAX).with_format(date()),
    ] {
        cells(cell, both).check().unwrap();
    }
    let rows = Dimension::Rows;
    for request in [
        Request::DeleteDimension { sheet: 0, dimension: rows, start: 3, end: 3 },
        Request::AppendDimension { sheet: 0, dimension: rows, length: 0 },
        Request::UpdateSheet { sheet: 0, change: SheetChange::default() },
        Request::SortRange { range: GridRange::default(), keys: vec![] },
        Request::DeleteMetadata(MetadataQuery::default()),
    ] {
        assert!(request.check().is_err(), "{request:?}");
    }
}

fn any_cell() -> impl Strategy<Value = CellWrite> {
    prop_oneof![
        Just(CellWrite::empty()),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(CellWrite::number),
        any::<String>().prop_map(CellWrite::text),
        any::<bool>().prop_map(CellWrite::bool),
    ]
}

proptest! {
    /// Every cell is found at its place on the wire, with its value, and the size is what is sent.
    #[test]
    fn cells_survive_the_wire(rows in prop::collection::vec(prop::collection::vec(any_cell(), 0..6), 0..6)) {
        let request = Request::UpdateCells {
            sheet: 1, row: 0, column: 0, rows: rows.clone(), fields: CellFields::Values,
        };
        prop_assert!(request.check().is_ok());
        let text = serde_json::to_string(&request).unwrap();
        prop_assert_eq!(text.len(), request.wire_size());
        let parsed: Value = serde_json::from_str(&text).unwrap();
        let sent = parsed["updateCells"]["rows"].as_array().unwrap();
        prop_assert_eq!(sent.len(), rows.len());
        for (row, sent) in rows.iter().zip(sent) {
            let sent = sent["values"].as_array().unwrap();
            prop_assert_eq!(sent.len(), row.len());
            for (cell, sent) in row.iter().zip(sent) {
                let value = &sent["userEnteredValue"];
                match &cell.value {
                    Input::Empty => prop_assert_eq!(sent, &json!({})),
                    Input::Number(n) => prop_assert_eq!(value["numberValue"].as_f64(), Some(*n)),
                    Input::Text(t) => prop_assert_eq!(value["stringValue"].as_str(), Some(&**t)),
                    Input::Bool(b) => prop_assert_eq!(value["boolValue"].as_bool(), Some(*b)),
                    Input::Formula(_) => prop_assert!(false),
                }
            }
        }
    }
}
