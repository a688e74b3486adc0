//! Two sides and a base that can be reconciled, written to and edited, for tests.

use std::collections::BTreeSet;

use lockstep_engine::dataset::SideName;
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{Change, Reconciled, Reconciler, Side, feed};
use lockstep_engine::schema::{Column, ColumnType, Schema};
use lockstep_engine::table::Table;
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::{Row, Value};

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct World {
    pub(crate) base: Table,
    pub(crate) left: Table,
    pub(crate) right: Table,
    /// The keys that base forgot because they were deleted; `None` where nobody keeps them.
    pub(crate) tombstones: Option<BTreeSet<Key>>,
}

/// `id`, then columns named `a`, `b`, …, then `status`.
pub(crate) fn schema(columns: usize) -> Schema {
    let mut all = vec![Column::new("id", ColumnType::Text)];
    all.extend(
        (0..columns)
            .map(|n| Column::new(((b'a' + n as u8) as char).to_string(), ColumnType::Number)),
    );
    all.push(Column::new("status", ColumnType::Text));
    Schema::new(all, vec![0])
}

pub(crate) fn row(id: &str, cells: &[Value]) -> Row {
    let mut row = vec![Value::from(id)];
    row.extend(cells.iter().cloned());
    row.push(Value::Null);
    row.into()
}

impl World {
    pub(crate) fn side(&self, side: SideName) -> &Table {
        match side {
            SideName::Left => &self.left,
            SideName::Right => &self.right,
        }
    }

    pub(crate) fn side_mut(&mut self, side: SideName) -> &mut Table {
        match side {
            SideName::Left => &mut self.left,
            SideName::Right => &mut self.right,
        }
    }

    pub(crate) fn reconcile(&self, terms: &Terms, times: &Times) -> Reconciled {
        let mut reconciler = Reconciler::new(terms, times);
        if let Some(tombstones) = &self.tombstones {
            reconciler = reconciler.tombstones(tombstones);
        }
        let (left, right) = (Side::complete(&self.left), Side::complete(&self.right));
        feed(&mut reconciler, Some(&self.base), left, right);
        reconciler.finish()
    }

    /// Applies everything, as an undisturbed run does; every write must find what the plan saw.
    pub(crate) fn apply(&mut self, result: &Reconciled) {
        for side in SideName::BOTH {
            for change in result.writes(side) {
                assert!(write(self.side_mut(side), change), "{change:?} does not find its row");
            }
        }
        for change in &result.base {
            assert_eq!(self.base.get(&change.key), change.before.as_ref(), "{change:?}");
            self.base.set(change.key.clone(), change.after.clone());
            if let Some(tombstones) = &mut self.tombstones {
                match change.after {
                    Some(_) => tombstones.remove(&change.key),
                    None => tombstones.insert(change.key.clone()),
                };
            }
        }
    }

    pub(crate) fn mirrored(&self) -> World {
        World { left: self.right.clone(), right: self.left.clone(), ..self.clone() }
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        let tables = [&self.base, &self.left, &self.right];
        let mut keys: Vec<Key> =
            tables.iter().flat_map(|table| table.iter()).map(|(key, _)| key.clone()).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

/// Writes a change by compare-and-set; returns whether the row was as the change expects.
pub(crate) fn write(table: &mut Table, change: &Change) -> bool {
    if table.get(&change.key) != change.before.as_ref() {
        return false;
    }
    table.set(change.key.clone(), change.after.clone());
    true
}
