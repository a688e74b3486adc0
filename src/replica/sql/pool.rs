//! Pools of connections, one for each database that the operator named.

use std::str::FromStr;

use sqlx::{
    ConnectOptions, Executor, MySqlPool, PgPool, SqlitePool,
    mysql::{MySqlConnectOptions, MySqlPoolOptions},
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::{Engine, SqlConfig, failure, session::Session, url::Address};
use crate::error::{Error, Result};

/// The most connections that one process holds to one database.
const CONNECTIONS: u32 = 5;

/// The open connections of a database.
#[derive(Clone, Debug)]
pub(super) enum Pool {
    Postgres(PgPool),
    Mysql(MySqlPool),
    /// SQLite has two: what reads cannot write.
    Sqlite {
        reads: SqlitePool,
        writes: Option<SqlitePool>,
    },
}

impl Pool {
    /// Prepares the pool; connections are made when they are needed.
    pub(super) async fn open(
        engine: Engine,
        address: &Address,
        config: &SqlConfig,
    ) -> Result<Self> {
        Ok(match engine {
            Engine::Postgres => Self::Postgres(postgres(address, config)?),
            Engine::Mysql => Self::Mysql(mysql(address, config)?),
            Engine::Sqlite => {
                let options = sqlite(address, config)?;
                let pool = |options: SqliteConnectOptions, most| {
                    SqlitePoolOptions::new()
                        .max_connections(most)
                        .acquire_timeout(config.connect_timeout())
                        .connect_lazy_with(options)
                };
                let reads = options.clone().read_only(true).pragma("query_only", "ON");
                // One writer: SQLite locks the whole file for it.
                let writes = config.writable.then(|| pool(options, 1));
                Self::Sqlite { reads: pool(reads, CONNECTIONS), writes }
            }
        })
    }

    /// Begins a transaction that sees one moment and can write nothing.
    pub(super) async fn read(&self) -> Result<Session> {
        let begun = match self {
            Self::Postgres(pool) => pool
                .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                .await
                .map(Session::Postgres),
            Self::Mysql(pool) => {
                pool.begin_with("START TRANSACTION READ ONLY").await.map(Session::Mysql)
            }
            Self::Sqlite { reads, .. } => reads.begin().await.map(Session::Sqlite),
        };
        begun.map_err(|error| failure::connect(&error))
    }

    /// Begins a transaction that writes.
    pub(super) async fn write(&self) -> Result<Session> {
        let begun = match self {
            Self::Postgres(pool) => pool
                .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
                .await
                .map(Session::Postgres),
            Self::Mysql(pool) => pool.begin().await.map(Session::Mysql),
            Self::Sqlite { writes: Some(pool), .. } => {
                pool.begin_with("BEGIN IMMEDIATE").await.map(Session::Sqlite)
            }
            Self::Sqlite { writes: None, .. } => {
                return Err(Error::internal("the connection may only be read"));
            }
        };
        begun.map_err(|error| failure::connect(&error))
    }
}

fn unreadable(engine: Engine) -> Error {
    // The driver's own words may quote the address, and with it a password.
    Error::invalid(format!("url cannot be read as an address of {}", engine.as_str()))
        .next("check its parts: user:password@host:port/name, with other signs percent-encoded")
}

fn postgres(address: &Address, config: &SqlConfig) -> Result<PgPool> {
    let options = PgConnectOptions::from_str(address.expose())
        .map_err(|_| unreadable(Engine::Postgres))?
        .application_name("lockstep")
        .options([
            ("statement_timeout", config.statement_timeout().as_millis().to_string()),
            ("lock_timeout", config.lock_timeout().as_millis().to_string()),
            ("idle_in_transaction_session_timeout", "600000".to_owned()),
            // The same rows in the same order, scan after scan.
            ("synchronize_seqscans", "off".to_owned()),
            ("max_parallel_workers_per_gather", "0".to_owned()),
            ("IntervalStyle", "iso_8601".to_owned()),
        ])
        .disable_statement_logging();
    Ok(PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(config.connect_timeout())
        .connect_lazy_with(options))
}

/// Listens to the channel of the trigger, on a connection beside those of the pool.
///
/// # Errors
/// A database that cannot be reached.
pub(super) async fn listener(address: &Address, config: &SqlConfig) -> Result<PgListener> {
    let failed = |error: sqlx::Error| failure::connect(&error);
    let mut listener =
        PgListener::connect_with(&postgres(address, config)?).await.map_err(failed)?;
    listener.listen(super::trigger::CHANNEL).await.map_err(failed)?;
    Ok(listener)
}

fn mysql(address: &Address, config: &SqlConfig) -> Result<MySqlPool> {
    let options = MySqlConnectOptions::from_str(address.expose())
        .map_err(|_| unreadable(Engine::Mysql))?
        .charset("utf8mb4")
        .timezone(Some("+00:00".to_owned()))
        .disable_statement_logging();
    let (statement, lock) = (config.statement_timeout().as_secs(), config.lock_timeout().as_secs());
    Ok(MySqlPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(config.connect_timeout())
        .after_connect(move |connection, _| {
            Box::pin(async move {
                let set = format!(
                    "SET SESSION sql_mode = \
                     'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO,PIPES_AS_CONCAT', \
                     innodb_lock_wait_timeout = {lock}"
                );
                connection.execute(sqlx::AssertSqlSafe(set)).await?;
                // MariaDB counts seconds of any statement, MySQL milliseconds of a SELECT; each knows only its own.
                let mariadb = format!("SET SESSION max_statement_time = {statement}");
                if connection.execute(sqlx::AssertSqlSafe(mariadb)).await.is_err() {
                    let mysql = format!("SET SESSION max_execution_time = {}", statement * 1000);
                    connection.execute(sqlx::AssertSqlSafe(mysql)).await?;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options))
}

fn sqlite(address: &Address, config: &SqlConfig) -> Result<SqliteConnectOptions> {
    let path = std::path::PathBuf::from(address.path());
    if path.as_os_str().is_empty() || path.as_os_str() == ":memory:" {
        return Err(unreadable(Engine::Sqlite).next("name a file: sqlite:folder/file.db"));
    }
    if !path.is_file() {
        return Err(Error::not_found(format!("there is no SQLite file {}", path.display())).next(
            "correct its url in lockstep.toml; a relative path begins where Lockstep was started",
        ));
    }
    Ok(SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(config.lock_timeout())
        .disable_statement_logging())
}
