//! `[access] maxRows` and `maxCells`: how much one call shows and writes.

use std::num::NonZeroU64;

use serde_json::{Value, json};

use crate::harness::House;

/// Starts with limits; the person at the machine has the role admin.
async fn house(rows: u64, cells: u64) -> House {
    House::with(|config| {
        config.access.max_rows = NonZeroU64::new(rows);
        config.access.max_cells = NonZeroU64::new(cells);
    })
    .await
}

/// Makes a sheet with a header and two rows, and appends more one by one.
async fn sheet(house: &House, rows: usize) -> String {
    let values = json!([["id", "name", "qty"], ["1", "n", 1]]);
    let new =
        json!({"type": "spreadsheet", "name": "S", "sheets": [{"title": "S", "values": values}]});
    let id = house.ok("createFile", new).await["id"].as_str().unwrap().to_owned();
    for number in 2..=rows {
        let row = json!({"id": number.to_string(), "name": "n", "qty": number});
        house.ok("appendRows", json!({"spreadsheetId": id, "rows": [row]})).await;
    }
    id
}

/// Panics unless an error says the limit, the number asked and what to do.
fn told(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
}

#[tokio::test]
async fn a_page_of_a_sheet_ends_at_the_limit_and_goes_on() {
    let house = house(3, 1_000).await;
    let id = sheet(&house, 7).await;
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    for pages in 1.. {
        let page = house
            .ok("readSheet", json!({"spreadsheetId": id, "limit": 2000, "cursor": cursor}))
            .await;
        let rows = page["rows"].as_array().unwrap();
        assert!(rows.len() <= 3, "{page}");
        seen.extend(rows.iter().map(|row| row["row"].as_u64().unwrap()));
        cursor = page["nextCursor"].clone();
        if page["truncated"] == false {
            assert_eq!(pages, 3);
            break;
        }
    }
    assert_eq!(seen, (2..=8).collect::<Vec<_>>());
    let resource = house.resource(&format!("sheet://{id}/S")).await;
    assert_eq!(resource[0].lines().count(), 3, "{resource:?}");
}

