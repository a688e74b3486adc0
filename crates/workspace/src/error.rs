//! What can go wrong when a workspace is opened.

use std::path::PathBuf;

/// Says why a workspace could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file, or the folder it should lie in, cannot be used.
    #[error("cannot use {path} as a workspace file: {source}")]
    File {
        /// The path that was given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// SQLite refused the file.
    #[error(
        "cannot open the workspace file {path}: {source}; is it a SQLite file that this user may write?"
    )]
    Database {
        /// The path that was given.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file was written by a later version of Lockstep.
    #[error(
        "the workspace file {path} has format {found}, this program knows up to {known}: update Lockstep, or use another file"
    )]
    Version {
        /// The path that was given.
        path: PathBuf,
        /// The format number in the file.
        found: i64,
        /// The newest format number this program knows.
        known: i64,
    },
}
