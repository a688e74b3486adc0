//! The writing part of a run: intent first, then every batch, then one transaction that learns what was confirmed.

use std::collections::BTreeSet;

use lockstep_engine::{
    dataset::SideName,
    key::Key,
    reconcile::{BaseChange, Change},
};

use super::{
    Shell,
    describe::{Done, MAX_LISTED},
    halt,
    journal::{batches, confirmed},
    prepare::Planned,
    recover::state_of,
    rest::Wide,
    turn,
};
use crate::{
    error::{Error, Result, Retry},
    replica::{
        apply::{self, Guard, Notes, Prepared, Repair, Writes},
        marker,
    },
    store::{Batch, BatchState, Lease, NewRun, Outcome, RunKind},
};

/// What is to be written, and as what it is remembered.
pub(super) struct Job<'a> {
    pub(super) dataset: &'a str,
    pub(super) guard: Guard,
    pub(super) kind: RunKind,
    /// The run that this one takes back.
    pub(super) undoes: Option<String>,
    pub(super) planned: &'a Planned,
    /// The moves of base, to be made as far as their writes are confirmed.
    pub(super) base: &'a [BaseChange],
    /// The columns that those moves are aligned with.
    pub(super) base_columns: Vec<String>,
}

/// What kept a run from its end; the run's id once its journal had begun.
pub(super) struct Stopped {
    pub(super) error: Error,
    pub(super) run: Option<String>,
}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Self {
        match stopped.run {
            Some(run) => stopped.error.context(format!("run {run}")),
            None => stopped.error,
        }
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self { error, run: None }
    }
}

/// Journals and applies a plan.
///
/// # Errors
/// Without a run: nothing was written. With one: its journal says what was.
pub(super) async fn write(
    shell: &Shell,
    job: &Job<'_>,
    lease: &mut Lease,
) -> Result<Done, Stopped> {
    let planned = job.planned;
    let run = marker::run_id();
    let mut sides = Vec::new();
    let mut journal = Vec::new();
    let wide = Wide::of(planned);
    for side in SideName::BOTH {
        let changes = planned.writes(side);
        if changes.is_empty() {
            continue;
        }
        let writes = writes(planned, side, &changes);
        let target = &planned.sides.get(side).target;
        let prepared = apply::prepare(&shell.reach, target, &writes, &run, side, job.guard).await?;
        let first = u32::try_from(journal.len()).unwrap_or(u32::MAX);
        let action = |change: &Change| wide.action(planned, side, change);
        journal.extend(batches(side, &prepared, &changes, first, action)?);
        sides.push((side, prepared));
    }
    begin(shell, job, lease, &run, &journal, wide).await?;
    halt::point("begun").await;
    let sent = send_all(shell, planned, lease, &run, &mut sides, &mut journal).await;
    settle(shell, job, lease, run, journal, sent).await
}

fn writes<'a>(planned: &'a Planned, side: SideName, changes: &'a [&'a Change]) -> Writes<'a> {
    Writes {
        schema: &planned.plan.body().basis.schema,
        headers: planned.headers.get(side),
        optional: planned.optional.get(side),
        snapshot: &planned.sides.get(side).snapshot,
        changes,
    }
}

async fn begin(
    shell: &Shell,
    job: &Job<'_>,
    lease: &Lease,
    run: &str,
    journal: &[Batch],
    wide: Wide,
) -> Result<()> {
    let base = wide.moves(job.base);
    let new = NewRun {
        id: run.to_owned(),
        dataset: job.dataset.to_owned(),
        plan_id: job.planned.plan.id().to_owned(),
        kind: job.kind,
        undoes: job.undoes.clone(),
        caller: shell.caller.clone(),
        started: shell.reach.clock.now(),
        columns: wide.columns,
        sensitive: Vec::new(),
    };
    shell.store.begin(lease, &new, journal, &base).await
}

/// What came of the batches.
#[derive(Default)]
struct Sent {
    repaired: Vec<Repair>,
    unconfirmed: BTreeSet<(SideName, Key)>,
    reasons: Vec<String>,
    error: Option<Error>,
}

