//! Bad input: each is refused with what was wrong, where, and what to do next; nothing is written.

use serde_json::{Value, json};

use crate::harness::House;

/// Returns what an error does not say of `words`, and whether it says what to do next.
fn unsaid(error: &str, words: &[&str]) -> Option<String> {
    let missing: Vec<&str> =
        words.iter().copied().chain(["\nNext: "]).filter(|word| !error.contains(word)).collect();
    (!missing.is_empty()).then(|| format!("does not say {missing:?}:\n{error}"))
}

/// Asserts that an error names all of `words` and says what to do next.
fn tells(error: &str, words: &[&str]) {
    assert_eq!(unsaid(error, words), None);
}

async fn fleet(house: &House) -> String {
    let values = json!([["id", "name"], ["a", "x"], ["b", "y"]]);
    let made = house
        .ok("createFile", json!({"type": "spreadsheet", "name": "Fleet", "sheets": [{"title": "planes", "values": values}]}))
        .await;
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn arguments_that_do_not_fit() {
    let house = House::new().await;
    let id = fleet(&house).await;
    let mut wrong = Vec::new();
    for (tool, arguments, words) in [
        (
            "readSheet",
            json!({"spredsheetId": id}),
            &["spredsheetId", "Did you mean \"spreadsheetId\"?"][..],
        ),
        ("readSheet", json!({}), &["spreadsheetId"]),
        ("readSheet", json!({"spreadsheetId": 5}), &["argument spreadsheetId", "string"]),
        ("readSheet", json!({"spreadsheetId": "no/such id"}), &["argument spreadsheetId"]),
        ("readSheet", json!({"spreadsheetId": id, "limit": 0}), &["limit", "2000"]),
        ("readSheet", json!({"spreadsheetId": id, "limit": 5000}), &["limit", "2000"]),
        ("readSheet", json!({"spreadsheetId": id, "cursor": "next"}), &["cursor"]),
        (
            "readSheet",
            json!({"spreadsheetId": id, "columns": ["nam"]}),
            &["\"nam\"", "Did you mean \"name\"?"],
        ),
        (
            "readSheet",
            json!({"spreadsheetId": id, "filter": [{"column": "id", "op": "eq"}]}),
            &["\"id\"", "value"],
        ),
        (
            "readSheet",
            json!({"spreadsheetId": id, "filter": [{"column": "id", "op": "like"}]}),
            &["filter[0].op", "like"],
        ),
        ("readSheet", json!({"spreadsheetId": id, "headerRow": 9}), &["row 9", "blank"]),
        (
            "readSheet",
            json!({"spreadsheetId": id, "sheet": "plane"}),
            &["\"plane\"", "Did you mean \"planes\"?"],
        ),
        ("readSheet", json!({"spreadsheetId": "1nowhere"}), &["1nowhere", "findFiles"]),
        (
            "updateCells",
            json!({"spreadsheetId": id, "range": "NOPE!!", "values": [[1]]}),
            &["argument range"],
        ),
        (
            "updateCells",
            json!({"spreadsheetId": id, "range": "A1:AAAAAAA9", "values": [[1]]}),
            &["argument range"],
        ),
        (
            "updateCells",
            json!({"spreadsheetId": id, "range": "ZZZ99999", "values": [[1]]}),
            &["ZZZ99999", "26 columns"],
        ),
        (
            "updateCells",
            json!({"spreadsheetId": id, "range": "A1:B1", "values": [[1, 2, 3]]}),
            &["3 columns", "A1:B1"],
        ),
        ("updateCells", json!({"spreadsheetId": id, "range": "A1", "values": []}), &["values"]),
        (
            "updateCells",
            json!({"spreadsheetId": id, "range": "A1", "values": [[{"date": "yesterday"}]]}),
            &["values[0][0]", "yesterday"],
        ),
        (
            "updateCells",
            json!({"spreadsheetId": id, "range": "A1", "values": [[{"formula": "1+1"}]]}),
            &["\"=\""],
        ),
        (
            "updateCells",
            json!({"spreadsheetId": id, "range": "A1", "values": [["x".repeat(50_001)]]}),
            &["A1", "50000"],
        ),
        ("appendRows", json!({"spreadsheetId": id, "rows": []}), &["rows"]),
        (
            "appendRows",
            json!({"spreadsheetId": id, "rows": [{"id": "c", "nme": "z"}]}),
            &["rows[0]", "\"nme\"", "\"name\""],
        ),
        (
            "appendRows",
            json!({"spreadsheetId": id, "rows": [["c", "z", 3]]}),
            &["rows[0]", "3 cells"],
        ),
        ("appendRows", json!({"spreadsheetId": id, "rows": [[""]]}), &["rows[0]", "blank"]),
        (
            "appendRows",
            json!({"spreadsheetId": id, "rows": [["c"]], "idempotencyKey": " "}),
            &["idempotencyKey"],
        ),
        ("createFile", json!({"type": "database", "name": "x"}), &["type", "database"]),
        (
            "createFile",
            json!({"type": "folder", "name": "x", "sheets": [{"title": "a"}]}),
            &["sheets"],
        ),
        ("createFile", json!({"type": "spreadsheet", "name": " "}), &["name"]),
        (
            "createFile",
            json!({"type": "spreadsheet", "name": "x", "sheets": [{"title": "a"}, {"title": "a"}]}),
            &["sheets[1]"],
        ),
        (
            "createFile",
            json!({"type": "spreadsheet", "name": "Lost", "folderId": "1nowhere"}),
            &["folderId", "1nowhere"],
        ),
        (
            "createFile",
            json!({"type": "file", "name": "Lost", "folderId": id}),
            &["folderId", "no folder"],
        ),
        ("findFiles", json!({"limit": 1000}), &["limit", "100"]),
    ] {
        match house.call(tool, arguments.clone()).await {
            Ok(result) => wrong.push(format!("{tool} {arguments} did not fail: {result}")),
            Err(error) => wrong.extend(unsaid(&error.to_string(), &[words, &[tool]].concat())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert_eq!(house.ok("findFiles", json!({"name": "Lost"})).await["files"], json!([]));
    let rows =
        house.ok("readSheet", json!({"spreadsheetId": id, "as": "rows"})).await["rows"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 3, "something was written: {rows}");
}

#[tokio::test]
async fn headers_that_cannot_be_used() {
    let house = House::new().await;
    for (values, words) in [
        (json!([["id", "name", "id"], [1, 2, 3]]), &["\"id\"", "column A", "column C"][..]),
        (json!([["id", "", "name"], [1, 2, 3]]), &["column B", "row 2"]),
    ] {
        let made = house
            .ok("createFile", json!({"type": "spreadsheet", "name": "x", "sheets": [{"title": "s", "values": values}]}))
            .await;
        tells(&house.err("readSheet", json!({"spreadsheetId": made["id"]})).await, words);
        house.ok("readSheet", json!({"spreadsheetId": made["id"], "as": "rows"})).await;
    }
    let empty = house.ok("createFile", json!({"type": "spreadsheet", "name": "empty"})).await;
    tells(
        &house.err("appendRows", json!({"spreadsheetId": empty["id"], "rows": [[1]]})).await,
        &["header", "empty"],
    );
    let page = house.ok("readSheet", json!({"spreadsheetId": empty["id"]})).await;
    assert_eq!((&page["rows"], &page["truncated"]), (&json!([]), &json!(false)));
}

fn sync(id: &str, file: &str) -> Value {
    json!({"left": {"file": file}, "right": {"spreadsheetId": id, "sheet": "planes"}, "key": ["id"], "mode": "apply", "deletes": "ignore"})
}

#[tokio::test]
async fn files_that_cannot_be_synced() {
    let house = House::new().await;
    let id = fleet(&house).await;
    let before = house.ok("readSheet", json!({"spreadsheetId": id})).await["rows"].clone();
    for (name, content, words) in [
        ("empty.csv", &b""[..], &["empty"][..]),
        ("blankhead.csv", b"id,,name\n1,2,3\n", &["no name", "column 2"]),
        ("twice.csv", b"id,name,id\n1,2,3\n", &["'id'"]),
        ("ragged.csv", b"id,name\n1,x\n2\n3,y,z\n", &["line 3"]),
        ("quote.csv", b"id,name\n1,\"x\n", &["line 2", "never closed"]),
        ("latin1.csv", b"id,name\n1,caf\xe9\n", &["UTF-8", "byte", "encoding"]),
        ("nokey.csv", b"ident,name\n1,x\n", &["\"id\"", "Did you mean \"ident\"?"]),
        ("cell.csv", format!("id,name\nc,{}\n", "x".repeat(50_001)).as_bytes(), &["50000"]),
    ] {
        house.write(name, content);
        tells(&house.err("syncDataset", sync(&id, name)).await, words);
    }
    let mut latin = sync(&id, "latin1.csv");
    latin["left"]["encoding"] = json!("windows-1252");
    latin["mode"] = json!("plan");
    let plan = house.ok("syncDataset", latin).await;
    assert_eq!(plan["changes"][0]["cells"]["name"], "café");
    tells(&house.err("syncDataset", sync(&id, "planes.cvs")).await, &["planes.cvs"]);
    tells(&house.err("syncDataset", sync(&id, "../secret.csv")).await, &["outside"]);
    let mut wrong = sync(&id, "nokey.csv");
    wrong["right"]["sheet"] = json!("Plane");
    wrong["key"] = json!(["ident"]);
    tells(&house.err("syncDataset", wrong).await, &["\"Plane\"", "Did you mean \"planes\"?"]);
    let after = house.ok("readSheet", json!({"spreadsheetId": id})).await["rows"].clone();
    assert_eq!(before, after);
}

#[tokio::test]
async fn files_in_other_dress_are_read_as_they_are_meant() {
    let house = House::new().await;
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain("id\tname\nü\t東\n".encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    for (name, content, row) in [
        ("bom.csv", b"\xef\xbb\xbfid,name\nz,1\n".to_vec(), json!({"id": "z", "name": 1})),
        ("crlf.csv", b"id,name\r\nz,\"a\r\nb\"\r\n".to_vec(), json!({"id": "z", "name": "a\r\nb"})),
        ("semi.csv", b"id;name\nz;1,5\n".to_vec(), json!({"id": "z", "name": "1,5"})),
        ("utf16.tsv", utf16, json!({"id": "ü", "name": "東"})),
    ] {
        house.write(name, content);
        let made = house
            .ok(
                "createFile",
                json!({"type": "spreadsheet", "name": name, "sheets": [{"title": "planes"}]}),
            )
            .await;
        let id = made["id"].as_str().unwrap();
        let report = house.ok("syncDataset", sync(id, name)).await;
        assert_eq!(
            (&report["state"], &report["counts"]["insert"]),
            (&json!("applied"), &json!(1)),
            "{name}: {report}"
        );
        let page = house.ok("readSheet", json!({"spreadsheetId": id})).await;
        assert_eq!(page["rows"][0]["cells"], row, "{name}");
    }
}

#[tokio::test]
async fn rows_without_a_usable_key_are_set_aside_and_block_deletes() {
    let house = House::new().await;
    let id = fleet(&house).await;
    house.write("keys.csv", "id,name\na,new\nd,1\nd,2\n,blank\n");
    let mut arguments = sync(&id, "keys.csv");
    arguments["deletes"] = json!("delete");
    arguments["override"] = json!(["duplicateKeys"]);
    let report = house.ok("syncDataset", arguments).await;
    assert_eq!(
        (&report["counts"]["setAside"], &report["counts"]["delete"]),
        (&json!(3), &json!(0)),
        "{report}"
    );
    let findings = report["findings"].to_string();
    assert!(
        findings.contains("'d'") && findings.contains("row 5") || findings.contains("line"),
        "{findings}"
    );
    let rows = house.ok("readSheet", json!({"spreadsheetId": id})).await["rows"].clone();
    assert_eq!(rows[0]["cells"]["name"], "new");
    assert_eq!(rows.as_array().unwrap().len(), 2, "b is not deleted, d is not written: {rows}");
}
