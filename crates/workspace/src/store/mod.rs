//! Storage in one SQLite file.
//!
//! Every request runs in one SQLite transaction: a write is on disk before it is answered (WAL,
//! `synchronous=FULL`), or nothing of it is. Blocks of cells are immutable rows under ids that are
//! never used again, so what is cached of them never goes stale; what is cached of books is
//! dropped when `PRAGMA data_version` says that another process changed the file.

mod cache;
mod session;

pub(crate) use session::Session;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tempfile::TempDir;

use self::cache::Cache;
use crate::error::Error;
use crate::http::ApiError;

/// Is the number of the file format, kept in `PRAGMA user_version`.
const FORMAT: i64 = 1;

/// How long a request waits for another process to finish its write.
const BUSY: Duration = Duration::from_secs(20);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS books(
    id TEXT NOT NULL PRIMARY KEY,
    record BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sheets(
    book TEXT NOT NULL,
    id INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY(book, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    data BLOB NOT NULL
);
";

/// Is a handle to an open workspace file; cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    /// The moment the clock stands at, for tests that repeat; empty when it runs.
    clock: OnceLock<i64>,
    inner: Mutex<Inner>,
    /// Keeps the folder of a temporary workspace until the last handle goes; dropped after `inner`.
    _folder: Option<TempDir>,
}

struct Inner {
    connection: Connection,
    version: i64,
    cache: Cache,
}

impl Store {
    /// Opens the file at a path, creating it and its folder when absent.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)
                .map_err(|source| Error::File { path: path.to_owned(), source })?;
        }
        Self::start(path, "FULL", None)
    }

    /// Opens an empty file in a temporary folder that goes with the last handle.
    pub(crate) fn temporary() -> Result<Self, Error> {
        let folder = tempfile::Builder::new()
            .prefix("lockstep-workspace-")
            .tempdir()
            .map_err(|source| Error::File { path: PathBuf::from("(temporary folder)"), source })?;
        let path = folder.path().join("workspace.db");
        // Nothing outlives the process here, so there is nothing to make durable.
        Self::start(&path, "OFF", Some(folder))
    }

    fn start(path: &Path, synchronous: &str, folder: Option<TempDir>) -> Result<Self, Error> {
        let connection = connect(path, synchronous)
            .map_err(|source| Error::Database { path: path.to_owned(), source })?;
        let found = format_of(&connection)
            .map_err(|source| Error::Database { path: path.to_owned(), source })?;
        if found > FORMAT {
            return Err(Error::Version { path: path.to_owned(), found, known: FORMAT });
        }
        prepare(&connection).map_err(|source| Error::Database { path: path.to_owned(), source })?;
        Ok(Self {
            shared: Arc::new(Shared {
                clock: OnceLock::new(),
                inner: Mutex::new(Inner { connection, version: -1, cache: Cache::default() }),
                _folder: folder,
            }),
        })
    }

    /// Stops the clock at a moment (milliseconds since 1970 UTC), once.
    pub(crate) fn fix_clock(&self, now_ms: Option<i64>) {
        if let Some(now) = now_ms {
            self.shared.clock.get_or_init(|| now);
        }
    }

    /// Runs a closure over one consistent state; nothing it writes is kept.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.run(TransactionBehavior::Deferred, work).await
    }

    /// Runs two closures over one consistent state and returns what the first gave as soon as it
    /// has: the second loads what is written out meanwhile.
    pub(crate) async fn read_ahead<T: Send + 'static, L: 'static>(
        &self,
        begin: impl FnOnce(&mut Session<'_>) -> Result<(T, L), ApiError> + Send + 'static,
        load: impl FnOnce(&mut Session<'_>, L) + Send + 'static,
    ) -> Result<T, ApiError> {
        let (told, begun) = tokio::sync::oneshot::channel();
        let store = self.clone();
        let task = tokio::spawn(async move {
            let work = move |session: &mut Session<'_>| {
                let (value, rest) = begin(session)?;
                // A caller that went away needs nothing loaded.
                if told.send(value).is_ok() {
                    load(session, rest);
                }
                Ok(())
            };
            store.read(work).await
        });
        match begun.await {
            Ok(value) => Ok(value),
            // It ended before it told anything: its error says why.
            Err(_) => match task.await.map_err(ApiError::internal)? {
                Err(error) => Err(error),
                Ok(()) => Err(ApiError::internal("a read ended without a value")),
            },
        }
    }

    /// Runs a closure in one write transaction: all of it is kept when it returns `Ok`, none else.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.run(TransactionBehavior::Immediate, work).await
    }

    async fn run<T: Send + 'static>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || {
            let mut inner = shared.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let now = shared.clock.get().copied();
            inner.transact(behavior, now, work)
        })
        .await
        .map_err(ApiError::internal)?
    }
}

impl Inner {
    fn transact<T>(
        &mut self,
        behavior: TransactionBehavior,
        now: Option<i64>,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let writes = matches!(behavior, TransactionBehavior::Immediate);
        // Dropped without a commit (error or panic), a transaction rolls back.
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let version: i64 = transaction.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        if version != self.version {
            self.cache.forget_books();
            self.version = version;
        }
        let now = now.unwrap_or_else(|| jiff::Timestamp::now().as_millisecond());
        let mut session = Session::new(&transaction, &mut self.cache, now, writes);
        let result = work(&mut session)?;
        if writes {
            let staged = session.finish()?;
            transaction.commit()?;
            self.cache.keep(staged);
        }
        Ok(result)
    }
}

fn connect(path: &Path, synchronous: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn format_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;{SCHEMA}{}PRAGMA user_version={FORMAT};COMMIT;",
        crate::drive::SCHEMA
    ))
}
