//! How a dataset is watched.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::timing::Schedule;
use crate::error::{Error, Result};

/// Seconds between two polls where nobody says otherwise.
const POLL: f64 = 30.0;

/// The least seconds between two polls.
const LEAST_POLL: f64 = 0.1;

/// The most seconds between two polls: a day.
const MOST_POLL: f64 = 86_400.0;

/// How many events are delivered together where nobody says otherwise.
const BATCH: u32 = 500;

/// The most events of a long queue that are tried together: every batch compares all rows afresh.
const LONG: u64 = 100_000;

/// The most events of a batch.
const MOST_BATCH: u32 = 100_000;

/// The most members of a dataset that are written at the same time.
const MOST_ABREAST: u32 = 16;

/// How a dataset is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Settings {
    /// Seconds between two polls; 0 for none. While nothing changes it becomes slower, up to ten times.
    pub(crate) poll_seconds: f64,
    /// When to look as well, as a cron expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cron: Option<String>,
    /// The time zone of the expression; UTC if not named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time_zone: Option<String>,
    /// How many events are delivered together; of a long queue half, where that is more and nobody asked for less than
    /// [`BATCH`].
    pub(crate) batch_size: u32,
    /// How often a row may be refused before it is given up.
    pub(crate) retry_limit: u32,
    /// How many members are written at the same time; a member's own batches go one after the other.
    // Left out where it is 1, so that servers of the version before can read the watch.
    #[serde(default = "alone", skip_serializing_if = "is_alone")]
    pub(crate) concurrency: u32,
}

fn alone() -> u32 {
    1
}

fn is_alone(concurrency: &u32) -> bool {
    *concurrency == 1
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            poll_seconds: POLL,
            cron: None,
            time_zone: None,
            batch_size: BATCH,
            retry_limit: 3,
            concurrency: 1,
        }
    }
}

impl Settings {
    /// Returns how many of the events that wait are delivered together.
    pub(super) fn batch(&self, waiting: u64) -> u64 {
        match self.batch_size {
            asked if asked < BATCH => u64::from(asked),
            asked => u64::from(asked).max((waiting / 2).min(LONG)),
        }
    }

    /// Checks the bounds, the expression and the zone.
    ///
    /// # Errors
    /// The argument that cannot be carried out.
    pub(crate) fn check(&self) -> Result<()> {
        let poll = self.poll_seconds;
        if poll != 0.0 && !(LEAST_POLL..=MOST_POLL).contains(&poll) {
            return Err(Error::invalid(format!(
                "argument pollSeconds: {poll} is not between {LEAST_POLL} and {MOST_POLL}"
            ))
            .next("give the seconds between two looks, or 0 to look only when something tells of a change"));
        }
        if !(1..=MOST_BATCH).contains(&self.batch_size) {
            return Err(Error::invalid(format!(
                "argument batchSize: {} is not between 1 and {MOST_BATCH}",
                self.batch_size
            ))
            .next("500 is a good size"));
        }
        if !(1..=100).contains(&self.retry_limit) {
            return Err(Error::invalid(format!(
                "argument retryLimit: {} is not between 1 and 100",
                self.retry_limit
            ))
            .next("3 is a good limit: outages do not count"));
        }
        if !(1..=MOST_ABREAST).contains(&self.concurrency) {
            return Err(Error::invalid(format!(
                "argument concurrency: {} is not between 1 and {MOST_ABREAST}",
                self.concurrency
            ))
            .next("give how many spokes are written at the same time"));
        }
        if self.time_zone.is_some() && self.cron.is_none() {
            return Err(Error::invalid("argument timeZone: it goes with cron")
                .next("give a cron expression, or leave timeZone out"));
        }
        self.schedule().map(|_| ())
    }

    /// Returns the schedule, if there is one.
    ///
    /// # Errors
    /// An expression or a zone that is none.
    pub(crate) fn schedule(&self) -> Result<Option<Schedule>> {
        let Some(cron) = &self.cron else { return Ok(None) };
        let zone = match &self.time_zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|error| {
                Error::invalid(format!("argument timeZone: \"{name}\" is no time zone: {error}"))
                    .next("name one of the IANA list, such as Europe/Berlin")
            })?,
        };
        Schedule::read(cron, zone).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.check().unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_carried_out_is_refused_by_its_name() {
        assert!(Settings::default().check().is_ok());
        assert!(Settings { poll_seconds: 0.0, ..Settings::default() }.check().is_ok());
        for (error, word) in [
            (refused(|one| one.poll_seconds = 0.01), "pollSeconds"),
            (refused(|one| one.poll_seconds = f64::NAN), "pollSeconds"),
            (refused(|one| one.batch_size = 0), "batchSize"),
            (refused(|one| one.retry_limit = 0), "retryLimit"),
            (refused(|one| one.concurrency = 0), "concurrency"),
            (refused(|one| one.time_zone = Some("UTC".into())), "timeZone"),
            (refused(|one| one.cron = Some("every day".into())), "cron"),
            (refused(|one| one.cron = Some("0 0 30 2 *".into())), "never"),
            (
                refused(|one| {
                    one.cron = Some("0 9 * * *".into());
                    one.time_zone = Some("Mars/Olympus".into());
                }),
                "Mars/Olympus",
            ),
        ] {
            assert!(error.contains(word) && error.contains("Next:"), "{word}: {error}");
        }
    }
}
