//! What a run intends, made durable before the first effect, and what came of it.

use std::collections::BTreeSet;

use lockstep_engine::{
    dataset::SideName,
    key::Key,
    reconcile::{BaseChange, Change},
};

use crate::{
    error::{Error, Result},
    replica::apply::Prepared,
    store::{Action, Batch, BatchState},
};

/// Returns the journal's entries of the batches of one side.
pub(super) fn batches(
    side: SideName,
    prepared: &Prepared,
    changes: &[&Change],
    first: u32,
    action: impl Fn(&Change) -> Action,
) -> Result<Vec<Batch>> {
    (first..)
        .zip(0..prepared.batches())
        .map(|(seq, batch)| {
            let place = serde_json::to_value(prepared.place(batch)).map_err(|error| {
                Error::internal("the place of a batch has no JSON form").with_source(error)
            })?;
            let actions = prepared
                .changes(batch)
                .iter()
                .filter_map(|position| changes.get(*position))
                .map(|change| action(change))
                .collect();
            Ok(Batch { seq, side, place, actions, state: BatchState::Intended, note: None })
        })
        .collect()
}

/// Returns the moves of base whose writes, on both sides, were all confirmed.
pub(super) fn confirmed(
    base: Vec<BaseChange>,
    batches: &[Batch],
    unconfirmed: &BTreeSet<Key>,
) -> Vec<BaseChange> {
    let open: BTreeSet<&Key> = batches
        .iter()
        .filter(|batch| batch.state != BatchState::Applied)
        .flat_map(|batch| &batch.actions)
        .map(|action| &action.key)
        .collect();
    base.into_iter()
        .filter(|change| !open.contains(&change.key) && !unconfirmed.contains(&change.key))
        .collect()
}
