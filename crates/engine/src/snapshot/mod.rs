//! A replica's rows, seen at one moment.
//!
//! All cells of a snapshot live in one arena of bytes: about two bytes a cell beyond the text itself. Nothing is typed
//! until a [`View`] asks for it.

mod builder;
pub mod csv;
pub(crate) mod pack;
mod view;

pub use builder::SnapshotBuilder;
pub use view::{Mapping, View, ViewError};
pub(crate) use view::{nearest_hint, put_key_part};

use crate::cell::Cell;
use crate::findings::Finding;

/// The rows of a replica as they were read, with the names of their columns.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    headers: Vec<String>,
    arena: Vec<u8>,
    /// Where each row ends in the arena.
    ends: Vec<usize>,
    /// The absolute number of each row in its replica: a sheet's row, a file's line.
    origins: Vec<u64>,
    /// Every cell is a text.
    all_text: bool,
    findings: Vec<Finding>,
}

impl Snapshot {
    /// Returns the column names, as the replica has them.
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the absolute number of a row in its replica; zero for a row that is not there.
    pub fn origin(&self, row: usize) -> u64 {
        self.origins.get(row).copied().unwrap_or(0)
    }

    /// Returns what was found wrong with the headers and rows while reading.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Iterates over the cells of a row, one for each header.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Cell<'_>> {
        let mut bytes = self.packed(row);
        std::iter::from_fn(move || {
            pack::take(&mut bytes).map(|(kind, text)| pack::cell(kind, text))
        })
    }

    /// Returns one cell; null where there is none.
    pub fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        let mut bytes = self.packed(row);
        let mut parts = std::iter::from_fn(|| pack::take(&mut bytes));
        parts.nth(column).map_or(Cell::Null, |(kind, text)| pack::cell(kind, text))
    }

    /// Returns a BLAKE3 hash, in hex, of the headers and of all cells in their order.
    ///
    /// It is stable across processes and machines: two reads of an unchanged replica have the same hash.
    pub fn content_hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.headers.len() as u64).to_le_bytes());
        for header in &self.headers {
            hasher.update(&(header.len() as u64).to_le_bytes()).update(header.as_bytes());
        }
        hasher.update(&self.arena);
        hasher.finalize().to_hex().to_string()
    }

    /// Returns the index of the only header with this name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.headers.iter().position(|header| header == name)
    }

    pub(crate) fn packed(&self, row: usize) -> &[u8] {
        let start =
            row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(row).copied().unwrap_or(start);
        self.arena.get(start..end).unwrap_or_default()
    }

    pub(crate) fn all_text(&self) -> bool {
        self.all_text
    }
}
