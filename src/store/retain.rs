//! Drops what is older than it has to be kept.

use jiff::{SignedDuration, Timestamp};

use super::codec::micros;
use super::{Conn, Store, tasks};
use crate::error::{Error, Result};

/// What retention dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retained {
    /// Closed runs that lost their batches and images; the runs stay in the history.
    pub(crate) runs: u64,
    /// Writes of these runs.
    pub(crate) actions: u64,
    /// Versions of base.
    pub(crate) bases: u64,
    /// Expired plans.
    pub(crate) plans: u64,
    /// Conflicts that ended; open ones always stay.
    pub(crate) conflicts: u64,
}

impl Store {
    /// Drops images of runs closed, and base versions made, longer than `keep` ago, and expired plans.
    ///
    /// An open run and the current base of a dataset always stay, as do runs' lines, tombstones and the audit.
    ///
    /// # Errors
    /// A negative time to keep.
    pub(crate) async fn retain(&self, now: Timestamp, keep: SignedDuration) -> Result<Retained> {
        let before =
            now.checked_sub(keep).ok().filter(|_| !keep.is_negative()).ok_or_else(|| {
                Error::invalid("retention needs a time to keep")
                    .next("give a number of days, such as 90")
            })?;
        let before = micros(before);
        let mut tx = self.write().await?;
        let (runs, actions) = images(&mut tx, before).await?;
        let bases = versions(&mut tx, before).await?;
        let conflicts =
            sqlx::query("DELETE FROM conflicts WHERE closed IS NOT NULL AND closed < $1")
                .bind(before)
                .execute(&mut *tx)
                .await?
                .rows_affected();
        let plans = sqlx::query("DELETE FROM plans WHERE expires <= $1")
            .bind(micros(now))
            .execute(&mut *tx)
            .await?
            .rows_affected();
        sqlx::query("DELETE FROM seen WHERE at < $1").bind(before).execute(&mut *tx).await?;
        tasks::expired(&mut tx, now).await?;
        tx.commit().await?;
        self.shrink().await?;
        Ok(Retained { runs, actions, bases, plans, conflicts })
    }
}

async fn images(conn: &mut Conn, before: i64) -> Result<(u64, u64)> {
    let actions = sqlx::query(
        "DELETE FROM actions WHERE run IN
             (SELECT number FROM runs WHERE state <> 'applying' AND finished < $1)",
    )
    .bind(before)
    .execute(&mut *conn)
    .await?;
    let runs: i64 = sqlx::query_scalar(
        "SELECT COUNT(DISTINCT b.run) FROM batches b JOIN runs r ON r.number = b.run
         WHERE r.state <> 'applying' AND r.finished < $1",
    )
    .bind(before)
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query(
        "DELETE FROM batches WHERE run IN
             (SELECT number FROM runs WHERE state <> 'applying' AND finished < $1)",
    )
    .bind(before)
    .execute(conn)
    .await?;
    Ok((runs.unsigned_abs(), actions.rows_affected()))
}

async fn versions(conn: &mut Conn, before: i64) -> Result<u64> {
    sqlx::query(
        "DELETE FROM base_parts WHERE EXISTS
             (SELECT 1 FROM base_versions v JOIN base_heads h ON h.dataset = v.dataset
              WHERE v.dataset = base_parts.dataset AND v.version = base_parts.version
                  AND v.created < $1 AND v.version <> h.version)",
    )
    .bind(before)
    .execute(&mut *conn)
    .await?;
    let versions = sqlx::query(
        "DELETE FROM base_versions WHERE created < $1 AND EXISTS
             (SELECT 1 FROM base_heads h
              WHERE h.dataset = base_versions.dataset AND h.version <> base_versions.version)",
    )
    .bind(before)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "DELETE FROM base_segments
         WHERE NOT EXISTS (SELECT 1 FROM base_parts p WHERE p.segment = base_segments.id)",
    )
    .execute(conn)
    .await?;
    Ok(versions.rows_affected())
}
