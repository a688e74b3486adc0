//! Several tables on one sheet, told apart by range: each is read and written alone, whatever people move.

use serde_json::{Value, json};

use crate::desk::{Desk, area};

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

#[tokio::test]
async fn columns_that_people_move_are_followed_by_their_names() {
    // Between runs, and between check and write, also of a table beside its twin.
    let column = |from: u32, to: u32| json!({"moveDimension": {"source": {"sheetId": 0, "dimension": "COLUMNS", "startIndex": from, "endIndex": from + 1}, "destinationIndex": to}});
    let insert = json!({"insertDimension": {"range": {"sheetId": 0, "dimension": "COLUMNS", "startIndex": 3, "endIndex": 4}}});
    let csv = "id,n\nx,11\ny,20\nz,30\nw,40\nv,50\n";
    let desk = Desk::new(two_tables()).await;
    desk.race(json!([insert])).await;
    desk.apply(csv, json!({"range": "D1:E"}), json!({})).await;
    assert_eq!(
        desk.seen("A1:F6").await,
        json!([
            ["id", "n", "", "", "id", "n"],
            ["a", 1, "", "", "x", 11],
            ["b", 2, "", "", "y", 20],
            ["c", 3, "", "", "z", 30],
            ["", "", "", "", "w", 40],
            ["", "", "", "", "v", 50],
        ])
    );
    let desk = Desk::new(json!([["id", "n", "other"], ["a", 1, "mine"], ["b", 2, "mine"]])).await;
    let mut plan = desk.sync(
        "id,n\na,5\nb,2\nc,3\n",
        json!({}),
        json!({"columns": [{"name": "id"}, {"name": "n"}]}),
    );
    plan["mode"] = json!("plan");
    let planned = desk.ok("syncDataset", plan.clone()).await;
    desk.send(json!([column(0, 3), column(1, 0)])).await;
    plan["mode"] = json!("apply");
    plan["planId"] = planned["planId"].clone();
    // A plan names columns, not places: it stays true, and is applied where they are now.
    let report = desk.ok("syncDataset", plan).await;
    assert_eq!(report["state"], "applied");
    assert_eq!(
        desk.seen("A1:C4").await,
        json!([["other", "n", "id"], ["mine", 5, "a"], ["mine", 2, "b"], ["", 3, "c"]])
    );
}

#[tokio::test]
async fn rows_that_move_beside_other_tables_end_with_their_own_values() {
    let cells = |from: (u32, u32)| json!({"insertRange": {"range": area(from, (3, 5)), "shiftDimension": "ROWS"}});
    let whole = json!({"insertDimension": {"range": {"sheetId": 0, "dimension": "ROWS", "startIndex": 0, "endIndex": 1}}});
    let sort = json!({"sortRange": {"range": area((1, 5), (3, 5)), "sortSpecs": [{"dimensionIndex": 3, "sortOrder": "ASCENDING"}]}});
    let gone = json!({"deleteRange": {"range": area((1, 2), (3, 5)), "shiftDimension": "ROWS"}});
    for (name, edit) in [("cells", cells((2, 3))), ("rows", whole), ("sort", sort), ("gone", gone)]
    {
        for range in ["D1:E", "Right"] {
            let desk = Desk::new(two_tables()).await;
            desk.put("A9", json!([["below", "", "", "below", "fence"]])).await;
            desk.send(json!([{"addNamedRange": {"namedRange": {"name": "Right", "range": area((0, 5), (3, 5))}}}])).await;
            let range = if range == "D1:E" { "D1:E8" } else { range };
            desk.race(json!([edit])).await;
            let csv = "id,n\nx,10\ny,21\nw,41\nnew,50\n";
            let arguments = desk.sync(csv, json!({"range": range}), json!({"deletes": "delete"}));
            desk.ok("syncDataset", arguments).await;
            let seen = desk.seen("A1:E16").await;
            let rows: Vec<&Value> = seen
                .as_array()
                .unwrap()
                .iter()
                .filter(|row| row.get(3).is_some_and(|cell| cell != ""))
                .collect();
            let of = |key: &str| -> Vec<Value> {
                rows.iter().filter(|row| row[3] == key).map(|row| row[4].clone()).collect()
            };
            let place = format!("{name} {range} {seen:#}");
            assert_eq!(
                (of("y"), of("w"), of("new")),
                (vec![json!(21)], vec![json!(41)], vec![json!(50)]),
                "{place}"
            );
            assert_eq!((of("z").len(), of("below")), (0, vec![json!("fence")]), "{place}");
            let left: Vec<&Value> = seen
                .as_array()
                .unwrap()
                .iter()
                .filter(|row| ["a", "b", "c"].iter().any(|key| row.get(0) == Some(&json!(key))))
                .collect();
            assert_eq!(left.len(), 3, "{place}");
            assert!(
                left.iter().all(|row| [json!(1), json!(2), json!(3)].contains(&row[1])),
                "{place}"
            );
        }
    }
}

