//! Calls from outside that were taken in: a repeat that comes while the first one waits is one call, and none is lost.

use jiff::{SignedDuration, Timestamp};

use super::codec::{count, json, micros, parse, stored};
use super::{ROWS_PER_INSERT, Store};
use crate::error::Result;

/// A call that was taken in and not looked into yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookCall {
    /// Its place.
    pub(crate) number: u64,
    /// The keys that it named, each as the texts of its parts; none for the whole dataset.
    pub(crate) keys: Vec<Vec<String>>,
}

/// The most calls that are looked into at once.
const MOST: i64 = 10_000;

impl Store {
    /// Takes a call in, unless one with the same digest was taken in within the window and waits to be looked into; returns
    /// whether it was.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn take_call(
        &self,
        dataset: &str,
        keys: &[Vec<String>],
        once: Option<(&[u8], SignedDuration)>,
        now: Timestamp,
    ) -> Result<bool> {
        let mut tx = self.write().await?;
        if let Some((digest, window)) = once {
            let now = micros(now);
            sqlx::query("DELETE FROM hook_seen WHERE until < $1")
                .bind(now)
                .execute(&mut *tx)
                .await?;
            let until = now.saturating_add(i64::try_from(window.as_micros()).unwrap_or(i64::MAX));
            let new = sqlx::query(
                "INSERT INTO hook_seen (dataset, digest, until) VALUES ($1, $2, $3)
                 ON CONFLICT (dataset, digest) DO NOTHING",
            )
            .bind(dataset)
            .bind(digest)
            .bind(until)
            .execute(&mut *tx)
            .await?;
            if new.rows_affected() == 0 {
                return Ok(false);
            }
        }
        let waiting: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM hook_calls WHERE dataset = $1")
            .bind(dataset)
            .fetch_one(&mut *tx)
            .await?;
        // More than can be looked into at once become one that is about everything.
        let keys = if waiting < MOST { keys } else { &[] };
        if waiting >= MOST {
            sqlx::query("DELETE FROM hook_calls WHERE dataset = $1")
                .bind(dataset)
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query("INSERT INTO hook_calls (dataset, received, keys) VALUES ($1, $2, $3)")
            .bind(dataset)
            .bind(micros(now))
            .bind(tx.seal.text("keys", json(&keys)?)?)
            .execute(&mut *tx)
            .await?;
        self.notify(&mut tx, dataset).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Returns the calls about a dataset that wait, the oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn calls(&self, dataset: &str) -> Result<Vec<HookCall>> {
        let found: Vec<(i64, String)> = sqlx::query_as(
            "SELECT number, keys FROM hook_calls WHERE dataset = $1 ORDER BY number LIMIT $2",
        )
        .bind(dataset)
        .bind(MOST)
        .fetch_all(&self.reads)
        .await?;
        let read = |(number, keys): (i64, String)| {
            Ok(HookCall { number: count(number)?, keys: parse(&keys)? })
        };
        found.into_iter().map(read).collect()
    }

    /// Returns the datasets about which calls wait.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn called(&self) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar("SELECT DISTINCT dataset FROM hook_calls")
            .fetch_all(&self.reads)
            .await?)
    }

    /// Forgets calls of a dataset that were looked into: an equal one is of another change from now on.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn drop_calls(&self, dataset: &str, numbers: &[u64]) -> Result<()> {
        if numbers.is_empty() {
            return Ok(());
        }
        let mut tx = self.write().await?;
        for chunk in numbers.chunks(ROWS_PER_INSERT) {
            let mut query = super::Statement::new("DELETE FROM hook_calls WHERE number IN (");
            let mut list = query.separated(", ");
            for number in chunk {
                list.push_bind(stored(*number)?);
            }
            query.push(")");
            query.build().execute(&mut *tx).await?;
        }
        sqlx::query("DELETE FROM hook_seen WHERE dataset = $1")
            .bind(dataset)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}
