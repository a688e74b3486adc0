//! One transaction, whichever database it runs in; one that is dropped is rolled back.

use futures_util::TryStreamExt;
use lockstep_engine::{cell::Cell, snapshot::SnapshotBuilder};
use sqlx::{
    AssertSqlSafe, Column as _, Error as Sqlx, Executor, MySql, Postgres, Row as _, Sqlite,
    Statement, Transaction, TypeInfo, ValueRef, sqlite::SqliteRow,
};

use super::{
    Engine,
    column::{ColumnInfo, Kind},
    rows::Rows,
};

/// The parameters of a statement.
#[derive(Clone, Debug)]
pub(super) enum Bind {
    Texts(Vec<Option<String>>),
    Rows(Rows),
}

impl Bind {
    /// No parameters.
    pub(super) fn none() -> Self {
        Self::Texts(Vec::new())
    }

    /// Parameters that are all there.
    pub(super) fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::Texts(texts.into_iter().map(|text| Some(text.into())).collect())
    }
}

/// A transaction on a connection of a pool.
pub(super) enum Session {
    Postgres(Transaction<'static, Postgres>),
    Mysql(Transaction<'static, MySql>),
    Sqlite(Transaction<'static, Sqlite>),
}

/// Binds the parameters of a statement, which every driver's query takes by the same words.
macro_rules! bound {
    (json $sql:expr, $bind:expr) => {{
        let query = sqlx::query(AssertSqlSafe($sql)).persistent(false);
        match $bind {
            Bind::Texts(texts) => texts.into_iter().fold(query, |query, text| query.bind(text)),
            Bind::Rows(rows) => query.bind(rows.into_json()),
        }
    }};
    (columns $sql:expr, $bind:expr) => {{
        let query = sqlx::query(AssertSqlSafe($sql)).persistent(false);
        match $bind {
            Bind::Texts(texts) => texts.into_iter().fold(query, |query, text| query.bind(text)),
            Bind::Rows(rows) => {
                let (ids, columns) = rows.into_columns();
                columns.into_iter().fold(query.bind(ids), |query, column| query.bind(column))
            }
        }
    }};
}

impl Session {
    pub(super) fn engine(&self) -> Engine {
        match self {
            Self::Postgres(_) => Engine::Postgres,
            Self::Mysql(_) => Engine::Mysql,
            Self::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// Runs a statement; returns the number of rows that it touched.
    pub(super) async fn execute(&mut self, sql: String, bind: Bind) -> Result<u64, Sqlx> {
        Ok(match self {
            Self::Postgres(tx) => {
                bound!(columns sql, bind).execute(&mut **tx).await?.rows_affected()
            }
            Self::Mysql(tx) => bound!(json sql, bind).execute(&mut **tx).await?.rows_affected(),
            Self::Sqlite(tx) => bound!(json sql, bind).execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// Runs a statement without parameters in the simple form, which takes those that cannot be prepared.
    pub(super) async fn simple(&mut self, sql: &'static str) -> Result<(), Sqlx> {
        match self {
            Self::Postgres(tx) => tx.execute(sqlx::raw_sql(sql)).await.map(drop),
            Self::Mysql(tx) => tx.execute(sqlx::raw_sql(sql)).await.map(drop),
            Self::Sqlite(tx) => tx.execute(sqlx::raw_sql(sql)).await.map(drop),
        }
    }

    /// Returns a few rows whose columns are all texts.
    pub(super) async fn texts(
        &mut self,
        sql: String,
        bind: Bind,
    ) -> Result<Vec<Vec<Option<String>>>, Sqlx> {
        macro_rules! all {
            ($query:expr, $tx:expr) => {
                $query
                    .fetch_all(&mut **$tx)
                    .await?
                    .iter()
                    .map(|row| {
                        (0..row.len())
                            .map(|at| row.try_get_unchecked::<Option<String>, _>(at))
                            .collect()
                    })
                    .collect()
            };
        }
        match self {
            Self::Postgres(tx) => all!(bound!(columns sql, bind), tx),
            Self::Mysql(tx) => all!(bound!(json sql, bind), tx),
            Self::Sqlite(tx) => all!(bound!(json sql, bind), tx),
        }
    }

    /// Streams rows into a snapshot; the columns are in the form that [`ColumnInfo::cell`] reads.
    ///
    /// With `numbered` a first column more holds the number of the row.
    pub(super) async fn stream(
        &mut self,
        sql: String,
        bind: Bind,
        columns: &[&ColumnInfo],
        numbered: bool,
        builder: &mut SnapshotBuilder,
    ) -> Result<(), Sqlx> {
        let first = usize::from(numbered);
        macro_rules! each {
            ($query:expr, $tx:expr) => {{
                let mut rows = $query.fetch(&mut **$tx);
                while let Some(row) = rows.try_next().await? {
                    let mut texts: Vec<Option<&str>> = Vec::with_capacity(columns.len());
                    for at in 0..columns.len() {
                        texts.push(row.try_get_unchecked::<Option<&str>, _>(at + first)?);
                    }
                    let mut own = vec![String::new(); columns.len()];
                    let cells = columns
                        .iter()
                        .zip(&texts)
                        .zip(&mut own)
                        .map(|((column, text), own)| column.cell(*text, own));
                    match numbered {
                        true => {
                            let id: i64 = row.try_get_unchecked(0)?;
                            builder.push_at(u64::try_from(id).unwrap_or_default(), cells);
                        }
                        false => builder.push(cells),
                    }
                }
            }};
        }
        match self {
            Self::Postgres(tx) => each!(bound!(columns sql, bind), tx),
            Self::Mysql(tx) => each!(bound!(json sql, bind), tx),
            Self::Sqlite(tx) => {
                let mut rows = bound!(json sql, bind).fetch(&mut **tx);
                while let Some(row) = rows.try_next().await? {
                    let stored = columns
                        .iter()
                        .enumerate()
                        .map(|(at, column)| Stored::read(&row, at + first, column))
                        .collect::<Result<Vec<_>, Sqlx>>()?;
                    let cells = columns.iter().zip(&stored).map(|(column, one)| one.cell(column));
                    match numbered {
                        true => {
                            let id: i64 = row.try_get_unchecked(0)?;
                            builder.push_at(u64::try_from(id).unwrap_or_default(), cells);
                        }
                        false => builder.push(cells),
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks the database what a statement returns; one that is no single statement is refused by the database.
    pub(super) async fn describe(&mut self, sql: &str) -> Result<Vec<Described>, Sqlx> {
        let sql = AssertSqlSafe(sql.to_owned());
        macro_rules! described {
            ($tx:expr, $oid:expr) => {{
                let statement = $tx.prepare(sqlx::SqlSafeStr::into_sql_str(sql)).await?;
                statement
                    .columns()
                    .iter()
                    .map(|column| Described {
                        name: column.name().to_owned(),
                        type_name: column.type_info().name().to_owned(),
                        oid: $oid(column.type_info()),
                    })
                    .collect()
            }};
        }
        Ok(match self {
            Self::Postgres(tx) => {
                described!(tx, |ty: &sqlx::postgres::PgTypeInfo| ty.oid().map(|oid| oid.0))
            }
            Self::Mysql(tx) => described!(tx, |_| None),
            Self::Sqlite(tx) => described!(tx, |_| None),
        })
    }

    /// Commits; the error of a connection that was lost says nothing about what became of it.
    pub(super) async fn commit(self) -> Result<(), Sqlx> {
        match self {
            Self::Postgres(tx) => tx.commit().await,
            Self::Mysql(tx) => tx.commit().await,
            Self::Sqlite(tx) => tx.commit().await,
        }
    }

    /// Takes everything back.
    pub(super) async fn rollback(self) {
        // One that fails is rolled back by the server when the connection goes.
        let _ = match self {
            Self::Postgres(tx) => tx.rollback().await,
            Self::Mysql(tx) => tx.rollback().await,
            Self::Sqlite(tx) => tx.rollback().await,
        };
    }
}

/// A column of what a query returns.
pub(super) struct Described {
    pub(super) name: String,
    pub(super) type_name: String,
    pub(super) oid: Option<u32>,
}

/// A value of SQLite, which has a type of its own whatever the column says.
enum Stored<'r> {
    Null,
    Whole(String),
    Real(f64),
    Text(&'r str),
}

impl<'r> Stored<'r> {
    fn read(row: &'r SqliteRow, at: usize, column: &ColumnInfo) -> Result<Self, Sqlx> {
        let value = row.try_get_raw(at)?;
        if value.is_null() {
            return Ok(Self::Null);
        }
        let ty = value.type_info().name().to_owned();
        drop(value);
        Ok(match ty.as_str() {
            "INTEGER" => Self::Whole(row.try_get_unchecked::<i64, _>(at)?.to_string()),
            "REAL" => Self::Real(row.try_get_unchecked(at)?),
            "TEXT" => Self::Text(row.try_get_unchecked(at)?),
            _ => {
                let why = format!("the column \"{}\" holds bytes (a blob)", column.name);
                return Err(Sqlx::Decode(why.into()));
            }
        })
    }

    fn cell(&self, column: &ColumnInfo) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            // SQLite has no booleans of its own.
            Self::Whole(text) if column.kind == Kind::Bool && text == "1" => Cell::Bool(true),
            Self::Whole(text) if column.kind == Kind::Bool && text == "0" => Cell::Bool(false),
            // A number in a column of dates is an epoch or a Julian day, never the serial of a sheet.
            Self::Whole(text) if column.kind.is_temporal() => Cell::Text(text),
            Self::Whole(text) => Cell::Number(text),
            Self::Real(value) => Cell::Float(*value),
            Self::Text(text) => Cell::Text(text),
        }
    }
}
