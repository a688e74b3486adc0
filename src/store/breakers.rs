//! Members that could not be reached: their events wait.

use jiff::Timestamp;

use super::Store;
use super::codec::{count, micros, plain, stored, time};
use crate::error::Result;

/// From how many failures in a row on a member counts as down, and not as slow to answer.
pub(super) const OPEN: u64 = 3;

/// A member that is left alone for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Breaker {
    /// The member; blank for the dataset as a whole.
    pub(crate) member: String,
    /// How often in a row it failed.
    pub(crate) failures: u64,
    /// Since when.
    pub(crate) since: Timestamp,
    /// When it is tried again.
    pub(crate) until: Timestamp,
    /// What it said last.
    pub(crate) why: String,
}

impl Breaker {
    /// Returns whether its member counts as down, and not as slow to answer.
    pub(crate) fn is_open(&self) -> bool {
        self.failures >= OPEN
    }
}

impl Store {
    /// Returns the members of a dataset that failed when they were last tried.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn breakers(&self, dataset: &str) -> Result<Vec<Breaker>> {
        let found: Vec<(String, i64, i64, i64, String)> = sqlx::query_as(
            "SELECT member, failures, since, until, why FROM breakers
             WHERE dataset = $1 ORDER BY member",
        )
        .bind(dataset)
        .fetch_all(&self.reads)
        .await?;
        let read = |(member, failures, since, until, why)| {
            let (since, until) = (time(since)?, time(until)?);
            Ok(Breaker { member, failures: count(failures)?, since, until, why })
        };
        found.into_iter().map(read).collect()
    }

    /// Keeps which members of a dataset failed: those that are not named are well.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn put_breakers(&self, dataset: &str, breakers: &[Breaker]) -> Result<()> {
        if self.breakers(dataset).await? == breakers {
            return Ok(());
        }
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM breakers WHERE dataset = $1")
            .bind(dataset)
            .execute(&mut *tx)
            .await?;
        for breaker in breakers {
            sqlx::query(
                "INSERT INTO breakers (dataset, member, failures, since, until, why)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(dataset)
            .bind(&breaker.member)
            .bind(stored(breaker.failures)?)
            .bind(micros(breaker.since))
            .bind(micros(breaker.until))
            .bind(tx.seal.text("why", plain(&breaker.why))?)
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }
}
