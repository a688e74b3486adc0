//! What every handler is given.

use std::sync::{Arc, Mutex};

use crate::options::Options;
use crate::store::Store;
use crate::{auth, faults};

/// Carries the store and the options to the handlers; cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) options: Arc<Options>,
    /// Is held while notifications are sent, so that they leave in order.
    pub(crate) push: Arc<tokio::sync::Mutex<()>>,
    /// Who may ask for tokens, and the tokens that are out.
    pub(crate) auth: Arc<Mutex<auth::State>>,
    /// The faults in force.
    pub(crate) faults: Arc<Mutex<faults::State>>,
}

impl App {
    /// Returns the time in milliseconds since 1970 UTC.
    pub(crate) fn now_ms(&self) -> i64 {
        self.options.now_ms.unwrap_or_else(|| jiff::Timestamp::now().as_millisecond())
    }
}
