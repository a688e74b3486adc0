//! Comparing tables where they are: checksums of segments of the keys, and reading single segments or a sample.
//!
//! A key's segment is the first 12 bits of the MD5 of its text; a segment's checksum is the number of its rows and the
//! sums of two parts of the MD5 of each row's text, so that the order of rows does not matter. MD5 because every
//! PostgreSQL has it and computes the same. Rows whose texts are equal are equal, since both columns are of one type;
//! where texts differ the rows are read and compared by value.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Engine,
    catalog::Table,
    column::{ColumnInfo, Kind},
    failure,
    name::{TableName, quote},
    scan::{Ask, Part, scan},
    session::{Bind, Session},
};
use crate::{
    error::{Error, Result},
    replica::{
        reach::Reach,
        scan::{Role, Scan},
    },
};

/// How many segments there are.
pub(crate) const SEGMENTS: usize = 1 << 12;

/// From how many rows on a comparison is pushed down: below, reading is as fast.
pub(crate) const LARGE: u64 = 20_000;

/// A table of a PostgreSQL database, ready to be asked for checksums.
#[derive(Debug)]
pub(crate) struct Segmented {
    connection: String,
    table: String,
    columns: Vec<ColumnInfo>,
    name: TableName,
    /// How many rows it has.
    pub(crate) rows: u64,
}

/// The checksums of the segments that have rows.
pub(crate) type Sums = BTreeMap<u32, (u64, String)>;

impl Segmented {
    /// Opens a table; `None` where it is not PostgreSQL's, or so small that reading it is as fast.
    ///
    /// # Errors
    /// What is not there or not allowed, and a connection that is lost.
    pub(crate) async fn open(reach: &Reach, connection: &str, table: &str) -> Result<Option<Self>> {
        let database = reach.connections.database(connection)?;
        if database.engine != Engine::Postgres {
            return Ok(None);
        }
        let name = TableName::read(table)?;
        database.check_table(&name)?;
        let mut session = database.pool().await?.read().await?;
        let opened = open(&mut session, &name).await;
        session.rollback().await;
        let (columns, rows) = opened.map_err(|error| error.context(database.place()))?;
        let (connection, table) = (connection.to_owned(), table.to_owned());
        Ok((rows >= LARGE).then_some(Self { connection, table, columns, name, rows }))
    }

    /// Returns the names of the columns that can be read.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// Returns whether columns are of the same types here and there, and the keys' texts say what they are.
    pub(crate) fn agrees(&self, own: &[&str], other: &Self, theirs: &[&str], keys: usize) -> bool {
        let find = |table: &Self, name: &str| {
            table.columns.iter().find(|column| column.name == name).cloned()
        };
        let pairs = own.iter().zip(theirs).enumerate();
        own.len() == theirs.len()
            && pairs.into_iter().all(|(at, (one, two))| {
                let (Some(one), Some(two)) = (find(self, one), find(other, two)) else {
                    return false;
                };
                // 1.0 and 1.00 are one key, and have two texts.
                let plain = at >= keys || one.kind != Kind::Number || one.cast.contains("int");
                one.kind == two.kind && one.cast == two.cast && plain
            })
    }

    /// Returns the checksums; `columns` begin with the key's.
    ///
    /// # Errors
    /// A connection that is lost.
    pub(crate) async fn sums(&self, reach: &Reach, columns: &[&str], keys: usize) -> Result<Sums> {
        let row: Vec<String> = columns.iter().map(|name| quote(Engine::Postgres, name)).collect();
        let sql = format!(
            "SELECT b::text, count(*)::text,
                 sum(('x' || substr(d, 1, 8))::bit(32)::bigint) || '.' ||
                 sum(('x' || substr(d, 9, 8))::bit(32)::bigint)
             FROM (SELECT {} AS b, md5(ROW({})::text) AS d FROM {}) rows GROUP BY b",
            bucket(&self.key(columns, keys)),
            row.join(", "),
            self.name.quoted(Engine::Postgres),
        );
        let odd = || Error::internal("a checksum is not understood");
        let found = self.ask(reach, sql).await?;
        found
            .into_iter()
            .map(|row| match row.as_slice() {
                [Some(bucket), Some(count), Some(sum)] => {
                    let bucket = bucket.parse().map_err(|_| odd())?;
                    Ok((bucket, (count.parse().map_err(|_| odd())?, sum.clone())))
                }
                _ => Err(odd()),
            })
            .collect()
    }

