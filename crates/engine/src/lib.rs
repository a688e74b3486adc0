//! The dataset model and the one diff and resolution engine of Lockstep.
//!
//! Everything here is pure: no clock, no network, no async, and no file beyond a spill directory handed in.
//!
//! - [`value`], [`schema`], [`key`]: typed values, how a column reads them, and what makes two rows the same row.

pub mod cell;
mod datetime;
pub mod key;
mod list;
mod number;
pub mod schema;
mod serial;
mod text;
pub mod value;
