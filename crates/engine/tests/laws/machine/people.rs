//! What people do to the rows of a side.

use lockstep_engine::dataset::SideName;
use lockstep_engine::key::Key;
use lockstep_engine::value::Value;
use rust_decimal::Decimal;

use crate::machine::Machine;
use crate::machine::operations::{Edit, How};
use crate::tables::COLUMNS;

impl Machine {
    fn fresh(&mut self) -> Value {
        self.fresh += 1;
        self.fresh.into()
    }

    fn value(&mut self, how: How, side: SideName, key: &Key, column: usize) -> Value {
        let other = self.store.side(side.other());
        match how {
            How::Fresh => self.fresh(),
            How::Small(n) => i64::from(n).into(),
            How::Blank => Value::Null,
            How::Copied => other.find(key).map_or(Value::Null, |at| other.rows[at][column].clone()),
        }
    }

    pub(crate) fn edit(&mut self, edit: &Edit) {
        self.edits += 1;
        let (side, id) = (edit.side(), edit.id());
        let key = Key::of(&id);
        let at = self.store.side(side).find(&key);
        let before = at.map(|at| self.store.side(side).rows[at].clone());
        let (before, after) = match edit {
            Edit::Set { column, how, .. } => {
                let Some(mut row) = before.clone() else { return };
                row[1 + column % COLUMNS] = self.value(*how, side, &key, 1 + column % COLUMNS);
                (before, Some(row))
            }
            Edit::Add { amount, .. } => {
                let Some(mut row) = before.clone() else { return };
                let Value::Number(old) = &row[1] else { return };
                let sum = old.to_decimal().unwrap() + Decimal::from(*amount);
                row[1] = Value::Number(sum.into());
                (before, Some(row))
            }
            Edit::Mark { on, .. } => {
                let Some(mut row) = before.clone() else { return };
                row[1 + COLUMNS] = if *on { "inactive".into() } else { Value::Null };
                (before, Some(row))
            }
            Edit::Insert { twice, .. } if before.is_some() && !twice => return,
            Edit::Insert { how, .. } => {
                let cells =
                    how.iter().enumerate().map(|(n, how)| self.value(*how, side, &key, n + 1));
                (None, Some(crate::world::row(&id, &cells.collect::<Vec<_>>())))
            }
            Edit::Delete { .. } => {
                let Some(row) = before else { return };
                (Some(row), None)
            }
            Edit::Blank { .. } => {
                let rows = &mut self.store.side_mut(side).rows;
                match rows.iter().position(|row| row[0].is_null()) {
                    Some(at) => drop(rows.remove(at)),
                    None => {
                        let mut row =
                            crate::world::row("", &[1.into(), 2.into(), 3.into(), 4.into()]);
                        row[0] = Value::Null;
                        rows.insert(0, row);
                    }
                }
                return;
            }
        };
        self.store.ledger.edited(side, before.as_ref(), after.as_ref());
        let rows = &mut self.store.side_mut(side).rows;
        match (before.is_some().then_some(at).flatten(), after) {
            (Some(at), Some(row)) => rows[at] = row,
            (Some(at), None) => drop(rows.remove(at)),
            (None, Some(row)) => rows.push(row),
            (None, None) => {}
        }
    }
}
