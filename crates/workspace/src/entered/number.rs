//! Numbers, money, percentages and exponents as typed.

use super::Read;
use crate::locale::Locale;
use crate::number_format::{FormatKind, NumberFormat};

/// Are currency symbols that are understood in every locale.
const FOREIGN: [&str; 4] = ["$", "€", "£", "¥"];

/// Reads a number, or `None` when the text is anything else.
pub(super) fn parse(text: &str, locale: &Locale) -> Option<Read> {
    let mut rest = text;
    let mut negative = false;
    // Book-keeping style: (5) is -5.
    if let Some(inner) = rest.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        rest = inner.trim();
        negative = true;
        if rest.starts_with(['+', '-']) {
            return None;
        }
    }
    let mut signed = negative;
    let mut take_sign = |rest: &mut &str| {
        if !signed && let Some(after) = rest.strip_prefix(['+', '-', '\u{2212}']) {
            negative = !rest.starts_with('+');
            signed = true;
            *rest = after.trim_start();
        }
    };
    take_sign(&mut rest);
    let mut symbol = None;
    for known in FOREIGN.into_iter().chain([locale.currency]) {
        if let Some(after) = rest.strip_prefix(known) {
            (symbol, rest) = (Some(known), after.trim_start());
        } else if let Some(before) = rest.strip_suffix(known) {
            (symbol, rest) = (Some(known), before.trim_end());
        }
        if symbol.is_some() {
            break;
        }
    }
    take_sign(&mut rest);
    let percent = rest.strip_suffix('%').or_else(|| rest.strip_prefix('%'));
    if percent.is_some() && symbol.is_some() {
        return None;
    }
    rest = percent.map_or(rest, str::trim);
    let digits = digits(rest, locale)?;
    let size = if percent.is_some() { digits.value / 100.0 } else { digits.value };
    let number = if negative { -size } else { size };
    Some((number, format(&digits, symbol, percent.is_some(), locale)))
}

fn format(
    digits: &Digits,
    symbol: Option<&str>,
    percent: bool,
    locale: &Locale,
) -> Option<NumberFormat> {
    if let Some(symbol) = symbol {
        let pattern = if symbol == locale.currency {
            locale.currency_pattern(digits.decimals)
        } else {
            format!("[${symbol}]{}", if digits.decimals { "#,##0.00" } else { "#,##0" })
        };
        return Some(NumberFormat::new(FormatKind::Currency, pattern));
    }
    if percent {
        let pattern = if digits.decimals { "0.00%" } else { "0%" };
        return Some(NumberFormat::new(FormatKind::Percent, pattern));
    }
    if digits.exponent {
        return Some(NumberFormat::new(FormatKind::Scientific, "0.00E+00"));
    }
    let pattern = if digits.decimals { "#,##0.00" } else { "#,##0" };
    digits.grouped.then(|| NumberFormat::new(FormatKind::Number, pattern))
}

struct Digits {
    value: f64,
    grouped: bool,
    decimals: bool,
    exponent: bool,
}

/// Reads digits with separators of thousands (strictly in threes), decimals and an exponent.
fn digits(text: &str, locale: &Locale) -> Option<Digits> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once(locale.decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_group =
        |c: char| c == locale.group || (locale.group == '\u{202f}' && matches!(c, ' ' | '\u{a0}'));
    let mut plain = String::with_capacity(text.len());
    let groups: Vec<&str> = whole.split(is_group).collect();
    let grouped = groups.len() > 1;
    for (index, group) in groups.iter().enumerate() {
        let fits = match (grouped, index) {
            (false, _) => true,
            (true, 0) => (1..=3).contains(&group.len()),
            (true, _) => group.len() == 3,
        };
        if !fits || !all_digits(group) {
            return None;
        }
        plain.push_str(group);
    }
    let fraction = fraction.unwrap_or("");
    if !all_digits(fraction) || (plain.is_empty() && fraction.is_empty()) {
        return None;
    }
    plain.push('.');
    plain.push_str(fraction);
    plain.push('0');
    if let Some(exponent) = exponent {
        let bare = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if bare.is_empty() || bare.len() > 4 || !all_digits(bare) {
            return None;
        }
        plain.push('e');
        plain.push_str(exponent);
    }
    let value: f64 = plain.parse().ok().filter(|value: &f64| value.is_finite())?;
    Some(Digits { value, grouped, decimals: !fraction.is_empty(), exponent: exponent.is_some() })
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}
