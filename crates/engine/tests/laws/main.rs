//! The laws of reconciliation (the design's list of sixteen), over a small domain completely and over random tables.

mod check;
mod exhaustive;
mod policies;
mod world;
