//! Calls of all processes on one store, counted over an exact sliding window.

use jiff::{SignedDuration, Timestamp};

use super::codec::micros;
use super::{Conn, Store};
use crate::error::{Error, Result};

impl Store {
    /// Asks for one call out of `limit` in any `window`; returns how long to wait, or `None` when it was counted.
    ///
    /// The wait is a lower bound: others may be faster, so ask again after it.
    ///
    /// # Errors
    /// A window that is not positive.
    pub(crate) async fn quota_claim(
        &self,
        bucket: &str,
        limit: u32,
        window: SignedDuration,
        now: Timestamp,
    ) -> Result<Option<SignedDuration>> {
        let (at, width) = (micros(now), i64::try_from(window.as_micros()).unwrap_or(i64::MAX));
        if width <= 0 || limit == 0 {
            return Err(Error::invalid("a quota needs a limit and a window above 0"));
        }
        let mut tx = self.write().await?;
        if let Some(until) = closed_until(&mut tx, bucket).await?.filter(|until| *until > at) {
            return Ok(Some(SignedDuration::from_micros(until - at)));
        }
        // What another clock counted in the far future would block the bucket for good.
        sqlx::query("DELETE FROM quota_calls WHERE bucket = $1 AND (at <= $2 OR at > $3)")
            .bind(bucket)
            .bind(at.saturating_sub(width))
            .bind(at.saturating_add(width))
            .execute(&mut *tx)
            .await?;
        // When this call falls out of the window, fewer than `limit` are left in it.
        let blocking: Option<i64> = sqlx::query_scalar(
            "SELECT at FROM quota_calls WHERE bucket = $1 ORDER BY at DESC LIMIT 1 OFFSET $2",
        )
        .bind(bucket)
        .bind(i64::from(limit) - 1)
        .fetch_optional(&mut *tx)
        .await?;
        if blocking.is_none() {
            sqlx::query("INSERT INTO quota_calls (bucket, at) VALUES ($1, $2)")
                .bind(bucket)
                .bind(at)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(blocking.map(|blocking| {
            SignedDuration::from_micros(blocking.saturating_add(width).saturating_sub(at))
        }))
    }

    /// Closes a bucket: nobody gets a call before `until`; a later end stays.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn quota_close(&self, bucket: &str, until: Timestamp) -> Result<()> {
        let mut tx = self.write().await?;
        let until = closed_until(&mut tx, bucket).await?.unwrap_or(i64::MIN).max(micros(until));
        sqlx::query(
            "INSERT INTO quota_closed (bucket, until) VALUES ($1, $2)
             ON CONFLICT (bucket) DO UPDATE SET until = excluded.until",
        )
        .bind(bucket)
        .bind(until)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

async fn closed_until(conn: &mut Conn, bucket: &str) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar("SELECT until FROM quota_closed WHERE bucket = $1")
        .bind(bucket)
        .fetch_optional(conn)
        .await?)
}
