//! The databases and APIs that the operator named in `lockstep.toml`; tools refer to them by name, never by address.

use std::{collections::BTreeMap, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as DeError},
};
use serde_json::Value;

use super::{
    file::{
        folder::{Files, FolderConfig},
        remote_config::RemoteConfig,
        shelf::Shelf,
    },
    http::Api,
    sql::Database,
};
use crate::error::{Error, Kind, Result, did_you_mean};

/// What the operator says of one connection.
#[derive(Clone, Debug)]
pub enum ConnectionConfig {
    /// A PostgreSQL database.
    Postgres(super::sql::SqlConfig),
    /// A MySQL or MariaDB database.
    Mysql(super::sql::SqlConfig),
    /// An SQLite file.
    Sqlite(super::sql::SqlConfig),
    /// A JSON API over HTTP.
    Http(Box<super::http::HttpConfig>),
    /// A folder of files.
    Folder(FolderConfig),
    /// A folder of files behind a network.
    Remote(Box<RemoteConfig>),
}

impl ConnectionConfig {
    /// Takes the leave to write.
    pub(crate) fn only_read(&mut self) {
        match self {
            Self::Postgres(config) | Self::Mysql(config) | Self::Sqlite(config) => {
                config.writable = false;
            }
            Self::Http(config) => config.writable = false,
            Self::Folder(config) => config.only_read(),
            Self::Remote(config) => config.only_read(),
        }
    }
}

impl<'de> Deserialize<'de> for ConnectionConfig {
    /// Reads the kind first and the rest by it, so that an error names the path of the key that it is about.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let mut table = serde_json::Map::<String, Value>::deserialize(deserializer)?;
        let kind = table.shift_remove("kind").ok_or_else(|| D::Error::missing_field("kind"))?;
        let rest = Value::Object(table);
        match kind.as_str().unwrap_or_default() {
            "postgres" => part(rest).map(Self::Postgres),
            "mysql" => part(rest).map(Self::Mysql),
            "sqlite" => part(rest).map(Self::Sqlite),
            "http" => part(rest).map(Self::Http),
            "folder" => part(rest).map(Self::Folder),
            "s3" => part(rest).map(|config| Self::Remote(Box::new(RemoteConfig::S3(config)))),
            "sftp" => part(rest).map(|config| Self::Remote(Box::new(RemoteConfig::Sftp(config)))),
            "web" => part(rest).map(|config| Self::Remote(Box::new(RemoteConfig::Web(config)))),
            other => {
                let kinds = &["postgres", "mysql", "sqlite", "http", "folder", "s3", "sftp", "web"];
                Err(D::Error::unknown_variant(other, kinds))
            }
        }
    }
}

fn part<T: DeserializeOwned, E: DeError>(rest: Value) -> std::result::Result<T, E> {
    serde_path_to_error::deserialize(rest)
        .map_err(|error| E::custom(format!("{}: {}", error.path(), error.inner())))
}

/// One connection, ready to be used; nothing is opened before its first use.
#[derive(Clone, Debug)]
enum Connection {
    Sql(Database),
    Http(Api),
    Folder(FolderConfig),
    #[cfg(feature = "remote-files")]
    Remote(super::file::remote::Remote),
}

/// The connections by name.
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<BTreeMap<String, Connection>>);

impl Connections {
    /// Builds the connections of a configuration; no network is touched.
    ///
    /// # Errors
    /// A connection that cannot be carried out; names it.
    pub fn new(configured: &BTreeMap<String, ConnectionConfig>) -> Result<Self> {
        let open = |(name, config): (&String, &ConnectionConfig)| {
            let connection = match config {
                ConnectionConfig::Postgres(config) => {
                    Database::new(name, super::sql::Engine::Postgres, config).map(Connection::Sql)
                }
                ConnectionConfig::Mysql(config) => {
                    Database::new(name, super::sql::Engine::Mysql, config).map(Connection::Sql)
                }
                ConnectionConfig::Sqlite(config) => {
                    Database::new(name, super::sql::Engine::Sqlite, config).map(Connection::Sql)
                }
                ConnectionConfig::Http(config) => Api::new(name, config).map(Connection::Http),
                ConnectionConfig::Folder(config) => Ok(Connection::Folder(config.clone())),
                ConnectionConfig::Remote(config) => remote(name, config),
            };
            let place = || format!("connections.{name} of the configuration");
            Ok((name.clone(), connection.map_err(|error| error.context(place()))?))
        };
        Ok(Self(Arc::new(configured.iter().map(open).collect::<Result<_>>()?)))
    }

