//! The store in a PostgreSQL database, which several machines can share.
//!
//! The statements are those of the SQLite store. What keeps writers apart there, one write transaction at a time, is here
//! a lock that every write transaction takes first and that ends with it; readers see one moment and wait for nobody.
//! Texts sort by their bytes, as in Rust and SQLite, whatever the database's own language is.

use std::borrow::Cow;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use reqwest::Url;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, Migrator};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqlSafeStr as _};

use super::open::{MIGRATIONS, QUEUE, migrate};
use super::{Conn, Engine, Keys, Reads, Seal, Store};
use crate::error::{Error, Kind, Result};

/// How long a server may take to answer the first time.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a read waits for a connection, while the server is away.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a write transaction begins: with the lock of writers, whose number is "LkSt"; what waits for others for a minute says so.
pub(super) const WRITE: &str =
    "BEGIN; SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_xact_lock(1282102132)";

/// How a write transaction begins that is about one dataset alone: beside those about others, and never beside [`WRITE`].
pub(super) const WRITE_PART: &str =
    "BEGIN; SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_xact_lock_shared(1282102132)";

/// The lock of one dataset's writers.
pub(super) const LOCK_PART: &str = "SELECT pg_advisory_xact_lock(1282102133, hashtext($1))::text";

/// How a read transaction begins.
pub(super) const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

impl Store {
    /// Opens the store in a PostgreSQL database, making its tables when there are none.
    ///
    /// # Errors
    /// An address that is none, a database that cannot be reached or written, and tables of a newer version.
    #[cfg(test)]
    pub(crate) async fn connect(address: &str) -> Result<Store> {
        Self::connect_with(address, None).await
    }

    /// Opens the store in a PostgreSQL database, making its tables when there are none; with keys it is encrypted from
    /// then on.
    ///
    /// # Errors
    /// An address that is none, a database that cannot be reached or written, tables of a newer version, and another key.
    pub async fn connect_with(address: &str, keys: Option<Keys>) -> Result<Store> {
        let url = parse(address)?;
        let shown = shown(&url);
        let opened = match open(url).await {
            Ok(store) => store.with_keys(keys).await,
            Err(error) => Err(error),
        };
        opened.map_err(|error| error.context(format!("store {shown}")))
    }

    /// Refuses column names that the tables cannot hold, before anything is written to a side.
    ///
    /// # Errors
    /// A name with U+0000 in it, where the store is a PostgreSQL database.
    pub(super) fn check_names(&self, columns: &[String]) -> Result<()> {
        match columns.iter().find(|name| name.contains('\0')) {
            Some(name) if self.engine == Engine::Postgres => Err(Error::invalid(format!(
                "the column {name:?} has the character U+0000 in its name"
            ))
            .next("a store in PostgreSQL cannot keep it: rename the column")),
            _ => Ok(()),
        }
    }

    /// Returns the key that all servers of this store sign with; the first makes it. `None` for a file, whose processes
    /// share a folder.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn shared_key(&self) -> Result<Option<[u8; 32]>> {
        if self.engine == Engine::Sqlite {
            return Ok(None);
        }
        let halves = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()];
        let mut tx = self.write().await?;
        sqlx::query("INSERT INTO shared (name, value) VALUES ('key', $1) ON CONFLICT DO NOTHING")
            .bind(tx.seal.bytes("value", halves.concat())?)
            .execute(&mut *tx)
            .await?;
        let key: Vec<u8> = sqlx::query_scalar("SELECT value FROM shared WHERE name = 'key'")
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        let key =
            key.try_into().map_err(|_| super::codec::damaged("its key has another length"))?;
        Ok(Some(key))
    }

    /// Settles a database that was put back from a dump: no lease of its time holds, no holder of it can write, and what
    /// was seen since then is forgotten.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn settle_dump(&self) -> Result<()> {
        let mut tx = self.write().await?;
        super::backup::disown(tx.raw()).await?;
        sqlx::query("DELETE FROM seen").execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// Tells the servers of this store, when the transaction commits, that a dataset has something for its watch; a blank
    /// name that watches were started, stopped or given back.
    pub(super) async fn notify(&self, conn: &mut Conn, dataset: &str) -> Result<()> {
        if self.engine == Engine::Postgres {
            sqlx::query("SELECT pg_notify('lockstep', $1)").bind(dataset).execute(conn).await?;
        }
        Ok(())
    }

    /// Returns whether servers on several machines can share it, and are told of each other's work.
    pub(crate) fn is_shared(&self) -> bool {
        self.engine == Engine::Postgres
    }

    /// Listens to what servers of this store tell each other; `None` for a file, which is looked at now and then.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub(crate) async fn listen(&self) -> Result<Option<Wakes>> {
        let Some(url) = &self.address else { return Ok(None) };
        let mut listener = sqlx::postgres::PgListener::connect(url).await?;
        listener.listen("lockstep").await?;
        Ok(Some(Wakes(listener)))
    }
}

