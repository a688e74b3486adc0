//! What Sheets makes of text that a user types (`USER_ENTERED`).
//!
//! The table of google-wire 2.4 is recorded; forms beyond it follow the same rules and are marked
//! where they rest on belief. Only text is interpreted: JSON numbers and booleans are stored as
//! they are. A cell whose format is TEXT takes any text as it is: check that before calling
//! [`parse`].

mod date;
mod link;
mod number;
mod time;

use jiff::civil::Date;

use crate::grid::Scalar;
use crate::locale::Locale;
use crate::number_format::NumberFormat;

pub(crate) use link::link;

/// Is what was entered: the content, and the number format it brings along.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entered {
    /// The content.
    pub(crate) input: Input,
    /// The format for a cell that has none.
    pub(crate) format: Option<NumberFormat>,
}

/// Is a content as entered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input {
    /// A plain value; empty text clears the cell.
    Value(Scalar),
    /// A formula with its leading `=`.
    Formula(String),
}

/// Returns what a text means in a locale; `today` gives dates without a year theirs.
pub(crate) fn parse(text: &str, locale: &Locale, today: Date) -> Entered {
    let plain = |value| Entered { input: Input::Value(value), format: None };
    if text.is_empty() {
        return plain(Scalar::Empty);
    }
    if let Some(rest) = text.strip_prefix('\'') {
        return plain(Scalar::text(rest));
    }
    if text.len() > 1 && text.starts_with('=') {
        return Entered { input: Input::Formula(text.to_owned()), format: None };
    }
    let trimmed = text.trim();
    if let Some(truth) = truth(trimmed, locale) {
        return plain(Scalar::Bool(truth));
    }
    let found = number::parse(trimmed, locale).or_else(|| temporal(trimmed, locale, today));
    match found {
        Some((number, format)) => Entered { input: Input::Value(Scalar::Number(number)), format },
        // Belief: a leading plus that starts no number starts a formula, as typed phone numbers show.
        None => match trimmed.strip_prefix('+') {
            Some(rest) if !rest.is_empty() => {
                Entered { input: Input::Formula(format!("={trimmed}")), format: None }
            }
            _ => plain(Scalar::text(text)),
        },
    }
}

/// Returns a text as a number when it reads as one (a number, money, a percentage, a date or a
/// time): what arithmetic makes of text in a formula.
pub(crate) fn as_number(text: &str, locale: &Locale, today: Date) -> Option<f64> {
    let text = text.trim();
    number::parse(text, locale).or_else(|| temporal(text, locale, today)).map(|(number, _)| number)
}

fn truth(text: &str, locale: &Locale) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("TRUE") || is(locale.truth.0) {
        Some(true)
    } else if is("FALSE") || is(locale.truth.1) {
        Some(false)
    } else {
        None
    }
}

/// Is a number with the format its text asks for.
type Read = (f64, Option<NumberFormat>);

/// Reads a date, a time, or both with a space between.
fn temporal(text: &str, locale: &Locale, today: Date) -> Option<Read> {
    use crate::number_format::FormatKind::{Date, DateTime, Time};
    // No date or time is longer; cell texts can be 50,000 characters.
    if text.len() > 48 || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if let Some((serial, pattern)) = time::parse(text, true) {
        return Some((serial, Some(NumberFormat::new(Time, pattern))));
    }
    if let Some((serial, pattern)) = date::parse(text, locale, today) {
        return Some((serial, Some(NumberFormat::new(Date, pattern))));
    }
    text.match_indices(' ').find_map(|(at, _)| {
        let (left, right) = text.split_at_checked(at)?;
        let (day, date_pattern) = date::parse(left, locale, today)?;
        let (fraction, time_pattern) = time::parse(right.trim_start(), false)?;
        let pattern = format!("{date_pattern} {time_pattern}");
        Some((day + fraction, Some(NumberFormat::new(DateTime, pattern))))
    })
}

#[cfg(test)]
mod tests;
