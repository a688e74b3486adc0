//! Takes a run back, as the shell does it.

use lockstep_engine::dataset::SideName;
use lockstep_engine::reconcile::Change;
use lockstep_engine::schema::Schema;
use lockstep_engine::undo::{Taught, compare, take_back, terms};

use crate::machine::run::{Action, Journal, Store};

/// Plans the undo of a run.
pub(crate) fn plan(store: &mut Store, schema: &Schema, run: &Journal, edits: u64) -> Journal {
    let terms = terms(schema).unwrap();
    let wrote: [Vec<Change>; 2] = SideName::BOTH.map(|side| {
        let own = run.actions.iter().filter(|action| action.side == side);
        own.map(|action| action.change.clone()).collect()
    });
    let compare = |(at, side): (usize, SideName)| {
        compare(&terms, &wrote[at], &store.side(side).read(schema, 0))
    };
    let compared: Vec<_> = SideName::BOTH.into_iter().enumerate().map(compare).collect();
    assert!(
        compared.iter().all(|one| one.losers.is_empty()),
        "an undo decides nothing: {compared:?}"
    );
    let mut result = take_back(&wrote, compared, |_, key| {
        let change = run.moves.iter().find(|change| change.key == *key)?;
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        Some(Taught { before, after, now: store.base.get(key) })
    });
    let actions: Vec<Action> = SideName::BOTH
        .into_iter()
        .zip(result.members)
        .flat_map(|(side, changes)| changes.into_iter().map(move |change| (side, change)))
        .map(|(side, change)| store.action(side, change))
        .collect();
    Journal {
        actions,
        moves: result.bases.remove(1),
        losers: Vec::new(),
        policy: run.policy.clone(),
        before: store.sides(),
        edits,
        broken: Default::default(),
    }
}
