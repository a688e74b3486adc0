//! One watched dataset in this process: when it looks, and what it remembers between two looks.

use std::collections::{BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::{
    breaker::{Cure, later, trip},
    drive::Channels,
    hold::Right,
    pokes::Poke,
    round::{Asked, Round, Rounded, is_misfit},
    settings::Settings,
    status::{Status, planned},
    timing::{Poll, Schedule},
    worker::House,
};
use crate::{
    error::{Error, Kind, Result},
    store::StoredWatch,
    sync::{Shell, definition::Definition, saved},
};

/// How often it is looked whether another process still watches.
pub(super) const ASK: SignedDuration = SignedDuration::from_secs(5);

/// The least pause after a look that came to nothing.
const REST: SignedDuration = SignedDuration::from_secs(1);

/// How long a halted dataset waits where nothing else makes it look.
const HALTED: SignedDuration = SignedDuration::from_secs(30);

/// How old a stored status may become while nothing changes.
const STALE: SignedDuration = SignedDuration::from_secs(5);

/// Of how many events the time to delivery is remembered.
const LAGS: usize = 1000;

/// A watched dataset.
pub(super) struct Seat {
    pub(super) dataset: String,
    /// When the watch was started or changed, as the store says: another time is another watch.
    pub(super) changed: Timestamp,
    settings: Settings,
    poll: Option<Poll>,
    schedule: Option<Schedule>,
    next_poll: Option<Timestamp>,
    next_cron: Option<Timestamp>,
    /// When an event is due, or a failed look is repeated.
    next_due: Option<Timestamp>,
    failures: u64,
    poke: Poke,
    /// The right to watch, and why not.
    pub(super) right: Right,
    pub(super) channels: Channels,
    /// The latest call that a look could not take in, and until when it is left at that.
    resting: Option<(u64, Timestamp)>,
    lags: VecDeque<f64>,
    pub(super) status: Status,
    stored: Option<Timestamp>,
    /// What tells of changes beside polls and schedules.
    triggers: Vec<String>,
}

impl Seat {
    /// Reads a stored watch.
    ///
    /// # Errors
    /// Settings that another version of Lockstep wrote.
    pub(super) fn new(watch: &StoredWatch, poke: Poke, now: Timestamp) -> Result<Self> {
        let settings: Settings =
            serde_json::from_value(watch.settings.clone()).map_err(|error| {
                Error::invalid(format!("the watch of \"{}\" does not read: {error}", watch.dataset))
                    .next("start it again with watchDataset")
            })?;
        let schedule = settings.schedule()?;
        let status: Status = serde_json::from_value(watch.status.clone()).unwrap_or_default();
        Ok(Self {
            dataset: watch.dataset.clone(),
            changed: watch.changed,
            poll: Poll::new(settings.poll_seconds),
            // What changed while nobody watched is found at once.
            next_poll: Some(now),
            next_cron: schedule.as_ref().and_then(|schedule| schedule.next(now)),
            next_due: None,
            schedule,
            settings,
            failures: 0,
            poke,
            right: Right::default(),
            channels: Channels::default(),
            resting: None,
            lags: VecDeque::new(),
            status,
            stored: None,
            triggers: Vec::new(),
        })
    }

    /// Says what tells of changes beside polls and schedules.
    pub(super) fn triggered_by(&mut self, triggers: Vec<String>) {
        self.triggers = triggers;
    }

    /// Returns when the next look is due; at once when somebody asked for one.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        if self.poke.is_poked() {
            return Some(now);
        }
        // The right to watch is renewed between two looks, too.
        self.looks().chain(self.right.renewal()).min()
    }

    /// Returns every time at which there is something to look at.
    fn looks(&self) -> impl Iterator<Item = Timestamp> {
        [self.next_poll, self.next_cron, self.next_due, self.channels.next()].into_iter().flatten()
    }

    /// Returns the dataset's definition, as it is now.
    pub(super) async fn definition(&self, house: &House) -> Result<Definition> {
        match house.declared.get(&self.dataset) {
            Some(declared) => Ok(declared.clone()),
            None => saved::definition(&house.shell, &self.dataset).await,
        }
    }

    /// Looks, if it is time to; whatever goes wrong is kept in the status, and tried again.
    pub(super) async fn step(&mut self, house: &House) {
        let now = house.now();
        match self.hold(house, now).await {
            Ok(true) => {}
            Ok(false) => {
                // Whoever watches was told, too; and what changed until then is found by the one who takes it over.
                self.poke.take();
                self.wait(later(now, ASK));
                return;
            }
            Err(error) => {
                tracing::warn!(%error, dataset = self.dataset, "the store cannot be used");
                self.wait(later(now, ASK));
                return;
            }
        }
        let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let poked = self.poke.take();
        let all = poked || due(self.next_poll) || due(self.next_cron);
        let other = due(self.next_due) || due(self.channels.next());
        if !all && !other && !self.is_called(house, now).await {
            return;
        }
        self.next_due = None;
        let mut shell = house.shell.clone();
        shell.began = now;
        shell.abreast = usize::try_from(self.settings.concurrency).unwrap_or(1);
        // Work that nobody waits for leaves room for the calls of people.
        shell.reach.google = shell.reach.google.background();
        let (asked, calls) = match self.asked(house, all).await {
            Ok(asked) => asked,
            Err(error) => return self.remember(house, (now, true, 0), Err(error)).await,
        };
        let last = calls.last().copied().unwrap_or(0);
        let whole = matches!(asked, Asked::All);
        let outcome = self.look(house, &shell, asked, calls).await;
        if let Err(error) = &outcome
            && error.kind() == Kind::Cancelled
        {
            return;
        }
        self.remember(house, (now, whole, last), outcome).await;
    }

    /// Returns whether calls wait; those that could not be taken in rest for a while.
    async fn is_called(&self, house: &House, now: Timestamp) -> bool {
        let rests =
            |number: u64| self.resting.is_some_and(|(last, until)| number <= last && now < until);
        let calls = house.shell.store.calls(&self.dataset).await;
        calls.is_ok_and(|calls| calls.iter().any(|call| !rests(call.number)))
    }

    /// Waits for a time and nothing else.
    pub(super) fn wait(&mut self, until: Timestamp) {
        (self.next_poll, self.next_cron, self.next_due) = (None, None, Some(until));
        // They are those of the process that watches.
        self.channels = Channels::default();
    }

    /// Returns what the calls that wait, or else a time that has come, ask for; and the calls.
    async fn asked(&self, house: &House, all: bool) -> Result<(Asked, Vec<u64>)> {
        let calls = house.shell.store.calls(&self.dataset).await?;
        let mut keys = BTreeSet::new();
        let mut named = !all && !calls.is_empty();
        for call in &calls {
            named &= !call.keys.is_empty();
            keys.extend(call.keys.iter().cloned());
        }
        let asked = if named { Asked::Keys(keys) } else { Asked::All };
        Ok((asked, calls.iter().map(|call| call.number).collect()))
    }

    async fn look(
        &mut self,
        house: &House,
        shell: &Shell,
        asked: Asked,
        calls: Vec<u64>,
    ) -> Result<Rounded> {
        let definition = self.definition(house).await?;
        self.channels.keep(house, &definition).await;
        let others = house.share.has_others();
        let (definition, settings) = (&definition, &self.settings);
        Round { shell, definition, settings, asked, others, calls }.run().await
    }

    /// Takes in what a look came to, and decides when the next one is: a look that began then, of all rows or of some, and
    /// the last call that asked for it.
    async fn remember(
        &mut self,
        house: &House,
        (began, whole, last): (Timestamp, bool, u64),
        outcome: Result<Rounded>,
    ) {
        let (now, before) = (house.now(), self.status.clone());
        let found = match outcome {
            Ok(rounded) => {
                self.failures = 0;
                rounded
            }
            Err(error) => {
                // Another run of the dataset is a matter of moments; a store or a definition may take longer.
                let breaker = trip(None, "", Cure::of(error.kind()), "", now);
                self.failures += 1;
                let wait = breaker.until.duration_since(now)
                    * i32::try_from(self.failures.min(30)).unwrap_or(1);
                let next = later(now, wait.max(REST));
                self.next_due = Some(next);
                self.channels.put_off(next);
                Rounded {
                    error: Some(error.to_string()),
                    misfit: is_misfit(error.kind()),
                    ..Rounded::default()
                }
            }
        };
        let changed = found.changed();
        // A look at the rows that calls named is not the one at all rows that is due.
        if whole || self.poll.is_none() {
            self.next_poll = self.poll.as_mut().map(|poll| later(now, poll.after(changed)));
        }
        if whole {
            self.next_cron = self.schedule.as_ref().and_then(|schedule| schedule.next(began));
        }
        match self.due(house, now, &found).await {
            Ok(due) => self.next_due = self.next_due.into_iter().chain(due).min(),
            Err(error) => {
                tracing::warn!(%error, dataset = self.dataset, "the queue cannot be read")
            }
        }
        self.resting = (!found.noted && last > 0).then(|| {
            let least = if found.halts.is_empty() { ASK } else { HALTED };
            (last, later(now, least))
        });
        self.next_due = self.next_due.into_iter().chain(self.resting.map(|rest| rest.1)).min();
        let misfit = found.misfit;
        self.note(found, now);
        self.status.worker = house.shell.holder.name().to_owned();
        let news = changed
            || (&before.error, &before.halts) != (&self.status.error, &self.status.halts)
            || before.conflicts != self.status.conflicts;
        self.keep(house, now, news).await;
        if misfit {
            self.stay_away(house).await;
        }
    }

    fn note(&mut self, found: Rounded, now: Timestamp) {
        let next = self.looks().min();
        if found.new + found.coalesced > 0 {
            self.status.event = Some(now);
        }
        let status = &mut self.status;
        status.looked = Some(now);
        status.events += found.new;
        status.written += found.written;
        status.conflicts = found.conflicts;
        status.halts = found.halts;
        status.error = found.error;
        if let Some(run) = found.runs.last() {
            status.run = Some(run.clone());
        }
        let extra = planned(&self.settings).into_iter().chain(self.triggers.clone());
        status.triggers = extra.chain(self.channels.told()).collect();
        self.lags.extend(found.lags);
        while self.lags.len() > LAGS {
            self.lags.pop_front();
        }
        let mut lags: Vec<f64> = self.lags.iter().copied().collect();
        lags.sort_by(f64::total_cmp);
        status.p95 = lags.get(lags.len() * 95 / 100).copied();
        status.next = next;
    }

    /// Returns when the next event can be tried.
    async fn due(
        &self,
        house: &House,
        now: Timestamp,
        found: &Rounded,
    ) -> Result<Option<Timestamp>> {
        let store = &house.shell.store;
        let depth = store.depth(&self.dataset).await?;
        if depth.due.is_empty() && found.error.is_none() {
            return Ok(None);
        }
        let breakers = store.breakers(&self.dataset).await?;
        let until = |member: &str| {
            breakers.iter().find(|breaker| breaker.member == member).map(|breaker| breaker.until)
        };
        let dues =
            depth.due.iter().map(|(member, due)| until(member).map_or(*due, |at| at.max(*due)));
        // A dataset that could not be compared is tried again when its member is.
        let unread = breakers.iter().filter(|_| found.error.is_some()).map(|breaker| breaker.until);
        let Some(due) = dues.chain(unread).min() else { return Ok(None) };
        let least = match (found.halts.is_empty(), found.written > 0) {
            (false, _) => HALTED,
            (true, false) => REST,
            (true, true) => SignedDuration::ZERO,
        };
        Ok(Some(due.max(later(now, least))))
    }

    /// Keeps the status for others, and tells those who follow it.
    async fn keep(&mut self, house: &House, now: Timestamp, news: bool) {
        let stale = self.stored.is_none_or(|stored| now.duration_since(stored) >= STALE);
        if !news && !stale {
            return;
        }
        let json = serde_json::to_value(&self.status).unwrap_or_default();
        match house.shell.store.put_watch_status(&self.dataset, &json).await {
            Ok(()) => self.stored = Some(now),
            Err(error) => tracing::warn!(%error, dataset = self.dataset, "a status was not kept"),
        }
        if news {
            house.tell(&self.dataset, self.status.run.as_deref());
        }
    }
}
