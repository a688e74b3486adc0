//! PostgreSQL for the suite: a database of its own for each test.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use sqlx::{Connection, Executor, PgConnection, Row};

use super::{
    require::require,
    server::{Program, Server, as_user, own, run},
};

const USER: &str = "postgres";

struct Postgres;

fn bin(program: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin").join(program))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| Path::new("/usr/bin").join(program))
}

impl Program for Postgres {
    const NAME: &'static str = "pg";

    fn make(folder: &Path) {
        let data = folder.join("data");
        let _ = std::fs::remove_dir_all(&data);
        own(USER, &data);
        own(USER, &folder.join("run"));
        let mut command = as_user(USER, &bin("initdb"));
        command.arg("-D").arg(&data).args(["-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"]);
        run(command.args(["--locale", "C.UTF-8"]).current_dir("/"), &folder.join("log"));
    }

    fn start(folder: &Path, port: u16) {
        let (data, socket) = (folder.join("data"), folder.join("run"));
        let log = socket.join("server.log");
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c fsync=off \
             -c max_connections=400 -c max_prepared_transactions=10",
            socket.display()
        );
        let mut command = as_user(USER, &bin("pg_ctl"));
        command.arg("-D").arg(&data).arg("-l").arg(&log).args(["-w", "-o", &options, "start"]);
        run(command.current_dir("/"), &folder.join("log"));
    }

    fn answers(folder: &Path, port: u16) -> bool {
        let mut command = std::process::Command::new(bin("pg_isready"));
        command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q"]);
        let _ = folder;
        command.status().is_ok_and(|status| status.success())
    }

    fn stop(folder: &Path) {
        let mut command = as_user(USER, &bin("pg_ctl"));
        command.arg("-D").arg(folder.join("data")).args(["-m", "immediate", "-w", "stop"]);
        run(command.current_dir("/"), &folder.join("log"));
    }
}

/// A database of one test.
pub(crate) struct Database {
    pub(crate) url: String,
    admin: String,
    name: String,
    // Dropped after the database.
    _server: Server,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Makes a database, or says why the test is skipped.
pub(crate) async fn database() -> Option<Database> {
    if !require("PostgreSQL's server", &bin("initdb")) {
        return None;
    }
    let server = tokio::task::spawn_blocking(Server::join::<Postgres>).await.unwrap();
    let admin = format!("postgres://{USER}@127.0.0.1:{}/postgres", server.port);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let name = format!("test_{}_{number}", std::process::id());
    let mut connection = PgConnection::connect(&admin).await.unwrap();
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    connection.execute(sqlx::AssertSqlSafe(drop)).await.unwrap();
    let create = format!("CREATE DATABASE {name}");
    connection.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
    let url = format!("postgres://{USER}@127.0.0.1:{}/{name}", server.port);
    Some(Database { url, admin, name, _server: server })
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let _ = std::process::Command::new(bin("psql")).args([&self.admin, "-qc", &sql]).status();
    }
}

impl Database {
    /// Returns a connection of somebody else.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// Runs statements as somebody else.
    pub(crate) async fn run(&self, sql: impl Into<String>) {
        let sql: String = sql.into();
        let mut connection = self.connect().await;
        if let Err(error) =
            connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone()))).await
        {
            panic!("{error}\n{sql}");
        }
        connection.close().await.unwrap();
    }

    /// Returns rows of texts.
    pub(crate) async fn texts(&self, sql: impl Into<String>) -> Vec<Vec<Option<String>>> {
        let mut connection = self.connect().await;
        let rows = connection.fetch_all(sqlx::AssertSqlSafe(sql.into())).await.unwrap();
        connection.close().await.unwrap();
        rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
    }

    /// Cuts every connection to the database but its own; returns how many there were.
    pub(crate) async fn cut(&self) -> usize {
        let mut connection = PgConnection::connect(&self.admin).await.unwrap();
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            self.name
        );
        connection.fetch_all(sqlx::AssertSqlSafe(sql)).await.unwrap().len()
    }
}
