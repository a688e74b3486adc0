//! Datasets that are watched: what changes is delivered, once and in order, whatever else happens.
//!
//! Most stages here have a clock that is driven by hand, so that hours pass in milliseconds.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lockstep::{
    clock::{Clock, Hand},
    config::Config,
    progress::Progress,
    replica::connections::ConnectionConfig,
    tools::Context,
    watch::Worker,
};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::{House, assert_valid, tool};

mod abreast;
mod bounds;
mod calls;
mod channels;
mod health;
mod hooks;
mod kills;
mod outage;
mod ping_pong;
mod quota;
mod real;
mod refusals;
mod serve;

/// A house with a worker and a clock that is driven by hand.
pub(crate) struct Stage {
    pub(crate) house: House,
    context: Context,
    hand: &'static Hand,
    worker: Worker,
}

impl Stage {
    pub(crate) async fn new(change: impl FnOnce(&mut Config)) -> Self {
        let house = House::with(change).await;
        let hand: &'static Hand =
            Box::leak(Box::new(Hand::new(Timestamp::from_second(1_780_000_000).unwrap())));
        let mut context = house.app.context();
        context.clock = Clock::Driven(hand);
        let worker = context.worker();
        Self { house, context, hand, worker }
    }

    fn now(&self) -> Timestamp {
        Clock::Driven(self.hand).now()
    }

    /// Calls a tool at the time of the stage.
    pub(crate) async fn ok(&self, name: &str, arguments: Value) -> Value {
        let (tool, Value::Object(arguments)) = (tool(name), arguments) else { panic!("no object") };
        let context = self.context.for_call(Progress::silent());
        let result = tool.call(&context, arguments).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_valid(&tool.output_schema, &result, name);
        result
    }

    /// Lets time pass, and the worker do what is due meanwhile.
    pub(crate) async fn pass(&mut self, by: SignedDuration) {
        let end = self.now() + by;
        for _ in 0..10_000 {
            let next = self.worker.tick().await.unwrap();
            let now = self.now();
            match next {
                Some(next) if next <= end => {
                    self.hand.advance(next.duration_since(now).max(SignedDuration::from_millis(1)));
                }
                _ => {
                    self.hand.advance(end.duration_since(now));
                    return;
                }
            }
        }
        panic!("the worker does not come to rest");
    }

    pub(crate) async fn seconds(&mut self, seconds: i64) {
        self.pass(SignedDuration::from_secs(seconds)).await;
    }

    /// Returns the one watch.
    pub(crate) async fn status(&self) -> Value {
        let shown = self.ok("watchDataset", json!({})).await;
        shown["watches"][0].clone()
    }

    pub(crate) async fn letters(&self) -> Vec<Value> {
        let shown = self.ok("watchDataset", json!({"action": "deadLetters"})).await;
        shown["deadLetters"].as_array().cloned().unwrap_or_default()
    }

    pub(crate) async fn runs(&self) -> usize {
        let shown = self.ok("syncHistory", json!({"limit": 200})).await;
        shown["runs"].as_array().map_or(0, Vec::len)
    }
}

/// Returns a connection to an SQLite file, for the configuration.
pub(crate) fn sqlite(path: &std::path::Path) -> ConnectionConfig {
    let text = format!("kind = \"sqlite\"\nurl = \"sqlite:{}\"\nwritable = true", path.display());
    toml::from_str(&text).unwrap()
}

/// A CSV file that flows into a table which logs every write and refuses some.
pub(crate) struct Shop {
    pub(crate) stage: Stage,
    pub(crate) database: Connection,
    _folder: tempfile::TempDir,
}

const TABLE: &str =
    "CREATE TABLE stock (sku TEXT PRIMARY KEY, name TEXT, qty INTEGER CHECK (qty < 1000));
     CREATE TABLE log (number INTEGER PRIMARY KEY, sku TEXT, what TEXT);
     CREATE TRIGGER added AFTER INSERT ON stock BEGIN
         INSERT INTO log (sku, what) VALUES (NEW.sku, NEW.name || ' ' || NEW.qty); END;
     CREATE TRIGGER changed AFTER UPDATE ON stock BEGIN
         INSERT INTO log (sku, what) VALUES (NEW.sku, NEW.name || ' ' || NEW.qty); END;
     CREATE TRIGGER gone AFTER DELETE ON stock BEGIN
         INSERT INTO log (sku, what) VALUES (OLD.sku, 'deleted'); END;";

impl Shop {
    pub(crate) async fn new(direction: &str) -> Self {
        Self::with(direction, |_| {}).await
    }

    pub(crate) async fn with(direction: &str, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("shop.db");
        let database = Connection::open(&path).unwrap();
        database.pragma_update(None, "journal_mode", "WAL").unwrap();
        database.execute_batch(TABLE).unwrap();
        let stage = Stage::new(|config| {
            config.connections.insert("shop".into(), sqlite(&path));
            change(config);
        })
        .await;
        stage.house.write("stock.csv", "sku,name,qty\nA,Apple,10\nB,Beet,20\nC,Corn,30\n");
        let dataset = json!({
            "name": "stock",
            "left": {"file": "stock.csv"},
            "right": {"connection": "shop", "table": "stock"},
            "key": ["sku"],
            "direction": direction,
            "deletes": "delete",
            "maxDeletePercent": 100,
        });
        stage.ok("syncDataset", dataset).await;
        Self { stage, database, _folder: folder }
    }

