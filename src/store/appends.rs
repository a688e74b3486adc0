//! Which appends were made, by the keys that their callers gave them.

use jiff::{SignedDuration, Timestamp};

use super::Store;
use super::codec::micros;
use crate::error::Result;

/// How long an append is remembered.
const KEEP: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Store {
    /// Returns the digest of the rows that were appended to a spreadsheet under a name in the last seven days.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn appended(
        &self,
        spreadsheet: &str,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<String>> {
        let since = micros(now).saturating_sub(micros_of(KEEP));
        Ok(sqlx::query_scalar(
            "SELECT rows FROM appends WHERE spreadsheet = $1 AND name = $2 AND at > $3",
        )
        .bind(spreadsheet)
        .bind(name)
        .bind(since)
        .fetch_optional(&self.reads)
        .await?)
    }

    /// Remembers an append for seven days, and forgets older ones.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn remember_append(
        &self,
        spreadsheet: &str,
        name: &str,
        rows: &str,
        now: Timestamp,
    ) -> Result<()> {
        let now = micros(now);
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM appends WHERE at <= $1")
            .bind(now.saturating_sub(micros_of(KEEP)))
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO appends (spreadsheet, name, rows, at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (spreadsheet, name) DO UPDATE SET rows = excluded.rows, at = excluded.at",
        )
        .bind(spreadsheet)
        .bind(name)
        .bind(tx.seal.text("rows", rows)?)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

fn micros_of(span: SignedDuration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
