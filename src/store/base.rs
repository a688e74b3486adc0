//! What both sides last agreed on: immutable segments, a small delta, and a pointer.
//!
//! A version names its segments and holds the whole delta since they were made, so that reading one takes no other.
//! It is moved by [`Store::finish`](super::Store::finish) alone.

use jiff::Timestamp;
use lockstep_engine::reconcile::BaseChange;
use lockstep_engine::value::Row;

use super::codec::{self, count, damaged, json, micros, parse, stored};
use super::fold::{self, Delta, Part, Segment};
use super::segment::{Packed, TARGET};
use super::{Conn, Store};
use crate::error::{Error, Result};

/// A delta is folded above this share of the segments' rows ...
const DELTA_SHARE: u64 = 10;

/// ... or above this many rows.
const DELTA_ROWS: u64 = 10_000;

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

/// A move of base to its next version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Advance<'a> {
    /// The dataset.
    pub(super) dataset: &'a str,
    /// The run that moves it.
    pub(super) run: &'a str,
    /// When.
    pub(super) at: Timestamp,
    /// The columns that the moves, and the new version, are aligned with.
    pub(super) columns: &'a [String],
    /// The moves.
    pub(super) moves: &'a [BaseChange],
}

impl Store {
    /// Returns the current base of a dataset; `None` before the first run.
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

/// A version as it is stored.
#[derive(Debug)]
struct Stored {
    version: u64,
    columns: Vec<String>,
    delta: Packed,
    segments: Vec<Segment>,
}

/// Returns the current version.
pub(super) async fn head(conn: &mut Conn, dataset: &str) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar("SELECT version FROM base_heads WHERE dataset = $1")
        .bind(dataset)
        .fetch_optional(conn)
        .await?)
}

async fn stored_at(conn: &mut Conn, dataset: &str, version: i64) -> Result<Option<Stored>> {
    let Some((columns, delta)) = version_of(conn, dataset, version).await? else {
        return Ok(None);
    };
    let segments = segments(conn, dataset, version).await?;
    Ok(Some(Stored { version: count(version)?, columns, delta, segments }))
}

async fn read(found: Option<Stored>) -> Result<Option<Base>> {
    let Some(Stored { version, columns, delta, segments }) = found else { return Ok(None) };
    let rows = work(move || fold::assemble(&segments, fold::unpack_delta(&delta)?)).await?;
    Ok(Some(Base { version, columns, rows }))
}

async fn version_of(
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

/// Makes the next version and points at it; returns `None` when nothing moves.
pub(super) async fn advance(conn: &mut Conn, to: &Advance<'_>) -> Result<Option<u64>> {
    let current = head(conn, to.dataset).await?;
    let (columns, packed) = match current {
        Some(version) => version_of(conn, to.dataset, version)
            .await?
            .map(|(columns, delta)| (columns, Some(delta)))
            .ok_or_else(|| damaged("the current version of a base is missing"))?,
        None => (to.columns.to_vec(), None),
    };
    let alignment = (columns != to.columns).then(|| fold::alignment(&columns, to.columns));
    if to.moves.is_empty() && alignment.is_none() {
        return Ok(None);
    }
    let mut delta = packed.as_ref().map(fold::unpack_delta).transpose()?.unwrap_or_default();
    if let Some(alignment) = &alignment {
        for row in delta.values_mut().flatten() {
            *row = fold::align(row, alignment);
        }
    }
    for change in to.moves {
        delta.insert(change.key.as_values().into(), change.after.clone());
    }
    let (version, next) = (current.unwrap_or(0), current.unwrap_or(0) + 1);
    let entries: i64 = sqlx::query_scalar(
        "SELECT COALESCE(SUM(s.entries), 0) FROM base_parts p
         JOIN base_segments s ON s.id = p.segment WHERE p.dataset = $1 AND p.version = $2",
    )
    .bind(to.dataset)
    .bind(version)
    .fetch_one(&mut *conn)
    .await?;
    let room = (count(entries)? / DELTA_SHARE).min(DELTA_ROWS);
    if alignment.is_none() && delta.len() as u64 <= room {
        insert_version(conn, to, next, &delta).await?;
        sqlx::query(
            "INSERT INTO base_parts (dataset, version, position, segment)
             SELECT dataset, $1, position, segment FROM base_parts
             WHERE dataset = $2 AND version = $3",
        )
        .bind(next)
        .bind(to.dataset)
        .bind(version)
        .execute(&mut *conn)
        .await?;
    } else {
        let segments = segments(conn, to.dataset, version).await?;
        let parts = work(move || fold::fold(&segments, delta, alignment.as_ref(), TARGET)).await?;
        insert_version(conn, to, next, &Delta::new()).await?;
        insert_parts(conn, to.dataset, next, parts).await?;
    }
    sqlx::query(
        "INSERT INTO base_heads (dataset, version) VALUES ($1, $2)
         ON CONFLICT (dataset) DO UPDATE SET version = excluded.version",
    )
    .bind(to.dataset)
    .bind(next)
    .execute(conn)
    .await?;
    count(next).map(Some)
}

async fn insert_version(
    conn: &mut Conn,
    to: &Advance<'_>,
    version: i64,
    delta: &Delta,
) -> Result<()> {
    let delta = fold::pack_delta(delta)?;
    sqlx::query(
        "INSERT INTO base_versions (dataset, version, run, created, columns, delta_digest, delta)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(to.dataset)
    .bind(version)
    .bind(to.run)
    .bind(micros(to.at))
    .bind(json(&to.columns)?)
    .bind(delta.digest)
    .bind(delta.data)
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_parts(
    conn: &mut Conn,
    dataset: &str,
    version: i64,
    parts: Vec<Part>,
) -> Result<()> {
    for (position, part) in (0i64..).zip(parts) {
        let segment = match part {
            Part::Kept(id) => id,
            Part::New(built) => {
                sqlx::query_scalar(
                    "INSERT INTO base_segments (entries, last_key, digest, data)
                     VALUES ($1, $2, $3, $4) RETURNING id",
                )
                .bind(stored(built.entries)?)
                .bind(codec::bytes(&built.last))
                .bind(built.packed.digest)
                .bind(built.packed.data)
                .fetch_one(&mut *conn)
                .await?
            }
        };
        sqlx::query(
            "INSERT INTO base_parts (dataset, version, position, segment) VALUES ($1, $2, $3, $4)",
        )
        .bind(dataset)
        .bind(version)
        .bind(position)
        .bind(segment)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
