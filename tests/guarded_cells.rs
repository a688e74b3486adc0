//! `ifUnchanged` of updateCells, while somebody else moves rows in the moment before a write.

use serde_json::{Value, json};

use crate::stage::{Stage, delete_row, insert_row, put, raise_row, sort};

async fn start() -> Stage {
    let stage = Stage::new().await;
    let mut rows = vec![json!(["id", "n", "day", "double"])];
    rows.extend((1..=6).map(|n| {
        let formula = json!({"formula": format!("=B{}*2", n + 1)});
        json!([format!("k{n}"), n, {"date": format!("2024-01-0{n}")}, formula])
    }));
    stage.update(json!({"range": "A1", "values": rows})).await.unwrap();
    stage
}

impl Stage {
    async fn update(&self, mut arguments: Value) -> Result<Value, String> {
        arguments["spreadsheetId"] = json!(self.id);
        self.call("updateCells", arguments).await
    }

    async fn guarded(&self) -> Result<Value, String> {
        let values = json!([[20, {"date": "2025-02-02"}], [30, null]]);
        let expected = json!([[2, "2024-01-02"], [3, null]]);
        self.update(json!({"range": "B3", "values": values, "ifUnchanged": expected})).await
    }
}

/// Whatever happens: the write is made where the expected values are, or it has no effect at all.
#[tokio::test]
async fn a_guarded_write_is_made_where_it_was_meant_or_not_at_all() {
    let races: Vec<(&str, Vec<Value>)> = vec![
        ("nothing", vec![]),
        ("a row inserted above", vec![insert_row(1)]),
        ("a row inserted between", vec![insert_row(3)]),
        ("a row inserted below", vec![insert_row(5)]),
        ("sorted", vec![sort(0, true)]),
        ("sorted to the same", vec![sort(0, false)]),
        ("a row raised", vec![raise_row(5)]),
        ("a row deleted above", vec![delete_row(1)]),
        ("a row deleted that is written", vec![delete_row(2)]),
        (
            "all below deleted",
            vec![json!({"deleteDimension": {"range":
            {"sheetId": 0, "dimension": "ROWS", "startIndex": 2, "endIndex": 1000}}})],
        ),
        (
            "a column inserted",
            vec![json!({"insertDimension": {"range":
            {"sheetId": 0, "dimension": "COLUMNS", "startIndex": 0, "endIndex": 1}}})],
        ),
        ("edited beside", vec![put(2, 0, "k2.edited")]),
        ("edited where it was expected", vec![put(3, 1, "theirs")]),
        ("another row in place of one", vec![delete_row(2), insert_row(2), put(2, 0, "z")]),
        ("moved there and back", vec![insert_row(1), delete_row(1)]),
    ];
    let (mut made, mut refused) = (0, 0);
    for (name, race) in &races {
        // What the race alone comes to.
        let shadow = start().await;
        shadow.race(&[(0, race.clone())]).await;
        let same = json!({"range": if *name == "a column inserted" { "B1" } else { "A1" }, "values": [["id"]]});
        shadow.update(same).await.unwrap();
        for nth in [0, 1] {
            let stage = start().await;
            stage.race(&[(nth, race.clone())]).await;
            let outcome = stage.guarded().await;
            stage.faults(json!([])).await;
            let mut wanted = shadow.rows().await;
            match outcome {
                Ok(output) => {
                    made += 1;
                    assert_eq!(output["written"], true);
                    wanted[2][1..].clone_from_slice(&["20", "2025-02-02", "40"].map(str::to_owned));
                    (wanted[3][1], wanted[3][3]) = ("30".into(), "60".into());
                }
                Err(error) => {
                    refused += 1;
                    let gone = *name == "all below deleted" && error.contains("beyond the sheet");
                    let honest = error.starts_with("changed") || gone;
                    assert!(honest, "{name}, before write {nth}: {error}");
                }
            }
            // An edit of a cell that is written, after the last look at it, cannot be seen.
            if *name == "edited where it was expected" && nth == 1 {
                wanted[3][1] = "30".into();
            }
            assert_eq!(stage.rows().await, wanted, "{name}, before write {nth}");
        }
    }
    println!("{made} guarded writes were made where they were meant, {refused} had no effect");
    assert!(made >= 8 && refused >= 14, "{made} {refused}");
}

#[tokio::test]
async fn a_guarded_write_costs_one_call_more_and_rows_that_never_rest_are_told() {
    let stage = start().await;
    let before = stage.app.context().google.calls().writes;
    stage.guarded().await.unwrap();
    assert_eq!(stage.app.context().google.calls().writes - before, 2);
    let again = json!({"range": "B3", "values": [[21]], "ifUnchanged": [[20]]});
    // Each look finds the row elsewhere, and each next one finds it where it was.
    let shuffle =
        |n: u64| (n, vec![if n.is_multiple_of(2) { insert_row(1) } else { delete_row(1) }]);
    stage.race(&(0..40).map(shuffle).collect::<Vec<_>>()).await;
    let before = stage.rows().await;
    let error = stage.update(again).await.unwrap_err();
    assert!(error.starts_with("changed") && error.contains("nothing was written"), "{error}");
    assert_eq!(stage.rows().await, before);
}

#[tokio::test]
async fn more_rows_than_can_be_guarded_are_refused() {
    let stage = start().await;
    let rows = |value: i64| vec![json!([value]); 901];
    let arguments = json!({"range": "H1", "values": rows(1), "ifUnchanged": [[""]]});
    let error = stage.update(arguments).await.unwrap_err();
    assert!(error.starts_with("tooLarge") && error.contains("900"), "{error}");
}
