//! Runs, and the one transaction that closes one.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::advance::{Advance, advance};
use super::base::base_name;
use super::codec::{count, from_word, json, micros, parse, plain, time, word};
use super::conflicts::{self, Seen};
use super::ends::{self, RunEnd};
use super::journal::{BatchState, Moves, RunKind, RunState, check_width, widths};
use super::lease::{self, Lease};
use super::{Conn, Store, aims, audit, tombstones};
use crate::error::{Error, Kind, Result};

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    /// Its name.
    pub(crate) id: String,
    /// The dataset.
    pub(crate) dataset: String,
    /// The plan that it applied.
    pub(crate) plan_id: String,
    /// What it is.
    pub(crate) kind: RunKind,
    /// The run that it took back.
    pub(crate) undoes: Option<String>,
    /// The run that took it back.
    pub(crate) undone_by: Option<String>,
    /// How far it came.
    pub(crate) state: RunState,
    /// Who asked for it, and by which call.
    pub(crate) caller: String,
    /// When it began.
    pub(crate) started: Timestamp,
    /// When it was closed.
    pub(crate) finished: Option<Timestamp>,
    /// The fence of the lease it began under.
    pub(crate) fence: u64,
    /// The names of the columns that its rows are aligned with.
    pub(crate) columns: Vec<String>,
    /// The columns whose values must not be shown.
    pub(crate) sensitive: Vec<usize>,
    /// What its caller counted; null while it is open.
    pub(crate) counts: Json,
    /// What went wrong.
    pub(crate) error: Option<String>,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// How far it came; not `Applying`.
    pub(crate) state: RunState,
    /// The moves of each base that both of its sides confirmed.
    pub(crate) bases: Vec<Moves>,
    /// The columns that these, and the new base, are aligned with.
    pub(crate) columns: Vec<String>,
    /// Counts for the history; opaque here.
    pub(crate) counts: Json,
    /// What went wrong.
    pub(crate) error: Option<String>,
    /// When.
    pub(crate) finished: Timestamp,
    /// What the comparison found of conflicts; `None` where another process closes the run, or it is a rollback.
    pub(crate) seen: Option<Seen>,
}

/// A run as it stands in its table.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct RunRow {
    pub(super) number: i64,
    pub(super) id: String,
    dataset: String,
    plan: String,
    kind: String,
    pub(super) undoes: Option<String>,
    undone_by: Option<String>,
    state: String,
    pub(super) caller: String,
    started: i64,
    finished: Option<i64>,
    fence: i64,
    pub(super) columns: String,
    pub(super) sensitive: String,
    counts: String,
    error: Option<String>,
}

/// Starts a query of runs; a condition follows.
pub(super) fn select() -> super::Statement {
    super::Statement::new(
        "SELECT number, id, dataset, plan, kind, undoes, undone_by, state, caller, started,
             finished, fence, columns, sensitive, counts, error FROM runs",
    )
}

impl RunRow {
    /// Reads the run.
    pub(super) fn read(self) -> Result<Run> {
        Ok(Run {
            id: self.id,
            dataset: self.dataset,
            plan_id: self.plan,
            kind: from_word(self.kind)?,
            undoes: self.undoes,
            undone_by: self.undone_by,
            state: from_word(self.state)?,
            caller: self.caller,
            started: time(self.started)?,
            finished: self.finished.map(time).transpose()?,
            fence: count(self.fence)?,
            columns: parse(&self.columns)?,
            sensitive: parse(&self.sensitive)?,
            counts: parse(&self.counts)?,
            error: self.error,
        })
    }
}

/// Returns a run of a dataset that is still open.
///
/// # Errors
/// [`Kind::Changed`] when it is closed, [`Kind::NotFound`] when the dataset has no such run.
pub(super) async fn open_run(conn: &mut Conn, dataset: &str, run: &str) -> Result<RunRow> {
    let mut query = select();
    query.push(" WHERE id = ").push_bind(run.to_owned());
    let found: Option<RunRow> = query.build_query_as().fetch_optional(conn).await?;
    let Some(row) = found.filter(|row| row.dataset == dataset) else {
        return Err(Error::not_found(format!("the dataset '{dataset}' has no run {run}")));
    };
    if from_word::<RunState>(row.state.clone())? != RunState::Applying {
        return Err(Error::new(
            Kind::Changed,
            format!("the run {run} is closed: it is {}; nothing was stored", row.state),
        ));
    }
    Ok(row)
}

impl Store {
    /// Closes a run, all in one transaction: base moves, tombstones and audit follow what was applied.
    ///
    /// Returns the new version of base, if it moved; of several the highest. A base whose columns are no longer the outcome's is rewritten, also
    /// when no row moves, unless the run failed.
    ///
    /// # Errors
    /// [`Kind::Changed`] when the lease is no longer current or the run is closed; a batch that is still intended.
    #[cfg(test)]
    pub(crate) async fn finish(
        &self,
        lease: &Lease,
        run: &str,
        outcome: &Outcome,
    ) -> Result<Option<u64>> {
        self.finish_counted(lease, run, outcome, None).await
    }

