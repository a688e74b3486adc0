//! What a run intends, made durable before the first effect, and what came of it.

use std::collections::{BTreeMap, BTreeSet};

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

/// Returns the moves of base that follow from what was confirmed.
///
/// A key whose writes, on both sides, were all confirmed moves as intended; one of which nothing was written stays. One
/// of which only one side was written moves to what the other side still holds, in the cells that were to be written
/// there: the next comparison then sees the written side as the one that changed, and carries its values over. Were base
/// left as it is, both sides would seem to have changed, and a sum would count what the other side had added twice.
pub(super) fn confirmed(
    base: Vec<BaseChange>,
    batches: &[Batch],
    unconfirmed: &BTreeSet<(SideName, Key)>,
) -> Vec<BaseChange> {
    let mut written: BTreeSet<&Key> = BTreeSet::new();
    let mut open: BTreeMap<&Key, &Action> = BTreeMap::new();
    for batch in batches {
        for action in &batch.actions {
            let sure = batch.state == BatchState::Applied
                && !unconfirmed.contains(&(batch.side, action.key.clone()));
            if sure {
                written.insert(&action.key);
            } else {
                open.insert(&action.key, action);
            }
        }
    }
    base.into_iter()
        .filter_map(|change| match open.get(&change.key) {
            None => Some(change),
            Some(action) if written.contains(&change.key) => half(change, action),
            Some(_) => None,
        })
        .collect()
}

/// Returns the move of base of a key of which the other side alone was written.
fn half(mut change: BaseChange, missing: &Action) -> Option<BaseChange> {
    let (after, held) = (change.after.as_mut()?, missing.before.as_ref()?);
    for at in &missing.cells {
        if let (Some(slot), Some(value)) = (after.get_mut(*at), held.get(*at)) {
            *slot = value.clone();
        }
    }
    Some(change)
}

#[cfg(test)]
mod tests {
    use lockstep_engine::{
        dataset::{ColumnPolicy, Combine, PerSide, Policy},
        reconcile::{Reconciled, Side, reconcile},
        schema::{Column, ColumnType, Schema},
        table::Table,
        terms::Terms,
        times::Times,
        value::{Row, Value},
    };
    use serde_json::Value as Json;

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
        };
        let actions = result.writes(side).iter().map(action).collect();
        Batch { seq: 0, side, place: Json::Null, actions, state, note: None }
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
            let moves = confirmed(first.base.clone(), &batches, &BTreeSet::new());
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
        let none = BTreeSet::new();
        assert_eq!(confirmed(first.base.clone(), &of(BatchState::Void), &none), []);
        assert_eq!(confirmed(first.base.clone(), &of(BatchState::Applied), &none), first.base);
        let unsure =
            BTreeSet::from([(SideName::Left, Key::of("k")), (SideName::Right, Key::of("k"))]);
        assert_eq!(confirmed(first.base.clone(), &of(BatchState::Applied), &unsure), []);
    }
}
