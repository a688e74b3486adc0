//! The crash matrix of the databases: a real process is killed at every step of a run, and the next one ends it.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value as Json, json};

use super::{shop::Shop, sql::Sql};
use crate::support::{lockstep, mariadb, postgres};

/// The steps of a run: a batch for the file, and one for the table.
const POINTS: &[&str] = &[
    "begun:1",
    "sending:1",
    "sending:2",
    "sent:1",
    "sent:2",
    "marked:1",
    "marked:2",
    "closing:1",
    "closed:1",
    "any time",
    "any time",
];

type Model = BTreeMap<String, i64>;

struct World {
    shop: Shop,
    config: String,
}

fn arguments() -> Json {
    json!({
        "name": "crash", "left": {"file": "rows.csv"}, "right": {"connection": "shop", "table": "t"}, "key": ["id"],
        "mode": "apply", "direction": "both", "deletes": "delete", "maxDeletePercent": 100,
        "columns": [{"name": "id", "type": "text"}, {"name": "n", "type": "number"}],
    })
}

impl World {
    fn child(&self, halt: Option<&str>) -> Child {
        let mut command = lockstep(self.shop.house.data());
        let root = self.shop.house.folder.path().to_str().unwrap();
        command
            .args([
                "--config",
                &self.config,
                "--root",
                root,
                "--allow-write",
                "call",
                "syncDataset",
            ])
            .arg(arguments().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(point) = halt {
            command.env("LOCKSTEP_HALT_AT", point);
        }
        command.spawn().unwrap()
    }

    /// Kills a child at a point or at any time; false if it never came there.
    fn kill(&self, point: &str, after: Duration) -> bool {
        if point == "any time" {
            let mut child = self.child(None);
            std::thread::sleep(after);
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        let mut child = self.child(Some(point));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let halted = stderr.lines().map_while(Result::ok).any(|line| line.starts_with("halted at"));
        child.kill().unwrap();
        child.wait().unwrap();
        halted
    }

    fn file(&self, rows: &Model) {
        let mut csv = String::from("id,n\n");
        for (id, n) in rows {
            csv.push_str(&format!("{id},{n}\n"));
        }
        self.shop.house.write("rows.csv", csv);
    }

    fn read_file(&self) -> Model {
        let path = self.shop.house.folder.path().join("rows.csv");
        let csv = std::fs::read_to_string(path).unwrap();
        let row = |line: &str| {
            let (id, n) = line.split_once(',').unwrap();
            (id.to_owned(), n.parse().unwrap())
        };
        csv.lines().skip(1).map(row).collect()
    }

    async fn table(&self) -> Model {
        let text = match self.shop.sql {
            Sql::Postgres(_) => "n::text",
            Sql::MariaDb(_) => "CAST(n AS CHAR)",
            Sql::Sqlite(_) => "CAST(n AS TEXT)",
        };
        let rows = self.shop.sql.texts(&format!("SELECT id, {text} FROM t")).await;
        let count = rows.len();
        let row = |row: Vec<Option<String>>| {
            let mut row = row.into_iter().flatten();
            (row.next().unwrap(), row.next().unwrap().parse().unwrap())
        };
        let rows: Model = rows.into_iter().map(row).collect();
        assert_eq!(rows.len(), count, "a row is doubled");
        rows
    }

    /// Changes both sides, never the same row, and tells the model what must come of it.
    async fn edit(&self, model: &mut Model, random: &mut StdRng, round: i64) {
        let mut file = model.clone();
        let mut sql = Vec::new();
        for (index, key) in model.clone().into_keys().enumerate() {
            match (index % 2, random.random_range(0..5)) {
                (0, 0) => {
                    file.insert(key.clone(), round);
                    model.insert(key, round);
                }
                (0, 1) if file.len() > 6 => {
                    file.remove(&key);
                    model.remove(&key);
                }
                (1, 0) => {
                    sql.push(format!("UPDATE t SET n = {} WHERE id = '{key}'", 1_000 + round));
                    model.insert(key, 1_000 + round);
                }
                (1, 1) if model.len() > 6 => {
                    sql.push(format!("DELETE FROM t WHERE id = '{key}'"));
                    model.remove(&key);
                }
                _ => {}
            }
        }
        for (key, n) in [(format!("f{round}"), 1), (format!("g{round}"), 2)] {
            file.insert(key.clone(), n);
            model.insert(key, n);
        }
        sql.push(format!("INSERT INTO t VALUES ('s{round}', 3)"));
        model.insert(format!("s{round}"), 3);
        self.file(&file);
        self.shop.sql.run(sql.join(";\n")).await;
    }
}

async fn matrix(sql: Sql, seed: u64) {
    let setup = "CREATE TABLE t (id varchar(20) PRIMARY KEY, n int)";
    let kind = match &sql {
        Sql::Postgres(database) => format!("kind = \"postgres\"\nurl = \"{}\"", database.url),
        Sql::MariaDb(database) => format!("kind = \"mysql\"\nurl = \"{}\"", database.url),
        Sql::Sqlite(_) => {
            format!("kind = \"sqlite\"\nurl = \"sqlite:{}\"", sql.file().display())
        }
    };
    let shop = Shop::new(sql, setup).await;
    let config = format!("backend = \"local\"\n[connections.shop]\n{kind}\nwritable = true\n");
    let config = shop.house.write("lockstep.toml", config).to_str().unwrap().to_owned();
    let world = World { shop, config };
    let mut model: Model = (0..10).map(|n| (format!("k{n}"), n)).collect();
    world.file(&model);
    world.shop.house.ok("syncDataset", arguments()).await;
    let mut random = StdRng::seed_from_u64(seed);
    let rounds = if std::env::var_os("LOCKSTEP_FULL").is_some() { 20 } else { 2 } * POINTS.len();
    let mut killed = 0;
    for round in 0..rounds {
        world.edit(&mut model, &mut random, i64::try_from(round).unwrap()).await;
        let point = POINTS[round % POINTS.len()];
        let after = Duration::from_millis(random.random_range(20..250));
        killed += u32::from(world.kill(point, after));
        if round % 3 == 0 {
            killed += u32::from(world.kill("settled:1", after));
        }
        let report = world.shop.house.ok("syncDataset", arguments()).await;
        assert!(["applied", "inStep"].contains(&report["state"].as_str().unwrap()), "{report:#}");
        assert_eq!(world.table().await, model, "the table after round {round}, {point}");
        assert_eq!(world.read_file(), model, "the file after round {round}, {point}");
        let again = world.shop.house.ok("syncDataset", arguments()).await;
        assert_eq!(again["state"], "inStep", "round {round}, {point}: {again:#}");
    }
    println!("killed {killed} times in {rounds} rounds: 0 lost, 0 doubled");
    assert!(killed >= u32::try_from(rounds).unwrap() * 3 / 4, "only {killed} kills hit");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_survives_every_crash() {
    matrix(Sql::sqlite(), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_survives_every_crash() {
    let Some(database) = postgres::database().await else { return };
    matrix(Sql::Postgres(database), 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_survives_every_crash() {
    let Some(database) = mariadb::database().await else { return };
    matrix(Sql::MariaDb(database), 3).await;
}
