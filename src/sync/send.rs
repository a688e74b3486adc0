//! Sends the batches of a run, member by member, the hub first, and marks each in the journal.

use std::collections::BTreeMap;

use lockstep_engine::reconcile::Change;

use super::{
    Shell, halt,
    prepare::{self, Member, Planned},
    recover, turn,
};
use crate::{
    error::{Error, Result, Retry},
    replica::apply::{self, Notes, Prepared, Repair, Writes},
    store::{Batch, BatchState, Lease},
};

/// The writes to one member, on their way.
pub(super) struct Leg<'a> {
    pub(super) member: &'a Member,
    pub(super) changes: Vec<&'a Change>,
    pub(super) prepared: Prepared,
    /// Whether the others go on when these writes fail.
    pub(super) can_wait: bool,
}

/// Returns the writes to a member as its replica takes them.
pub(super) fn writes<'a>(
    planned: &'a Planned,
    member: &'a Member,
    changes: &'a [&'a Change],
) -> Writes<'a> {
    Writes {
        schema: &planned.plan.body().basis.schema,
        headers: &member.headers,
        optional: &member.optional,
        snapshot: &member.scan.snapshot,
        changes,
    }
}

/// What came of the batches.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) repaired: Vec<Repair>,
    /// Why the spokes that failed did, by name.
    pub(super) failed: BTreeMap<String, String>,
    /// Whether a spoke failed in such a way that its batch may have been written, or may be.
    pub(super) unknown: bool,
    /// What ended the run early.
    pub(super) error: Option<Error>,
}

/// Sends every batch, marking each in the journal; stops at the first that fails, of a spoke of several only its own.
pub(super) async fn send_all(
    shell: &Shell,
    planned: &Planned,
    lease: &mut Lease,
    run: &str,
    legs: &mut [Leg<'_>],
    journal: &mut [Batch],
    sent: &mut Sent,
) {
    let total = journal.iter().map(|batch| batch.actions.len() as u64).sum();
    let mut done = 0;
    for Leg { member, changes, prepared, can_wait } in legs {
        let (name, writes) = (&member.name, writes(planned, member, changes));
        let own = journal.iter_mut().filter(|batch| batch.side == *name);
        for (number, entry) in (0..prepared.batches()).zip(own) {
            if sent.failed.contains_key(name) {
                entry.state = BatchState::Void;
                continue;
            }
            shell.reach.progress.step(done, Some(total), format!("writing to the {name} side"));
            match send_one(shell, lease, prepared, number, &writes, run, entry).await {
                Ok(outcome) => sent.repaired.extend(outcome.repaired),
                Err(Failure::Refused(error)) if *can_wait && prepare::can_wait(&error) => {
                    sent.unknown |= error.retry() == Retry::Ambiguous;
                    sent.failed.insert(name.clone(), error.to_string());
                }
                Err(Failure::Refused(error) | Failure::Stop(error)) => {
                    sent.error = Some(error);
                    return;
                }
            }
            done += entry.actions.len() as u64;
            shell.reach.progress.step(done, Some(total), format!("wrote to the {name} side"));
        }
    }
}

/// Why a batch was not confirmed.
enum Failure {
    /// The replica did not take it.
    Refused(Error),
    /// The run cannot go on.
    Stop(Error),
}

async fn send_one(
    shell: &Shell,
    lease: &mut Lease,
    prepared: &mut Prepared,
    number: usize,
    writes: &Writes<'_>,
    run: &str,
    entry: &mut Batch,
) -> Result<apply::Sent, Failure> {
    let unsent = async {
        shell.reach.progress.check()?;
        turn::keep(shell, lease).await
    };
    if let Err(error) = unsent.await {
        entry.state = BatchState::Void;
        return Err(Failure::Stop(error));
    }
    halt::point("sending").await;
    let notes = Notes { store: shell.store.clone(), run: run.to_owned(), seq: entry.seq };
    let sent = apply::send(&shell.reach, prepared, number, writes, &notes).await;
    halt::point("sent").await;
    let left_out = match &sent {
        Ok(sent) => apply::left_out(writes, &sent.unconfirmed),
        Err(_) => Vec::new(),
    };
    let (state, note) = match &sent {
        Ok(_) => (BatchState::Applied, None),
        // Whether it was applied is unknown: it stays intended, and is settled by its marker before the next run.
        Err(error) if error.retry() == Retry::Ambiguous => return sent.map_err(Failure::Refused),
        Err(error) => (BatchState::Failed, Some(error.to_string())),
    };
    recover::settled(entry, state, &left_out);
    let note = note.as_deref();
    let marked = shell.store.mark_batch(lease, run, entry.seq, state, note, &left_out).await;
    marked.map_err(Failure::Stop)?;
    halt::point("marked").await;
    sent.map_err(Failure::Refused)
}
