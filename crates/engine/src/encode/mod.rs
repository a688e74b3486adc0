//! How values are written to each kind of replica: exactly, or as text that reads back equal.
//!
//! The law of every encoder: decoded under the same column type, what was written is equal to the value.

pub mod csv;
pub mod json;
pub mod sheet;
pub mod sql;
