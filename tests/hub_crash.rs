//! Hubs under SIGKILL: a sheet with a CSV file, a SQLite table and another sheet as its spokes is killed at every step of
//! a run, and the next run ends as if it had not been.

use std::{collections::BTreeMap, path::PathBuf, process::Command, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    harness::House,
    support::{kill, lockstep},
};

/// The steps of a run: the hub has a batch, and so has each of the spokes.
const POINTS: &[(&str, u32)] =
    &[("begun", 1), ("sending", 4), ("sent", 4), ("marked", 4), ("closing", 1), ("closed", 1)];

/// What a record should be: its name and its quantity.
type Model = BTreeMap<String, (String, i64)>;

/// A hub with spokes of three kinds, and the operator's file for children.
struct World {
    house: House,
    id: String,
    config: String,
    database: PathBuf,
    random: StdRng,
}

const GOODS: &[(&str, &str, i64)] =
    &[("A", "Apple", 1), ("B", "Beet", 2), ("C", "Corn", 3), ("D", "Dill", 4), ("E", "Egg", 5)];

impl World {
    /// Starts in step; the table refuses names that say so, and leaves such rows out.
    async fn in_step(seed: u64) -> (Self, Model) {
        let shelf = tempfile::TempDir::new().unwrap().keep();
        let database = shelf.join("shop.db");
        let connection =
            format!("kind = \"sqlite\"\nurl = \"sqlite:{}\"\nwritable = true", database.display());
        rusqlite::Connection::open(&database)
            .unwrap()
            .execute_batch("CREATE TABLE t (sku TEXT PRIMARY KEY, name TEXT CHECK (name <> 'refused'), qty INTEGER)")
            .unwrap();
        let house = House::with(|config| {
            config.connections.insert("shop".into(), toml::from_str(&connection).unwrap());
        })
        .await;
        let sheets = json!([{"title": "hub"}, {"title": "board"}]);
        let made = json!({"type": "spreadsheet", "name": "Hub", "sheets": sheets});
        let made = house.ok("createFile", made).await;
        let id = made["id"].as_str().unwrap().to_owned();
        let config = format!("backend = \"local\"\n[connections.shop]\n{connection}\n");
        let config = house.write("lockstep.toml", config).to_str().unwrap().to_owned();
        let random = StdRng::seed_from_u64(seed);
        let world = Self { house, id, config, database, random };
        let row = |(sku, name, qty): &(&str, &str, i64)| ((*sku).into(), ((*name).into(), *qty));
        let model: Model = GOODS.iter().map(row).collect();
        world.write_file(&model);
        world.sync().await;
        (world, model)
    }

    fn arguments(&self) -> Value {
        json!({
            "name": "goods", "hub": {"spreadsheetId": self.id, "sheet": "hub"},
            "spokes": [
                {"name": "crm", "file": "crm.csv", "deletes": "delete"},
                {"name": "shop", "connection": "shop", "table": "t", "onError": "skip", "deletes": "delete"},
                {"name": "board", "spreadsheetId": self.id, "sheet": "board", "deletes": "delete"},
            ],
            "key": ["sku"], "mode": "apply", "deletes": "delete", "maxDeletePercent": 100,
            "columns": [{"name": "sku", "type": "text"}, {"name": "name", "type": "text"},
                {"name": "qty", "type": "number"}],
        })
    }

    async fn sync(&self) -> Value {
        self.house.ok("syncDataset", self.arguments()).await
    }

    fn child(&self) -> Command {
        let mut command = lockstep(self.house.data());
        let root = self.house.folder.path().to_str().unwrap();
        command.args(["--config", &self.config, "--root", root, "--allow-write"]);
        command.args(["call", "syncDataset"]).arg(self.arguments().to_string());
        command
    }

    fn write_file(&self, rows: &Model) {
        let mut csv = String::from("sku,name,qty\n");
        for (key, (name, qty)) in rows {
            csv.push_str(&format!("{key},{name},{qty}\n"));
        }
        self.house.write("crm.csv", csv);
    }

    fn file(&self) -> Model {
        let path = self.house.folder.path().join("crm.csv");
        let text = std::fs::read_to_string(path).unwrap();
        let row = |line: &str| {
            let cells: Vec<&str> = line.split(',').collect();
            (cells[0].to_owned(), cells[1].to_owned(), cells[2].parse().unwrap())
        };
        model("the file", text.lines().skip(1).map(row))
    }

