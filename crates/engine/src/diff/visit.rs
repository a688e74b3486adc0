//! Lists the changes of a diff.

use std::io;

use rayon::prelude::*;

use super::options::DiffError;
use super::row::{Place, Rows};
use super::{Diff, Places};
use crate::csv::CsvError;
use crate::key::Key;
use crate::side::SideName;

/// Rows that are read and compared together, in parallel, before their changes are handed out in order.
const BATCH: usize = 4_096;

/// What happened to a row between left and right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Only the right file has the key.
    Insert,
    /// Both have it, with different cells.
    Update,
    /// Only the left file has it.
    Delete,
}

/// One changed row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The row's key.
    pub key: Key,
    /// The texts of the key's parts, as they are in the file (the left one where both have the row).
    pub key_texts: Vec<String>,
    /// The cells that differ; of an insert or delete, the cells that are not empty.
    pub cells: Vec<CellChange>,
}

/// One changed cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellChange {
    /// Index of the column in the diff's schema.
    pub column: usize,
    /// The text on the left.
    pub left: String,
    /// The text on the right.
    pub right: String,
}

/// How many keys are what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys on both sides with equal rows.
    pub same: u64,
    /// Keys only on the right.
    pub inserted: u64,
    /// Keys on both sides with different cells.
    pub updated: u64,
    /// Keys only on the left.
    pub deleted: u64,
    /// Cells that differ, of updated rows.
    pub cells: u64,
    /// Keys that a side has more than once, set aside.
    pub duplicates: u64,
    /// Rows without a complete key, set aside.
    pub blanks: u64,
}

impl Counts {
    /// Returns whether no row differs or was set aside.
    pub fn is_same(&self) -> bool {
        self.inserted + self.updated + self.deleted + self.duplicates + self.blanks == 0
    }
}

impl Diff<'_> {
    /// Hands out every change: updates and deletes in the order of the left file, then inserts in that of the right one.
    ///
    /// # Errors
    /// When a file cannot be read again, or `sink` fails.
    pub fn visit(
        &self,
        sink: &mut dyn FnMut(&Change) -> io::Result<()>,
    ) -> Result<Counts, DiffError> {
        let Places { same, doubtful, deleted, inserted, repeated } = &self.places;
        let blank = |finding: &&crate::findings::Finding| {
            matches!(finding, crate::findings::Finding::BlankKey { .. })
        };
        let mut counts = Counts {
            same: *same,
            duplicates: repeated.len() as u64,
            blanks: self.findings.iter().flatten().filter(blank).count() as u64,
            ..Counts::default()
        };
        let mut gone = deleted.iter().peekable();
        for batch in doubtful.chunks(BATCH) {
            let changes: Vec<(u64, Option<Change>)> = batch
                .par_iter()
                .map(|(left, right)| Ok((left.offset(), self.update(*left, *right)?)))
                .collect::<Result<_, DiffError>>()?;
            for (offset, change) in changes {
                while let Some(place) = gone.next_if(|place| place.offset() < offset) {
                    counts.deleted += 1;
                    sink(&self.one_sided(ChangeKind::Delete, *place)?)
                        .map_err(DiffError::Output)?;
                }
                match change {
                    None => counts.same += 1,
                    Some(change) => {
                        counts.updated += 1;
                        counts.cells += change.cells.len() as u64;
                        sink(&change).map_err(DiffError::Output)?;
                    }
                }
            }
        }
        let rest: Vec<Place> = gone.copied().collect();
        counts.deleted += self.hand_out(ChangeKind::Delete, &rest, sink)?;
        counts.inserted += self.hand_out(ChangeKind::Insert, inserted, sink)?;
        Ok(counts)
    }

    fn hand_out(
        &self,
        kind: ChangeKind,
        places: &[Place],
        sink: &mut dyn FnMut(&Change) -> io::Result<()>,
    ) -> Result<u64, DiffError> {
        for batch in places.chunks(BATCH) {
            let changes: Vec<Change> = batch
                .par_iter()
                .map(|place| self.one_sided(kind, *place))
                .collect::<Result<_, _>>()?;
            for change in &changes {
                sink(change).map_err(DiffError::Output)?;
            }
        }
        Ok(places.len() as u64)
    }

    /// Compares the cells of two rows; `None` when their values are equal.
    fn update(&self, left: Place, right: Place) -> Result<Option<Change>, DiffError> {
        let (a, b) =
            (fetch(&self.left, SideName::Left, left)?, fetch(&self.right, SideName::Right, right)?);
        let columns = self.schema.columns.iter().enumerate();
        let differs = |at: usize, a: &str, b: &str| {
            let column = self.schema.columns.get(at);
            a != b && (self.bytes || column.is_none_or(|column| column.read(a) != column.read(b)))
        };
        let cells: Vec<CellChange> = columns
            .filter_map(|(column, _)| {
                let (left, right) = (a.get(column)?, b.get(column)?);
                differs(column, left, right).then(|| CellChange {
                    column,
                    left: left.clone(),
                    right: right.clone(),
                })
            })
            .collect();
        Ok((!cells.is_empty()).then(|| self.change(ChangeKind::Update, &a, cells)))
    }

    fn one_sided(&self, kind: ChangeKind, place: Place) -> Result<Change, DiffError> {
        let insert = kind == ChangeKind::Insert;
        let row = if insert {
            fetch(&self.right, SideName::Right, place)?
        } else {
            fetch(&self.left, SideName::Left, place)?
        };
        let filled = row.iter().enumerate().filter(|(_, text)| !text.is_empty());
        let cells = filled.map(|(column, text)| {
            let (left, right) =
                if insert { (String::new(), text.clone()) } else { (text.clone(), String::new()) };
            CellChange { column, left, right }
        });
        Ok(self.change(kind, &row, cells.collect()))
    }

    fn change(&self, kind: ChangeKind, row: &[String], cells: Vec<CellChange>) -> Change {
        let key_texts = self.schema.key.iter().filter_map(|&key| row.get(key).cloned()).collect();
        Change { kind, key: self.key(row), key_texts, cells }
    }
}

fn fetch(rows: &Rows<'_>, side: SideName, place: Place) -> Result<Vec<String>, DiffError> {
    rows.fetch(place).map_err(|error: CsvError| DiffError::csv(side, error))
}
