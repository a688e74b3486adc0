//! Finishes what a run that died left open.
//!
//! Each batch is settled by its marker, never by guessing; what was applied is
//! learned, and the next comparison sees what was not. Nothing is replayed.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::{dataset::SideName, hub::HUB, key::Key, schema::Schema, snapshot::Snapshot};

use jiff::Timestamp;

use super::{
    Shell,
    columns::widened,
    ends,
    images::{self, Proof},
    journal::{confirmed, spoke},
    prepare::{can_wait, look as look_at},
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
    store::{
        Action, Batch, BatchState, EndState, Intended, Lease, LeftOut, Outcome, Run, RunEnd,
        RunKind, RunState,
    },
};

/// What was settled before a run, and what could not be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recovered {
    /// How many runs were settled.
    pub(crate) runs: u32,
    /// Spokes of which it is not known whether they were written, with the reason: they are left out until it is.
    pub(crate) waiting: BTreeMap<String, String>,
}

/// Settles the open runs of the lease's dataset.
///
/// # Errors
/// A replica that cannot be asked, but for a spoke: the run stays open, and nothing else is done to the dataset meanwhile.
pub(crate) async fn recover(shell: &Shell, lease: &Lease) -> Result<Recovered> {
    let open = shell.store.open_runs(&lease.dataset).await?;
    let mut recovered = Recovered::default();
    for run in open {
        shell.reach.progress.step(0, None, "settling what an interrupted run left open");
        let waiting = settle_run(shell, lease, &run)
            .await
            .map_err(|error| error.context(format!("settling the interrupted run {}", run.id)))?;
        recovered.runs += u32::from(waiting.is_empty());
        recovered.waiting.extend(waiting.into_iter().map(|(spoke, error)| {
            let why = format!("whether run {} wrote it could not be found out: {error}", run.id);
            (spoke, why)
        }));
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
            Ok(Recovered { runs, waiting }) => {
                tracing::info!(dataset, runs, ?waiting, "interrupted runs were settled");
            }
            // The next run of the dataset tries again, and says so to its caller.
            Err(error) => tracing::warn!(%error, dataset, "an interrupted run is not settled yet"),
        }
    }
}

/// Settles the open runs of one dataset.
///
/// # Errors
/// A dataset that another run has, and a replica that cannot be asked.
pub(crate) async fn recover_one(shell: &Shell, dataset: &str) -> Result<()> {
    turn::with(shell, dataset, async |_, _| Ok(())).await
}

/// Settles a run as far as its members can be asked; returns the spokes that could not be.
async fn settle_run(shell: &Shell, lease: &Lease, run: &Run) -> Result<BTreeMap<String, Error>> {
    let mut batches = shell.store.batches(&run.id).await?;
    let mut eyes = Eyes::default();
    let mut waiting = BTreeMap::new();
    // Only a hub has spokes that the others need not wait for.
    let hub = saved::load(shell, &run.dataset).await?.is_some_and(|one| one.definition.is_hub());
    for batch in &mut batches {
        if batch.state == BatchState::Intended && !waiting.contains_key(&batch.side) {
            match find_out(shell, run, batch, &mut eyes).await {
                Ok((state, note, open)) => {
                    let why =
                        |key: Key| (key, LeftOut::changed("it was not found there afterwards"));
                    let open: Vec<_> = open.into_iter().map(why).collect();
                    let note = Some(note.as_str());
                    shell.store.mark_batch(lease, &run.id, batch.seq, state, note, &open).await?;
                    settled(batch, state, &open);
                }
                Err(error) if hub && batch.side != HUB && can_wait(&error) => {
                    tracing::warn!(%error, batch.side, "a spoke cannot be asked what was written");
                    waiting.insert(batch.side.clone(), error);
                }
                Err(error) => return Err(error),
            }
        }
        super::halt::point("settled").await;
    }
    let intended = shell.store.intended_base(&run.id).await?;
    let why = format!(
        "interrupted, and settled afterwards: {} of {} batches had been written",
        batches.iter().filter(|batch| batch.state == BatchState::Applied).count(),
        batches.len(),
    );
    let outcome = Outcome {
        state: state_of(&batches),
        counts: run.counts.clone(),
        error: Some(run.error.clone().unwrap_or(why)),
        ..learned(run, intended, &batches, shell.reach.clock.now())
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
    if waiting.is_empty() {
        shell.store.finish_counted(lease, &run.id, &outcome, end).await?;
    } else {
        shell.store.finish_part(lease, &run.id, &outcome).await?;
    }
    Ok(waiting)
}

/// Returns what the bases of an open run learn from what is settled of it by now; its state says that it is open.
///
/// The base of a member that is not settled waits, and what was learned before is not learned again.
pub(super) fn learned(
    run: &Run,
    intended: Vec<Intended>,
    batches: &[Batch],
    finished: Timestamp,
) -> Outcome {
    let open: BTreeSet<&str> = batches
        .iter()
        .filter(|batch| batch.state == BatchState::Intended)
        .map(|batch| batch.side.as_str())
        .collect();
    let moved: Vec<bool> = intended.iter().map(|one| one.moved).collect();
    let bases = intended.into_iter().map(|one| one.moves).collect();
    let (columns, bases) = rest::narrow(&run.columns, bases);
    let bases = confirmed(bases, batches).into_iter().zip(moved);
    let bases = bases.filter(|(moves, moved)| !moved && !open.contains(spoke(moves)));
    Outcome {
        state: RunState::Applying,
        bases: bases.map(|(moves, _)| moves).collect(),
        columns,
        counts: serde_json::Value::Null,
        error: None,
        finished,
        seen: None,
    }
}

/// Takes note of what became of a batch.
pub(super) fn settled(batch: &mut Batch, state: BatchState, open: &[(Key, LeftOut)]) {
    batch.state = state;
    for (key, why) in open {
        for action in batch.actions.iter_mut().filter(|action| action.key == *key) {
            action.left_out = Some(Box::new(why.clone()));
        }
    }
}

/// Finds out what became of a batch, and which of its writes are not there.
async fn find_out(
    shell: &Shell,
    run: &Run,
    batch: &Batch,
    eyes: &mut Eyes,
) -> Result<(BatchState, String, BTreeSet<Key>)> {
    match settle_batch(shell, batch).await? {
        Found::State(state, note) => Ok((state, note.to_owned(), BTreeSet::new())),
        Found::Look(proof) => look(shell, run, batch, proof, eyes).await,
    }
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
        (Ok(Settled::Applied), Place::Sheet { .. } | Place::Api { .. }) => {
            Found::Look(Proof::Applied)
        }
        // What was left out of it was noted before its commit.
        (Ok(Settled::Applied), Place::Sql { .. }) => {
            Found::State(BatchState::Applied, "settled: its marker is there")
        }
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
            let now =
                look_at(shell, member, source, role, None).await.map_err(|(_, error)| error)?;
            self.members.insert(member.to_owned(), now.scan);
        }
        self.members.get(member).ok_or_else(nothing)
    }
}

