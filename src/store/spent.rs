//! How much of a quota is used up, without taking of it.

use jiff::{SignedDuration, Timestamp};

use super::Store;
use super::codec::{count, micros};
use crate::error::Result;

impl Store {
    /// Returns how many calls were counted in a bucket during the window that ends now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn quota_spent(
        &self,
        bucket: &str,
        window: SignedDuration,
        now: Timestamp,
    ) -> Result<u64> {
        let (at, width) = (micros(now), i64::try_from(window.as_micros()).unwrap_or(i64::MAX));
        let calls: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM quota_calls WHERE bucket = $1 AND at > $2 AND at <= $3",
        )
        .bind(bucket)
        .bind(at.saturating_sub(width))
        .bind(at)
        .fetch_one(&self.reads)
        .await?;
        count(calls)
    }
}
