//! The columns that a write is about.

use std::sync::Arc;

/// Positions of columns, ascending; a clone shares them.
///
/// Most writes of a run are about the same columns: a hundred thousand new rows hold one list.
pub type Columns = Arc<[usize]>;

/// Returns columns that are shared with the others where they are the same.
pub(crate) fn like(columns: Vec<usize>, other: Option<&Columns>) -> Columns {
    match other.filter(|other| ***other == *columns) {
        Some(other) => other.clone(),
        None => columns.into(),
    }
}
