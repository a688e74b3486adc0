//! What the last run saw of the members of a dataset, so that the next one need not read what did not change.
//!
//! It is a help, never a truth: it is dropped in the transaction that begins a run's journal, by `forget`, by retention
//! and by a restore, and a dataset without it is read whole.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lockstep_engine::key::Key;
use lockstep_engine::value::Row;
use serde_json::Value as Json;

use super::base::work;
use super::codec::{json, key_of, micros, parse};
use super::fold::{Delta, pack_delta, unpack_delta};
use super::lease::{self, Lease};
use super::segment::Packed;
use super::{Conn, Store};
use crate::error::Result;

/// What was seen of one member.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// What it is about, and what proves that it still holds; opaque here, and without rows.
    pub(crate) about: Json,
    /// The rows that are not as what it is compared with has them; `None` for those that it does not have.
    pub(crate) apart: BTreeMap<Key, Option<Row>>,
}

impl Store {
    /// Keeps what was seen of the members of the lease's dataset; all that was kept before is gone.
    ///
    /// # Errors
    /// [`Kind::Changed`](crate::error::Kind::Changed) when the lease is no longer current.
    pub(crate) async fn keep_seen(
        &self,
        lease: &Lease,
        seen: Vec<(String, Seen)>,
        now: Timestamp,
    ) -> Result<()> {
        let pack = |(member, seen): (String, Seen)| {
            let apart = seen.apart.into_iter();
            let delta: Delta = apart.map(|(key, row)| (key.as_values().into(), row)).collect();
            Ok((member, json(&seen.about)?, pack_delta(&delta)?))
        };
        let packed: Vec<(String, String, Packed)> =
            work(move || seen.into_iter().map(pack).collect()).await?;
        let mut tx = self.write_of(&lease.dataset).await?;
        lease::check(&mut tx, lease).await?;
        drop_seen(&mut tx, &lease.dataset).await?;
        for (member, about, packed) in packed {
            let Packed { digest, data } = tx.seal.packed(("digest", "data"), packed)?;
            sqlx::query(
                "INSERT INTO seen (dataset, member, at, about, digest, data)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(&lease.dataset)
            .bind(member)
            .bind(micros(now))
            .bind(tx.seal.text("about", about)?)
            .bind(digest)
            .bind(data)
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Returns what was seen of the members of a dataset, by name.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    pub(crate) async fn seen(&self, dataset: &str) -> Result<BTreeMap<String, Seen>> {
        type Found = (String, String, Vec<u8>, Vec<u8>);
        let found: Vec<Found> =
            sqlx::query_as("SELECT member, about, digest, data FROM seen WHERE dataset = $1")
                .bind(dataset)
                .fetch_all(&self.reads)
                .await?;
        let read = |(member, about, digest, data): Found| {
            let delta = unpack_delta(&Packed { digest, data })?;
            let apart = delta.into_iter().map(|(values, row)| (key_of(&values), row)).collect();
            Ok((member, Seen { about: parse(&about)?, apart }))
        };
        work(move || found.into_iter().map(read).collect()).await
    }
}

/// The most batches that are looked through for one that went to the place of what was seen.
const MOST: i64 = 1_000;

impl Store {
    /// Returns a number that every run which begins from now on, or is under way, comes after.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn mark(&self) -> Result<i64> {
        Ok(sqlx::query_scalar(
            "SELECT COALESCE((SELECT MIN(number) - 1 FROM runs WHERE state = 'applying'), MAX(number), 0)
             FROM runs",
        )
        .fetch_one(&self.reads)
        .await?)
    }

    /// Returns where runs of other datasets that came after a mark wrote; `None` if these are too many to tell.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn places_since(&self, dataset: &str, mark: i64) -> Result<Option<Vec<Json>>> {
        let found: Vec<String> = sqlx::query_scalar(
            "SELECT b.place FROM batches b JOIN runs r ON r.number = b.run
             WHERE r.number > $1 AND r.dataset <> $2 LIMIT $3",
        )
        .bind(mark)
        .bind(dataset)
        .bind(MOST + 1)
        .fetch_all(&self.reads)
        .await?;
        if found.len() as i64 > MOST {
            return Ok(None);
        }
        found.iter().map(|place| parse(place)).collect::<Result<_>>().map(Some)
    }
}

/// Drops what was seen of a dataset.
pub(super) async fn drop_seen(conn: &mut Conn, dataset: &str) -> Result<()> {
    sqlx::query("DELETE FROM seen WHERE dataset = $1").bind(dataset).execute(conn).await?;
    Ok(())
}
