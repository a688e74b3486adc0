//! The imperative shell of a sync: scan, reconcile, plan, apply, report.
//!
//! [`run`] reads like the recipe of DESIGN's syncDataset route; nothing here decides
//! what changes (the engine does) or how a replica is written (`replica` does).

use lockstep_google::Google;

use crate::{progress::Progress, replica::files::Files};

mod columns;
pub(crate) mod definition;
mod prepare;
pub(crate) mod report;
pub(crate) mod run;

/// What a run works with.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    /// The spreadsheets, with this run's own count of calls.
    pub(crate) google: Google,
    /// The folder of file replicas.
    pub(crate) files: Files,
    /// Where progress goes and cancellation comes from.
    pub(crate) progress: Progress,
}
