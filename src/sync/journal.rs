//! What a run intends, made durable before the first effect, and what came of it.

use std::collections::BTreeMap;

use lockstep_engine::{
    confirm::{self, Made},
    dataset::SideName,
    hub::HUB,
    key::Key,
    reconcile::Change,
};

use crate::{
    error::{Error, Result},
    replica::apply::Prepared,
    store::{Action, Batch, BatchState, Moves},
};

/// Returns the journal's entries of the batches of one side.
pub(super) fn batches(
    side: &str,
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
            let side = side.to_owned();
            Ok(Batch { seq, side, place, actions, state: BatchState::Intended, note: None })
        })
        .collect()
}

/// Returns the journal's entry of writes that could not even be prepared.
pub(super) fn refused(side: &str, seq: u32, actions: Vec<Action>, why: &Error) -> Batch {
    let (side, place) = (side.to_owned(), serde_json::Value::Null);
    Batch { seq, side, place, actions, state: BatchState::Failed, note: Some(why.to_string()) }
}

/// Returns the moves of the bases that follow from what was confirmed.
///
/// A base is what its spoke and the hub agree on (of a pair: right and left): see the engine's [`confirm`]. Where spokes
/// were written and the hub was not, only one of them is to speak at the next comparison, or a sum would count what it
/// says twice: for the others the hub counts as written.
pub(super) fn confirmed(bases: Vec<Moves>, batches: &[Batch]) -> Vec<Moves> {
    let sure = |batch: &Batch, action: &Action| {
        batch.state == BatchState::Applied && action.left_out.is_none()
    };
    if batches.iter().all(|batch| batch.actions.iter().all(|action| sure(batch, action))) {
        // Everything was written: the bases move as intended.
        return bases;
    }
    let of = |member: &str| {
        let own = batches.iter().filter(|batch| batch.side == member);
        own.flat_map(|batch| batch.actions.iter().map(move |one| (one, sure(batch, one))))
            .collect::<Vec<_>>()
    };
    let hubs = bases.first().map(|moves| of(hub(moves))).unwrap_or_default();
    let missing: BTreeMap<&Key, &Action> = hubs
        .iter()
        .filter(|(action, sure)| !sure && action.before.is_some() && action.after.is_some())
        .map(|(action, _)| (&action.key, *action))
        .collect();
    let mut speaks: BTreeMap<Key, String> = BTreeMap::new();
    for moves in &bases {
        for (action, _) in of(spoke(moves)).into_iter().filter(|(_, sure)| *sure) {
            if missing.get(&action.key).is_some_and(|hub| agree(hub, action)) {
                speaks.entry(action.key.clone()).or_insert_with(|| moves.spoke.clone());
            }
        }
    }
    let learn = |moves: Moves| {
        let spoken = |key: &Key| speaks.get(key).is_some_and(|speaker| *speaker != moves.spoke);
        let hub = hubs.iter().map(|(action, sure)| made(action, *sure || spoken(&action.key)));
        let own = of(spoke(&moves));
        let own = own.iter().map(|(action, sure)| made(action, *sure));
        let changes = confirm::confirmed(moves.changes.to_vec(), hub.chain(own));
        Moves { spoke: moves.spoke.clone(), changes: changes.into() }
    };
    bases.into_iter().map(learn).collect()
}

/// Returns whether two writes were to give their common cells the same values.
fn agree(one: &Action, other: &Action) -> bool {
    let value = |action: &Action, at: usize| action.after.as_ref().map(|row| row.get(at).cloned());
    let mut common = one.cells.iter().filter(|at| other.cells.contains(at));
    common.all(|at| value(one, *at) == value(other, *at))
}

fn made(action: &Action, confirmed: bool) -> Made<'_> {
    Made {
        key: &action.key,
        kind: action.kind,
        before: action.before.as_ref(),
        after: action.after.as_ref(),
        cells: &action.cells,
        confirmed,
    }
}

