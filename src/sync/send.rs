//! Sends the batches of a run, member by member, the hub first, and marks each in the journal.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use futures_util::{StreamExt as _, stream};
use lockstep_engine::reconcile::Change;
use tokio::sync::Mutex;

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
///
/// The batches of one member go one after the other; spokes of a hub side by side, as many as the shell says.
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
    let mut own: BTreeMap<String, Vec<&mut Batch>> = BTreeMap::new();
    for batch in journal.iter_mut() {
        own.entry(batch.side.clone()).or_default().push(batch);
    }
    let way = Way {
        shell,
        planned,
        run,
        lease: Mutex::new(lease),
        total,
        done: AtomicU64::new(0),
        ended: AtomicBool::new(false),
    };
    let (spokes, first): (Vec<_>, Vec<_>) = legs.iter_mut().partition(|leg| leg.can_wait);
    let mut ends = Vec::new();
    for leg in first {
        let entries = own.remove(&leg.member.name).unwrap_or_default();
        ends.push(way.send_to(leg, entries).await);
    }
    let spokes: Vec<_> = spokes
        .into_iter()
        .map(|leg| {
            let entries = own.remove(&leg.member.name).unwrap_or_default();
            way.send_to(leg, entries)
        })
        .collect();
    ends.extend(stream::iter(spokes).buffered(shell.abreast.max(1)).collect::<Vec<_>>().await);
    for end in ends {
        sent.repaired.extend(end.repaired);
        sent.failed.extend(end.failed);
        sent.unknown |= end.unknown;
        sent.error = sent.error.take().or(end.error);
    }
}

/// What all members of a run share while they are written.
struct Way<'a> {
    shell: &'a Shell,
    planned: &'a Planned,
    run: &'a str,
    lease: Mutex<&'a mut Lease>,
    total: u64,
    done: AtomicU64,
    /// Whether something ended the run: nothing more is sent.
    ended: AtomicBool,
}

impl Way<'_> {
    /// Sends the batches of one member.
    async fn send_to(&self, leg: &mut Leg<'_>, entries: Vec<&mut Batch>) -> Sent {
        let Leg { member, changes, prepared, can_wait } = leg;
        let (name, writes) = (&member.name, writes(self.planned, member, changes));
        let progress = &self.shell.reach.progress;
        let mut sent = Sent::default();
        for (number, entry) in (0..prepared.batches()).zip(entries) {
            if self.ended.load(Ordering::SeqCst) {
                break;
            }
            if sent.failed.contains_key(name) {
                entry.state = BatchState::Void;
                continue;
            }
            let done = self.done.load(Ordering::SeqCst);
            progress.step(done, Some(self.total), format!("writing to the {name} side"));
            match self.send_one(prepared, number, &writes, entry).await {
                Ok(outcome) => sent.repaired.extend(outcome.repaired),
                Err(Failure::Refused(error)) if *can_wait && prepare::can_wait(&error) => {
                    sent.unknown |= error.retry() == Retry::Ambiguous;
                    sent.failed.insert(name.clone(), error.to_string());
                }
                Err(Failure::Refused(error) | Failure::Stop(error)) => {
                    self.ended.store(true, Ordering::SeqCst);
                    sent.error = Some(error);
                    break;
                }
            }
            let rows = entry.actions.len() as u64;
            let done = self.done.fetch_add(rows, Ordering::SeqCst) + rows;
            progress.step(done, Some(self.total), format!("wrote to the {name} side"));
        }
        sent
    }

    async fn send_one(
        &self,
        prepared: &mut Prepared,
        number: usize,
        writes: &Writes<'_>,
        entry: &mut Batch,
    ) -> Result<apply::Sent, Failure> {
        let Self { shell, run, .. } = self;
        let unsent = async {
            shell.reach.progress.check()?;
            turn::keep(shell, &mut **self.lease.lock().await).await
        };
        if let Err(error) = unsent.await {
            entry.state = BatchState::Void;
            return Err(Failure::Stop(error));
        }
        halt::point("sending").await;
        let notes = Notes { store: shell.store.clone(), run: (*run).to_owned(), seq: entry.seq };
        let sent = apply::send(&shell.reach, prepared, number, writes, &notes).await;
        halt::point("sent").await;
        let left_out = match &sent {
            Ok(sent) => apply::left_out(writes, &sent.unconfirmed),
            Err(_) => Vec::new(),
        };
        let (state, note) = match &sent {
            Ok(_) => (BatchState::Applied, None),
            // Whether it was applied is unknown: it stays intended, and is settled by its marker before the next run.
            Err(error) if error.retry() == Retry::Ambiguous => {
                return sent.map_err(Failure::Refused);
            }
            Err(error) => (BatchState::Failed, Some(error.to_string())),
        };
        recover::settled(entry, state, &left_out);
        let (note, lease) = (note.as_deref(), (**self.lease.lock().await).clone());
        let marked = shell.store.mark_batch(&lease, run, entry.seq, state, note, &left_out).await;
        marked.map_err(Failure::Stop)?;
        halt::point("marked").await;
        sent.map_err(Failure::Refused)
    }
}

/// Why a batch was not confirmed.
enum Failure {
    /// The replica did not take it.
    Refused(Error),
    /// The run cannot go on.
    Stop(Error),
}
