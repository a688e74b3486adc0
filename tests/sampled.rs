//! Samples of tables and sheets: the rows of the keys that are drawn are read and no others, and say what a whole
//! comparison says of them.

use std::collections::{BTreeMap, BTreeSet};

use lockstep::replica::connections::ConnectionConfig;
use serde_json::{Value, json};

use crate::{
    harness::House,
    support::{mariadb, postgres},
};

const ROWS: u32 = 2_000;
const SAMPLE: u64 = 300;

/// A database with a table of a text and a number as its key.
enum Database {
    Sqlite(std::path::PathBuf),
    Postgres(postgres::Database),
    Mariadb(mariadb::Database),
}

impl Database {
    async fn run(&self, sql: &str) {
        match self {
            Self::Sqlite(path) => {
                rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
            }
            Self::Postgres(database) => database.run(sql).await,
            Self::Mariadb(database) => {
                for one in sql.split(';').filter(|one| !one.trim().is_empty()) {
                    database.run(one).await;
                }
            }
        }
    }

    fn connection(&self) -> ConnectionConfig {
        let (kind, url) = match self {
            Self::Sqlite(path) => ("sqlite", format!("sqlite:{}", path.display())),
            Self::Postgres(database) => ("postgres", database.url.clone()),
            Self::Mariadb(database) => ("mysql", database.url.clone()),
        };
        toml::from_str(&format!("kind = \"{kind}\"\nurl = \"{url}\"\nwritable = true")).unwrap()
    }
}

async fn filled(database: &Database) {
    let table = "CREATE TABLE stock (code varchar(20) NOT NULL, lot int NOT NULL, name varchar(40), price numeric(12, 2), \
                 day date, PRIMARY KEY (code, lot))";
    database.run(table).await;
    let rows: Vec<String> = (1..=ROWS).map(|lot| row(lot, "bolt")).collect();
    database.run(&format!("INSERT INTO stock VALUES {}", rows.join(","))).await;
}

fn row(lot: u32, name: &str) -> String {
    let day = format!("2024-{:02}-{:02}", lot % 12 + 1, lot % 28 + 1);
    format!("('{:04}', {lot}, '{name} {lot}', {}.{:02}, '{day}')", lot % 100, lot, lot % 100)
}

/// Damages the table: every third name is another, a tenth of the rows is gone, a tenth is new.
async fn damage(database: &Database) {
    let mut sql = format!(
        "UPDATE stock SET name = 'nut' WHERE lot % 3 = 0; DELETE FROM stock WHERE lot > {}; ",
        ROWS - ROWS / 10
    );
    let new: Vec<String> = (ROWS + 1..=ROWS + ROWS / 10).map(|lot| row(lot, "new")).collect();
    sql.push_str(&format!("INSERT INTO stock VALUES {}", new.join(",")));
    database.run(&sql).await;
}

/// What is wrong with each key.
fn found(verification: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in verification["drift"].as_array().unwrap() {
        let mut what = one.clone();
        let key = what.as_object_mut().unwrap().remove("key").unwrap();
        all.entry(key.as_str().unwrap().to_owned()).or_default().insert(what.to_string());
    }
    all
}

