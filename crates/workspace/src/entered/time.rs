//! Times of day and durations as typed.

use crate::serial;

/// Reads `h:mm`, `h:mm:ss`, `h:mm:ss.fff`, each with AM or PM or without, and `h PM`.
///
/// Returns the serial fraction and the pattern. Hours past 23 are a duration, where `durations`
/// allows them.
pub(super) fn parse(text: &str, durations: bool) -> Option<(f64, String)> {
    let (clock, afternoon) = half_day(text);
    let mut parts = clock.split(':');
    let hours = whole(parts.next()?, 4)?;
    let minutes = parts.next();
    let seconds = parts.next();
    if parts.next().is_some() || (minutes.is_none() && afternoon.is_none()) {
        return None;
    }
    let minute = minutes.map_or(Some(0), sixty)?;
    let (second, millis, places) = match seconds {
        None => (0, 0.0, 0),
        Some(text) => {
            let (second, fraction) = text.split_once('.').unwrap_or((text, ""));
            let millis: f64 = if fraction.is_empty() {
                0.0
            } else {
                whole(fraction, 9)?;
                format!("0.{fraction}").parse().ok()?
            };
            (sixty(second)?, millis, fraction.len().min(3))
        }
    };
    let (hour, h) = match afternoon {
        Some(afternoon) if hours <= 12 => (hours % 12 + if afternoon { 12 } else { 0 }, "h"),
        Some(_) => return None,
        None if hours < 24 => (hours, "h"),
        None if durations => (hours, "[h]"),
        None => return None,
    };
    let mut pattern = h.to_owned();
    if minutes.is_some() {
        pattern.push_str(":mm");
    }
    if seconds.is_some() {
        pattern.push_str(":ss");
    }
    if places > 0 {
        pattern.push('.');
        pattern.push_str(&"0".repeat(places));
    }
    if afternoon.is_some() {
        pattern.push_str(" am/pm");
    }
    let fraction =
        serial::from_time(f64::from(hour), f64::from(minute), f64::from(second) + millis);
    Some((fraction, pattern))
}

/// Splits off AM or PM.
fn half_day(text: &str) -> (&str, Option<bool>) {
    let Some((clock, suffix)) = text.len().checked_sub(2).and_then(|at| text.split_at_checked(at))
    else {
        return (text, None);
    };
    if suffix.eq_ignore_ascii_case("pm") {
        (clock.trim_end(), Some(true))
    } else if suffix.eq_ignore_ascii_case("am") {
        (clock.trim_end(), Some(false))
    } else {
        (text, None)
    }
}

fn sixty(text: &str) -> Option<u32> {
    (text.len() == 2).then(|| whole(text, 2)).flatten().filter(|number| *number < 60)
}

fn whole(text: &str, most: usize) -> Option<u32> {
    let fits =
        !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}
