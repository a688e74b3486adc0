//! Segments and a delta brought together: into the rows of a base, or into new segments.

use std::collections::BTreeMap;
use std::collections::btree_map::IntoIter;
use std::iter::Peekable;

use lockstep_engine::value::{Row, Value};

use super::codec;
use super::segment::{Packed, pack, put, take, take_key, take_row, unpack};
use crate::error::Result;

/// The values of a normalised key; its order is that of keys.
pub(super) type KeyValues = Row;

/// What a base has beside its segments; `None` hides the segments' row.
pub(super) type Delta = BTreeMap<KeyValues, Option<Row>>;

/// A stored segment.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// Its number in the store.
    pub(super) id: i64,
    /// Its greatest key.
    pub(super) last: KeyValues,
    /// Its entries.
    pub(super) packed: Packed,
}

/// A segment that is not stored yet.
#[derive(Clone, Debug)]
pub(super) struct Built {
    /// How many entries it has.
    pub(super) entries: u64,
    /// Its greatest key.
    pub(super) last: KeyValues,
    /// Its entries.
    pub(super) packed: Packed,
}

/// One segment of a folded base.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// A stored one that the delta did not touch.
    Kept(i64),
    /// A new one.
    New(Built),
}

/// Where the columns of a row come from: positions in the old row; `None` is null.
pub(super) type Alignment = Vec<Option<usize>>;

/// Returns how rows of the old columns become rows of the new ones, by name.
pub(super) fn alignment(old: &[String], new: &[String]) -> Alignment {
    new.iter().map(|name| old.iter().position(|other| other == name)).collect()
}

/// Returns a row in the new columns.
pub(super) fn align(row: &[Value], alignment: &Alignment) -> Row {
    let value = |from: &Option<usize>| from.and_then(|from| row.get(from)).cloned();
    alignment.iter().map(|from| value(from).unwrap_or(Value::Null)).collect()
}

/// Packs a delta.
pub(super) fn pack_delta(delta: &Delta) -> Result<Packed> {
    let mut bytes = Vec::new();
    for (key, row) in delta {
        put(Some(key), &mut bytes);
        put(row.as_deref(), &mut bytes);
    }
    pack(&bytes)
}

/// Reads a delta back.
pub(super) fn unpack_delta(packed: &Packed) -> Result<Delta> {
    let bytes = unpack(packed)?;
    let mut rest = bytes.as_slice();
    let mut delta = Delta::new();
    while !rest.is_empty() {
        let key = take_key(&mut rest)?;
        delta.insert(key, take_row(&mut rest)?);
    }
    Ok(delta)
}

type Changes = Peekable<IntoIter<KeyValues, Option<Row>>>;

/// Calls something for each row of a base, by key; one segment at a time is expanded.
pub(super) fn walk(segments: &[Segment], delta: Delta, each: &mut impl FnMut(Row)) -> Result<()> {
    let mut changes = delta.into_iter().peekable();
    for (position, segment) in segments.iter().enumerate() {
        let bytes = unpack(&segment.packed)?;
        let bound = bound(segments, position);
        if touches(&mut changes, bound) {
            merge(&bytes, &mut changes, bound, None, |_, row| {
                each(row);
                Ok(())
            })?;
            continue;
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            take(&mut rest)?;
            take_row(&mut rest)?.into_iter().for_each(&mut *each);
        }
    }
    changes.filter_map(|(_, row)| row).for_each(each);
    Ok(())
}

/// Folds a delta into segments of about `target` bytes; those that it does not touch are kept, unless the columns change.
///
/// The delta's rows are in the new columns already.
pub(super) fn fold(
    segments: &[Segment],
    delta: Delta,
    alignment: Option<&Alignment>,
    target: usize,
) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut builder = Builder { target, ..Builder::default() };
    let mut changes = delta.into_iter().peekable();
    for (position, segment) in segments.iter().enumerate() {
        let bound = bound(segments, position);
        if alignment.is_none() && !touches(&mut changes, bound) {
            builder.flush(&mut parts)?;
            parts.push(Part::Kept(segment.id));
            continue;
        }
        let bytes = unpack(&segment.packed)?;
        merge(&bytes, &mut changes, bound, alignment, |key, row| {
            builder.push(key, &row, &mut parts)
        })?;
    }
    for (key, row) in changes {
        if let Some(row) = row {
            builder.push(key, &row, &mut parts)?;
        }
    }
    builder.flush(&mut parts)?;
    Ok(parts)
}

