//! Rows indexed by key: the inner loop of every join.
//!
//! An index holds 40 bytes a row and none of its cells: the digest of its key, the digest of its row, and where it is.
//! Entries are spread over shards by key, so that the tables of a join fit the processor's cache and the shards can be
//! joined in parallel.

/// Shards of an index; a power of two.
pub(crate) const SHARDS: usize = 64;

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
        Entry {
            key: words(key),
            row: words(row),
            place,
        }
    }

    /// Returns the shard the entry belongs to.
    #[inline]
    pub(crate) fn shard(&self) -> usize {
        (self.key[0] >> (64 - SHARDS.trailing_zeros())) as usize
    }

    /// Returns bits for a hash table that the shard's choice has not used.
    #[inline]
    pub(crate) fn hash(&self) -> u64 {
        self.key[1]
    }

    #[inline]
    pub(crate) fn same_key(&self, other: &Entry) -> bool {
        self.key == other.key
    }

    #[inline]
    pub(crate) fn same_row(&self, other: &Entry) -> bool {
        self.row == other.row
    }
}

/// The entries of one side, by shard.
#[derive(Debug)]
pub(crate) struct Index {
    shards: Vec<Vec<Entry>>,
    len: u64,
}

impl Index {
    pub(crate) fn new() -> Index {
        Index {
            shards: (0..SHARDS).map(|_| Vec::new()).collect(),
            len: 0,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, entry: Entry) {
        if let Some(shard) = self.shards.get_mut(entry.shard()) {
            shard.push(entry);
            self.len += 1;
        }
    }

    pub(crate) fn shard(&self, shard: usize) -> &[Entry] {
        self.shards.get(shard).map_or(&[], Vec::as_slice)
    }
}
