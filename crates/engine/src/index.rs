//! Rows indexed by key: the inner loop of every join.
//!
//! An index holds 40 bytes a row and none of its cells: the digest of its key, the digest of its row, and where it is.
//! Entries are spread over shards by key, so that the tables of a join fit the processor's cache and the shards can be
//! joined in parallel.

/// Shards of an index; a power of two.
///
/// So few that the pages being filled stay in the second-level cache of a core, which counts for more with millions of
/// rows than the size of the tables that join them.
pub(crate) const SHARDS: usize = 64;

/// Bytes of an entry, in memory and in a spill file.
pub(crate) const ENTRY: usize = 40;

/// One row: digests as pairs of words, because a `u128` would pad every entry to 48 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    key: [u64; 2],
    row: [u64; 2],
    /// The row's place: a number that its owner understands.
    pub(crate) place: u64,
}

fn words(digest: u128) -> [u64; 2] {
    [(digest >> 64) as u64, digest as u64]
}

impl Entry {
    #[inline]
    pub(crate) fn new(key: u128, row: u128, place: u64) -> Entry {
        Entry { key: words(key), row: words(row), place }
    }

    /// Returns the shard the entry belongs to.
    #[inline]
    fn shard(&self) -> usize {
        (self.key[0] >> (64 - SHARDS.trailing_zeros())) as usize
    }

    /// Returns the digest of the key.
    #[inline]
    pub(crate) fn key(&self) -> [u64; 2] {
        self.key
    }

    #[inline]
    pub(crate) fn same_row(&self, other: &Entry) -> bool {
        self.row == other.row
    }

    pub(crate) fn to_bytes(self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        let words = [self.key[0], self.key[1], self.row[0], self.row[1], self.place];
        for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Entry {
        let mut words = [0u64; 5];
        for (word, from) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = from.try_into().map_or(0, u64::from_le_bytes);
        }
        let [k0, k1, r0, r1, place] = words;
        Entry { key: [k0, k1], row: [r0, r1], place }
    }
}

/// The entries of one side in memory, by shard.
#[derive(Debug)]
pub(crate) struct Index {
    shards: Vec<Vec<Entry>>,
}

impl Index {
    /// Returns an index that is expected to get this many entries.
    pub(crate) fn new(expected: usize) -> Index {
        // More than the mean, so that neither scatter nor a wrong guess makes them grow; what is not used stays untouched.
        let each = expected / SHARDS + expected / (SHARDS * 4);
        Index { shards: (0..SHARDS).map(|_| Vec::with_capacity(each)).collect() }
    }

    #[inline]
    pub(crate) fn push(&mut self, entry: Entry) {
        if let Some(shard) = self.shards.get_mut(entry.shard()) {
            shard.push(entry);
        }
    }

    pub(crate) fn shard(&self, shard: usize) -> &[Entry] {
        self.shards.get(shard).map_or(&[], Vec::as_slice)
    }

    /// Iterates over the shards, to empty them.
    pub(crate) fn shards_mut(&mut self) -> impl Iterator<Item = &mut Vec<Entry>> {
        self.shards.iter_mut()
    }
}
