//! Hours of the day in which nobody is told anything.

use jiff::{
    Timestamp,
    civil::Time,
    tz::{Offset, TimeZone},
};

use crate::error::{Error, Result};

/// From one time of day to another, over midnight where the second is the earlier.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quiet {
    from: Time,
    to: Time,
    zone: TimeZone,
}

impl Quiet {
    /// Reads `22:00-07:00` and an offset like `+01:00`.
    ///
    /// # Errors
    /// Texts of another form.
    pub(super) fn read(text: &str, offset: Option<&str>) -> Result<Self> {
        let wrong = |what: &str| {
            Error::invalid(format!("[alerts] {what}"))
                .next("write quiet = \"22:00-07:00\" and utcOffset = \"+01:00\"")
        };
        let (from, to) = text.split_once('-').ok_or_else(|| wrong("quiet is no span of hours"))?;
        let time =
            |text: &str| clock(text.trim()).ok_or_else(|| wrong("quiet is no span of hours"));
        let (from, to) = (time(from)?, time(to)?);
        if from == to {
            return Err(wrong("quiet begins when it ends"));
        }
        let seconds = match offset {
            None => 0,
            Some(text) => {
                let sign = if text.starts_with('-') { -1 } else { 1 };
                let time = clock(text.trim_start_matches(['+', '-']));
                let time = time.ok_or_else(|| wrong("utcOffset is no offset"))?;
                sign * (i32::from(time.hour()) * 3_600 + i32::from(time.minute()) * 60)
            }
        };
        let offset = Offset::from_seconds(seconds).map_err(|_| wrong("utcOffset is no offset"))?;
        Ok(Self { from, to, zone: offset.to_time_zone() })
    }

    /// Returns whether a moment lies within.
    pub(super) fn holds(&self, at: Timestamp) -> bool {
        let time = at.to_zoned(self.zone.clone()).time();
        match self.from < self.to {
            true => self.from <= time && time < self.to,
            false => self.from <= time || time < self.to,
        }
    }
}

fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_hold_over_midnight_and_in_their_zone() {
        let night = Quiet::read("22:00-07:00", Some("+01:00")).unwrap();
        let noon = Quiet::read("12:00 - 13:30", None).unwrap();
        let cases = [
            (&night, "2026-01-01T20:59:00Z", false),
            (&night, "2026-01-01T21:00:00Z", true),
            (&night, "2026-01-02T05:59:59Z", true),
            (&night, "2026-01-02T06:00:00Z", false),
            (&noon, "2026-01-02T12:00:00Z", true),
            (&noon, "2026-01-02T13:30:00Z", false),
        ];
        for (quiet, at, held) in cases {
            assert_eq!(quiet.holds(at.parse().unwrap()), held, "{at}");
        }
        for bad in ["", "22:00", "25:00-07:00", "a-b", "7:00-07:00"] {
            assert!(Quiet::read(bad, None).is_err(), "{bad}");
        }
        assert!(Quiet::read("1:00-2:00", Some("east")).is_err());
    }
}
