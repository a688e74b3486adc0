//! Decisions in the journal: taken up when a run begins, consumed when it is closed, and given back by a rollback.

use jiff::Timestamp;

use super::super::Conn;
use super::super::codec::{micros, word};
use super::super::journal::BatchState;
use super::super::runs::{Outcome, RunRow};
use super::{State, Taken, record};
use crate::error::{Error, Kind, Result};

/// Takes up the decisions that a run carries out.
///
/// # Errors
/// [`Kind::Changed`] when one of them was changed after the comparison had read it.
pub(in super::super) async fn take_up(
    conn: &mut Conn,
    dataset: &str,
    run: &str,
    decisions: &Taken,
) -> Result<()> {
    for ((key, column), decided) in decisions {
        let done = sqlx::query(
            "UPDATE conflicts SET run = $1
             WHERE dataset = $2 AND key_digest = $3 AND column_name = $4 AND state = $5 AND decided = $6",
        )
        .bind(run)
        .bind(dataset)
        .bind(conn.seal.index(key))
        .bind(column)
        .bind(word(&State::Decided)?)
        .bind(micros(*decided))
        .execute(&mut *conn)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::new(
                Kind::Changed,
                format!("the decision about {key} was changed while the sides were compared"),
            )
            .next("call again; nothing was written"));
        }
    }
    Ok(())
}

/// Consumes the decisions that a run carried out, and brings the queue up to what it found.
///
/// A decision is consumed when every write of its key was applied and confirmed; else it waits for the next run. So it
/// is too when another process closes the run, which knows of the comparison only what the journal says.
pub(in super::super) async fn close(
    conn: &mut Conn,
    run: &RunRow,
    dataset: &str,
    outcome: &Outcome,
) -> Result<()> {
    // What is left of this run's are those of keys whose writes all arrived.
    sqlx::query(
        "UPDATE conflicts SET run = NULL WHERE run = $1 AND state = $2 AND key_digest IN
             (SELECT a.key_digest FROM actions a JOIN batches b ON b.run = a.run AND b.seq = a.seq
              WHERE a.run = $3 AND (b.state <> $4 OR a.left_out IS NOT NULL))",
    )
    .bind(&run.id)
    .bind(word(&State::Decided)?)
    .bind(run.number)
    .bind(word(&BatchState::Applied)?)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "UPDATE conflicts SET state = $1, closed = $2, closed_by = decided_by WHERE run = $3 AND state = $4",
    )
    .bind(word(&State::Applied)?)
    .bind(micros(outcome.finished))
    .bind(&run.id)
    .bind(word(&State::Decided)?)
    .execute(&mut *conn)
    .await?;
    if let Some(undone) = &run.undoes {
        reopen(conn, dataset, run, undone, outcome.finished).await?;
    }
    match &outcome.seen {
        Some(seen) => record::record(conn, dataset, seen, outcome.finished).await,
        None => record::tidy(conn, dataset).await,
    }
}

/// Opens again what the run that was taken back had decided, for the rows that were taken back.
///
/// Its rows and voices are those of before; the next run looks whether they still are.
async fn reopen(
    conn: &mut Conn,
    dataset: &str,
    run: &RunRow,
    undone: &str,
    at: Timestamp,
) -> Result<()> {
    sqlx::query(
        "UPDATE conflicts SET state = $1, choice = NULL, decided = NULL, decided_by = NULL, closed = NULL,
             closed_by = NULL, run = NULL, seen = $2
         WHERE dataset = $3 AND run = $4 AND state = $5 AND key_digest IN
             (SELECT a.key_digest FROM actions a JOIN batches b ON b.run = a.run AND b.seq = a.seq
              WHERE a.run = $6 AND b.state = $7)
             AND NOT EXISTS (SELECT 1 FROM conflicts o WHERE o.dataset = conflicts.dataset
                 AND o.key_digest = conflicts.key_digest AND o.column_name = conflicts.column_name
                 AND o.state IN ('open', 'decided'))",
    )
    .bind(word(&State::Open)?)
    .bind(micros(at))
    .bind(dataset)
    .bind(undone)
    .bind(word(&State::Applied)?)
    .bind(run.number)
    .bind(word(&BatchState::Applied)?)
    .execute(conn)
    .await?;
    Ok(())
}
