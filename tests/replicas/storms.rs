//! Commits whose answer is lost, and a way to the database that is cut again and again.

use std::{collections::BTreeMap, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value as Json, json};

use super::sql::Sql;
use crate::{
    harness::House,
    storm::scaled,
    support::{
        mariadb, postgres,
        proxy::{Cut, Proxy},
    },
};

/// A Lockstep that reaches a database through a proxy, and a file.
struct Way {
    house: House,
    sql: Sql,
    proxy: Proxy,
}

impl Way {
    async fn to(sql: Sql, seed: u64) -> Self {
        let (kind, url) = match &sql {
            Sql::Postgres(database) => ("postgres", database.url.clone()),
            Sql::MariaDb(database) => ("mysql", database.url.clone()),
            Sql::Sqlite(_) => unreachable!("a file has no way to be cut"),
        };
        let port: u16 = url.split(':').nth(2).unwrap().split('/').next().unwrap().parse().unwrap();
        let proxy = Proxy::to(port, seed).await;
        let url = url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port));
        sql.run("CREATE TABLE t (id varchar(20) PRIMARY KEY, v varchar(40))").await;
        let house = House::with(|config| {
            let text = format!(
                "kind = \"{kind}\"\nurl = \"{url}\"\nwritable = true\nconnectTimeoutSeconds = 5"
            );
            config.connections.insert("shop".into(), toml::from_str(&text).unwrap());
        })
        .await;
        Self { house, sql, proxy }
    }

    fn ask() -> Json {
        json!({
            "name": "way", "left": {"file": "rows.csv"}, "right": {"connection": "shop", "table": "t"},
            "key": ["id"], "mode": "apply", "direction": "both", "deletes": "delete",
            "maxDeletePercent": 100, "sample": 0,
            "columns": [{"name": "id", "type": "text"}, {"name": "v", "type": "text"}],
        })
    }

    fn file(&self, rows: &BTreeMap<String, String>) {
        let mut csv = String::from("id,v\n");
        for (id, value) in rows {
            csv.push_str(&format!("{id},{value}\n"));
        }
        self.house.write("rows.csv", csv);
    }

    fn read_file(&self) -> BTreeMap<String, String> {
        let csv = std::fs::read_to_string(self.house.folder.path().join("rows.csv")).unwrap();
        let row = |line: &str| {
            let (id, value) = line.split_once(',').unwrap();
            (id.to_owned(), value.to_owned())
        };
        csv.lines().skip(1).map(row).collect()
    }

    async fn table(&self) -> BTreeMap<String, String> {
        let rows = self.sql.texts("SELECT id, v FROM t").await;
        let count = rows.len();
        let row = |row: Vec<Option<String>>| {
            let mut row = row.into_iter().flatten();
            (row.next().unwrap(), row.next().unwrap())
        };
        let rows: BTreeMap<_, _> = rows.into_iter().map(row).collect();
        assert_eq!(rows.len(), count, "a row is doubled");
        rows
    }

    async fn call(&self) -> Result<Json, lockstep::error::Error> {
        self.house.call("syncDataset", Self::ask()).await
    }
}

fn rows(words: &[&str]) -> BTreeMap<String, String> {
    let pair =
        |word: &&str| word.split_once(' ').map(|(id, v)| (id.to_owned(), v.to_owned())).unwrap();
    words.iter().map(pair).collect()
}

