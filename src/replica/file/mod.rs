//! Files as replicas: delimited text, JSON, JSON Lines, XLSX workbooks and Parquet.
//!
//! Every format has a reader (bytes to an engine snapshot) and a writer (the same bytes with some rows changed, all
//! else kept). The writer's outcome is read back in memory and compared with the plan before a byte reaches the disk
//! ([`verify`]); the disk then sees it whole or not at all ([`folder::Files::replace_if`]). The precondition of a write
//! is the hash of the content that was read.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    reach::Reach,
    scan::{Extent, Role, Scan, Target},
};
use crate::error::{Error, Result};

pub(crate) mod apply;
mod delimited;
mod edits;
pub mod folder;
pub(crate) mod format;
mod json;
mod parquet;
pub(crate) mod people;
#[cfg(feature = "remote-files")]
pub(crate) mod remote;
pub mod remote_config;
pub(crate) mod shelf;
mod stamp;
mod verify;
mod xlsx;

use folder::Meta;
use format::Format;
use shelf::Got;
use stamp::Stamp;

/// Where a file is, and how it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileSource {
    /// The path, relative to the folder.
    pub(crate) path: String,
    /// The encoding's name; UTF-8, or what the byte order mark says, if not named.
    pub(crate) encoding: Option<String>,
    /// The operator's name of the folder; the default folder if not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connection: Option<String>,
    /// The format, where it is not to be found out; see [`Format::named`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<String>,
    /// The sheet of a workbook; the first if not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sheet: Option<String>,
    /// The row of the header on the sheet, from 1; the first that is not blank if not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) header_row: Option<u32>,
    /// The JSON pointer of the array of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pointer: Option<String>,
}

/// A file as it was read; all else is found out again when it is written.
#[derive(Clone, Debug)]
pub(crate) struct FileTable {
    /// Where it is.
    pub(crate) source: FileSource,
    /// Its format.
    pub(crate) format: Format,
    /// BLAKE3 of the bytes that were read; `None` for a file that is not there yet.
    pub(crate) hash: Option<blake3::Hash>,
}

/// Reads a file, unless the stamp of an earlier scan proves that it is as it was.
///
/// # Errors
/// A file that is not there (a target may be), cannot be reached or understood, or could not be written where the role
/// says that it is.
pub(crate) async fn scan(
    reach: &Reach,
    source: &FileSource,
    role: Role,
    since: Option<&Value>,
) -> Result<Scan> {
    let shelf = reach.shelf(source.connection.as_deref())?;
    let (source, taken) = (source.clone(), reach.clock.now());
    let since = since.and_then(|stamp| Stamp::parse(stamp, &source, shelf.root()));
    let here = tokio::runtime::Handle::current();
    // A large file takes seconds: not on a thread that serves other calls, and beside the other side.
    tokio::task::spawn_blocking(move || {
        let known = |meta: &Meta| since.as_ref().is_some_and(|before| before.proves(meta));
        if role.writes() {
            shelf.check_writable(&source.path)?;
        }
        let got = here.block_on(shelf.get(&source.path, role.writes(), known))?;
        read((&source, shelf.root()), role, since, taken, got)
    })
    .await
    .map_err(|error| Error::internal(format!("the file could not be read: {error}")))?
}

fn read(
    (source, root): (&FileSource, &Path),
    role: Role,
    before: Option<Stamp>,
    taken: Timestamp,
    got: Got,
) -> Result<Scan> {
    let path = &source.path;
    let (bytes, meta) = match (got, &before) {
        (Got::Bytes(bytes, meta), _) => (bytes, meta),
        (Got::Known, Some(before)) => return Ok(unchanged(source, before)),
        (Got::Known | Got::Missing, _) => {
            let format = Format::of(source, &[])?;
            let table = FileTable { source: source.clone(), format, hash: None };
            let rows = format::Rows::default();
            return Ok(Scan::whole(rows.snapshot, Target::File(table)));
        }
    };
    let hash = blake3::hash(&bytes);
    let stamp = Stamp::new((source, root), &meta, hash, Format::of(source, &bytes)?, taken);
    if before.is_some_and(|before| before.hash() == Some(hash)) {
        return Ok(unchanged(source, &stamp));
    }
    let format = Format::of(source, &bytes)?;
    let rows =
        format.read(&bytes, source, role).map_err(|error| error.context(format!("\"{path}\"")))?;
    let table = FileTable { source: source.clone(), format, hash: Some(hash) };
    Ok(Scan {
        types: rows.types,
        formulas: rows.formulas,
        stamp: stamp.to_json(),
        ..Scan::whole(rows.snapshot, Target::File(table))
    })
}

fn unchanged(source: &FileSource, stamp: &Stamp) -> Scan {
    let table = FileTable { source: source.clone(), format: stamp.format(), hash: stamp.hash() };
    Scan {
        extent: Extent::Unchanged,
        stamp: stamp.to_json(),
        ..Scan::whole(format::Rows::default().snapshot, Target::File(table))
    }
}

/// Returns the error of a file whose content is not acceptable.
fn broken(message: impl Into<String>) -> Error {
    Error::invalid(message).next("correct the file; nothing was written")
}

#[cfg(test)]
mod testing;
