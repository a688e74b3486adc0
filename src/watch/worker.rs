//! All watched datasets of this process.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    files::FileWatch,
    listen::Listening,
    news::News,
    pokes::{Poke, Pokes},
    seat::Seat,
    share::Share,
};
use crate::{
    changes::Changes,
    error::Result,
    progress::Progress,
    store::StoredWatch,
    sync::{Shell, definition::Definition},
};

/// How many datasets are looked at, at the same time; of one dataset there is one run at a time, as its lease says.
const AT_ONCE: usize = 4;

/// How often it is looked for watches that other processes started or stopped, and for calls that they took in.
const ROUND: Duration = Duration::from_secs(1);

/// The same where the store tells of both: a round only finds what was not heard.
const TOLD_ROUND: Duration = Duration::from_secs(10);

/// How often the servers of a store tell each other that they are there, and share the watches out.
const BEAT: Duration = Duration::from_secs(3);

/// How long a server counts as there without telling; one of this machine is known to be gone at once.
const THERE: SignedDuration = SignedDuration::from_secs(60);

/// How long a server must have been there to be counted by the others: one that keeps dying gets no part.
const LASTING: SignedDuration = SignedDuration::from_secs(10);

/// What every seat uses.
pub(super) struct House {
    pub(super) shell: Shell,
    pub(super) declared: Arc<BTreeMap<String, Definition>>,
    /// The address under which Drive reaches this server, if it does.
    pub(super) public_url: Option<String>,
    /// Which part of the watches is this process's.
    pub(super) share: Share,
    /// Where those who follow a watch hear of it.
    changes: Changes,
}

impl House {
    pub(super) fn now(&self) -> Timestamp {
        self.shell.reach.clock.now()
    }

    /// Tells those who follow a dataset that something happened to it.
    pub(super) fn tell(&self, dataset: &str, run: Option<&str>) {
        self.changes.resource(super::uri(dataset));
        if let Some(run) = run {
            self.changes.resource(format!("lockstep://runs/{run}"));
            self.changes.resource("lockstep://runs");
        }
    }
}

/// Watches the datasets of a store.
pub struct Worker {
    house: House,
    pokes: Pokes,
    seats: BTreeMap<String, Seat>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("seats", &self.seats.len()).finish_non_exhaustive()
    }
}

/// A watch that runs by itself.
struct Running {
    changed: Timestamp,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Worker {
    /// Creates a worker; nothing is looked at yet.
    pub(crate) fn new(
        shell: Shell,
        declared: Arc<BTreeMap<String, Definition>>,
        pokes: Pokes,
        changes: Changes,
    ) -> Self {
        let share = Share::default();
        let house = House { shell, declared, public_url: None, share, changes };
        Self { house, pokes, seats: BTreeMap::new() }
    }

    /// Says under which address Drive reaches this server.
    #[must_use]
    pub fn reached_at(mut self, public_url: Option<String>) -> Self {
        self.house.public_url = public_url;
        self
    }

    /// Looks once at each dataset that is due, one after the other, and returns when the next is due.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub async fn tick(&mut self) -> Result<Option<Timestamp>> {
        let watches = self.house.shell.store.watches().await?;
        let called = self.house.shell.store.called().await?;
        let now = self.house.now();
        for watch in watches {
            let known = self.seats.get(&watch.dataset).map(|seat| seat.changed);
            match (watch.running, known) {
                (true, Some(changed)) if changed == watch.changed => {}
                (true, _) => {
                    let seat = Seat::new(&watch, self.pokes.of(&watch.dataset), now)?;
                    if let Some(mut old) = self.seats.insert(watch.dataset.clone(), seat) {
                        old.leave(&self.house).await;
                    }
                }
                (false, Some(_)) => {
                    if let Some(mut seat) = self.seats.remove(&watch.dataset) {
                        seat.close(&self.house).await;
                    }
                }
                (false, None) => {}
            }
        }
        for seat in self.seats.values_mut() {
            let due = seat.next(now).is_some_and(|next| next <= now);
            if due || called.contains(&seat.dataset) {
                seat.step(&self.house).await;
            }
        }
        let now = self.house.now();
        Ok(self.seats.values().filter_map(|seat| seat.next(now)).min())
    }

