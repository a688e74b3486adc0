//! What a database's error means: try again, somebody must act, or a row that it refuses.

use sqlx::error::{DatabaseError, Error as Sqlx};

use crate::error::{Error, Kind};

/// Returns the error of a connection that could not be made.
pub(super) fn connect(error: &Sqlx) -> Error {
    match error {
        Sqlx::Database(failed) => of_database(failed.as_ref(), "nothing was read or written"),
        Sqlx::PoolTimedOut => {
            Error::new(Kind::Unavailable, "the database could not be reached in time")
                .next("check that it runs and that its address in lockstep.toml is right")
        }
        other => lost(other, "nothing was read or written"),
    }
}

/// Returns the error of a statement that reads.
pub(super) fn read(error: &Sqlx) -> Error {
    match error {
        Sqlx::Database(failed) => of_database(failed.as_ref(), "nothing was written"),
        other => lost(other, "the read was broken off; nothing was written"),
    }
}

/// Returns the error of a statement whose transaction is not committed: nothing of it stays.
pub(super) fn write(error: &Sqlx) -> Error {
    match error {
        Sqlx::Database(failed) => of_database(failed.as_ref(), "nothing of the batch was written"),
        other => lost(other, "nothing of the batch was written"),
    }
}

fn lost(error: &Sqlx, so: &str) -> Error {
    match error {
        Sqlx::Io(_)
        | Sqlx::Tls(_)
        | Sqlx::Protocol(_)
        | Sqlx::PoolTimedOut
        | Sqlx::PoolClosed
        | Sqlx::WorkerCrashed
        | Sqlx::BeginFailed => Error::new(
            Kind::Unavailable,
            format!("the connection to the database was lost ({error}); {so}"),
        )
        .next("call again when the database can be reached"),
        other => Error::internal(format!("the database's answer is not understood: {other}")),
    }
}

fn of_database(failed: &dyn DatabaseError, so: &str) -> Error {
    let code = failed.code().unwrap_or_default().into_owned();
    let said = said(failed);
    let (kind, next) = match Class::of(failed, &code) {
        Class::Busy => (Kind::Unavailable, "call again: somebody else was in the way"),
        Class::Gone => (Kind::Unavailable, "call again when the database can be reached"),
        Class::Password => (Kind::Unauthenticated, "correct user and password in lockstep.toml"),
        Class::Forbidden => {
            (Kind::PermissionDenied, "grant it to the database user, or use another one")
        }
        Class::Missing => (Kind::NotFound, "check the name in the database and in lockstep.toml"),
        Class::Row => (Kind::InvalidArgument, "correct the value, or leave the column out"),
        Class::Other => (Kind::InvalidArgument, "check the statement or the table in the database"),
    };
    Error::new(kind, format!("the database says: {said}; {so}")).next(next)
}

/// Returns the database's own words, with its detail where it gives one.
pub(super) fn said(failed: &dyn DatabaseError) -> String {
    let postgres = failed.try_downcast_ref::<sqlx::postgres::PgDatabaseError>();
    match postgres.and_then(|error| error.detail()) {
        Some(detail) => format!("{} ({})", failed.message(), detail.trim_end_matches('.')),
        None => failed.message().to_owned(),
    }
}

/// Returns the database's words about the row that it refuses, and the column if it names one; `None` for an error that no
/// row is to blame for.
pub(super) fn refused(error: &Sqlx) -> Option<(String, Option<String>)> {
    let Sqlx::Database(failed) = error else { return None };
    let code = failed.code().unwrap_or_default().into_owned();
    let row = matches!(Class::of(failed.as_ref(), &code), Class::Row);
    row.then(|| (said(failed.as_ref()), column(failed.as_ref())))
}

/// Returns the column that an error names.
fn column(failed: &dyn DatabaseError) -> Option<String> {
    if let Some(postgres) = failed.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        let named = postgres.column().map(str::to_owned);
        return named.or_else(|| key_column(postgres.detail()?));
    }
    named_column(failed.message())
}

/// Returns the column of PostgreSQL's `Key (name)=(x) already exists`; none of a key of several.
fn key_column(detail: &str) -> Option<String> {
    let (names, _) = detail.strip_prefix("Key (")?.split_once(")=")?;
    (!names.contains([',', '('])).then(|| names.trim_matches('"').to_owned())
}

/// Returns the column in the words of MySQL (`column 'n'`, ``column `db`.`t`.`n` ``, `Field 'n'`) and SQLite
/// (`constraint failed: t.n`, `column t.n`).
fn named_column(message: &str) -> Option<String> {
    for before in ["column '", "Column '", "Field '"] {
        if let Some((_, rest)) = message.split_once(before) {
            return rest.split_once('\'').map(|(name, _)| name.to_owned());
        }
    }
    if let Some((_, rest)) = message.split_once("column `") {
        let names = rest.split_once("` at row").map_or(rest, |(names, _)| names);
        let last = names.trim_end_matches('`').rsplit('`').next();
        return last.map(str::to_owned);
    }
    let sqlite = ["NOT NULL constraint failed: ", "UNIQUE constraint failed: ", " column "];
    let rest = sqlite.iter().find_map(|before| Some(message.split_once(before)?.1))?;
    let name = rest.split_once('.').map(|(_, name)| name)?;
    (!name.contains([',', ' '])).then(|| name.to_owned())
}

