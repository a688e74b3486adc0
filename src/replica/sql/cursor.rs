//! Reading on from where the last scan stopped, and the proof that nothing changed.
//!
//! The rule of a cursor: a scan reads the rows whose cursor is not before the highest one that the last scan saw, less
//! an overlap (10 minutes for times, a day for days, 1,000 for numbers), and those without a cursor. The overlap reads
//! ties again, and rows of transactions that were open during the last scan; a row that commits later than the overlap,
//! a changed key, a change that does not raise the cursor, and a deletion are found by the next full read alone. A highest
//! cursor that went back is the trace of a deletion: everything is read.
//!
//! For an ordinary table of PostgreSQL there is a proof for nothing: where no transaction was open at the last scan
//! and none that writes has begun since (the next transaction number is still the same), nothing was written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Engine,
    catalog::Table,
    column::{ColumnInfo, Kind},
    failure,
    name::{literal, quote},
    session::{Bind, Session},
};
use crate::error::{Error, Result};

/// What a scan leaves for the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    /// What was read: another source, or other columns, read everything.
    pub(super) of: String,
    /// The highest cursor, as the database writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<String>,
    /// The moment of the scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) moment: Option<Moment>,
}

/// A moment of a PostgreSQL server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moment {
    /// The number that the next transaction which writes will get.
    next: String,
    /// When the server was started: a server that was restored may count again from before.
    started: String,
    /// Whether no transaction that wrote was open.
    quiet: bool,
}

impl Moment {
    /// Reads the moment, or nothing where the database has no such numbers or the table is no plain one.
    pub(super) async fn read(session: &mut Session, table: Option<&Table>) -> Result<Option<Self>> {
        if session.engine() != Engine::Postgres || !table.is_some_and(|table| table.ordinary) {
            return Ok(None);
        }
        let sql = "SELECT txid_snapshot_xmax(s)::text, pg_postmaster_start_time()::text, \
                   (txid_snapshot_xmin(s) = txid_snapshot_xmax(s))::text FROM txid_current_snapshot() s";
        let rows = session.texts(sql.to_owned(), Bind::none()).await;
        let row = rows.map_err(|error| failure::read(&error))?;
        let mut words = row.into_iter().flatten().flatten();
        Ok(match (words.next(), words.next(), words.next()) {
            (Some(next), Some(started), Some(quiet)) => {
                Some(Self { next, started, quiet: quiet == "true" })
            }
            _ => None,
        })
    }

    /// Returns whether nothing can have been written between an earlier moment and this one.
    pub(super) fn proves(&self, earlier: &Self) -> bool {
        earlier.quiet && self.quiet && earlier.next == self.next && earlier.started == self.started
    }
}

/// Returns the column of the cursor.
///
/// # Errors
/// A column that is not there, or that has no order to read on by.
pub(super) fn column<'a>(columns: &'a [ColumnInfo], name: &str) -> Result<&'a ColumnInfo> {
    let Some(column) = columns.iter().find(|column| column.name == name) else {
        let names = || columns.iter().map(|column| column.name.as_str());
        let near = crate::error::did_you_mean(name, names());
        return Err(Error::not_found(format!(
            "argument cursor: there is no column \"{name}\".{near}"
        ))
        .next(format!("the columns are {}", crate::replica::header::list(names()))));
    };
    match column.kind {
        Kind::Number | Kind::Date | Kind::DateTime | Kind::Instant => Ok(column),
        _ => Err(Error::invalid(format!(
            "argument cursor: the column \"{name}\" holds neither numbers nor times"
        ))
        .next("name a column that grows with every change, e.g. updated_at or a version number")),
    }
}

/// Returns the condition that reads on from a cursor; its parameter, where it has one, is the cursor's text.
pub(super) fn condition(engine: Engine, column: &ColumnInfo, last: &str) -> (String, Bind) {
    let name = quote(engine, &column.name);
    let (after, bind) = match engine {
        Engine::Postgres => {
            let typed = column.typed(engine, &literal(last));
            let overlap = match column.kind {
                Kind::Number => "1000",
                Kind::Date => "1",
                _ => "interval '10 minutes'",
            };
            // COPY takes no parameters; the literal is quoted, and is the database's own text.
            (format!("{name} >= {typed} - {overlap}"), Bind::none())
        }
        Engine::Mysql => {
            let after = match column.kind {
                Kind::Number => "CAST(? AS DECIMAL(65, 10)) - 1000",
                Kind::Date => "CAST(? AS DATE) - INTERVAL 1 DAY",
                _ => "CAST(? AS DATETIME(6)) - INTERVAL 10 MINUTE",
            };
            let last = last.trim_end_matches('Z');
            (format!("{name} >= {after}"), Bind::texts([last]))
        }
        Engine::Sqlite => {
            let days = if column.kind == Kind::Date { "1" } else { "600 / 86400.0" };
            let after = match column.kind {
                Kind::Number => format!("{name} >= ?1 + 0 - 1000"),
                // What is no time of SQLite's has no Julian day: it is read every time.
                _ => format!("coalesce(julianday({name}) >= julianday(?1) - {days}, 1)"),
            };
            (after, Bind::texts([last]))
        }
    };
    (format!("({after} OR {name} IS NULL)"), bind)
}

