//! What changes in this process, for clients that follow resources: whoever changes something says its URI here, from
//! whatever room, and the server tells those who follow it.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::broadcast;

/// How many changes a slow follower may be behind.
const BEHIND: usize = 256;

/// How many URIs of the list are remembered as known; the list is only said to change once more after that.
const MOST: usize = 100_000;

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// What a resource says, by its URI.
    Resource(String),
    /// Which resources there are.
    List,
}

/// Where changes are told; cheap to clone.
#[derive(Clone, Debug)]
pub struct Changes {
    sender: broadcast::Sender<Change>,
    listed: Arc<Mutex<HashSet<String>>>,
}

impl Default for Changes {
    fn default() -> Self {
        Self { sender: broadcast::channel(BEHIND).0, listed: Arc::default() }
    }
}

impl Changes {
    /// Tells that a resource says something else now, e.g. `lockstep://watches/orders`.
    pub fn resource(&self, uri: impl Into<String>) {
        // Nobody may be listening.
        let _ = self.sender.send(Change::Resource(uri.into()));
    }

    /// Tells that a resource which is in the list says something else now, and is perhaps new there.
    pub fn listed(&self, uri: impl Into<String>) {
        let uri = uri.into();
        let fresh = {
            let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
            if listed.len() >= MOST {
                listed.clear();
            }
            listed.insert(uri.clone())
        };
        if fresh {
            let _ = self.sender.send(Change::List);
        }
        self.resource(uri);
    }

    /// Returns what changes from now on.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Change> {
        self.sender.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_new_in_the_list_once() {
        let changes = Changes::default();
        changes.resource("a");
        let mut told = changes.follow();
        changes.listed("b");
        changes.clone().listed("b");
        let resource = |uri: &str| Change::Resource(uri.to_owned());
        let heard: Vec<_> = std::iter::from_fn(|| told.try_recv().ok()).collect();
        assert_eq!(heard, [Change::List, resource("b"), resource("b")]);
    }
}
