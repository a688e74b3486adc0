//! An exact decimal number of any length.
//!
//! Numbers travel between replicas that disagree about precision (a sheet holds binary floating point, a database
//! `NUMERIC(38,10)`, a CSV file whatever somebody typed). This type never rounds: what fits the 96-bit decimal of
//! `rust_decimal` is kept there, anything longer as its digits. There is one representation per number, so equality,
//! order and hash agree with arithmetic: `10.50`, `10.5` and `1.05e1` are the same number.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest plain form that [`Number`] prints; longer ones are printed with an exponent.
const PLAIN_LIMIT: usize = 500;

/// An exact decimal number; equality and order are arithmetic.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Number(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    /// Normalised: no trailing zeros after the point, no negative zero.
    Small(Decimal),
    Large(Box<Large>),
}

/// `± digits × 10^exponent`; digits start and end with a non-zero digit; only used where `Decimal` does not fit.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Large {
    negative: bool,
    digits: Box<str>,
    exponent: i64,
}

/// Tells that a text is not a decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a decimal number (expected digits with an optional sign, point and exponent, like -12.50 or 1e3)"
)]
pub struct ParseNumberError;

impl Number {
    /// Returns zero.
    pub const ZERO: Number = Number(Repr::Small(Decimal::ZERO));

    /// Returns the value as a 96-bit decimal, or `None` when it does not fit exactly.
    pub fn to_decimal(&self) -> Option<Decimal> {
        match &self.0 {
            Repr::Small(decimal) => Some(*decimal),
            Repr::Large(_) => None,
        }
    }

    /// Returns the binary floating point number whose shortest decimal form is this number, or `None` when none is.
    ///
    /// `0.1` has one although no binary number equals it; `9007199254740993` and `0.12345678901234567890` have none.
    pub fn to_f64_exact(&self) -> Option<f64> {
        let float: f64 = self.to_string().parse().ok()?;
        (Number::try_from(float).ok()? == *self).then_some(float)
    }

    /// Returns whether the number has no fractional part.
    pub fn is_integer(&self) -> bool {
        match &self.0 {
            Repr::Small(decimal) => decimal.scale() == 0,
            Repr::Large(large) => large.exponent >= 0,
        }
    }

    /// Returns whether the number is below zero.
    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Small(decimal) => decimal.is_sign_negative(),
            Repr::Large(large) => large.negative,
        }
    }

    /// Builds the one representation of `± digits × 10^exponent`; `digits` may have zeros at both ends.
    fn from_parts(
        negative: bool,
        digits: &str,
        mut exponent: i64,
    ) -> Result<Number, ParseNumberError> {
        let digits = digits.trim_start_matches('0');
        let kept = digits.trim_end_matches('0');
        let dropped = i64::try_from(digits.len() - kept.len()).map_err(|_| ParseNumberError)?;
        exponent = exponent.checked_add(dropped).ok_or(ParseNumberError)?;
        if kept.is_empty() {
            return Ok(Number::ZERO);
        }
        if kept.len() <= 29 && (-28..=28).contains(&exponent) {
            let mantissa: Option<i128> = kept.parse().ok();
            let power =
                u32::try_from(exponent.max(0)).ok().and_then(|power| 10i128.checked_pow(power));
            let scale = u32::try_from(-exponent.min(0)).unwrap_or(0);
            let signed = mantissa
                .zip(power)
                .and_then(|(m, p)| m.checked_mul(p))
                .map(|m| if negative { -m } else { m });
            if let Some(decimal) =
                signed.and_then(|m| Decimal::try_from_i128_with_scale(m, scale).ok())
            {
                return Ok(Number(Repr::Small(decimal)));
            }
        }
        Ok(Number(Repr::Large(Box::new(Large { negative, digits: kept.into(), exponent }))))
    }

    /// Returns sign, significant digits and exponent.
    fn parts(&self) -> Large {
        match &self.0 {
            Repr::Large(large) => (**large).clone(),
            Repr::Small(decimal) => {
                let digits = decimal.mantissa().unsigned_abs().to_string();
                let kept = digits.trim_end_matches('0');
                let dropped = (digits.len() - kept.len()) as i64;
                let exponent = dropped - i64::from(decimal.scale());
                Large { negative: decimal.is_sign_negative(), digits: kept.into(), exponent }
            }
        }
    }
}

