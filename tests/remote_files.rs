//! Files behind a network: an S3 service, an SFTP server and a web server of their own, through the tool.

use lockstep::replica::connections::ConnectionConfig;
use serde_json::{Value, json};

use crate::harness::House;

mod bucket;
mod s3;
mod sftp;
mod web;

/// A Lockstep with a connection `lake` and an empty sheet.
struct Desk {
    house: House,
    id: String,
    file: String,
}

impl Desk {
    async fn new(connection: &str, file: &str) -> Self {
        let lake: ConnectionConfig = toml::from_str(connection).unwrap();
        let house = House::with(|config| {
            config.connections.insert("lake".into(), lake);
        })
        .await;
        let made = json!({"type": "spreadsheet", "name": "Stock", "sheets": [{"title": "stock"}]});
        let made = house.ok("createFile", made).await;
        Self { house, id: made["id"].as_str().unwrap().to_owned(), file: file.to_owned() }
    }

    fn arguments(&self) -> Value {
        json!({
            "name": "stock", "left": {"connection": "lake", "file": self.file},
            "right": {"spreadsheetId": self.id, "sheet": "stock"}, "key": ["sku"],
            "direction": "both", "deletes": "delete", "mode": "apply", "maxDeletePercent": 100,
        })
    }

    async fn sync(&self) -> Value {
        self.house.ok("syncDataset", self.arguments()).await
    }

    async fn fails(&self) -> String {
        self.house.err("syncDataset", self.arguments()).await
    }

    async fn set(&self, range: &str, value: Value) {
        let cells = json!({
            "spreadsheetId": self.id, "sheet": "stock", "range": range, "values": [[value]],
        });
        self.house.ok("updateCells", cells).await;
    }

    /// Returns the sheet's rows as lines of a CSV.
    async fn lines(&self) -> Vec<String> {
        let ask = json!({"spreadsheetId": self.id, "sheet": "stock", "as": "rows", "limit": 1000});
        let page = self.house.ok("readSheet", ask).await;
        let cell = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        let line = |row: &Value| {
            row["cells"].as_array().unwrap().iter().map(cell).collect::<Vec<_>>().join(",")
        };
        page["rows"].as_array().unwrap().iter().map(line).collect()
    }

    /// Returns what the report says of the file's side.
    fn side(report: &Value) -> &Value {
        report["sides"].as_array().unwrap().iter().find(|side| side["name"] == "left").unwrap()
    }
}

const STOCK: &str = "sku,name,qty\nA,Apple,10\nB,Beet,20\n";