/// Returns the member that a base's spoke agrees with.
pub(super) fn hub(moves: &Moves) -> &'static str {
    if moves.spoke.is_empty() { SideName::Left.as_str() } else { HUB }
}

/// Returns the member that a base belongs to.
pub(super) fn spoke(moves: &Moves) -> &str {
    if moves.spoke.is_empty() { SideName::Right.as_str() } else { &moves.spoke }
}

#[cfg(test)]
mod tests {
    use lockstep_engine::{
        dataset::{ColumnPolicy, Combine, PerSide, Policy},
        hub::{Spoke, reconcile_hub},
        reconcile::{BaseChange, Reconciled, Side, reconcile},
        schema::{Column, ColumnType, Schema},
        table::Table,
        terms::Terms,
        times::Times,
        value::{Row, Value},
    };
    use serde_json::Value as Json;

    use crate::store::LeftOut;

    use super::*;

    fn schema() -> Schema {
        let columns = vec![
            Column::new("id", ColumnType::Text),
            Column::new("n", ColumnType::Number),
            Column::new("name", ColumnType::Text),
        ];
        Schema::new(columns, vec![0])
    }

    fn row(n: i64, name: &str) -> Row {
        vec![Value::from("k"), Value::from(n), Value::text(name)].into()
    }

    fn plan(base: &Row, left: &Row, right: &Row) -> Reconciled {
        let schema = schema();
        let sum = ColumnPolicy { merge: Some(Combine::Sum), ..ColumnPolicy::default() };
        let mut policy = Policy::default();
        policy.columns.insert("n".into(), sum);
        let terms = Terms::new(&schema, &policy).unwrap();
        let [base, left, right] =
            [base, left, right].map(|row| Table::from_rows(&schema, [row.clone()]));
        let (left, right) = (Side::complete(&left), Side::complete(&right));
        reconcile(Some(&base), left, right, &terms, &Times::default())
    }

    fn batch(side: SideName, result: &Reconciled, state: BatchState) -> Batch {
        let action = |change: &Change| Action {
            key: change.key.clone(),
            kind: change.kind,
            before: change.before.clone(),
            after: change.after.clone(),
            cells: change.cells.clone(),
            left_out: None,
        };
        let actions = result.writes(side).iter().map(action).collect();
        Batch { seq: 0, side: side.as_str().into(), place: Json::Null, actions, state, note: None }
    }

    fn learned(base: &[BaseChange], batches: &[Batch]) -> Vec<BaseChange> {
        let moves = Moves { spoke: String::new(), changes: base.into() };
        confirmed(vec![moves], batches).remove(0).changes.to_vec()
    }

    /// Both sides add to a sum; the left is written and the right is not: the next runs must not count anything twice.
    #[test]
    fn a_half_written_sum_is_not_counted_twice() {
        let (base, left, right) = (row(10, "a"), row(12, "left"), row(13, "a"));
        let first = plan(&base, &left, &right);
        let merged = first.left[0].after.clone().unwrap();
        assert_eq!(merged, row(15, "left"));
        for (states, wanted) in [
            (PerSide { left: BatchState::Applied, right: BatchState::Void }, row(15, "left")),
            (PerSide { left: BatchState::Void, right: BatchState::Applied }, row(15, "left")),
        ] {
            let batches = SideName::BOTH.map(|side| batch(side, &first, *states.get(side)));
            let moves = learned(&first.base, &batches);
            let known = moves[0].after.clone().unwrap();
            let now = PerSide::from_fn(|side| match states.get(side) {
                BatchState::Applied => first.writes(side)[0].after.clone().unwrap(),
                _ => first.writes(side)[0].before.clone().unwrap(),
            });
            let second = plan(&known, &now.left, &now.right);
            assert_eq!(second.conflicts, [], "{second:?}");
            let changed = second.left.iter().chain(&second.right).collect::<Vec<_>>();
            assert_eq!(changed.len(), 1);
            assert_eq!(changed[0].after.as_ref(), Some(&wanted));
        }
    }

