//! The queue: for each row and member that has to be written one event, until it is written or given up.
//!
//! What is known of a dataset is its base and its queue. An event is noted before base moves, and taken out after: whoever
//! dies in between finds the same difference again, which is the same event. A burst on one key is one event, which keeps its place, so that what happens to a key happens in order. Events are claimed under the
//! dataset's lease: a claim with an older fence is that of a process which is gone.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::ChangeKind;
use serde::{Deserialize, Serialize};

use super::codec::{bytes, count, from_word, json, key, micros, parse, time, word};
use super::lease::{self, Lease};
use super::{Conn, ROWS_PER_INSERT, Store};
use crate::error::Result;

/// What has to be done to one row of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// The member that is to be written.
    pub(crate) member: String,
    /// The row.
    pub(crate) key: Key,
    /// What happened to it.
    pub(crate) kind: ChangeKind,
    /// The columns that changed, by name.
    pub(crate) columns: Vec<String>,
    /// A digest of what it is to become: another one is another event.
    pub(crate) digest: Vec<u8>,
}

/// Something that happened to an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// When.
    pub(crate) at: Timestamp,
    /// What, in words for people.
    pub(crate) what: String,
}

/// How many steps of an event are kept: the first, and the latest.
const STEPS: usize = 12;

/// An event in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its place.
    pub(crate) number: u64,
    /// What has to be done.
    pub(crate) work: Work,
    /// How many changes became one.
    pub(crate) coalesced: u64,
    /// When the first of them was detected.
    pub(crate) detected: Timestamp,
    /// How often it failed by itself.
    pub(crate) attempts: u64,
    /// What happened so far.
    pub(crate) story: Vec<Step>,
}

impl Event {
    /// Adds a step to the story; of many the first and the latest are kept.
    pub(super) fn add(&mut self, step: Step) {
        if self.story.last().is_some_and(|last| last.what == step.what) {
            self.story.pop();
        }
        if self.story.len() >= STEPS {
            self.story.remove(1);
        }
        self.story.push(step);
    }
}

/// What came of comparing the queue with what has to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Noted {
    /// Events that are new.
    pub(crate) new: u64,
    /// Events whose row changed again.
    pub(crate) coalesced: u64,
    /// Events and dead letters about which nothing is left to do.
    pub(crate) closed: u64,
}

/// What the work of a dataset was read from: nothing is concluded about the rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// The members that were read.
    pub(crate) members: &'a BTreeSet<String>,
    /// The keys that were asked for, if not all.
    pub(crate) keys: Option<&'a BTreeSet<Key>>,
}

/// An event, or a dead letter, as it stands in its table.
#[derive(sqlx::FromRow)]
pub(super) struct EventRow {
    number: i64,
    member: String,
    key_values: Vec<u8>,
    kind: String,
    columns: String,
    work: Vec<u8>,
    coalesced: i64,
    detected: i64,
    attempts: i64,
    story: String,
    /// The lease under which it was last claimed; of a dead letter when it died.
    pub(super) mark: Option<i64>,
}

/// The columns of [`EventRow`] but its mark.
pub(super) const COLUMNS: &str =
    "number, member, key_values, kind, columns, work, coalesced, detected, attempts, story";

impl EventRow {
    /// Reads the event.
    pub(super) fn read(self) -> Result<Event> {
        let work = Work {
            member: self.member,
            key: key(&self.key_values)?,
            kind: from_word(self.kind)?,
            columns: parse(&self.columns)?,
            digest: self.work,
        };
        Ok(Event {
            number: count(self.number)?,
            work,
            coalesced: count(self.coalesced)?,
            detected: time(self.detected)?,
            attempts: count(self.attempts)?,
            story: parse(&self.story)?,
        })
    }
}

impl Store {
    /// Brings the queue up to what has to be done: the work that is new joins it, what changed again coalesces, and what
    /// is not left to do goes.
    ///
    /// Work that was given up joins again only when it is other work than it was.
    ///
    /// # Errors
    /// [`crate::error::Kind::Changed`] when the lease is no longer current.
    pub(crate) async fn note_events(
        &self,
        lease: &Lease,
        work: &[Work],
        scope: Scope<'_>,
        now: Timestamp,
    ) -> Result<Noted> {
        let mut tx = self.write_of(&lease.dataset).await?;
        lease::check(&mut tx, lease).await?;
        let dataset = &lease.dataset;
        let mut queued = known(&mut tx, "events", dataset).await?;
        let mut dead = known(&mut tx, "dead_letters", dataset).await?;
        let mut noted = Noted::default();
        let mut new = Vec::new();
        for one in work {
            let slot = (one.member.clone(), tx.seal.index(&one.key));
            let queued = queued.remove(&slot);
            let dead = dead.remove(&slot);
            match (queued, dead) {
                (Some((_, before)), _) if before == one.digest => {}
                (Some((number, _)), _) => {
                    coalesce(&mut tx, number, one, now).await?;
                    noted.coalesced += 1;
                }
                (None, Some((_, before))) if before == one.digest => {}
                (None, dead) => {
                    if let Some((number, _)) = dead {
                        remove(&mut tx, "dead_letters", &[number]).await?;
                    }
                    new.push(one);
                }
            }
        }
        insert(&mut tx, dataset, &new, now).await?;
        noted.new = new.len() as u64;
        let keys: Option<BTreeSet<Vec<u8>>> =
            scope.keys.map(|keys| keys.iter().map(|key| tx.seal.index(key)).collect());
        let seen = |(member, digest): &(String, Vec<u8>)| {
            scope.members.contains(member) && keys.as_ref().is_none_or(|keys| keys.contains(digest))
        };
        for (table, left) in [("events", queued), ("dead_letters", dead)] {
            let gone = left.into_iter().filter(|(slot, _)| seen(slot));
            let gone: Vec<i64> = gone.map(|(_, (number, _))| number).collect();
            noted.closed += gone.len() as u64;
            remove(&mut tx, table, &gone).await?;
        }
        // A queue that is as it was is not written again.
        if noted != Noted::default() {
            tx.commit().await?;
        }
        Ok(noted)
    }
}