/// Returns a segment without a key, `None` within when nothing is left of it; `None` when it does not have the key.
pub(super) fn without(packed: &Packed, key: &[Value]) -> Result<Option<Option<Built>>> {
    let bytes = unpack(packed)?;
    let (mut builder, mut found) = (Builder::default(), false);
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (entry, row) = (take_key(&mut rest)?, take_row(&mut rest)?);
        if *entry == *key {
            found = true;
        } else if let Some(row) = row {
            builder.add(entry, &row);
        }
    }
    if found { Ok(Some(builder.build()?)) } else { Ok(None) }
}

/// Returns the greatest key that a segment's range has; the last segment's has no end.
fn bound(segments: &[Segment], position: usize) -> Option<&[Value]> {
    segments.get(position + 1)?;
    segments.get(position).map(|segment| &*segment.last)
}

fn within(key: &[Value], bound: Option<&[Value]>) -> bool {
    bound.is_none_or(|bound| key <= bound)
}

fn touches(changes: &mut Changes, bound: Option<&[Value]>) -> bool {
    changes.peek().is_some_and(|(key, _)| within(key, bound))
}

/// Walks through a segment and the changes of its range together, in the order of their keys.
fn merge(
    mut entries: &[u8],
    changes: &mut Changes,
    bound: Option<&[Value]>,
    alignment: Option<&Alignment>,
    mut emit: impl FnMut(KeyValues, Row) -> Result<()>,
) -> Result<()> {
    while !entries.is_empty() {
        let key = take_key(&mut entries)?;
        let row = take(&mut entries)?;
        while let Some((before, new)) = changes.next_if(|(change, _)| *change < key) {
            if let Some(new) = new {
                emit(before, new)?;
            }
        }
        match (changes.next_if(|(change, _)| *change == key), row) {
            (Some((_, Some(new))), _) => emit(key, new)?,
            (Some((_, None)), _) | (None, None) => {}
            (None, Some(row)) => {
                let row = codec::row(row)?;
                let row = match alignment {
                    Some(alignment) => align(&row, alignment),
                    None => row,
                };
                emit(key, row)?;
            }
        }
    }
    while let Some((key, new)) = changes.next_if(|(change, _)| within(change, bound)) {
        if let Some(new) = new {
            emit(key, new)?;
        }
    }
    Ok(())
}

/// Gathers entries into segments of about the same size.
#[derive(Default)]
struct Builder {
    target: usize,
    bytes: Vec<u8>,
    entries: u64,
    last: KeyValues,
}

impl Builder {
    fn add(&mut self, key: KeyValues, row: &[Value]) {
        put(Some(&key), &mut self.bytes);
        put(Some(row), &mut self.bytes);
        self.entries += 1;
        self.last = key;
    }

    fn push(&mut self, key: KeyValues, row: &[Value], parts: &mut Vec<Part>) -> Result<()> {
        self.add(key, row);
        if self.bytes.len() >= self.target { self.flush(parts) } else { Ok(()) }
    }

    fn flush(&mut self, parts: &mut Vec<Part>) -> Result<()> {
        parts.extend(self.build()?.map(Part::New));
        Ok(())
    }

    fn build(&mut self) -> Result<Option<Built>> {
        if self.entries == 0 {
            return Ok(None);
        }
        let packed = pack(&self.bytes)?;
        self.bytes.clear();
        let (entries, last) = (std::mem::take(&mut self.entries), std::mem::take(&mut self.last));
        Ok(Some(Built { entries, last, packed }))
    }
}
