//! What people gave a sheet beside its values stays, and new rows get it: formulas, formats, validation, notes, hiding.

use serde_json::{Value, json};

use crate::desk::{Desk, area};

fn format(rows: (u32, u32), columns: (u32, u32), kind: &str, pattern: &str) -> Value {
    json!({"repeatCell": {"range": area(rows, columns), "fields": "userEnteredFormat.numberFormat",
        "cell": {"userEnteredFormat": {"numberFormat": {"type": kind, "pattern": pattern}}}}})
}

fn rule(rows: (u32, u32), columns: (u32, u32), kind: &str, values: &[&str]) -> Value {
    let values: Vec<Value> =
        values.iter().map(|value| json!({"userEnteredValue": value})).collect();
    json!({"setDataValidation": {"range": area(rows, columns),
        "rule": {"strict": true, "condition": {"type": kind, "values": values}}}})
}

/// A table with a formula column, a custom date format, a drop-down and checkboxes.
async fn dressed() -> Desk {
    let desk = Desk::new(json!([
        ["id", "n", "double", "day", "state", "done"],
        ["a", 1, {"formula": "=B2*2"}, {"date": "2024-01-15"}, "open", true],
        ["b", 2, {"formula": "=B3*2"}, {"date": "2024-01-16"}, "shut", false],
    ]))
    .await;
    desk.send(json!([
        format((1, 3), (3, 4), "DATE", "dd.mm.yy"),
        format((1, 3), (1, 2), "CURRENCY", "\"$\"0.00"),
        rule((1, 3), (4, 5), "ONE_OF_LIST", &["open", "shut"]),
        rule((1, 3), (5, 6), "BOOLEAN", &[]),
    ]))
    .await;
    desk
}

const COLUMNS: [&str; 5] = ["id", "n", "day", "state", "done"];

fn columns() -> Value {
    json!({"columns": COLUMNS.map(|name| json!({"name": name}))})
}

#[tokio::test]
async fn new_rows_get_the_formulas_formats_and_validation_of_the_row_above() {
    for range in [json!({}), json!({"range": "A1:F"})] {
        let desk = dressed().await;
        let csv = "id,n,day,state,done\na,1,2024-01-15,open,true\nb,2,2024-01-16,shut,false\n\
                   c,30,2024-02-01,open,true\nd,40,2024-02-02,shut,false\n";
        let report = desk.apply(csv, range.clone(), columns()).await;
        assert_eq!(
            (&report["counts"]["insert"], &report["calls"]["writes"]),
            (&json!(2), &json!(1)),
            "{report:#}"
        );
        assert_eq!(
            desk.seen("A3:F5").await,
            json!([
                ["b", 2, "=B3*2", 45307, "shut", false],
                ["c", 30, "=B4*2", 45323, "open", true],
                ["d", 40, "=B5*2", 45324, "shut", false],
            ])
        );
        for (cell, wanted) in [
            ("B5", (Some("\"$\"0.00"), None)),
            ("D4", (Some("dd.mm.yy"), None)),
            ("E5", (None, Some("ONE_OF_LIST"))),
            ("F4", (None, Some("BOOLEAN"))),
        ] {
            let (pattern, kind) = desk.look(cell).await;
            assert_eq!((pattern.as_deref(), kind.as_deref()), wanted, "{cell} {range}");
        }
        let again = desk.apply(csv, range, columns()).await;
        assert_eq!((&again["state"], &again["calls"]["reads"]), (&json!("inStep"), &json!(1)));
    }
}

