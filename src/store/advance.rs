//! Moves a base: to a version with a larger delta, or to one with new segments.
//!
//! Only [`Store::finish`](super::Store::finish) does, in its one transaction.

use jiff::Timestamp;
use lockstep_engine::reconcile::BaseChange;

use super::Conn;
use super::base::{head, segments, version_of, work};
use super::codec::{self, count, damaged, json, micros, stored};
use super::fold::{self, Delta, Part};
use super::segment::TARGET;
use crate::error::Result;

/// A delta is folded above this share of the segments' rows ...
const DELTA_SHARE: u64 = 10;

/// ... or above this many rows.
const DELTA_ROWS: u64 = 10_000;

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
        delta.insert(change.key.row().clone(), change.after.clone());
    }
    let (version, next) = (current.unwrap_or(0), current.unwrap_or(0) + 1);
    let entries: i64 = sqlx::query_scalar(
        "SELECT CAST(COALESCE(SUM(s.entries), 0) AS BIGINT) FROM base_parts p
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
    let delta = conn.seal.packed(("delta_digest", "delta"), fold::pack_delta(delta)?)?;
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
                let packed = conn.seal.packed(("digest", "data"), built.packed)?;
                sqlx::query_scalar(
                    "INSERT INTO base_segments (entries, last_key, digest, data)
                     VALUES ($1, $2, $3, $4) RETURNING id",
                )
                .bind(stored(built.entries)?)
                .bind(conn.seal.bytes("last_key", codec::bytes(&built.last))?)
                .bind(packed.digest)
                .bind(packed.data)
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
