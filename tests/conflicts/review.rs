//! The review tab: people decide in a sheet, with a client of their own, and the next run writes it.

use serde_json::{Value, json};

use super::shop::{Right, Shop, edited};
use crate::{harness::House, support::wire};

/// A shop with a sheet, whose conflicts are shown in a tab.
async fn shop(left: &str, right: &str) -> Shop {
    let shop = Shop::new("sheet").await;
    shop.apply(json!({"reviewSheet": {"sheet": "To decide"}})).await;
    shop.write_left(left);
    shop.write_right(right).await;
    let report = shop.run().await;
    assert!(report["counts"]["conflicts"].as_u64().unwrap() > 0, "{report:#}");
    shop
}

fn id(shop: &Shop) -> &str {
    let Right::Sheet(id) = &shop.right else { panic!("no sheet") };
    id
}

async fn rows(house: &House, id: &str, sheet: &str) -> Vec<Vec<String>> {
    let page = house
        .ok("readSheet", json!({"spreadsheetId": id, "sheet": sheet, "as": "rows", "limit": 1000}))
        .await;
    let text = |cell: &Value| match cell {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    page["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["cells"].as_array().unwrap().iter().map(text).collect())
        .collect()
}

async fn tab(shop: &Shop) -> Vec<Vec<String>> {
    rows(&shop.house, id(shop), "To decide").await
}

/// Writes a cell of the tab as a person with a client of their own does: over plain HTTP, parsed by the service.
async fn types(shop: &Shop, cell: &str, value: Value) {
    let range = format!("'To decide'!{cell}");
    let body = json!({"valueInputOption": "USER_ENTERED", "data": [{"range": range, "values": [[value]]}]});
    send(shop, "POST", "/values:batchUpdate", &body).await;
}

/// Sends a request as a person's own client does.
async fn send(shop: &Shop, method: &str, path: &str, body: &Value) -> Value {
    let (base, path) =
        (format!("http://{}", shop.address), format!("v4/spreadsheets/{}{path}", id(shop)));
    wire::send(method, &base, &path, Some("person"), body).await.unwrap()
}

/// Changes the spreadsheet as a person's own client does.
async fn change(shop: &Shop, request: Value) {
    send(shop, "POST", ":batchUpdate", &json!({"requests": [request]})).await;
}

#[tokio::test]
async fn people_decide_in_the_tab_and_the_next_run_writes_it() {
    let left = edited(&[("A", 1, "Apfel"), ("B", 2, "21"), ("C", 1, "Mais")]);
    let right = edited(&[("A", 1, "Pomme"), ("B", 2, "22"), ("C", 1, "Blé")]);
    let shop = shop(&left, &right).await;
    let there = tab(&shop).await;
    assert_eq!(
        there[0],
        ["id", "key", "column", "base", "left", "right", "decision", "note", "status"]
    );
    assert_eq!(there.len(), 4, "{there:?}");
    assert_eq!(there[1][1..], ["A", "name", "Apple", "Apfel", "Pomme", "", "", "open"]);
    // A person sorts the rows the other way round, takes a side, types a value, and a word that is none.
    let sheet = sheet_id(&shop).await;
    let sort = json!({"sortRange": {"range": {"sheetId": sheet, "startRowIndex": 1},
        "sortSpecs": [{"dimensionIndex": 1, "sortOrder": "DESCENDING"}]}});
    change(&shop, sort).await;
    types(&shop, "G2", json!("Maize")).await;
    types(&shop, "G3", json!("many")).await;
    types(&shop, "G4", json!("Right")).await;
    types(&shop, "H4", json!("the shop knows")).await;
    let report = shop.run().await;
    assert_eq!(
        (&report["state"], &report["counts"]["conflicts"]),
        (&json!("applied"), &json!(1)),
        "{report:#}"
    );
    assert!(
        report["findings"].to_string().contains("\\\"many\\\" is no value of the column"),
        "{report:#}"
    );
    assert_eq!(shop.left(), ["sku,name,qty,tags", "A,Pomme,10,a;b", "B,Beet,21,b", "C,Maize,30,c"]);
    assert_eq!(
        shop.right().await,
        ["sku,name,qty,tags", "A,Pomme,10,a;b", "B,Beet,22,b", "C,Maize,30,c"]
    );
    let there = tab(&shop).await;
    assert_eq!(there.len(), 2, "what is settled is gone: {there:?}");
    assert_eq!(there[1][6], "many", "what a person wrote stays");
    assert!(there[1][8].starts_with("not decided: "), "{there:?}");
    let applied = shop.list(json!({"state": "applied", "key": "A"})).await;
    let one = &applied["conflicts"][0];
    assert_eq!(one["note"], "the shop knows", "{applied:#}");
    assert!(one["by"].as_str().unwrap().contains("reviewSheet"), "{applied:#}");
    // A number is typed as a number, whatever the sheet makes of it.
    types(&shop, "G2", json!(25)).await;
    shop.run().await;
    assert_eq!(shop.left()[2], "B,Beet,25,b");
    assert_eq!(tab(&shop).await.len(), 1);
    assert_eq!(shop.run().await["state"], "inStep");
}

async fn sheet_id(shop: &Shop) -> i64 {
    let there = send(shop, "GET", "?fields=sheets.properties", &Value::Null).await;
    let sheets = there["sheets"].as_array().unwrap();
    let tab = sheets.iter().find(|sheet| sheet["properties"]["title"] == "To decide").unwrap();
    tab["properties"]["sheetId"].as_i64().unwrap()
}

#[tokio::test]
async fn a_decision_on_values_that_changed_is_marked_and_shown_again() {
    let shop = shop(&edited(&[("A", 1, "Apfel")]), &edited(&[("A", 1, "Pomme")])).await;
    types(&shop, "G2", json!("left")).await;
    shop.write_right(&edited(&[("A", 1, "Mela")])).await;
    let report = shop.run().await;
    assert_eq!(report["counts"]["conflicts"], 1, "{report:#}");
    assert_eq!(shop.right().await[1], "A,Mela,10,a;b");
    let there = tab(&shop).await;
    assert!(there[1][8].starts_with("stale"), "{there:?}");
    assert_eq!(
        (there[2][5].as_str(), there[2][6].as_str(), there[2][8].as_str()),
        ("Mela", "", "open"),
        "{there:?}"
    );
    types(&shop, "G3", json!("left")).await;
    shop.run().await;
    assert_eq!(shop.right().await[1], "A,Apfel,10,a;b");
    assert_eq!(tab(&shop).await.len(), 1, "the stale row has gone, too");
}

#[tokio::test]
async fn a_tab_of_somebody_else_is_never_touched_and_the_sync_goes_on() {
    let shop = Shop::new("sheet").await;
    change(&shop, json!({"addSheet": {"properties": {"title": "To decide"}}})).await;
    types(&shop, "A1", json!("mine")).await;
    shop.write_left(&edited(&[("A", 1, "Apfel")]));
    shop.write_right(&edited(&[("A", 1, "Pomme")])).await;
    let report = shop.apply(json!({"reviewSheet": {"sheet": "To decide"}})).await;
    assert_eq!(report["counts"]["conflicts"], 1, "{report:#}");
    assert!(report["findings"].to_string().contains("that Lockstep did not make"), "{report:#}");
    assert_eq!(tab(&shop).await, [["mine"]]);
}

#[tokio::test]
async fn a_tab_whose_columns_moved_is_understood_and_one_without_them_is_told() {
    let shop = shop(&edited(&[("A", 1, "Apfel")]), &edited(&[("A", 1, "Pomme")])).await;
    let sheet = sheet_id(&shop).await;
    let first = json!({"sheetId": sheet, "dimension": "COLUMNS", "startIndex": 0, "endIndex": 1});
    change(&shop, json!({"insertDimension": {"range": first}})).await;
    types(&shop, "H2", json!("base")).await;
    shop.run().await;
    assert_eq!(shop.left()[1], "A,Apple,10,a;b");
    types(&shop, "H1", json!("verdict")).await;
    shop.write_left(&edited(&[("A", 1, "Apfel")]));
    shop.write_right(&edited(&[("A", 1, "Pomme")])).await;
    let report = shop.run().await;
    assert!(report["findings"].to_string().contains("does not have the columns"), "{report:#}");
    assert_eq!(report["counts"]["conflicts"], 1);
}

/// A value that looks like a formula is text in the tab: nothing that others wrote runs in the sheet of a person.
#[tokio::test]
async fn what_looks_like_a_formula_is_text() {
    let left = edited(&[("A", 1, "=1+1")]);
    let shop = Shop::new("sheet").await;
    shop.apply(json!({"reviewSheet": {"sheet": "To decide"}})).await;
    shop.write_left(&left);
    shop.write_right(&edited(&[("A", 1, "Pomme")])).await;
    shop.run().await;
    assert_eq!(tab(&shop).await[1][4], "=1+1");
    let there =
        send(&shop, "GET", "/values/'To%20decide'!E2?valueRenderOption=FORMULA", &Value::Null)
            .await;
    assert_eq!(there["values"], json!([["=1+1"]]));
    let there = send(
        &shop,
        "GET",
        "/values/'To%20decide'!E2?valueRenderOption=UNFORMATTED_VALUE",
        &Value::Null,
    )
    .await;
    assert_eq!(there["values"], json!([["=1+1"]]), "it is not computed");
}

/// The tab shows a thousand; the others follow when these are settled.
#[tokio::test]
async fn a_crowd_comes_to_the_tab_a_thousand_at_a_time() {
    let goods = |name: &str| {
        let rows = (0..1_100).map(|row| format!("k{row:04},{name}{row},{row},t\n"));
        std::iter::once("sku,name,qty,tags\n".to_owned()).chain(rows).collect::<String>()
    };
    let shop = Shop::new("sheet").await;
    shop.apply(json!({"reviewSheet": {"sheet": "To decide"}})).await;
    shop.write_left(&goods("n"));
    shop.run().await;
    shop.write_left(&goods("left"));
    shop.write_right(&goods("right")).await;
    assert_eq!(shop.run().await["counts"]["conflicts"], 1_100);
    let keys = async |from: &str| {
        let range = format!("/values/'To%20decide'!B{from}:B");
        let there = send(&shop, "GET", &range, &Value::Null).await;
        there["values"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(keys("2").await, 1_000);
    // A person fills the whole decision column down.
    let down: Vec<Value> = (0..1_000).map(|_| json!(["left"])).collect();
    let body = json!({"valueInputOption": "USER_ENTERED", "data": [{"range": "'To decide'!G2", "values": down}]});
    send(&shop, "POST", "/values:batchUpdate", &body).await;
    assert_eq!(shop.run().await["counts"]["conflicts"], 100);
    assert_eq!(keys("2").await, 100, "the others have come");
    assert_eq!(shop.right().await.iter().filter(|line| line.contains(",left")).count(), 1_000);
}
