//! The store: everything Lockstep remembers, in one SQLite file that several processes may share.
//!
//! - `datasets`: definitions. `base`, `advance`: what both sides last agreed on
//!   (`segment`, `fold`: its form).
//! - `plans`: content-addressed and expiring. `lease`: who may run a dataset.
//! - `journal`, `batches`: intent made durable before effects. `runs`: the one transaction that closes a run.
//! - `seen`: what the last run saw, so that the next need not read it again.
//! - `aims`: what the batch under way is aimed at. `appends`: which appends were made.
//! - `tasks`: calls that go on after their request was answered.
//! - `watches`, `events` (the queue), `letters` (dead ones), `breakers`, `calls`, `channels`: what is watched.
//! - `conflicts`: what waits for a person, and what was decided. `tombstones`, `history`, `audit` (`line`, `verify`): what was.
//! - `ends` (`histogram`): how runs ended, by hour and day, and what is known of each dataset's health. `queued`: what
//!   waits or was given up. `measured`: what measurements found.
//! - `incidents`: what people are told of, and the messages on their way.
//! - `quota`: calls of all processes. `backup`, `forget` (`erase`), `retain`: care.
//!
//! A write is one `BEGIN IMMEDIATE` transaction, on disk when it returns (WAL, `synchronous=FULL`). The store knows no
//! clock: every time is handed in, and kept in whole microseconds. The SQL is plain, so that PostgreSQL can follow;
//! what only SQLite knows is here, and in `open`, `fault` and `backup`.

mod advance;
mod aims;
mod appends;
mod audit;
mod backup;
mod base;
mod batches;
mod breakers;
mod calls;
mod channels;
mod claims;
mod codec;
pub(crate) mod conflicts;
mod datasets;
mod ends;
mod erase;
mod events;
mod fault;
mod fold;
mod forget;
mod histogram;
mod history;
mod incidents;
mod journal;
mod lease;
mod letters;
mod line;
mod measured;
mod open;
mod plans;
mod queued;
mod quota;
mod retain;
mod runs;
mod seen;
mod segment;
mod series;
mod tasks;
mod tombstones;
mod verify;
mod watches;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use sqlx::{Pool, Sqlite, SqliteConnection, Transaction};

pub(crate) use self::backup::restore;
pub(crate) use self::base::{Base, PackedBase, base_name};
pub(crate) use self::breakers::Breaker;
pub(crate) use self::channels::StoredChannel;
pub(crate) use self::claims::Verdict;
pub(crate) use self::datasets::Dataset;
pub(crate) use self::ends::{EndState, Facts, Rollup, RunEnd};
pub(crate) use self::events::{Event, Scope, Work};
pub(crate) use self::histogram::Histogram;
pub(crate) use self::history::ChangeRecord;
pub(crate) use self::incidents::{Delivery, Incident};
pub(crate) use self::journal::{
    Action, Batch, BatchState, Intended, LeftOut, Moves, NewRun, RunKind, RunState,
};
pub(crate) use self::lease::{Acquired, Lease};
pub(crate) use self::letters::{Letter, Which};
pub(crate) use self::measured::Measurement;
pub(crate) use self::plans::PlanLookup;
pub(crate) use self::queued::Queued;
pub(crate) use self::runs::{Outcome, Run};
pub(crate) use self::seen::Seen;
pub(crate) use self::tasks::{Task, TaskState};
pub(crate) use self::verify::AuditVerdict;
pub(crate) use self::watches::StoredWatch;
use crate::error::Result;

/// The database that the statements are written for.
type Db = Sqlite;

/// One connection to it, mostly inside a transaction.
type Conn = SqliteConnection;

/// How many rows one INSERT statement carries; with 16 columns well below SQLite's bound of 32,766 parameters.
const ROWS_PER_INSERT: usize = 500;

/// How many busy time-outs a write waits for another process to end its own.
const WRITE_ATTEMPTS: u32 = 6;

/// An open store; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    path: Arc<Path>,
    writes: Pool<Db>,
    reads: Pool<Db>,
}

impl Store {
    /// Returns the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for what is under way and closes the file; other handles of this store are closed with it.
    pub async fn close(&self) {
        // The readers cannot fold the log into the file; the writer, closing last, does.
        self.reads.close().await;
        self.writes.close().await;
    }

    /// Starts a write transaction: nobody else writes until it ends.
    ///
    /// Closing a run of a million rows can keep other processes waiting for longer than one busy time-out.
    async fn write(&self) -> Result<Transaction<'static, Db>> {
        for _ in 1..WRITE_ATTEMPTS {
            match self.writes.begin_with("BEGIN IMMEDIATE").await {
                Err(error) if fault::is_busy(&error) => {}
                begun => return Ok(begun?),
            }
        }
        Ok(self.writes.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Starts a read transaction: all its statements see the store at one moment.
    async fn read(&self) -> Result<Transaction<'static, Db>> {
        Ok(self.reads.begin().await?)
    }

    /// Folds the write-ahead log into the file and empties it, so that nothing erased is left there.
    async fn clear_log(&self) -> Result<()> {
        let (busy, _, _): (i64, i64, i64) =
            sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.writes).await?;
        if busy != 0 {
            // A reader keeps it; the log is overwritten when it ends and the store is next written or closed.
            tracing::warn!("the store's log is in use and could not be emptied at once");
        }
        Ok(())
    }

    /// Gives free pages back to the file system.
    async fn shrink(&self) -> Result<()> {
        sqlx::query("PRAGMA incremental_vacuum").fetch_all(&self.writes).await?;
        Ok(())
    }
}