/// Returns whether a row with the same primary key is there already.
pub(super) fn is_duplicate(error: &Sqlx) -> bool {
    matches!(error, Sqlx::Database(failed) if failed.is_unique_violation())
}

/// Returns whether a table is missing.
pub(super) fn is_missing_table(error: &Sqlx) -> bool {
    let Sqlx::Database(failed) = error else { return false };
    let code = failed.code().unwrap_or_default();
    // PostgreSQL undefined_table and invalid_schema_name, MySQL ER_NO_SUCH_TABLE; SQLite says it in words alone.
    matches!(code.as_ref(), "42P01" | "3F000" | "42S02")
        || failed.message().starts_with("no such table")
}

/// What can be done about an error of a database.
enum Class {
    /// Somebody else holds a lock, or a limit of time was reached.
    Busy,
    /// The server shuts down, starts up, or has no connection left.
    Gone,
    Password,
    Forbidden,
    Missing,
    /// A value or a constraint: one row is to blame.
    Row,
    Other,
}

impl Class {
    fn of(failed: &dyn DatabaseError, code: &str) -> Self {
        if let Some(mysql) = failed.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            return Self::of_mysql(mysql.number(), code);
        }
        if failed.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
            return Self::of_sqlite(code, failed.message());
        }
        Self::of_state(code)
    }

    /// By SQLSTATE, as PostgreSQL documents it in its appendix A.
    fn of_state(code: &str) -> Self {
        match code {
            "40001" | "40P01" | "55P03" | "57014" => Self::Busy,
            "28000" | "28P01" => Self::Password,
            "42501" | "25006" => Self::Forbidden,
            "3D000" | "42P01" | "42703" | "3F000" => Self::Missing,
            "44000" | "428C9" => Self::Row,
            // 22 data, 23 integrity, 27 triggered change, P0 raised by a function, 45 by SIGNAL.
            _ => match code.get(..2) {
                Some("22" | "23" | "27" | "P0" | "45") => Self::Row,
                Some("08" | "53" | "57") => Self::Gone,
                _ => Self::Other,
            },
        }
    }

    /// By the numbers of MySQL's and MariaDB's error references.
    fn of_mysql(number: u16, code: &str) -> Self {
        match number {
            1205 | 1213 | 1969 | 3024 | 1317 => Self::Busy,
            1040 | 1053 | 1077 | 1152 | 1203 | 1927 => Self::Gone,
            1045 | 1698 => Self::Password,
            1044 | 1142 | 1143 | 1227 | 1370 | 1290 | 1792 | 1836 => Self::Forbidden,
            1049 | 1054 | 1146 => Self::Missing,
            // No default, bad value, truncated, bad text for a type, CHECK, SIGNAL, view CHECK OPTION, bad JSON.
            1364 | 1366 | 1265 | 1292 | 1411 | 3819 | 4025 | 1644 | 1369 | 3140 | 1367 => Self::Row,
            _ => Self::of_state(code),
        }
    }

    /// By the primary result code, the low byte of an extended one.
    fn of_sqlite(code: &str, message: &str) -> Self {
        match code.parse::<u32>().unwrap_or_default() & 0xff {
            5 | 6 => Self::Busy,
            8 | 23 => Self::Forbidden,
            14 => Self::Missing,
            // Too big, constraint, mismatch.
            18..=20 => Self::Row,
            1 if message.starts_with("no such") => Self::Missing,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_is_found_where_the_database_names_it() {
        for (message, column) in [
            ("Column 'name' cannot be null", Some("name")),
            ("Data too long for column 'name' at row 3", Some("name")),
            ("Incorrect integer value: 'many' for column `shop`.`t`.`qty` at row 1", Some("qty")),
            ("Field 'site' doesn't have a default value", Some("site")),
            ("Duplicate entry 'x' for key 'name'", None),
            ("NOT NULL constraint failed: t.name", Some("name")),
            ("UNIQUE constraint failed: t.name", Some("name")),
            ("UNIQUE constraint failed: t.name, t.site", None),
            ("cannot store TEXT value in INTEGER column t.qty", Some("qty")),
            ("CHECK constraint failed: qty < 1000", None),
            ("FOREIGN KEY constraint failed", None),
        ] {
            assert_eq!(named_column(message).as_deref(), column, "{message}");
        }
        for (detail, column) in [
            ("Key (name)=(x) already exists.", Some("name")),
            ("Key (\"Name\")=(x) already exists.", Some("Name")),
            ("Key (a, b)=(1, 2) already exists.", None),
            ("Key (lower(name))=(x) already exists.", None),
            ("Failing row contains (1, 2).", None),
        ] {
            assert_eq!(key_column(detail).as_deref(), column, "{detail}");
        }
    }
}
