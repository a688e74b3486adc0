//! The imperative shell of a sync: scan, reconcile, plan, journal, apply, report.
//!
//! [`run`] reads like the recipe of DESIGN's syncDataset route; nothing here decides
//! what changes (the engine does) or how a replica is written (`replica` does).
//! [`deliver`] is a run that is limited to the keys of events. [`recover`] finishes what a run that died left open,
//! and [`rollback`] takes a run back.

use jiff::Timestamp;

use crate::{
    consent::{Consent, Key},
    halt,
    principal::Limits,
    replica::reach::Reach,
    store::Store,
};

mod advice;
mod ask;
mod columns;
pub(crate) mod conflicts;
mod content;
pub(crate) mod definition;
pub(crate) mod deliver;
pub(crate) mod describe;
pub(crate) mod drift;
pub(crate) mod ends;
pub(crate) mod expected;
pub(crate) mod held;
pub(crate) mod hidden;
pub(crate) mod history;
pub mod holder;
mod images;
pub(crate) mod inspect;
mod journal;
mod keep;
mod known;
mod lost;
mod pair;
pub(crate) mod plans;
mod policy;
mod prepare;
mod recall;
pub(crate) mod recover;
pub(crate) mod render;
pub(crate) mod report;
mod rest;
mod retyped;
pub(crate) mod rollback;
pub(crate) mod run;
mod sampled;
pub(crate) mod saved;
mod see_again;
mod seen;
mod segments;
mod send;
mod spoke_columns;
mod spoke_terms;
mod spokes;
pub(crate) mod turn;
mod unlearn;
pub(crate) mod verify;
mod write;

/// What a run works with.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    /// The replicas, the time, progress.
    pub(crate) reach: Reach,
    /// Bases, plans, journal, audit.
    pub(crate) store: Store,
    /// Who asks: the tool, and the client where it is known.
    pub(crate) caller: String,
    /// Whether somebody agreed to what cannot easily be undone.
    pub(crate) consent: Consent,
    /// When the call began.
    pub(crate) began: Timestamp,
    /// This process, for those who wait for it.
    pub(crate) holder: holder::Holder,
    /// How many members of a dataset are written at the same time.
    pub(crate) abreast: usize,
    /// How much may be shown and written.
    pub(crate) limits: Limits,
    /// What hashes of sensitive values are made with.
    pub(crate) key: Key,
}