    #[test]
    fn nothing_written_moves_nothing_and_all_written_moves_as_intended() {
        let first = plan(&row(10, "a"), &row(12, "left"), &row(13, "a"));
        let of = |state| SideName::BOTH.map(|side| batch(side, &first, state));
        assert_eq!(learned(&first.base, &of(BatchState::Void)), []);
        assert_eq!(learned(&first.base, &of(BatchState::Applied)), first.base);
        let mut left_out = of(BatchState::Applied);
        for action in left_out.iter_mut().flat_map(|batch| &mut batch.actions) {
            action.left_out = Some(Box::new(LeftOut::refused("too long", None)));
        }
        assert_eq!(learned(&first.base, &left_out), []);
    }

    /// Two spokes add to a sum, and any of the three writes may be missing: the next run must still come to 15.
    #[test]
    fn a_sum_of_spokes_is_not_counted_twice_whichever_write_is_missing() {
        let (schema, names) = (schema(), ["hub", "a", "b"]);
        let sum = ColumnPolicy { merge: Some(Combine::Sum), ..ColumnPolicy::default() };
        let mut policy = Policy::default();
        policy.columns.insert("n".into(), sum);
        let terms = Terms::new(&schema, &policy).unwrap();
        let table = |n: i64| Table::from_rows(&schema, [row(n, "x")]);
        let decide = |rows: [i64; 3], bases: [i64; 2]| {
            let (rows, bases) = (rows.map(table), bases.map(table));
            let times = Times::default();
            let spoke = |at: usize| Spoke {
                name: names[at + 1],
                terms: &terms,
                base: Some(&bases[at]),
                side: Side::complete(&rows[at + 1]),
                times: &times,
            };
            reconcile_hub(Side::complete(&rows[0]), &[spoke(0), spoke(1)], &terms, &BTreeMap::new())
        };
        let before = [10, 12, 13];
        for applied in 0..8_u8 {
            let first = decide(before, [10, 10]);
            let of = |at: usize| if at == 0 { &first.hub } else { &first.spokes[at - 1].changes };
            let state = |at: usize| match applied & (1 << at) {
                0 => BatchState::Failed,
                _ => BatchState::Applied,
            };
            let batches: Vec<Batch> = (0..3)
                .map(|at| {
                    let change = &of(at)[0];
                    let action = Action {
                        key: change.key.clone(),
                        kind: change.kind,
                        before: change.before.clone(),
                        after: change.after.clone(),
                        cells: change.cells.clone(),
                        left_out: None,
                    };
                    let (side, actions) = (names[at].to_owned(), vec![action]);
                    Batch { seq: 0, side, place: Json::Null, actions, state: state(at), note: None }
                })
                .collect();
            let moves: Vec<Moves> = first
                .spokes
                .iter()
                .map(|one| Moves {
                    spoke: one.name.to_string(),
                    changes: one.base.as_slice().into(),
                })
                .collect();
            let number = |row: &Row| row[1].to_string().parse::<i64>().unwrap();
            let known = confirmed(moves, &batches);
            let base = |at: usize| {
                let moved = known[at].changes.first().and_then(|change| change.after.as_ref());
                moved.map_or(10, number)
            };
            let now = [0, 1, 2].map(|at| if applied & (1 << at) == 0 { before[at] } else { 15 });
            let second = decide(now, [base(0), base(1)]);
            assert_eq!(second.conflicts, [], "{applied:03b}: {second:?}");
            let after = |at: usize| {
                let changes = if at == 0 { &second.hub } else { &second.spokes[at - 1].changes };
                changes.first().map_or(now[at], |change| number(change.after.as_ref().unwrap()))
            };
            assert_eq!([0, 1, 2].map(after), [15; 3], "{applied:03b}: {second:?}");
        }
    }
}
