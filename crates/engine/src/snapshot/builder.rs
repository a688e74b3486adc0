//! Builds snapshots row by row.

use super::Snapshot;
use super::pack::{Kind, put, put_cell, put_fields};
use crate::cell::Cell;
use crate::csv::reader::Record;
use crate::findings::{Finding, check_headers};

/// Collects rows into a [`Snapshot`].
#[derive(Debug)]
pub struct SnapshotBuilder {
    snapshot: Snapshot,
    next_origin: u64,
}

impl SnapshotBuilder {
    /// Starts a snapshot with its column names; blank and repeated names become findings.
    pub fn new<S: Into<String>>(headers: impl IntoIterator<Item = S>) -> SnapshotBuilder {
        let headers: Vec<String> = headers.into_iter().map(Into::into).collect();
        let findings = check_headers(&headers);
        let snapshot = Snapshot { headers, findings, all_text: true, ..Snapshot::default() };
        SnapshotBuilder { snapshot, next_origin: 1 }
    }

    /// Reserves room for rows and for the bytes of their cells.
    pub fn reserve(&mut self, rows: usize, bytes: usize) {
        self.snapshot.ends.reserve(rows);
        self.snapshot.origins.reserve(rows);
        self.snapshot.arena.reserve(bytes);
    }

    /// Appends a row and numbers it after the last one, from 1.
    pub fn push<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) {
        self.push_at(self.next_origin, cells);
    }

    /// Appends a row with its absolute number in the replica.
    ///
    /// Cells missing at the end are null. Cells beyond the headers are dropped; when they hold something, that is a
    /// finding.
    pub fn push_at<'a>(&mut self, origin: u64, cells: impl IntoIterator<Item = Cell<'a>>) {
        let columns = self.snapshot.headers.len();
        let (mut count, mut beyond) = (0, 0);
        for cell in cells {
            count += 1;
            if count > columns {
                beyond += usize::from(!matches!(cell, Cell::Null | Cell::Text("")));
            } else if put_cell(&mut self.snapshot.arena, &cell) != Kind::Text {
                self.snapshot.all_text = false;
            }
        }
        self.close(origin, count);
        if beyond > 0 {
            self.snapshot.findings.push(Finding::CellsBeyondHeader { row: origin, cells: beyond });
        }
    }

    /// Appends a row of texts; the way of the hot path.
    pub(crate) fn push_record(&mut self, record: &Record<'_>, nulls: &[String]) {
        let columns = self.snapshot.headers.len();
        let arena = &mut self.snapshot.arena;
        match record.unquoted() {
            Some((base, fields)) if nulls.is_empty() => {
                let fields = fields.get(..columns).unwrap_or(fields);
                put_fields(arena, record.raw().as_bytes(), base, fields);
            }
            _ => {
                for text in record.iter().take(columns) {
                    if nulls.iter().any(|null| *null == text) {
                        put(arena, Kind::Null, b"");
                        self.snapshot.all_text = false;
                    } else {
                        put(arena, Kind::Text, text.as_bytes());
                    }
                }
            }
        }
        self.close(record.line, record.len());
    }

    fn close(&mut self, origin: u64, cells: usize) {
        for _ in cells..self.snapshot.headers.len() {
            put(&mut self.snapshot.arena, Kind::Null, b"");
            self.snapshot.all_text = false;
        }
        self.snapshot.ends.push(self.snapshot.arena.len());
        self.snapshot.origins.push(origin);
        self.next_origin = origin.saturating_add(1);
    }

    /// Returns the snapshot; room that it grew into and does not need is given back.
    pub fn finish(mut self) -> Snapshot {
        let Snapshot { arena, ends, origins, .. } = &mut self.snapshot;
        // A snapshot whose size was known is not copied for a little room at its end.
        if arena.capacity() - arena.len() > arena.len() / 8 {
            arena.shrink_to_fit();
            ends.shrink_to_fit();
            origins.shrink_to_fit();
        }
        self.snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_squared_to_the_header() {
        let mut builder = SnapshotBuilder::new(["a", "b"]);
        builder.push([Cell::Text("1")]);
        builder.push_at(7, [Cell::Float(2.0), Cell::Bool(true), Cell::Null, Cell::Text("")]);
        builder.push([Cell::Null, Cell::Text("x"), Cell::Text("lost")]);
        let snapshot = builder.finish();
        assert_eq!(snapshot.len(), 3);
        assert_eq!(snapshot.row(0).collect::<Vec<_>>(), [Cell::Text("1"), Cell::Null]);
        assert_eq!(snapshot.row(1).collect::<Vec<_>>(), [Cell::Number("2"), Cell::Bool(true)]);
        assert_eq!(snapshot.cell(2, 1), Cell::Text("x"));
        assert_eq!((snapshot.cell(2, 2), snapshot.cell(9, 0)), (Cell::Null, Cell::Null));
        assert_eq!([0, 1, 2, 3].map(|row| snapshot.origin(row)), [1, 7, 8, 0]);
        assert_eq!(snapshot.findings(), [Finding::CellsBeyondHeader { row: 8, cells: 1 }]);
    }

    #[test]
    fn the_content_hash_sees_every_boundary() {
        let hash = |headers: [&str; 2], cells: [&str; 2]| {
            let mut builder = SnapshotBuilder::new(headers);
            builder.push(cells.map(Cell::Text));
            builder.finish().content_hash()
        };
        let plain = hash(["a", "b"], ["ab", "c"]);
        assert_eq!(plain, hash(["a", "b"], ["ab", "c"]));
        assert_ne!(plain, hash(["a", "b"], ["a", "bc"]));
        assert_ne!(plain, hash(["ab", ""], ["ab", "c"]));
    }
}
