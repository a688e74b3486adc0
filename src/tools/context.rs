//! What a tool call may reach.

use std::{collections::BTreeMap, sync::Arc};

use lockstep_google::Google;

use crate::{
    clock::Clock,
    progress::Progress,
    replica::files::Files,
    store::Store,
    sync::{Shell, definition::Definition, holder::Holder},
};

/// Everything a tool call may use; built by `app`, so that a tool reaches only what the operator allowed.
#[derive(Clone, Debug)]
pub struct Context {
    /// The spreadsheets and files of the Google service, or of the embedded workspace.
    pub google: Google,
    /// The folder of file replicas.
    pub files: Files,
    /// Datasets, bases, plans, journal and audit.
    pub(crate) store: Store,
    /// This process, as holder of leases.
    pub(crate) holder: Holder,
    /// The datasets that the operator declared, by name.
    pub(crate) declared: Arc<BTreeMap<String, Definition>>,
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

    /// Settles runs that an earlier process left open.
    pub(crate) async fn recover(&self) {
        crate::sync::recover::recover_all(&self.shell("serve")).await;
    }

    /// Returns what a run of this call works with.
    pub(crate) fn shell(&self, caller: &str) -> Shell {
        Shell {
            google: self.google.clone(),
            files: self.files.clone(),
            store: self.store.clone(),
            clock: self.clock,
            progress: self.progress.clone(),
            caller: caller.to_owned(),
            holder: self.holder.clone(),
        }
    }
}