/// Settles a batch by what is there now; returns the keys that this does not confirm, too.
async fn look(
    shell: &Shell,
    run: &Run,
    batch: &Batch,
    proof: Proof,
    eyes: &mut Eyes,
) -> Result<(BatchState, String, BTreeSet<Key>)> {
    let mut mended = Mended::default();
    let images: Vec<&Action> = batch.actions.iter().collect();
    let columns = eyes.dataset(shell, run, &batch.side).await?.map(|(saved, types)| {
        let schema = rest::schema(&run.columns, types, &images);
        let headers = images::headers(saved, &schema, &batch.side);
        // A column that only marks deleted rows may never have been made.
        let own = |name: &String| saved.marks.values().any(|mark| mark.column == *name);
        let marks = schema.columns.iter().enumerate().filter(|(_, column)| own(&column.name));
        let marks: Vec<usize> = marks.map(|(at, _)| at).collect();
        (schema, headers, marks)
    });
    let open = match columns {
        None => batch.actions.iter().map(|action| action.key.clone()).collect::<BTreeSet<_>>(),
        Some((schema, headers, marks)) => {
            if let Some(aim) = shell.store.aim(&run.id, batch.seq).await? {
                mended = mend(shell, batch, &aim, (&schema, &headers, &marks)).await?;
                eyes.members.remove(&batch.side);
            }
            let now = eyes.on(shell, &batch.side).await?;
            let snapshot = widened(now.snapshot.clone(), headers.iter().flatten());
            let view = images::view(&snapshot, &schema, &headers, &batch.side)?;
            let mut open = images::unconfirmed(&view, &batch.actions, proof);
            if matches!(place(batch)?, Place::File { .. }) {
                images::as_a_whole(&view, &batch.actions, &mut open);
            }
            open.extend(mended.missing.iter().cloned());
            open
        }
    };
    let state = match proof {
        Proof::Applied => (BatchState::Applied, marked(&mended.repaired)),
        Proof::None if open.len() < batch.actions.len() => (
            BatchState::Applied,
            "settled: its rows are there, as far as nobody wrote them since".to_owned(),
        ),
        Proof::None => (BatchState::Failed, "settled: none of its rows is there".to_owned()),
    };
    let (state, note) = state;
    Ok((state, note, open))
}

/// Mends what an applied batch did to rows that had moved, which its process could not do any more.
async fn mend(
    shell: &Shell,
    batch: &Batch,
    aim: &[u8],
    (schema, headers, optional): (&Schema, &[Option<String>], &[usize]),
) -> Result<Mended> {
    let snapshot = Snapshot::default();
    let writes = Writes { schema, headers, optional, snapshot: &snapshot, changes: &[] };
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
    let whole = batches.iter().flat_map(|batch| &batch.actions).all(|one| one.left_out.is_none());
    match applied {
        _ if applied == batches.len() && whole => RunState::Applied,
        0 => RunState::Failed,
        _ => RunState::Partial,
    }
}
