//! Health: how well a dataset is kept in step, in numbers that can be checked by hand.
//!
//! [`estimate`] and [`score`] are pure. [`quality`] measures the data of live members, whole or a sample; [`metrics`]
//! adds up how runs ended; [`report`] puts all of it together; [`dashboard`] writes it to a spreadsheet for people.

pub(crate) mod dashboard;
mod estimate;
mod expected;
mod look;
pub(crate) mod metrics;
mod quality;
pub(crate) mod report;
mod score;
mod waits;
