//! Dates.

use jiff::civil::Date;

use super::super::evaluate::Evaluator;
use super::super::parse::Expression;
use super::super::value::{Operand, Outcome, fault, number};
use crate::serial;

pub(super) fn today(evaluator: &mut Evaluator<'_>, _: &[Expression]) -> Outcome<Operand> {
    number(serial::from_date(evaluator.now.date())).map(Operand::Value)
}

pub(super) fn now(evaluator: &mut Evaluator<'_>, _: &[Expression]) -> Outcome<Operand> {
    let (now, time) = (evaluator.now, evaluator.now.time());
    let seconds = f64::from(time.second()) + f64::from(time.subsec_nanosecond()) / 1e9;
    let fraction = serial::from_time(f64::from(time.hour()), f64::from(time.minute()), seconds);
    number(serial::from_date(now.date()) + fraction).map(Operand::Value)
}

/// Returns the serial of a year, month and day; months and days beyond their range carry over, and
/// years below 1900 count from 1900, as documented.
pub(super) fn date(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let mut parts = [0.0; 3];
    for (part, argument) in parts.iter_mut().zip(arguments) {
        *part = evaluator.number(argument, "DATE")?.trunc();
    }
    let [year, month, day] = parts;
    let out_of_range = || fault("#NUM!", "Function DATE: the date is out of range.");
    if !(0.0..10_000.0).contains(&year) || month.abs() > 100_000.0 || day.abs() > 3_000_000.0 {
        return Err(out_of_range());
    }
    // All within the bounds just checked.
    let (year, month) = (year as i64, month as i64 - 1);
    let year = if year < 1900 { year + 1900 } else { year } + month.div_euclid(12);
    let month = i8::try_from(month.rem_euclid(12) + 1).unwrap_or(1);
    let first = i16::try_from(year)
        .ok()
        .and_then(|year| Date::new(year, month, 1).ok())
        .ok_or_else(out_of_range)?;
    number(serial::from_date(first) + day - 1.0).map(Operand::Value)
}
