//! Finishes what a run that died left open.
//!
//! Each batch is settled by its marker, never by guessing; what was applied is
//! learned, and the next comparison sees what was not. Nothing is replayed.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::{dataset::SideName, schema::Schema, snapshot::Snapshot};

use super::{
    Shell,
    columns::widened,
    ends,
    images::{self, Proof},
    journal::{Unconfirmed, confirmed},
    prepare::look as look_at,
    rest,
    saved::{self, Saved},
    turn,
};
use crate::{
    error::{Error, Kind, Result},
    replica::{
        apply::{self, Mended, Place, Repair, Settled, Writes, settle},
        scan::{Role, Scan},
    },
    store::{Action, Batch, BatchState, EndState, Lease, Outcome, Run, RunEnd, RunKind, RunState},
};

/// Settles the open runs of the lease's dataset; returns how many there were.
///
/// # Errors
/// A replica that cannot be asked: the run stays open, and nothing else is done to the dataset meanwhile.
pub(crate) async fn recover(shell: &Shell, lease: &Lease) -> Result<u32> {
    let open = shell.store.open_runs(&lease.dataset).await?;
    let mut recovered = 0;
    for run in open {
        shell.reach.progress.step(0, None, "settling what an interrupted run left open");
        settle_run(shell, lease, &run)
            .await
            .map_err(|error| error.context(format!("settling the interrupted run {}", run.id)))?;
        recovered += 1;
    }
    Ok(recovered)
}

/// Settles the open runs of every dataset; called when a server starts.
pub(crate) async fn recover_all(shell: &Shell) {
    let datasets = match shell.store.open_datasets().await {
        Ok(datasets) => datasets,
        Err(error) => return tracing::warn!(%error, "open runs could not be looked up"),
    };
    for dataset in datasets {
        match turn::with(shell, &dataset, async |_, recovered| Ok(recovered)).await {
            Ok(runs) => tracing::info!(dataset, runs, "interrupted runs were settled"),
            // The next run of the dataset tries again, and says so to its caller.
            Err(error) => tracing::warn!(%error, dataset, "an interrupted run is not settled yet"),
        }
    }
}

async fn settle_run(shell: &Shell, lease: &Lease, run: &Run) -> Result<()> {
    let mut batches = shell.store.batches(&run.id).await?;
    let mut unconfirmed = Unconfirmed::new();
    let mut eyes = Eyes::default();
    for batch in &mut batches {
        if batch.state == BatchState::Intended {
            let (state, note) = match settle_batch(shell, batch).await? {
                Found::State(state, note) => (state, note.to_owned()),
                Found::Look(proof) => {
                    look(shell, run, batch, proof, &mut eyes, &mut unconfirmed).await?
                }
            };
            shell.store.mark_batch(lease, &run.id, batch.seq, state, Some(&note)).await?;
            batch.state = state;
        }
        super::halt::point("settled").await;
    }
    let intended = shell.store.intended_base(&run.id).await?;
    let (columns, bases) = rest::narrow(&run.columns, intended);
    let outcome = Outcome {
        state: state_of(&batches),
        bases: confirmed(bases, &batches, &unconfirmed),
        columns,
        counts: run.counts.clone(),
        error: Some(format!(
            "interrupted, and settled afterwards: {} of {} batches had been written",
            batches.iter().filter(|batch| batch.state == BatchState::Applied).count(),
            batches.len(),
        )),
        finished: shell.reach.clock.now(),
    };
    let state = match outcome.state {
        RunState::Failed => EndState::Failed,
        _ => EndState::Partial,
    };
    let interrupted = ("interrupted".to_owned(), outcome.error.clone().unwrap_or_default());
    let end = RunEnd {
        error: Some(interrupted),
        // How long it took is not known, and what this call asked for is not its.
        millis: 0,
        reads: 0,
        writes: 0,
        retries: 0,
        ..ends::end(shell, &run.dataset, state)
    };
    let end = (run.kind == RunKind::Sync).then_some(&end);
    shell.store.finish_counted(lease, &run.id, &outcome, end).await?;
    Ok(())
}

