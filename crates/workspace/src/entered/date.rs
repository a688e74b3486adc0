//! Dates as typed.

use jiff::civil::Date;

use crate::locale::{DateOrder, Locale};
use crate::serial;

/// Reads a date; returns its serial and the pattern that shows it the way it was typed.
pub(super) fn parse(text: &str, locale: &Locale, today: Date) -> Option<(f64, String)> {
    numeric(text, locale, today).or_else(|| named(text, locale, today))
}

/// Reads `2026-09-05`, `9/27/2026`, `1-2`, and with dots where the locale writes dates so.
fn numeric(text: &str, locale: &Locale, today: Date) -> Option<(f64, String)> {
    let dots = locale.date.contains('.');
    let separator = text.chars().find(|c| !c.is_ascii_digit())?;
    let known = matches!(separator, '-' | '/') || (separator == '.' && dots);
    if !known {
        return None;
    }
    // German writes `5.9.` for a day without a year.
    let text = if separator == '.' { text.strip_suffix('.').unwrap_or(text) } else { text };
    let parts: Vec<&str> = text.split(separator).collect();
    if !parts
        .iter()
        .all(|part| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
    {
        return None;
    }
    let sep = separator;
    match parts.as_slice() {
        [year, month, day] if year.len() == 4 => {
            let date = civil(year_of(year)?, number(month)?, number(day)?)?;
            let (m, d) = if month.len() == 2 && day.len() == 2 { ("mm", "dd") } else { ("m", "d") };
            Some((date, format!("yyyy{sep}{m}{sep}{d}")))
        }
        [first, second, rest @ ..] if rest.len() <= 1 => {
            let (month, day) = match locale.order {
                DateOrder::MonthFirst => (first, second),
                DateOrder::DayFirst => (second, first),
            };
            let year = rest.first().map_or(Some(today.year()), |year| year_of(year))?;
            let date = civil(year, number(month)?, number(day)?)?;
            let padded = first.starts_with('0') || second.starts_with('0');
            let (m, d) = if padded { ("mm", "dd") } else { ("m", "d") };
            let mut pattern = match locale.order {
                DateOrder::MonthFirst => format!("{m}{sep}{d}"),
                DateOrder::DayFirst => format!("{d}{sep}{m}"),
            };
            if let Some(year) = rest.first() {
                pattern.push(sep);
                pattern.push_str(if year.len() == 4 { "yyyy" } else { "yy" });
            }
            Some((date, pattern))
        }
        _ => None,
    }
}

/// Reads dates with a month's name: `Jan 5`, `January 5, 2026`, `5 Jan 2026`, `5-Jan`, `May 2026`.
fn named(text: &str, locale: &Locale, today: Date) -> Option<(f64, String)> {
    let (mut year, mut month, mut day) = (None, None, None);
    let mut pattern = String::new();
    let mut rest = text;
    let mut parts = 0;
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_digit() {
            let (digits, after) = split(rest, |c| c.is_ascii_digit())?;
            let token = match (digits.len(), day) {
                (4, _) if year.is_none() => {
                    year = Some(year_of(digits)?);
                    "yyyy"
                }
                (1 | 2, None) => {
                    day = Some(number(digits)?);
                    if digits.starts_with('0') { "dd" } else { "d" }
                }
                (2, Some(_)) if year.is_none() => {
                    year = Some(year_of(digits)?);
                    "yy"
                }
                _ => return None,
            };
            pattern.push_str(token);
            parts += 1;
            rest = after;
        } else if first.is_alphabetic() {
            let (word, after) = split(rest, char::is_alphabetic)?;
            let (index, full) = month_of(word, locale)?;
            if month.replace(index).is_some() {
                return None;
            }
            pattern.push_str(if full { "mmmm" } else { "mmm" });
            parts += 1;
            rest = after;
        } else {
            let (between, after) = split(rest, |c| !c.is_ascii_digit() && !c.is_alphabetic())?;
            if parts == 0
                || after.is_empty()
                || !matches!(between, " " | "-" | "/" | ", " | "," | "." | ". ")
            {
                return None;
            }
            pattern.push_str(between);
            rest = after;
        }
    }
    if parts < 2 || (day.is_none() && year.is_none()) {
        return None;
    }
    let date = civil(year.unwrap_or(today.year()), month?, day.unwrap_or(1))?;
    Some((date, pattern))
}

/// Returns the number of a month by its short or full name, English or the locale's, and whether
/// the full name was given.
fn month_of(word: &str, locale: &Locale) -> Option<(i8, bool)> {
    let word = word.to_lowercase();
    let english = Locale::of("en_US");
    let at = |names: &[&str; 12]| {
        names
            .iter()
            .position(|name| name.trim_end_matches('.').to_lowercase() == word)
            .and_then(|index| i8::try_from(index + 1).ok())
    };
    for locale in [locale, english] {
        if let Some(month) = at(&locale.months_short) {
            return Some((month, false));
        }
        if let Some(month) = at(&locale.months) {
            return Some((month, true));
        }
    }
    None
}

fn split(text: &str, mut inside: impl FnMut(char) -> bool) -> Option<(&str, &str)> {
    let end = text.find(|c| !inside(c)).unwrap_or(text.len());
    text.split_at_checked(end)
}

/// Reads a year: four digits as they are, two in the years 1930 to 2029 as spreadsheets do.
fn year_of(text: &str) -> Option<i16> {
    let year: i16 = text.parse().ok()?;
    match text.len() {
        4 if year > 0 => Some(year),
        2 if year < 30 => Some(2000 + year),
        2 => Some(1900 + year),
        _ => None,
    }
}

fn number(text: &str) -> Option<i8> {
    text.parse().ok()
}

fn civil(year: i16, month: i8, day: i8) -> Option<f64> {
    Date::new(year, month, day).ok().map(serial::from_date)
}
