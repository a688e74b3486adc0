//! Trying events: claimed under the dataset's lease, and settled by what came of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::codec::{count, json, micros, stored, time};
use super::events::{COLUMNS, Event, EventRow, Step, list, remove};
use super::lease::{self, Lease};
use super::{Conn, ROWS_PER_INSERT, Store, letters};
use crate::error::Result;

/// What becomes of an event after a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was applied, or nothing was left to do.
    Done,
    /// Others are to blame: it waits.
    Wait {
        /// Until when.
        due: Timestamp,
        /// Why.
        why: String,
    },
    /// It failed by itself, and is tried again.
    Again {
        /// When.
        due: Timestamp,
        /// Why it failed.
        why: String,
    },
    /// It is given up.
    Dead {
        /// Why it failed last.
        why: String,
    },
}

/// How much waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Depth {
    /// Events.
    pub(crate) events: u64,
    /// When the oldest of them was detected.
    pub(crate) oldest: Option<Timestamp>,
    /// When the next event of each member is due.
    pub(crate) due: BTreeMap<String, Timestamp>,
    /// Dead letters that nobody dropped.
    pub(crate) dead: u64,
}

impl Store {
    /// Claims the events that are due, the oldest first, of the members that can be reached.
    ///
    /// An event of which an earlier claim was never settled says so in its story.
    ///
    /// # Errors
    /// [`crate::error::Kind::Changed`] when the lease is no longer current.
    pub(crate) async fn claim_events(
        &self,
        lease: &Lease,
        without: &BTreeSet<String>,
        limit: u64,
        now: Timestamp,
    ) -> Result<Vec<Event>> {
        let mut tx = self.write_of(&lease.dataset).await?;
        lease::check(&mut tx, lease).await?;
        let mut query = super::Statement::new("SELECT ");
        query.push(COLUMNS).push(", fence AS mark FROM events WHERE dataset = ");
        query.push_bind(lease.dataset.clone()).push(" AND due <= ").push_bind(micros(now));
        for member in without {
            query.push(" AND member <> ").push_bind(member.clone());
        }
        query.push(" ORDER BY number LIMIT ").push_bind(stored(limit)?);
        if self.is_shared() {
            // What another transaction has in its hands is claimed later.
            query.push(" FOR UPDATE SKIP LOCKED");
        }
        let found: Vec<EventRow> = query.build_query_as().fetch_all(&mut *tx).await?;
        let fence = stored(lease.fence)?;
        let (mut events, mut numbers) = (Vec::with_capacity(found.len()), Vec::new());
        for row in found {
            let before = row.mark;
            let mut event = row.read()?;
            if before.is_some_and(|before| before < fence) {
                let what = "the process that tried it ended before it could say what came of it";
                event.add(Step { at: now, what: what.into() });
                put_story(&mut tx, &event).await?;
            }
            numbers.push(stored(event.number)?);
            events.push(event);
        }
        for chunk in numbers.chunks(ROWS_PER_INSERT) {
            let mut query = super::Statement::new("UPDATE events SET fence = ");
            query.push_bind(fence).push(" WHERE number IN (");
            list(&mut query, chunk);
            query.build().execute(&mut *tx).await?;
        }
        if !events.is_empty() {
            tx.commit().await?;
        }
        Ok(events)
    }

    /// Keeps what came of claimed events.
    ///
    /// # Errors
    /// [`crate::error::Kind::Changed`] when the lease is no longer current.
    pub(crate) async fn settle_events(
        &self,
        lease: &Lease,
        verdicts: Vec<(Event, Verdict)>,
        now: Timestamp,
    ) -> Result<()> {
        if verdicts.is_empty() {
            return Ok(());
        }
        let mut tx = self.write_of(&lease.dataset).await?;
        lease::check(&mut tx, lease).await?;
        let mut gone = Vec::new();
        for (mut event, verdict) in verdicts {
            let number = stored(event.number)?;
            let (due, why) = match verdict {
                Verdict::Done => {
                    gone.push(number);
                    continue;
                }
                Verdict::Dead { why } => {
                    event.attempts += 1;
                    event.add(Step { at: now, what: why });
                    letters::bury(&mut tx, &lease.dataset, &event, now).await?;
                    gone.push(number);
                    continue;
                }
                Verdict::Wait { due, why } => (due, why),
                Verdict::Again { due, why } => {
                    event.attempts += 1;
                    (due, why)
                }
            };
            event.add(Step { at: now, what: why });
            sqlx::query(
                "UPDATE events SET due = $1, attempts = $2, story = $3, fence = NULL WHERE number = $4",
            )
            .bind(micros(due))
            .bind(stored(event.attempts)?)
            .bind(tx.seal.text("story", json(&event.story)?)?)
            .bind(number)
            .execute(&mut *tx)
            .await?;
        }
        remove(&mut tx, "events", &gone).await?;
        Ok(tx.commit().await?)
    }

    /// Returns how much of a dataset waits.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn depth(&self, dataset: &str) -> Result<Depth> {
        let found: Vec<(String, i64, i64, i64)> = sqlx::query_as(
            "SELECT member, COUNT(*), MIN(detected), MIN(due) FROM events
             WHERE dataset = $1 GROUP BY member",
        )
        .bind(dataset)
        .fetch_all(&self.reads)
        .await?;
        let dead: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM dead_letters WHERE dataset = $1 AND dropped = 0",
        )
        .bind(dataset)
        .fetch_one(&self.reads)
        .await?;
        let mut depth = Depth { dead: count(dead)?, ..Depth::default() };
        for (member, events, oldest, due) in found {
            let oldest = time(oldest)?;
            depth.events += count(events)?;
            depth.oldest = Some(depth.oldest.map_or(oldest, |before| before.min(oldest)));
            depth.due.insert(member, time(due)?);
        }
        Ok(depth)
    }
}

async fn put_story(conn: &mut Conn, event: &Event) -> Result<()> {
    sqlx::query("UPDATE events SET story = $1 WHERE number = $2")
        .bind(conn.seal.text("story", json(&event.story)?)?)
        .bind(stored(event.number)?)
        .execute(conn)
        .await?;
    Ok(())
}
