//! Takes a run back, as the shell does it.

use lockstep_engine::dataset::{PerSide, SideName};
use lockstep_engine::reconcile::Change;
use lockstep_engine::schema::Schema;
use lockstep_engine::undo::{Taught, compare, take_back, terms};

use crate::machine::run::{Action, Journal, Store};

/// Plans the undo of a run.
pub(crate) fn plan(store: &mut Store, schema: &Schema, run: &Journal, edits: u64) -> Journal {
    let terms = terms(schema).unwrap();
    let wrote: PerSide<Vec<Change>> = PerSide::from_fn(|side| {
        let own = run.actions.iter().filter(|action| action.side == side);
        own.map(|action| action.change.clone()).collect()
    });
    let compared = PerSide::from_fn(|side| {
        compare(&terms, wrote.get(side), &store.side(side).read(schema, 0))
    });
    let result = take_back(&wrote, compared, |key| {
        let change = run.moves.iter().find(|change| change.key == *key)?;
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        Some(Taught { before, after, now: store.base.get(key) })
    });
    assert!(result.losers.is_empty(), "an undo decides nothing: {result:?}");
    let writes = [(SideName::Left, result.left), (SideName::Right, result.right)];
    let actions: Vec<Action> = writes
        .into_iter()
        .flat_map(|(side, changes)| changes.into_iter().map(move |change| (side, change)))
        .map(|(side, change)| store.action(side, change))
        .collect();
    Journal {
        actions,
        moves: result.base,
        losers: Vec::new(),
        policy: run.policy.clone(),
        before: store.sides(),
        edits,
        broken: Default::default(),
    }
}