    /// Returns the least digests of keys under a seed, at most `count`.
    ///
    /// # Errors
    /// A connection that is lost.
    pub(crate) async fn draw(
        &self,
        reach: &Reach,
        columns: &[&str],
        keys: usize,
        (seed, count): (u64, usize),
    ) -> Result<BTreeSet<String>> {
        let digest = drawn(&self.key(columns, keys), seed);
        let sql = format!(
            "SELECT DISTINCT {digest} AS d FROM {} ORDER BY d LIMIT {count}",
            self.name.quoted(Engine::Postgres)
        );
        let found = self.ask(reach, sql).await?;
        Ok(found.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }

    /// Reads the rows of some segments.
    ///
    /// # Errors
    /// A connection that is lost.
    pub(crate) async fn segments(
        &self,
        reach: &Reach,
        columns: &[&str],
        keys: usize,
        wanted: &BTreeSet<u32>,
    ) -> Result<Scan> {
        // An empty list is no SQL.
        if wanted.is_empty() {
            return self.scan(reach, "FALSE").await;
        }
        let wanted: Vec<String> = wanted.iter().map(u32::to_string).collect();
        let key = bucket(&self.key(columns, keys));
        self.scan(reach, &format!("{key} IN ({})", wanted.join(", "))).await
    }

    /// Reads the rows whose keys have no greater digest than the last one drawn.
    ///
    /// # Errors
    /// A connection that is lost.
    pub(crate) async fn sample(
        &self,
        reach: &Reach,
        columns: &[&str],
        keys: usize,
        (seed, last): (u64, &str),
    ) -> Result<Scan> {
        let digest = drawn(&self.key(columns, keys), seed);
        let last = last.chars().filter(char::is_ascii_hexdigit).collect::<String>();
        self.scan(reach, &format!("{digest} <= '{last}'")).await
    }

    async fn scan(&self, reach: &Reach, condition: &str) -> Result<Scan> {
        let ask = Ask {
            part: Part::Where(condition),
            ..Ask::new(&self.connection, Some(&self.table), None)
        };
        scan(reach, ask, Role::Source, None).await
    }

    fn key(&self, columns: &[&str], keys: usize) -> String {
        let parts: Vec<String> = columns
            .iter()
            .take(keys)
            .map(|name| format!("btrim({}::text)", quote(Engine::Postgres, name)))
            .collect();
        format!("ROW({})::text", parts.join(", "))
    }

    async fn ask(&self, reach: &Reach, sql: String) -> Result<Vec<Vec<Option<String>>>> {
        let database = reach.connections.database(&self.connection)?;
        let mut session = database.pool().await?.read().await?;
        let found = session.texts(sql, Bind::none()).await;
        session.rollback().await;
        found.map_err(|error| failure::read(&error).context(database.place()))
    }
}

async fn open(session: &mut Session, name: &TableName) -> Result<(Vec<ColumnInfo>, u64)> {
    let table = Table::read(session, name).await?;
    let sql = format!("SELECT count(*)::text FROM {}", table.name.quoted(Engine::Postgres));
    let found = session.texts(sql, Bind::none()).await.map_err(|error| failure::read(&error))?;
    let count = found.into_iter().flatten().flatten().next();
    let rows = count.and_then(|count| count.parse().ok()).unwrap_or(0);
    Ok((table.readable(), rows))
}

fn bucket(key: &str) -> String {
    format!("('x' || substr(md5({key}), 1, 3))::bit(12)::int")
}

fn drawn(key: &str, seed: u64) -> String {
    format!("md5('{seed}:' || {key})")
}
