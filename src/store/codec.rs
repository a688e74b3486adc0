//! How times, words, keys and rows stand in the tables.

use jiff::Timestamp;
use lockstep_engine::canonical::{read_row, write_row};
use lockstep_engine::key::Key;
use lockstep_engine::value::{Row, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Returns the error of content that cannot have been written by a store.
pub(super) fn damaged(what: &str) -> Error {
    Error::internal(format!("the store is damaged: {what}")).next(
        "stop Lockstep, keep a copy of the file, and restore a backup with `lockstep restore`",
    )
}

/// Returns the error of bytes that cannot be read: they are damaged, or sealed since this process opened the store.
pub(super) fn unreadable(bytes: &[u8], what: &str) -> Error {
    match crate::secrets::Ring::sealed(bytes) {
        true => super::seal::encrypted(),
        false => damaged(what),
    }
}

/// Returns a time as it is stored: whole microseconds.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// Reads a stored time.
pub(super) fn time(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros)
        .map_err(|error| damaged("a time is out of range").with_source(error))
}

/// Returns a count as it is stored.
pub(super) fn stored(count: u64) -> Result<i64> {
    i64::try_from(count).map_err(|_| Error::invalid(format!("{count} is too large a number")))
}

/// Reads a stored count.
pub(super) fn count(stored: i64) -> Result<u64> {
    u64::try_from(stored).map_err(|_| damaged("a count is negative"))
}

/// Returns the JSON text of a value.
pub(super) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::internal("a value has no JSON form").with_source(error))
}

/// Reads JSON text.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| match text.starts_with(super::seal::MARK) {
        // This process was told of no encryption, and opened the store before there was any.
        true => super::seal::encrypted(),
        false => damaged("a JSON text does not parse").with_source(error),
    })
}

/// Returns a message as every store can keep it: PostgreSQL's texts cannot hold U+0000, which is shown by its picture.
pub(super) fn plain(message: impl AsRef<str>) -> String {
    message.as_ref().replace('\0', "\u{2400}")
}

/// Returns the word of an enumeration's value: its name in JSON.
pub(super) fn word(value: &impl Serialize) -> Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(Error::internal("an enumeration's value has no word")),
    }
}

/// Reads the word of an enumeration's value.
pub(super) fn from_word<T: DeserializeOwned>(word: String) -> Result<T> {
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|error| damaged("a word is unknown").with_source(error))
}

/// Returns the canonical bytes of a row or of a key's values.
pub(super) fn bytes(values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 * values.len());
    write_row(values, &mut bytes);
    bytes
}

/// Reads canonical bytes back.
pub(super) fn row(bytes: &[u8]) -> Result<Row> {
    read_row(bytes)
        .map_err(|error| unreadable(bytes, "a row's bytes are no row").with_source(error))
}

/// Reads a key back from the canonical bytes of its values.
pub(super) fn key(bytes: &[u8]) -> Result<Key> {
    Ok(key_of(&row(bytes)?))
}

/// Returns the key of values that were stored as those of a key.
pub(super) fn key_of(values: &Row) -> Key {
    // What was normalised once is not changed by normalising it again without folding.
    Key::normalised(values.iter().cloned(), false)
}

/// Returns the digest by which a key is looked up: BLAKE3 of the canonical bytes of its values.
pub(super) fn key_digest(key: &Key) -> Vec<u8> {
    lockstep_engine::canonical::digest(key.as_values()).to_vec()
}

/// Returns the first text after every text that starts with `prefix`, in byte order.
pub(super) fn after_prefix(prefix: &str) -> String {
    format!("{prefix}\u{10ffff}")
}
