//! Reading on from a stamp, on the real databases.

use lockstep_engine::{cell::Cell, dataset::SideName};
use serde_json::Value;

use super::scan::{Ask, Part, scan};
use crate::{
    clock::Clock,
    progress::Progress,
    replica::{
        OnError,
        connections::Connections,
        file::folder::Files,
        reach::Reach,
        scan::{Extent, Role, Scan},
    },
};

// The servers are the integration suite's; not all that they can do is needed here.
#[allow(dead_code, reason = "the other suite uses the rest")]
#[path = "../../../tests/support/mariadb.rs"]
mod mariadb;
#[allow(dead_code, reason = "the other suite uses the rest")]
#[path = "../../../tests/support/postgres.rs"]
mod postgres;
#[path = "../../../tests/support/require.rs"]
mod require;
#[path = "../../../tests/support/server.rs"]
mod server;

/// Returns what an adapter may reach: one connection, and nothing else.
fn reach(folder: &tempfile::TempDir, kind: &str, url: &str) -> Reach {
    let config = format!("[shop]\nkind = \"{kind}\"\nurl = \"{url}\"\nwritable = true");
    let google =
        lockstep_google::Google::new(lockstep_google::Config::local("http://127.0.0.1:1/"));
    Reach {
        google: google.unwrap(),
        files: Files::open(folder.path(), true).unwrap(),
        connections: Connections::new(&toml::from_str(&config).unwrap()).unwrap(),
        clock: Clock::System,
        progress: Progress::silent(),
    }
}

async fn read(reach: &Reach, cursor: Option<&str>, since: Option<&Value>) -> Scan {
    let ask = Ask {
        connection: "shop",
        table: Some("t"),
        query: None,
        cursor,
        on_error: OnError::Rollback,
        part: Part::All,
    };
    let role = Role::Both { side: SideName::Right, typed: true };
    scan(reach, ask, role, since).await.unwrap()
}

fn ids(scan: &Scan) -> Vec<String> {
    let id = |row| match scan.snapshot.cell(row, 0) {
        Cell::Number(text) => text.to_owned(),
        other => panic!("{other:?}"),
    };
    (0..scan.snapshot.len()).map(id).collect()
}

/// Rows of long ago, of a moment ago, and without a time; then one more comes.
async fn reads_on(reach: &Reach, add: impl AsyncFn()) {
    let first = read(reach, Some("at"), None).await;
    assert_eq!(
        (first.extent, ids(&first)),
        (Extent::Whole, ["1", "2", "3", "4"].map(String::from).to_vec())
    );
    add().await;
    let second = read(reach, Some("at"), first.stamp.as_ref()).await;
    assert_eq!(second.extent, Extent::Since);
    // 2 and 3 lie within the overlap, 4 has no time, 5 is new; 1 is not read again.
    assert_eq!(ids(&second), ["2", "3", "4", "5"]);
    let by_number = read(reach, Some("id"), second.stamp.as_ref()).await;
    assert_eq!(by_number.extent, Extent::Whole, "a stamp of another cursor says nothing");
    let numbers = read(reach, Some("id"), by_number.stamp.as_ref()).await;
    assert!(numbers.extent != Extent::Whole);
    let error = scan(
        reach,
        Ask {
            cursor: Some("att"),
            connection: "shop",
            table: Some("t"),
            query: None,
            on_error: OnError::Skip,
            part: Part::All,
        },
        Role::Source,
        None,
    )
    .await
    .unwrap_err()
    .to_string();
    assert!(error.contains("Did you mean \"at\"?"), "{error}");
}

const ROWS: &str = "INSERT INTO t VALUES (1, '2020-01-01 00:00:00'), (2, '2024-01-15 09:25:00'), \
     (3, '2024-01-15 09:30:00'), (4, NULL)";
const NEW: &str = "INSERT INTO t VALUES (5, '2024-01-15 09:31:00')";

#[tokio::test]
async fn sqlite_reads_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME)").unwrap();
    other.execute_batch(ROWS).unwrap();
    let reach = reach(&folder, "sqlite", &format!("sqlite:{}", path.display()));
    reads_on(&reach, async || other.execute_batch(NEW).unwrap()).await;
}

#[tokio::test]
async fn mariadb_reads_on() {
    let Some(database) = mariadb::database().await else { return };
    database.run(format!("CREATE TABLE t (id int PRIMARY KEY, at timestamp NULL); {ROWS}")).await;
    let folder = tempfile::tempdir().unwrap();
    let reach = reach(&folder, "mysql", &database.url);
    reads_on(&reach, async || database.run(NEW).await).await;
}

#[tokio::test]
async fn postgresql_reads_on_and_proves_that_nothing_changed() {
    let Some(database) = postgres::database().await else { return };
    database.run(format!("CREATE TABLE t (id int PRIMARY KEY, at timestamptz); {ROWS}")).await;
    let folder = tempfile::tempdir().unwrap();
    let reach = reach(&folder, "postgres", &database.url);
    reads_on(&reach, async || database.run(NEW).await).await;
    // Other tests write to other databases of the same server, and so to the same numbers of transactions: until one
    // moment is quiet there is nothing to see.
    let mut unchanged = false;
    for _ in 0..500 {
        let stamp = read(&reach, None, None).await.stamp;
        let again = read(&reach, None, stamp.as_ref()).await;
        if again.extent == Extent::Unchanged {
            assert!(again.snapshot.is_empty() && again.stamp.is_some());
            unchanged = true;
            break;
        }
    }
    assert!(unchanged, "no moment was quiet");
    let stamp = read(&reach, None, None).await.stamp;
    database.run("UPDATE t SET at = now() WHERE id = 1").await;
    assert_eq!(read(&reach, None, stamp.as_ref()).await.extent, Extent::Whole);
    // A transaction that is open at the scan and commits later is no proof of silence.
    let mut other = database.connect().await;
    let mut tx = sqlx::Connection::begin(&mut other).await.unwrap();
    sqlx::Executor::execute(&mut *tx, "UPDATE t SET at = now() WHERE id = 2").await.unwrap();
    let stamp = read(&reach, None, None).await.stamp;
    tx.commit().await.unwrap();
    assert_eq!(read(&reach, None, stamp.as_ref()).await.extent, Extent::Whole);
}
