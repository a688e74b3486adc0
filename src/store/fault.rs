//! What the database reports, in words for the reader.

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
        let error = match error {
            // What could not be opened says so itself.
            sqlx::Error::AnyDriverError(inner) => match inner.downcast::<Self>() {
                Ok(known) => return *known,
                Err(inner) => sqlx::Error::AnyDriverError(inner),
            },
            error => error,
        };
        let said = match &error {
            sqlx::Error::Database(inner) => inner.message().to_owned(),
            other => other.to_string(),
        };
        if let Some(known) = from_server(&error, &said) {
            return known.with_source(error);
        }
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
                "the store is busy: the writes of this process queue for too long, or its server is away",
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
    let error = error.as_database_error()?;
    error.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    let code: Cow<'_, str> = error.code()?;
    code.parse::<i32>().ok().map(|code| code & 0xff)
}

/// Classifies by PostgreSQL's code (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn from_server(error: &sqlx::Error, said: &str) -> Option<Error> {
    let away = |said: &str| {
        Error::new(Kind::Unavailable, format!("the store's database cannot be reached: {said}"))
            .next("check [store] url and that the server runs, then repeat the call")
    };
    if let sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed = error {
        return Some(away(said));
    }
    let error = error.as_database_error()?;
    error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?;
    let code = error.code()?;
    Some(match (code.get(..2)?, &*code) {
        (_, "55P03") => Error::new(
            Kind::Unavailable,
            "the store is locked: another process was writing it all the time",
        )
        .next("try again; if it stays so, look for a Lockstep process that hangs"),
        (_, "22021") => Error::invalid("a name or text holds the character U+0000")
            .next("a store in PostgreSQL cannot keep it: take it out of the data"),
        ("08" | "57", _) => away(said),
        ("53", _) => Error::new(
            Kind::Unavailable,
            format!(
                "the store's database is out of something: {said}; nothing of this step was kept"
            ),
        )
        .next("give the server room, then repeat the call"),
        ("28" | "3D" | "42", "42501" | "28000" | "28P01" | "3D000") => {
            Error::new(Kind::PermissionDenied, format!("the store's database refuses: {said}"))
                .next("check [store] url, and the rights of its user")
        }
        _ => return None,
    })
}
