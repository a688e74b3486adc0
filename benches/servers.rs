//! How much one, two and three servers over one PostgreSQL store bring in step in the same time.
//!
//! `cargo bench --bench servers [-- DATASETS ROWS]`: 24 watched datasets of 2,000 rows, each a CSV file on the left and a
//! table of another PostgreSQL database on the right. All rows of all files are changed at once; the time is from there
//! until every table has them. Each number of servers has a store and tables of its own. Rates are told as ratios to one
//! server's, twice: with tables that take writes at once, where this machine's cores are the bound and are shared by all
//! servers and the database; and with tables that take a second for each statement, as one does that is far away, where
//! what a server does at a time is the bound.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    dead_code,
    missing_docs
)]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use lockstep::{app::App, config::Config, progress::Progress, tools};
use serde_json::{Value, json};

#[path = "../tests/support/postgres.rs"]
mod postgres;
#[path = "../tests/support/require.rs"]
mod require;
#[path = "../tests/support/server.rs"]
mod server;

/// Replaces a dataset's file, as an editor does.
fn save(files: &Path, dataset: usize, rows: usize, qty: u32) {
    let text: String = (0..rows).map(|row| format!("K{row:06},name of {row},{qty}\n")).collect();
    let aside = files.join(format!("aside{dataset}"));
    std::fs::write(&aside, format!("sku,name,qty\n{text}")).unwrap();
    std::fs::rename(aside, files.join(format!("d{dataset}.csv"))).unwrap();
}

fn start(home: &Path, files: &Path, store: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.env("LOCKSTEP_HOME", home).env("LOCKSTEP_DATA", home).current_dir(home);
    command.env_remove("LOCKSTEP_CONFIG").env_remove("LOCKSTEP_LOG");
    command.env("LOCKSTEP_STORE_URL", store);
    command.args(["--root", files.to_str().unwrap(), "--allow-write", "serve", "--watch-only"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

async fn call(app: &App, name: &str, arguments: Value) {
    let tool = tools::find(name).unwrap();
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    let context = app.context().for_call(Progress::silent());
    tool.call(&context, arguments).await.unwrap();
}

async fn number(database: &postgres::Database, sql: &str) -> i64 {
    database.texts(format!("SELECT ({sql})::text")).await[0][0].as_deref().unwrap().parse().unwrap()
}

/// Returns how many rows a second some servers bring in step.
async fn throughput(servers: usize, datasets: usize, rows: usize, slow: bool) -> Option<f64> {
    let store = postgres::database().await?;
    let shop = postgres::database().await?;
    let (files, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut make = String::new();
    for n in 0..datasets {
        make.push_str(&format!("CREATE TABLE d{n} (sku text PRIMARY KEY, name text, qty bigint);"));
        save(files.path(), n, rows, 0);
    }
    if slow {
        make.push_str(
            "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;",
        );
        for n in 0..datasets {
            make.push_str(&format!(
                "CREATE TRIGGER slowly AFTER UPDATE ON d{n} EXECUTE FUNCTION slowly();"
            ));
        }
    }
    shop.run(make).await;
    let connection = format!("kind = \"postgres\"\nurl = \"{}\"\nwritable = true\n", shop.url);
    let settings = format!("[connections.shop]\n{connection}");
    std::fs::write(home.path().join("lockstep.toml"), settings).unwrap();
    let mut config = Config::default();
    config.workspace.data = Some(home.path().to_owned());
    config.files.root = files.path().to_owned();
    config.files.writable = true;
    config.store.url = Some(store.url.clone());
    config.connections.insert("shop".into(), toml::from_str(&connection).unwrap());
    let maker = App::start(&config).await.unwrap();
    for n in 0..datasets {
        let dataset = json!({"name": format!("d{n}"), "left": {"file": format!("d{n}.csv")}, "key": ["sku"],
            "right": {"connection": "shop", "table": format!("d{n}")}, "direction": "both", "mode": "apply"});
        call(&maker, "syncDataset", dataset).await;
    }
    let mut running: Vec<Child> =
        (0..servers).map(|_| start(home.path(), files.path(), &store.url)).collect();
    tokio::time::sleep(Duration::from_secs(3)).await;
    for n in 0..datasets {
        let watch = json!({"action": "start", "dataset": format!("d{n}"), "pollSeconds": 3600,
            "batchSize": 10_000});
        call(&maker, "watchDataset", watch).await;
    }
    maker.stop().await;
    // They are shared out.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let shares = "SELECT string_agg(n::text, ' + ') FROM (SELECT COUNT(*) n FROM leases
        WHERE dataset LIKE chr(31) || 'watch%' GROUP BY holder) h";
    let shares = store.texts(shares).await[0][0].clone().unwrap_or_default();
    let began = Instant::now();
    for n in 0..datasets {
        save(files.path(), n, rows, 1);
    }
    let waits: Vec<String> =
        (0..datasets).map(|n| format!("(SELECT COUNT(*) FROM d{n} WHERE qty <> 1)")).collect();
    let waits = waits.join(" + ");
    while number(&shop, &waits).await > 0 {
        assert!(began.elapsed() < Duration::from_secs(300), "the servers do not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    for server in &mut running {
        server.kill().unwrap();
        server.wait().unwrap();
    }
    println!(
        "{servers} servers ({shares} datasets): {} changed rows in step in {seconds:.2} s",
        datasets * rows
    );
    Some((datasets * rows) as f64 / seconds)
}

#[tokio::main]
async fn main() {
    let arguments: Vec<usize> =
        std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let (datasets, rows) = match arguments.as_slice() {
        [datasets, rows] => (*datasets, *rows),
        _ => (24, 2_000),
    };
    for slow in [false, true] {
        println!("tables that take a statement {}:", if slow { "a second" } else { "at once" });
        let mut one = None;
        for servers in 1..=3 {
            let Some(rate) = throughput(servers, datasets, rows, slow).await else { return };
            let first = *one.get_or_insert(rate);
            println!("{servers} servers: {:.2} x the rate of one", rate / first);
        }
    }
}
