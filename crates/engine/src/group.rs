//! Brings the entries of one shard together by key.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

use crate::index::Entry;

/// Marks a side that does not have the key.
const ABSENT: u32 = u32::MAX;

/// Groups one shard after the other in the same memory: to get it anew from the system costs more than to use it.
#[derive(Default)]
pub(crate) struct Grouper {
    /// Digests of keys, and their groups.
    table: HashTable<([u64; 2], u32)>,
    /// One slot for each side, for each key in turn: an index into the side's entries.
    slots: Vec<u32>,
    /// Entries beyond the first of their key on their side: group, side, entry; sorted.
    repeated: Vec<(usize, usize, u32)>,
}

/// For every key of a shard, its entry on each side.
pub(crate) struct Groups<'a> {
    sides: &'a [&'a [Entry]],
    slots: &'a [u32],
    repeated: &'a [(usize, usize, u32)],
}

/// One key's entries.
pub(crate) struct Group<'a> {
    sides: &'a [&'a [Entry]],
    slots: &'a [u32],
    repeated: &'a [(usize, usize, u32)],
}

impl Grouper {
    /// Groups the entries of all sides by key; all sides together have fewer than 2^32 entries in a shard.
    pub(crate) fn group<'a>(&'a mut self, sides: &'a [&'a [Entry]]) -> Groups<'a> {
        let width = sides.len();
        let expected = sides.iter().map(|entries| entries.len()).max().unwrap_or(0);
        let expected = expected + expected / 8;
        self.table.clear();
        self.table.reserve(expected, |(known, _)| hash(known));
        self.slots.clear();
        self.slots.reserve(expected * width);
        self.repeated.clear();
        let mut groups = 0u32;
        for (side, entries) in sides.iter().enumerate() {
            for (position, entry) in (0u32..).zip(entries.iter()) {
                let key = entry.key();
                let same = |(known, _): &([u64; 2], u32)| *known == key;
                let group = match self.table.entry(hash(&key), same, |(known, _)| hash(known)) {
                    Slot::Occupied(found) => found.get().1,
                    Slot::Vacant(vacant) => {
                        vacant.insert((key, groups));
                        self.slots.resize(self.slots.len() + width, ABSENT);
                        groups += 1;
                        groups - 1
                    }
                } as usize;
                match self.slots.get_mut(group * width + side) {
                    Some(slot) if *slot == ABSENT => *slot = position,
                    _ => self.repeated.push((group, side, position)),
                }
            }
        }
        self.repeated.sort_unstable();
        Groups { sides, slots: &self.slots, repeated: &self.repeated }
    }
}

/// Returns the bits of a key's digest that the choice of the shard has not used.
#[inline]
fn hash(key: &[u64; 2]) -> u64 {
    let [_, bits] = key;
    *bits
}

impl<'a> Groups<'a> {
    /// Iterates over the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Group<'_>> {
        let mut repeated = self.repeated;
        self.slots.chunks(self.sides.len().max(1)).enumerate().map(move |(at, slots)| {
            let here = repeated.iter().take_while(|(group, _, _)| *group == at).count();
            let (mine, rest) = repeated.split_at_checked(here).unwrap_or_default();
            repeated = rest;
            Group { sides: self.sides, slots, repeated: mine }
        })
    }
}

impl<'a> Group<'a> {
    /// Returns the entry of one side; the first one when the key is repeated there.
    pub(crate) fn entry(&self, side: usize) -> Option<&'a Entry> {
        let slot = self.slots.get(side).filter(|slot| **slot != ABSENT)?;
        self.sides.get(side)?.get(*slot as usize)
    }

    /// Returns whether some side has the key more than once.
    pub(crate) fn is_repeated(&self) -> bool {
        !self.repeated.is_empty()
    }

    /// Returns the places of all entries of one side.
    pub(crate) fn places(&self, side: usize) -> Vec<u64> {
        let more = self.repeated.iter().filter(|(_, at, _)| *at == side);
        let more = more.filter_map(|(_, _, entry)| self.sides.get(side)?.get(*entry as usize));
        self.entry(side).into_iter().chain(more).map(|entry| entry.place).collect()
    }

    /// Returns whether every side has the key, and the rows are all the same by digest.
    pub(crate) fn is_same(&self) -> bool {
        let Some(first) = self.entry(0) else {
            return false;
        };
        (1..self.slots.len())
            .all(|side| self.entry(side).is_some_and(|entry| entry.same_row(first)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a map from key to the places of each side; the memory has been used before.
        #[test]
        fn groups_are_those_of_a_map(sides in prop::collection::vec(prop::collection::vec((0u128..12, 0u128..3), 0..20), 1..4)) {
            let entries: Vec<Vec<Entry>> = sides
                .iter()
                .map(|rows| rows.iter().enumerate().map(|(at, (key, row))| Entry::new(*key, *row, at as u64)).collect())
                .collect();
            let mut expected: BTreeMap<u128, Vec<Vec<u64>>> = BTreeMap::new();
            for (side, rows) in sides.iter().enumerate() {
                for (at, (key, _)) in rows.iter().enumerate() {
                    expected.entry(*key).or_insert_with(|| vec![Vec::new(); sides.len()])[side].push(at as u64);
                }
            }
            let mut grouper = Grouper::default();
            grouper.group(&[&[Entry::new(1, 1, 1), Entry::new(1, 1, 1)], &[Entry::new(2, 2, 2)]]);
            let slices: Vec<&[Entry]> = entries.iter().map(Vec::as_slice).collect();
            let groups = grouper.group(&slices);
            let mut found = 0;
            for group in groups.iter() {
                found += 1;
                let places: Vec<Vec<u64>> = (0..sides.len()).map(|side| group.places(side)).collect();
                let (side, place) = places.iter().enumerate().find_map(|(s, p)| p.first().map(|p| (s, *p as usize))).unwrap();
                prop_assert_eq!(&places, &expected[&sides[side][place].0]);
                prop_assert_eq!(group.is_repeated(), places.iter().any(|p| p.len() > 1));
                let rows: Vec<Option<u128>> = places.iter().enumerate().map(|(s, p)| p.first().map(|p| sides[s][*p as usize].1)).collect();
                prop_assert_eq!(group.is_same(), rows[0].is_some() && rows.iter().all(|row| *row == rows[0]));
            }
            prop_assert_eq!(found, expected.len());
        }
    }
}
