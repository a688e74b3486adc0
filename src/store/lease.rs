//! Who may run a dataset, until when, under which fencing number.
//!
//! A fence is given once and grows: what a holder does with an old one is refused, however late it wakes up.

use jiff::{SignedDuration, Timestamp};

use super::codec::{count, micros, stored, time};
use super::{Conn, Store};
use crate::error::{Error, Kind, Result};

/// What the name of the right to watch a dataset begins with; no dataset has these characters in its name.
pub(crate) const WATCH: &str = "\u{1f}watch\u{1f}";

/// The right to run a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// The dataset.
    pub(crate) dataset: String,
    /// Who holds it, in words for others.
    pub(crate) holder: String,
    /// The number that every write under it is checked against.
    pub(crate) fence: u64,
    /// Until when nobody else gets it.
    pub(crate) until: Timestamp,
}

/// What came of asking for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// It is the caller's now.
    Held(Lease),
    /// Somebody has it, be it under the caller's own name.
    Busy {
        /// Who.
        holder: String,
        /// Until when, unless it is renewed.
        until: Timestamp,
    },
}

impl Store {
    /// Asks for the lease of a dataset; one that expired is taken over, with a higher fence.
    ///
    /// # Errors
    /// A blank holder, or a time to live that is not positive.
    pub(crate) async fn acquire(
        &self,
        dataset: &str,
        holder: &str,
        now: Timestamp,
        ttl: SignedDuration,
    ) -> Result<Acquired> {
        if holder.trim().is_empty() {
            return Err(Error::invalid("a lease needs the name of its holder"));
        }
        let until = end(now, ttl)?;
        let mut tx = self.write_of(dataset).await?;
        let found = find(&mut tx, dataset).await?;
        if let Some((Some(other), _, other_until)) = &found
            && *other_until > micros(now)
        {
            return Ok(Acquired::Busy { holder: other.clone(), until: time(*other_until)? });
        }
        let fence = found.map_or(0, |(_, fence, _)| fence) + 1;
        sqlx::query(
            "INSERT INTO leases (dataset, holder, fence, until) VALUES ($1, $2, $3, $4)
             ON CONFLICT (dataset) DO UPDATE SET holder = excluded.holder,
                 fence = excluded.fence, until = excluded.until",
        )
        .bind(dataset)
        .bind(holder)
        .bind(fence)
        .bind(micros(until))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Acquired::Held(Lease {
            dataset: dataset.to_owned(),
            holder: holder.to_owned(),
            fence: count(fence)?,
            until: time(micros(until))?,
        }))
    }

    /// Moves the end of a lease; also of one that expired, as long as nobody took it over.
    ///
    /// # Errors
    /// [`Kind::Changed`] when it was taken over or released.
    pub(crate) async fn renew(
        &self,
        lease: &Lease,
        now: Timestamp,
        ttl: SignedDuration,
    ) -> Result<Lease> {
        let until = end(now, ttl)?;
        let mut tx = self.write_of(&lease.dataset).await?;
        check(&mut tx, lease).await?;
        sqlx::query("UPDATE leases SET until = $1 WHERE dataset = $2")
            .bind(micros(until))
            .bind(&lease.dataset)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Lease { until: time(micros(until))?, ..lease.clone() })
    }

    /// Gives a lease back; does nothing when it was taken over.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn release(&self, lease: &Lease) -> Result<()> {
        let mut tx = self.write_of(&lease.dataset).await?;
        sqlx::query(
            "UPDATE leases SET holder = NULL, until = 0
             WHERE dataset = $1 AND holder = $2 AND fence = $3",
        )
        .bind(&lease.dataset)
        .bind(&lease.holder)
        .bind(stored(lease.fence)?)
        .execute(&mut *tx)
        .await?;
        if lease.dataset.starts_with(WATCH) {
            // Those who would watch instead need not wait until they ask again.
            self.notify(&mut tx, lease.dataset.trim_start_matches(WATCH)).await?;
        }
        Ok(tx.commit().await?)
    }
}

fn end(now: Timestamp, ttl: SignedDuration) -> Result<Timestamp> {
    if !ttl.is_positive() {
        return Err(Error::invalid("a lease must last longer than nothing"));
    }
    now.checked_add(ttl)
        .map_err(|error| Error::invalid("a lease cannot last so long").with_source(error))
}

type Found = (Option<String>, i64, i64);

async fn find(conn: &mut Conn, dataset: &str) -> Result<Option<Found>> {
    Ok(sqlx::query_as("SELECT holder, fence, until FROM leases WHERE dataset = $1")
        .bind(dataset)
        .fetch_optional(conn)
        .await?)
}

/// Makes sure, within a write transaction, that a lease is the current one of its dataset.
///
/// # Errors
/// [`Kind::Changed`] when it is not: whatever its holder still wants to write is refused.
pub(super) async fn check(conn: &mut Conn, lease: &Lease) -> Result<()> {
    let found = find(conn, &lease.dataset).await?;
    let now = match found {
        Some((Some(holder), fence, _)) if fence == stored(lease.fence)? => {
            if holder == lease.holder {
                return Ok(());
            }
            format!("{holder} has it")
        }
        Some((Some(holder), _, _)) => format!("{holder} took it over"),
        Some((None, _, _)) | None => "it was given back".to_owned(),
    };
    Err(Error::new(
        Kind::Changed,
        format!(
            "the lease of the dataset '{}' is no longer held by {}: {now}; nothing was stored",
            lease.dataset, lease.holder
        ),
    )
    .next("run the sync again: it begins with what was left open"))
}
