//! Databases: a cursor brings the rows that changed; PostgreSQL proves that nothing did.

use lockstep::{config::Config, replica::connections::ConnectionConfig};
use serde_json::{Value, json};

use super::{read, unchanged, whole};
use crate::{
    harness::House,
    support::postgres::{self, Database},
};

/// A table of 3,000 rows and a sheet.
struct Shop {
    house: House,
    sheet: String,
}

const ROWS: u64 = 3_000;

impl Shop {
    async fn new(connection: &str) -> Self {
        let connection: ConnectionConfig = toml::from_str(connection).unwrap();
        let house = House::with(|config: &mut Config| {
            config.connections.insert("shop".into(), connection);
        })
        .await;
        let sheets = json!([{"title": "stock"}]);
        let made = json!({"type": "spreadsheet", "name": "Shop", "sheets": sheets});
        let sheet = house.ok("createFile", made).await["id"].as_str().unwrap().to_owned();
        Self { house, sheet }
    }

    async fn apply(&self, more: Value) -> Value {
        let mut arguments = json!({
            "name": "shop", "left": {"connection": "shop", "table": "stock", "cursor": "at"},
            "right": {"spreadsheetId": self.sheet, "sheet": "stock"}, "key": ["id"],
            "direction": "both", "deletes": "delete", "mode": "apply",
        });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.house.ok("syncDataset", arguments).await
    }

    async fn names(&self) -> Vec<Value> {
        let page =
            json!({"spreadsheetId": self.sheet, "sheet": "stock", "as": "rows", "limit": 10});
        let page = self.house.ok("readSheet", page).await;
        let rows = page["rows"].as_array().unwrap().iter().skip(1);
        rows.map(|row| row["cells"][1].clone()).collect()
    }
}

async fn postgres() -> Option<(Database, Shop)> {
    let database = postgres::database().await?;
    database
        .run(format!(
            "CREATE TABLE stock (id int PRIMARY KEY, name text, price numeric(10, 2), at timestamptz);
             INSERT INTO stock SELECT g, 'name ' || g, g / 4.0,
                 timestamptz '2024-01-01' + g * interval '1 minute' FROM generate_series(1, {ROWS}) g"
        ))
        .await;
    let shop =
        Shop::new(&format!("kind = \"postgres\"\nurl = \"{}\"\nwritable = true", database.url))
            .await;
    Some((database, shop))
}

#[tokio::test]
async fn a_cursor_brings_what_changed_and_a_full_read_what_was_deleted() {
    let Some((database, shop)) = postgres().await else { return };
    let every = json!({"fullEvery": 4});
    let report = shop.apply(every.clone()).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!(read(&report, "left"), whole(ROWS));
    // Two changes and a new row; the ten minutes before the last cursor are read again.
    database
        .run(
            "UPDATE stock SET name = 'first', at = '2024-02-01' WHERE id = 1;
             UPDATE stock SET price = 7.5, at = '2024-02-01' WHERE id = 2;
             INSERT INTO stock VALUES (9999, 'new', 1, '2024-02-01')",
        )
        .await;
    let report = shop.apply(every.clone()).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    let (how, rows) = read(&report, "left");
    assert_eq!(how, "since");
    assert!((3..20).contains(&rows), "{rows} rows were read");
    assert_eq!((&report["counts"]["update"], &report["counts"]["insert"]), (&json!(2), &json!(1)));
    assert_eq!(shop.names().await[0], "first");
    // A deletion in the middle does not show in the cursor ...
    database.run("DELETE FROM stock WHERE id = 5").await;
    for _ in 0..2 {
        let report = shop.apply(every.clone()).await;
        assert_eq!(report["state"], "inStep", "{report:#}");
        assert_ne!(read(&report, "left").0, "whole");
    }
    // ... but in the read of all rows that every fourth run makes.
    let report = shop.apply(every.clone()).await;
    assert_eq!((read(&report, "left"), &report["counts"]["delete"]), (whole(ROWS), &json!(1)));
    assert!(report["next"].as_str().unwrap().contains("All rows were read"), "{report:#}");
    assert_eq!(shop.apply(every).await["state"], "inStep");
}

