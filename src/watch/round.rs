//! One look at a dataset: compare, note the differences as events, deliver what is due.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lockstep_engine::key::Key;

use super::{
    batch::Batch,
    breaker::{Cure, trip},
    settings::Settings,
};
use crate::{
    error::{Error, Kind, Result},
    store::{Breaker, Lease, Scope},
    sync::{
        Shell,
        definition::Definition,
        deliver::{self, Seen, kind_of},
        ends, turn,
    },
};

/// How many batches one look delivers before other datasets get their turn.
const BATCHES: u32 = 20;

/// What one look came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rounded {
    /// Events that are new.
    pub(super) new: u64,
    /// Events whose row changed again before they were delivered.
    pub(super) coalesced: u64,
    /// Rows that were written and confirmed.
    pub(super) written: u64,
    /// Events that were given up.
    pub(super) dead: u64,
    /// Rows that wait for a decision.
    pub(super) conflicts: u64,
    /// Safety halts that stop the delivery.
    pub(super) halts: Vec<String>,
    /// The runs.
    pub(super) runs: Vec<String>,
    /// Seconds from detection to delivery, of each event that was delivered.
    pub(super) lags: Vec<f64>,
    /// What kept the dataset from being compared at all.
    pub(super) error: Option<String>,
    /// Whether that may be this process's own: what it lacks, another may have.
    pub(super) misfit: bool,
    /// Whether what differs is in the queue, and with it what the calls named.
    pub(super) noted: bool,
}

/// Returns whether an error may be of this process alone: a connection, a file or a credential that it lacks.
pub(super) fn is_misfit(kind: Kind) -> bool {
    matches!(Cure::of(kind), Cure::Person | Cure::Row)
}

impl Rounded {
    /// Returns whether something was found or done.
    pub(super) fn changed(&self) -> bool {
        self.new + self.coalesced + self.written + self.dead > 0
    }
}

/// Which keys a look is about.
pub(super) enum Asked {
    /// All that differ.
    All,
    /// Those that calls named, each as the texts of its parts.
    Keys(BTreeSet<Vec<String>>),
}

/// A look at one dataset.
pub(super) struct Round<'a> {
    pub(super) shell: &'a Shell,
    pub(super) definition: &'a Definition,
    pub(super) settings: &'a Settings,
    pub(super) asked: Asked,
    /// Whether there are other servers, which may have what this one lacks.
    pub(super) others: bool,
    /// The calls that asked; forgotten when what they named is in the queue.
    pub(super) calls: Vec<u64>,
}

/// The members that are left alone, while a look goes on.
#[derive(Debug, Default)]
pub(super) struct Breakers {
    before: BTreeMap<String, Breaker>,
    /// Of these it is not known what was written, and they cannot be asked now.
    doubtful: BTreeMap<String, String>,
    /// Tripped in this look.
    tripped: BTreeMap<String, Breaker>,
    /// Written in this look, so that they are well.
    pub(super) well: BTreeSet<String>,
}

impl Breakers {
    /// Opens the breaker of a member.
    pub(super) fn trip(
        &mut self,
        member: &str,
        cure: Cure,
        why: &str,
        now: Timestamp,
    ) -> Timestamp {
        let breaker = trip(self.before.get(member), member, cure, why, now);
        let until = breaker.until;
        let kept = self.tripped.entry(member.to_owned()).or_insert(breaker);
        // What waits together is tried together; only a quota may ask for more time than was said first.
        if cure == Cure::Bucket {
            kept.until = kept.until.max(until);
        }
        kept.until
    }

    /// Returns how often in a row a member was left alone before this look.
    pub(super) fn failures(&self, member: &str) -> u64 {
        self.before.get(member).map_or(0, |before| before.failures)
    }

    /// Returns the members that are not to be touched now, with the reason.
    pub(super) fn closed_to(&self, now: Timestamp) -> BTreeMap<String, String> {
        let all = self.before.iter().chain(&self.tripped);
        let open = all.filter(|(_, breaker)| breaker.until > now);
        let open = open.map(|(member, breaker)| (member.clone(), breaker.why.clone()));
        open.chain(self.doubtful.clone()).collect()
    }
}

