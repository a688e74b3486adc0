//! A side as people see it: rows in any order, of which several may have one key, or none.

use std::collections::BTreeSet;

use lockstep_engine::key::Key;
use lockstep_engine::reconcile::Change;
use lockstep_engine::schema::Schema;
use lockstep_engine::table::Table;
use lockstep_engine::value::Row;

#[derive(Clone, Debug, Default)]
pub(crate) struct Replica {
    pub(crate) rows: Vec<Row>,
    /// The actions that were made here, by number: each is left in the same step as the write itself.
    pub(crate) markers: BTreeSet<u64>,
}

impl Replica {
    pub(crate) fn find(&self, key: &Key) -> Option<usize> {
        self.rows.iter().rposition(|row| Key::of(&row[0].to_string()) == *key)
    }

    /// Returns the rows of which a bit of the mask does not say that the page they are on was lost.
    pub(crate) fn read(&self, schema: &Schema, lost: u8) -> Table {
        let kept = |(n, _): &(usize, &Row)| lost >> (n % 8) & 1 == 0;
        Table::from_rows(
            schema,
            self.rows.iter().enumerate().filter(kept).map(|(_, row)| row.clone()),
        )
    }

    /// Writes a change where the row is as the change expects, and leaves its marker; or does nothing.
    pub(crate) fn write(&mut self, change: &Change, marker: u64) -> bool {
        let found: Vec<usize> = (0..self.rows.len())
            .filter(|n| Key::of(&self.rows[*n][0].to_string()) == change.key)
            .collect();
        match (&change.before, found.as_slice(), &change.after) {
            (None, [], Some(after)) => self.rows.push(after.clone()),
            (Some(before), [at], Some(after)) if self.rows[*at] == *before => {
                self.rows[*at] = after.clone();
            }
            (Some(before), [at], None) if self.rows[*at] == *before => drop(self.rows.remove(*at)),
            _ => return false,
        }
        self.markers.insert(marker);
        true
    }

    pub(crate) fn sorted(&self) -> Vec<Row> {
        let mut rows = self.rows.clone();
        rows.sort();
        rows
    }
}
