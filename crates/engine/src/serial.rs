//! Spreadsheet serial numbers: days since 1899-12-30, the time of day as the fraction.
//!
//! Google Sheets documents the epoch and the fraction at
//! <https://developers.google.com/workspace/sheets/api/guides/formats#about_date_time_values>. A serial is a binary
//! float, so fractions of a day are rounded to the millisecond, which is what sheets themselves show.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime as Civil, Time};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::value::{DateTime, Number};

const DAY_MS: i64 = 86_400_000;

/// Days from the epoch to 1970-01-01.
const EPOCH_TO_UNIX_DAYS: i64 = 25_569;

/// The first serial that is written as a number (1900-01-01): other programs read lower ones differently.
const FIRST: i64 = 2;

fn epoch() -> Date {
    Date::constant(1899, 12, 30)
}

/// Returns milliseconds since the epoch of a serial, rounded to the nearest.
fn milliseconds(serial: &Number) -> Option<i64> {
    let days = serial.to_decimal()?;
    days.checked_mul(Decimal::from(DAY_MS))?.round().to_i64()
}

fn at(milliseconds: i64) -> Option<Civil> {
    // Counted from 1970, because jiff bounds the days that it adds to what reaches year 9999 from there.
    let unix = Date::constant(1970, 1, 1).to_datetime(Time::midnight());
    let milliseconds = milliseconds.checked_sub(EPOCH_TO_UNIX_DAYS * DAY_MS)?;
    unix.checked_add(SignedDuration::from_millis(milliseconds)).ok()
}

/// Reads a serial without a fraction as a day.
pub(crate) fn date(serial: &Number) -> Option<Date> {
    let days = serial.is_integer().then(|| serial.to_decimal())??.to_i64()?;
    at(days.checked_mul(DAY_MS)?).map(|civil| civil.date())
}

/// Reads a serial as a date-time without an offset.
pub(crate) fn datetime(serial: &Number) -> Option<DateTime> {
    at(milliseconds(serial)?).map(DateTime::local)
}

/// Reads a serial of less than a day as a time.
pub(crate) fn time(serial: &Number) -> Option<Time> {
    let milliseconds = milliseconds(serial).filter(|ms| (0..DAY_MS).contains(ms))?;
    at(milliseconds).map(|civil| civil.time())
}

/// Returns the serial of a day, or `None` before 1900.
pub(crate) fn of_date(date: Date) -> Option<f64> {
    let days = i64::from((date - epoch()).get_days());
    (days >= FIRST).then_some(days as f64)
}

/// Returns the serial of a time, or `None` when it has parts of a millisecond.
pub(crate) fn of_time(time: Time) -> Option<f64> {
    let milliseconds = (time.duration_since(Time::midnight())).as_millis();
    (time.subsec_nanosecond() % 1_000_000 == 0).then_some(milliseconds as f64 / DAY_MS as f64)
}

/// Returns the serial of a date-time, or `None` when a serial does not hold it.
pub(crate) fn of_datetime(value: Civil) -> Option<f64> {
    Some(of_date(value.date())? + of_time(value.time())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn known_serials() {
        assert_eq!(date(&number("45306")), Some(Date::constant(2024, 1, 15)));
        assert_eq!(date(&number("0")), Some(Date::constant(1899, 12, 30)));
        assert_eq!(date(&number("45306.5")), None);
        assert_eq!(date(&number("1e30")), None);
        assert_eq!(time(&number("0.75")), Some(Time::constant(18, 0, 0, 0)));
        assert_eq!(time(&number("1")), None);
        assert_eq!(time(&number("-0.5")), None);
        assert_eq!(
            datetime(&number("45306.395833333336")).unwrap().to_string(),
            "2024-01-15T09:30:00"
        );
        assert_eq!(datetime(&number("1e400")), None);
        assert_eq!(of_date(Date::constant(2024, 1, 15)), Some(45306.0));
        assert_eq!(of_date(Date::constant(1899, 12, 31)), None);
        assert_eq!(of_time(Time::constant(12, 0, 0, 0)), Some(0.5));
        assert_eq!(of_time(Time::constant(12, 0, 0, 1)), None);
    }

    proptest! {
        #[test]
        fn milliseconds_survive(days in 2i64..2_958_466, ms in 0i64..DAY_MS) {
            let civil = at(days * DAY_MS + ms).unwrap();
            let serial = Number::try_from(of_datetime(civil).unwrap()).unwrap();
            prop_assert_eq!(datetime(&serial), Some(DateTime::local(civil)));
            let serial = Number::try_from(of_time(civil.time()).unwrap()).unwrap();
            prop_assert_eq!(time(&serial), Some(civil.time()));
            let serial = Number::try_from(of_date(civil.date()).unwrap()).unwrap();
            prop_assert_eq!(date(&serial), Some(civil.date()));
        }
    }
}