/// Where the queue and the dead letters of a dataset know a row: its place and the digest of its work.
type Known = HashMap<(String, Vec<u8>), (i64, Vec<u8>)>;

async fn known(conn: &mut Conn, table: &str, dataset: &str) -> Result<Known> {
    let mut query = super::Statement::new("SELECT member, key_digest, number, work FROM ");
    query.push(table).push(" WHERE dataset = ").push_bind(dataset.to_owned());
    let found: Vec<(String, Vec<u8>, i64, Vec<u8>)> =
        query.build_query_as().fetch_all(conn).await?;
    Ok(found
        .into_iter()
        .map(|(member, digest, number, work)| ((member, digest), (number, work)))
        .collect())
}

/// Makes one event of the one that waits and another change of its row: it keeps its place, and begins afresh.
async fn coalesce(conn: &mut Conn, number: i64, work: &Work, now: Timestamp) -> Result<()> {
    let mut query = super::Statement::new("SELECT ");
    query.push(COLUMNS).push(", NULL AS mark FROM events WHERE number = ").push_bind(number);
    let row: EventRow = query.build_query_as().fetch_one(&mut *conn).await?;
    let mut event = row.read()?;
    if event.attempts > 0 {
        event.add(Step { at: now, what: "its row changed again: it is tried afresh".into() });
    }
    sqlx::query(
        "UPDATE events SET kind = $1, columns = $2, work = $3, coalesced = coalesced + 1, attempts = 0,
             due = $4, story = $5 WHERE number = $6",
    )
    .bind(word(&work.kind)?)
    .bind(json(&work.columns)?)
    .bind(conn.seal.bytes("work", work.digest.clone())?)
    .bind(micros(now))
    .bind(conn.seal.text("story", json(&event.story)?)?)
    .bind(number)
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert(conn: &mut Conn, dataset: &str, work: &[&Work], now: Timestamp) -> Result<()> {
    let detected = micros(now);
    for chunk in work.chunks(ROWS_PER_INSERT) {
        let mut rows = Vec::with_capacity(chunk.len());
        for one in chunk {
            let sealed = (
                conn.seal.bytes("key_values", bytes(one.key.as_values()))?,
                conn.seal.bytes("work", one.digest.clone())?,
            );
            let key = conn.seal.index(&one.key);
            rows.push((*one, word(&one.kind)?, json(&one.columns)?, key, sealed));
        }
        let mut query = super::Statement::new(
            "INSERT INTO events (dataset, member, key_digest, key_values, kind, columns, work, coalesced,
                 detected, due, attempts, fence, story) ",
        );
        query.push_values(rows, |mut row, (one, kind, columns, key, (values, work))| {
            row.push_bind(dataset.to_owned())
                .push_bind(one.member.clone())
                .push_bind(key)
                .push_bind(values)
                .push_bind(kind)
                .push_bind(columns)
                .push_bind(work)
                .push("1")
                .push_bind(detected)
                .push_bind(detected)
                .push("0")
                .push("NULL")
                .push("'[]'");
        });
        query.build().execute(&mut *conn).await?;
    }
    Ok(())
}

/// Removes rows of the queue or of the dead letters.
pub(super) async fn remove(conn: &mut Conn, table: &str, numbers: &[i64]) -> Result<()> {
    for chunk in numbers.chunks(ROWS_PER_INSERT) {
        let mut query = super::Statement::new("DELETE FROM ");
        query.push(table).push(" WHERE number IN (");
        list(&mut query, chunk);
        query.build().execute(&mut *conn).await?;
    }
    Ok(())
}

/// Ends a list of numbers in a statement.
pub(super) fn list(query: &mut super::Statement, numbers: &[i64]) {
    let mut list = query.separated(", ");
    for number in numbers {
        list.push_bind(*number);
    }
    query.push(")");
}
