//! Two replicas with a few goods that are kept in step both ways, and edits of both.

use jiff::{SignedDuration, Timestamp};
use lockstep::{clock::Clock, config::Config};
use serde_json::{Value, json};

use crate::harness::{House, tool};

/// A CSV file and another, or a SQLite table, or a sheet, with the same goods.
pub(super) struct Shop {
    pub(super) house: House,
    pub(super) right: Right,
    /// Where its workspace is served.
    pub(super) address: String,
    /// How long after the start it is.
    pub(super) later: std::sync::Mutex<i64>,
}

/// The right side.
pub(super) enum Right {
    File,
    Sheet(String),
    Sqlite(std::path::PathBuf),
}

pub(super) const GOODS: &str = "sku,name,qty,tags\nA,Apple,10,a;b\nB,Beet,20,b\nC,Corn,30,c\n";

impl Shop {
    /// Starts with the same rows on both sides, in step.
    pub(super) async fn new(right: &str) -> Self {
        let path = tempfile::tempdir().unwrap().keep().join("shop.db");
        let workspace = lockstep_workspace::Workspace::in_memory().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { workspace.serve(listener, std::future::pending()).await });
        let house = House::with(|config: &mut Config| {
            config.workspace.url = Some(format!("http://{address}"));
            if right == "sqlite" {
                rusqlite::Connection::open(&path).unwrap().execute_batch(
                    "CREATE TABLE goods (sku TEXT PRIMARY KEY, name TEXT, qty NUMERIC, tags TEXT)",
                ).unwrap();
                let json = json!({"kind": "sqlite", "url": format!("sqlite:{}", path.display()), "writable": true});
                config.connections.insert("shop".into(), serde_json::from_value(json).unwrap());
            }
        })
        .await;
        let right = match right {
            "file" => Right::File,
            "sqlite" => Right::Sqlite(path),
            _ => {
                let sheet =
                    json!({"type": "spreadsheet", "name": "Shop", "sheets": [{"title": "goods"}]});
                let made = house.ok("createFile", sheet).await;
                Right::Sheet(made["id"].as_str().unwrap().to_owned())
            }
        };
        let shop = Self { house, right, address, later: std::sync::Mutex::new(0) };
        shop.write_left(GOODS);
        if matches!(shop.right, Right::File) {
            shop.house.write("right.csv", GOODS);
        }
        let report = shop.apply(json!({})).await;
        assert!(matches!(report["state"].as_str(), Some("applied" | "inStep")), "{report:#}");
        shop
    }

    pub(super) fn dataset(&self, more: Value) -> Value {
        let right = match &self.right {
            Right::File => json!({"file": "right.csv"}),
            Right::Sheet(id) => json!({"spreadsheetId": id, "sheet": "goods"}),
            Right::Sqlite(_) => json!({"connection": "shop", "table": "goods"}),
        };
        let mut arguments = json!({
            "name": "goods", "left": {"file": "left.csv"}, "right": right, "key": ["sku"], "direction": "both",
            "columns": [{"name": "sku"}, {"name": "name"}, {"name": "qty", "type": "number"}, {"name": "tags", "type": "list"}],
            "deletes": "delete", "maxDeletePercent": 100,
        });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    }

    /// Calls a tool at the shop's time.
    pub(super) async fn call(&self, name: &str, arguments: Value) -> Result<Value, String> {
        let tool = tool(name);
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let mut context = self.house.app.context().for_call(lockstep::progress::Progress::silent());
        let later = *self.later.lock().unwrap();
        if later > 0 {
            context.clock = Clock::Fixed(Timestamp::now() + SignedDuration::from_secs(later));
        }
        let result = tool.call(&context, arguments).await.map_err(|error| error.to_string())?;
        crate::harness::assert_valid(&tool.output_schema, &result, name);
        Ok(result)
    }

    pub(super) async fn ok(&self, name: &str, arguments: Value) -> Value {
        self.call(name, arguments.clone())
            .await
            .unwrap_or_else(|error| panic!("{name} {arguments}: {error}"))
    }

    pub(super) async fn err(&self, name: &str, arguments: Value) -> String {
        self.call(name, arguments.clone()).await.expect_err(&format!("{name} {arguments}"))
    }

    pub(super) async fn apply(&self, more: Value) -> Value {
        let mut arguments = self.dataset(more);
        arguments["mode"] = json!("apply");
        self.ok("syncDataset", arguments).await
    }

    /// Applies the saved dataset as it is.
    pub(super) async fn run(&self) -> Value {
        self.ok("syncDataset", json!({"name": "goods", "mode": "apply"})).await
    }

    pub(super) async fn list(&self, more: Value) -> Value {
        self.resolve("list", more).await
    }

    pub(super) async fn resolve(&self, action: &str, more: Value) -> Value {
        let mut arguments = json!({"action": action, "dataset": "goods"});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ok("resolveConflicts", arguments).await
    }

    pub(super) fn pass(&self, seconds: i64) {
        *self.later.lock().unwrap() += seconds;
    }

    pub(super) fn write_left(&self, csv: &str) {
        self.house.write("left.csv", csv);
    }

    /// Returns the left's lines, sorted.
    pub(super) fn left(&self) -> Vec<String> {
        sorted(&std::fs::read_to_string(self.house.folder.path().join("left.csv")).unwrap())
    }

    /// Replaces the right's rows.
    pub(super) async fn write_right(&self, csv: &str) {
        let lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
        match &self.right {
            Right::File => {
                self.house.write("right.csv", csv);
            }
            Right::Sheet(id) => {
                let mut rows: Vec<Value> = lines
                    .map(|cells| {
                        json!(
                            cells
                                .iter()
                                .map(|cell| match cell.parse::<f64>() {
                                    Ok(number) => json!(number),
                                    Err(_) if cell.is_empty() => json!(""),
                                    Err(_) => json!(cell),
                                })
                                .collect::<Vec<_>>()
                        )
                    })
                    .collect();
                while rows.len() < 8 {
                    rows.push(json!(["", "", "", ""]));
                }
                for (at, rows) in rows.chunks(2_000).enumerate() {
                    let range = format!("A{}", at * 2_000 + 1);
                    let cells = json!({"spreadsheetId": id, "sheet": "goods", "range": range, "values": rows});
                    self.house.ok("updateCells", cells).await;
                }
            }
            Right::Sqlite(path) => {
                let mut connection = rusqlite::Connection::open(path).unwrap();
                let connection = connection.transaction().unwrap();
                connection.execute("DELETE FROM goods", []).unwrap();
                for cells in lines.skip(1) {
                    connection
                        .execute(
                            "INSERT INTO goods VALUES (?1, ?2, ?3, ?4)",
                            (cells[0], cells[1], cells[2], cells[3]),
                        )
                        .unwrap();
                }
                connection.commit().unwrap();
            }
        }
    }

    /// Returns the right's lines as a CSV would have them, sorted.
    pub(super) async fn right(&self) -> Vec<String> {
        match &self.right {
            Right::File => sorted(
                &std::fs::read_to_string(self.house.folder.path().join("right.csv")).unwrap(),
            ),
            Right::Sheet(id) => {
                let text = |cell: &Value| match cell {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let mut lines: Vec<String> = Vec::new();
                let mut page =
                    json!({"spreadsheetId": id, "sheet": "goods", "as": "rows", "limit": 2_000});
                loop {
                    let read = self.house.ok("readSheet", page.clone()).await;
                    lines.extend(read["rows"].as_array().unwrap().iter().map(|row| {
                        let cells = row["cells"].as_array().unwrap().iter();
                        cells.map(text).collect::<Vec<_>>().join(",")
                    }));
                    let Some(cursor) = read.get("nextCursor") else { break };
                    page["cursor"] = cursor.clone();
                }
                sorted(
                    &lines
                        .into_iter()
                        .filter(|line| !line.replace(',', "").is_empty())
                        .collect::<Vec<_>>()
                        .join("\n"),
                )
            }
            Right::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                let mut query = connection.prepare("SELECT sku || ',' || coalesce(name, '') || ',' || coalesce(qty, '') || ',' || coalesce(tags, '') FROM goods").unwrap();
                let rows = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
                let rows: Vec<String> = rows.map(Result::unwrap).collect();
                sorted(&format!("sku,name,qty,tags\n{}", rows.join("\n")))
            }
        }
    }

    /// Both sides change the same cell: the left to `left`, the right to `right`; a run finds it.
    pub(super) async fn disputed(right: &str, on_left: &str, on_right: &str) -> Self {
        let shop = Self::new(right).await;
        shop.write_left(on_left);
        shop.write_right(on_right).await;
        shop.pass(60);
        shop.run().await;
        shop
    }
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[1..].sort();
    lines
}

/// Returns an edit of the goods: cells of rows, by key and column number.
pub(super) fn edited(edits: &[(&str, usize, &str)]) -> String {
    let lines = GOODS.lines().map(|line| {
        let mut cells: Vec<&str> = line.split(',').collect();
        for (key, at, value) in edits {
            if cells[0] == *key {
                cells[*at] = value;
            }
        }
        cells.join(",") + "\n"
    });
    lines.collect()
}

/// Returns the goods without a row.
pub(super) fn without(key: &str, csv: &str) -> String {
    csv.lines()
        .filter(|line| !line.starts_with(&format!("{key},")))
        .map(|line| format!("{line}\n"))
        .collect()
}
