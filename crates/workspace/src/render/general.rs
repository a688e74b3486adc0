//! The automatic format of a number.

/// Returns a number as Sheets shows it without a format.
///
/// At most 10 significant digits after a decimal point (`=1/3` is 0.3333333333), whole numbers of
/// up to 15 digits in full, beyond that `1.23457E+16`. Recorded: `=1/1024` shows 0.0009765625. The
/// point below which small numbers take an exponent is not recorded; 1e-5 is our choice.
pub(crate) fn general(number: f64, decimal: char) -> String {
    if number == 0.0 || !number.is_finite() {
        return "0".to_owned();
    }
    let size = number.abs();
    let text = if !(1e-5..1e15).contains(&size) {
        exponent(number)
    } else if number.fract() == 0.0 {
        format!("{number:.0}")
    } else {
        // Digits before the point, or minus the zeros after it; within -5 and 15 by the check above.
        let magnitude = size.log10().floor() as i32;
        let places = usize::try_from(9 - magnitude).unwrap_or(0);
        trim(&format!("{number:.places$}")).to_owned()
    };
    if decimal == '.' { text } else { text.replace('.', &decimal.to_string()) }
}

fn exponent(number: f64) -> String {
    let text = format!("{number:.5e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let sign = if power < 0 { '-' } else { '+' };
    format!("{}E{sign}{:02}", trim(mantissa), power.abs())
}

fn trim(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}
