//! Which servers of a shared store watch, so that each can take its part of the datasets.

use jiff::{SignedDuration, Timestamp};

use super::Store;
use super::codec::{micros, time};
use crate::error::Result;

/// What the name begins with under which a server is present, among the leases; no dataset has these characters in its name.
const SERVER: &str = "\u{1f}server\u{1f}";

impl Store {
    /// Says that a server watches, for as long as `ttl`; returns all that do, its own name among them, and since when.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn attend(
        &self,
        holder: &str,
        now: Timestamp,
        ttl: SignedDuration,
    ) -> Result<Vec<(String, Timestamp)>> {
        let mut tx = self.write_of(SERVER).await?;
        sqlx::query("DELETE FROM leases WHERE substr(dataset, 1, 8) = $1 AND until <= $2")
            .bind(SERVER)
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            // What is a fence of other leases is here since when.
            "INSERT INTO leases (dataset, holder, fence, until) VALUES ($1, $2, $3, $4)
             ON CONFLICT (dataset) DO UPDATE SET until = excluded.until",
        )
        .bind(format!("{SERVER}{holder}"))
        .bind(holder)
        .bind(micros(now))
        .bind(micros(now).saturating_add(i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX)))
        .execute(&mut *tx)
        .await?;
        let found: Vec<(String, i64)> =
            sqlx::query_as("SELECT holder, fence FROM leases WHERE substr(dataset, 1, 8) = $1")
                .bind(SERVER)
                .fetch_all(&mut *tx)
                .await?;
        tx.commit().await?;
        found.into_iter().map(|(name, since)| Ok((name, time(since)?))).collect()
    }

    /// Says that a server does not watch any more.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn depart(&self, holder: &str) -> Result<()> {
        let mut tx = self.write_of(SERVER).await?;
        sqlx::query("DELETE FROM leases WHERE dataset = $1")
            .bind(format!("{SERVER}{holder}"))
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}
