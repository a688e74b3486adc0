//! How scores, states, moments and amounts are shown.

use jiff::Timestamp;
use maud::{Markup, html};

/// Returns the class of a state's colour; the word itself says it too.
pub(super) fn tone(word: &str) -> &'static str {
    match word {
        "good" | "applied" | "inStep" | "running" | "closed" => "badge good",
        "fair" | "partial" | "waiting" | "decided" | "retrying" | "applying" | "leftOut" => {
            "badge fair"
        }
        "poor" | "failed" | "halted" | "open" | "stale" => "badge poor",
        _ => "badge",
    }
}

/// Returns a state as a badge.
pub(super) fn badge(word: &str) -> Markup {
    html! { span class=(tone(word)) { (word) } }
}

/// Returns a score with its word.
pub(super) fn score(value: Option<f64>, status: &str) -> Markup {
    html! {
        @match value {
            Some(value) => { (number(value)) " " (badge(status)) }
            None => (badge(status))
        }
    }
}

/// Returns a number with no more digits than it needs.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.to_owned() }
}

/// Returns a share as a percentage.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", number((share * 1000.0).round() / 10.0))
}

/// Returns a time span.
pub(super) fn seconds(value: f64) -> String {
    match value {
        value if value < 120.0 => format!("{} s", number((value * 10.0).round() / 10.0)),
        value if value < 7_200.0 => format!("{:.0} min", value / 60.0),
        value if value < 172_800.0 => format!("{:.1} h", value / 3_600.0),
        value => format!("{:.1} d", value / 86_400.0),
    }
}

/// Returns a moment to the minute, for people; its exact value is in the tag.
pub(super) fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at.to_string()) { (minute(at)) } }
}

/// Returns a moment that came as a text.
pub(super) fn moment_text(text: &str) -> Markup {
    text.parse().map_or_else(|_| html! { (text) }, moment)
}

/// Returns a moment to the minute.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// Returns a count with its noun.
pub(super) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Returns camelCase words of a contract apart: `successRate` as "success rate".
pub(super) fn apart(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut before = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && before {
            out.push(' ');
        }
        before = c.is_ascii_lowercase() || c.is_ascii_digit();
        out.push(if c == '.' { ' ' } else { c.to_ascii_lowercase() });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers() {
        for (value, text) in [(1.0, "1"), (96.94, "96.94"), (-0.0, "0"), (0.12345, "0.123")] {
            assert_eq!(number(value), text);
        }
        for (value, text) in [(3.04, "3 s"), (119.0, "119 s"), (600.0, "10 min"), (9000.0, "2.5 h")]
        {
            assert_eq!(seconds(value), text);
        }
        assert_eq!(seconds(259_200.0), "3.0 d");
        assert_eq!(percent(0.98765), "98.8 %");
        for (name, text) in [("successRate", "success rate"), ("lagP95Seconds", "lag p95 seconds")]
        {
            assert_eq!(apart(name), text);
        }
        assert_eq!((count(1, "row"), count(2, "row")), ("1 row".into(), "2 rows".into()));
    }
}