    pub(crate) fn file(&self, rows: &BTreeMap<String, (String, i64)>) {
        let mut text = "sku,name,qty\n".to_owned();
        for (sku, (name, qty)) in rows {
            text.push_str(&format!("{sku},{name},{qty}\n"));
        }
        self.stage.house.write("stock.csv", text);
    }

    /// Returns the rows of the table.
    pub(crate) fn rows(&self) -> BTreeMap<String, (String, i64)> {
        let mut statement = self.database.prepare("SELECT sku, name, qty FROM stock").unwrap();
        let rows =
            statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Returns what was written to the table, in order.
    pub(crate) fn log(&self) -> Vec<String> {
        let mut statement =
            self.database.prepare("SELECT sku || ' ' || what FROM log ORDER BY number").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }
}

fn stock(rows: &[(&str, &str, i64)]) -> BTreeMap<String, (String, i64)> {
    rows.iter().map(|(sku, name, qty)| ((*sku).to_owned(), ((*name).to_owned(), *qty))).collect()
}

#[tokio::test]
async fn changes_become_events_and_are_delivered_once() {
    let mut shop = Shop::new("leftToRight").await;
    shop.stage.ok("watchDataset", json!({"action": "start", "dataset": "stock"})).await;
    assert_eq!(shop.stage.status().await["state"], "waiting", "no worker looked yet");
    shop.stage.seconds(1).await;
    let status = shop.stage.status().await;
    assert_eq!((&status["events"], &status["written"]), (&json!(3), &json!(3)), "{status:#}");
    assert_eq!((&status["state"], &status["depth"]), (&json!("running"), &json!(0)), "{status:#}");
    assert_eq!(shop.log(), ["A Apple 10", "B Beet 20", "C Corn 30"]);

    let all = stock(&[("A", "Apple", 11), ("C", "Corn", 30), ("D", "Dill", 40)]);
    shop.file(&all);
    shop.stage.seconds(60).await;
    assert_eq!(shop.rows(), all);
    let mut log = shop.log().split_off(3);
    log.sort();
    assert_eq!(log, ["A Apple 11", "B deleted", "D Dill 40"]);
    let (runs, status) = (shop.stage.runs().await, shop.stage.status().await);
    assert_eq!(status["events"], 6);
    // Nothing changed since: our own writes are no events, and no run is made.
    shop.stage.seconds(3_600).await;
    let later = shop.stage.status().await;
    assert_eq!((shop.stage.runs().await, &later["events"]), (runs, &status["events"]));
    assert_ne!(later["lastLook"], status["lastLook"]);
    // The polls have become ten times slower, and no slower than that.
    let time = |name: &str| later[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(time("nextLook").duration_since(time("lastLook")).as_secs(), 300);

    // A stopped watch looks no more; started again it finds what changed meanwhile.
    shop.stage.ok("watchDataset", json!({"action": "stop", "dataset": "stock"})).await;
    shop.file(&stock(&[("A", "Apple", 12), ("C", "Corn", 30), ("D", "Dill", 40)]));
    shop.stage.seconds(3_600).await;
    assert_eq!(shop.rows()["A"].1, 11);
    shop.stage.ok("watchDataset", json!({"action": "start", "dataset": "stock"})).await;
    shop.stage.seconds(1).await;
    assert_eq!(shop.rows()["A"].1, 12);
}

#[tokio::test]
async fn a_poison_event_dies_alone_with_its_story_and_a_mended_row_revives_it() {
    let mut shop = Shop::new("both").await;
    shop.stage.ok("watchDataset", json!({"action": "start", "dataset": "stock"})).await;
    shop.stage.seconds(1).await;
    let poison = [("A", "Apple", 5_000), ("B", "Beet", 21), ("C", "Corn", 31), ("D", "Dill", 40)];
    shop.file(&stock(&poison));
    shop.stage.seconds(60).await;
    assert_eq!(
        shop.rows(),
        stock(&[("A", "Apple", 10), ("B", "Beet", 21), ("C", "Corn", 31), ("D", "Dill", 40)])
    );
    shop.stage.seconds(600).await;
    let letters = shop.stage.letters().await;
    assert_eq!(letters.len(), 1, "{letters:#?}");
    let letter = &letters[0];
    assert_eq!(
        (
            &letter["key"],
            &letter["kind"],
            &letter["columns"],
            &letter["attempts"],
            &letter["member"]
        ),
        (&json!("A"), &json!("update"), &json!(["qty"]), &json!(3), &json!("right"))
    );
    let story = letter["story"].to_string();
    assert!(story.to_lowercase().contains("check"), "{story}");
    // It is not told again and holds up nobody.
    shop.file(&stock(&[
        ("A", "Apple", 5_000),
        ("B", "Beet", 22),
        ("C", "Corn", 31),
        ("D", "Dill", 40),
    ]));
    shop.stage.seconds(600).await;
    assert_eq!((shop.rows()["B"].1, shop.rows()["A"].1), (22, 10));
    let status = shop.stage.status().await;
    assert_eq!((&status["deadLetters"], &status["depth"]), (&json!(1), &json!(0)), "{status:#}");
    // Tried again without a mend it dies again; with one it lives.
    let again = json!({"action": "retry", "dataset": "stock", "letters": [letter["letter"]]});
    shop.stage.ok("watchDataset", again).await;
    shop.stage.seconds(900).await;
    assert_eq!(shop.stage.letters().await.len(), 1);
    shop.file(&stock(&[
        ("A", "Apple", 500),
        ("B", "Beet", 22),
        ("C", "Corn", 31),
        ("D", "Dill", 40),
    ]));
    shop.stage.seconds(600).await;
    assert_eq!(shop.rows()["A"].1, 500);
    assert_eq!(shop.stage.letters().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_dropped_letter_stays_dropped_until_its_row_changes() {
    let mut shop = Shop::new("leftToRight").await;
    let start = json!({"action": "start", "dataset": "stock", "retryLimit": 1});
    shop.stage.ok("watchDataset", start).await;
    shop.file(&stock(&[("A", "Apple", 5_000), ("B", "Beet", 20)]));
    shop.stage.seconds(60).await;
    assert_eq!(shop.stage.letters().await.len(), 1);
    shop.stage.ok("watchDataset", json!({"action": "drop", "dataset": "stock"})).await;
    shop.stage.seconds(3_600).await;
    assert_eq!(shop.stage.letters().await, Vec::<Value>::new());
    shop.file(&stock(&[("A", "Apple", 6_000), ("B", "Beet", 20)]));
    shop.stage.seconds(600).await;
    assert_eq!(shop.stage.letters().await.len(), 1);
}

#[tokio::test]
async fn a_halted_dataset_writes_nothing_and_says_so() {
    let mut shop = Shop::new("both").await;
    shop.stage.ok("watchDataset", json!({"action": "start", "dataset": "stock"})).await;
    shop.stage.seconds(1).await;
    shop.stage.house.write("stock.csv", "sku,name,qty\n");
    shop.stage.seconds(600).await;
    assert_eq!(shop.rows().len(), 3);
    let status = shop.stage.status().await;
    assert!(status["halted"][0].as_str().unwrap().starts_with("emptied"), "{status:#}");
    shop.file(&stock(&[("A", "Apple", 10), ("B", "Beet", 21), ("C", "Corn", 30)]));
    shop.stage.seconds(600).await;
    assert_eq!(shop.rows()["B"].1, 21);
    assert!(shop.stage.status().await.get("halted").is_none());
}

#[tokio::test]
async fn a_schedule_looks_when_it_says() {
    let mut shop = Shop::new("leftToRight").await;
    // The stage begins on 2026-05-28 at 20:26:40 UTC, 22:26:40 in Berlin.
    let start = json!({"action": "start", "dataset": "stock", "pollSeconds": 0,
        "cron": "0 9 * * *", "timeZone": "Europe/Berlin"});
    shop.stage.ok("watchDataset", start).await;
    shop.stage.seconds(1).await;
    let status = shop.stage.status().await;
    assert_eq!(status["nextLook"], "2026-05-29T07:00:00Z", "{status:#}");
    assert_eq!(status["triggers"], json!(["cron 0 9 * * * (Europe/Berlin)"]));
    shop.file(&stock(&[("A", "Apple", 99)]));
    shop.stage.seconds(10 * 3_600).await;
    assert_eq!(shop.rows()["A"].1, 10);
    shop.stage.seconds(3_600).await;
    assert_eq!(shop.rows()["A"].1, 99);
}

#[tokio::test]
async fn a_file_that_is_no_table_of_skipping_rows_is_halved_until_the_poison_stands_alone() {
    // A workbook's cell holds at most 32,767 characters: one such row is refused with its whole batch.
    let mut stage = Stage::new(|_| {}).await;
    let rows = |poison: &str| {
        let row = |n: usize| format!("K{n:02},{}\n", if n == 7 { poison } else { "fine" });
        (0..20).fold("sku,note\n".to_owned(), |text, n| text + row(n).as_str())
    };
    stage.house.write("notes.csv", rows("fine"));
    let dataset = json!({
        "name": "notes", "left": {"file": "notes.csv"}, "right": {"file": "notes.xlsx"}, "key": ["sku"],
        "direction": "both",
    });
    stage.ok("syncDataset", dataset.clone()).await;
    stage.ok("watchDataset", json!({"action": "start", "dataset": "notes"})).await;
    stage.seconds(1).await;
    stage.house.write("notes.csv", rows(&"x".repeat(40_000)).replace("fine", "changed"));
    stage.seconds(600).await;
    let letters = stage.letters().await;
    assert_eq!(letters.len(), 1, "{}", stage.status().await);
    assert_eq!(letters[0]["key"], "K07");
    let report = stage.ok("syncDataset", dataset).await;
    assert_eq!(report["counts"]["update"], 1, "all others were written: {report:#}");
}
