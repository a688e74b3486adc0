//! What a tool call may reach.

use lockstep_google::Google;

use crate::{clock::Clock, progress::Progress, replica::files::Files};

/// Everything a tool call may use; built by `app`, so that a tool reaches only what the operator allowed.
#[derive(Clone, Debug)]
pub struct Context {
    /// The spreadsheets and files of the Google service, or of the embedded workspace.
    pub google: Google,
    /// The folder of file replicas.
    pub files: Files,
    /// The time.
    pub clock: Clock,
    /// Where progress goes and cancellation comes from.
    pub progress: Progress,
}

impl Context {
    /// Returns the context of one call: its own progress, its own count of API calls.
    #[must_use]
    pub fn for_call(&self, progress: Progress) -> Self {
        Self { google: self.google.scoped(), progress, ..self.clone() }
    }
}
