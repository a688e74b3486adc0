//! A random sequence of batches keeps the workspace equal to a simple model: rows of cells in a
//! vector, and rows that metadata is anchored to. A batch that fails changes nothing.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::server::Server;

const WIDTH: usize = 4;

#[derive(Debug, Clone)]
enum Op {
    Write { row: usize, column: usize, values: Vec<Vec<i64>> },
    Fill { start: usize, count: usize, column: usize, value: i64 },
    Insert { at: usize, count: usize },
    Delete { start: usize, count: usize },
    Move { start: usize, count: usize, to: usize },
    Append { values: Vec<i64> },
    Tag { row: usize },
    InsertColumn { at: usize },
    DeleteColumn { at: usize },
    Sort { start: usize, count: usize, column: usize },
    Fail,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Row {
    /// 0 is a blank cell.
    cells: Vec<i64>,
    tags: Vec<i64>,
}

#[derive(Clone)]
struct Model {
    rows: Vec<Row>,
    width: usize,
    next_tag: i64,
}

impl Model {
    fn used(&self) -> usize {
        self.rows
            .iter()
            .rposition(|row| row.cells.iter().any(|cell| *cell != 0))
            .map_or(0, |last| last + 1)
    }

    fn blank(&self) -> Row {
        Row { cells: vec![0; self.width], tags: Vec::new() }
    }

