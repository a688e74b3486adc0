//! Serial numbers of a workbook as dates and times, and back.
//!
//! Two date systems: days since 1900, in which the day 60 is a 29th of February that never was (so that the days before
//! it are one later than they seem), and days since 1904-01-01. ECMA-376 part 1, 18.17.4.1.

use jiff::{
    SignedDuration,
    civil::{Date, DateTime, Time},
};

use super::styles::NumberKind;

const DAY_MS: f64 = 86_400_000.0;

/// The first serial after the day that never was.
const AFTER_GAP: f64 = 61.0;

/// How many days the 1904 system's serials are lower.
const SHIFT_1904: f64 = 1462.0;

/// Returns a serial's date or time in ISO form; `None` for what is none, such as a duration of more than a day.
pub(super) fn text(serial: f64, kind: NumberKind, date1904: bool) -> Option<String> {
    if !(0.0..=2_958_466.0).contains(&serial) {
        return None;
    }
    let days = serial.floor();
    let ms = ((serial - days) * DAY_MS).round();
    if kind == NumberKind::Time {
        return (serial < 1.0 && ms < DAY_MS).then(|| time(ms).to_string());
    }
    let day = day(days, date1904)?;
    if kind == NumberKind::Date && ms == 0.0 {
        return Some(day.to_string());
    }
    let moment = day.to_datetime(Time::midnight());
    let moment: DateTime = moment.checked_add(SignedDuration::from_millis(ms as i64)).ok()?;
    Some(moment.to_string())
}

fn day(days: f64, date1904: bool) -> Option<Date> {
    let (first, days) = match date1904 {
        true => (Date::constant(1904, 1, 1), days),
        false if days >= AFTER_GAP => (Date::constant(1899, 12, 30), days),
        false if (1.0..60.0).contains(&days) => (Date::constant(1899, 12, 31), days),
        false => return None,
    };
    first.checked_add(SignedDuration::from_hours(days as i64 * 24)).ok()
}

fn time(ms: f64) -> Time {
    let moment = Date::constant(2000, 1, 1).to_datetime(Time::midnight());
    moment.checked_add(SignedDuration::from_millis(ms as i64)).unwrap_or(moment).time()
}

/// Returns the serial in this workbook of one that counts as Google Sheets does; `None` where they do not agree.
pub(super) fn serial(value: f64, kind: NumberKind, date1904: bool) -> Option<f64> {
    match kind {
        NumberKind::Plain | NumberKind::Time => Some(value),
        _ if date1904 => Some(value - SHIFT_1904).filter(|serial| *serial >= 0.0),
        _ => (value >= AFTER_GAP).then_some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_of_both_systems() {
        use NumberKind::*;
        for (serial, kind, date1904, expected) in [
            (45306.0, Date, false, Some("2024-01-15")),
            (43844.0, Date, true, Some("2024-01-15")),
            (45306.5, Date, false, Some("2024-01-15T12:00:00")),
            (45306.395833333336, DateTime, false, Some("2024-01-15T09:30:00")),
            (1.0, Date, false, Some("1900-01-01")),
            (59.0, Date, false, Some("1900-02-28")),
            (60.0, Date, false, None),
            (61.0, Date, false, Some("1900-03-01")),
            (0.0, Date, true, Some("1904-01-01")),
            (0.75, Time, false, Some("18:00:00")),
            (0.0000001, Time, false, Some("00:00:00.009")),
            (1.5, Time, false, None),
            (-1.0, Date, false, None),
            (f64::NAN, Date, false, None),
            (45306.999_999_999_9, DateTime, false, Some("2024-01-16T00:00:00")),
        ] {
            assert_eq!(text(serial, kind, date1904).as_deref(), expected, "{serial} {kind:?}");
        }
        assert_eq!(serial(45306.0, Date, true), Some(43844.0));
        assert_eq!(serial(45306.0, Date, false), Some(45306.0));
        assert_eq!(serial(60.0, Date, false), None);
    }
}
