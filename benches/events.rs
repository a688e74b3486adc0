//! Events: how long from detection to delivery, and how fast a long queue drains.
//!
//! `cargo bench --bench events -- lag` changes 100 rows of a file a second for 20 s, each of which goes to a sheet of the
//! embedded workspace over real HTTP, and prints the 95th percentile from detection to delivery with its ratio to the
//! poll interval. `cargo bench --bench events -- drain 1000000` puts so many new rows into the queue at once and prints
//! at what rate they are noted and drain into an SQLite table; with the address of an empty PostgreSQL database behind
//! it, the same with the store there, and the ratio of the two. Each is set against a peer of the same run: as many rows
//! like those of the queue put into a table of the same database by one statement, and deleted by one.
// A run is a deep future.
#![recursion_limit = "256"]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs
)]

use std::{
    fmt::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use lockstep::{
    app::App, config::Config, progress::Progress, replica::connections::ConnectionConfig, tools,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

struct House {
    folder: TempDir,
    _data: TempDir,
    app: App,
}

impl House {
    async fn new(change: impl FnOnce(&mut Config, &Path)) -> Self {
        let (folder, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let mut config = Config::default();
        config.workspace.data = Some(data.path().to_owned());
        config.files.root = folder.path().to_owned();
        config.files.writable = true;
        change(&mut config, folder.path());
        let app = App::start(&config).await.unwrap();
        Self { folder, _data: data, app }
    }

    async fn call(&self, name: &str, arguments: Value) -> Value {
        let tool = tools::find(name).unwrap();
        let Value::Object(arguments) = arguments else { unreachable!() };
        let context = self.app.context().for_call(Progress::silent());
        tool.call(&context, arguments).await.unwrap()
    }

    async fn status(&self) -> Value {
        self.call("watchDataset", json!({})).await["watches"][0].clone()
    }

    fn save(&self, rows: &[u64]) {
        let mut text = String::with_capacity(rows.len() * 24);
        text.push_str("sku,name,qty\n");
        for (number, qty) in rows.iter().enumerate() {
            writeln!(text, "K{number:07},Item {number},{qty}").unwrap();
        }
        let aside = self.folder.path().join("aside");
        std::fs::write(&aside, text).unwrap();
        std::fs::rename(&aside, self.folder.path().join("stock.csv")).unwrap();
    }
}

/// Seconds between two polls of the first measurement.
const POLL: f64 = 0.5;

async fn lag() {
    let house = House::new(|_, _| {}).await;
    let sheet = json!({"type": "spreadsheet", "name": "S", "sheets": [{"title": "stock"}]});
    let id = house.call("createFile", sheet).await["id"].as_str().unwrap().to_owned();
    let mut rows = vec![0; 1_000];
    house.save(&rows);
    let dataset = json!({"name": "stock", "left": {"file": "stock.csv"}, "key": ["sku"],
        "right": {"spreadsheetId": id, "sheet": "stock"}, "direction": "both", "mode": "apply"});
    house.call("syncDataset", dataset).await;
    let start = json!({"action": "start", "dataset": "stock", "pollSeconds": POLL});
    house.call("watchDataset", start).await;
    let stop = CancellationToken::new();
    let worker = tokio::spawn(house.app.context().worker().run(stop.clone()));
    let began = Instant::now();
    let mut edits = 0_u64;
    for step in 1..=200_u64 {
        for _ in 0..10 {
            edits += 1;
            let row = usize::try_from(edits * 37 % 1_000).unwrap();
            rows[row] = edits;
        }
        house.save(&rows);
        let due = Duration::from_millis(100 * step);
        tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
    }
    let rate = edits as f64 / began.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let status = house.status().await;
    stop.cancel();
    worker.await.unwrap();
    let p95 = status["p95Seconds"].as_f64().unwrap();
    println!(
        "{edits} edits at {rate:.0} a second: {} events, {} rows written, {} wait\n\
         p95 from detection to delivery {:.0} ms, {:.2} of the poll interval ({POLL} s)",
        status["events"],
        status["written"],
        status["depth"],
        p95 * 1e3,
        p95 / POLL,
    );
    house.app.stop().await;
}

/// A table like the queue's, with as many rows as are drained: filled by one statement, and emptied by one.
const PEER: [&str; 3] = [
    "CREATE TABLE peer (number INTEGER NOT NULL PRIMARY KEY, dataset TEXT NOT NULL, member TEXT NOT NULL,
         key_digest TEXT NOT NULL, key_values TEXT NOT NULL, kind TEXT NOT NULL, columns TEXT NOT NULL,
         work TEXT NOT NULL, coalesced BIGINT NOT NULL, detected BIGINT NOT NULL, due BIGINT NOT NULL,
         attempts BIGINT NOT NULL, fence BIGINT, story TEXT NOT NULL);
     CREATE UNIQUE INDEX peer_key ON peer (dataset, member, key_digest);
     CREATE INDEX peer_due ON peer (dataset, due)",
    "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < COUNT)
     INSERT INTO peer SELECT n, 'stock', 'right', 'a digest of thirty-two bytes ' || n, 'K' || n, 'insert',
         '[\"name\",\"qty\"]', 'sixteen b ' || n, 1, n, n, 0, NULL, '[]' FROM n",
    "DELETE FROM peer",
];

/// Returns the seconds that the peer takes in the database of a store.
async fn peer(place: &Place, count: usize) -> f64 {
    let [make, fill, empty] = PEER.map(|sql| sql.replace("COUNT", &count.to_string()));
    match place {
        Place::File => {
            let folder = TempDir::new().unwrap();
            let database = rusqlite::Connection::open(folder.path().join("peer.db")).unwrap();
            database.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").unwrap();
            database.execute_batch(&make).unwrap();
            let began = Instant::now();
            database.execute_batch(&fill).unwrap();
            database.execute_batch(&empty).unwrap();
            began.elapsed().as_secs_f64()
        }
        Place::Server(url) => {
            let mut database =
                <sqlx::PgConnection as sqlx::Connection>::connect(url).await.unwrap();
            for sql in ["DROP TABLE IF EXISTS peer".to_owned(), make] {
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut database).await.unwrap();
            }
            let began = Instant::now();
            for sql in [fill, empty] {
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut database).await.unwrap();
            }
            began.elapsed().as_secs_f64()
        }
    }
}

