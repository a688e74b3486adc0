//! Opens the file: as a store, or not at all.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use super::{Conn, Store, codec::damaged, fault};
use crate::error::{Error, Kind, Result};

/// The steps from an empty file to the present tables.
static MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations");

/// Marks a file as a store: "LkSt", in the header field that SQLite keeps for this.
const APPLICATION: i64 = 0x4c6b_5374;

/// How long a statement waits for another process.
const BUSY: Duration = Duration::from_secs(10);

/// How long a call waits for the writes of its own process.
const QUEUE: Duration = Duration::from_secs(120);

/// How often opening is tried while another process creates the same file.
const ATTEMPTS: u32 = 40;

/// How long lies between two tries.
const PAUSE: Duration = Duration::from_millis(100);

impl Store {
    /// Opens the store at a path, creating it (and its folder) when there is none.
    ///
    /// # Errors
    /// A file that is no store, is damaged or was written by a newer version, and a path that cannot be written.
    pub async fn open(path: &Path) -> Result<Store> {
        open(path).await.map_err(|error| error.context(format!("store {}", path.display())))
    }
}

async fn open(path: &Path) -> Result<Store> {
    create(path)?;
    let mut attempt = 1;
    loop {
        match prepare(path).await {
            Ok(()) => break,
            // Two processes that create the same file at once cannot wait for each other in SQLite: the switch to the
            // write-ahead log does not queue.
            Err(error) if error.kind() == Kind::Unavailable && attempt < ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
    let options = options(path).journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new()
        .acquire_timeout(QUEUE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false);
    let writes = pool.clone().max_connections(1).connect_with(options.clone()).await?;
    let reads = pool.max_connections(4).connect_with(options.read_only(true)).await?;
    Ok(Store { path: path.into(), writes, reads })
}

/// Creates the file for its owner alone: it will hold the rows of every dataset.
fn create(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let refused = |error: std::io::Error| {
        Error::new(Kind::PermissionDenied, format!("it cannot be created: {error}"))
            .next("name a file in a folder that you may write, and that has space left")
            .with_source(error)
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(refused)?;
    }
    let mut file = OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    match file.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(refused(error)),
    }
}

/// Returns how every connection is opened.
pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(BUSY)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // What is deleted is overwritten, so that `forget` leaves nothing in free pages.
        .pragma("secure_delete", "ON")
        .pragma("cache_size", "-32768")
        .pragma("journal_size_limit", "67108864")
        .disable_statement_logging()
}

/// Makes sure that the file is a store of the present version.
async fn prepare(path: &Path) -> Result<()> {
    let mut conn = options(path).connect().await?;
    let prepared = match identify(&mut conn).await {
        Ok(Content::Store) => match check_length(path) {
            Ok(()) => migrate(&mut conn).await,
            Err(error) => Err(error),
        },
        Ok(Content::Nothing) => {
            // Both must come before the first table; neither is undone with a transaction.
            sqlx::query("PRAGMA auto_vacuum = INCREMENTAL").execute(&mut conn).await?;
            sqlx::query("PRAGMA journal_mode = WAL").execute(&mut conn).await?;
            migrate(&mut conn).await
        }
        Err(error) => Err(error),
    };
    conn.close().await?;
    prepared
}

/// Refuses a file that ends in the middle of a page: SQLite would read the rest of it as zeros.
///
/// With a log beside it a page may be on its way.
fn check_length(path: &Path) -> Result<()> {
    let length = |path: &Path| fs::metadata(path).map_or(0, |data| data.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    // Every page size is a multiple of 512.
    match length(path) % 512 {
        0 => Ok(()),
        _ if length(Path::new(&log)) > 0 => Ok(()),
        _ => Err(damaged("its file ends in the middle of a page")),
    }
}

/// What a file is, as far as its header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing yet.
    Nothing,
    /// A store of some version.
    Store,
}

/// Reads what a file is, without changing it.
///
/// # Errors
/// When it is neither a store nor empty.
pub(super) async fn identify(conn: &mut Conn) -> Result<Content> {
    let tables: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master").fetch_one(&mut *conn).await?;
    let application: i64 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *conn).await?;
    match (application, tables) {
        (APPLICATION, _) => Ok(Content::Store),
        (0, 0) => Ok(Content::Nothing),
        _ => Err(fault::no_store("it is an SQLite database of another program")),
    }
}

async fn migrate(conn: &mut Conn) -> Result<()> {
    // Within one transaction that excludes every other writer: sqlx knows no lock for SQLite.
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("PRAGMA application_id = 1282102132").execute(&mut *tx).await?;
    MIGRATIONS.run_direct(None, &mut *tx, false).await.map_err(migration_failed)?;
    Ok(tx.commit().await?)
}

/// Checks that this version can read the tables.
///
/// # Errors
/// When a newer version wrote them.
pub(super) async fn check_version(conn: &mut Conn) -> Result<()> {
    let applied: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations").fetch_all(conn).await?;
    match applied.iter().find(|version| !MIGRATIONS.version_exists(**version)) {
        Some(version) => Err(migration_failed(MigrateError::VersionMissing(*version))),
        None if applied.is_empty() => Err(damaged("it says nothing about its version")),
        None => Ok(()),
    }
}

fn migration_failed(error: MigrateError) -> Error {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        MigrateError::VersionMissing(version) => Error::invalid(format!(
            "it was written by a newer Lockstep (version {version} of the tables; this one knows {known})"
        ))
        .next("update Lockstep, or name another store file"),
        MigrateError::VersionMismatch(version) => Error::invalid(format!(
            "version {version} of its tables is not the one that this Lockstep makes"
        ))
        .next("use the Lockstep that made it, or name another store file"),
        other => Error::internal(format!("its tables cannot be brought up to date: {other}"))
            .next("keep a copy of the file and restore a backup")
            .with_source(other),
    }
}

#[cfg(test)]
#[test]
fn the_mark_is_the_number_in_the_statement() {
    assert_eq!(APPLICATION, 1_282_102_132);
}
