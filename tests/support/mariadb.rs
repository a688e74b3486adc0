//! MariaDB for the suite: a database of its own for each test.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use sqlx::{Connection, Executor, MySqlConnection, Row};

use super::{
    require::require,
    server::{Program, Server, as_user, own, run},
};

const USER: &str = "mysql";

struct MariaDb;

fn server() -> PathBuf {
    PathBuf::from("/usr/sbin/mariadbd")
}

impl Program for MariaDb {
    const NAME: &'static str = "maria";

    fn make(folder: &Path) {
        let data = folder.join("data");
        let _ = std::fs::remove_dir_all(&data);
        own(USER, &data);
        own(USER, &folder.join("run"));
        let mut command = as_user(USER, Path::new("/usr/bin/mariadb-install-db"));
        command.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
        command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        run(command.current_dir("/"), &folder.join("log"));
    }

    fn start(folder: &Path, port: u16) {
        let (data, own) = (folder.join("data"), folder.join("run"));
        let mut command = as_user(USER, &server());
        command.arg("--no-defaults").args([
            format!("--datadir={}", data.display()),
            format!("--socket={}", own.join("socket").display()),
            format!("--pid-file={}", own.join("pid").display()),
            format!("--log-error={}", own.join("server.log").display()),
            format!("--port={port}"),
            "--bind-address=127.0.0.1".into(),
            "--innodb-flush-log-at-trx-commit=0".into(),
            "--character-set-server=utf8mb4".into(),
        ]);
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = quiet.current_dir("/").spawn().unwrap();
        // Somebody must take notice of its end, or it stays a zombie for as long as the test runs.
        std::thread::spawn(move || child.wait());
    }

    fn answers(folder: &Path, port: u16) -> bool {
        let mut command = Command::new("/usr/bin/mariadb-admin");
        command.args(["--no-defaults", "-h", "127.0.0.1", "-u", "root", "ping"]);
        let _ = folder;
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.args(["-P", &port.to_string()]).status().is_ok_and(|status| status.success())
    }

    fn stop(folder: &Path) {
        let Ok(port) = std::fs::read_to_string(folder.join("port")) else { return };
        let mut command = Command::new("/usr/bin/mariadb-admin");
        command.args(["--no-defaults", "-h", "127.0.0.1", "-u", "root", "-P", &port, "shutdown"]);
        run(&mut command, &folder.join("log"));
    }
}

/// A database of one test.
pub(crate) struct Database {
    pub(crate) url: String,
    name: String,
    // Dropped after the database.
    server: Server,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Makes a database, or says why the test is skipped.
pub(crate) async fn database() -> Option<Database> {
    if !require("MariaDB's server", &server()) {
        return None;
    }
    let server = tokio::task::spawn_blocking(Server::join::<MariaDb>).await.unwrap();
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let name = format!("test_{}_{number}", std::process::id());
    let admin = format!("mysql://root@127.0.0.1:{}/mysql", server.port);
    let mut connection = MySqlConnection::connect(&admin).await.unwrap();
    for sql in [
        format!("DROP DATABASE IF EXISTS {name}"),
        format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"),
    ] {
        connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    }
    let url = format!("mysql://root@127.0.0.1:{}/{name}", server.port);
    Some(Database { url, name, server })
}

impl Drop for Database {
    fn drop(&mut self) {
        let (sql, port) = (format!("DROP DATABASE {}", self.name), self.server.port.to_string());
        let mut command = Command::new("/usr/bin/mariadb");
        command.args(["--no-defaults", "-h", "127.0.0.1", "-u", "root", "-P", &port, "-e", &sql]);
        let _ = command.status();
    }
}

impl Database {
    /// Returns a connection of somebody else.
    pub(crate) async fn connect(&self) -> MySqlConnection {
        MySqlConnection::connect(&self.url).await.unwrap()
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
        rows.iter().map(|row| (0..row.len()).map(|at| row.get_unchecked(at)).collect()).collect()
    }
}
