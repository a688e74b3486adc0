//! An index that goes to a file beyond a memory budget.

use std::fs::File;
use std::io::{self, Seek, Write};

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

/// Memory for the entries of a shard that are read from its file, used for one shard after the other.
#[derive(Default)]
pub(crate) struct Loaded {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
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
        if self.written == 0 {
            // An index before this one may have used the file.
            spill.file.rewind()?;
        }
        let mut bytes = Vec::with_capacity(WRITE);
        for (shard, runs) in self.index.shards_mut().zip(&mut self.runs) {
            if !shard.is_empty() {
                runs.push((self.written, shard.len()));
                self.written += (shard.len() * ENTRY) as u64;
            }
            for entry in shard.iter() {
                bytes.extend_from_slice(&entry.to_bytes());
                if bytes.len() >= WRITE {
                    spill.file.write_all(&bytes)?;
                    bytes.clear();
                }
            }
            shard.clear();
        }
        spill.file.write_all(&bytes)?;
        self.held = 0;
        Ok(())
    }

    /// Returns one shard's entries, in the order they were added.
    ///
    /// # Errors
    /// When the spill file cannot be read.
    pub(crate) fn shard<'a>(
        &'a self,
        shard: usize,
        loaded: &'a mut Loaded,
    ) -> io::Result<&'a [Entry]> {
        let held = self.index.shard(shard);
        let runs = self.runs.get(shard).map_or(&[][..], Vec::as_slice);
        let Some(spill) = self.spill.as_ref().filter(|_| !runs.is_empty()) else {
            return Ok(held);
        };
        let Loaded { entries, bytes } = loaded;
        entries.clear();
        for (offset, count) in runs {
            bytes.resize(count * ENTRY, 0);
            read_exact_at(&spill.file, *offset, bytes)?;
            entries.extend(bytes.chunks_exact(ENTRY).map(Entry::from_bytes));
        }
        entries.extend_from_slice(held);
        Ok(entries)
    }
}

/// Bytes that are written at a time.
const WRITE: usize = 1 << 18;

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
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"left by another index").unwrap();
        let spilled = fill(Some(Spill { file, budget: 777 }));
        let held = fill(None);
        assert!(spilled.written > 0);
        let (mut loaded, mut unused) = (Loaded::default(), Loaded::default());
        let mut found = 0;
        for shard in 0..SHARDS {
            let (a, b) = (spilled.shard(shard, &mut loaded), held.shard(shard, &mut unused));
            let (a, b) = (a.unwrap(), b.unwrap());
            assert_eq!(a, b);
            found += a.len();
        }
        assert_eq!(found, entries.len());
    }
}
