//! One leaf column: its values, its levels, and where each row of it begins.

use std::ops::Range;

use parquet::schema::types::ColumnDescPtr;

use super::{
    damaged,
    values::{Levels, Scalar, Values},
};
use crate::error::Result;

/// A leaf column of all rows.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) description: ColumnDescPtr,
    pub(super) values: Values,
    pub(super) levels: Levels,
    /// Where each row begins, in the levels and in the values; one more than rows.
    starts: Vec<(usize, usize)>,
}

impl Column {
    /// Finds the rows in what was read.
    ///
    /// # Errors
    /// Levels that do not make the number of rows that the file says.
    pub(super) fn new(
        description: ColumnDescPtr,
        values: Values,
        levels: Levels,
        rows: usize,
    ) -> Result<Self> {
        let (top, nested) = (description.max_def_level(), description.max_rep_level() > 0);
        let mut starts = Vec::with_capacity(rows + 1);
        let count = match (top, nested) {
            (0, false) => values.len(),
            _ => levels.definition.len(),
        };
        let mut value = 0;
        for level in 0..count {
            if !nested || levels.repetition.get(level) == Some(&0) {
                starts.push((level, value));
            }
            value += usize::from(top == 0 || levels.definition.get(level) == Some(&top));
        }
        starts.push((count, value));
        if starts.len() != rows + 1 || value != values.len() {
            return Err(damaged(format!(
                "the column \"{}\" has not {rows} rows",
                description.path().string()
            )));
        }
        Ok(Self { description, values, levels, starts })
    }

    /// Returns a column of the same kind without rows.
    pub(super) fn blank(&self) -> Self {
        Self {
            description: self.description.clone(),
            values: self.values.none(),
            levels: Levels { definition: Vec::new(), repetition: Vec::new() },
            starts: vec![(0, 0)],
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    fn end(&self) -> (usize, usize) {
        self.starts.last().copied().unwrap_or_default()
    }

    /// Returns the levels and values of some rows.
    pub(super) fn places(&self, rows: Range<usize>) -> (Range<usize>, Range<usize>) {
        let at = |row: usize| self.starts.get(row).copied().unwrap_or_else(|| self.end());
        let (from, to) = (at(rows.start), at(rows.end));
        (from.0..to.0, from.1..to.1)
    }

    /// Returns the entries of a row: each a value, or the level at which there is none.
    pub(super) fn entries(&self, row: usize) -> Vec<(i16, Option<Scalar>)> {
        let (levels, values) = self.places(row..row + 1);
        let top = self.description.max_def_level();
        let mut value = values.start;
        let mut entries = Vec::new();
        for level in levels {
            let defined =
                if top == 0 { 0 } else { self.levels.definition.get(level).copied().unwrap_or(0) };
            let scalar = (defined == top).then(|| self.values.get(value)).flatten();
            value += usize::from(defined == top);
            entries.push((defined, scalar));
        }
        entries
    }

    /// Appends a row of another column of the kind, as it is stored.
    pub(super) fn copy(&mut self, from: &Self, row: usize) {
        let (levels, values) = from.places(row..row + 1);
        let some = |from: &[i16]| from.get(levels.clone()).unwrap_or_default().to_vec();
        self.levels.definition.extend(some(&from.levels.definition));
        self.levels.repetition.extend(some(&from.levels.repetition));
        self.values.copy(&from.values, values.clone());
        let end = self.end();
        self.starts.push((end.0 + levels.len(), end.1 + values.len()));
    }

    /// Appends a row of these entries; returns whether the values are of the column's type.
    pub(super) fn push(&mut self, entries: Vec<(i16, Option<Scalar>)>) -> bool {
        let (mut end, mut fits) = (self.end(), true);
        for (index, (defined, scalar)) in entries.into_iter().enumerate() {
            if self.description.max_def_level() > 0 {
                self.levels.definition.push(defined);
            }
            if self.description.max_rep_level() > 0 {
                self.levels.repetition.push(i16::from(index > 0));
            }
            end.0 += 1;
            if let Some(scalar) = scalar {
                fits &= self.values.push(scalar);
                end.1 += 1;
            }
        }
        self.starts.push(end);
        fits
    }
}
