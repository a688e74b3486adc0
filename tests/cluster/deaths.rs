//! Three servers over one PostgreSQL, of which one is killed every few seconds.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Child,
    time::{Duration, Instant},
};

use lockstep::config::Config;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tempfile::TempDir;

use super::{app, call, watching};
use crate::support::postgres::{self, Database};

const DATASETS: usize = 60;
const SERVERS: usize = 3;

/// Every write to a table is noted: what is applied twice shows.
const TABLES: &str = "
    CREATE TABLE log (dataset text, sku text, qty bigint);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO log VALUES (TG_TABLE_NAME, NEW.sku, NEW.qty);
        RETURN NULL;
    END $$;";

type Rows = BTreeMap<String, i64>;

/// Replaces a dataset's file, as an editor does.
fn save(files: &Path, dataset: usize, rows: &Rows) {
    let text: String = rows.iter().map(|(sku, qty)| format!("{sku},{qty}\n")).collect();
    let aside = files.join(format!("aside{dataset}"));
    std::fs::write(&aside, format!("sku,qty\n{text}")).unwrap();
    std::fs::rename(aside, files.join(format!("d{dataset}.csv"))).unwrap();
}

/// Returns the tables' rows by dataset.
async fn tables(shop: &Database) -> Vec<Rows> {
    let union: Vec<String> =
        (0..DATASETS).map(|n| format!("SELECT {n}::text, sku, qty::text FROM d{n}")).collect();
    let mut all = vec![Rows::new(); DATASETS];
    for row in shop.texts(union.join(" UNION ALL ")).await {
        let cell = |at: usize| row[at].clone().unwrap();
        all[cell(0).parse::<usize>().unwrap()].insert(cell(1), cell(2).parse().unwrap());
    }
    all
}

/// Returns the one number that a query of the store finds.
async fn number(store: &Database, sql: &str) -> i64 {
    store.texts(format!("SELECT ({sql})::text")).await[0][0]
        .as_deref()
        .unwrap_or("0")
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_are_killed_lose_nothing_and_write_nothing_twice() {
    let Some(store) = postgres::database().await else { return };
    let shop = postgres::database().await.unwrap();
    let full = std::env::var_os("LOCKSTEP_FULL").is_some();
    let lasts = Duration::from_secs(if full { 120 } else { 12 });
    let (files, home) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut models: Vec<Rows> = vec![(0..6).map(|n| (format!("K{n}"), 0)).collect(); DATASETS];
    let mut make = TABLES.to_owned();
    for (n, model) in models.iter().enumerate() {
        make.push_str(&format!(
            "CREATE TABLE d{n} (sku text PRIMARY KEY, qty bigint);
             INSERT INTO d{n} SELECT 'K' || k, 0 FROM generate_series(0, 5) k;
             CREATE TRIGGER note AFTER INSERT OR UPDATE ON d{n} FOR EACH ROW EXECUTE FUNCTION note();"
        ));
        save(files.path(), n, model);
    }
    shop.run(make).await;
    let connection = format!("kind = \"postgres\"\nurl = \"{}\"\nwritable = true\n", shop.url);
    std::fs::write(home.path().join("lockstep.toml"), format!("[connections.shop]\n{connection}"))
        .unwrap();
    let setting = |config: &mut Config| {
        config.connections.insert("shop".into(), toml::from_str(&connection).unwrap());
    };
    let maker = app(home.path(), files.path(), &store.url, setting).await;
    for n in 0..DATASETS {
        let dataset = json!({"name": format!("d{n}"), "left": {"file": format!("d{n}.csv")}, "key": ["sku"],
            "right": {"connection": "shop", "table": format!("d{n}")}, "direction": "both", "mode": "apply"});
        call(&maker, "syncDataset", dataset).await;
        let watch = json!({"action": "start", "dataset": format!("d{n}"), "pollSeconds": 5});
        call(&maker, "watchDataset", watch).await;
    }
    maker.stop().await;

    let home: PathBuf = home.path().to_owned();
    let begin = || watching(&home, files.path(), &store.url);
    let mut servers: Vec<Child> = (0..SERVERS).map(|_| begin()).collect();
    let mut random = StdRng::seed_from_u64(11);
    let (began, mut edits, mut kills, mut next) =
        (Instant::now(), 0_i64, 0, Duration::from_secs(4));
    while began.elapsed() < lasts {
        // Every edit has a number of its own.
        for _ in 0..3 {
            edits += 1;
            let dataset = random.random_range(0..DATASETS);
            models[dataset].insert(format!("K{}", random.random_range(0..6)), edits);
            save(files.path(), dataset, &models[dataset]);
        }
        if began.elapsed() >= next {
            let victim = random.random_range(0..SERVERS);
            servers[victim].kill().unwrap();
            servers[victim].wait().unwrap();
            servers[victim] = begin();
            kills += 1;
            next += Duration::from_secs(3);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ended = Instant::now();
    loop {
        let found = tables(&shop).await;
        let apart = found.iter().zip(&models).filter(|(found, model)| found != model).count();
        if apart == 0 {
            break;
        }
        assert!(ended.elapsed() < Duration::from_secs(180), "{apart} datasets are not in step");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let settled = ended.elapsed();
    // Whatever would come late comes within a poll.
    tokio::time::sleep(Duration::from_secs(6)).await;
    for server in &mut servers {
        server.kill().unwrap();
        server.wait().unwrap();
    }
    assert!(kills >= 2, "{kills} kills");
    assert_eq!(tables(&shop).await, models, "nothing is lost");
    let twice = "SELECT dataset || ' ' || sku || ' ' || qty FROM log GROUP BY dataset, sku, qty HAVING COUNT(*) > 1";
    assert_eq!(shop.texts(twice).await, Vec::<Vec<Option<String>>>::new(), "written twice");
    for (n, model) in models.iter().enumerate() {
        let text = std::fs::read_to_string(files.path().join(format!("d{n}.csv"))).unwrap();
        assert_eq!(text.lines().count(), model.len() + 1, "the file of d{n} is as it was saved");
    }
    assert_eq!(number(&store, "SELECT COUNT(*) FROM events").await, 0);
    assert_eq!(number(&store, "SELECT COUNT(*) FROM dead_letters").await, 0);
    assert_eq!(number(&store, "SELECT COUNT(*) FROM runs WHERE state = 'applying'").await, 0);
    // Of a dataset each run begins after the one before was closed, under no lower fence: no two had it at once.
    let overlapping = "SELECT COUNT(*) FROM (
        SELECT started, fence, LAG(finished) OVER w AS before, LAG(fence) OVER w AS lower
        FROM runs WINDOW w AS (PARTITION BY dataset ORDER BY number)) r WHERE started < before OR fence < lower";
    assert_eq!(number(&store, overlapping).await, 0, "two holders at once");
    let runs = number(&store, "SELECT COUNT(*) FROM runs").await;
    let written = shop.texts("SELECT COUNT(*)::text FROM log").await[0][0].clone().unwrap();
    println!(
        "{DATASETS} datasets, {SERVERS} servers, {:.0} s: {edits} edits, {kills} servers killed, {runs} runs, {written} \
         rows written, none lost, none twice; in step {:.1} s after the last edit",
        lasts.as_secs_f64(),
        settled.as_secs_f64()
    );
}
