//! Faults on purpose: what the real service does on a bad day, at the caller's wish.
//!
//! Set by [`Options::faults`](crate::Options::faults) or by `PUT /_lockstep/faults` with the same
//! JSON; the choices of one seed are always the same.

mod admin;
mod around;
mod bodies;
mod cut;
mod editor;
mod plan;
mod quota;
mod rules;

pub(crate) use admin::handle as admin;
pub(crate) use around::around;
pub(crate) use cut::{Cut, CutListener};
pub(crate) use rules::State;

pub use editor::Edit;
pub use plan::{Effect, Faults, Rule, When};
pub use quota::Quota;
