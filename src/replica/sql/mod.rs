//! Databases as replicas: PostgreSQL, MySQL or MariaDB, and SQLite.
//!
//! A scan reads a table, a view or a query in a read-only transaction, as the text forms that the database itself
//! writes, into a snapshot; the catalogue says the types, so that nothing is guessed. Writes go in one transaction per
//! batch: the rows are locked and compared with what the plan saw, written by one statement for each kind of change,
//! and read back before the commit; a row in `lockstep_markers` proves the batch.

use std::{fmt, sync::Arc, time::Duration};

use serde::Deserialize;
use tokio::sync::OnceCell;

use self::{name::TableName, pool::Pool};
use crate::error::{Error, Kind, Result, did_you_mean};

mod batch;
mod catalog;
mod catalog_mysql;
mod catalog_postgres;
mod catalog_sqlite;
mod check;
mod column;
mod copy;
mod cursor;
mod encode;
mod failure;
mod marker;
mod name;
pub(super) mod plan;
mod pool;
mod query;
mod rows;
pub(super) mod scan;
pub(crate) mod segment;
mod send;
mod session;
mod statements;
#[cfg(test)]
mod tests;
pub(crate) mod trigger;
mod url;

/// Which dialect a database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    /// SQLite.
    Sqlite,
}

impl Engine {
    /// Returns the name for people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Sqlite => "SQLite",
        }
    }
}

/// What proves in the database that a batch was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Markers {
    /// A row of the table `lockstep_markers`, which the first write creates beside the table that it writes to.
    #[default]
    Table,
    /// Nothing: after a lost connection the rows themselves are looked at.
    None,
}

/// What the operator says of a database.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqlConfig {
    /// Its address, e.g. `postgres://user:${PASSWORD}@host/name` or `sqlite:shop.db`; `${NAME}` is the environment's.
    pub url: String,
    /// Whether it may be written.
    #[serde(default)]
    pub writable: bool,
    /// The tables and views that may be named, as `name`, `schema.name` or `schema.*`; all if not given.
    pub tables: Option<Vec<String>>,
    /// Whether queries are allowed; by default they are, unless `tables` is given.
    pub queries: Option<bool>,
    /// Whether a table for markers may be made and written.
    #[serde(default)]
    pub markers: Markers,
    /// Seconds to wait for a connection; 10 by default.
    pub connect_timeout_seconds: Option<u16>,
    /// Seconds that one statement may take; 300 by default.
    pub statement_timeout_seconds: Option<u16>,
    /// Seconds to wait for a row that somebody else locked; 10 by default.
    pub lock_timeout_seconds: Option<u16>,
}

impl fmt::Debug for SqlConfig {
    /// Leaves the address out, because it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlConfig").field("writable", &self.writable).finish_non_exhaustive()
    }
}

impl SqlConfig {
    fn seconds(given: Option<u16>, default: u16) -> Duration {
        Duration::from_secs(u64::from(given.unwrap_or(default).max(1)))
    }

    fn connect_timeout(&self) -> Duration {
        Self::seconds(self.connect_timeout_seconds, 10)
    }

    fn statement_timeout(&self) -> Duration {
        Self::seconds(self.statement_timeout_seconds, 300)
    }

    fn lock_timeout(&self) -> Duration {
        Self::seconds(self.lock_timeout_seconds, 10)
    }
}

/// A database that the operator named; its pool is opened at the first use and shared by all calls.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) engine: Engine,
    config: SqlConfig,
    /// The address, with the environment's words filled in.
    address: url::Address,
    pool: Arc<OnceCell<Pool>>,
}

impl Database {
    /// Takes the operator's word; nothing is opened yet.
    ///
    /// # Errors
    /// An address that cannot be understood, or that names a variable which the environment does not have.
    pub(crate) fn new(name: &str, engine: Engine, config: &SqlConfig) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            engine,
            config: config.clone(),
            address: url::Address::read(engine, &config.url)?,
            pool: Arc::default(),
        })
    }

    /// Returns the pool, and opens it at the first call.
    async fn pool(&self) -> Result<&Pool> {
        let open = || Pool::open(self.engine, &self.address, &self.config);
        self.pool.get_or_try_init(open).await.map_err(|error| error.context(self.place()))
    }

    /// Looks whether the database answers.
    ///
    /// # Errors
    /// One that cannot be reached or does not let us in.
    pub(crate) async fn reached(&self) -> Result<()> {
        self.pool().await?.read().await.map(|_| ()).map_err(|error| error.context(self.place()))
    }

    /// Returns whether tables of it can tell of their changes.
    pub(crate) fn tells(&self) -> bool {
        self.engine == Engine::Postgres
    }

    /// Listens to what tables tell of their changes, on a connection of its own.
    ///
    /// # Errors
    /// A database that cannot be reached.
    pub(crate) async fn listen(&self) -> Result<sqlx::postgres::PgListener> {
        pool::listener(&self.address, &self.config)
            .await
            .map_err(|error| error.context(self.place()))
    }

    /// Returns how the database is called in messages.
    fn place(&self) -> String {
        format!("connection \"{}\"", self.name)
    }

    /// Refuses a database that the operator did not declare writable.
    fn check_writable(&self) -> Result<()> {
        match self.config.writable {
            true => Ok(()),
            false => Err(Error::new(
                Kind::PermissionDenied,
                format!("the connection \"{}\" may only be read", self.name),
            )
            .next(format!(
                "the operator can allow it: writable = true under [connections.{}] in lockstep.toml",
                self.name
            ))),
        }
    }

    /// Refuses a table that is not on the operator's list.
    fn check_table(&self, name: &TableName) -> Result<()> {
        let Some(allowed) = &self.config.tables else { return Ok(()) };
        if allowed.iter().any(|pattern| name.matches(pattern)) {
            return Ok(());
        }
        let near = did_you_mean(&name.to_string(), allowed.iter().map(String::as_str));
        Err(Error::new(
            Kind::PermissionDenied,
            format!(
                "the connection \"{}\" gives no access to the table \"{name}\".{near}",
                self.name
            ),
        )
        .next(format!(
            "use one of {}, as the operator listed them",
            super::header::list(allowed.iter().map(String::as_str))
        )))
    }

    /// Refuses queries where the operator does not want them.
    fn check_queries(&self) -> Result<()> {
        match self.config.queries.unwrap_or(self.config.tables.is_none()) {
            true => Ok(()),
            false => Err(Error::new(
                Kind::PermissionDenied,
                format!("the connection \"{}\" takes no queries", self.name),
            )
            .next(format!(
                "name a table; the operator can allow them: queries = true under [connections.{}] in lockstep.toml",
                self.name
            ))),
        }
    }
}
