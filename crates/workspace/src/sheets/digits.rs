//! Numbers as JSON text, written without going through a string.

use serde_json::Value;

use super::sink::Sink;

/// Are the powers of ten that a double holds exactly and that are needed here.
const TENS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Is the largest size of a whole number that every double below it holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Sink<'_> {
    /// Writes a JSON number: whole ones without a fraction, as recorded.
    pub(super) fn number(&mut self, value: f64) {
        match whole(value) {
            Some(whole) => self.integer(whole),
            None if self.cents(value) => {}
            // Writing to memory cannot fail.
            None => drop(serde_json::to_writer(self, &value)),
        }
    }

    #[inline]
    pub(super) fn integer(&mut self, value: i64) {
        if value < 0 {
            self.byte(b'-');
        }
        self.unsigned(value.unsigned_abs());
    }

    #[inline]
    fn unsigned(&mut self, value: u64) {
        if value < EIGHT_DIGITS {
            self.leading(value);
        } else {
            self.unsigned_long(value);
        }
    }

    #[inline(never)]
    fn unsigned_long(&mut self, value: u64) {
        self.unsigned(value / EIGHT_DIGITS);
        self.block(&ascii(digits(value % EIGHT_DIGITS)), 8);
    }

    /// Writes a number of at most eight digits.
    #[inline(always)]
    fn leading(&mut self, value: u64) {
        let digits = digits(value);
        // The first digit is in the lowest byte; one digit stays of a zero.
        let zeros = (digits.trailing_zeros() / 8).min(7);
        self.block(&ascii(digits >> (zeros * 8)), 8 - zeros as usize);
    }

    /// Writes a number of at most two decimals; `false` when it has more or is large.
    ///
    /// `m / 100` is rounded correctly, so where it is the number, its decimals read back as the
    /// number; and no two decimals of up to 15 digits read as the same double, so they are the
    /// shortest that do.
    #[inline]
    fn cents(&mut self, value: f64) -> bool {
        let size = value.abs();
        if !(0.01..1e12).contains(&size) {
            return false;
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 1e14, tested above"
        )]
        let cents = (size * 100.0 + 0.5) as u64;
        #[allow(clippy::cast_precision_loss, reason = "at most 1e14")]
        if cents as f64 / 100.0 != size {
            return false;
        }
        if value < 0.0 {
            self.byte(b'-');
        }
        self.decimal(cents / 100, cents % 100, 2);
        true
    }

    /// Writes a number in quotes as it shows without a format in a locale with a decimal point;
    /// `false` when this short way is not sure of it.
    ///
    /// [`crate::render::general`] rounds to ten digits. The product here is off by less than 2e-6,
    /// so it rounds to the same integer unless it is next to a half.
    #[inline]
    pub(super) fn shown(&mut self, value: f64) -> bool {
        let size = value.abs();
        if !(1e-5..1e15).contains(&size) {
            return false;
        }
        if let Some(whole) = whole(value) {
            self.byte(b'"');
            self.integer(whole);
            self.byte(b'"');
            return true;
        }
        let magnitude = TENS.iter().take_while(|power| **power <= size).count();
        let (places, power) = match magnitude {
            0 => small(size),
            _ => (10_usize.saturating_sub(magnitude), None),
        };
        let Some(power) = power.or_else(|| TENS.get(places).copied()) else { return false };
        let scaled = size * power;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "below 1e15, as size is and as ten digits are"
        )]
        let rounded = (scaled + 0.5) as u64;
        #[allow(clippy::cast_precision_loss, reason = "below 1e15")]
        let off = (scaled - rounded as f64).abs();
        if off > 0.499 {
            return false;
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a power of ten of at most 1e14"
        )]
        let unit = power as u64;
        self.byte(b'"');
        if value < 0.0 {
            self.byte(b'-');
        }
        self.decimal(rounded / unit, rounded % unit, places);
        self.byte(b'"');
        true
    }

    /// Writes a whole part and so many decimals, at most 14, those at the end that are 0 left out.
    #[inline]
    fn decimal(&mut self, whole: u64, fraction: u64, places: usize) {
        self.unsigned(whole);
        if fraction == 0 {
            return;
        }
        self.byte(b'.');
        match places.checked_sub(8) {
            None | Some(0) => self.decimals(fraction, places),
            Some(more) => {
                let (first, last) = (fraction / EIGHT_DIGITS, fraction % EIGHT_DIGITS);
                if last == 0 {
                    return self.decimals(first, more);
                }
                self.block(&ascii(digits(first) >> ((8 - more.min(8)) * 8)), more);
                self.decimals(last, 8);
            }
        }
    }

    /// Writes at most eight decimals that are not all 0.
    #[inline(always)]
    fn decimals(&mut self, fraction: u64, places: usize) {
        let places = places.clamp(1, 8);
        let digits = digits(fraction) >> ((8 - places) * 8);
        // The last digit is in the highest byte that counts.
        let used = 8 - digits.leading_zeros() as usize / 8;
        self.block(&ascii(digits), used.min(places));
    }
}