    fn sql(&self, sql: &str) {
        let connection = rusqlite::Connection::open(&self.database).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    fn table(&self) -> Model {
        let connection = rusqlite::Connection::open(&self.database).unwrap();
        let mut statement = connection.prepare("SELECT sku, name, qty FROM t").unwrap();
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let rows = statement.query_map([], row).unwrap();
        model("the table", rows.map(Result::unwrap))
    }

    async fn rows(&self, sheet: &str) -> Vec<Vec<Value>> {
        let ask = json!({"spreadsheetId": self.id, "sheet": sheet, "as": "rows", "limit": 1000});
        let page = self.house.ok("readSheet", ask).await;
        let rows = page["rows"].as_array().unwrap().iter();
        rows.map(|row| row["cells"].as_array().unwrap().clone()).collect()
    }

    async fn sheet(&self, sheet: &str) -> Model {
        let text = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        let rows = self.rows(sheet).await.into_iter().skip(1).filter(|row| !row[0].is_null());
        model(sheet, rows.map(|row| (text(&row[0]), text(&row[1]), row[2].as_i64().unwrap())))
    }

    async fn set(&self, sheet: &str, key: &str, column: char, value: Value) {
        let rows = self.rows(sheet).await;
        let row = rows.iter().position(|row| row[0] == key).unwrap() + 1;
        let cells = json!({
            "spreadsheetId": self.id, "sheet": sheet, "range": format!("{column}{row}"), "values": [[value]],
        });
        self.house.ok("updateCells", cells).await;
    }

    async fn append(&self, sheet: &str, row: Value) {
        let rows = json!({"spreadsheetId": self.id, "sheet": sheet, "rows": [row]});
        self.house.ok("appendRows", rows).await;
    }

    /// Changes every member, never the same record, and tells the model what must come of it.
    async fn edit(&mut self, model: &mut Model, round: i64) {
        let mut file = model.clone();
        for (index, key) in model.clone().into_keys().enumerate() {
            let what = self.random.random_range(0..6);
            let room = model.len() > 8;
            match (index % 4, what) {
                (0, 0 | 1) => {
                    file.get_mut(&key).unwrap().1 = round;
                    model.get_mut(&key).unwrap().1 = round;
                }
                (0, 2) if room => {
                    file.remove(&key);
                    model.remove(&key);
                }
                (1, 0 | 1) => {
                    self.sql(&format!("UPDATE t SET qty = {} WHERE sku = '{key}'", 1_000 + round));
                    model.get_mut(&key).unwrap().1 = 1_000 + round;
                }
                (1, 2) if room => {
                    self.sql(&format!("DELETE FROM t WHERE sku = '{key}'"));
                    model.remove(&key);
                }
                (2, 0) => {
                    self.set("hub", &key, 'B', json!(format!("hub {round}"))).await;
                    model.get_mut(&key).unwrap().0 = format!("hub {round}");
                }
                (3, 0) => {
                    self.set("board", &key, 'C', json!(2_000 + round)).await;
                    model.get_mut(&key).unwrap().1 = 2_000 + round;
                }
                _ => {}
            }
        }
        let mut new = |key: String, name: &str| model.insert(key, (name.to_owned(), round));
        file.insert(format!("F{round}"), ("of the file".into(), round));
        new(format!("F{round}"), "of the file");
        self.sql(&format!("INSERT INTO t VALUES ('T{round}', 'of the table', {round})"));
        new(format!("T{round}"), "of the table");
        new(format!("H{round}"), "of the hub");
        new(format!("B{round}"), "of the board");
        self.append("hub", json!([format!("H{round}"), "of the hub", round])).await;
        self.append("board", json!([format!("B{round}"), "of the board", round])).await;
        self.write_file(&file);
    }

    async fn assert_all(&self, model: &Model, when: &str) {
        assert_eq!(self.sheet("hub").await, *model, "the hub {when}");
        assert_eq!(self.file(), *model, "the file {when}");
        assert_eq!(self.table(), *model, "the table {when}");
        assert_eq!(self.sheet("board").await, *model, "the board {when}");
    }
}

/// Returns rows by key; panics on a doubled one.
fn model(what: &str, rows: impl Iterator<Item = (String, String, i64)>) -> Model {
    let mut model = Model::new();
    for (key, name, qty) in rows {
        assert!(model.insert(key.clone(), (name, qty)).is_none(), "doubled in {what}: {key}");
    }
    model
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_of_a_hub_is_finished_by_the_next_one_and_nothing_is_lost_or_doubled() {
    let (mut world, mut model) = World::in_step(7).await;
    let rounds = if std::env::var_os("LOCKSTEP_FULL").is_some() { 400 } else { 36 };
    let points: Vec<String> = POINTS
        .iter()
        .flat_map(|(name, times)| (1..=*times).map(move |time| format!("{name}:{time}")))
        .collect();
    let mut at: BTreeMap<String, u32> = BTreeMap::new();
    for round in 0..rounds {
        world.edit(&mut model, i64::from(round)).await;
        let turn = usize::try_from(round).unwrap() % (points.len() + 3);
        let when = points.get(turn).map_or("any time", String::as_str);
        let hit = match points.get(turn) {
            Some(point) => kill::at(world.child(), point),
            None => {
                let after = world.random.random_range(20..400);
                kill::after(world.child(), Duration::from_millis(after));
                true
            }
        };
        *at.entry(when.to_owned()).or_default() += u32::from(hit);
        if round % 3 == 0 {
            let settled = format!("settled:{}", 1 + round / 3 % 4);
            *at.entry(settled.clone()).or_default() += u32::from(kill::at(world.child(), &settled));
        }
        let report = world.sync().await;
        assert!(["applied", "inStep"].contains(&report["state"].as_str().unwrap()), "{report:#}");
        world.assert_all(&model, &format!("after round {round}, {when}")).await;
        let again = world.sync().await;
        assert_eq!(again["state"], "inStep", "round {round}, {when}: {again:#}");
        // The table stays small: sheets get slower as they grow.
        if model.len() > 60 {
            model.retain(|key, _| key.len() == 1);
            world.write_file(&model);
            world.sync().await;
            world.assert_all(&model, "when it was emptied").await;
        }
    }
    let kills: u32 = at.values().sum();
    println!("a hub: killed {kills} times in {rounds} rounds: 0 lost, 0 doubled; at {at:?}");
    assert!(kills >= u32::try_from(rounds).unwrap(), "only {kills} kills hit");
}

/// What the table refuses is not in step with it, whenever the process dies: the others keep what they were given.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_left_out_is_not_taken_for_written_after_a_crash() {
    let (world, mut model) = World::in_step(8).await;
    world.set("hub", "B", 'B', json!("refused")).await;
    world.set("hub", "C", 'B', json!("Maize")).await;
    model.get_mut("B").unwrap().0 = "refused".into();
    model.get_mut("C").unwrap().0 = "Maize".into();
    for point in ["sent:2", "marked:2", "marked:3", "closing:1", "closed:1"] {
        kill::at(world.child(), point);
        world.sync().await;
        assert_eq!(world.sheet("hub").await, model, "the hub after {point}");
        assert_eq!(world.file(), model, "the file after {point}");
        assert_eq!(world.sheet("board").await, model, "the board after {point}");
        assert_eq!(world.table()["B"].0, "Beet", "the table after {point}");
        assert_eq!(world.table()["C"].0, "Maize", "the table after {point}");
    }
    world.sql("UPDATE t SET qty = 22 WHERE sku = 'B'");
    model.get_mut("B").unwrap().1 = 22;
    world.sync().await;
    assert_eq!(world.sheet("hub").await, model, "what else the refused row says is heard");
}

/// A file that was edited since a run died is what that run wrote, and the edit.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_a_file_that_a_dead_run_wrote_is_an_edit() {
    let house = House::new().await;
    let made = json!({"type": "spreadsheet", "name": "Hub", "sheets": [{"title": "hub"}]});
    let made = house.ok("createFile", made).await;
    let arguments = json!({
        "name": "goods", "hub": {"spreadsheetId": made["id"], "sheet": "hub"},
        "spokes": [{"name": "one", "file": "one.csv"}, {"name": "two", "file": "two.csv"}],
        "key": ["sku"], "mode": "apply",
        "policy": {"strategy": "priorityBased", "priorities": {"hub": 3, "one": 2, "two": 1}},
    });
    let child = || {
        let mut command = lockstep(house.data());
        let root = house.folder.path().to_str().unwrap();
        command.args(["--root", root, "--allow-write", "call", "syncDataset"]);
        command.arg(arguments.to_string());
        command
    };
    house.write("one.csv", "sku,name\nA,Apple\nB,Beet\nC,Corn\n");
    house.write("two.csv", "sku,name\n");
    // All is written, and it is not known of the second file; then people edit both.
    assert!(kill::at(child(), "sent:2"));
    house.write("one.csv", "sku,name\nA,Apple\nB,Borage\nC,Corn\n");
    house.write("two.csv", "sku,name\nA,Apricot\nB,Beet\n");
    let done = house.ok("syncDataset", arguments.clone()).await;
    assert_eq!(done["counts"]["conflicts"], json!(null), "{done:#}");
    let read = |name: &str| std::fs::read_to_string(house.folder.path().join(name)).unwrap();
    for file in ["one.csv", "two.csv"] {
        // The row that was taken out of the second file was perhaps never in it: it stays.
        assert_eq!(read(file), "sku,name\nA,Apricot\nB,Borage\nC,Corn\n", "{file}: {done:#}");
    }
}