    /// Watches until `stop`: each dataset by itself, several at the same time.
    pub async fn run(self, stop: CancellationToken) {
        let Self { mut house, pokes, .. } = self;
        house.shell.reach.progress = Progress::new(stop.clone(), None);
        let (house, places) = (Arc::new(house), Arc::new(Semaphore::new(AT_ONCE)));
        let mut running: BTreeMap<String, Running> = BTreeMap::new();
        let mut news = News::default();
        let told = house.shell.store.is_shared();
        let mut ticks = tokio::time::interval(if told { TOLD_ROUND } else { ROUND });
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let watches = Arc::new(Notify::new());
        close_stopped(&house, &pokes).await;
        if told {
            share_out(&house).await;
        }
        let hearing = tokio::spawn(hear(Arc::clone(&house), pokes.clone(), Arc::clone(&watches)));
        let beating = told.then(|| tokio::spawn(beat(Arc::clone(&house))));
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = watches.notified() => {}
                () = stop.cancelled() => break,
            }
            match house.shell.store.watches().await {
                Ok(watches) => {
                    house.share.watches(watches.iter().filter(|watch| watch.running).count());
                    for (dataset, run) in news.of(&watches, house.shell.holder.name()) {
                        house.tell(&dataset, run.as_deref());
                    }
                    for watch in watches {
                        arrange(&house, &pokes, &places, &stop, &mut running, watch).await;
                    }
                }
                Err(error) => tracing::warn!(%error, "the watches cannot be read"),
            }
            for dataset in house.shell.store.called().await.unwrap_or_default() {
                pokes.of(&dataset).wake();
            }
        }
        hearing.abort();
        if let Some(beating) = beating {
            beating.abort();
            let _ = beating.await;
            if let Err(error) = house.shell.store.depart(house.shell.holder.name()).await {
                tracing::debug!(%error, "that this server is gone is found out by the others");
            }
        }
        for (_, watch) in running {
            watch.stop.cancel();
            let _ = watch.task.await;
        }
    }
}

/// Ends the channels of watches that were stopped while no server ran.
async fn close_stopped(house: &House, pokes: &Pokes) {
    let watches = house.shell.store.watches().await.unwrap_or_default();
    for watch in watches.into_iter().filter(|watch| !watch.running) {
        if let Ok(mut seat) = Seat::new(&watch, pokes.of(&watch.dataset), house.now()) {
            seat.close(house).await;
        }
    }
}

/// Tells the other servers again and again.
async fn beat(house: Arc<House>) {
    loop {
        tokio::time::sleep(BEAT).await;
        share_out(&house).await;
    }
}

/// Tells the other servers of the store that this one is there, and gives them what it watches beyond its part.
async fn share_out(house: &House) {
    let (holder, now) = (&house.shell.holder, house.now());
    match house.shell.store.attend(holder.name(), now, THERE).await {
        Ok(servers) => {
            let lasting = |(name, since): &&(String, Timestamp)| {
                name == holder.name()
                    || (now.duration_since(*since) >= LASTING && !holder.is_gone(name))
            };
            house.share.servers(servers.iter().filter(lasting).count());
        }
        Err(error) => tracing::warn!(%error, "the servers of the store cannot be counted"),
    }
    house.share.give_surplus();
}

/// The pause before a lost connection to the store's server is made again.
const AGAIN: Duration = Duration::from_secs(5);