#[tokio::test]
async fn a_page_holds_no_more_cells_than_allowed() {
    let cells = house(1_000, 6).await;
    let id = sheet(&cells, 5).await;
    let page = cells.ok("readSheet", json!({"spreadsheetId": id})).await;
    assert_eq!((page["rows"].as_array().unwrap().len(), &page["truncated"]), (2, &json!(true)));
    let narrow = house(1_000, 2).await;
    let new = json!({"type": "spreadsheet", "name": "S"});
    let id = narrow.ok("createFile", new).await["id"].as_str().unwrap().to_owned();
    for range in ["A1", "B1", "C1", "A2"] {
        let values = json!([["x"]]);
        narrow
            .ok("updateCells", json!({"spreadsheetId": id, "range": range, "values": values}))
            .await;
    }
    let wide = narrow
        .err("readSheet", json!({"spreadsheetId": id, "as": "rows", "columns": ["A", "B", "C"]}))
        .await;
    told(&wide, &["3 cells in one row", "at most 2", "maxCells", "columns"]);
    let page =
        narrow.ok("readSheet", json!({"spreadsheetId": id, "as": "rows", "columns": ["A"]})).await;
    assert_eq!(page["rows"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_written_at_once_is_bounded() {
    let house = house(3, 6).await;
    let id = sheet(&house, 3).await;
    let many = json!([["a"], ["b"], ["c"], ["d"]]);
    let error =
        house.err("updateCells", json!({"spreadsheetId": id, "range": "A2", "values": many})).await;
    told(&error, &["tooLarge", "4 rows", "role admin", "at most 3", "maxRows", "fewer"]);
    let wide = json!([["a", "b", "c"], ["a", "b", "c"], ["a", "b", "c"]]);
    let error =
        house.err("updateCells", json!({"spreadsheetId": id, "range": "A2", "values": wide})).await;
    told(&error, &["9 cells", "at most 6", "maxCells"]);
    let rows: Vec<Value> = (0..4).map(|n| json!([format!("x{n}")])).collect();
    let error = house.err("appendRows", json!({"spreadsheetId": id, "rows": rows})).await;
    told(&error, &["4 rows", "at most 3"]);
    let rows = json!([["x", "y", 1], {"id": "x", "name": "y", "qty": 1}, ["z"]]);
    let error = house.err("appendRows", json!({"spreadsheetId": id, "rows": rows})).await;
    told(&error, &["7 cells", "at most 6"]);
    let new = json!({"type": "spreadsheet", "name": "T", "sheets": [{"title": "A", "values": [[1], [2]]},
        {"title": "B", "values": [[1], [2]]}]});
    told(&house.err("createFile", new).await, &["4 rows", "at most 3"]);
    let page = house.ok("readSheet", json!({"spreadsheetId": id})).await;
    assert_eq!(page["rows"][0]["cells"]["name"], "n", "nothing was written: {page}");
    let page = house.ok("readSheet", json!({"spreadsheetId": id, "cursor": "5"})).await;
    assert_eq!(page["rows"], json!([]), "nothing was appended");
    let found = house.ok("findFiles", json!({"name": "T"})).await;
    assert_eq!(found["files"], json!([]), "nothing was created");
}

#[tokio::test]
async fn a_plan_beyond_the_limit_is_refused_and_a_part_of_it_goes() {
    let house = house(3, 1_000).await;
    house.write("people.csv", "id,name\n1,Ann\n2,Bo\n3,Cy\n4,Di\n");
    house.write("target.csv", "id,name\n");
    let sync = |extra: Value| {
        let mut all = json!({"name": "people", "left": {"file": "people.csv"}, "right": {"file": "target.csv"},
            "key": ["id"], "maxChangePercent": 100});
        all.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        all
    };
    for mode in ["plan", "apply"] {
        let error = house.err("syncDataset", sync(json!({"mode": mode}))).await;
        told(&error, &["tooLarge", "4 rows", "at most 3", "keys", "nothing was written"]);
    }
    let target = || std::fs::read_to_string(house.folder.path().join("target.csv")).unwrap();
    assert_eq!(target(), "id,name\n");
    let part =
        house.ok("syncDataset", sync(json!({"mode": "apply", "keys": ["1", "2", "3"]}))).await;
    assert_eq!(part["state"], "applied");
    assert_eq!(part["changes"].as_array().unwrap().len(), 3);
    let rest = house.ok("syncDataset", sync(json!({"mode": "apply"}))).await;
    assert_eq!(rest["state"], "applied");
    assert_eq!(target().lines().count(), 5);
    let checked = house.ok("verifyDataset", json!({"name": "people"})).await;
    assert_eq!(checked["inStep"], true, "{checked}");
    // Four rows drift: they are counted, and three are shown.
    house.write("target.csv", "id,name\n1,w\n2,w\n3,w\n4,w\n");
    let checked = house.ok("verifyDataset", json!({"name": "people", "limit": 200})).await;
    assert_eq!(checked["byKind"], json!({"cell": 4}), "{checked}");
    assert_eq!(checked["drift"].as_array().unwrap().len(), 3, "{checked}");
}

#[tokio::test]
async fn a_rollback_is_bounded_and_its_plan_is_shown_in_part() {
    // The operator wrote five rows; then a limit of three comes.
    let house = House::new().await;
    house.write("people.csv", "id,name\n1,Ann\n2,Bo\n3,Cy\n4,Di\n5,Ed\n");
    house.write("target.csv", "id,name\n");
    let sync = json!({"name": "people", "left": {"file": "people.csv"}, "right": {"file": "target.csv"}, "key": ["id"],
        "mode": "apply", "maxChangePercent": 100});
    let run = house.ok("syncDataset", sync).await;
    let (run, plan) = (run["runId"].clone(), run["planId"].as_str().unwrap().to_owned());
    let mut context = house.app.context();
    let limits = lockstep::principal::Limits::new(lockstep::principal::Role::Reader, Some(3), None);
    context.limits = limits;
    let call = async |name: &str, arguments: Value| {
        let Value::Object(arguments) = arguments else { panic!() };
        crate::harness::tool(name).call(&context, arguments).await
    };
    let error = call("rollbackSync", json!({"runId": run})).await.unwrap_err().to_string();
    told(&error, &["5 rows", "role reader", "at most 3", "keys"]);
    let part = call("rollbackSync", json!({"runId": run, "keys": ["1", "2"]})).await.unwrap();
    assert_eq!(part["state"], "planned");
    let history = call("syncHistory", json!({"runId": run, "limit": 200})).await.unwrap();
    assert_eq!(history["changes"].as_array().unwrap().len(), 3, "{history}");
    assert!(history["cursor"].is_string(), "{history}");
    let page = format!("lockstep://plans/{plan}");
    let contents = lockstep::server::resources::read(&context, &page).await.unwrap().unwrap();
    assert_eq!(contents.len(), 1, "the CSV with all five rows is left out");
    let text = serde_json::to_value(&contents[0]).unwrap()["text"].as_str().unwrap().to_owned();
    assert!(text.contains("Ann") && !text.contains("Di") && text.contains("2 more rows"), "{text}");
    let error =
        lockstep::server::resources::read(&context, &format!("{page}.csv")).await.unwrap_err();
    told(&error.to_string(), &["5 rows", "at most 3", "page"]);
}

/// Runs a call by the program, in a folder with a lockstep.toml; returns what it said, and whether it went well.
fn called(folder: &std::path::Path, tool: &str, arguments: &Value) -> (bool, String) {
    let mut command = crate::support::lockstep(folder);
    command.args(["--allow-write", "call", tool, &arguments.to_string()]);
    let done = command.output().unwrap();
    (done.status.success(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

#[test]
fn where_nothing_may_be_written_the_program_writes_nothing_and_reaches_named_files_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    rusqlite::Connection::open(path("shop.db"))
        .unwrap()
        .execute_batch("CREATE TABLE stock (id TEXT PRIMARY KEY, qty TEXT)")
        .unwrap();
    std::fs::write(path("a.csv"), "id,qty\n1,one\n").unwrap();
    std::fs::write(path("b.csv"), "id,qty\n").unwrap();
    let connection =
        "[connections.shop]\nkind = \"sqlite\"\nurl = \"sqlite:shop.db\"\nwritable = true\n";
    let configure = |access: &str| {
        std::fs::write(path("lockstep.toml"), format!("{connection}[access]\n{access}\n")).unwrap();
    };
    let call = |tool: &str, arguments: Value| called(folder.path(), tool, &arguments);
    let make = |name: &str| {
        let new = json!({"type": "spreadsheet", "name": name, "sheets": [{"title": "S", "values": [["id", "qty"]]}]});
        let (well, said) = call("createFile", new);
        assert!(well, "{said}");
        serde_json::from_str::<Value>(&said).unwrap()["id"].as_str().unwrap().to_owned()
    };
    configure("");
    let (named, other) = (make("Named"), make("Other"));
    let writes = || {
        let sync = |right: Value| json!({"left": {"file": "a.csv"}, "right": right, "key": ["id"], "mode": "apply", "maxChangePercent": 100});
        [
            ("updateCells", json!({"spreadsheetId": named, "range": "A2", "values": [["x"]]})),
            ("appendRows", json!({"spreadsheetId": named, "rows": [["1", "one"]]})),
            ("createFile", json!({"type": "spreadsheet", "name": "New"})),
            ("syncDataset", sync(json!({"spreadsheetId": named, "sheet": "S"}))),
            ("syncDataset", sync(json!({"file": "b.csv"}))),
            ("syncDataset", sync(json!({"connection": "shop", "table": "stock"}))),
        ]
    };
    configure("readOnly = true");
    for (tool, arguments) in writes() {
        let (well, said) = call(tool, arguments.clone());
        assert!(!well, "{tool} {arguments}: {said}");
    }
    let (well, said) = call("readSheet", json!({"spreadsheetId": named}));
    assert!(well, "what is there can be read: {said}");
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["rows"], json!([]), "{said}");
    let (_, found) = call("findFiles", json!({"name": "New"}));
    assert_eq!(serde_json::from_str::<Value>(&found).unwrap()["files"], json!([]), "{found}");
    assert_eq!(std::fs::read_to_string(path("b.csv")).unwrap(), "id,qty\n");
    let count = || {
        let shop = rusqlite::Connection::open(path("shop.db")).unwrap();
        shop.query_row("SELECT COUNT(*) FROM stock", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count(), 0);

    configure(&format!("files = [\"{named}\"]"));
    let (well, said) = call("readSheet", json!({"spreadsheetId": other}));
    assert!(!well && said.contains("[access]"), "{said}");
    let cells = json!({"spreadsheetId": other, "range": "A2", "values": [["x"]]});
    assert!(!call("updateCells", cells).0);
    // And with neither, all of these are carried out.
    configure("");
    for (tool, arguments) in writes() {
        let (well, said) = call(tool, arguments.clone());
        assert!(well, "{tool} {arguments}: {said}");
    }
    assert_eq!(
        (count(), std::fs::read_to_string(path("b.csv")).unwrap().as_str()),
        (1, "id,qty\n1,one\n")
    );
}