async fn a_lost_answer_to_a_commit(sql: Sql) {
    let way = Way::to(sql, 1).await;
    way.file(&rows(&["a 1", "b 2"]));
    way.call().await.unwrap();
    // It was done: the marker says so, and the run ends as if nothing had been.
    way.file(&rows(&["a 10", "b 2", "c 3"]));
    way.proxy.set(Cut::AfterCommit);
    let report = way.call().await.unwrap();
    assert_eq!((&report["state"], way.proxy.cuts()), (&json!("applied"), 1), "{report:#}");
    assert_eq!(way.table().await, rows(&["a 10", "b 2", "c 3"]));
    // It was not done, and never will be.
    way.file(&rows(&["a 11", "b 2", "c 3"]));
    way.proxy.set(Cut::BeforeCommit);
    let error = way.call().await.unwrap_err().to_string();
    assert!(error.contains("nothing of the batch was written"), "{error}");
    assert_eq!(way.table().await, rows(&["a 10", "b 2", "c 3"]));
    assert_eq!(way.call().await.unwrap()["state"], "applied");
    // It was done and nobody can be asked: the next run asks first.
    way.file(&rows(&["a 12", "c 3", "d 4"]));
    way.proxy.set(Cut::AfterCommitForGood);
    let error = way.call().await.unwrap_err();
    assert_eq!(error.retry(), lockstep::error::Retry::Ambiguous, "{error}");
    way.proxy.set(Cut::Never);
    way.sql.run("UPDATE t SET v = '33' WHERE id = 'c'").await;
    let report = way.call().await.unwrap();
    assert!(report["next"].as_str().unwrap().contains("had been interrupted"), "{report:#}");
    let both = rows(&["a 12", "c 33", "d 4"]);
    assert_eq!((way.table().await, way.read_file()), (both.clone(), both));
    assert_eq!(way.call().await.unwrap()["state"], "inStep");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_settles_a_commit_whose_answer_was_lost() {
    let Some(database) = postgres::database().await else { return };
    a_lost_answer_to_a_commit(Sql::Postgres(database)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_settles_a_commit_whose_answer_was_lost() {
    let Some(database) = mariadb::database().await else { return };
    a_lost_answer_to_a_commit(Sql::MariaDb(database)).await;
}

/// Syncs again and again while the way is cut, and in PostgreSQL the server's own end of it, too.
async fn a_bad_day(sql: Sql, seed: u64) {
    let way = Way::to(sql, seed).await;
    let mut random = StdRng::seed_from_u64(seed);
    let mut wanted: BTreeMap<String, String> = BTreeMap::new();
    let (mut done, mut failed) = (0, 0);
    for round in 0..scaled(400) {
        for _ in 0..5 {
            let id = format!("k{}", random.random_range(0..40));
            match random.random_range(0..4) {
                0 => drop(wanted.remove(&id)),
                _ => drop(wanted.insert(id, format!("v{round}"))),
            }
        }
        way.file(&wanted);
        // Somebody else adds a row to the table meanwhile.
        let id = format!("s{round}");
        way.sql.run(format!("INSERT INTO t VALUES ('{id}', 'theirs')")).await;
        wanted.insert(id, "theirs".into());
        way.proxy.set(Cut::Anywhere(0.04));
        loop {
            let killer = async {
                if let (Sql::Postgres(database), 0) = (&way.sql, random.random_range(0..6)) {
                    tokio::time::sleep(Duration::from_millis(random.random_range(0..30))).await;
                    database.cut().await;
                }
            };
            let (called, ()) = tokio::join!(way.call(), killer);
            match called {
                Ok(report) => {
                    assert!(["applied", "inStep"].contains(&report["state"].as_str().unwrap()));
                    done += 1;
                    break;
                }
                Err(error) => {
                    let retry = error.retry();
                    assert_ne!(retry, lockstep::error::Retry::Permanent, "{error}");
                    failed += 1;
                }
            }
        }
        way.proxy.set(Cut::Never);
        assert_eq!(way.table().await, wanted, "the table after round {round}");
        assert_eq!(way.read_file(), wanted, "the file after round {round}");
        if round % 10 == 0 {
            assert_eq!(way.call().await.unwrap()["state"], "inStep", "round {round}");
        }
    }
    let cuts = way.proxy.cuts();
    println!(
        "{done} syncs, {cuts} cuts, {failed} failures told: 0 lost, 0 doubled, 0 falsely done"
    );
    assert!(cuts > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_on_a_bad_day() {
    let Some(database) = postgres::database().await else { return };
    a_bad_day(Sql::Postgres(database), 20_261_123).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_on_a_bad_day() {
    let Some(database) = mariadb::database().await else { return };
    a_bad_day(Sql::MariaDb(database), 20_261_124).await;
}
