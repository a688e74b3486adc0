//! Dates, times and date-times in ISO 8601 form.
//!
//! Only the unambiguous forms are read: `2024-01-15`, `09:30[:00[.123]]`, `2024-01-15T09:30:00Z` (a space instead of
//! the `T`, and an offset `+02:00`, `+0200` or `+02` are fine). `01/02/2024` means two different days in two
//! countries, so it stays text.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil;

/// A civil date and time with an optional offset from UTC.
///
/// Two values with an offset are equal when they are the same instant, whatever their offsets. A value without an
/// offset is never equal to one with an offset: which instant it means is not known.
#[derive(Clone, Copy, Debug)]
pub struct DateTime {
    civil: civil::DateTime,
    /// Minutes east of UTC.
    offset: Option<i16>,
}

impl DateTime {
    /// Returns a date-time without an offset.
    pub fn local(civil: civil::DateTime) -> DateTime {
        DateTime { civil, offset: None }
    }

    /// Returns a date-time at an offset in minutes east of UTC, or `None` when its instant is outside years -9999 to 9999.
    pub fn at_offset(civil: civil::DateTime, minutes: i16) -> Option<DateTime> {
        let value = DateTime { civil, offset: Some(minutes) };
        value.shifted().map(|_| value)
    }

    /// Returns the date and time as written.
    pub fn civil(&self) -> civil::DateTime {
        self.civil
    }

    /// Returns the offset in minutes east of UTC, when there is one.
    pub fn offset_minutes(&self) -> Option<i16> {
        self.offset
    }

    /// Returns the date and time in UTC, or as written when there is no offset.
    pub fn utc(&self) -> civil::DateTime {
        self.shifted().unwrap_or(self.civil)
    }

    fn shifted(&self) -> Option<civil::DateTime> {
        match self.offset {
            None | Some(0) => Some(self.civil),
            Some(minutes) => {
                self.civil.checked_sub(SignedDuration::from_mins(i64::from(minutes))).ok()
            }
        }
    }

    fn sort_key(&self) -> (bool, civil::DateTime) {
        (self.offset.is_some(), self.utc())
    }
}

impl PartialEq for DateTime {
    fn eq(&self, other: &DateTime) -> bool {
        self.sort_key() == other.sort_key()
    }
}

impl Eq for DateTime {}

impl Hash for DateTime {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sort_key().hash(state);
    }
}

impl Ord for DateTime {
    /// Orders values without an offset before those with one, each by time.
    fn cmp(&self, other: &DateTime) -> Ordering {
        self.sort_key().cmp(&other.sort_key())
    }
}

impl PartialOrd for DateTime {
    fn partial_cmp(&self, other: &DateTime) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for DateTime {
    /// Writes the canonical form: with an offset always in UTC and `Z`, so equal values are written alike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = if self.offset.is_some() { "Z" } else { "" };
        write!(f, "{}{zone}", self.utc())
    }
}

impl FromStr for DateTime {
    type Err = ();

    fn from_str(text: &str) -> Result<DateTime, ()> {
        let length = if text.starts_with('-') { 13 } else { 10 };
        let (date, rest) = text.split_at_checked(length).ok_or(())?;
        let date = parse_date(date).ok_or(())?;
        let rest = rest.strip_prefix(['T', 't', ' ']).ok_or(())?;
        let (time, offset) =
            match rest.find(['Z', 'z', '+', '-']).and_then(|at| rest.split_at_checked(at)) {
                Some((time, zone)) => (time, Some(parse_offset(zone.trim_start()).ok_or(())?)),
                None => (rest, None),
            };
        let civil = date.to_datetime(parse_time(time.trim_end()).ok_or(())?);
        match offset {
            Some(minutes) => DateTime::at_offset(civil, minutes).ok_or(()),
            None => Ok(DateTime::local(civil)),
        }
    }
}

/// Reads `YYYY-MM-DD`, and for years before 0 `-YYYYYY-MM-DD`, as ISO 8601 and `jiff` write them.
pub(crate) fn parse_date(text: &str) -> Option<civil::Date> {
    let (century, rest) = match text.as_bytes() {
        [b'-', c1, c2, c3, c4, rest @ ..] => {
            let century = i16::from(digits(*c1, *c2)?) * 100 + i16::from(digits(*c3, *c4)?);
            (-century, rest)
        }
        [c1, c2, rest @ ..] => (i16::from(digits(*c1, *c2)?), rest),
        _ => return None,
    };
    let &[y1, y2, b'-', m1, m2, b'-', d1, d2] = rest else {
        return None;
    };
    let within = i16::from(digits(y1, y2)?);
    let year = century.checked_mul(100)?;
    let year = if text.starts_with('-') { year - within } else { year + within };
    // There is no year -0: it would be a second way to write year 0.
    if text.starts_with('-') && year == 0 {
        return None;
    }
    civil::Date::new(year, digits(m1, m2)?, digits(d1, d2)?).ok()
}