#[tokio::test]
async fn appended_and_restored_rows_are_dressed_too() {
    let desk = dressed().await;
    let append = |row: Value, range: Value| {
        let mut arguments = json!({"spreadsheetId": desk.id, "rows": [row]});
        arguments.as_object_mut().unwrap().extend(range.as_object().unwrap().clone());
        arguments
    };
    let row = json!({"id": "c", "n": 3, "day": {"date": "2024-02-01"}, "state": "open"});
    let done = desk.ok("appendRows", append(row, json!({}))).await;
    assert_eq!((&done["firstRow"], &done["lastRow"]), (&json!(4), &json!(4)));
    desk.ok("appendRows", append(json!({"id": "d", "n": 4}), json!({"range": "A1"}))).await;
    assert_eq!(
        desk.seen("A4:F5").await,
        json!([["c", 3, "=B4*2", 45323, "open"], ["d", 4, "=B5*2"]])
    );
    assert_eq!(desk.look("D5").await.0.as_deref(), Some("dd.mm.yy"));
    assert_eq!(desk.look("F5").await.1.as_deref(), Some("BOOLEAN"));
    let error = desk.err("appendRows", append(json!({"id": "e", "double": 8}), json!({}))).await;
    assert!(error.contains("\"double\" holds formulas"), "{error}");

    // A row that a run deleted comes back with its formula and its looks.
    let csv = "id,n,day,state,done\na,1,2024-01-15,open,true\nb,2,2024-01-16,shut,false\nc,3,2024-02-01,open,\n";
    let mut more = columns();
    more["deletes"] = json!("delete");
    let report = desk.apply(csv, json!({}), more).await;
    assert_eq!(report["counts"]["delete"], 1, "{report:#}");
    desk.ok("rollbackSync", json!({"runId": report["runId"], "mode": "apply"})).await;
    assert_eq!(desk.seen("A5:F5").await, json!([["d", 4, "=B5*2"]]));
    assert_eq!(desk.look("D5").await.0.as_deref(), Some("dd.mm.yy"));
}

#[tokio::test]
async fn a_value_that_a_strict_rule_refuses_is_reported_before_anything_is_written() {
    let desk = dressed().await;
    for csv in [
        "id,n,day,state,done\na,1,2024-01-15,maybe,true\nb,2,2024-01-16,shut,false\n",
        "id,n,day,state,done\na,7,2024-01-15,open,true\nb,2,2024-01-16,shut,false\nc,1,,maybe,\n",
    ] {
        let error = desk.err("syncDataset", desk.sync(csv, json!({}), columns())).await;
        assert!(
            error.contains("\"maybe\" for \"state\"") && error.contains("one of open, shut"),
            "{error}"
        );
    }
    assert_eq!(desk.seen("A2:B2").await, json!([["a", 1]]));
}

#[tokio::test]
async fn dates_keep_the_format_of_their_column_whatever_each_cell_is() {
    let desk = Desk::new(json!([
        ["id", "day", "at", "time", "took", "share"],
        ["a", {"date": "2024-01-15"}, 45306.5, 0.25, 1.5, 0.5],
        ["b", "", {"dateTime": "2024-01-16T10:30:00"}, 0.75, 0.25, 0.25],
    ]))
    .await;
    desk.send(json!([
        format((1, 2), (1, 2), "DATE", "d mmm yyyy"),
        format((1, 2), (2, 3), "DATE", "yyyy-mm-dd"),
        format((1, 3), (3, 4), "TIME", "hh:mm"),
        format((1, 3), (4, 5), "TIME", "[h]:mm"),
        format((1, 3), (5, 6), "PERCENT", "0%"),
    ]))
    .await;
    // Read as what they are: a day, a date-time (one cell is formatted as a day, but has a time), a time, and numbers.
    let to = json!({"left": {"spreadsheetId": desk.id, "sheet": "T"}, "right": {"file": "out.csv"}, "key": ["id"], "mode": "apply"});
    desk.ok("syncDataset", to).await;
    let out = std::fs::read_to_string(desk.file("out.csv")).unwrap();
    assert_eq!(
        out.replace("\r\n", "\n"),
        "id,day,at,time,took,share\na,2024-01-15,2024-01-15T12:00:00,06:00:00,1.5,0.5\n\
         b,,2024-01-16T10:30:00,18:00:00,0.25,0.25\n"
    );
    let csv = "id,day,share\na,2024-03-01,0.6\nb,2024-03-02,0.25\nc,2024-03-03,0.7\n";
    desk.apply(
        csv,
        json!({}),
        json!({"columns": [{"name": "id"}, {"name": "day"}, {"name": "share"}]}),
    )
    .await;
    for (cell, wanted) in [
        ("B2", "d mmm yyyy"),
        ("B3", "d mmm yyyy"),
        ("B4", "d mmm yyyy"),
        ("F2", "0%"),
        ("F4", "0%"),
    ] {
        assert_eq!(desk.look(cell).await.0.as_deref(), Some(wanted), "{cell}");
    }
    assert_eq!(desk.seen("B2:B4").await, json!([[45352], [45353], [45354]]));
}