    /// Applies an operation where it fits; returns its request.
    fn apply(&mut self, op: &Op) -> Option<Value> {
        let height = self.rows.len();
        let span = |start: usize, end: usize, kind: &str| json!({"dimension": kind, "startIndex": start, "endIndex": end});
        match op {
            Op::Write { row, column, values } => {
                let (row, column) = (row % height, column % self.width);
                let mut rows = Vec::new();
                for (down, list) in values.iter().enumerate().take(height - row) {
                    let mut cells = Vec::new();
                    for (right, value) in list.iter().enumerate().take(self.width - column) {
                        self.rows[row + down].cells[column + right] = *value;
                        cells.push(cell(*value));
                    }
                    rows.push(json!({ "values": cells }));
                }
                Some(
                    json!({"updateCells": {"start": {"rowIndex": row, "columnIndex": column}, "rows": rows, "fields": "userEnteredValue"}}),
                )
            }
            Op::Fill { start, count, column, value } => {
                let (start, column) = (start % height, column % self.width);
                let end = (start + count).min(height);
                for row in &mut self.rows[start..end] {
                    row.cells[column] = *value;
                }
                Some(json!({"repeatCell": {
                    "range": {"startRowIndex": start, "endRowIndex": end, "startColumnIndex": column, "endColumnIndex": column + 1},
                    "cell": cell(*value), "fields": "userEnteredValue"}}))
            }
            Op::Insert { at, count } => {
                let at = at % height;
                let blank = self.blank();
                self.rows.splice(at..at, std::iter::repeat_n(blank, *count));
                Some(json!({"insertDimension": {"range": span(at, at + count, "ROWS")}}))
            }
            Op::Delete { start, count } => {
                let start = start % height;
                let end = (start + count).min(height);
                if end - start == height {
                    return None;
                }
                self.rows.drain(start..end);
                Some(json!({"deleteDimension": {"range": span(start, end, "ROWS")}}))
            }
            Op::Move { start, count, to } => {
                let start = start % height;
                let end = (start + count).min(height);
                let to = to % (height + 1);
                if (start..end).contains(&to) {
                    return None;
                }
                let taken: Vec<Row> = self.rows.drain(start..end).collect();
                let place = if to > start { to - (end - start) } else { to };
                self.rows.splice(place..place, taken);
                Some(
                    json!({"moveDimension": {"source": span(start, end, "ROWS"), "destinationIndex": to}}),
                )
            }
            Op::Append { values } => {
                let at = self.used();
                if at == height {
                    let blank = self.blank();
                    self.rows.push(blank);
                }
                let cells: Vec<Value> =
                    values.iter().take(self.width).map(|value| cell(*value)).collect();
                for (place, value) in self.rows[at].cells.iter_mut().zip(values) {
                    *place = *value;
                }
                Some(
                    json!({"appendCells": {"rows": [{"values": cells}], "fields": "userEnteredValue"}}),
                )
            }
            Op::Tag { row } => {
                let row = row % height;
                self.next_tag += 1;
                self.rows[row].tags.push(self.next_tag);
                Some(json!({"createDeveloperMetadata": {"developerMetadata": {
                    "metadataId": self.next_tag, "metadataKey": "t", "visibility": "DOCUMENT",
                    "location": {"dimensionRange": span(row, row + 1, "ROWS")}}}}))
            }
            Op::InsertColumn { at } => {
                let at = at % self.width;
                self.rows.iter_mut().for_each(|row| row.cells.insert(at, 0));
                self.width += 1;
                Some(json!({"insertDimension": {"range": span(at, at + 1, "COLUMNS")}}))
            }
            Op::DeleteColumn { at } => {
                if self.width < 2 {
                    return None;
                }
                let at = at % self.width;
                for row in &mut self.rows {
                    row.cells.remove(at);
                }
                self.width -= 1;
                Some(json!({"deleteDimension": {"range": span(at, at + 1, "COLUMNS")}}))
            }
            Op::Sort { start, count, column } => {
                let (start, column) = (start % height, column % self.width);
                let end = (start + count).min(height);
                self.rows[start..end]
                    .sort_by_key(|row| (row.cells[column] == 0, row.cells[column]));
                Some(json!({"sortRange": {
                    "range": {"startRowIndex": start, "endRowIndex": end},
                    "sortSpecs": [{"dimensionIndex": column, "sortOrder": "ASCENDING"}]}}))
            }
            Op::Fail => None,
        }
    }
}

fn cell(value: i64) -> Value {
    if value == 0 { json!({}) } else { json!({"userEnteredValue": {"numberValue": value}}) }
}

fn ops() -> impl Strategy<Value = Op> {
    let row = prop_oneof![0_usize..700, 250_usize..260, 508_usize..518];
    let value = prop_oneof![1 => Just(0_i64), 4 => 1_i64..50];
    let values = proptest::collection::vec(value.clone(), 1..WIDTH);
    prop_oneof![
        4 => (row.clone(), 0..WIDTH, proptest::collection::vec(values.clone(), 1..300))
            .prop_map(|(row, column, values)| Op::Write { row, column, values }),
        2 => (row.clone(), 1_usize..400, 0..WIDTH, value).prop_map(|(start, count, column, value)| Op::Fill { start, count, column, value }),
        2 => (row.clone(), 1_usize..600).prop_map(|(at, count)| Op::Insert { at, count }),
        2 => (row.clone(), 1_usize..600).prop_map(|(start, count)| Op::Delete { start, count }),
        2 => (row.clone(), 1_usize..300, row.clone()).prop_map(|(start, count, to)| Op::Move { start, count, to }),
        2 => values.prop_map(|values| Op::Append { values }),
        2 => row.clone().prop_map(|row| Op::Tag { row }),
        1 => (0..WIDTH).prop_map(|at| Op::InsertColumn { at }),
        1 => (0..WIDTH).prop_map(|at| Op::DeleteColumn { at }),
        1 => (row, 1_usize..300, 0..WIDTH).prop_map(|(start, count, column)| Op::Sort { start, count, column }),
        1 => Just(Op::Fail),
    ]
}

/// Returns what the workspace holds, in the form of the model.
async fn told(server: &Server, id: &str) -> Vec<Row> {
    let path = format!(
        "/v4/spreadsheets/{id}?fields=sheets(properties.gridProperties(rowCount,columnCount),data(rowData.values.effectiveValue.numberValue,rowMetadata.developerMetadata.metadataId))"
    );
    let answer = server.get(&path).await.ok();
    let sheet = &answer["sheets"][0];
    let size = |name: &str| sheet["properties"]["gridProperties"][name].as_u64().unwrap() as usize;
    let mut rows =
        vec![Row { cells: vec![0; size("columnCount")], tags: Vec::new() }; size("rowCount")];
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for (row, data) in rows.iter_mut().zip(list(&sheet["data"][0]["rowData"])) {
        for (place, cell) in row.cells.iter_mut().zip(list(&data["values"])) {
            *place = cell["effectiveValue"]["numberValue"].as_i64().unwrap_or(0);
        }
    }
    for (row, data) in rows.iter_mut().zip(list(&sheet["data"][0]["rowMetadata"])) {
        row.tags = list(&data["developerMetadata"])
            .iter()
            .filter_map(|entry| entry["metadataId"].as_i64())
            .collect();
    }
    rows
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.iter_mut().for_each(|row| row.tags.sort_unstable());
    rows
}

#[test]
fn batches_do_what_the_model_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let config =
        Config { cases: 40, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let batches = proptest::collection::vec(proptest::collection::vec(ops(), 1..5), 1..8);
    TestRunner::new(config)
        .run(&batches, |batches| {
            runtime.block_on(async {
                let sheet = json!({"properties": {"gridProperties": {"rowCount": 600, "columnCount": WIDTH}}});
                let answer = server.post("/v4/spreadsheets", json!({ "sheets": [sheet] })).await.ok();
                let id = answer["spreadsheetId"].as_str().unwrap();
                let mut model = Model { rows: Vec::new(), width: WIDTH, next_tag: 0 };
                model.rows = vec![model.blank(); 600];
                for batch in &batches {
                    let fails = batch.iter().any(|op| matches!(op, Op::Fail));
                    let mut next = model.clone();
                    let mut requests: Vec<Value> = batch.iter().filter_map(|op| next.apply(op)).collect();
                    if fails {
                        requests.push(json!({"deleteSheet": {"sheetId": 999}}));
                    }
                    if requests.is_empty() {
                        continue;
                    }
                    let answer = server.post(&format!("/v4/spreadsheets/{id}:batchUpdate"), json!({ "requests": requests })).await;
                    assert_eq!(answer.status, if fails { 400 } else { 200 }, "{}", answer.text);
                    if !fails {
                        model = next;
                    }
                    assert_eq!(sorted(told(&server, id).await), sorted(model.rows.clone()));
                }
            });
            Ok(())
        })
        .unwrap();
}
