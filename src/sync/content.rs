//! What the rows of a member say, in whichever order and form they were read.

use lockstep_engine::{canonical::write_row, snapshot::View, value::Value};
use serde::{Deserialize, Serialize};

/// A sum over the hashes of rows: rows can be taken out of it and put into it, and their order does not matter.
///
/// It tells whether something changed; it is no proof against somebody who makes up rows for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    rows: u64,
    sum: [u64; 4],
}

/// The hash of a row: BLAKE3 of its canonical bytes.
pub(super) type Hash = [u8; 32];

impl Content {
    /// Returns what a view says, in its mapped columns.
    pub(super) fn of(view: &View<'_>) -> Self {
        let mut content = Self::default();
        let mut hasher = Hasher::default();
        for row in 0..view.len() {
            content.add(&hasher.hash(&view.row(row)));
        }
        content
    }

    /// Puts a row in.
    pub(super) fn add(&mut self, row: &Hash) {
        self.rows = self.rows.wrapping_add(1);
        for (sum, part) in self.sum.iter_mut().zip(parts(row)) {
            *sum = sum.wrapping_add(part);
        }
    }

    /// Takes a row out that was put in.
    pub(super) fn take(&mut self, row: &Hash) {
        self.rows = self.rows.wrapping_sub(1);
        for (sum, part) in self.sum.iter_mut().zip(parts(row)) {
            *sum = sum.wrapping_sub(part);
        }
    }

    /// Returns a hash, in hex, of the rows and of the headers that they stand under.
    pub(super) fn name(&self, headers: &[Option<String>]) -> String {
        let mut hasher = blake3::Hasher::new();
        for header in headers {
            let text = header.as_deref().unwrap_or_default();
            let length = header.as_ref().map_or(u64::MAX, |header| header.len() as u64);
            hasher.update(&length.to_le_bytes()).update(text.as_bytes());
        }
        hasher.update(&self.rows.to_le_bytes());
        for part in self.sum {
            hasher.update(&part.to_le_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

fn parts(hash: &Hash) -> impl Iterator<Item = u64> {
    hash.as_chunks::<8>().0.iter().map(|part| u64::from_le_bytes(*part))
}

/// Hashes rows, one after the other.
#[derive(Debug, Default)]
pub(super) struct Hasher(Vec<u8>);

impl Hasher {
    /// Returns the hash of a row.
    pub(super) fn hash(&mut self, row: &[Value]) -> Hash {
        self.0.clear();
        write_row(row, &mut self.0);
        *blake3::hash(&self.0).as_bytes()
    }

    /// Returns half of the hash of a key.
    pub(super) fn short(&mut self, key: &[Value]) -> [u8; 16] {
        self.hash(key).first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(rows: &[&str]) -> Content {
        let mut content = Content::default();
        for row in rows {
            content.add(&Hasher::default().hash(&[Value::text(*row)]));
        }
        content
    }

    #[test]
    fn only_the_rows_and_their_number_count() {
        assert_eq!(content(&["a", "b", "b"]), content(&["b", "a", "b"]));
        for other in [&["a", "b"][..], &["a", "a", "b"], &["a", "b", "c"], &[]] {
            assert_ne!(content(&["a", "b", "b"]), content(other), "{other:?}");
        }
        let mut less = content(&["a", "b", "b"]);
        less.take(&Hasher::default().hash(&[Value::text("b")]));
        assert_eq!(less, content(&["b", "a"]));
    }

    #[test]
    fn the_name_tells_headers_apart() {
        let all = content(&["a"]);
        let name = |headers: &[Option<&str>]| {
            all.name(&headers.iter().map(|one| one.map(str::to_owned)).collect::<Vec<_>>())
        };
        assert_eq!(name(&[Some("id"), None]), name(&[Some("id"), None]));
        assert_ne!(name(&[Some("id"), None]), name(&[Some("id"), Some("")]));
        assert_ne!(name(&[Some("id"), Some("x")]), name(&[Some("idx"), Some("")]));
    }
}