/// What asking for a batch's marker found out.
enum Found {
    /// All there is to know.
    State(BatchState, &'static str),
    /// What is there now must be looked at, too.
    Look(Proof),
}

async fn settle_batch(shell: &Shell, batch: &Batch) -> Result<Found> {
    let place = place(batch)?;
    let settled = settle(&shell.reach, &place).await;
    Ok(match (settled, place) {
        // Its process could not check any more where the values came to rest.
        // A database left out single rows that had changed, which only its dead process knew.
        (Ok(Settled::Applied), Place::Sheet { .. } | Place::Api { .. }) => {
            Found::Look(Proof::Applied)
        }
        (Ok(Settled::Applied), Place::Sql { .. }) => Found::Look(Proof::Batch),
        (Ok(Settled::Applied), Place::File { .. }) => {
            Found::State(BatchState::Applied, "settled: the file is what was written")
        }
        (Ok(Settled::Void), _) => {
            Found::State(BatchState::Void, "settled: it was not written and never will be")
        }
        // Somebody wrote it since, or it keeps no marker: only its rows can tell whether ours arrived.
        (Ok(Settled::Changed), _) => Found::Look(Proof::None),
        // A replica that is gone for good has nothing to lose any more.
        (Err(error), _) if error.kind() == Kind::NotFound => {
            Found::State(BatchState::Failed, "settled: the replica is not there any more")
        }
        (Err(error), _) => return Err(error),
    })
}

/// What was looked at to settle a run: each member once, unless something was mended there.
#[derive(Default)]
struct Eyes {
    saved: Option<Saved>,
    members: BTreeMap<String, Scan>,
}

impl Eyes {
    /// Returns the saved dataset and its schema; `None` where these were never saved, or it has no such member.
    async fn dataset(
        &mut self,
        shell: &Shell,
        run: &Run,
        member: &str,
    ) -> Result<Option<(&Saved, &Schema)>> {
        if self.saved.is_none() {
            self.saved = saved::load(shell, &run.dataset).await?;
        }
        let known = self.saved.as_ref().filter(|saved| saved.definition.source(member).is_some());
        Ok(known.and_then(|saved| Some((saved, saved.schema.as_ref()?))))
    }

    /// Returns what is on a member now.
    async fn on(&mut self, shell: &Shell, member: &str) -> Result<&Scan> {
        let nothing = || Error::internal("a member without a replica was looked at");
        if !self.members.contains_key(member) {
            let saved = self.saved.as_ref().ok_or_else(nothing)?;
            let source = saved.definition.source(member).ok_or_else(nothing)?;
            let role = Role::Both { side: SideName::Right, typed: true };
            let now = look_at(shell, member, source, role).await.map_err(|(_, error)| error)?;
            self.members.insert(member.to_owned(), now.scan);
        }
        self.members.get(member).ok_or_else(nothing)
    }
}

/// Settles a batch by what is there now; adds the keys that this does not confirm.
async fn look(
    shell: &Shell,
    run: &Run,
    batch: &Batch,
    proof: Proof,
    eyes: &mut Eyes,
    unconfirmed: &mut Unconfirmed,
) -> Result<(BatchState, String)> {
    let mut mended = Mended::default();
    let images: Vec<&Action> = batch.actions.iter().collect();
    let columns = eyes.dataset(shell, run, &batch.side).await?.map(|(saved, types)| {
        let schema = rest::schema(&run.columns, types, &images);
        let headers = images::headers(saved, &schema, &batch.side);
        (schema, headers)
    });
    let open = match columns {
        None => batch.actions.iter().map(|action| action.key.clone()).collect::<BTreeSet<_>>(),
        Some((schema, headers)) => {
            if let Some(aim) = shell.store.aim(&run.id, batch.seq).await? {
                mended = mend(shell, batch, &aim, &schema, &headers).await?;
                eyes.members.remove(&batch.side);
            }
            let now = eyes.on(shell, &batch.side).await?;
            let snapshot = widened(&now.snapshot, headers.iter().flatten());
            let view = images::view(&snapshot, &schema, &headers, &batch.side)?;
            let mut open = images::unconfirmed(&view, &batch.actions, proof);
            open.extend(mended.missing.iter().cloned());
            open
        }
    };
    let state = match proof {
        Proof::Applied | Proof::Batch => (BatchState::Applied, marked(&mended.repaired)),
        Proof::None if open.len() < batch.actions.len() => (
            BatchState::Applied,
            "settled: its rows are there, as far as nobody wrote them since".to_owned(),
        ),
        Proof::None => (BatchState::Failed, "settled: none of its rows is there".to_owned()),
    };
    unconfirmed.extend(open.into_iter().map(|key| (batch.side.clone(), key)));
    Ok(state)
}

/// Mends what an applied batch did to rows that had moved, which its process could not do any more.
async fn mend(
    shell: &Shell,
    batch: &Batch,
    aim: &[u8],
    schema: &Schema,
    headers: &[Option<String>],
) -> Result<Mended> {
    let snapshot = Snapshot::default();
    let writes = Writes { schema, headers, optional: &[], snapshot: &snapshot, changes: &[] };
    let mended = apply::mend(&shell.reach, &place(batch)?, aim, &writes).await?;
    for Repair { key, row, what } in &mended.repaired {
        tracing::warn!(key, row, what, "a row that an interrupted run had hit by mistake");
    }
    Ok(mended)
}

/// Returns the note of a batch whose marker is there.
fn marked(mended: &[Repair]) -> String {
    let mut note = "settled: its marker is there".to_owned();
    for Repair { key, what, .. } in mended {
        note.push_str(&format!("; \"{key}\" {what}"));
    }
    note
}

fn place(batch: &Batch) -> Result<Place> {
    serde_json::from_value(batch.place.clone()).map_err(|error| {
        Error::internal("the journal holds a place that is none").with_source(error)
    })
}

/// Returns how a run ended, by what came of its batches.
pub(super) fn state_of(batches: &[Batch]) -> RunState {
    let applied = batches.iter().filter(|batch| batch.state == BatchState::Applied).count();
    match applied {
        _ if applied == batches.len() => RunState::Applied,
        0 => RunState::Failed,
        _ => RunState::Partial,
    }
}
