//! A company's real parts at once: an inventory in PostgreSQL, a CRM behind an HTTP API, the finance workbook and a
//! sheet that is their hub.

use std::collections::BTreeMap;

use calamine::{Reader, Xlsx, open_workbook};
use lockstep::{config::Config, replica::connections::ConnectionConfig};
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};

use crate::{
    harness::House,
    support::{
        api::{PLAIN, Reply, Stub, Trouble, plain},
        postgres::{self, Database},
    },
};

/// The rows of a replica: for each key its cells by name, as text.
type Rows = BTreeMap<String, BTreeMap<String, String>>;

struct Company {
    house: House,
    database: Database,
    crm: Stub,
    sheet: String,
}

impl Company {
    async fn new() -> Option<Self> {
        let database = postgres::database().await?;
        database
            .run(
                "CREATE TABLE inventory (sku text PRIMARY KEY, name text, qty integer,
                     price numeric(10,2), shelf text DEFAULT 'S1');
                 INSERT INTO inventory (sku, name, qty, price) VALUES
                     ('A', 'Apple', 10, 1.50), ('B', 'Beet', 20, 2.00), ('C', 'Corn', 30, 0.75)",
            )
            .await;
        let crm = Stub::start(plain).await;
        for (sku, name, owner) in [("B", "Beet", "Bo"), ("C", "Corn", "Cy"), ("D", "Dill", "Di")] {
            crm.world().add(json!({"sku": sku, "name": name, "owner": owner, "phone": "555"}));
        }
        let inventory: ConnectionConfig = toml::from_str(&format!(
            "kind = \"postgres\"\nurl = \"{}\"\nwritable = true",
            database.url
        ))
        .unwrap();
        let crm_has = PLAIN.replace("timeoutSeconds = 1", "timeoutSeconds = 2");
        let crm_has = crm_has
            .replace("qty = { pointer = \"/stock/qty\", type = \"number\" }", "owner = \"/owner\"");
        let api: ConnectionConfig = toml::from_str(&crm_has.replace("URL", &crm.url)).unwrap();
        let house = House::with(|config: &mut Config| {
            config.connections.insert("inventory".into(), inventory);
            config.connections.insert("crm".into(), api);
        })
        .await;
        let made = house
            .ok(
                "createFile",
                json!({"type": "spreadsheet", "name": "Company", "sheets": [{"title": "goods"}]}),
            )
            .await;
        let sheet = made["id"].as_str().unwrap().to_owned();
        let company = Self { house, database, crm, sheet };
        company.finance(&[("A", 1.5), ("B", 2.0)]);
        Some(company)
    }

    /// Somebody saves the finance workbook.
    fn finance(&self, prices: &[(&str, f64)]) {
        let mut book = Workbook::new();
        book.add_worksheet().set_name("notes").unwrap().write(0, 0, "do not touch").unwrap();
        let sheet = book.add_worksheet().set_name("prices").unwrap();
        sheet.write(0, 0, "sku").unwrap().write(0, 1, "price").unwrap();
        for (row, (sku, price)) in (1..).zip(prices) {
            sheet.write(row, 0, *sku).unwrap().write(row, 1, *price).unwrap();
        }
        book.save(self.house.folder.path().join("finance.xlsx")).unwrap();
    }

    async fn sync(&self) -> Value {
        let report = self.sync_some().await;
        assert_ne!(report["state"], "partial", "{report:#}");
        report
    }

    async fn sync_some(&self) -> Value {
        let dataset = json!({
            "name": "goods",
            "hub": {"spreadsheetId": self.sheet, "sheet": "goods"},
            "spokes": [
                {"name": "inventory", "connection": "inventory", "table": "inventory",
                 "columns": [{"name": "sku"}, {"name": "name"}, {"name": "qty"}, {"name": "price"}]},
                {"name": "crm", "connection": "crm", "resource": "items"},
                {"name": "finance", "file": "finance.xlsx", "sheet": "prices"},
            ],
            "key": ["sku"],
            "columns": [{"name": "sku", "type": "text"}, {"name": "name", "type": "text"},
                {"name": "qty", "type": "number"}, {"name": "price", "type": "number"},
                {"name": "owner", "type": "text"}],
            "policy": {"strategy": "leftPriority"},
            "mode": "apply",
        });
        self.house.ok("syncDataset", dataset).await
    }

    /// Syncs until nothing is written any more; returns after how many runs that was.
    async fn converge(&self) -> u32 {
        for run in 1.. {
            assert!(run < 4, "it does not come to rest");
            if self.sync().await["state"] == "inStep" {
                return run - 1;
            }
        }
        unreachable!()
    }

    async fn hub(&self) -> Rows {
        let page = self
            .house
            .ok("readSheet", json!({"spreadsheetId": self.sheet, "sheet": "goods", "limit": 1000}))
            .await;
        page["rows"].as_array().unwrap().iter().map(|row| record(&row["cells"])).collect()
    }

    async fn set(&self, sku: &str, column: &str, value: Value) {
        let page = self
            .house
            .ok(
                "readSheet",
                json!({"spreadsheetId": self.sheet, "sheet": "goods", "as": "rows", "limit": 1000}),
            )
            .await;
        let rows = page["rows"].as_array().unwrap();
        let at = rows[0]["cells"].as_array().unwrap().iter().position(|name| name == column);
        let row = rows.iter().position(|row| row["cells"][0] == sku).unwrap() + 1;
        let range = format!("{}{row}", char::from(b'A' + u8::try_from(at.unwrap()).unwrap()));
        self.house
            .ok("updateCells", json!({"spreadsheetId": self.sheet, "sheet": "goods", "range": range, "values": [[value]]}))
            .await;
    }

    async fn inventory(&self) -> Rows {
        let rows = self
            .database
            .texts("SELECT sku, name, qty::text, price::text, shelf FROM inventory")
            .await;
        let names = ["sku", "name", "qty", "price", "shelf"];
        rows.into_iter()
            .map(|row| {
                let cells = names
                    .iter()
                    .zip(row)
                    .map(|(name, cell)| ((*name).to_owned(), number(cell.unwrap_or_default())));
                let cells: BTreeMap<_, _> = cells.collect();
                (cells["sku"].clone(), cells)
            })
            .collect()
    }

    fn customers(&self) -> Rows {
        self.crm.world().items.values().map(record).collect()
    }

    fn prices(&self) -> Rows {
        let path = self.house.folder.path().join("finance.xlsx");
        let mut book: Xlsx<_> = open_workbook(path).unwrap();
        let notes = book.worksheet_range("notes").unwrap();
        assert_eq!(notes.get_value((0, 0)).unwrap().to_string(), "do not touch");
        let range = book.worksheet_range("prices").unwrap();
        let mut rows =
            range.rows().map(|row| row.iter().map(ToString::to_string).collect::<Vec<_>>());
        let names = rows.next().unwrap();
        rows.map(|row| {
            let cells = names.iter().cloned().zip(row.into_iter().map(number));
            let cells: BTreeMap<_, _> = cells.collect();
            (cells["sku"].clone(), cells)
        })
        .collect()
    }

    /// Panics unless every spoke holds the hub's rows in the columns that it maps.
    async fn assert_in_step(&self) {
        let hub = self.hub().await;
        for (spoke, rows, columns) in [
            ("inventory", self.inventory().await, &["name", "qty", "price"][..]),
            ("crm", self.customers(), &["name", "owner"]),
            ("finance", self.prices(), &["price"]),
        ] {
            assert_eq!(hub.keys().collect::<Vec<_>>(), rows.keys().collect::<Vec<_>>(), "{spoke}");
            for (sku, row) in &rows {
                for column in columns {
                    let of = |row: &BTreeMap<String, String>| row.get(*column).cloned();
                    assert_eq!(
                        of(row).unwrap_or_default(),
                        of(&hub[sku]).unwrap_or_default(),
                        "{spoke} {sku} {column}"
                    );
                }
            }
        }
    }
}

