//! Finishes what a run that died left open.
//!
//! Each batch is settled by its marker, never by guessing; what was applied is
//! learned, and the next comparison sees what was not. Nothing is replayed.

use std::collections::BTreeSet;

use lockstep_engine::{
    dataset::{PerSide, SideName},
    key::Key,
};

use super::{
    Shell,
    columns::widened,
    images,
    journal::confirmed,
    rest,
    saved,
    turn,
};
use crate::{
    error::{Error, Kind, Result},
    replica::{
        apply::{Place, Settled, settle},
        scan::{Role, scan},
    },
    store::{Action, Batch, BatchState, Lease, Outcome, Run, RunState},
};

/// Settles the open runs of the lease's dataset; returns how many there were.
///
/// # Errors
/// A replica that cannot be asked: the run stays open, and nothing else is done to the dataset meanwhile.
pub(crate) async fn recover(shell: &Shell, lease: &Lease) -> Result<u32> {
    let open = shell.store.open_runs(&lease.dataset).await?;
    let mut recovered = 0;
    for run in open {
        shell.progress.step(0, None, "settling what an interrupted run left open");
        settle_run(shell, lease, &run).await.map_err(|error| {
            error.context(format!("settling the interrupted run {}", run.id))
        })?;
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
    let mut unsure = 0;
    let mut proven: PerSide<Vec<Action>> = PerSide::default();
    for batch in &mut batches {
        if batch.state == BatchState::Intended {
            let (state, note) = settle_batch(shell, batch).await?;
            unsure += u32::from(state == BatchState::Failed);
            if state == BatchState::Applied {
                proven.get_mut(batch.side).extend(batch.actions.iter().cloned());
            }
            shell.store.mark_batch(lease, &run.id, batch.seq, state, Some(note)).await?;
            batch.state = state;
        }
        super::halt::point("settled").await;
    }
    let intended = shell.store.intended_base(&run.id).await?;
    let (columns, base) = rest::narrow(&run.columns, intended);
    let unconfirmed = unlike(shell, run, &proven).await?;
    let outcome = Outcome {
        state: state_of(&batches),
        base: confirmed(base, &batches, &unconfirmed),
        columns,
        counts: run.counts.clone(),
        error: Some(format!(
            "interrupted, and settled afterwards: {} of {} batches had been written{}",
            batches.iter().filter(|batch| batch.state == BatchState::Applied).count(),
            batches.len(),
            if unsure > 0 { "; a file was written by someone else meanwhile" } else { "" }
        )),
        finished: shell.clock.now(),
    };
    shell.store.finish(lease, &run.id, &outcome).await?;
    Ok(())
}

/// Returns the keys that a dead run wrote and that are not as it wrote them.
///
/// Its process could not check any more where its values came to rest, so a fresh read does.
async fn unlike(shell: &Shell, run: &Run, proven: &PerSide<Vec<Action>>) -> Result<BTreeSet<Key>> {
    let mut keys = BTreeSet::new();
    let Some(saved) = saved::load(shell, &run.dataset).await? else { return Ok(keys) };
    let Some(schema) = &saved.schema else { return Ok(keys) };
    let schema = rest::schema(&run.columns, schema, proven);
    for side in SideName::BOTH {
        let actions = proven.get(side);
        if actions.is_empty() {
            continue;
        }
        let source = saved.definition.source(side);
        let role = Role::Both { side, typed: true };
        let mut now = scan(&shell.google, &shell.files, source, role).await?;
        let headers = images::headers(&saved, &schema, side);
        now.snapshot = widened(&now.snapshot, headers.iter().flatten());
        keys.extend(images::unlike(&images::view(&now, &schema, &headers, side)?, actions));
    }
    Ok(keys)
}

async fn settle_batch(shell: &Shell, batch: &Batch) -> Result<(BatchState, &'static str)> {
    let place: Place = serde_json::from_value(batch.place.clone()).map_err(|error| {
        Error::internal("the journal holds a place that is none").with_source(error)
    })?;
    match settle(&shell.google, &shell.files, shell.clock, &place).await {
        Ok(Settled::Applied) => Ok((BatchState::Applied, "settled: its marker is there")),
        Ok(Settled::Void) => Ok((BatchState::Void, "settled: it was not written and never will be")),
        Ok(Settled::Changed) => {
            Ok((BatchState::Failed, "settled: the file is neither as before nor as after"))
        }
        // A replica that is gone for good has nothing to lose any more.
        Err(error) if error.kind() == Kind::NotFound => {
            Ok((BatchState::Failed, "settled: the replica is not there any more"))
        }
        Err(error) => Err(error),
    }
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
