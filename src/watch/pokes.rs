//! Telling a watched dataset to look now: lost pokes do no harm, because polls and calls in the store remain.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

/// Wakes the watches of this process, by dataset.
#[derive(Clone, Debug, Default)]
pub struct Pokes(Arc<Mutex<BTreeMap<String, Poke>>>);

/// The way to wake one watch.
#[derive(Clone, Debug, Default)]
pub(super) struct Poke {
    poked: Arc<AtomicBool>,
    wake: Arc<Notify>,
}

impl Pokes {
    /// Tells a dataset's watch to look now, if it runs in this process.
    pub fn poke(&self, dataset: &str) {
        if let Some(poke) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(dataset) {
            poke.poke();
        }
    }

    /// Lets a dataset's watch see which calls wait, if it runs in this process.
    pub fn wake(&self, dataset: &str) {
        if let Some(poke) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(dataset) {
            poke.wake();
        }
    }

    /// Returns the way to wake a dataset's watch.
    pub(super) fn of(&self, dataset: &str) -> Poke {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(dataset.to_owned()).or_default().clone()
    }
}

impl Poke {
    /// Tells the watch to look now.
    pub(super) fn poke(&self) {
        self.poked.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    /// Lets the watch see whether there is something to do.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Returns whether it was told to look.
    pub(super) fn is_poked(&self) -> bool {
        self.poked.load(Ordering::SeqCst)
    }

    /// Returns whether it was told to look since this was last asked.
    pub(super) fn take(&self) -> bool {
        self.poked.swap(false, Ordering::SeqCst)
    }

    /// Waits until it is told to look.
    pub(super) async fn told(&self) {
        self.wake.notified().await;
    }
}
