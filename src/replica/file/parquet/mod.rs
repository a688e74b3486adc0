//! Apache Parquet.
//!
//! The format is columnar, so a write makes the file anew; but values that do not change are carried over as they are
//! stored, level by level, so that columns this program cannot read as values (nested ones, maps, bytes) would survive
//! too. The schema, the metadata, each column's compression and the size of row groups stay.

mod column;
mod contents;
mod fresh;
mod moment;
mod shape;
mod values;
mod write;

use lockstep_engine::{cell::Cell, schema::ColumnType, snapshot::SnapshotBuilder};

pub(super) use fresh::create;
pub(super) use write::edit;

use super::{broken, format::Rows};
use crate::error::Result;
use contents::Contents;
use shape::Held;

/// Reads the rows.
///
/// # Errors
/// A damaged file, one that is too large, and a column of a kind that no cell holds.
pub(super) fn read(bytes: &[u8]) -> Result<Rows> {
    guarded(|| {
        let contents = Contents::read(bytes)?;
        let fields = contents.fields()?;
        let mut builder = SnapshotBuilder::new(fields.iter().map(|field| field.name.as_str()));
        for row in 0..contents.rows {
            let mut held = Vec::with_capacity(fields.len());
            for field in &fields {
                held.push(field.held(&contents, row)?);
            }
            builder.push(held.iter().map(|held| match held {
                Held::Nothing => Cell::Null,
                Held::Bool(value) => Cell::Bool(*value),
                Held::Float(value) => Cell::Float(*value),
                Held::Number(text) => Cell::Number(text),
                Held::Text(text) => Cell::Text(text),
            }));
        }
        let types = fields.iter().filter_map(|field| Some((field.name.clone(), field.ty()?)));
        // A text column says nothing: what is in it may be dates or numbers to the other side.
        let types = types.filter(|(_, ty)| *ty != ColumnType::Text).collect();
        Ok(Rows { types, ..Rows::from(builder.finish()) })
    })
}

/// Runs what reads or writes Parquet; a panic of the library over damaged bytes is an error here.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(broken("the Parquet file is damaged")))
}

fn damaged(error: impl std::fmt::Display) -> crate::error::Error {
    broken(format!("the Parquet file is damaged: {error}"))
}

#[cfg(test)]
mod tests;