/// Reads the highest cursor.
pub(super) async fn highest(
    session: &mut Session,
    from: &str,
    column: &ColumnInfo,
) -> Result<Option<String>> {
    let engine = session.engine();
    let highest = format!("max({})", quote(engine, &column.name));
    let text = match engine {
        Engine::Postgres => format!("{highest}::text"),
        Engine::Mysql => format!("CAST({highest} AS CHAR)"),
        Engine::Sqlite => format!("CAST({highest} AS TEXT)"),
    };
    let found = session.texts(format!("SELECT {text} FROM {from}"), Bind::none()).await;
    let found = found.map_err(|error| failure::read(&error))?;
    Ok(found.into_iter().flatten().flatten().next())
}

/// Returns whether the highest cursor is not before the one that the last scan saw.
pub(super) fn went_on(column: &ColumnInfo, last: &str, now: Option<&str>) -> bool {
    let read = |text: &str| column.kind.column_type()?.parse(text).ok();
    match (now, now.and_then(read), read(last)) {
        (None, ..) => false,
        (Some(_), Some(now), Some(last)) => now >= last,
        (Some(now), ..) => now >= last,
    }
}

/// Reads the stamp of an earlier scan; one that is not of this source is none.
pub(super) fn earlier(since: Option<&Value>, of: &str) -> Option<Stamp> {
    let stamp: Stamp = serde_json::from_value(since?.clone()).ok()?;
    (stamp.of == of).then_some(stamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(next: &str, quiet: bool) -> Moment {
        Moment { next: next.into(), started: "then".into(), quiet }
    }

    #[test]
    fn only_two_quiet_moments_of_the_same_number_prove_anything() {
        assert!(moment("7", true).proves(&moment("7", true)));
        assert!(!moment("8", true).proves(&moment("7", true)));
        assert!(!moment("7", true).proves(&moment("7", false)));
        assert!(!moment("7", false).proves(&moment("7", true)));
        let other = Moment { started: "now".into(), ..moment("7", true) };
        assert!(!other.proves(&moment("7", true)));
    }

    #[test]
    fn a_stamp_of_something_else_is_none() {
        let stamp = Stamp { of: "a".into(), cursor: Some("5".into()), moment: None };
        let value = serde_json::to_value(&stamp).unwrap();
        assert_eq!(earlier(Some(&value), "a"), Some(stamp));
        assert_eq!(earlier(Some(&value), "b"), None);
        assert_eq!(earlier(Some(&serde_json::json!(7)), "a"), None);
        assert_eq!(earlier(None, "a"), None);
    }

    #[test]
    fn a_cursor_that_went_back_proves_nothing() {
        let number = ColumnInfo::plain("n", Kind::Number);
        for (last, now, on) in [
            ("9", Some("10"), true),
            ("9", Some("9.0"), true),
            ("10", Some("9"), false),
            ("9", None, false),
        ] {
            assert_eq!(went_on(&number, last, now), on, "{last} {now:?}");
        }
        let instant = ColumnInfo::plain("at", Kind::Instant);
        let (early, late) = ("2024-01-15 09:30:00+00", "2024-01-15 09:30:00.5+00");
        assert!(went_on(&instant, early, Some(late)) && !went_on(&instant, late, Some(early)));
    }

    #[test]
    fn the_cursor_is_quoted_and_overlaps() {
        let mut column = ColumnInfo::plain("at\"", Kind::Instant);
        column.cast = "timestamp with time zone".into();
        let (sql, _) = condition(Engine::Postgres, &column, "2024'); DROP");
        assert_eq!(
            sql,
            "(\"at\"\"\" >= E'2024''); DROP'::timestamp with time zone - interval '10 minutes' \
             OR \"at\"\"\" IS NULL)"
        );
    }
}
