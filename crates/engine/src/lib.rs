//! The dataset model and the one diff and resolution engine of Lockstep.
//!
//! Everything here is pure: no clock, no network, no async, and no file beyond a spill directory handed in.
//!
//! - [`value`], [`schema`], [`key`]: typed values, how a column reads them, and what makes two rows the same row.
//! - [`csv`], [`snapshot`], [`infer`]: delimited text, the compact rows of a replica, the types of its columns.
//! - [`expect`]: what is expected of the rows, and whether they keep to it.
//! - [`join`]: rows brought together by key; [`findings`]: what a person should know about the data.
//! - [`diff`]: two files compared by key, larger than memory if need be.
//! - [`encode`], [`canonical`]: values written so that they read back equal, and as stable bytes.
//! - [`dataset`], [`terms`]: the policy; [`reconcile`]: what must change where; [`plan`], [`safety`]: before an apply;
//!   [`confirm`], [`undo`]: what base learns after it, and the way back.

pub mod canonical;
pub mod cell;
mod cells;
pub mod class;
pub mod columns;
mod combine;
pub mod confirm;
pub mod conflict;
mod counts;
pub mod csv;
pub mod dataset;
mod datetime;
pub mod decision;
mod deletes;
pub mod diff;
pub mod encode;
mod existence;
pub mod expect;
mod facts;
pub mod findings;
mod gather;
mod group;
pub mod hub;
mod index;
pub mod infer;
pub mod join;
pub mod key;
mod list;
mod merge;
mod nearest;
mod number;
pub mod plan;
pub mod reconcile;
mod resolve;
pub mod rules;
pub mod safety;
pub mod schema;
mod serial;
mod shape;
mod side;
pub mod snapshot;
pub mod source;
mod spill;
mod spread;
mod strategy;
pub mod table;
pub mod terms;
mod text;
pub mod times;
mod transfer;
pub mod undo;
pub mod value;
pub mod views;
mod weigh;

#[cfg(test)]
mod testing;
