//! The criteria of SUMIF and COUNTIF: `5`, `"x"`, `">=10"`, `"<>a*"`.

use std::cmp::Ordering;

use jiff::civil::Date;

use super::value::compare;
use crate::entered;
use crate::grid::Scalar;
use crate::locale::Locale;

/// Is one criterion.
pub(super) struct Criterion {
    sign: &'static str,
    wanted: Scalar,
}

impl Criterion {
    /// Returns the criterion of a value.
    pub(super) fn of(value: &Scalar, locale: &Locale, today: Date) -> Self {
        let Scalar::Text(text) = value else {
            return Self { sign: "=", wanted: value.clone() };
        };
        let (sign, rest) = ["<>", "<=", ">=", "=", "<", ">"]
            .iter()
            .find_map(|sign| text.strip_prefix(sign).map(|rest| (*sign, rest)))
            .unwrap_or(("=", text));
        let wanted = if rest.is_empty() {
            Scalar::Empty
        } else if let Some(number) = entered::as_number(rest, locale, today) {
            Scalar::Number(number)
        } else if rest.eq_ignore_ascii_case("true") || rest.eq_ignore_ascii_case("false") {
            Scalar::Bool(rest.eq_ignore_ascii_case("true"))
        } else {
            Scalar::text(rest)
        };
        Self { sign, wanted }
    }

    /// Returns whether a cell meets it. Order compares within one type only.
    pub(super) fn matches(&self, cell: &Scalar) -> bool {
        let equal = match (&self.wanted, cell) {
            (Scalar::Text(pattern), Scalar::Text(text)) => like(pattern, text),
            (Scalar::Empty, cell) => *cell == Scalar::Empty,
            (Scalar::Number(_), Scalar::Number(_)) | (Scalar::Bool(_), Scalar::Bool(_)) => {
                compare(&self.wanted, cell).is_eq()
            }
            _ => false,
        };
        let comparable = matches!(
            (&self.wanted, cell),
            (Scalar::Number(_), Scalar::Number(_)) | (Scalar::Text(_), Scalar::Text(_))
        );
        let order = compare(cell, &self.wanted);
        match self.sign {
            "=" => equal,
            "<>" => !equal,
            "<" => comparable && order == Ordering::Less,
            ">" => comparable && order == Ordering::Greater,
            "<=" => comparable && order != Ordering::Greater,
            _ => comparable && order != Ordering::Less,
        }
    }
}

/// Returns whether a text matches a pattern with `*`, `?` and `~` before either; case does not
/// count. Greedy with one point of return, so the time is bounded by the product of the lengths.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    #[derive(PartialEq)]
    enum Part {
        One,
        Many,
        Char(char),
    }
    let mut parts = Vec::new();
    let lower = pattern.to_lowercase();
    let mut chars = lower.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '*' => Part::Many,
            '?' => Part::One,
            '~' => Part::Char(chars.next().unwrap_or('~')),
            c => Part::Char(c),
        });
    }
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut at, mut part, mut star) = (0, 0, None);
    while at < text.len() {
        match (parts.get(part), text.get(at)) {
            (Some(Part::Many), _) => {
                star = Some((part, at));
                part += 1;
            }
            (Some(Part::One), Some(_)) => {
                at += 1;
                part += 1;
            }
            (Some(Part::Char(wanted)), Some(found)) if wanted == found => {
                at += 1;
                part += 1;
            }
            _ => match star {
                Some((back, from)) => {
                    star = Some((back, from + 1));
                    part = back + 1;
                    at = from + 1;
                }
                None => return false,
            },
        }
    }
    parts.iter().skip(part).all(|part| *part == Part::Many)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("abc", "ABC", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a~*", "a*", true),
            ("a~*", "ab", false),
            ("*a", "b", false),
        ] {
            assert_eq!(like(pattern, text), expected, "{pattern} {text}");
        }
    }
}