/// Is the first number that has more than eight digits.
const EIGHT_DIGITS: u64 = 100_000_000;

/// Returns the eight decimal digits of a number below 10^8, the first in the lowest byte.
///
/// Several digits are split at once in one register; through memory, a digit at a time, writing
/// numbers cost more than reading the sheet.
#[inline(always)]
const fn digits(value: u64) -> u64 {
    // Two halves of four digits, four quarters of two, eight digits; the products are exact
    // divisions for numbers this small: v * 5243 >> 19 is v / 100 below 10^4, v * 103 >> 10 is
    // v / 10 below 100.
    let halves = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((halves * 5243) >> 19) & 0x0000_007f_0000_007f;
    let quarters = hundreds | ((halves - hundreds * 100) << 16);
    let tens = ((quarters * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((quarters - tens * 10) << 8)
}

/// Returns digits as text.
#[inline(always)]
const fn ascii(digits: u64) -> [u8; 8] {
    (digits | 0x3030_3030_3030_3030).to_le_bytes()
}

/// Returns the decimals that show ten digits of a number below one, and their power of ten.
fn small(size: f64) -> (usize, Option<f64>) {
    let zeros = [1e-1, 1e-2, 1e-3, 1e-4].iter().take_while(|power| size < **power).count();
    (10 + zeros, TENS.get(10 + zeros).copied())
}

/// Returns a whole number that a double holds exactly.
#[inline]
fn whole(value: f64) -> Option<i64> {
    // The bounds first: the cast saturates beyond them.
    #[allow(clippy::cast_possible_truncation, reason = "at most 2^53")]
    let whole = if value.abs() <= EXACT { value as i64 } else { return None };
    #[allow(clippy::cast_precision_loss, reason = "at most 2^53")]
    (whole as f64 == value).then_some(whole)
}

/// Returns a number as JSON: whole ones without a fraction.
pub(crate) fn number_value(value: f64) -> Value {
    whole(value).map_or_else(|| value.into(), Value::from)
}

#[cfg(test)]
mod tests {
    use super::super::sink::gather;
    use super::*;
    use crate::render::general;
    use proptest::prelude::*;

    fn shown(number: f64) -> Option<String> {
        let mut sure = false;
        let text = gather(|sink| {
            sure = sink.shown(number);
            Ok(())
        })
        .unwrap();
        assert_eq!(sure, !text.is_empty());
        sure.then(|| String::from_utf8(text).unwrap())
    }

    fn told(number: f64) -> String {
        let text = gather(|sink| {
            sink.number(number);
            Ok(())
        });
        String::from_utf8(text.unwrap()).unwrap()
    }

    #[test]
    fn digits_are_those_of_the_number() {
        let numbers = (0..1_000_000).chain((1_000_000..EIGHT_DIGITS).step_by(997));
        for number in numbers.chain([EIGHT_DIGITS - 1]) {
            let text = format!("{number:08}");
            assert_eq!(ascii(digits(number)), *text.as_bytes(), "{number}");
        }
        for number in [0_i64, 7, 10, 99_999_999, 100_000_000, 1_020_300_000_000, -5, -1_000_000_000]
        {
            assert_eq!(told(number as f64), number.to_string());
        }
    }

    #[test]
    fn the_short_way_shows_what_the_long_way_shows() {
        let mut numbers = vec![
            0.1,
            -2.5,
            1e-5,
            0.37 * 3.0,
            1.0 / 3.0,
            1e14,
            123_456_789.123,
            -0.000_976_562_5,
            9.999_999_999_96,
            0.000_099_999_999_999_9,
            12_345_678_901.5,
            999_999_999_999_999.9,
            0.5,
            1.000_000_000_5,
        ];
        numbers.extend((1..5000).map(|n| f64::from(n) * 0.37 + 2.0));
        let mut short = 0;
        for number in numbers {
            if let Some(text) = shown(number) {
                short += 1;
                assert_eq!(text, format!("\"{}\"", general(number, '.')));
            }
        }
        assert!(short > 4990, "{short}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn any_number_shows_the_same_either_way(digits in -999_999_999_999_999_i64..999_999_999_999_999, power in -20_i32..3, other in any::<f64>()) {
            for number in [digits as f64 * 10_f64.powi(power), other] {
                if let Some(text) = shown(number) {
                    prop_assert_eq!(text, format!("\"{}\"", general(number, '.')));
                }
            }
        }

        #[test]
        fn a_number_reads_back_and_is_as_short_as_can_be(digits in -9_999_999_999_999_i64..9_999_999_999_999, power in -6_i32..1, other in any::<f64>()) {
            for number in [digits as f64 * 10_f64.powi(power), digits as f64 / 100.0, other] {
                if number.is_finite() && number != 0.0 {
                    prop_assert_eq!(told(number), number_value(number).to_string());
                }
            }
        }
    }
}
