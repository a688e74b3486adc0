//! Which types a text looks like, for inference: stricter than what a declared type reads.

use crate::datetime::{parse_date, parse_time};
use crate::schema::ColumnType;
use crate::value::DateTime;

/// The types that inference chooses from, in order of preference.
pub(crate) const CANDIDATES: [ColumnType; 5] = [
    ColumnType::Number,
    ColumnType::Bool,
    ColumnType::Date,
    ColumnType::Time,
    ColumnType::DateTime,
];

/// A set of [`CANDIDATES`], one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Types(u8);

impl Types {
    pub(crate) const ALL: Types = Types(0b11111);
    pub(crate) const NONE: Types = Types(0);
    pub(crate) const NUMBER: Types = Types(1);
    pub(crate) const BOOL: Types = Types(2);
    pub(crate) const DATE: Types = Types(4);
    pub(crate) const TIME: Types = Types(8);
    pub(crate) const DATE_TIME: Types = Types(16);

    pub(crate) fn and(self, other: Types) -> Types {
        Types(self.0 & other.0)
    }

    pub(crate) fn or(self, other: Types) -> Types {
        Types(self.0 | other.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the preferred type of the set.
    pub(crate) fn first(self) -> Option<ColumnType> {
        CANDIDATES.get(self.0.trailing_zeros() as usize).copied()
    }
}

/// Returns the types that a text which is not blank is a clear value of.
///
/// `007`, `+5`, `.5`, `1e3` and `1,000` are no clear numbers: they are as often codes, telephone numbers, versions and
/// words. `yes` and `1` are no clear booleans.
#[inline]
pub(crate) fn types_of(text: &[u8]) -> Types {
    match text.first() {
        Some(b'0'..=b'9') => {
            if is_plain_number(text) {
                Types::NUMBER
            } else {
                dated(text)
            }
        }
        Some(b'-') if text.get(1..).is_some_and(is_plain_number) => Types::NUMBER,
        Some(b't' | b'T') if text.eq_ignore_ascii_case(b"true") => Types::BOOL,
        Some(b'f' | b'F') if text.eq_ignore_ascii_case(b"false") => Types::BOOL,
        _ => Types::NONE,
    }
}

/// Accepts digits without a leading zero, with a fraction or not.
fn is_plain_number(text: &[u8]) -> bool {
    let whole = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let leading_zero = whole > 1 && text.first() == Some(&b'0');
    match text.get(whole..) {
        _ if whole == 0 || leading_zero => false,
        Some([]) => true,
        Some([b'.', fraction @ ..]) => {
            !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

fn dated(text: &[u8]) -> Types {
    match text.split_first_chunk::<10>() {
        Some((date, [])) if is_usual_date(date) => return Types::DATE,
        Some((date, [b'T' | b' ', time @ ..])) if is_usual_date(date) && is_usual_time(time) => {
            return Types::DATE_TIME;
        }
        _ => {}
    }
    let Ok(text) = std::str::from_utf8(text) else {
        return Types::NONE;
    };
    match (text.len(), text.as_bytes().get(2), text.as_bytes().get(4)) {
        (10, _, Some(b'-')) if parse_date(text).is_some() => Types::DATE,
        (5.., Some(b':'), _) if parse_time(text).is_some() => Types::TIME,
        (16.., _, Some(b'-')) if text.parse::<DateTime>().is_ok() => Types::DATE_TIME,
        _ => Types::NONE,
    }
}

/// Accepts `2024-01-15` up to the 28th of a month: the usual date, told without a calendar.
#[inline]
fn is_usual_date(text: &[u8; 10]) -> bool {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
        return false;
    };
    let pair = |tens: u8, ones: u8| (tens & 15) * 10 + (ones & 15);
    are_digits([y1, y2, y3, y4, m1, m2, d1, d2])
        && (1..=12).contains(&pair(m1, m2))
        && (1..=28).contains(&pair(d1, d2))
}

/// Accepts `09:30:00` and `09:30:00Z`: the usual time of a date-time.
#[inline]
fn is_usual_time(text: &[u8]) -> bool {
    let (&[h1, h2, b':', m1, m2, b':', s1, s2] | &[h1, h2, b':', m1, m2, b':', s1, s2, b'Z']) =
        text
    else {
        return false;
    };
    are_digits([h1, h2, m1, m2, s1, s2, b'0', b'0'])
        && (h1, h2) <= (b'2', b'3')
        && m1 <= b'5'
        && s1 <= b'5'
}

/// Returns whether all bytes are `0` to `9`, in a few operations on all of them at once.
#[inline]
fn are_digits(bytes: [u8; 8]) -> bool {
    const HIGH: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let word = u64::from_le_bytes(bytes);
    word & HIGH == ZEROS && word.wrapping_add(0x0606_0606_0606_0606) & HIGH == ZEROS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The quick way against the parsers.
        #[test]
        fn usual_dates_are_those_that_parse(text in "[0-9]{4}-[013][0-9]-[0-3][0-9]([T t][0-2][0-9]:[0-6][0-9]:[0-6][0-9:/]Z?)?") {
            let expected = if parse_date(&text).is_some() {
                Types::DATE
            } else if text.parse::<DateTime>().is_ok() {
                Types::DATE_TIME
            } else {
                Types::NONE
            };
            prop_assert_eq!(types_of(text.as_bytes()), expected);
        }
    }

    #[test]
    fn digits_are_told_from_their_neighbours() {
        for byte in 0..=255 {
            for at in 0..8 {
                let mut bytes = *b"09182736";
                bytes[at] = byte;
                assert_eq!(are_digits(bytes), byte.is_ascii_digit(), "{byte} at {at}");
            }
        }
    }

    #[test]
    fn shapes() {
        for (text, types) in [
            ("0", Types::NUMBER),
            ("7", Types::NUMBER),
            ("-12.50", Types::NUMBER),
            ("123456789012345678901234567890", Types::NUMBER),
            ("0.5", Types::NUMBER),
            ("true", Types::BOOL),
            ("FALSE", Types::BOOL),
            ("2024-01-15", Types::DATE),
            ("09:30", Types::TIME),
            ("09:30:15.25", Types::TIME),
            ("2024-01-15T09:30:00Z", Types::DATE_TIME),
            ("2024-01-15 09:30", Types::DATE_TIME),
        ] {
            assert_eq!(types_of(text.as_bytes()), types, "{text}");
        }
        for text in [
            "007",
            "00",
            "+5",
            ".5",
            "5.",
            "1e3",
            "1,000",
            "1 000",
            "-",
            "-007",
            "--1",
            "1.2.3",
            "yes",
            "t",
            "NA",
            "2024-02-30",
            "01/02/2024",
            "9:30",
            "25:00",
            "é",
            "2024-01-1é",
            "0x10",
        ] {
            assert_eq!(types_of(text.as_bytes()), Types::NONE, "{text}");
        }
    }

    #[test]
    fn every_shape_is_read_by_its_type() {
        for text in ["0", "-12.50", "true", "2024-01-15", "09:30", "2024-01-15T09:30:00+02:00"] {
            let ty = types_of(text.as_bytes()).first().unwrap();
            assert!(ty.parse(text).is_ok(), "{text} as {ty}");
        }
    }
}
