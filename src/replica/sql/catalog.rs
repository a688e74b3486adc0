//! What a database's catalogue says of a table or view: its columns, its primary key, and what may be done to it.

use super::{
    Engine, catalog_mysql, catalog_postgres, catalog_sqlite,
    column::{ColumnInfo, Kind},
    failure,
    name::TableName,
    session::Session,
};
use crate::{
    error::{Error, Result, did_you_mean},
    replica::header::list,
};

/// A table or view.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: TableName,
    pub(super) columns: Vec<ColumnInfo>,
    /// Indices of the columns of the primary key, in its order.
    pub(super) primary: Vec<usize>,
    /// Why rows cannot be added, changed and removed, where they cannot.
    pub(super) refusal: Refusal,
    /// Whether it is an ordinary table, of which nothing but a write changes what a scan returns.
    pub(super) ordinary: bool,
    /// What changes when the table is made anew or emptied at once, where the database tells it.
    pub(super) identity: String,
    /// For SQLite, whether rows have the hidden column `rowid`.
    pub(super) rowid: bool,
}

/// What cannot be done to a table or view, in the words of the reader.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusal {
    pub(super) insert: Option<String>,
    pub(super) update: Option<String>,
    pub(super) delete: Option<String>,
}

impl Refusal {
    /// Refuses everything for one reason.
    pub(super) fn all(why: &str) -> Self {
        let why = Some(why.to_owned());
        Self { insert: why.clone(), update: why.clone(), delete: why }
    }
}

impl Table {
    /// Reads the catalogue.
    ///
    /// # Errors
    /// A table that is not there, with near names.
    pub(super) async fn read(session: &mut Session, name: &TableName) -> Result<Self> {
        let found = match session.engine() {
            Engine::Postgres => catalog_postgres::table(session, name).await,
            Engine::Mysql => catalog_mysql::table(session, name).await,
            Engine::Sqlite => catalog_sqlite::table(session, name).await,
        };
        match found.map_err(|error| failure::read(&error))? {
            Some(table) => Ok(table),
            None => Err(unknown(session, name).await),
        }
    }

    /// Returns the columns that can be read.
    pub(super) fn readable(&self) -> Vec<ColumnInfo> {
        let fits = |column: &&ColumnInfo| !matches!(column.kind, Kind::Unfit(_));
        self.columns.iter().filter(fits).cloned().collect()
    }

    /// Returns the error of a column that is not there.
    pub(super) fn no_column(&self, name: &str) -> Error {
        let names = || self.columns.iter().map(|column| column.name.as_str());
        let near = did_you_mean(name, names());
        Error::not_found(format!("the table \"{}\" has no column \"{name}\".{near}", self.name))
            .next(format!("its columns are {}", list(names())))
    }
}

/// Says that there is no such table, and which ones there are.
async fn unknown(session: &mut Session, name: &TableName) -> Error {
    let sql = match session.engine() {
        Engine::Postgres => catalog_postgres::NAMES,
        Engine::Mysql => catalog_mysql::NAMES,
        Engine::Sqlite => catalog_sqlite::NAMES,
    };
    // Names are help, not more: where they cannot be had, the error says the rest.
    let names: Vec<String> = session
        .texts(sql.to_owned(), super::session::Bind::none())
        .await
        .unwrap_or_default()
        .into_iter()
        .filter_map(|row| {
            let mut row = row.into_iter().flatten();
            let (schema, table) = (row.next()?, row.next()?);
            // The schema that unqualified names are looked up in comes without its name.
            Some(if schema.is_empty() { table } else { format!("{schema}.{table}") })
        })
        .collect();
    let near = did_you_mean(&name.to_string(), names.iter().map(String::as_str));
    let error = Error::not_found(format!("the database has no table or view \"{name}\".{near}"));
    match names.is_empty() {
        true => error.next("the database user sees no tables at all: grant it SELECT"),
        false => error.next(format!("there are {}", list(names.iter().map(String::as_str)))),
    }
}

/// Returns why bytes are not read, and what to do.
pub(super) fn unfit(what: &str) -> Kind {
    Kind::Unfit(format!("it is {what}, which no other replica can hold"))
}