/// Sends every batch, marking each in the journal; stops at the first that fails.
async fn send_all(
    shell: &Shell,
    planned: &Planned,
    lease: &mut Lease,
    run: &str,
    sides: &mut [(SideName, Prepared)],
    journal: &mut [Batch],
) -> Sent {
    let mut sent = Sent::default();
    let total = journal.iter().map(|batch| batch.actions.len() as u64).sum();
    let mut done = 0;
    let mut entries = journal.iter_mut();
    for (side, prepared) in sides {
        let changes = planned.writes(*side);
        let writes = writes(planned, *side, &changes);
        for (number, entry) in (0..prepared.batches()).zip(&mut entries) {
            shell.reach.progress.step(done, Some(total), format!("writing to the {side} side"));
            let one = send_one(shell, lease, prepared, number, &writes, run, entry).await;
            match one {
                Ok(outcome) => {
                    sent.repaired.extend(outcome.repaired);
                    let reasons = outcome.unconfirmed.iter().filter_map(|one| {
                        Some(format!("{side} row {}: {}", changes.get(one.change)?.key, one.why))
                    });
                    let room = MAX_LISTED.saturating_sub(sent.reasons.len());
                    sent.reasons.extend(reasons.take(room));
                    let keys = outcome.unconfirmed.iter().filter_map(|one| changes.get(one.change));
                    sent.unconfirmed.extend(keys.map(|change| (*side, change.key.clone())));
                }
                Err(error) => {
                    sent.error = Some(error);
                    return sent;
                }
            }
            done += entry.actions.len() as u64;
            shell.reach.progress.step(done, Some(total), format!("wrote to the {side} side"));
        }
    }
    sent
}

async fn send_one(
    shell: &Shell,
    lease: &mut Lease,
    prepared: &mut Prepared,
    number: usize,
    writes: &Writes<'_>,
    run: &str,
    entry: &mut Batch,
) -> Result<apply::Sent> {
    let unsent = async {
        shell.reach.progress.check()?;
        turn::keep(shell, lease).await
    };
    if let Err(error) = unsent.await {
        entry.state = BatchState::Void;
        return Err(error);
    }
    halt::point("sending").await;
    let notes = Notes { store: shell.store.clone(), run: run.to_owned(), seq: entry.seq };
    let sent = apply::send(&shell.reach, prepared, number, writes, &notes).await;
    halt::point("sent").await;
    let (state, note) = match &sent {
        Ok(_) => (BatchState::Applied, None),
        // Whether it was applied is unknown: it stays intended, and is settled by its marker before the next run.
        Err(error) if error.retry() == Retry::Ambiguous => return sent,
        Err(error) => (BatchState::Failed, Some(error.to_string())),
    };
    entry.state = state;
    shell.store.mark_batch(lease, run, entry.seq, state, note.as_deref()).await?;
    halt::point("marked").await;
    sent
}

/// Closes the run by what came of it, unless a batch's outcome is unknown.
async fn settle(
    shell: &Shell,
    job: &Job<'_>,
    lease: &Lease,
    run: String,
    mut journal: Vec<Batch>,
    sent: Sent,
) -> Result<Done, Stopped> {
    let Sent { repaired, unconfirmed, reasons, error } = sent;
    let stopped = |error: Error| Stopped { error, run: Some(run.clone()) };
    if let Some(error) = error {
        if error.retry() == Retry::Ambiguous {
            return Err(stopped(error.next(
                "call syncDataset again: it first finds out whether the batch was written, then compares afresh",
            )));
        }
        let rows = |state: BatchState| -> usize {
            let of = journal.iter().filter(|batch| batch.state == state);
            of.map(|batch| batch.actions.len()).sum()
        };
        let total: usize = journal.iter().map(|batch| batch.actions.len()).sum();
        let written = rows(BatchState::Applied);
        for batch in journal.iter_mut().filter(|batch| batch.state == BatchState::Intended) {
            batch.state = BatchState::Void;
        }
        close(shell, job, lease, &run, &journal, &unconfirmed, Some(error.to_string()))
            .await
            .map_err(stopped)?;
        let error = if written == 0 {
            error
        } else {
            error.context(format!(
                "{written} of {total} rows were written and stay written; the rest was not"
            ))
        };
        return Err(stopped(error));
    }
    close(shell, job, lease, &run, &journal, &unconfirmed, None).await.map_err(stopped)?;
    halt::point("closed").await;
    let unconfirmed = unconfirmed.len() as u64;
    Ok(Done { run: Some(run), repaired, unconfirmed, reasons, ..Done::default() })
}

async fn close(
    shell: &Shell,
    job: &Job<'_>,
    lease: &Lease,
    run: &str,
    journal: &[Batch],
    unconfirmed: &BTreeSet<(SideName, Key)>,
    error: Option<String>,
) -> Result<()> {
    shell.store.void_intended(lease, run, "not sent").await?;
    let body = job.planned.plan.body();
    let counts = serde_json::to_value(&body.result.counts)
        .map_err(|error| Error::internal("counts have no JSON form").with_source(error))?;
    let outcome = Outcome {
        state: state_of(journal),
        base: confirmed(job.base.to_vec(), journal, unconfirmed),
        columns: job.base_columns.clone(),
        counts,
        error,
        finished: shell.reach.clock.now(),
    };
    halt::point("closing").await;
    shell.store.finish(lease, run, &outcome).await?;
    Ok(())
}
