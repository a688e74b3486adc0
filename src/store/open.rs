//! Opens the file: as a store, or not at all.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{ConnectOptions as _, Connection as _};

use super::{Engine, Keys, Raw, Reads, Seal, Store, codec::damaged, fault};
use crate::error::{Error, Kind, Result};

/// The steps from an empty file to the present tables.
pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations");

/// Marks a file as a store: "LkSt", in the header field that SQLite keeps for this.
const APPLICATION: i64 = 0x4c6b_5374;

/// What every connection is told: to wait 10 s for another process, and to overwrite what is deleted, so that `forget`
/// leaves nothing in free pages.
const SETTINGS: &str =
    "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
    PRAGMA secure_delete = ON; PRAGMA cache_size = -32768; PRAGMA journal_size_limit = 67108864";

/// What of a path may stand in an address as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// How long a call waits for the writes of its own process.
pub(super) const QUEUE: Duration = Duration::from_secs(120);

/// How often opening is tried while another process creates the same file.
const ATTEMPTS: u32 = 40;

/// How long lies between two tries.
const PAUSE: Duration = Duration::from_millis(100);

impl Store {
    /// Opens the store at a path, creating it (and its folder) when there is none.
    ///
    /// # Errors
    /// A file that is no store, is damaged or was written by a newer version, and a path that cannot be written.
    #[cfg(test)]
    pub(crate) async fn open(path: &Path) -> Result<Store> {
        Self::open_with(path, None).await
    }

    /// Opens the store at a path, creating it (and its folder) when there is none; with keys it is encrypted from then on.
    ///
    /// # Errors
    /// A file that is no store, is damaged, was written by a newer version or is encrypted with another key, and a path
    /// that cannot be written.
    pub async fn open_with(path: &Path, keys: Option<Keys>) -> Result<Store> {
        let opened = match open(path).await {
            Ok(store) => store.with_keys(keys).await,
            Err(error) => Err(error),
        };
        opened.map_err(|error| error.context(format!("store {}", path.display())))
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
    let pool = AnyPoolOptions::new()
        .acquire_timeout(QUEUE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(|conn, _| {
            Box::pin(async move { sqlx::raw_sql(SETTINGS).execute(conn).await.map(|_| ()) })
        });
    let writes = pool.clone().max_connections(1).connect_with(options(path, Mode::Write)?).await?;
    let pool = pool.max_connections(4).connect_with(options(path, Mode::Read)?).await?;
    let reads = Reads { pool, seal: Seal::default() };
    Ok(Store { path: path.into(), engine: Engine::Sqlite, address: None, writes, reads })
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

/// Whether a file is opened to be changed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mode {
    Read,
    Write,
}

/// Opens one connection to a file that is there.
///
/// # Errors
/// A file that is missing, is no database or cannot be opened.
pub(super) async fn connect(path: &Path, mode: Mode) -> Result<Raw> {
    let mut conn = options(path, mode)?.connect().await?;
    sqlx::raw_sql(SETTINGS).execute(&mut conn).await?;
    Ok(conn)
}

/// Returns how every connection is opened.
fn options(path: &Path, mode: Mode) -> Result<AnyConnectOptions> {
    sqlx::any::install_default_drivers();
    let path = std::path::absolute(path)
        .map_err(|error| Error::invalid("the path cannot be made absolute").with_source(error))?;
    let path = percent_encode(path.as_os_str().as_encoded_bytes(), PLAIN);
    let mode = match mode {
        Mode::Read => "ro",
        Mode::Write => "rw",
    };
    let options: AnyConnectOptions = format!("sqlite://{path}?mode={mode}").parse()?;
    Ok(options.disable_statement_logging())
}

/// Makes sure that the file is a store of the present version.
async fn prepare(path: &Path) -> Result<()> {
    let mut conn = connect(path, Mode::Write).await?;
    let prepared = match identify(&mut conn).await {
        Ok(Content::Store) => match check_length(path) {
            Ok(()) => prepare_tables(&mut conn, true).await,
            Err(error) => Err(error),
        },
        Ok(Content::Nothing) => {
            // Both must come before the first table; neither is undone with a transaction.
            sqlx::query("PRAGMA auto_vacuum = INCREMENTAL").execute(&mut conn).await?;
            sqlx::query("PRAGMA journal_mode = WAL").execute(&mut conn).await?;
            prepare_tables(&mut conn, false).await
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
pub(super) async fn identify(conn: &mut Raw) -> Result<Content> {
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

async fn prepare_tables(conn: &mut Raw, there: bool) -> Result<()> {
    // Within one transaction that excludes every other writer: sqlx knows no lock for SQLite.
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("PRAGMA application_id = 1282102132").execute(&mut *tx).await?;
    let steps = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    migrate(&mut tx, there, steps).await?;
    Ok(tx.commit().await?)
}

/// Takes the tables from where they are to the present ones; within a transaction that excludes every other writer.
///
/// # Errors
/// Tables that are more than one step ahead of this version.
pub(super) async fn migrate(conn: &mut Raw, there: bool, mut steps: Migrator) -> Result<()> {
    if there {
        check_version(conn).await?;
    }
    steps.set_ignore_missing(true);
    steps.run_direct(None, conn, false).await.map_err(migration_failed)
}

/// Checks that this version can read and write the tables.
///
/// While servers are updated one after the other, those of before work on with the tables of the next version: a version
/// takes one step at most, and a step from 0060 on only adds.
///
/// # Errors
/// When they are more than one step ahead.
pub(super) async fn check_version(conn: &mut Raw) -> Result<()> {
    let applied: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
            .fetch_all(conn)
            .await?;
    let known = MIGRATIONS.iter().map(|step| step.version).max().unwrap_or(0);
    let strange: Vec<i64> =
        applied.iter().copied().filter(|version| !MIGRATIONS.version_exists(*version)).collect();
    match strange.as_slice() {
        [] if applied.is_empty() => Err(damaged("it says nothing about its version")),
        [] => Ok(()),
        [ahead] if *ahead > known => {
            tracing::info!(ahead, "the store's tables are one step ahead of this version");
            Ok(())
        }
        [.., last] => Err(migration_failed(MigrateError::VersionMissing(*last))),
    }
}

fn migration_failed(error: MigrateError) -> Error {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        MigrateError::VersionMissing(version) => Error::invalid(format!(
            "it was written by a newer Lockstep (version {version} of the tables; this one knows {known})"
        ))
        .next("update Lockstep: it works with tables that are at most one step ahead"),
        MigrateError::VersionMismatch(version) => Error::invalid(format!(
            "version {version} of its tables is not the one that this Lockstep makes"
        ))
        .next("use the Lockstep that made it, or name another store"),
        other => Error::internal(format!("its tables cannot be brought up to date: {other}"))
            .next("keep a copy of it and restore a backup")
            .with_source(other),
    }
}

#[cfg(test)]
#[test]
fn the_mark_is_the_number_in_the_statement() {
    assert_eq!(APPLICATION, 1_282_102_132);
}
