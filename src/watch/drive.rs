//! Push notifications of Drive: a channel for each spreadsheet, renewed before it ends, stopped with the watch.
//!
//! A message is a hint and no promise, and Drive may tell late: polls remain.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use lockstep_google::parse_id;

use super::{breaker::later, worker::House};
use crate::{
    error::{Error, Result},
    replica::Source,
    store::StoredChannel,
    sync::definition::Definition,
};

/// For how long a channel is asked: a day is the most that Drive gives for a file (google-wire 2.9).
const LIFE: SignedDuration = SignedDuration::from_hours(24);

/// How long before its end a channel is replaced; one that lives for less than twice that, after half of its life.
const RENEW: SignedDuration = SignedDuration::from_hours(2);

/// The least pause before channels are looked at again.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// How long a refusal is respected.
const REFUSED: SignedDuration = SignedDuration::from_mins(10);

/// The path under which Drive tells this server.
pub(crate) const PATH: &str = "/hooks/drive";

/// The channels of one watch.
#[derive(Debug, Default)]
pub(super) struct Channels {
    /// When they are looked at again.
    next: Option<Timestamp>,
    open: usize,
    refused: Option<String>,
}

impl Channels {
    /// Says what tells of changes.
    pub(super) fn told(&self) -> Option<String> {
        match (&self.refused, self.open) {
            (Some(why), _) => Some(format!("drive (refused: {why})")),
            (None, 0) => None,
            (None, open) => Some(format!("drive ({open} channels)")),
        }
    }

    /// Returns when the channels are looked at again, if they are.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Puts off the next look, where nothing can be done now.
    pub(super) fn put_off(&mut self, until: Timestamp) {
        self.next = self.next.map(|next| next.max(until));
    }

    /// Opens the channels that are missing, and replaces those that end soon; nothing without a public address.
    pub(super) async fn keep(&mut self, house: &House, definition: &Definition) {
        let Some(url) = &house.public_url else { return };
        let now = house.now();
        if self.next.is_some_and(|next| next > now) {
            return;
        }
        match arrange(house, definition, url, now).await {
            Ok((open, first)) => {
                (self.open, self.refused) = (open, None);
                self.next = Some(renewal(now, first.unwrap_or(later(now, LIFE))));
            }
            Err(error) => {
                tracing::warn!(%error, dataset = definition.name, "Drive opens no channel");
                let text = error.to_string();
                self.refused = Some(text.lines().next().unwrap_or_default().to_owned());
                self.next = Some(later(now, REFUSED));
            }
        }
    }

    /// Ends the channels of a dataset.
    pub(super) async fn close(&mut self, house: &House, dataset: &str) {
        for channel in house.shell.store.channels(dataset).await.unwrap_or_default() {
            if let Err(error) = stop(house, &channel).await {
                tracing::warn!(%error, "a channel was not stopped; it ends by itself");
            }
        }
        *self = Self::default();
    }
}

/// Returns when a channel that ends then is replaced.
fn renewal(now: Timestamp, end: Timestamp) -> Timestamp {
    let left = end.duration_since(now);
    later(now, (left - RENEW.min(left / 2)).max(PAUSE))
}

/// Returns how many channels a dataset has, and when the first of them ends.
async fn arrange(
    house: &House,
    definition: &Definition,
    url: &str,
    now: Timestamp,
) -> Result<(usize, Option<Timestamp>)> {
    let store = &house.shell.store;
    let wanted: BTreeSet<String> =
        definition.members().into_iter().filter_map(|(_, source)| spreadsheet(source)).collect();
    let known = store.channels(&definition.name).await?;
    let (mut open, mut first): (usize, Option<Timestamp>) = (0, None);
    for spreadsheet in &wanted {
        let lasting = |one: &&StoredChannel| {
            one.spreadsheet == *spreadsheet && one.expires.duration_since(now) > RENEW
        };
        let end = match known.iter().find(lasting) {
            Some(channel) => channel.expires,
            None => start(house, &definition.name, spreadsheet, url, now).await?.expires,
        };
        open += 1;
        first = Some(first.map_or(end, |before| before.min(end)));
    }
    // The new one is open before the old one ends, so that nothing falls between them.
    for old in known {
        if old.expires.duration_since(now) <= RENEW || !wanted.contains(&old.spreadsheet) {
            stop(house, &old).await?;
        }
    }
    Ok((open, first))
}

fn spreadsheet(source: &Source) -> Option<String> {
    let Source::Sheet { spreadsheet, .. } = source else { return None };
    Some(parse_id(spreadsheet).unwrap_or_else(|_| spreadsheet.clone()))
}

async fn start(
    house: &House,
    dataset: &str,
    spreadsheet: &str,
    url: &str,
    now: Timestamp,
) -> Result<StoredChannel> {
    let (id, token) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().simple().to_string());
    let address = format!("{}{PATH}", url.trim_end_matches('/'));
    let ends = later(now, LIFE).as_millisecond();
    let opened =
        house.shell.reach.google.watch_file(spreadsheet, &id, &address, &token, ends).await?;
    let expires = opened.expires.and_then(|at| Timestamp::from_millisecond(at).ok());
    let channel = StoredChannel {
        id,
        dataset: dataset.to_owned(),
        spreadsheet: spreadsheet.to_owned(),
        resource: opened.resource,
        token,
        expires: expires.unwrap_or(later(now, SignedDuration::from_hours(1))),
    };
    house.shell.store.put_channel(&channel).await?;
    Ok(channel)
}

async fn stop(house: &House, channel: &StoredChannel) -> Result<()> {
    match house.shell.reach.google.stop_channel(&channel.id, &channel.resource).await {
        Ok(()) => {}
        // It has ended already.
        Err(error) if error.kind == lockstep_google::Kind::NotFound => {}
        Err(error) => return Err(Error::from(error)),
    }
    house.shell.store.drop_channel(&channel.id).await
}

#[cfg(test)]
#[test]
fn a_channel_is_replaced_well_before_its_end_whatever_life_it_was_given() {
    let at = |minute: i64| Timestamp::from_second(1_780_000_000 + 60 * minute).unwrap();
    let after = |life: i64| renewal(at(0), at(life)).duration_since(at(0)).as_mins();
    assert_eq!((after(24 * 60), after(4 * 60), after(60)), (22 * 60, 2 * 60, 30));
    assert_eq!(
        (after(1), after(0), after(-60)),
        (1, 1, 1),
        "one that has ended is no reason to spin"
    );
}