/// What servers of one store tell each other.
pub(crate) struct Wakes(sqlx::postgres::PgListener);

impl Wakes {
    /// Waits for the next word: the name of a dataset, or blank for all watches.
    ///
    /// Words are lost while the connection is: it is made again, and the caller is told to look at everything.
    ///
    /// # Errors
    /// When the database cannot be reached again.
    pub(crate) async fn next(&mut self) -> Result<String> {
        Ok(self.0.try_recv().await?.map_or_else(String::new, |word| word.payload().to_owned()))
    }
}

fn parse(address: &str) -> Result<Url> {
    let wrong = || {
        Error::invalid("[store] url is no address of a PostgreSQL database")
            .next("write postgres://user:${PASSWORD}@host/database")
    };
    let url = Url::parse(address).map_err(|_| wrong())?;
    matches!(url.scheme(), "postgres" | "postgresql").then_some(url).ok_or_else(wrong)
}

/// Returns an address without what is secret in it.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or("localhost");
    format!("postgres://{host}{}", url.path())
}

async fn open(url: Url) -> Result<Store> {
    sqlx::any::install_default_drivers();
    let options = AnyConnectOptions::from_str(url.as_str())?.disable_statement_logging();
    // A pool would try for as long as a call may wait for writes.
    let connecting = tokio::time::timeout(ANSWER, options.connect()).await;
    let mut conn = connecting.map_err(|_| {
        Error::new(Kind::Unavailable, "the store's database does not answer")
            .next("check [store] url and that the server runs, then start again")
    })??;
    let mut tx = conn.begin_with(WRITE).await?;
    let there: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *tx)
        .await?;
    migrate(&mut tx, there, migrations()).await?;
    tx.commit().await?;
    conn.close().await?;
    let pool = AnyPoolOptions::new();
    let writes =
        pool.clone().max_connections(1).acquire_timeout(QUEUE).connect_lazy_with(options.clone());
    let pool = pool.max_connections(4).acquire_timeout(PATIENCE).connect_lazy_with(options);
    let reads = Reads { pool, seal: Seal::default() };
    let path = PathBuf::from(shown(&url)).into();
    Ok(Store { path, engine: Engine::Postgres, address: Some(url.as_str().into()), writes, reads })
}

/// Returns the steps to the present tables in PostgreSQL's words.
fn migrations() -> Migrator {
    let translated = |step: &Migration| {
        let sql = step
            .sql
            .as_str()
            .replace(" BLOB", " BYTEA")
            .replace(" TEXT", " TEXT COLLATE \"C\"")
            .replace(
                "INTEGER NOT NULL PRIMARY KEY",
                "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
            );
        Migration {
            sql: AssertSqlSafe(sql).into_sql_str(),
            checksum: Cow::Owned(step.checksum.to_vec()),
            ..step.clone()
        }
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(translated).collect())
}