impl Large {
    /// Returns the power of ten just above the leading digit, by which magnitudes are compared first.
    fn magnitude(&self) -> i64 {
        self.exponent.saturating_add(self.digits.len() as i64)
    }

    fn cmp_magnitude(&self, other: &Large) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (false, false) => self
                .magnitude()
                .cmp(&other.magnitude())
                .then_with(|| self.digits.cmp(&other.digits)),
            (a, b) => b.cmp(&a),
        }
    }
}

impl FromStr for Number {
    type Err = ParseNumberError;

    fn from_str(text: &str) -> Result<Number, ParseNumberError> {
        let text = text.trim();
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, text.get(1..)),
            Some(b'+') => (false, text.get(1..)),
            _ => (false, Some(text)),
        };
        let unsigned = unsigned.ok_or(ParseNumberError)?;
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let bare = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if bare.is_empty() || !bare.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(ParseNumberError);
                }
                (mantissa, exponent.parse::<i32>().map_err(|_| ParseNumberError)?)
            }
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !plain(whole) || !plain(fraction) {
            return Err(ParseNumberError);
        }
        let exponent =
            i64::from(exponent) - i64::try_from(fraction.len()).map_err(|_| ParseNumberError)?;
        if fraction.is_empty() {
            Number::from_parts(negative, whole, exponent)
        } else {
            Number::from_parts(negative, &[whole, fraction].concat(), exponent)
        }
    }
}

impl fmt::Display for Number {
    /// Writes the canonical form: no exponent, no leading plus, no zeros that carry nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let large = match &self.0 {
            Repr::Small(decimal) => return write!(f, "{decimal}"),
            Repr::Large(large) => large,
        };
        if large.negative {
            f.write_str("-")?;
        }
        let zeros = usize::try_from(large.exponent.unsigned_abs()).unwrap_or(usize::MAX);
        if zeros.saturating_add(large.digits.len()) > PLAIN_LIMIT.max(large.digits.len() + 40) {
            let (first, rest) = large.digits.split_at_checked(1).unwrap_or((&large.digits, ""));
            let point = if rest.is_empty() { "" } else { "." };
            return write!(f, "{first}{point}{rest}e{}", large.magnitude() - 1);
        }
        if large.exponent >= 0 {
            return write!(f, "{}{:0<zeros$}", large.digits, "");
        }
        match large
            .digits
            .len()
            .checked_sub(zeros)
            .filter(|&at| at > 0)
            .and_then(|at| large.digits.split_at_checked(at))
        {
            Some((whole, fraction)) => write!(f, "{whole}.{fraction}"),
            None => write!(f, "0.{:0>zeros$}", large.digits),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0) {
            return a.cmp(b);
        }
        let (a, b) = (self.parts(), other.parts());
        match (a.negative, b.negative) {
            (false, false) => a.cmp_magnitude(&b),
            (true, true) => b.cmp_magnitude(&a),
            (x, y) => y.cmp(&x),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Number {
        Number(Repr::Small(Decimal::from(value)))
    }
}

impl From<Decimal> for Number {
    fn from(value: Decimal) -> Number {
        Number(Repr::Small(value.normalize()))
    }
}

impl TryFrom<f64> for Number {
    type Error = ParseNumberError;

    /// Converts by the shortest decimal that reads back as the same float; fails on NaN and infinities.
    fn try_from(value: f64) -> Result<Number, ParseNumberError> {
        if value.is_finite() { value.to_string().parse() } else { Err(ParseNumberError) }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[path = "number_tests.rs"]
mod tests;
