//! An index that goes to a file beyond a memory budget.

use std::fs::File;
use std::io::{self, Write};

use crate::index::{ENTRY, Entry, Index, SHARDS};
use crate::source::read_exact_at;

/// A file handed in for entries that do not fit the memory budget.
#[derive(Debug)]
pub(crate) struct Spill {
    pub(crate) file: File,
    /// Entries kept in memory before they are written.
    pub(crate) budget: usize,
}

/// The entries of one side, in memory and in runs of a file.
#[derive(Debug)]
pub(crate) struct SpillIndex {
    index: Index,
    held: usize,
    spill: Option<Spill>,
    /// Where each shard's written runs are: offset and number of entries.
    runs: Vec<Vec<(u64, usize)>>,
    written: u64,
}

impl SpillIndex {
    /// Returns an index that is expected to get this many entries.
    pub(crate) fn new(expected: usize, spill: Option<Spill>) -> SpillIndex {
        let room = expected.min(spill.as_ref().map_or(usize::MAX, |spill| spill.budget));
        SpillIndex {
            index: Index::new(room),
            held: 0,
            spill,
            runs: vec![Vec::new(); SHARDS],
            written: 0,
        }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// When the spill file cannot be written.
    #[inline]
    pub(crate) fn push(&mut self, entry: Entry) -> io::Result<()> {
        self.index.push(entry);
        self.held += 1;
        match &self.spill {
            Some(spill) if self.held >= spill.budget => self.flush(),
            _ => Ok(()),
        }
    }

    #[cold]
    fn flush(&mut self) -> io::Result<()> {
        let Some(spill) = &mut self.spill else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        for (shard, runs) in self.index.shards_mut().zip(&mut self.runs) {
            bytes.clear();
            bytes.extend(shard.iter().flat_map(|entry| entry.to_bytes()));
            spill.file.write_all(&bytes)?;
            if !shard.is_empty() {
                runs.push((self.written, shard.len()));
            }
            self.written += bytes.len() as u64;
            shard.clear();
        }
        self.held = 0;
        Ok(())
    }

    /// Returns one shard's entries, in the order they were added.
    ///
    /// # Errors
    /// When the spill file cannot be read.
    pub(crate) fn shard(&self, shard: usize) -> io::Result<Shard<'_>> {
        let held = self.index.shard(shard);
        let runs = self.runs.get(shard).map_or(&[][..], Vec::as_slice);
        let Some(spill) = self.spill.as_ref().filter(|_| !runs.is_empty()) else {
            return Ok(Shard::Held(held));
        };
        let mut entries =
            Vec::with_capacity(held.len() + runs.iter().map(|(_, count)| count).sum::<usize>());
        let mut bytes = Vec::new();
        for (offset, count) in runs {
            bytes.resize(count * ENTRY, 0);
            read_exact_at(&spill.file, *offset, &mut bytes)?;
            entries.extend(bytes.chunks_exact(ENTRY).map(Entry::from_bytes));
        }
        entries.extend_from_slice(held);
        Ok(Shard::Loaded(entries))
    }
}

/// The entries of a shard.
pub(crate) enum Shard<'a> {
    Held(&'a [Entry]),
    Loaded(Vec<Entry>),
}

impl std::ops::Deref for Shard<'_> {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        match self {
            Shard::Held(entries) => entries,
            Shard::Loaded(entries) => entries,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spilled_index_is_the_same_index() {
        let entries: Vec<Entry> = (0..10_000u64)
            .map(|at| {
                Entry::new(
                    xxhash_rust::xxh3::xxh3_128(&at.to_le_bytes()),
                    u128::from(at) << 70 | 1,
                    at,
                )
            })
            .collect();
        let fill = |spill| {
            let mut index = SpillIndex::new(10, spill);
            entries.iter().for_each(|entry| index.push(*entry).unwrap());
            index
        };
        let spilled = fill(Some(Spill { file: tempfile::tempfile().unwrap(), budget: 777 }));
        let held = fill(None);
        assert!(spilled.written > 0);
        for shard in 0..SHARDS {
            assert_eq!(*spilled.shard(shard).unwrap(), *held.shard(shard).unwrap());
        }
    }
}
