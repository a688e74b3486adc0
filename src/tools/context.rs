//! What a tool call may reach.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::SignedDuration;
use lockstep_google::Google;

use crate::{
    changes::Changes,
    clock::Clock,
    consent::{Consent, Key},
    error::Result,
    principal::{Bounds, Limits, Role},
    progress::Progress,
    replica::{connections::Connections, file::folder::Files, reach::Reach},
    store::Store,
    sync::{Shell, definition::Definition, holder::Holder, recover::recover_all},
    watch::{Pokes, Worker},
};

/// Everything a tool call may use; built by `app`, so that a tool reaches only what the operator allowed.
#[derive(Clone, Debug)]
pub struct Context {
    /// The spreadsheets and files of the Google service, or of the embedded workspace.
    pub google: Google,
    /// Whether these are the embedded workspace's.
    pub embedded: bool,
    /// The folder of file replicas.
    pub files: Files,
    /// The databases and APIs that the operator named.
    pub connections: Connections,
    /// Datasets, bases, plans, journal and audit.
    pub(crate) store: Store,
    /// This process, as holder of leases.
    pub(crate) holder: Holder,
    /// The datasets that the operator declared, by name.
    pub(crate) declared: Arc<BTreeMap<String, Definition>>,
    /// Wakes the watches of this process.
    pub pokes: Pokes,
    /// The time.
    pub clock: Clock,
    /// Where progress goes and cancellation comes from.
    pub progress: Progress,
    /// Whether somebody agreed to what cannot easily be undone.
    pub consent: Consent,
    /// Where changes are told to those who follow resources.
    pub changes: Changes,
    /// With what questions to people are signed.
    pub key: Key,
    /// The task that the call is or may become, in the history and the audit.
    pub task: Option<Arc<str>>,
    /// Who calls, where it is not the person at this machine.
    pub subject: Option<Arc<str>>,
    /// How much the call may show and write.
    pub limits: Limits,
    /// The limits of every role.
    pub bounds: Arc<Bounds>,
    /// Below which score people are told, where somebody is named who is.
    pub told_below: Option<f64>,
}

impl Context {
    /// Returns the context of one call: its own progress, its own count of API calls.
    #[must_use]
    pub fn for_call(&self, progress: Progress) -> Self {
        Self { google: self.google.scoped(), progress, ..self.clone() }
    }

    /// Returns what watches the datasets of the store; it does nothing before it is run.
    #[must_use]
    pub fn worker(&self) -> Worker {
        // It needs the role operator to start one: a watch writes no more at a time than its calls may.
        let limits = self.bounds.of(Role::Operator);
        let watching = Self { consent: Consent::given(), limits, ..self.clone() };
        Worker::new(
            watching.shell("watch"),
            Arc::clone(&self.declared),
            self.pokes.clone(),
            self.changes.clone(),
        )
    }

    /// Checks that the store answers.
    ///
    /// # Errors
    /// A store that does not.
    pub(crate) async fn check(&self) -> Result<()> {
        self.store.datasets(None, 1).await.map(|_| ())
    }

    /// Settles runs that an earlier process left open, and drops images that are older than they have to be kept.
    pub(crate) async fn tidy(&self, keep_days: u16) {
        recover_all(&self.shell("serve")).await;
        self.retain(keep_days).await;
    }

    /// Drops images that are older than they have to be kept, again and again until it is dropped itself.
    pub(crate) async fn retain_every(&self, every: Duration, keep_days: u16) {
        loop {
            tokio::time::sleep(every).await;
            self.retain(keep_days).await;
        }
    }

    async fn retain(&self, keep_days: u16) {
        let keep = SignedDuration::from_hours(i64::from(keep_days) * 24);
        match self.store.retain(self.clock.now(), keep).await {
            Ok(gone) => tracing::debug!(?gone, keep_days, "old images were dropped"),
            Err(error) => tracing::warn!(%error, "old images could not be dropped"),
        }
    }

    /// Returns what a run of this call works with.
    pub(crate) fn shell(&self, caller: &str) -> Shell {
        Shell {
            reach: Reach {
                google: self.google.clone(),
                files: self.files.clone(),
                connections: self.connections.clone(),
                clock: self.clock,
                progress: self.progress.clone(),
            },
            store: self.store.clone(),
            caller: match (&self.subject, &self.task) {
                (Some(subject), Some(task)) => format!("{caller} ({subject}){}", mark(task)),
                (Some(subject), None) => format!("{caller} ({subject})"),
                (None, Some(task)) => format!("{caller}{}", mark(task)),
                (None, None) => caller.to_owned(),
            },
            consent: self.consent.clone(),
            began: self.clock.now(),
            holder: self.holder.clone(),
            abreast: 1,
            limits: self.limits,
            key: self.key.clone(),
        }
    }
}

/// Returns how the caller of a run ends that belongs to a task.
pub(crate) fn mark(task: &str) -> String {
    let short: String = task.chars().take(12).collect();
    format!(" as task {short}")
}