/// Reads `HH:MM`, `HH:MM:SS` and `HH:MM:SS.fraction` with up to nine digits that count.
pub(crate) fn parse_time(text: &str) -> Option<civil::Time> {
    let (&[h1, h2, b':', m1, m2], rest) = text.as_bytes().split_first_chunk::<5>()? else {
        return None;
    };
    let (hour, minute) = (digits(h1, h2)?, digits(m1, m2)?);
    if rest.is_empty() {
        return civil::Time::new(hour, minute, 0, 0).ok();
    }
    let (&[b':', s1, s2], rest) = rest.split_first_chunk::<3>()? else {
        return None;
    };
    let second = digits(s1, s2)?;
    let nanos = match rest.split_first() {
        None => 0,
        Some((b'.' | b',', fraction)) if !fraction.is_empty() => nanoseconds(fraction)?,
        Some(_) => return None,
    };
    civil::Time::new(hour, minute, second, nanos).ok()
}

fn nanoseconds(fraction: &[u8]) -> Option<i32> {
    let mut nanos = 0i32;
    for place in 0..fraction.len().max(9) {
        let digit = fraction.get(place).copied().unwrap_or(b'0');
        match (place, digit) {
            (0..9, b'0'..=b'9') => nanos = nanos * 10 + i32::from(digit - b'0'),
            (9.., b'0') => {}
            _ => return None,
        }
    }
    Some(nanos)
}

/// Reads `Z`, `+HH`, `+HHMM` and `+HH:MM` (or `-`) as minutes east of UTC.
fn parse_offset(text: &str) -> Option<i16> {
    let (sign, hours, minutes) = match text.as_bytes() {
        [b'Z' | b'z'] => return Some(0),
        [sign, h1, h2] => (sign, digits(*h1, *h2)?, 0),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => {
            (sign, digits(*h1, *h2)?, digits(*m1, *m2)?)
        }
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let total = i16::from(hours) * 60 + i16::from(minutes);
    match sign {
        b'+' => Some(total),
        b'-' => Some(-total),
        _ => None,
    }
}

fn digits(tens: u8, ones: u8) -> Option<i8> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| (byte - b'0') as i8);
    Some(digit(tens)? * 10 + digit(ones)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime {
        text.parse().unwrap_or_else(|()| panic!("{text} does not parse"))
    }

    #[test]
    fn reads_iso_forms() {
        for (text, canonical) in [
            ("2024-01-15T09:30:00Z", "2024-01-15T09:30:00Z"),
            ("2024-01-15 09:30", "2024-01-15T09:30:00"),
            ("2024-01-15T09:30:00.120", "2024-01-15T09:30:00.12"),
            ("2024-01-15T09:30:00.1234567890", "2024-01-15T09:30:00.123456789"),
            ("2024-01-15T01:30:00+02:00", "2024-01-14T23:30:00Z"),
            ("2024-01-15T01:30:00 -0130", "2024-01-15T03:00:00Z"),
            ("2024-01-15T01:30:00+05", "2024-01-14T20:30:00Z"),
            ("0001-01-01T00:00:00", "0001-01-01T00:00:00"),
            ("-007050-02-20T20:35", "-007050-02-20T20:35:00"),
            ("0000-01-01T00:30:00+01:00", "-000001-12-31T23:30:00Z"),
        ] {
            assert_eq!(at(text).to_string(), canonical);
            assert_eq!(at(canonical), at(text));
        }
    }

    #[test]
    fn refuses_other_forms() {
        for text in [
            "2024-01-15",
            "-000000-01-01T00:00",
            "-2024-01-15T00:00",
            "-999999-01-01T00:00",
            "2024-1-15T09:30",
            "2024-02-30T00:00",
            "2024-01-15T24:00",
            "2024-01-15T09:30:60",
            "2024-01-15T9:30",
            "2024-01-15T09:30:00+25:00",
            "2024-01-15T09:30:00+02:60",
            "2024-01-15T09:30:00.",
            "2024-01-15T09:30:00.1234567891",
            "2024-01-15T09:30:00Zx",
            "20240115T093000",
            "2024-01-15T09:30[Europe/Paris]",
            "2024-01-1éT09:30",
            "",
        ] {
            assert!(text.parse::<DateTime>().is_err(), "{text:?} parsed");
        }
    }

    #[test]
    fn instants_compare_across_offsets() {
        assert_eq!(at("2024-01-15T12:00:00+02:00"), at("2024-01-15T10:00:00Z"));
        assert!(at("2024-01-15T12:00:00+02:00") < at("2024-01-15T10:00:01Z"));
        assert_ne!(at("2024-01-15T10:00:00"), at("2024-01-15T10:00:00Z"));
    }
}
