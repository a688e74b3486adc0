//! Tables of the three databases as replicas.

use std::path::PathBuf;

use lockstep::{config::Config, replica::connections::ConnectionConfig};
use lockstep_engine::schema::{Column, ColumnType};
use serde_json::{Value as Json, json};
use sqlx::{Connection, Executor};

use super::kind::{Abilities, Doing, Replica, Table};
use crate::{
    harness::House,
    support::{mariadb, postgres},
};

/// The databases, and how each is reached by somebody else.
pub(super) enum Sql {
    Postgres(postgres::Database),
    MariaDb(mariadb::Database),
    Sqlite(tempfile::TempDir),
}

/// The table of the laws.
const TABLE: &str = "mine";

impl Sql {
    pub(super) fn sqlite() -> Self {
        Self::Sqlite(tempfile::TempDir::new().unwrap())
    }

    pub(super) fn file(&self) -> PathBuf {
        match self {
            Self::Sqlite(folder) => folder.path().join("shop.db"),
            _ => panic!("only SQLite has a file"),
        }
    }

    /// Returns the settings of the connection.
    pub(super) fn connection(&self, more: &str) -> ConnectionConfig {
        let (kind, url) = match self {
            Self::Postgres(database) => ("postgres", database.url.clone()),
            Self::MariaDb(database) => ("mysql", database.url.clone()),
            Self::Sqlite(_) => {
                let path = self.file();
                rusqlite::Connection::open(&path).unwrap();
                ("sqlite", format!("sqlite:{}", path.display()))
            }
        };
        toml::from_str(&format!("kind = \"{kind}\"\nurl = \"{url}\"\n{more}")).unwrap()
    }

    pub(super) async fn run(&self, sql: impl Into<String>) {
        let sql: String = sql.into();
        match self {
            Self::Postgres(database) => database.run(sql).await,
            Self::MariaDb(database) => database.run(sql).await,
            Self::Sqlite(_) => {
                let connection = rusqlite::Connection::open(self.file()).unwrap();
                connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
                connection.execute_batch(&sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
            }
        }
    }

    pub(super) async fn texts(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        match self {
            Self::Postgres(database) => database.texts(sql).await,
            Self::MariaDb(database) => database.texts(sql).await,
            Self::Sqlite(_) => {
                let connection = rusqlite::Connection::open(self.file()).unwrap();
                let mut statement = connection.prepare(sql).unwrap();
                let width = statement.column_count();
                let rows = statement.query_map([], |row| {
                    (0..width).map(|at| row.get::<_, Option<String>>(at)).collect()
                });
                rows.unwrap().map(Result::unwrap).collect()
            }
        }
    }

    fn quote(&self, name: &str) -> String {
        match self {
            Self::MariaDb(_) => format!("`{name}`"),
            _ => format!("\"{name}\""),
        }
    }

    /// Returns the type of a column that keeps every value of the laws.
    fn type_of(&self, ty: ColumnType, key: bool) -> &'static str {
        match (self, ty) {
            (Self::Postgres(_), ColumnType::Text) => "text",
            (Self::Postgres(_), ColumnType::Number) => "numeric",
            (Self::Postgres(_), ColumnType::Bool) => "boolean",
            (Self::Postgres(_), ColumnType::DateTime) => "timestamp",
            (Self::Postgres(_), ColumnType::List) => "text[]",
            (Self::MariaDb(_), ColumnType::Text) if key => {
                "varchar(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
            }
            (Self::MariaDb(_), ColumnType::Number) => "decimal(60,20)",
            (Self::MariaDb(_), ColumnType::Bool) => "tinyint(1)",
            (Self::MariaDb(_), ColumnType::Time) => "time(6)",
            (Self::MariaDb(_), ColumnType::DateTime) => "datetime(6)",
            (Self::MariaDb(_), ColumnType::Text | ColumnType::List) => "longtext",
            (Self::Sqlite(_), ColumnType::Number) => "NUMERIC",
            (Self::Sqlite(_), ColumnType::Bool) => "BOOLEAN",
            (Self::Sqlite(_), ColumnType::DateTime) => "DATETIME",
            (Self::Sqlite(_), ColumnType::List) => "TEXT",
            (_, ColumnType::Date) => "date",
            (_, ColumnType::Time) => "time",
            (_, ColumnType::Text) => "text",
        }
    }

    fn literal(&self, ty: ColumnType, text: &str) -> String {
        let value = Column::new("", ty).read(text);
        let quoted = |text: &str| match self {
            Self::MariaDb(_) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
            _ => format!("'{}'", text.replace('\'', "''")),
        };
        match (self, ty) {
            (Self::MariaDb(_) | Self::Sqlite(_), ColumnType::Bool) => {
                u8::from(value.to_string() == "true").to_string()
            }
            (Self::Postgres(_), ColumnType::List) => {
                let json = quoted(&lockstep_engine::encode::json::encode(&value, &ty).to_string());
                format!("ARRAY(SELECT json_array_elements_text({json}::json))")
            }
            _ => quoted(text),
        }
    }