#[tokio::test]
async fn merged_cells_are_refused_where_they_matter_and_named() {
    let merge = |rows, columns| json!({"mergeCells": {"range": area(rows, columns), "mergeType": "MERGE_ALL"}});
    let desk = Desk::new(json!([["id", "name", ""], ["a", "x", 1], ["b", "y", 2]])).await;
    desk.send(json!([merge((0, 1), (1, 3))])).await;
    for (tool, arguments) in [
        ("readSheet", json!({"spreadsheetId": desk.id})),
        ("appendRows", json!({"spreadsheetId": desk.id, "rows": [{"id": "c"}]})),
        ("syncDataset", desk.sync("id,name\na,z\n", json!({}), json!({}))),
        (
            "syncDataset",
            json!({"left": {"spreadsheetId": desk.id}, "right": {"file": "o.csv"}, "key": ["id"]}),
        ),
    ] {
        let error = desk.err(tool, arguments).await;
        assert!(error.contains("merged cells, B1:C1"), "{tool}: {error}");
    }
    let desk =
        Desk::new(json!([["id", "name", "n"], ["a", "x", 1], ["b", "", 2], ["c", "z", 3]])).await;
    desk.send(json!([merge((1, 3), (1, 2))])).await;
    let page = desk.ok("readSheet", json!({"spreadsheetId": desk.id})).await;
    assert_eq!(
        page["rows"][1]["cells"],
        json!({"id": "b", "n": 2}),
        "the first cell of a merge has its value"
    );
    let error = desk
        .err("syncDataset", desk.sync("id,name,n\na,x,1\nb,new,2\nc,z,3\n", json!({}), json!({})))
        .await;
    assert!(error.contains("cell B3 is covered by the merged cells B2:B3"), "{error}");
    let error = desk
        .err(
            "syncDataset",
            desk.sync("id,name,n\nb,,2\nc,z,3\n", json!({}), json!({"deletes": "delete"})),
        )
        .await;
    assert!(error.contains("row 2") && error.contains("B2:B3"), "{error}");
    desk.apply("id,name,n\na,first,1\nb,,2\nc,z,3\nd,w,4\n", json!({}), json!({})).await;
    assert_eq!(
        desk.seen("A2:C5").await,
        json!([["a", "first", 1], ["b", "", 2], ["c", "z", 3], ["d", "w", 4]])
    );
}

