//! The store of a test: a file in its data folder, or, where `LOCKSTEP_TEST_STORE` names a PostgreSQL server, a database
//! there that the folder has noted.

use std::{path::Path, process::Command, time::Duration};

/// Where a data folder notes the address of its store.
const NOTE: &str = "store-url";

/// What psql puts between two columns.
const BETWEEN: char = '\u{1f}';

/// Returns the address of a data folder's store, which is made when first asked for; `None` for a file.
pub(crate) fn url(data: &Path) -> Option<String> {
    let server = std::env::var("LOCKSTEP_TEST_STORE").ok()?;
    let note = data.join(NOTE);
    if let Ok(url) = std::fs::read_to_string(&note) {
        return Some(url);
    }
    let name = format!("house_{}", uuid::Uuid::new_v4().simple());
    psql(&server, &format!("CREATE DATABASE {name}"));
    let (server, _) = server.rsplit_once('/').unwrap();
    let url = format!("{server}/{name}");
    std::fs::write(note, &url).unwrap();
    Some(url)
}

/// Returns whether stores are on a server; then it says why the rest of the test is not for them.
pub(crate) fn on_server(why: &str) -> bool {
    let skipped = std::env::var_os("LOCKSTEP_TEST_STORE").is_some();
    if skipped {
        println!("skipped for a store in PostgreSQL: {why}");
    }
    skipped
}

/// Returns what a statement finds in the store of a data folder, as texts.
pub(crate) fn rows(data: &Path, sql: &str) -> Vec<Vec<String>> {
    if let Some(url) = url(data) {
        let said = psql(&url, sql);
        return said.lines().map(|line| line.split(BETWEEN).map(str::to_owned).collect()).collect();
    }
    let store = file(data);
    let mut statement = store.prepare(sql).unwrap();
    let width = statement.column_count();
    let text = |row: &rusqlite::Row<'_>, at| match row.get_ref(at)? {
        rusqlite::types::ValueRef::Null => Ok(String::new()),
        rusqlite::types::ValueRef::Integer(number) => Ok(number.to_string()),
        rusqlite::types::ValueRef::Real(number) => Ok(number.to_string()),
        _ => row.get(at),
    };
    let row = |row: &rusqlite::Row<'_>| (0..width).map(|at| text(row, at)).collect();
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

/// Returns the first column of what a statement finds.
pub(crate) fn column(data: &Path, sql: &str) -> Vec<String> {
    rows(data, sql).into_iter().map(|row| row.into_iter().next().unwrap()).collect()
}

/// Runs statements in the store of a data folder, as somebody with the database's own client would.
pub(crate) fn run(data: &Path, sql: &str) {
    match url(data) {
        Some(url) => drop(psql(&url, sql)),
        None => file(data).execute_batch(sql).unwrap(),
    }
}

fn file(data: &Path) -> rusqlite::Connection {
    let store = rusqlite::Connection::open(data.join("lockstep.db")).unwrap();
    store.busy_timeout(Duration::from_secs(10)).unwrap();
    store
}

fn psql(url: &str, sql: &str) -> String {
    let mut command = Command::new("psql");
    command.args([
        url,
        "-X",
        "-q",
        "-A",
        "-t",
        "-v",
        "ON_ERROR_STOP=1",
        "-F",
        &BETWEEN.to_string(),
    ]);
    let child = command
        .args(["-f", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), sql.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{sql}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}
