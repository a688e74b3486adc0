//! Real parts: a sheet, PostgreSQL, a file and an HTTP API, watched by a worker in real time.

use std::{collections::BTreeMap, time::Duration};

use lockstep::{config::Config, replica::connections::ConnectionConfig};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    harness::House,
    support::{
        api::{Stub, plain},
        postgres,
    },
};

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within 20 seconds: {what}");
}

fn quantities(rows: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    rows.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_anywhere_reaches_everything_else() {
    let Some(database) = postgres::database().await else { return };
    database
        .run("CREATE TABLE stock (sku text PRIMARY KEY, qty integer); INSERT INTO stock VALUES ('A', 1), ('B', 2)")
        .await;
    let api = Stub::start(plain).await;
    let postgres: ConnectionConfig = toml::from_str(&format!(
        "kind = \"postgres\"\nurl = \"{}\"\nwritable = true",
        database.url
    ))
    .unwrap();
    let crm: ConnectionConfig =
        toml::from_str(&super::outage::API.replace("URL", &api.url)).unwrap();
    let house = House::with(|config: &mut Config| {
        config.connections.insert("db".into(), postgres);
        config.connections.insert("crm".into(), crm);
    })
    .await;
    let made = house
        .ok(
            "createFile",
            json!({"type": "spreadsheet", "name": "S", "sheets": [{"title": "stock"}]}),
        )
        .await;
    let id = made["id"].as_str().unwrap().to_owned();
    house.write("stock.csv", "sku,qty\nA,1\nB,2\n");
    let dataset = json!({
        "name": "stock",
        "hub": {"spreadsheetId": id, "sheet": "stock"},
        "spokes": [
            {"name": "db", "connection": "db", "table": "stock"},
            {"name": "file", "file": "stock.csv"},
            {"name": "crm", "connection": "crm", "resource": "items"},
        ],
        "key": ["sku"],
        "columns": [{"name": "sku", "type": "text"}, {"name": "qty", "type": "number"}],
    });
    let set = async |range: &str, values: Value| {
        let edit = json!({"spreadsheetId": id, "sheet": "stock", "range": range, "values": values});
        house.ok("updateCells", edit).await;
    };
    set("A1", json!([["sku", "qty"]])).await;
    house.ok("syncDataset", dataset).await;
    let start = json!({"action": "start", "dataset": "stock", "pollSeconds": 0.5});
    house.ok("watchDataset", start).await;
    let stop = CancellationToken::new();
    let worker = tokio::spawn(house.app.context().worker().run(stop.clone()));

    let everywhere = async |wanted: &[(&str, &str)]| {
        let wanted =
            quantities(wanted.iter().map(|(sku, qty)| ((*sku).to_owned(), (*qty).to_owned())));
        eventually(&format!("{wanted:?}"), async || {
            let text =
                |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let page = house
                .ok(
                    "readSheet",
                    json!({"spreadsheetId": id, "sheet": "stock", "as": "rows", "limit": 1000}),
                )
                .await;
            let rows = page["rows"].as_array().cloned().unwrap_or_default();
            let rows =
                rows.iter().skip(1).map(|row| (text(&row["cells"][0]), text(&row["cells"][1])));
            let sheet = quantities(rows.filter(|(sku, _)| sku != "null"));
            let rows = database.texts("SELECT sku, qty::text FROM stock").await;
            let table = quantities(
                rows.into_iter().map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap())),
            );
            let items = api.world().items.values().cloned().collect::<Vec<_>>();
            let items =
                quantities(items.iter().map(|item| (text(&item["sku"]), text(&item["qty"]))));
            let file = std::fs::read_to_string(house.folder.path().join("stock.csv")).unwrap();
            let lines = file.lines().skip(1).filter_map(|line| line.split_once(','));
            let file = quantities(lines.map(|(sku, qty)| (sku.to_owned(), qty.to_owned())));
            [sheet, table, items, file].iter().all(|one| *one == wanted)
        })
        .await;
    };
    everywhere(&[("A", "1"), ("B", "2")]).await;
    set("B2", json!([[11]])).await;
    everywhere(&[("A", "11"), ("B", "2")]).await;
    database.run("UPDATE stock SET qty = 22 WHERE sku = 'B'").await;
    everywhere(&[("A", "11"), ("B", "22")]).await;
    let item =
        api.world().items.iter().find(|(_, item)| item["sku"] == "A").map(|(id, _)| id.clone());
    api.world().edit(&item.unwrap(), &json!({"qty": 111}));
    everywhere(&[("A", "111"), ("B", "22")]).await;
    let file = house.folder.path().join("stock.csv");
    let text = std::fs::read_to_string(&file).unwrap() + "C,3\n";
    house.write("stock.csv", text);
    everywhere(&[("A", "111"), ("B", "22"), ("C", "3")]).await;

    // Without polls the database tells by NOTIFY, and the file by its folder.
    database.run(notify_ddl(&house)).await;
    house
        .ok("watchDataset", json!({"action": "start", "dataset": "stock", "pollSeconds": 0}))
        .await;
    eventually("it listens", async || {
        let shown = house.ok("watchDataset", json!({})).await;
        shown["watches"][0]["triggers"] == json!(["notify (db)", "file (file)"])
    })
    .await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    database.run("UPDATE stock SET qty = 4 WHERE sku = 'C'").await;
    everywhere(&[("A", "111"), ("B", "22"), ("C", "4")]).await;
    let text = std::fs::read_to_string(&file).unwrap().replace("C,4", "C,5");
    house.write("stock.csv", text);
    everywhere(&[("A", "111"), ("B", "22"), ("C", "5")]).await;
    stop.cancel();
    worker.await.unwrap();
}

/// Returns the statements that `lockstep sql` prints for the table.
fn notify_ddl(house: &House) -> String {
    let toml = house.folder.path().join("ddl.toml");
    std::fs::write(
        &toml,
        "[connections.db]\nkind = \"postgres\"\nurl = \"postgres://nobody@localhost/none\"\n",
    )
    .unwrap();
    let output = crate::support::lockstep(house.data())
        .arg("--config")
        .arg(&toml)
        .args(["sql", "notify-ddl", "db", "stock"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