async fn samples_of(database: Database, direction: &str) {
    filled(&database).await;
    let house = House::with(|config| {
        config.connections.insert("shop".into(), database.connection());
    })
    .await;
    let values = json!([["Stock of the house"], [], []]);
    let sheet = json!({"type": "spreadsheet", "name": "Book", "sheets": [{"title": "It's stock", "values": values}]});
    let made = house.ok("createFile", sheet).await;
    let right = json!({"spreadsheetId": made["id"], "sheet": "It's stock", "range": "B4:G"});
    let arguments = json!({"name": "d", "left": {"connection": "shop", "table": "stock"}, "right": right,
        "key": ["code", "lot"], "direction": direction, "mode": "apply"});
    assert_eq!(house.ok("syncDataset", arguments).await["state"], "applied", "{direction}");

    let ask =
        |sample: u64, seed: u64| json!({"name": "d", "sample": sample, "seed": seed, "limit": 200});
    let equal = house.ok("verifyDataset", ask(SAMPLE, 1)).await;
    assert_eq!(equal["rowsRead"], json!({"left": SAMPLE, "right": SAMPLE}), "{equal:#}");
    assert_eq!((&equal["inStep"], &equal["of"]), (&json!(true), &json!(ROWS)), "{equal:#}");

    damage(&database).await;
    // A sample of everything there is reads all of it.
    let all = house.ok("verifyDataset", json!({"name": "d", "sample": 10_000, "limit": 200})).await;
    assert_eq!(all["checked"], ROWS + ROWS / 10, "{all:#}");
    let whole = house.ok("verifyDataset", json!({"name": "d"})).await;
    assert_eq!(whole["byKind"], all["byKind"]);
    let mut keys = BTreeSet::new();
    for seed in 1..=4 {
        let some = house.ok("verifyDataset", ask(SAMPLE, seed)).await;
        assert_eq!(
            (&some["checked"], &some["of"]),
            (&json!(SAMPLE), &json!(ROWS + ROWS / 10)),
            "{some:#}"
        );
        let read = |side: &str| some["rowsRead"][side].as_u64().unwrap();
        assert!(read("left") <= SAMPLE && read("right") <= SAMPLE, "{}", some["rowsRead"]);
        let count = |kind: &str| some["byKind"][kind].as_u64().unwrap_or(0);
        assert_eq!(read("left"), SAMPLE - count("extra"), "all that is there of them was read");
        assert_eq!(read("right"), SAMPLE - count("missing"));
        // 300 of 2,200 keys: 600 names, 200 rows here, 200 there are expected 82, 27 and 27 times.
        assert!((50..115).contains(&count("cell")), "{some:#}");
        assert!((10..50).contains(&count("extra")) && (10..50).contains(&count("missing")));
        for (key, what) in found(&some) {
            let lot: u32 = key.rsplit([' ', '|', '/', ',']).next().unwrap().trim().parse().unwrap();
            let what = what.into_iter().collect::<String>();
            let kind = match lot {
                lot if lot > ROWS => "missing",
                lot if lot > ROWS - ROWS / 10 => "extra",
                lot => {
                    assert_eq!(lot % 3, 0, "{key} {what}");
                    "cell"
                }
            };
            assert!(what.contains(&format!("\"kind\":\"{kind}\"")), "{key} {what}");
            keys.insert(key);
        }
    }
    assert!(keys.len() > 300, "other seeds draw other keys: {}", keys.len());

    let report =
        house.ok("healthReport", json!({"dataset": "d", "sample": 200, "detail": true})).await;
    let quality = &report["datasets"][0]["quality"];
    assert_eq!(quality["sampled"], 200, "{quality:#}");
    assert!(quality["rowsRead"].as_u64().unwrap() <= 400, "{quality:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sqlite_and_a_sheet_the_drawn_rows_alone_are_read() {
    for direction in ["leftToRight", "both"] {
        let folder = tempfile::tempdir().unwrap();
        samples_of(Database::Sqlite(folder.path().join("shop.db")), direction).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_postgres_and_a_sheet_the_drawn_rows_alone_are_read() {
    let Some(database) = postgres::database().await else { return };
    samples_of(Database::Postgres(database), "both").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_mariadb_and_a_sheet_the_drawn_rows_alone_are_read() {
    let Some(database) = mariadb::database().await else { return };
    samples_of(Database::Mariadb(database), "leftToRight").await;
}

#[tokio::test]
async fn beside_a_file_a_sheet_is_still_read_in_part() {
    let house = House::new().await;
    let rows: String = (1..=1_500).map(|id| format!("{id},n{id}\n")).collect();
    house.write("a.csv", format!("id,name\n{rows}"));
    let made = house.ok("createFile", json!({"type": "spreadsheet", "name": "Book"})).await;
    let arguments = json!({"name": "d", "left": {"file": "a.csv"}, "right": {"spreadsheetId": made["id"]},
        "key": ["id"], "mode": "apply"});
    house.ok("syncDataset", arguments).await;
    house.write("a.csv", format!("id,name\n{}", rows.replace(",n7\n", ",seven\n")));
    let some = house.ok("verifyDataset", json!({"name": "d", "sample": 100})).await;
    assert_eq!(some["rowsRead"], json!({"left": 1_500, "right": 100}), "{some:#}");
    let wrong = some["byKind"]["cell"].as_u64().unwrap_or(0);
    assert!(some["checked"] == 100 && wrong <= 1, "{some:#}");
}