#[tokio::test]
async fn notes_formats_and_rules_of_other_cells_stay_with_their_rows() {
    let desk = dressed().await;
    let note = |row: u32, text: &str| {
        json!({"updateCells": {"start": {"sheetId": 0, "rowIndex": row, "columnIndex": 1},
            "rows": [{"values": [{"note": text}]}], "fields": "note"}})
    };
    desk.put("A4", json!([["c", 3, {"formula": "=B4*2"}, {"date": "2024-01-17"}, "open", true]]))
        .await;
    desk.send(json!([note(1, "on a"), note(3, "on c"), {"repeatCell": {"range": area((3, 4), (0, 1)),
        "cell": {"userEnteredFormat": {"textFormat": {"bold": true}}}, "fields": "userEnteredFormat.textFormat.bold"}}])).await;
    desk.send(json!([{"sortRange": {"range": area((1, 4), (0, 6)), "sortSpecs": [{"dimensionIndex": 0, "sortOrder": "DESCENDING"}]}}])).await;
    let csv = "id,n,day,state,done\na,11,2024-01-15,shut,true\nc,33,2024-01-17,open,true\nd,4,2024-01-18,open,true\n";
    let mut more = columns();
    more["deletes"] = json!("delete");
    desk.apply(csv, json!({}), more).await;
    assert_eq!(
        desk.seen("A2:E4").await,
        json!([
            ["c", 33, "=B2*2", 45308, "open"],
            ["a", 11, "=B3*2", 45306, "shut"],
            ["d", 4, "=B4*2", 45309, "open"]
        ])
    );
    let seen = desk.grid("A2:B4", "note,userEnteredFormat.textFormat.bold").await;
    let noted = |row: usize| seen[row]["values"][1]["note"].clone();
    assert_eq!([noted(0), noted(1), noted(2)], [json!("on c"), json!("on a"), Value::Null]);
    assert_eq!(seen[0]["values"][0]["userEnteredFormat"]["textFormat"]["bold"], true);
    assert_eq!(desk.look("E3").await.1.as_deref(), Some("ONE_OF_LIST"));
    assert_eq!(desk.look("B3").await.0.as_deref(), Some("\"$\"0.00"));
}