    /// Returns the expression that reads a column as text, by the database's own words.
    fn raw(&self, name: &str, ty: ColumnType) -> String {
        let name = self.quote(name);
        match (self, ty) {
            (Self::Postgres(_), ColumnType::List) => format!("to_json({name})::text"),
            (Self::Postgres(_), _) => format!("{name}::text"),
            (Self::MariaDb(_), _) => format!("CAST({name} AS CHAR)"),
            (Self::Sqlite(_), _) => format!("CAST({name} AS TEXT)"),
        }
    }
}

impl Replica for Sql {
    fn abilities(&self) -> Abilities {
        Abilities {
            constraints: true,
            held: true,
            catalogue: true,
            floats: matches!(self, Self::Sqlite(_)),
            connection: true,
        }
    }

    fn configure(&self, config: &mut Config, writable: bool) {
        let connection = self.connection(&format!("writable = {writable}"));
        config.connections.insert("shop".into(), connection);
    }

    fn fill<'a>(&'a self, _house: &'a House, table: &'a Table) -> Doing<'a, ()> {
        Box::pin(async move {
            let names: Vec<String> =
                table.columns.iter().map(|(name, _)| self.quote(name)).collect();
            let mut columns: Vec<String> = table
                .columns
                .iter()
                .enumerate()
                .map(|(at, (name, ty))| {
                    let check = if *name == "qty" { " CHECK (qty < 1000)" } else { "" };
                    let ty = self.type_of(*ty, at < table.key);
                    format!("{} {ty}{check}", self.quote(name))
                })
                .collect();
            columns.push(format!("PRIMARY KEY ({})", names[..table.key].join(", ")));
            let mut sql = format!(
                "DROP TABLE IF EXISTS {TABLE}; CREATE TABLE {TABLE} ({});\n",
                columns.join(", ")
            );
            for rows in table.rows.chunks(500) {
                let row = |row: &Vec<Option<String>>| {
                    let cells = table.columns.iter().zip(row).map(|((_, ty), text)| {
                        text.as_ref().map_or("NULL".to_owned(), |text| self.literal(*ty, text))
                    });
                    format!("({})", cells.collect::<Vec<_>>().join(", "))
                };
                let rows: Vec<String> = rows.iter().map(row).collect();
                sql.push_str(&format!(
                    "INSERT INTO {TABLE} ({}) VALUES {};\n",
                    names.join(", "),
                    rows.join(", ")
                ));
            }
            self.run(sql).await;
        })
    }

    fn side(&self) -> Json {
        json!({"connection": "shop", "table": TABLE})
    }

    fn read<'a>(&'a self, _house: &'a House, like: &'a Table) -> Doing<'a, Table> {
        Box::pin(async move {
            let columns: Vec<String> =
                like.columns.iter().map(|(name, ty)| self.raw(name, *ty)).collect();
            let rows = self.texts(&format!("SELECT {} FROM {TABLE}", columns.join(", "))).await;
            Table { rows, ..like.clone() }
        })
    }

    fn set<'a>(
        &'a self,
        _house: &'a House,
        key: &'a str,
        column: &'a str,
        value: &'a str,
    ) -> Doing<'a, ()> {
        Box::pin(async move {
            let column = self.quote(column);
            self.run(format!("UPDATE {TABLE} SET {column} = '{value}' WHERE sku = '{key}'")).await;
        })
    }

    fn remove<'a>(&'a self, _house: &'a House, key: &'a str) -> Doing<'a, ()> {
        Box::pin(async move { self.run(format!("DELETE FROM {TABLE} WHERE sku = '{key}'")).await })
    }

    fn hold<'a>(
        &'a self,
        key: &'a str,
        column: &'a str,
        value: &'a str,
        meanwhile: Doing<'a, Json>,
    ) -> Doing<'a, Json> {
        let sql = format!("UPDATE {TABLE} SET {column} = '{value}' WHERE sku = '{key}'");
        let wait = std::time::Duration::from_millis(700);
        Box::pin(async move {
            macro_rules! held {
                ($connection:expr) => {{
                    let mut connection = $connection;
                    let mut tx = connection.begin().await.unwrap();
                    tx.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
                    let (done, ()) = tokio::join!(meanwhile, async {
                        tokio::time::sleep(wait).await;
                        tx.commit().await.unwrap();
                    });
                    done
                }};
            }
            match self {
                Self::Postgres(database) => held!(database.connect().await),
                Self::MariaDb(database) => held!(database.connect().await),
                Self::Sqlite(_) => {
                    self.run("PRAGMA journal_mode = WAL").await;
                    let url = format!("sqlite:{}", self.file().display());
                    held!(sqlx::SqliteConnection::connect(&url).await.unwrap())
                }
            }
        })
    }
}
