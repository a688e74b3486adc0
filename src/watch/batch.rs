//! Tries events together, and halves what is refused until the row that is to blame stands alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use lockstep_engine::key::Key;

use super::{
    breaker::{Cure, row_due, soon},
    round::{Breakers, Round, Rounded},
};
use crate::{
    error::{Error, Kind, Result},
    store::{Event, Lease, Verdict},
    sync::deliver::{self, Delivered, Seen, kind_of},
};

/// How many runs one batch may take, with all its halves.
const RUNS: u32 = 64;

/// How many rows in a row may be refused before the member as a whole is taken to be at fault.
const ALIKE: usize = 3;

/// What an API says before the reason why it did not send a row at all.
const UNSENT: &str = "not sent: ";

/// A batch on its way.
pub(super) struct Batch<'a> {
    round: &'a Round<'a>,
    breakers: &'a mut Breakers,
    rounded: &'a mut Rounded,
    /// Rows that were left when what was refused was halved, and why, by member.
    refused: BTreeMap<String, Vec<(Event, String)>>,
    verdicts: Vec<(Event, Verdict)>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        round: &'a Round<'a>,
        breakers: &'a mut Breakers,
        rounded: &'a mut Rounded,
    ) -> Self {
        Self { round, breakers, rounded, refused: BTreeMap::new(), verdicts: Vec::new() }
    }

    fn now(&self) -> Timestamp {
        self.round.shell.reach.clock.now()
    }

    /// Delivers events, and what base is to learn beside them.
    pub(super) async fn deliver(
        &mut self,
        lease: &mut Lease,
        seen: Seen,
        events: Vec<Event>,
        agreed: BTreeSet<Key>,
    ) -> Result<()> {
        let (mut first, mut agreed, mut runs) = (Some(seen), Some(agreed), 0);
        let mut sets = VecDeque::from([events]);
        while let Some(set) = sets.pop_front() {
            runs += 1;
            if runs > RUNS || self.is_hopeless() {
                self.wait(set, "others of its batch were tried first");
                continue;
            }
            let seen = match first.take() {
                Some(seen) => seen,
                None => match self.look().await {
                    Some(seen) => seen,
                    None => {
                        self.wait(set, "its dataset could not be compared");
                        continue;
                    }
                },
            };
            let left: BTreeSet<(String, Key)> = seen
                .work(self.round.definition)
                .into_iter()
                .map(|one| (one.member, one.key))
                .collect();
            let (set, done): (Vec<Event>, Vec<Event>) = set
                .into_iter()
                .partition(|one| left.contains(&(one.work.member.clone(), one.work.key.clone())));
            self.verdicts.extend(done.into_iter().map(|event| (event, Verdict::Done)));
            let mut keys: BTreeSet<Key> = set.iter().map(|one| one.work.key.clone()).collect();
            keys.extend(agreed.take().unwrap_or_default());
            let (shell, definition) = (self.round.shell, self.round.definition);
            match deliver::deliver(shell, definition, seen, &keys, lease).await {
                Ok(delivered) => self.came(set, delivered, &mut sets),
                Err(error) => self.broke(set, &error, &mut sets),
            }
            crate::halt::point("delivered").await;
            self.settle(lease).await?;
        }
        self.judge();
        self.settle(lease).await
    }

    /// Compares afresh, after a part of the batch was written.
    async fn look(&mut self) -> Option<Seen> {
        let left_out = self.breakers.closed_to(self.now());
        match deliver::see(self.round.shell, self.round.definition, &left_out).await {
            Ok(seen) if seen.halts().is_empty() => Some(seen),
            Ok(seen) => {
                self.rounded.halts = seen.halts().to_vec();
                None
            }
            Err((member, error)) => {
                let now = self.now();
                self.breakers.trip(&member, Cure::of(error.kind()), &error.to_string(), now);
                self.rounded.error = Some(error.to_string());
                None
            }
        }
    }

    /// Returns whether a member refused so many rows alone, and took none, that the rest need not be tried.
    fn is_hopeless(&self) -> bool {
        let alike = |(member, rows): (&String, &Vec<(Event, String)>)| {
            rows.len() >= ALIKE && !self.breakers.well.contains(member)
        };
        self.refused.iter().any(alike)
    }

    fn wait(&mut self, set: Vec<Event>, why: &str) {
        let due = soon(self.now());
        let wait = |event| (event, Verdict::Wait { due, why: why.to_owned() });
        self.verdicts.extend(set.into_iter().map(wait));
    }

    /// Takes in what a run told of each row.
    fn came(&mut self, set: Vec<Event>, delivered: Delivered, sets: &mut VecDeque<Vec<Event>>) {
        let Delivered { run, written, unconfirmed, failed } = delivered;
        self.rounded.runs.extend(run);
        self.rounded.written += written;
        let mut refused: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        for event in set {
            let slot = (event.work.member.clone(), event.work.key.clone());
            match (failed.get(&slot.0), unconfirmed.get(&slot)) {
                (Some(why), _) => match Cure::of(kind_of(why)) {
                    Cure::Row => refused.entry(slot.0).or_default().push(event),
                    cure => self.hold(event, cure, why),
                },
                (None, Some(left)) => match left.why.strip_prefix(UNSENT) {
                    Some(why) if !left.refused => {
                        let cure = Cure::of(kind_of(why));
                        let cure = if cure == Cure::Row { Cure::Outage } else { cure };
                        self.hold(event, cure, why);
                    }
                    // If others of its batch were taken, this row alone is to blame.
                    _ if left.refused => {
                        self.refused.entry(slot.0).or_default().push((event, left.why.clone()));
                    }
                    _ => self.blame(event, left.why.clone()),
                },
                (None, None) => {
                    self.breakers.well.insert(slot.0);
                    let lag = self.now().duration_since(event.detected).as_secs_f64();
                    self.rounded.lags.push(lag);
                    self.verdicts.push((event, Verdict::Done));
                }
            }
        }
        for (member, events) in refused {
            let why = failed.get(&member).cloned().unwrap_or_default();
            self.halve(events, &why, sets);
        }
    }

    /// Takes in what ended a run.
    fn broke(&mut self, set: Vec<Event>, error: &Error, sets: &mut VecDeque<Vec<Event>>) {
        let why = error.to_string();
        match Cure::of(error.kind()) {
            Cure::Row => self.halve(set, &why, sets),
            cure => {
                for event in set {
                    self.hold(event, cure, &why);
                }
            }
        }
    }

    /// Tries the halves of events that were refused together; one alone is to blame itself.
    fn halve(&mut self, mut events: Vec<Event>, why: &str, sets: &mut VecDeque<Vec<Event>>) {
        let keys: BTreeSet<&Key> = events.iter().map(|event| &event.work.key).collect();
        let Some(middle) = keys.iter().nth(keys.len() / 2).filter(|_| keys.len() > 1) else {
            for event in events {
                self.refused
                    .entry(event.work.member.clone())
                    .or_default()
                    .push((event, why.to_owned()));
            }
            return;
        };
        let middle = (*middle).clone();
        let upper = events.extract_if(.., |event| event.work.key >= middle).collect();
        // Depth first: the row that is to blame is found before the rest is tried.
        sets.push_front(upper);
        sets.push_front(events);
    }

    /// Lets an event wait for its member.
    fn hold(&mut self, event: Event, cure: Cure, why: &str) {
        let now = self.now();
        let due = match cure {
            Cure::Look | Cure::Row => soon(now),
            _ => self.breakers.trip(&event.work.member, cure, why, now),
        };
        self.verdicts.push((event, Verdict::Wait { due, why: why.to_owned() }));
    }

    /// Counts a refusal against a row: it is tried again later, or given up.
    fn blame(&mut self, event: Event, why: String) {
        let limit = u64::from(self.round.settings.retry_limit);
        let verdict = if event.attempts + 1 < limit {
            Verdict::Again { due: row_due(self.now(), event.attempts), why }
        } else {
            self.rounded.dead += 1;
            Verdict::Dead { why }
        };
        self.verdicts.push((event, verdict));
    }

    /// Decides about the rows that were refused alone: they are to blame, or the member as a whole.
    ///
    /// A member that refuses several and takes none is taken to be at fault, as often as a row would be tried: then rows
    /// that came without others are to blame after all, and may not hold back those that come. One that denies access is
    /// at fault however often it does.
    fn judge(&mut self) {
        let limit = u64::from(self.round.settings.retry_limit);
        for (member, rows) in std::mem::take(&mut self.refused) {
            let alike = rows.len() >= ALIKE && !self.breakers.well.contains(&member);
            let patient = self.breakers.failures(&member) + 1 < limit;
            for (event, why) in rows {
                let denied =
                    matches!(kind_of(&why), Kind::PermissionDenied | Kind::Unauthenticated);
                match alike && (denied || patient) {
                    true => self.hold(event, Cure::Person, &why),
                    false => self.blame(event, why),
                }
            }
        }
    }

    async fn settle(&mut self, lease: &Lease) -> Result<()> {
        let verdicts = std::mem::take(&mut self.verdicts);
        self.round.shell.store.settle_events(lease, verdicts, self.now()).await
    }
}
