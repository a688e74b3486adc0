//! Anchored writes: rows are tagged, and values go to tags, wherever their rows are by then.

use jiff::Timestamp;
use lockstep_engine::dataset::SideName;

use super::{marker, sheet_check::Todo};
use crate::error::{Error, Kind, Result};

/// The most rows of one run that are anchored.
///
/// Google allows 30,000 characters of tags on a sheet, those of other programs included; a tag of ours has about 20.
pub(crate) const MAX_ROWS: usize = 500;

/// The key of every tag of Lockstep.
pub(crate) const KEY: &str = "ls";

/// Returns an error if more rows are changed than can be anchored.
pub(crate) fn check_size(todos: &[Todo]) -> Result<()> {
    let rows = todos.iter().filter(|todo| matches!(todo, Todo::Set(..))).count();
    if rows <= MAX_ROWS {
        return Ok(());
    }
    Err(Error::new(
        Kind::TooLarge,
        format!(
            "{rows} rows would change; at most {MAX_ROWS} can be anchored. Nothing was written"
        ),
    )
    .next("use guard \"readBack\", the default"))
}

/// Returns what the tags of a run say: which run, and when they were made.
pub(crate) fn tags(run: &str, side: SideName, now: Timestamp) -> String {
    format!("{}.{}", now.as_second(), marker::id(&[run, side.as_str()]))
}
