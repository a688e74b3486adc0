//! Serials: days since 1899-12-30, the way Sheets counts dates and times.

use jiff::civil::Date;

/// Is the serial of 1970-01-01.
const UNIX_EPOCH: i64 = 25_569;

/// Returns the serial of a date.
pub(crate) fn from_date(date: Date) -> f64 {
    let epoch = Date::constant(1970, 1, 1);
    let days = epoch.until((jiff::Unit::Day, date)).map_or(0, |span| i64::from(span.get_days()));
    // Dates lie within 4 million days, far below 2^53.
    (days + UNIX_EPOCH) as f64
}

/// Returns the date of a serial, or `None` beyond the years -9999 to 9999.
pub(crate) fn to_date(serial: f64) -> Option<Date> {
    let days = serial.floor();
    if !(-5_000_000.0..=5_000_000.0).contains(&days) {
        return None;
    }
    // In range by the check above.
    let days = days as i64 - UNIX_EPOCH;
    Date::constant(1970, 1, 1).checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

/// Returns the serial fraction of a time of day.
pub(crate) fn from_time(hours: f64, minutes: f64, seconds: f64) -> f64 {
    (hours * 3600.0 + minutes * 60.0 + seconds) / 86_400.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_serials() {
        // Recorded by gspread and by live probes (google-wire 2.3, 2.4).
        for (date, serial) in [
            ((2020, 1, 1), 43_831.0),
            ((1999, 1, 2), 36_162.0),
            ((2026, 9, 5), 46_270.0),
            ((1899, 12, 30), 0.0),
            ((1899, 12, 29), -1.0),
            ((1900, 2, 28), 60.0),
        ] {
            let date = Date::new(date.0, date.1, date.2).unwrap();
            assert_eq!(from_date(date), serial);
            assert_eq!(to_date(serial + 0.9), Some(date));
        }
        assert_eq!(to_date(1e12), None);
        assert_eq!(to_date(f64::NAN), None);
    }
}
