//! The store: everything Lockstep remembers, in one SQLite file that several processes may share, or in a PostgreSQL
//! database that several machines may.
//!
//! - `datasets`: definitions. `base`, `advance`: what both sides last agreed on
//!   (`segment`, `fold`: its form).
//! - `plans`: content-addressed and expiring. `lease`: who may run a dataset;
//!   `presence`: which servers watch.
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
//! clock: every time is handed in, and kept in whole microseconds. The SQL is plain: the same statements run on a
//! PostgreSQL database (`server`), whose write transactions take one lock first. `statement` puts statements together.
//! `seal`: what is encrypted at rest; `conn` opens it, `rekey` turns it on and changes the key.
//! What only one of the two knows is here, and in `open`, `server`, `fault` and `backup`.

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
mod conn;
mod datasets;
mod ends;
mod erase;
mod events;
mod fault;
mod fold;
mod forget;
mod held;
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
mod presence;
mod queued;
mod quota;
mod rekey;
mod retain;
mod runs;
mod seal;
mod seen;
mod segment;
mod series;
mod server;
mod spent;
mod statement;
mod tasks;
mod tombstones;
mod verify;
mod watches;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use sqlx::{Any, AnyConnection, Pool, Transaction};

pub(crate) use self::backup::restore;
pub(crate) use self::base::{Base, PackedBase, base_name};
pub(crate) use self::breakers::Breaker;
pub(crate) use self::channels::StoredChannel;
pub(crate) use self::claims::Verdict;
use self::conn::{Conn, Reads, Tx};
pub(crate) use self::datasets::Dataset;
pub(crate) use self::ends::{EndState, Facts, Rollup, RunEnd};
pub(crate) use self::events::{Event, Scope, Work};
pub(crate) use self::held::Words;
pub(crate) use self::histogram::Histogram;
pub(crate) use self::history::ChangeRecord;
pub(crate) use self::incidents::{Delivery, Incident};
pub(crate) use self::journal::{
    Action, Batch, BatchState, Intended, LeftOut, Moves, NewRun, RunKind, RunState,
};
pub(crate) use self::lease::{Acquired, Lease, WATCH};
pub(crate) use self::letters::{Letter, Which};
pub(crate) use self::measured::Measurement;
pub(crate) use self::plans::PlanLookup;
pub(crate) use self::queued::Queued;
pub(crate) use self::runs::{Outcome, Run};
pub use self::seal::Keys;
use self::seal::Seal;
pub(crate) use self::seen::Seen;
use self::statement::Statement;
pub(crate) use self::tasks::{Task, TaskState};
pub(crate) use self::verify::AuditVerdict;
pub(crate) use self::watches::StoredWatch;
use crate::error::Result;

/// The database that the statements are written for.
type Db = Any;

/// One connection to it, which opens and seals nothing.
type Raw = AnyConnection;

/// How many rows one INSERT statement carries.
///
/// SQLite walks the list of a statement's numbered parameters for each value that is bound: with 500 rows of 16 columns
/// that takes more than half of the time of a run. With PostgreSQL fewer would be more round trips.
const ROWS_PER_INSERT: usize = 50;

/// How many busy time-outs a write waits for another process to end its own.
const WRITE_ATTEMPTS: u32 = 6;

/// What keeps the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    /// A file.
    Sqlite,
    /// A server, which several machines can share.
    Postgres,
}

/// An open store; cheap to clone.
#[derive(Clone)]
pub struct Store {
    path: Arc<Path>,
    engine: Engine,
    /// The address of the database with its password, for those who listen to it.
    address: Option<Arc<str>>,
    writes: Pool<Db>,
    reads: Reads,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Starts a transaction, to its end even when nobody waits for it any more.
///
/// sqlx (0.9.0) does not roll back a transaction whose beginning was dropped half-way: the connection would go back to the
/// pool with the store's lock in its hands, and keep every server from writing. One that has begun is rolled back by its
/// drop.
async fn begun(pool: &Pool<Db>, begin: &'static str) -> sqlx::Result<Transaction<'static, Db>> {
    let pool = pool.clone();
    let beginning = tokio::spawn(async move { pool.begin_with(begin).await });
    beginning.await.unwrap_or_else(|error| Err(sqlx::Error::Io(std::io::Error::other(error))))
}

impl Store {
    /// Returns the file, or the address of the database without its password.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for what is under way and closes the file; other handles of this store are closed with it.
    pub async fn close(&self) {
        // The readers cannot fold the log into the file; the writer, closing last, does.
        self.reads.pool.close().await;
        self.writes.close().await;
    }

    /// Starts a write transaction: nobody else writes until it ends.
    ///
    /// Closing a run of a million rows can keep other processes waiting for longer than one busy time-out.
    async fn write(&self) -> Result<Tx> {
        let begun = self.begin_write(server::WRITE).await?;
        let mut tx = Tx::new(begun, self.reads.seal.clone());
        rekey::check(&mut tx).await?;
        Ok(tx)
    }

    /// Starts a write transaction that touches rows of one dataset alone: where the store is a server's, those of other
    /// datasets are written beside it.
    ///
    /// Not for what is numbered or chained over all datasets: the beginning and the end of runs, the audit, the quota.
    async fn write_of(&self, dataset: &str) -> Result<Tx> {
        let begun = self.begin_write(server::WRITE_PART).await?;
        let mut tx = Tx::new(begun, self.reads.seal.clone());
        if self.engine == Engine::Postgres {
            sqlx::query(server::LOCK_PART).bind(dataset).execute(&mut *tx).await?;
        }
        rekey::check(&mut tx).await?;
        Ok(tx)
    }

    async fn begin_write(&self, on_server: &'static str) -> Result<Transaction<'static, Db>> {
        let begin = match self.engine {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => on_server,
        };
        for _ in 1..WRITE_ATTEMPTS {
            match begun(&self.writes, begin).await {
                Err(error) if fault::is_busy(&error) => {}
                begun => return Ok(begun?),
            }
        }
        Ok(begun(&self.writes, begin).await?)
    }

    /// Starts a read transaction: all its statements see the store at one moment.
    async fn read(&self) -> Result<Tx> {
        let begin = match self.engine {
            Engine::Sqlite => "BEGIN",
            Engine::Postgres => server::READ,
        };
        let begun = begun(&self.reads.pool, begin).await?;
        Ok(Tx::new(begun, self.reads.seal.clone()))
    }

    /// Folds the write-ahead log into the file and empties it, so that nothing erased is left there.
    async fn clear_log(&self) -> Result<()> {
        if self.engine == Engine::Postgres {
            // Removes what was deleted from the tables' files; the server's own log and copies are its operator's.
            sqlx::raw_sql("VACUUM").execute(&self.writes).await?;
            return Ok(());
        }
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
        if self.engine == Engine::Sqlite {
            sqlx::query("PRAGMA incremental_vacuum").fetch_all(&self.writes).await?;
        }
        Ok(())
    }
}
