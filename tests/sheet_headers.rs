//! The header may stand anywhere, and tells the tables of one sheet apart.

use serde_json::{Value, json};

use crate::desk::Desk;

#[tokio::test]
async fn a_header_is_found_wherever_it_stands() {
    // Blank rows and columns before it are no part of the table; lines above it are passed by naming its row.
    let blank = json!([[], [], ["", "", "id", "n"], ["", "", "a", 1], ["", "", "b", 2]]);
    let titled = json!([
        ["Stock of the shop"],
        ["as of", {"date": "2024-01-15"}],
        ["", "", "id", "n"],
        ["", "", "a", 1],
        ["", "", "b", 2],
    ]);
    for (values, to) in [
        (blank, json!({})),
        (titled.clone(), json!({"headerRow": 3})),
        (titled, json!({"range": "C3"})),
    ] {
        let desk = Desk::new(values).await;
        let above = desk.seen("A1:D2").await;
        let csv = "id,n\na,11\nb,2\nc,3\n";
        let report = desk.apply(csv, to.clone(), json!({})).await;
        let counts = (&report["counts"]["update"], &report["counts"]["insert"]);
        assert_eq!(counts, (&json!(1), &json!(1)), "{to}: {report:#}");
        assert_eq!(
            desk.seen("C3:D9").await,
            json!([["id", "n"], ["a", 11], ["b", 2], ["c", 3]]),
            "{to}"
        );
        assert_eq!(desk.seen("A1:D2").await, above, "{to}");
        let again = desk.apply(csv, to.clone(), json!({"deletes": "delete"})).await;
        assert_eq!(again["state"], "inStep", "{to}");
        let gone = desk.apply("id,n\nb,2\nc,3\n", to.clone(), json!({"deletes": "delete"})).await;
        assert_eq!(gone["counts"]["delete"], 1, "{to}: {gone:#}");
        assert_eq!(desk.seen("C3:D9").await, json!([["id", "n"], ["b", 2], ["c", 3]]), "{to}");
        assert_eq!(desk.seen("A1:D2").await, above, "{to}");
    }
}

/// Two tables below each other and one beside them, all with a column `id`.
fn three_tables() -> Value {
    json!([
        ["id", "n", "", "id", "m"],
        ["a", 1, "", "x", 10],
        ["b", 2, "", "y", 20],
        [],
        [],
        [],
        ["id", "owner"],
        ["p", "Pia"],
        ["q", "Quin"],
    ])
}

#[tokio::test]
async fn a_cell_or_the_row_of_its_header_names_a_table() {
    // Below each other: the lower one by its header's row.
    let desk = Desk::new(three_tables()).await;
    let lower = json!({"headerRow": 7});
    let report = desk.apply("id,owner\np,Paul\nq,Quin\nr,Ria\n", lower.clone(), json!({})).await;
    assert_eq!(report["counts"]["insert"], 1, "{report:#}");
    assert_eq!(
        desk.seen("A7:B12").await,
        json!([["id", "owner"], ["p", "Paul"], ["q", "Quin"], ["r", "Ria"]])
    );
    // Beside each other: by a cell of its header, whichever it is.
    for cell in ["D1", "E1"] {
        let to = json!({"range": cell});
        let m = if cell == "D1" { 11 } else { 12 };
        let report = desk.apply(&format!("id,m\nx,{m}\ny,20\n"), to, json!({})).await;
        assert_eq!(report["counts"]["update"], 1, "{cell}: {report:#}");
    }
    // The upper one ends where its range ends.
    let upper = json!({"range": "A1:B5"});
    let report = desk.apply("id,n\na,1\nb,3\n", upper, json!({"deletes": "delete"})).await;
    assert_eq!(report["counts"]["delete"], 0, "{report:#}");
    assert_eq!(
        desk.seen("A1:E12").await,
        json!([
            ["id", "n", "", "id", "m"],
            ["a", 1, "", "x", 12],
            ["b", 3, "", "y", 20],
            [],
            [],
            [],
            ["id", "owner"],
            ["p", "Paul"],
            ["q", "Quin"],
            ["r", "Ria"],
        ])
    );
    // A name that two headers of the row have is not guessed at.
    let error = desk.err("syncDataset", desk.sync("id,n\na,1\n", json!({}), json!({}))).await;
    assert!(error.contains("\"id\"") && error.contains("Next: "), "{error}");
}