/// Wakes watches as other servers of the store tell; of a store in a file nothing is told, and rounds do.
async fn hear(house: Arc<House>, pokes: Pokes, watches: Arc<Notify>) {
    loop {
        match house.shell.store.listen().await {
            Ok(None) => return,
            Ok(Some(mut wakes)) => {
                // What was told while nobody listened is looked for.
                watches.notify_one();
                while let Ok(word) = wakes.next().await {
                    match word.is_empty() {
                        true => watches.notify_one(),
                        false => pokes.wake(&word),
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "other servers of the store cannot be heard"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Starts a watch that is to run, and ends one that is not, or not so.
async fn arrange(
    house: &Arc<House>,
    pokes: &Pokes,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
    running: &mut BTreeMap<String, Running>,
    watch: StoredWatch,
) {
    let dataset = watch.dataset.clone();
    if running.get(&dataset).is_some_and(|one| !watch.running || one.changed != watch.changed)
        && let Some(old) = running.remove(&dataset)
    {
        old.stop.cancel();
        let _ = old.task.await;
        if !watch.running
            && let Ok(mut seat) = Seat::new(&watch, pokes.of(&dataset), house.now())
        {
            seat.close(house).await;
        }
    }
    if !watch.running || running.contains_key(&dataset) {
        return;
    }
    match Seat::new(&watch, pokes.of(&dataset), house.now()) {
        Ok(seat) => {
            let own = stop.child_token();
            let (house, poke, places) = (Arc::clone(house), pokes.of(&dataset), Arc::clone(places));
            let task = tokio::spawn(sit(house, seat, poke, places, own.clone()));
            running.insert(dataset, Running { changed: watch.changed, stop: own, task });
        }
        Err(error) => tracing::warn!(%error, dataset, "a watch cannot run"),
    }
}

/// The life of one watch.
async fn sit(
    house: Arc<House>,
    mut seat: Seat,
    poke: Poke,
    places: Arc<Semaphore>,
    stop: CancellationToken,
) {
    let give = house.share.bell(&seat.dataset);
    let mut told = Tellers::default();
    while !stop.is_cancelled() {
        // A spoke that is new is listened to as well.
        if let Ok(definition) = seat.definition(&house).await
            && let Ok(of) = definition.fingerprint()
            && told.of.as_ref() != Some(&of)
        {
            told = Tellers::start(&house, &definition, &poke);
            told.of = (!told.failed).then_some(of);
            seat.triggered_by(told.names.clone());
        }
        if let Ok(_place) = places.acquire().await {
            seat.step(&house).await;
        }
        let now = house.now();
        let wait = match seat.next(now) {
            None => Duration::MAX,
            Some(next) => next.duration_since(now).try_into().unwrap_or(Duration::ZERO),
        };
        tokio::select! {
            () = tokio::time::sleep(wait.min(Duration::from_secs(3_600))) => {}
            () = poke.told() => {}
            () = give.notified() => seat.give(&house).await,
            () = stop.cancelled() => {}
        }
    }
    seat.leave(&house).await;
}

/// What tells a watch of changes while it lives.
#[derive(Default)]
struct Tellers {
    /// The definition that they are of.
    of: Option<String>,
    /// Whether one of them could not be started, and is to be tried again.
    failed: bool,
    names: Vec<String>,
    _files: Vec<FileWatch>,
    _listening: Vec<Listening>,
}

impl Tellers {
    fn start(house: &House, definition: &Definition, poke: &Poke) -> Self {
        let mut tellers = Self::default();
        for (member, source) in definition.members() {
            match FileWatch::start(&house.shell.reach, source, poke) {
                Ok(None) => {}
                Ok(Some(watch)) => {
                    tellers.names.push(format!("file ({member})"));
                    tellers._files.push(watch);
                }
                Err(error) => {
                    tellers.failed = true;
                    tracing::warn!(%error, member, "a file is polled alone");
                }
            }
            if let Some(listening) = Listening::start(&house.shell.reach, source, poke) {
                tellers.names.push(format!("notify ({member})"));
                tellers._listening.push(listening);
            }
        }
        tellers
    }
}
