//! What both sides last agreed on: immutable segments, a small delta, and a pointer.
//!
//! A version names its segments and holds the whole delta since they were made, so that reading one takes no other.

use lockstep_engine::value::Row;

use super::codec::{self, after_prefix, count, parse, stored};
use super::fold::{self, Segment};
use super::segment::Packed;
use super::{Conn, Store};
use crate::error::{Error, Result};

/// Ends a dataset's name in the names of its spokes' bases; no dataset has it in its name.
pub(super) const OF: char = '\u{1f}';

/// Returns the name of a base: the dataset's for a pair, whose spoke has no name, else that of the dataset's spoke.
pub(crate) fn base_name(dataset: &str, spoke: &str) -> String {
    match spoke {
        "" => dataset.to_owned(),
        spoke => format!("{dataset}{OF}{spoke}"),
    }
}

/// Returns the names of all bases that a dataset has.
pub(super) async fn names(conn: &mut Conn, dataset: &str) -> Result<Vec<String>> {
    let spokes = format!("{dataset}{OF}");
    Ok(sqlx::query_scalar(
        "SELECT dataset FROM base_heads WHERE dataset = $1 OR (dataset >= $2 AND dataset < $3)",
    )
    .bind(dataset)
    .bind(&spokes)
    .bind(after_prefix(&spokes))
    .fetch_all(conn)
    .await?)
}

/// What both sides last agreed on, at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// The version, from 1.
    pub(crate) version: u64,
    /// The names of the columns that rows are aligned with.
    pub(crate) columns: Vec<String>,
    /// The rows, sorted by key.
    pub(crate) rows: Vec<Row>,
}

impl Store {
    /// Returns the current version of a base, by its [`base_name`]; `None` before the first run.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    pub(crate) async fn base(&self, dataset: &str) -> Result<Option<Base>> {
        let mut tx = self.read().await?;
        let found = match head(&mut tx, dataset).await? {
            Some(version) => stored_at(&mut tx, dataset, version).await?,
            None => None,
        };
        drop(tx);
        read(found).await
    }

    /// Returns the current version of a base without expanding its rows; `None` before the first run.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn packed_base(&self, dataset: &str) -> Result<Option<PackedBase>> {
        let mut tx = self.read().await?;
        match head(&mut tx, dataset).await? {
            Some(version) => stored_at(&mut tx, dataset, version).await,
            None => Ok(None),
        }
    }

    /// Returns the version of a base that a run made; `None` if it did not move it, or retention dropped it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn base_made_by(&self, base: &str, run: &str) -> Result<Option<u64>> {
        let found: Option<i64> =
            sqlx::query_scalar("SELECT version FROM base_versions WHERE dataset = $1 AND run = $2")
                .bind(base)
                .bind(run)
                .fetch_optional(&self.reads)
                .await?;
        found.map(count).transpose()
    }

    /// Returns a version of a base, while retention keeps it.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    pub(crate) async fn base_at(&self, dataset: &str, version: u64) -> Result<Option<Base>> {
        let mut tx = self.read().await?;
        let found = stored_at(&mut tx, dataset, stored(version)?).await?;
        drop(tx);
        read(found).await
    }
}

/// A version as it is stored: its rows are expanded one segment at a time.
#[derive(Debug)]
pub(crate) struct PackedBase {
    /// The version, from 1.
    pub(crate) version: u64,
    /// The names of the columns that rows are aligned with.
    pub(crate) columns: Vec<String>,
    delta: Packed,
    segments: Vec<Segment>,
}

impl PackedBase {
    /// Calls something for each row, by key; keeps a processor busy.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    pub(crate) fn each(&self, mut row: impl FnMut(Row)) -> Result<()> {
        fold::walk(&self.segments, fold::unpack_delta(&self.delta)?, &mut row)
    }
}

/// Returns the current version.
pub(super) async fn head(conn: &mut Conn, dataset: &str) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar("SELECT version FROM base_heads WHERE dataset = $1")
        .bind(dataset)
        .fetch_optional(conn)
        .await?)
}

async fn stored_at(conn: &mut Conn, dataset: &str, version: i64) -> Result<Option<PackedBase>> {
    let Some((columns, delta)) = version_of(conn, dataset, version).await? else {
        return Ok(None);
    };
    let segments = segments(conn, dataset, version).await?;
    Ok(Some(PackedBase { version: count(version)?, columns, delta, segments }))
}

async fn read(found: Option<PackedBase>) -> Result<Option<Base>> {
    let Some(packed) = found else { return Ok(None) };
    work(move || {
        let mut rows = Vec::new();
        packed.each(|row| rows.push(row))?;
        Ok(Some(Base { version: packed.version, columns: packed.columns, rows }))
    })
    .await
}

/// Reads the columns and the delta of a version.
pub(super) async fn version_of(
    conn: &mut Conn,
    dataset: &str,
    version: i64,
) -> Result<Option<(Vec<String>, Packed)>> {
    let found: Option<(String, Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT columns, delta_digest, delta FROM base_versions WHERE dataset = $1 AND version = $2",
    )
    .bind(dataset)
    .bind(version)
    .fetch_optional(conn)
    .await?;
    let read =
        |(columns, digest, data): (String, _, _)| Ok((parse(&columns)?, Packed { digest, data }));
    found.map(read).transpose()
}

/// Reads the segments of a version, by key.
pub(super) async fn segments(conn: &mut Conn, dataset: &str, version: i64) -> Result<Vec<Segment>> {
    type Found = (i64, Vec<u8>, Vec<u8>, Vec<u8>);
    let found: Vec<Found> = sqlx::query_as(
        "SELECT s.id, s.last_key, s.digest, s.data
         FROM base_parts p JOIN base_segments s ON s.id = p.segment
         WHERE p.dataset = $1 AND p.version = $2 ORDER BY p.position",
    )
    .bind(dataset)
    .bind(version)
    .fetch_all(conn)
    .await?;
    let read = |(id, last, digest, data): (i64, Vec<u8>, _, _)| {
        Ok(Segment { id, last: codec::row(&last)?, packed: Packed { digest, data } })
    };
    found.into_iter().map(read).collect()
}

/// Does work that keeps a processor busy, where it holds nobody up.
pub(super) async fn work<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("reading or packing rows failed").with_source(error))?
}
