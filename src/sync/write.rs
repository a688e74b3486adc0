//! The writing part of a run: intent first, then every batch, then one transaction that learns what was confirmed.

use std::collections::BTreeMap;

use lockstep_engine::{dataset::SideName, hub::HUB, key::Key, reconcile::Change};

use super::{
    Shell,
    definition::Definition,
    describe::{Done, kind},
    ends, halt,
    hidden::hidden,
    journal::{batches, confirmed, refused},
    prepare::{Planned, can_wait},
    recover::{learned, state_of},
    rest::Wide,
    saved::json,
    send::{Leg, Sent, send_all, writes},
};
use crate::{
    error::{Error, Kind, Result, Retry},
    replica::{
        apply::{self, Guard},
        marker,
    },
    store::{Action, Batch, BatchState, Lease, LeftOut, Moves, NewRun, Outcome, RunEnd, RunKind},
};

/// Why a batch after one that failed was not written.
const UNSENT: &str = "not sent";

/// What is to be written, and as what it is remembered.
pub(super) struct Job<'a> {
    pub(super) dataset: &'a str,
    /// The dataset of a sync, whose end is counted.
    pub(super) definition: Option<&'a Definition>,
    pub(super) guard: Guard,
    pub(super) kind: RunKind,
    /// The run that this one takes back.
    pub(super) undoes: Option<String>,
    pub(super) planned: &'a Planned,
    /// The moves of the bases, to be made as far as their writes are confirmed.
    pub(super) bases: &'a [Moves],
    /// The columns that those moves are aligned with.
    pub(super) base_columns: Vec<String>,
}

impl Job<'_> {
    /// Returns whether the rest may go on when writes to a member fail: it is one of several spokes.
    fn can_wait(&self, at: usize) -> bool {
        let first = self.planned.members.first();
        at > 0 && first.is_some_and(|member| member.name == HUB)
    }
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
    let mut legs = Vec::new();
    let mut journal: Vec<Batch> = Vec::new();
    let mut sent = Sent::default();
    let wide = Wide::of(planned);
    for (at, member) in planned.members.iter().enumerate() {
        let changes = planned.writes(member);
        if changes.is_empty() {
            continue;
        }
        let writes = writes(planned, member, &changes);
        let (named, side) = marked(&run, at);
        let prepared =
            apply::prepare(&shell.reach, &member.scan.target, &writes, &named, side, job.guard);
        let first = u32::try_from(journal.len()).unwrap_or(u32::MAX);
        let action = |change: &Change| wide.action(member, change);
        match prepared.await {
            Ok(prepared) => {
                journal.extend(batches(&member.name, &prepared, &changes, first, action)?);
                let can_wait = job.can_wait(at);
                legs.push(Leg { member, changes, prepared, can_wait });
            }
            // What moved is compared afresh; what cannot be reached is caught up later.
            Err(error) if job.can_wait(at) && error.kind() != Kind::Changed && can_wait(&error) => {
                let actions = changes.iter().map(|change| action(change)).collect();
                journal.push(refused(&member.name, first, actions, &error));
                sent.failed.insert(member.name.clone(), error.to_string());
            }
            Err(error) => return Err(error.context(member.name.clone()).into()),
        }
    }
    begin(shell, job, lease, &run, &journal, wide).await?;
    halt::point("begun").await;
    send_all(shell, planned, lease, &run, &mut legs, &mut journal, &mut sent).await;
    // What was written of the replicas is not needed any more, and large.
    drop(legs);
    settle(shell, job, lease, run, journal, sent).await
}

