//! The dataset model and the one diff and resolution engine of Lockstep.
//!
//! Everything here is pure: no clock, no network, no async, and no file beyond a spill directory handed in.
//!
//! - [`value`], [`schema`], [`key`]: typed values, how a column reads them, and what makes two rows the same row.
//! - [`csv`], [`snapshot`], [`infer`]: delimited text, the compact rows of a replica, the types of its columns.
//! - [`join`]: rows brought together by key; [`findings`]: what a person should know about the data.
//! - [`encode`], [`canonical`]: values written so that they read back equal, and as stable bytes.

pub mod canonical;
pub mod cell;
pub mod csv;
mod datetime;
pub mod encode;
pub mod findings;
mod group;
mod index;
pub mod infer;
pub mod join;
pub mod key;
mod list;
mod nearest;
mod number;
pub mod schema;
mod serial;
mod shape;
pub mod snapshot;
mod text;
pub mod value;

#[cfg(test)]
mod testing;
