//! What SQLite reports, in words for the reader.

use std::borrow::Cow;

use crate::error::{Error, Kind};

/// Returns the error of a file that is something else.
pub(super) fn no_store(why: &str) -> Error {
    Error::invalid(format!("this file is no Lockstep store: {why}"))
        .next("name the store's own file, or one that does not exist yet")
}

/// Classifies by SQLite's primary result code (<https://sqlite.org/rescode.html>).
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let said = match &error {
            sqlx::Error::Database(inner) => inner.message().to_owned(),
            other => other.to_string(),
        };
        let classified = match (primary_code(&error), &error) {
            (Some(5 | 6), _) => Error::new(
                Kind::Unavailable,
                "the store is locked: another process was writing it all the time",
            )
            .next("try again; if it stays so, look for a Lockstep process that hangs"),
            (Some(13), _) => Error::new(
                Kind::Unavailable,
                "the disk that holds the store is full; nothing of this step was kept",
            )
            .next("free space on that disk, then repeat the call"),
            (Some(10), _) => Error::new(
                Kind::Unavailable,
                format!("the disk that holds the store fails: {said}"),
            )
            .next("check the disk and its file system, then repeat the call"),
            (Some(8 | 3 | 23), _) => {
                Error::new(Kind::PermissionDenied, format!("the store cannot be written: {said}"))
                    .next("give this user the right to write the file and its folder")
            }
            (Some(14), _) => {
                Error::new(Kind::NotFound, format!("the store cannot be opened: {said}"))
                    .next("check that the path is right, is a file, and may be read and written")
            }
            (Some(11), _) => super::codec::damaged(&said),
            (Some(26), _) => no_store("it is not an SQLite database"),
            (Some(18), _) => Error::new(
                Kind::TooLarge,
                "a row, a plan or a cell is too large for the store (1 GB)",
            )
            .next("split the dataset, or leave the large column out"),
            (_, sqlx::Error::PoolTimedOut) => Error::new(
                Kind::Unavailable,
                "the store is busy: the writes of this process queue for too long",
            )
            .next("try again when the runs under way have ended"),
            (_, sqlx::Error::PoolClosed) => {
                Error::new(Kind::Unavailable, "the store was closed: Lockstep is shutting down")
                    .next("start Lockstep again")
            }
            (
                _,
                sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::ColumnNotFound(_),
            ) => super::codec::damaged(&said),
            _ => Error::internal(format!("the store refused a statement: {said}"))
                .next("report this with the log; nothing of this step was kept"),
        };
        classified.with_source(error)
    }
}

/// Returns whether another process holds what a statement needs.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(5)
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: Cow<'_, str> = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|code| code & 0xff)
}