/// Returns the run's name and the side for the markers of a member: no two members of a run have both the same.
fn marked(run: &str, at: usize) -> (String, SideName) {
    match at {
        0 => (run.to_owned(), SideName::Left),
        1 => (run.to_owned(), SideName::Right),
        more => (format!("{run}-{more}"), SideName::Right),
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
    let bases = wide.moves(job.bases);
    let veil = hidden(&shell.store, job.dataset).await?;
    let columns = wide.columns.iter().enumerate();
    let sensitive = columns.filter(|(_, name)| veil.has(name)).map(|(at, _)| at).collect();
    let new = NewRun {
        id: run.to_owned(),
        dataset: job.dataset.to_owned(),
        plan_id: job.planned.plan.id().to_owned(),
        kind: job.kind,
        undoes: job.undoes.clone(),
        caller: shell.caller.clone(),
        started: shell.reach.clock.now(),
        columns: wide.columns,
        sensitive,
        decisions: job.planned.seen.as_ref().map(|seen| seen.applied.clone()).unwrap_or_default(),
    };
    shell.store.begin(lease, &new, journal, &bases).await
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
    let Sent { repaired, failed, unknown, error } = sent;
    let unconfirmed = left_out(&journal);
    let stopped = |error: Error| Stopped { error, run: Some(run.clone()) };
    let rows = |journal: &[Batch], state: BatchState| -> usize {
        let of = journal.iter().filter(|batch| batch.state == state);
        of.map(|batch| batch.actions.len()).sum()
    };
    if let Some(error) = error {
        if unknown || error.retry() == Retry::Ambiguous {
            return Err(stopped(error.next(
                "call syncDataset again: it first finds out whether the batch was written, then compares afresh",
            )));
        }
        let total: usize = journal.iter().map(|batch| batch.actions.len()).sum();
        let written = rows(&journal, BatchState::Applied);
        for batch in journal.iter_mut().filter(|batch| batch.state == BatchState::Intended) {
            batch.state = BatchState::Void;
        }
        let why = Some((error.kind().as_str().to_owned(), error.to_string()));
        close(shell, job, lease, &run, &journal, why).await.map_err(stopped)?;
        let error = if written == 0 {
            error
        } else {
            error.context(format!(
                "{written} of {total} rows were written and stay written; the rest was not"
            ))
        };
        return Err(stopped(error));
    }
    let written = rows(&journal, BatchState::Applied) as u64;
    let why: Vec<String> = failed.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    let why = (!why.is_empty()).then(|| ("spokeFailed".to_owned(), why.join("; ")));
    if unknown {
        // A spoke's batch may or may not have been written: that is settled before the next run, which need not wait.
        close_part(shell, lease, &run, &journal, why.map(|(_, text)| text))
            .await
            .map_err(stopped)?;
    } else {
        close(shell, job, lease, &run, &journal, why).await.map_err(stopped)?;
        halt::point("closed").await;
    }
    Ok(Done {
        run: Some(run),
        repaired,
        written: written.saturating_sub(unconfirmed.len() as u64),
        unconfirmed,
        failed,
        unknown,
        ..Done::default()
    })
}

async fn close(
    shell: &Shell,
    job: &Job<'_>,
    lease: &Lease,
    run: &str,
    journal: &[Batch],
    error: Option<(String, String)>,
) -> Result<()> {
    shell.store.void_intended(lease, run, UNSENT).await?;
    let applied = journal.iter().filter(|batch| batch.state == BatchState::Applied);
    let applied: usize = applied.map(|batch| batch.actions.len()).sum();
    let rows = applied.saturating_sub(left_out(journal).len()) as u64;
    let end = job.definition.map(|definition| {
        let end = ends::written(shell, definition, job.planned, state_of(journal), rows);
        RunEnd { error: error.clone().or(end.error), ..end }
    });
    let outcome = Outcome {
        state: state_of(journal),
        bases: confirmed(job.bases.to_vec(), journal),
        columns: job.base_columns.clone(),
        counts: counts(job.planned)?,
        error: error.map(|(_, text)| text),
        finished: shell.reach.clock.now(),
        seen: job.planned.seen.clone(),
    };
    halt::point("closing").await;
    shell.store.finish_counted(lease, run, &outcome, end.as_ref()).await?;
    Ok(())
}

/// Moves the bases of the members that are settled; the run stays open for the others.
async fn close_part(
    shell: &Shell,
    lease: &Lease,
    run: &str,
    journal: &[Batch],
    why: Option<String>,
) -> Result<()> {
    for batch in journal.iter().filter(|batch| batch.state == BatchState::Void) {
        let void = BatchState::Void;
        shell.store.mark_batch(lease, run, batch.seq, void, Some(UNSENT), &[]).await?;
    }
    let begun = shell.store.run(run).await?;
    let begun = begun.ok_or_else(|| Error::internal("a run that has begun is not there"))?;
    let intended = shell.store.intended_base(run).await?;
    let outcome = learned(&begun, intended, journal, shell.reach.clock.now());
    shell.store.finish_part(lease, run, &Outcome { error: why, ..outcome }).await
}

/// Returns the writes that were left out of batches that were applied: member, key and why.
fn left_out(journal: &[Batch]) -> Vec<(String, Key, LeftOut)> {
    let of = |batch: &Batch| -> Vec<(String, Key, LeftOut)> {
        let why = |action: &Action| {
            Some((batch.side.clone(), action.key.clone(), (**action.left_out.as_ref()?).clone()))
        };
        batch.actions.iter().filter_map(why).collect()
    };
    journal.iter().filter(|batch| batch.state == BatchState::Applied).flat_map(of).collect()
}

/// Returns the planned rows by member and kind, for the history.
fn counts(planned: &Planned) -> Result<serde_json::Value> {
    let mut counts: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for member in &planned.members {
        for change in planned.plan.body().result.writes(&member.name) {
            *counts.entry(&member.name).or_default().entry(kind(change.kind)).or_default() += 1;
        }
    }
    json(&counts)
}