    /// Closes a run like [`finish`](Self::finish), and counts its end in the same transaction.
    ///
    /// # Errors
    /// Those of [`finish`](Self::finish).
    pub(crate) async fn finish_counted(
        &self,
        lease: &Lease,
        run: &str,
        outcome: &Outcome,
        end: Option<&RunEnd>,
    ) -> Result<Option<u64>> {
        if outcome.state == RunState::Applying {
            return Err(Error::internal("a run cannot be closed as one that is under way"));
        }
        check_width(outcome.columns.len(), widths(&outcome.bases))?;

        let mut tx = self.write().await?;
        lease::check(&mut tx, lease).await?;
        let row = open_run(&mut tx, &lease.dataset, run).await?;
        check_settled(&mut tx, &row).await?;
        let version = move_bases(&mut tx, lease, &row, outcome).await?;
        conflicts::settle::close(&mut tx, &row, &lease.dataset, outcome).await?;
        audit::append(&mut tx, &row, &lease.dataset, outcome.finished).await?;
        close(&mut tx, &row, outcome).await?;
        if let Some(end) = end {
            ends::record(&mut tx, end).await?;
        }
        tx.commit().await?;
        Ok(version)
    }

    /// Moves the bases of an outcome whose state is `Applying`: the run stays open for members that are not settled yet.
    ///
    /// # Errors
    /// [`Kind::Changed`] when the lease is no longer current or the run is closed.
    pub(crate) async fn finish_part(
        &self,
        lease: &Lease,
        run: &str,
        outcome: &Outcome,
    ) -> Result<()> {
        check_width(outcome.columns.len(), widths(&outcome.bases))?;
        let mut tx = self.write().await?;
        lease::check(&mut tx, lease).await?;
        let row = open_run(&mut tx, &lease.dataset, run).await?;
        move_bases(&mut tx, lease, &row, outcome).await?;
        for moves in &outcome.bases {
            sqlx::query("UPDATE intended_base SET moved = 1 WHERE run = $1 AND spoke = $2")
                .bind(row.number)
                .bind(&moves.spoke)
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query("UPDATE runs SET error = $1 WHERE number = $2")
            .bind(tx.seal.some_text("error", outcome.error.as_deref().map(plain))?)
            .bind(row.number)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}

/// Moves bases; returns the highest of their new versions.
async fn move_bases(
    conn: &mut Conn,
    lease: &Lease,
    run: &RunRow,
    outcome: &Outcome,
) -> Result<Option<u64>> {
    let mut version = None;
    for moves in &outcome.bases {
        let to = Advance {
            dataset: &base_name(&lease.dataset, &moves.spoke),
            run: &run.id,
            at: outcome.finished,
            columns: &outcome.columns,
            moves: &moves.changes,
        };
        if outcome.state != RunState::Failed || !moves.changes.is_empty() {
            version = version.max(advance(conn, &to).await?);
        }
        tombstones::follow(conn, &to, run.undoes.as_deref()).await?;
    }
    Ok(version)
}

async fn check_settled(conn: &mut Conn, run: &RunRow) -> Result<()> {
    let open: Option<i64> =
        sqlx::query_scalar("SELECT MIN(seq) FROM batches WHERE run = $1 AND state = $2")
            .bind(run.number)
            .bind(word(&BatchState::Intended)?)
            .fetch_one(conn)
            .await?;
    match open {
        None => Ok(()),
        Some(seq) => Err(Error::internal(format!(
            "batch {seq} of the run {} is not settled; the run stays open",
            run.id
        ))
        .next(
            "settle every batch by its marker, or mark those never sent as void, and close again",
        )),
    }
}

async fn close(conn: &mut Conn, run: &RunRow, outcome: &Outcome) -> Result<()> {
    sqlx::query(
        "UPDATE runs SET state = $1, finished = $2, counts = $3, error = $4 WHERE number = $5",
    )
    .bind(word(&outcome.state)?)
    .bind(micros(outcome.finished))
    .bind(conn.seal.text("counts", json(&outcome.counts)?)?)
    .bind(conn.seal.some_text("error", outcome.error.as_deref().map(plain))?)
    .bind(run.number)
    .execute(&mut *conn)
    .await?;
    aims::drop_aims(conn, &run.id).await?;
    sqlx::query("DELETE FROM intended_base WHERE run = $1")
        .bind(run.number)
        .execute(&mut *conn)
        .await?;
    let Some(undone) = run.undoes.as_deref().filter(|_| outcome.state != RunState::Failed) else {
        return Ok(());
    };
    sqlx::query("UPDATE runs SET undone_by = $1 WHERE id = $2")
        .bind(&run.id)
        .bind(undone)
        .execute(&mut *conn)
        .await?;
    if outcome.state == RunState::Applied {
        // Taking a rollback back puts what it had undone in force again.
        sqlx::query("UPDATE runs SET undone_by = NULL WHERE undone_by = $1")
            .bind(undone)
            .execute(conn)
            .await?;
    }
    Ok(())
}
