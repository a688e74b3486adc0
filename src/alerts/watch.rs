//! Looking at the health now and then, and bringing messages on their way.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::{
    channel::{channels, deliver},
    judge::{Step, Wrong, steps, wrong},
    message::{Occasion, message},
    settings::Settings,
};
use crate::{
    clock::Clock,
    error::Result,
    health::report::{Ask, report},
    store::{Acquired, Delivery},
    sync::Shell,
};

/// The name of the lease of the one process that tells; no dataset can have it.
const TURN: &str = "\u{1f}alerts";

/// How long that lease holds: longer than a look takes.
const TTL: SignedDuration = SignedDuration::from_mins(3);

/// How often a message is tried before it is given up: about four days.
const TRIES: u32 = 20;

/// How many tries make a channel one that does not work.
const PATIENCE: u32 = 3;

/// Tells people of what is wrong.
#[derive(Clone, Debug)]
pub struct Alerts {
    shell: Shell,
    settings: Settings,
}

impl Alerts {
    /// Tells by the settings of what the shell sees.
    pub(crate) fn new(shell: Shell, settings: Settings) -> Self {
        Self { shell, settings }
    }

    /// Looks again and again until it is dropped; a look that fails is logged, and the next one tries again.
    pub async fn run(self) {
        loop {
            if let Err(error) = self.look(self.shell.reach.clock.now()).await {
                tracing::warn!(%error, "alerts could not be looked at");
            }
            tokio::time::sleep(Duration::from_secs(u64::from(self.settings.every))).await;
        }
    }

    /// Looks once, at a moment: opens and closes incidents, and brings messages to their channels.
    ///
    /// # Errors
    /// A store that cannot be read or written. A channel that fails is no error here: it is tried again later.
    pub async fn look(&self, now: Timestamp) -> Result<()> {
        let (store, holder) = (&self.shell.store, self.shell.holder.name());
        let Acquired::Held(lease) = store.acquire(TURN, holder, now, TTL).await? else {
            // Another process tells.
            return Ok(());
        };
        let looked = self.look_in_turn(now).await;
        store.release(&lease).await?;
        looked
    }

    async fn look_in_turn(&self, now: Timestamp) -> Result<()> {
        let store = &self.shell.store;
        let mut shell = self.shell.clone();
        shell.reach.clock = Clock::Fixed(now);
        let found = report(&shell, &Ask { detail: true, ..Ask::default() }).await?;
        let mut bad = wrong(&found.datasets, self.settings.threshold);
        let channels = channels(&self.settings);
        let stuck = store.stuck_deliveries(PATIENCE, &channels).await?;
        if let Some((channel, error)) = stuck {
            let detail = format!("the channel {channel} does not take messages: {error}");
            bad.insert((String::new(), Wrong::Alerts.as_str().into()), detail);
        }
        let open = store.incidents().await?;
        let hours = i64::from(self.settings.remind_hours);
        let remind = (hours > 0).then(|| SignedDuration::from_hours(hours));
        for step in steps(&bad, &open, now, remind) {
            let known = |id: i64| open.iter().find(|one| one.id == id);
            match step {
                Step::Open { dataset, kind, detail } => {
                    let body = message(Occasion::Opened, &dataset, &kind, &detail, now, now);
                    store.open_incident(&dataset, &kind, &detail, now, &channels, &body).await?;
                }
                Step::Remind { incident, detail } => {
                    let Some(one) = known(incident) else { continue };
                    let body = message(
                        Occasion::Reminder,
                        &one.dataset,
                        &one.kind,
                        &detail,
                        one.opened,
                        now,
                    );
                    store.tell(incident, false, now, &channels, &body).await?;
                }
                Step::Close { incident } => {
                    let Some(one) = known(incident) else { continue };
                    let body = message(
                        Occasion::Recovered,
                        &one.dataset,
                        &one.kind,
                        &one.detail,
                        one.opened,
                        now,
                    );
                    store.tell(incident, true, now, &channels, &body).await?;
                }
            }
        }
        if self.settings.quiet.as_ref().is_some_and(|quiet| quiet.holds(now)) {
            return Ok(());
        }
        let due = store.due_deliveries(now, TRIES).await?;
        // Channels do not wait for each other; the messages of one go in their order.
        let of = |channel: &str| {
            due.iter().filter(|one| one.channel == channel).cloned().collect::<Vec<_>>()
        };
        join_all(channels.iter().map(|channel| self.bring(of(channel), now))).await;
        Ok(())
    }

    async fn bring(&self, messages: Vec<Delivery>, now: Timestamp) {
        for one in messages {
            let google = self.shell.reach.google.scoped();
            let sent = deliver(&self.settings, &google, &one.channel, one.id, &one.body).await;
            let failed = sent.as_ref().err().map(ToString::to_string);
            if let Some(error) = &failed {
                tracing::warn!(channel = one.channel, error, "a message was not delivered");
            }
            let tries = one.attempts.saturating_add(1);
            // 1, 2, 4 … minutes, at most 6 hours.
            let minutes = 1i64 << tries.saturating_sub(1).min(9);
            let wait = SignedDuration::from_mins(minutes.min(360));
            let next = now.checked_add(wait).unwrap_or(now);
            if let Err(error) = self.shell.store.tried(one.id, now, next, failed.as_deref()).await {
                tracing::warn!(%error, "a delivery was not noted");
                return;
            }
            if failed.is_some() {
                // What does not take this message does not take the next one now.
                return;
            }
        }
    }
}
