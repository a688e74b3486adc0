//! Which part of the watches this process takes, where several servers share a store.
//!
//! Of `w` watches and `n` servers each takes `w / n`, rounded up: so there is room for all. A server that has its part
//! leaves what is free to the others for a while, and takes it only when none of them did; one that has more, because
//! another came, gives the rest back, each watch once. A store in a file is one machine's: there is nothing to share out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

/// The part of this process.
#[derive(Debug, Default)]
pub(super) struct Share(Mutex<Part>);

#[derive(Debug, Default)]
struct Part {
    /// How many watches run.
    watches: usize,
    /// How many servers there are for them; 0 where nothing is shared out.
    servers: usize,
    held: BTreeSet<String>,
    /// What it gave back because it had too much; what comes back all the same is kept.
    given: BTreeSet<String>,
    bells: BTreeMap<String, Arc<Notify>>,
}

impl Part {
    /// Returns how many watches are this process's; `None` for all that it gets.
    fn most(&self) -> Option<usize> {
        (self.servers > 0).then(|| self.watches.div_ceil(self.servers))
    }
}

impl Share {
    /// Takes in how many watches run.
    pub(super) fn watches(&self, count: usize) {
        self.with(|part| part.watches = count);
    }

    /// Takes in how many servers there are, this one among them.
    pub(super) fn servers(&self, count: usize) {
        self.with(|part| {
            if part.servers != count {
                part.given.clear();
            }
            part.servers = count;
        });
    }

    /// Returns whether there are servers beside this one.
    pub(super) fn has_others(&self) -> bool {
        self.with(|part| part.servers > 1)
    }

    /// Returns the bell at which a watch is given to another server.
    pub(super) fn bell(&self, dataset: &str) -> Arc<Notify> {
        self.with(|part| Arc::clone(part.bells.entry(dataset.to_owned()).or_default()))
    }

    /// Gives what is too much to the other servers.
    pub(super) fn give_surplus(&self) {
        for dataset in self.surplus() {
            self.bell(&dataset).notify_one();
        }
    }

    /// Returns whether this process has its part.
    pub(super) fn is_full(&self) -> bool {
        self.with(|part| part.most().is_some_and(|most| part.held.len() >= most))
    }

    /// Notes that this process watches a dataset, or does not any more.
    pub(super) fn note(&self, dataset: &str, held: bool) {
        self.with(|part| match held {
            true => drop(part.held.insert(dataset.to_owned())),
            false => drop(part.held.remove(dataset)),
        });
    }

    /// Returns the datasets to be given to others, each only once while there are as many servers.
    fn surplus(&self) -> Vec<String> {
        self.with(|part| {
            let over = part.most().map_or(0, |most| part.held.len().saturating_sub(most));
            // Those on their way are not gone yet.
            let over = over.saturating_sub(part.held.intersection(&part.given).count());
            let surplus: Vec<String> =
                part.held.difference(&part.given).take(over).cloned().collect();
            part.given.extend(surplus.iter().cloned());
            surplus
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Part) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_takes_its_part_and_gives_the_rest_back_once() {
        let share = Share::default();
        share.watches(5);
        for name in ["a", "b", "c", "d", "e"] {
            assert!(!share.is_full(), "where nothing is shared out it takes all");
            share.note(name, true);
        }
        assert!(share.surplus().is_empty());
        share.servers(1);
        assert!(share.is_full() && share.surplus().is_empty());
        share.servers(2);
        assert_eq!(share.surplus(), ["a", "b"]);
        assert!(share.surplus().is_empty(), "they are on their way");
        share.note("a", false);
        share.note("b", false);
        assert!(share.is_full() && share.surplus().is_empty());
        // Nobody else took it.
        share.note("a", true);
        assert!(share.surplus().is_empty(), "it is not passed on for ever");
        share.servers(3);
        assert_eq!(share.surplus(), ["a", "c"]);
        // The others are gone.
        share.servers(1);
        assert!(!share.is_full());
    }
}