    /// Returns a database.
    ///
    /// # Errors
    /// A name that is unknown (near ones are offered), or that of an API.
    pub(crate) fn database(&self, name: &str) -> Result<&Database> {
        match self.find(name)? {
            Connection::Sql(database) => Ok(database),
            Connection::Http(_) => Err(other(name, "an HTTP API", "resource")),
            _ => Err(other(name, "a folder", "file")),
        }
    }

    /// Returns an API.
    ///
    /// # Errors
    /// A name that is unknown (near ones are offered), or that of a database.
    pub(crate) fn api(&self, name: &str) -> Result<&Api> {
        match self.find(name)? {
            Connection::Http(api) => Ok(api),
            Connection::Sql(_) => Err(other(name, "a database", "table or query")),
            _ => Err(other(name, "a folder", "file")),
        }
    }

    /// Returns a folder.
    ///
    /// # Errors
    /// A name that is unknown (near ones are offered) or no folder's, or a folder that cannot be opened.
    pub(crate) fn shelf(&self, name: &str) -> Result<Shelf> {
        match self.find(name)? {
            Connection::Folder(config) => Files::connect(name, config).map(Shelf::Folder),
            #[cfg(feature = "remote-files")]
            Connection::Remote(remote) => Ok(Shelf::Remote(remote.clone())),
            Connection::Sql(_) => Err(other(name, "a database", "table or query")),
            Connection::Http(_) => Err(other(name, "an HTTP API", "resource")),
        }
    }

    /// Returns the names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Looks whether a connection can be used; nothing is written. Returns what it found, in words.
    ///
    /// # Errors
    /// What keeps it from being used.
    pub(crate) async fn reached(&self, name: &str) -> Result<String> {
        match self.find(name)? {
            Connection::Sql(database) => {
                database.reached().await?;
                Ok(format!("{} answers", database.engine.as_str()))
            }
            Connection::Http(api) => {
                let status = api.reached().await?;
                Ok(format!("the API answers (HTTP {status})"))
            }
            Connection::Folder(config) => {
                let files = Files::connect(name, config)?;
                Ok(format!("the folder {} is there", files.root().display()))
            }
            #[cfg(feature = "remote-files")]
            Connection::Remote(_) => Ok("described; it is reached when it is used".into()),
        }
    }

    fn find(&self, name: &str) -> Result<&Connection> {
        self.0.get(name).ok_or_else(|| {
            let near = did_you_mean(name, self.0.keys().map(String::as_str));
            let error = Error::new(
                Kind::NotFound,
                format!("the operator named no connection \"{name}\".{near}"),
            );
            match self.0.is_empty() {
                true => error
                    .next("the operator declares one under [connections.NAME] in lockstep.toml"),
                false => error.next(format!(
                    "the connections are {}",
                    super::header::list(self.0.keys().map(String::as_str))
                )),
            }
        })
    }
}

#[cfg(feature = "remote-files")]
fn remote(name: &str, config: &RemoteConfig) -> Result<Connection> {
    super::file::remote::Remote::new(name, config).map(Connection::Remote)
}

#[cfg(not(feature = "remote-files"))]
fn remote(_: &str, _: &RemoteConfig) -> Result<Connection> {
    Err(Error::invalid("this build of Lockstep reaches no folders behind a network")
        .next("build it with: cargo build --release --features remote-files"))
}

fn other(name: &str, is: &str, takes: &str) -> Error {
    Error::invalid(format!("the connection \"{name}\" is {is}")).next(format!("name its {takes}"))
}
