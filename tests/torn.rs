//! Kills between a write that was disturbed and its repair: the next run mends what the dead one could not.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::stage::{Stage, delete_row, insert_row, put, raise_row, sort};

/// The columns, the last of which is not mapped.
const HEADER: &str = "id,name,note,mine";

fn csv(second: bool) -> String {
    let mut csv = String::from("id,name,note\n");
    for row in 0..10 {
        let name = if second && [2, 3, 5].contains(&row) { "second" } else { "name" };
        if !(second && row == 7) {
            csv.push_str(&format!("k{row},k{row}.{name},k{row}.note\n"));
        }
    }
    if second {
        csv.push_str("new,new.name,new.note\n");
    }
    csv
}

fn arguments(stage: &Stage, direction: &str, guard: &str) -> Value {
    json!({
        "name": "torn", "left": {"file": "t.csv"}, "right": {"spreadsheetId": stage.id, "sheet": "T"},
        "key": ["id"], "direction": direction, "deletes": "delete", "mode": "apply", "guard": guard,
        "maxDeletePercent": 100, "override": ["duplicateKeys"],
    })
}

/// Starts with ten rows in step, each with a text of its own beside the table.
async fn start(direction: &str, guard: &str) -> (Stage, Value) {
    let stage = Stage::new().await;
    let mut rows = vec![json!(HEADER.split(',').collect::<Vec<_>>())];
    rows.extend((0..10).map(|n| {
        json!([format!("k{n}"), format!("k{n}.name"), format!("k{n}.note"), format!("k{n}.mine")])
    }));
    let table = json!({"spreadsheetId": stage.id, "range": "A1", "values": rows});
    stage.call("updateCells", table).await.unwrap();
    std::fs::write(stage.file("t.csv"), csv(false)).unwrap();
    let arguments = arguments(&stage, direction, guard);
    let columns = ["id", "name", "note"].map(|name| json!({"name": name}));
    let mut arguments = arguments;
    arguments["columns"] = json!(columns);
    stage.call("syncDataset", arguments.clone()).await.unwrap();
    std::fs::write(stage.file("t.csv"), csv(true)).unwrap();
    (stage, arguments)
}

/// Returns the rows that have something in them, by key.
async fn table(stage: &Stage) -> BTreeMap<String, Vec<String>> {
    let mut table = BTreeMap::new();
    for row in
        stage.rows().await.into_iter().skip(1).filter(|row| row.iter().any(|c| !c.is_empty()))
    {
        let doubled = table.insert(row[0].clone(), row);
        assert!(doubled.is_none(), "doubled: {doubled:?}");
    }
    table
}

fn misplaced(table: &BTreeMap<String, Vec<String>>) -> Vec<&Vec<String>> {
    let own = |row: &&Vec<String>| {
        row[1..].iter().all(|cell| cell.is_empty() || cell.split('.').next() == Some(&row[0]))
    };
    table.values().filter(|row| !own(row)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_left_on_wrong_rows_is_put_back_by_the_next() {
    let races: Vec<(&str, Vec<Value>)> = vec![
        ("sorted", vec![sort(0, true)]),
        ("a row inserted above", vec![insert_row(1)]),
        ("a row inserted between", vec![insert_row(5)]),
        ("a row raised", vec![raise_row(6)]),
        ("sorted, and a row inserted", vec![sort(1, true), insert_row(3)]),
        ("a row with text and no key came", vec![insert_row(2), put(2, 3, ".mine")]),
        ("inserted, and edited where it hits", vec![insert_row(1), put(4, 1, "k2.theirs")]),
    ];
    let (mut kills, mut torn) = (0, 0);
    for direction in ["leftToRight", "both"] {
        // The guard, the write of it that is disturbed, and how it would have ended.
        let (calm, arguments) = start(direction, "readBack").await;
        calm.call("syncDataset", arguments).await.unwrap();
        let (file, wanted) =
            (std::fs::read_to_string(calm.file("t.csv")).unwrap(), table(&calm).await);
        for (name, race) in &races {
            let (stage, arguments) = start(direction, "readBack").await;
            stage.race(&[(0, race.clone())]).await;
            assert!(stage.kill_at("syncDataset", &arguments, "torn").await, "{name} tore nothing");
            stage.faults(json!([])).await;
            kills += 1;
            torn += usize::from(!misplaced(&table(&stage).await).is_empty());
            let report = stage.call("syncDataset", arguments.clone()).await.unwrap();
            let mut ended = table(&stage).await;
            // A row without a key has only what somebody gave it.
            if let Some(row) = ended.remove("") {
                assert_eq!(row, ["", "", "", ".mine"], "{direction}, {name}: {report:#}");
            }
            assert_eq!(ended, wanted, "{direction}, {name}: {report:#}");
            assert_eq!(
                std::fs::read_to_string(stage.file("t.csv")).unwrap(),
                file,
                "{direction}, {name}"
            );
            let again = stage.call("syncDataset", arguments).await.unwrap();
            assert_eq!(again["state"], "inStep", "{direction}, {name}: {again:#}");
        }
    }
    println!(
        "{kills} kills between a disturbed write and its repair, {torn} with values on wrong rows: all put back"
    );
    assert!(torn >= 10, "{torn}");
}

/// With anchors a shift refuses the batch; what is left is a row that takes the place of one that is deleted.
#[tokio::test(flavor = "multi_thread")]
async fn an_anchored_run_that_is_killed_there_is_mended_too() {
    let (stage, arguments) = start("both", "auto").await;
    let race = vec![delete_row(3), insert_row(3), put(3, 0, "z"), put(3, 2, "z.note")];
    stage.race(&[(1, race)]).await;
    assert!(stage.kill_at("syncDataset", &arguments, "torn").await);
    stage.faults(json!([])).await;
    let before = table(&stage).await;
    assert_eq!(misplaced(&before), [&["z", "k2.second", "z.note", ""].map(str::to_owned).to_vec()]);
    stage.call("syncDataset", arguments).await.unwrap();
    let after = table(&stage).await;
    assert_eq!(misplaced(&after), [] as [&Vec<String>; 0]);
    assert_eq!(after["z"], ["z", "", "z.note", ""]);
}

/// What a person wrote since into a cell that was hit stays.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_wrote_meanwhile_stays() {
    let (stage, arguments) = start("both", "readBack").await;
    stage.race(&[(0, vec![insert_row(1)])]).await;
    assert!(stage.kill_at("syncDataset", &arguments, "torn").await);
    stage.faults(json!([])).await;
    let rows = stage.rows().await;
    let hit = rows.iter().position(|row| row[0] == "k4").unwrap();
    assert_eq!(rows[hit][1], "k5.second");
    let edit = json!({"spreadsheetId": stage.id, "range": format!("B{}", hit + 1), "values": [["k4.theirs"]]});
    stage.call("updateCells", edit).await.unwrap();
    stage.call("syncDataset", arguments).await.unwrap();
    let after = table(&stage).await;
    assert_eq!(misplaced(&after), [] as [&Vec<String>; 0]);
    assert_eq!(after["k4"][1], "k4.theirs");
    assert!(std::fs::read_to_string(stage.file("t.csv")).unwrap().contains("k4,k4.theirs,k4.note"));
}
