//! Entries of a base as bytes: keys and rows one after the other, compressed, a digest beside them.
//!
//! A field is its length as a little-endian `u32` and the canonical bytes of a row; the length of an absent one is
//! `u32::MAX`. A segment and a delta have two fields an entry (key, row), intended moves of base three (key, before,
//! after). The format is stable: stores outlive processes.

use std::io::{BufRead, BufReader, BufWriter, Read};

use lockstep_engine::canonical::write_row;
use lockstep_engine::reconcile::BaseChange;
use lockstep_engine::value::{Row, Value};
use serde::Serialize;

use super::codec::{self, damaged};
use crate::error::{Error, Result};

const ABSENT: u32 = u32::MAX;

/// How hard zstd tries; more saves little on rows and costs much.
const LEVEL: i32 = 3;

/// How many bytes of JSON are compressed at a time.
const PIECE: usize = 64 << 10;

/// About how many bytes a segment has before compression.
pub(super) const TARGET: usize = 4 << 20;

/// Compressed bytes and their digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packed {
    /// BLAKE3 of `data`.
    pub(super) digest: Vec<u8>,
    /// The zstd frame.
    pub(super) data: Vec<u8>,
}

/// Compresses bytes.
pub(super) fn pack(bytes: &[u8]) -> Result<Packed> {
    let mut data = zstd::bulk::compress(bytes, LEVEL)
        .map_err(|error| Error::internal("rows cannot be compressed").with_source(error))?;
    // It has room for bytes that cannot be compressed.
    data.shrink_to_fit();
    Ok(Packed { digest: blake3::hash(&data).as_bytes().to_vec(), data })
}

/// Compresses the JSON form of something as it is written: it is nowhere there as a whole.
pub(super) fn pack_json(value: &impl Serialize) -> Result<Packed> {
    let write = || -> std::io::Result<Vec<u8>> {
        let encoder = zstd::stream::Encoder::new(Vec::new(), LEVEL)?;
        let mut pieces = BufWriter::with_capacity(PIECE, encoder);
        serde_json::to_writer(&mut pieces, value)?;
        pieces.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()
    };
    let data =
        write().map_err(|error| Error::internal("a value has no JSON form").with_source(error))?;
    Ok(Packed { digest: blake3::hash(&data).as_bytes().to_vec(), data })
}

/// Checks the digest and expands the bytes.
pub(super) fn unpack(packed: &Packed) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    expand(packed)?
        .read_to_end(&mut bytes)
        .map_err(|error| damaged("compressed rows cannot be expanded").with_source(error))?;
    Ok(bytes)
}

/// Checks the digest and expands the bytes as they are read.
pub(super) fn expand(packed: &Packed) -> Result<impl BufRead> {
    if blake3::hash(&packed.data).as_bytes().as_slice() != packed.digest.as_slice() {
        let what = "compressed rows do not have the digest they were stored with";
        return Err(codec::unreadable(&packed.data, what));
    }
    let decoder = zstd::stream::Decoder::new(packed.data.as_slice())
        .map_err(|error| damaged("compressed rows cannot be expanded").with_source(error))?;
    Ok(BufReader::with_capacity(PIECE, decoder))
}

/// Appends a field.
pub(super) fn put(values: Option<&[Value]>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&ABSENT.to_le_bytes());
    if let Some(values) = values {
        write_row(values, out);
        let length = out.len().saturating_sub(start + 4) as u32;
        if let Some(slot) = out.get_mut(start..start + 4) {
            slot.copy_from_slice(&length.to_le_bytes());
        }
    }
}

/// Takes the next field's bytes.
pub(super) fn take<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>> {
    let cut = || damaged("compressed rows end in the middle");
    let (word, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut)?;
    *bytes = rest;
    let length = u32::from_le_bytes(*word);
    if length == ABSENT {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| cut())?;
    let (field, rest) = bytes.split_at_checked(length).ok_or_else(cut)?;
    *bytes = rest;
    Ok(Some(field))
}

/// Takes the next field as a row.
pub(super) fn take_row(bytes: &mut &[u8]) -> Result<Option<Row>> {
    take(bytes)?.map(codec::row).transpose()
}

/// Takes the next field as the values of a key.
pub(super) fn take_key(bytes: &mut &[u8]) -> Result<Row> {
    take_row(bytes)?.ok_or_else(|| damaged("an entry has no key"))
}

/// Packs intended moves of base, in pieces of a bounded size.
pub(super) fn pack_moves(moves: &[BaseChange]) -> Result<Vec<Packed>> {
    let mut pieces = Vec::new();
    let mut bytes = Vec::new();
    for change in moves {
        put(Some(change.key.as_values()), &mut bytes);
        put(change.before.as_deref(), &mut bytes);
        put(change.after.as_deref(), &mut bytes);
        if bytes.len() >= TARGET {
            pieces.push(pack(&bytes)?);
            bytes.clear();
        }
    }
    if !bytes.is_empty() {
        pieces.push(pack(&bytes)?);
    }
    Ok(pieces)
}

/// Reads a piece of intended moves back.
pub(super) fn unpack_moves(packed: &Packed, moves: &mut Vec<BaseChange>) -> Result<()> {
    let bytes = unpack(packed)?;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let key = codec::key_of(&take_key(&mut rest)?);
        let (before, after) = (take_row(&mut rest)?, take_row(&mut rest)?);
        moves.push(BaseChange { key, before, after });
    }
    Ok(())
}