impl Round<'_> {
    /// Looks, notes and delivers, as the only one for the dataset.
    ///
    /// A member that cannot be reached is no error: its events wait.
    ///
    /// # Errors
    /// A store that fails, or a dataset that another process syncs at the moment.
    pub(super) async fn run(&self) -> Result<Rounded> {
        turn::with(self.shell, &self.definition.name, async |lease, recovered| {
            self.in_turn(lease, recovered.waiting).await
        })
        .await
    }

    fn now(&self) -> Timestamp {
        self.shell.reach.clock.now()
    }

    /// Returns whether nothing can be done without a member.
    fn needs(&self, member: &str) -> bool {
        !self.definition.spokes().iter().any(|spoke| spoke.name == member)
    }

    async fn in_turn(
        &self,
        lease: &mut Lease,
        doubtful: BTreeMap<String, String>,
    ) -> Result<Rounded> {
        let (store, dataset) = (&self.shell.store, &self.definition.name);
        let before = store.breakers(dataset).await?;
        let before = before.into_iter().map(|one| (one.member.clone(), one)).collect();
        let mut breakers = Breakers { before, doubtful, ..Breakers::default() };
        for (member, why) in breakers.doubtful.clone() {
            breakers.trip(&member, Cure::Outage, &why, self.now());
        }
        let mut rounded = Rounded::default();
        let (mut waiting, mut whole) = (BTreeSet::new(), false);
        for number in 0..BATCHES {
            let shut = breakers.closed_to(self.now());
            if shut.keys().any(|member| self.needs(member)) {
                break;
            }
            let seen = match deliver::see(self.shell, self.definition, &shut).await {
                Ok(seen) => seen,
                Err((member, error)) => {
                    self.unread(&mut breakers, &member, &error, &mut rounded)?;
                    break;
                }
            };
            for (member, why) in seen.down() {
                if !shut.contains_key(&member) {
                    breakers.trip(&member, Cure::of(kind_of(&why)), &why, self.now());
                }
            }
            whole = seen.down().is_empty();
            rounded.conflicts = seen.conflicts();
            rounded.halts = seen.halts().to_vec();
            if !rounded.halts.is_empty() {
                break;
            }
            waiting = self.note(lease, &seen, number, &mut rounded).await?;
            let without: BTreeSet<String> = breakers.closed_to(self.now()).into_keys().collect();
            let depth = store.depth(dataset).await?;
            let size = self.settings.batch(depth.events);
            let events = store.claim_events(lease, &without, size, self.now()).await?;
            let agreed = if number == 0 { seen.agreed() } else { BTreeSet::new() };
            if events.is_empty() && agreed.is_empty() {
                seen.keep(self.shell, self.definition, lease).await?;
                break;
            }
            let full = events.len() as u64 == size;
            let mut batch = Batch::new(self, &mut breakers, &mut rounded);
            batch.deliver(lease, seen, events, agreed).await?;
            // What is left is due later, or waits for a member: another look would find nothing to do.
            if !full {
                break;
            }
        }
        self.keep(breakers, &waiting).await?;
        // What was given up or waits for people is told apart: all else is where it should be.
        let in_step = whole && rounded.error.is_none() && store.depth(dataset).await?.events == 0;
        ends::looked(self.shell, dataset, &rounded.halts, rounded.conflicts, in_step).await;
        Ok(rounded)
    }

    /// Notes what differs; returns the members that have work.
    async fn note(
        &self,
        lease: &Lease,
        seen: &Seen,
        number: u32,
        rounded: &mut Rounded,
    ) -> Result<BTreeSet<String>> {
        let work = seen.work(self.definition);
        let members = seen.members();
        let waiting = work.iter().map(|one| one.member.clone()).collect();
        let keys: Option<BTreeSet<Key>> = match &self.asked {
            Asked::All => None,
            // What cannot be read as a key may be any row.
            Asked::Keys(keys) => keys.iter().map(|parts| seen.key(parts)).collect(),
        };
        let work = match &keys {
            None => work,
            Some(keys) => work.into_iter().filter(|one| keys.contains(&one.key)).collect(),
        };
        let scope = Scope { members: &members, keys: keys.as_ref() };
        let noted = self.shell.store.note_events(lease, &work, scope, self.now()).await?;
        rounded.new += noted.new;
        rounded.coalesced += noted.coalesced;
        if number == 0 {
            self.shell.store.drop_calls(&self.definition.name, &self.calls).await?;
        }
        rounded.noted = true;
        crate::halt::point("noted").await;
        Ok(waiting)
    }

    /// Takes in that a member without which nothing can be done could not be read.
    fn unread(
        &self,
        breakers: &mut Breakers,
        member: &str,
        error: &Error,
        rounded: &mut Rounded,
    ) -> Result<()> {
        if error.kind() == Kind::Cancelled {
            return Err(Error::new(Kind::Cancelled, "the watch is being stopped"));
        }
        let (cure, why) = (Cure::of(error.kind()), error.to_string());
        rounded.misfit = is_misfit(error.kind());
        // What this server lacks keeps no other from trying.
        if !(rounded.misfit && self.others) {
            let cure = if cure == Cure::Row { Cure::Person } else { cure };
            breakers.trip(member, cure, &why, self.now());
        }
        rounded.error = Some(why);
        Ok(())
    }

    /// Keeps the breakers: a member is well again when it was written, or has nothing to be written.
    async fn keep(&self, breakers: Breakers, waiting: &BTreeSet<String>) -> Result<()> {
        let Breakers { before, tripped, well, .. } = breakers;
        let now = self.now();
        let still = before.into_iter().filter(|(member, breaker)| {
            let idle = breaker.until <= now && !waiting.contains(member);
            !tripped.contains_key(member) && !well.contains(member) && !idle
        });
        let mut kept: Vec<Breaker> = still.map(|(_, breaker)| breaker).collect();
        kept.extend(tripped.clone().into_values());
        kept.sort_by(|a, b| a.member.cmp(&b.member));
        self.shell.store.put_breakers(&self.definition.name, &kept).await
    }
}