#[tokio::test]
async fn a_table_of_the_spreadsheet_is_found_by_its_name_and_grows() {
    let desk = Desk::new(json!([
        ["", "", ""],
        ["", "id", "n"],
        ["", "a", 1],
        ["", "b", 2],
        ["", "below", ""]
    ]))
    .await;
    desk.send(json!([{"addTable": {"table": {"name": "Stock", "range": area((1, 4), (1, 3))}}}]))
        .await;
    for range in ["Stock", "B2:C4"] {
        let csv = if range == "Stock" { "id,n\na,1\nb,2\nc,3\n" } else { "id,n\na,1\nb,9\nc,3\n" };
        let range = if range == "Stock" { range } else { "B2:C5" };
        desk.apply(csv, json!({"range": range}), json!({})).await;
    }
    assert_eq!(
        desk.seen("A1:C6").await,
        json!([[], ["", "id", "n"], ["", "a", 1], ["", "b", 9], ["", "c", 3], ["", "below"]])
    );
    let found =
        desk.ok("describeSpreadsheet", json!({"spreadsheetId": desk.id, "range": "stock"})).await;
    assert_eq!(
        (&found["sheets"][0]["tables"], &found["sheets"][0]["dataRows"]),
        (&json!(["Stock (B2:C5)"]), &json!(3))
    );
    // A sheet with one table: rows that are appended are the table's too.
    let desk = Desk::new(json!([["id", "n"], ["a", 1]])).await;
    desk.send(json!([{"addTable": {"table": {"name": "All", "range": area((0, 2), (0, 2))}}}]))
        .await;
    desk.ok("appendRows", json!({"spreadsheetId": desk.id, "rows": [["b", 2]]})).await;
    let found = desk.ok("describeSpreadsheet", json!({"spreadsheetId": desk.id})).await;
    assert_eq!(found["sheets"][0]["tables"], json!(["All (A1:B3)"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn protected_ranges_are_listed_and_refused_before_anything_is_written() {
    let desk = Desk::new(json!([["id", "n", "m"], ["a", 1, 1], ["b", 2, 2]])).await;
    let protect = |range: Value, name: &str, warning: bool| {
        json!({"addProtectedRange": {"protectedRange": {"range": range, "description": name, "warningOnly": warning,
            "editors": {"users": ["boss@example.com"]}}}})
    };
    let column = |at: u32| json!({"sheetId": 0, "startColumnIndex": at, "endColumnIndex": at + 1});
    desk.send(json!([protect(column(1), "prices", false), protect(column(2), "careful", true)]))
        .await;
    // The owner may edit all of it; an account that is none of the editors may not.
    desk.apply("id,n,m\na,5,1\nb,2,2\n", json!({}), json!({})).await;
    let clerk = desk.as_user("clerk@example.com");
    let found = clerk.call("describeSpreadsheet", json!({"spreadsheetId": desk.id})).unwrap();
    assert_eq!(
        found["sheets"][0]["protected"],
        json!(["\"prices\" B:B, not editable by this account", "\"careful\" C:C, warning only"])
    );
    for (csv, more) in [
        ("id,n,m\na,6,1\nb,2,2\n", json!({})),
        ("id,n,m\na,5,1\nb,2,2\nc,3,3\n", json!({})),
        ("id,n,m\na,5,1\n", json!({"deletes": "delete"})),
    ] {
        let error = clerk.call("syncDataset", desk.sync(csv, json!({}), more)).unwrap_err();
        assert!(error.contains("\"prices\"") && error.contains("cannot edit"), "{csv}: {error}");
    }
    let error = clerk
        .call("appendRows", json!({"spreadsheetId": desk.id, "rows": [["c", 3]]}))
        .unwrap_err();
    assert!(error.contains("\"prices\""), "{error}");
    assert_eq!(desk.seen("A1:C4").await, json!([["id", "n", "m"], ["a", 5, 1], ["b", 2, 2]]));
    let refused = desk
        .send_as(
            Some("clerk@example.com"),
            json!([{"repeatCell": {"range": area((1, 2), (1, 2)),
        "cell": {"userEnteredValue": {"numberValue": 9}}, "fields": "userEnteredValue"}}]),
        )
        .await
        .unwrap_err();
    assert!(refused.contains("protected cell or object"), "{refused}");
    // What only warns, and what is not protected, is written.
    let report = clerk
        .call("syncDataset", desk.sync("id,n,m\na,5,10\nb,2,2\n", json!({}), json!({})))
        .unwrap();
    assert_eq!(report["counts"]["update"], 1);
    assert_eq!(desk.seen("C2:C2").await, json!([[10]]));
}