/// One row of a hundred changes: those are read, and the rows of the ten minutes before the last cursor. Then nothing
/// changes, and no row is read.
#[tokio::test]
async fn of_one_percent_that_changed_no_more_is_read_than_that_and_the_overlap() {
    let Some((database, shop)) = postgres().await else { return };
    assert_eq!(read(&shop.apply(json!({})).await, "left"), whole(ROWS));
    database
        .run("UPDATE stock SET price = 0.5, at = timestamptz '2024-02-01' + id * interval '1 second' WHERE id % 100 = 7")
        .await;
    let (changed, overlap) = (ROWS / 100, 11);
    let report = shop.apply(json!({})).await;
    assert_eq!(
        (&report["state"], &report["counts"]["update"]),
        (&json!("applied"), &json!(changed))
    );
    assert_eq!(read(&report, "left"), ("since".into(), changed + overlap), "{report:#}");
    // The server proves that nothing changed where no transaction of anybody is open: tests beside this one have some.
    for attempt in 1.. {
        let report = shop.apply(json!({})).await;
        assert_eq!(report["state"], "inStep");
        if read(&report, "left") == unchanged() {
            break;
        }
        assert!(attempt < 40, "{report:#}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Of a large table whose cursor has an index the server, too, reads no more than what changed and the overlap. (A table
/// of a few pages is read whole by the server's choice: that is cheaper than the index.)
#[tokio::test]
async fn the_server_itself_reads_only_what_changed_where_the_cursor_has_an_index() {
    const MANY: u64 = 20_000;
    let Some((database, shop)) = postgres().await else { return };
    database
        .run(format!(
            "INSERT INTO stock SELECT g, 'name ' || g, g / 4.0, timestamptz '2024-01-01' + g * interval '1 minute'
                 FROM generate_series({ROWS} + 1, {MANY}) g;
             CREATE INDEX ON stock (at); ANALYZE stock"
        ))
        .await;
    let file = json!({"right": {"file": "stock.csv"}});
    let report = shop.apply(file.clone()).await;
    assert_eq!((&report["state"], read(&report, "left")), (&json!("applied"), whole(MANY)));
    let sql = "UPDATE stock SET price = 0.5, at = timestamptz '2025-01-01' + id * interval '1 second' WHERE id % 100 = 7";
    database.run(sql).await;
    let before = server_read(&database).await;
    let report = shop.apply(file).await;
    let changed = MANY / 100;
    assert_eq!(report["counts"]["update"], changed, "{report:#}");
    assert_eq!(read(&report, "left"), ("since".into(), changed + 11));
    let rows = server_read(&database).await - before;
    // One more for each look at the highest cursor.
    assert!((changed + 11..=changed + 15).contains(&rows), "the server read {rows} rows");
}

/// Returns how many rows the server has read of the table, by itself or through an index.
async fn server_read(database: &Database) -> u64 {
    // A session tells its counts when it ends.
    database.cut().await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let sql = "SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::text FROM pg_stat_user_tables \
               WHERE relname = 'stock'";
    database.texts(sql).await[0][0].as_ref().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_edit_of_the_sheet_reaches_a_table_that_was_not_read_whole() {
    let Some((database, shop)) = postgres().await else { return };
    shop.apply(json!({})).await;
    let set =
        json!({"spreadsheetId": shop.sheet, "sheet": "stock", "range": "B2", "values": [["mine"]]});
    shop.house.ok("updateCells", set).await;
    database.run("UPDATE stock SET name = 'theirs', at = '2024-02-01' WHERE id = 3").await;
    let report = shop.apply(json!({})).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!((&report["counts"]["left"], &report["counts"]["update"]), (&json!(1), &json!(1)));
    assert_eq!(read(&report, "left").0, "since");
    let names = database.texts("SELECT name FROM stock WHERE id <= 3 ORDER BY id").await;
    let names: Vec<_> = names.iter().map(|row| row[0].as_deref().unwrap()).collect();
    assert_eq!(names, ["mine", "name 2", "theirs"]);
    assert_eq!(shop.names().await[2], "theirs");
    // The cursor does not tell of our own write, so the table is read once after it.
    let report = shop.apply(json!({})).await;
    assert_eq!((&report["state"], read(&report, "left")), (&json!("inStep"), whole(ROWS)));
    let report = shop.apply(json!({})).await;
    assert_ne!(read(&report, "left").0, "whole");
}

/// A row of the sheet goes: the row of the table is deleted, and a rollback brings back what nobody mapped.
#[tokio::test]
async fn a_deleted_row_is_kept_with_the_columns_that_nobody_mapped() {
    let Some((database, shop)) = postgres().await else { return };
    let columns = json!({"columns": [{"name": "id"}, {"name": "name"}]});
    shop.apply(columns.clone()).await;
    let rows = json!({"spreadsheetId": shop.sheet, "sheet": "stock", "range": "A2:B2", "values": [["", ""]]});
    shop.house.ok("updateCells", rows).await;
    let report = shop.apply(columns).await;
    assert_eq!((&report["state"], &report["counts"]["left"]), (&json!("applied"), &json!(1)));
    assert_eq!(read(&report, "left"), whole(ROWS), "{report:#}");
    assert_eq!(database.texts("SELECT name FROM stock WHERE id = 1").await.len(), 0);
    let undo = json!({"runId": report["runId"], "mode": "apply"});
    shop.house.ok("rollbackSync", undo).await;
    let row = database.texts("SELECT name, price::text FROM stock WHERE id = 1").await;
    assert_eq!(row, [[Some("name 1".to_owned()), Some("0.25".to_owned())]]);
}

/// What was seen of one database says nothing of another, nor of a table that was emptied and filled again.
#[tokio::test]
async fn a_table_that_was_emptied_is_read_whole() {
    let Some((database, shop)) = postgres().await else { return };
    shop.apply(json!({})).await;
    database
        .run(
            "CREATE TABLE old AS SELECT * FROM stock; TRUNCATE stock;
             INSERT INTO stock SELECT id, 'again ' || id, price, at FROM old",
        )
        .await;
    let report = shop.apply(json!({})).await;
    assert_eq!(read(&report, "left"), whole(ROWS), "{report:#}");
    assert_eq!(report["counts"]["update"], ROWS);
}

#[tokio::test]
async fn sqlite_reads_only_what_changed_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch(
            "CREATE TABLE stock (id INTEGER PRIMARY KEY, name TEXT, version INTEGER);
             WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 3000)
             INSERT INTO stock SELECT n, 'name ' || n, n FROM g",
        )
        .unwrap();
    let connection =
        format!("kind = \"sqlite\"\nurl = \"sqlite:{}\"\nwritable = true", path.display());
    let shop = Shop::new(&connection).await;
    let left = json!({"left": {"connection": "shop", "table": "stock", "cursor": "version"}});
    assert_eq!(read(&shop.apply(left.clone()).await, "left"), whole(ROWS));
    other.execute_batch("UPDATE stock SET name = 'first', version = 5000 WHERE id = 1").unwrap();
    let report = shop.apply(left.clone()).await;
    // The overlap of a number is 1,000, and the highest was 3,000.
    assert_eq!(read(&report, "left"), ("since".to_owned(), 1_002), "{report:#}");
    assert_eq!(shop.names().await[0], "first");
    // The highest row goes: the cursor goes back, and that is seen at once.
    other.execute_batch("DELETE FROM stock WHERE id = 1").unwrap();
    let report = shop.apply(left).await;
    assert_eq!((read(&report, "left"), &report["counts"]["delete"]), (whole(ROWS - 1), &json!(1)));
}
