//! Event-driven sync: what changed becomes events in a queue, and each event is delivered once.
//!
//! - `settings`: how a dataset is watched. `timing`: polls and schedules. `files`, `listen`, `drive`, `hook`: what tells
//!   of changes in between; each only says *look*, and may be lost or doubled without harm.
//! - `round`: one look: compare, note the differences as events, deliver those that are due, settle each. `batch` tries
//!   events together, and halves what is refused until the row that is to blame stands alone. `breaker`: how long to
//!   wait for what.
//! - `seat`: a watched dataset in this process; `hold`: the right to watch it. `worker`: all of them; `share`: this
//!   server's part of them; `status`: what people see of it; `news`: what
//!   other processes did.
//!
//! Base and the queue together are the last known state: what both sides agreed on, and what is still to be done.
//! A difference that is neither is an event; our own writes are no difference, so that they never echo.

mod batch;
mod breaker;
mod drive;
mod files;
mod hold;
pub(crate) mod hook;
mod listen;
mod news;
mod pokes;
mod round;
mod seat;
pub(crate) mod settings;
mod share;
pub(crate) mod status;
mod timing;
mod worker;

/// What the URI of a watch begins with.
pub(crate) const URI: &str = "lockstep://watches/";

/// Returns the URI of a dataset's watch.
pub(crate) fn uri(dataset: &str) -> String {
    format!("{URI}{}", crate::uri::encode(dataset))
}

pub use hook::{HookRule, Hooks, Proof};
pub use pokes::Pokes;
pub use worker::Worker;