/// Where the store is.
enum Place {
    File,
    Server(String),
}

/// Returns how many events a second were noted and delivered.
async fn drain(count: usize, place: &Place) -> f64 {
    let house = House::new(|config, folder| {
        if let Place::Server(url) = place {
            config.store.url = Some(url.clone());
        }
        let path = folder.join("shop.db");
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 CREATE TABLE stock (sku TEXT PRIMARY KEY, name TEXT, qty INTEGER)",
            )
            .unwrap();
        let text =
            format!("kind = \"sqlite\"\nurl = \"sqlite:{}\"\nwritable = true", path.display());
        let shop: ConnectionConfig = toml::from_str(&text).unwrap();
        config.connections.insert("shop".into(), shop);
    })
    .await;
    house.save(&[0]);
    let dataset = json!({"name": "stock", "left": {"file": "stock.csv"}, "key": ["sku"],
        "right": {"connection": "shop", "table": "stock"}, "direction": "both"});
    house.call("syncDataset", dataset).await;
    house.save(&vec![7; count]);
    house.call("watchDataset", json!({"action": "start", "dataset": "stock"})).await;
    let mut worker = house.app.context().worker();
    let began = Instant::now();
    let mut looks = 0;
    loop {
        worker.tick().await.unwrap();
        looks += 1;
        let status = house.status().await;
        let (depth, written) = (&status["depth"], status["written"].as_u64().unwrap_or(0));
        println!("{:6.1} s: {written} written, {depth} wait", began.elapsed().as_secs_f64());
        if written == count as u64 {
            break;
        }
        assert!(looks < 50, "it does not drain: {status:#}");
    }
    let seconds = began.elapsed().as_secs_f64();
    house.app.stop().await;
    let (peer, rate) = (peer(place, count).await, count as f64 / seconds);
    let name = match place {
        Place::File => "SQLite",
        Place::Server(_) => "PostgreSQL",
    };
    println!(
        "{count} events were noted and drained into a table, the store in {name}, in {seconds:.1} s: {rate:.0} a \
         second, {:.1} x the time of its peer ({peer:.1} s)",
        seconds / peer
    );
    rate
}

/// Drains with the store in a file, and in a server's database where one is named.
async fn drains(count: usize, url: Option<&str>) {
    let file = drain(count, &Place::File).await;
    if let Some(url) = url {
        let server = drain(count, &Place::Server(url.to_owned())).await;
        println!("the store in PostgreSQL drains at {:.2} x the rate of SQLite", server / file);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["drain", count] => runtime.block_on(drains(count.parse().unwrap(), None)),
        ["drain", count, url] => runtime.block_on(drains(count.parse().unwrap(), Some(url))),
        ["lag"] => runtime.block_on(lag()),
        _ => {
            runtime.block_on(lag());
            runtime.block_on(drains(100_000, None));
        }
    }
}
