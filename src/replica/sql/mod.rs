//! Databases as replicas: PostgreSQL, MySQL or MariaDB, and SQLite.

use serde::Deserialize;

use crate::error::Result;

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

/// What the operator says of a database.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqlConfig {
    /// Its address, e.g. `postgres://user:password@host/name`.
    pub url: String,
    /// Whether it may be written.
    #[serde(default)]
    pub writable: bool,
}

/// A database that the operator named.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) engine: Engine,
    pub(crate) config: SqlConfig,
}

impl Database {
    /// Takes the operator's word; nothing is opened yet.
    ///
    /// # Errors
    /// An address that cannot be understood.
    pub(crate) fn new(name: &str, engine: Engine, config: &SqlConfig) -> Result<Self> {
        Ok(Self { name: name.to_owned(), engine, config: config.clone() })
    }
}