/// Numbers are compared by value: `1.50` in the database is 1.5 on the sheet.
fn number(text: String) -> String {
    text.parse::<f64>().map_or(text, |number| number.to_string())
}

fn record(cells: &Value) -> (String, BTreeMap<String, String>) {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => number(other.to_string()),
    };
    let cells: BTreeMap<String, String> = cells
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    (cells["sku"].clone(), cells)
}

fn side<'a>(report: &'a Value, name: &str) -> &'a Value {
    let sides = report["sides"].as_array().unwrap();
    sides.iter().find(|side| side["name"] == name).unwrap_or_else(|| panic!("{report:#}"))
}

#[tokio::test]
async fn edits_of_every_side_converge_and_no_cell_is_lost() {
    let Some(company) = Company::new().await else { return };
    let first = company.sync().await;
    assert_eq!(first["state"], "applied", "{first:#}");
    assert_eq!(side(&first, "hub")["rows"], json!({"insert": 4}), "{first:#}");
    assert_eq!(side(&first, "inventory")["rows"]["insert"], 1, "{first:#}");
    assert_eq!(side(&first, "crm")["rows"]["insert"], 1, "{first:#}");
    assert!(company.converge().await <= 1);
    company.assert_in_step().await;

    // Everybody edits something else, and a row is new on two sides.
    company.set("A", "name", json!("Apfel")).await;
    company
        .database
        .run("UPDATE inventory SET qty = 21 WHERE sku = 'B'; INSERT INTO inventory (sku, name, qty) VALUES ('E', 'Egg', 5)")
        .await;
    let corn =
        company.crm.world().items.iter().find(|(_, item)| item["sku"] == "C").unwrap().0.clone();
    company.crm.world().edit(&corn, &json!({"owner": "Cleo"}));
    let prices = company.prices();
    let mut prices: Vec<(&str, f64)> = prices
        .iter()
        .map(|(sku, row)| (sku.as_str(), row["price"].parse().unwrap_or(0.0)))
        .collect();
    prices.iter_mut().find(|(sku, _)| *sku == "D").unwrap().1 = 9.5;
    prices.push(("F", 7.0));
    company.finance(&prices);
    assert!(company.converge().await <= 2);
    company.assert_in_step().await;
    let hub = company.hub().await;
    let cell = |sku: &str, column: &str| hub[sku][column].clone();
    assert_eq!(
        [
            cell("A", "name"),
            cell("B", "qty"),
            cell("C", "owner"),
            cell("D", "price"),
            cell("E", "name"),
            cell("F", "price")
        ],
        ["Apfel", "21", "Cleo", "9.5", "Egg", "7"]
    );
    // What nobody mapped is as it was.
    assert_eq!(company.inventory().await["B"]["shelf"], "S1");
    assert!(
        company
            .customers()
            .values()
            .filter(|row| row.get("phone").is_some_and(|phone| phone == "555"))
            .count()
            == 3
    );
}

#[tokio::test]
async fn a_spoke_that_is_down_is_told_and_caught_up_later() {
    let Some(company) = Company::new().await else { return };
    company.sync().await;
    company.converge().await;
    let down = Reply::json(503, &json!({"message": "maintenance"}));
    company.crm.trouble("*", "", 1_000, Trouble::Instead(down));
    company.set("B", "name", json!("Beetroot")).await;
    company.database.run("UPDATE inventory SET price = 3.25 WHERE sku = 'A'").await;
    let report = company.sync_some().await;
    assert_eq!(report["state"], "partial", "{report:#}");
    let error = side(&report, "crm")["error"].as_str().unwrap();
    assert!(error.contains("503") || error.contains("maintenance"), "{report:#}");
    assert_eq!(company.inventory().await["B"]["name"], "Beetroot");
    assert_eq!(company.prices()["A"]["price"], "3.25");
    assert_eq!(company.customers()["B"]["name"], "Beet");

    company.crm.world().rules.clear();
    assert!(company.converge().await <= 2);
    company.assert_in_step().await;
    assert_eq!(company.customers()["B"]["name"], "Beetroot");
}