#[tokio::test]
async fn hidden_and_filtered_rows_and_columns_are_read_and_written_like_others() {
    let desk = Desk::new(json!([["id", "n", "m"], ["a", 1, 1], ["b", 2, 2], ["c", 3, 3]])).await;
    let hide = |dimension: &str, start: u32| {
        json!({"updateDimensionProperties": {"range": {"sheetId": 0, "dimension": dimension, "startIndex": start, "endIndex": start + 1},
            "properties": {"hiddenByUser": true}, "fields": "hiddenByUser"}})
    };
    desk.send(json!([hide("ROWS", 3), hide("COLUMNS", 2),
        {"setBasicFilter": {"filter": {"range": area((0, 4), (0, 3)), "criteria": {"1": {"hiddenValues": ["2"]}}}}}])).await;
    desk.apply("id,n,m\na,1,1\nb,20,20\nc,30,30\nd,40,40\n", json!({}), json!({})).await;
    assert_eq!(
        desk.seen("A1:C5").await,
        json!([["id", "n", "m"], ["a", 1, 1], ["b", 20, 20], ["c", 30, 30], ["d", 40, 40]])
    );
    let rows = desk.metadata().await;
    assert_eq!(rows[3]["hiddenByUser"], true);
    assert!(
        rows[4].get("hiddenByUser").is_none(),
        "a new row is not hidden because the last one is: {rows}"
    );
    let page = desk.ok("readSheet", json!({"spreadsheetId": desk.id})).await;
    assert_eq!(page["rows"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn error_cells_are_never_carried_as_text() {
    let desk =
        Desk::new(json!([["id", "n", "m"], ["a", 1, 5], ["b", {"formula": "=1/0"}, 6]])).await;
    let to_file = |more: Value| {
        let mut arguments = json!({"left": {"spreadsheetId": desk.id, "sheet": "T"}, "right": {"file": "out.csv"}, "key": ["id"], "mode": "apply"});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let error = desk.err("syncDataset", to_file(json!({}))).await;
    assert!(error.contains("cell B3") && error.contains("#DIV/0!"), "{error}");
    desk.ok("syncDataset", to_file(json!({"columns": [{"name": "id"}, {"name": "m"}]}))).await;
    desk.ok(
        "syncDataset",
        to_file(json!({"nulls": ["#DIV/0!"], "name": "other", "right": {"file": "other.csv"}})),
    )
    .await;
    let out = std::fs::read_to_string(desk.file("other.csv")).unwrap();
    assert_eq!(out.replace("\r\n", "\n"), "id,n,m\na,1,5\nb,,6\n");
}

#[tokio::test]
async fn rows_that_go_between_check_and_write_do_not_leave_new_rows_bare() {
    for range in [json!({}), json!({"range": "A1:F"})] {
        let desk = dressed().await;
        desk.put(
            "A4",
            json!([["c", 3, {"formula": "=B4*2"}, {"date": "2024-01-17"}, "open", true]]),
        )
        .await;
        let gone = json!({"deleteDimension": {"range": {"sheetId": 0, "dimension": "ROWS", "startIndex": 3, "endIndex": 4}}});
        desk.race(json!([gone])).await;
        let csv = "id,n,day,state,done\na,1,2024-01-15,open,true\nb,2,2024-01-16,shut,false\nc,3,2024-01-17,open,true\nnew,9,2024-02-01,open,true\n";
        desk.apply(csv, range.clone(), columns()).await;
        let seen = desk.seen("A1:F9").await;
        let row = seen.as_array().unwrap().iter().position(|row| row[0] == "new").unwrap();
        assert_eq!(seen[row][2], format!("=B{}*2", row + 1), "{range} {seen:#}");
        assert_eq!(seen.as_array().unwrap().iter().filter(|row| row[0] == "new").count(), 1);
    }
}

#[tokio::test]
async fn rows_appended_to_a_long_sheet_are_dressed_like_its_last_row_and_land_below_it() {
    for (first, rows, gap) in [(0_u32, 850_u32, 0_u32), (150, 800, 0), (0, 420, 400)] {
        let header = json!(["id", "n", "double"]);
        let mut values = vec![json!([null]); first as usize];
        values.push(header);
        let row = |row: u32| json!([format!("k{row}"), row, {"formula": format!("=B{row}*2")}]);
        let start = first + 2;
        values.extend((start..start + rows).map(row));
        values.extend((0..gap).map(|_| json!([null])));
        values.push(row(start + rows + gap));
        let last = start + rows + gap;
        let desk = Desk::new(json!(values)).await;
        desk.send(json!([format((last - 1, last), (1, 2), "CURRENCY", "\"$\"0.00")])).await;
        let record = json!({"id": "new", "n": 7});
        let done = desk.ok("appendRows", json!({"spreadsheetId": desk.id, "rows": [record]})).await;
        assert_eq!(done["firstRow"], last + 1, "header {first}, gap {gap}: {done}");
        let at = last + 1;
        let seen = desk.seen(&format!("A{at}:C{at}")).await;
        assert_eq!(seen, json!([["new", 7, format!("=B{at}*2")]]));
        let look = desk.look(&format!("B{at}")).await;
        assert_eq!(look, desk.look(&format!("B{last}")).await);
    }
}
