//! Sums, counts and rounding.

use super::super::criteria::Criterion;
use super::super::evaluate::Evaluator;
use super::super::parse::Expression;
use super::super::value::{Operand, Outcome, Stop, fault, number};
use crate::grid::Scalar;

fn found(value: f64) -> Outcome<Operand> {
    number(value).map(Operand::Value)
}

/// Calls a closure for every number of some arguments: in ranges texts and truth values do not
/// count, written out they do, and errors stop.
fn each_number(
    evaluator: &mut Evaluator<'_>,
    arguments: &[Expression],
    function: &str,
    visit: &mut dyn FnMut(f64),
) -> Outcome<()> {
    for argument in arguments {
        match evaluator.operand(argument)? {
            Operand::Value(Scalar::Empty) => {}
            Operand::Value(value) => visit(evaluator.to_number(&value, function)?),
            operand => evaluator.each(&operand, &mut |_, _, value| match value {
                Scalar::Number(number) => {
                    visit(*number);
                    Ok(())
                }
                Scalar::Error(error) => Err(Stop::Error(error.clone())),
                _ => Ok(()),
            })?,
        }
    }
    Ok(())
}

pub(super) fn sum(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let mut total = 0.0;
    each_number(evaluator, arguments, "SUM", &mut |number| total += number)?;
    found(total)
}

pub(super) fn average(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let (mut total, mut count) = (0.0, 0.0);
    each_number(evaluator, arguments, "AVERAGE", &mut |number| {
        total += number;
        count += 1.0;
    })?;
    if count == 0.0 {
        return Err(fault(
            "#DIV/0!",
            "Evaluation of function AVERAGE caused a divide by zero error.",
        ));
    }
    found(total / count)
}

pub(super) fn min(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let mut least: Option<f64> = None;
    each_number(evaluator, arguments, "MIN", &mut |number| {
        least = Some(least.map_or(number, |known| known.min(number)))
    })?;
    found(least.unwrap_or(0.0))
}

pub(super) fn max(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let mut most: Option<f64> = None;
    each_number(evaluator, arguments, "MAX", &mut |number| {
        most = Some(most.map_or(number, |known| known.max(number)))
    })?;
    found(most.unwrap_or(0.0))
}

/// Counts numbers; errors do not stop it.
pub(super) fn count(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let mut count = 0.0;
    for argument in arguments {
        match evaluator.operand(argument)? {
            Operand::Value(Scalar::Empty) => {}
            Operand::Value(value) => {
                if evaluator.to_number(&value, "COUNT").is_ok() {
                    count += 1.0;
                }
            }
            operand => evaluator.each(&operand, &mut |_, _, value| {
                if matches!(value, Scalar::Number(_)) {
                    count += 1.0;
                }
                Ok(())
            })?,
        }
    }
    found(count)
}

/// Counts everything that is not empty.
pub(super) fn count_all(
    evaluator: &mut Evaluator<'_>,
    arguments: &[Expression],
) -> Outcome<Operand> {
    let mut count = 0.0;
    for argument in arguments {
        match evaluator.operand(argument)? {
            Operand::Value(_) => count += 1.0,
            operand => evaluator.each(&operand, &mut |_, _, _| {
                count += 1.0;
                Ok(())
            })?,
        }
    }
    found(count)
}

pub(super) fn count_if(
    evaluator: &mut Evaluator<'_>,
    arguments: &[Expression],
) -> Outcome<Operand> {
    let [range, wanted] = arguments else { return found(0.0) };
    let operand = evaluator.operand(range)?;
    let wanted = evaluator.scalar(wanted)?;
    let criterion = Criterion::of(&wanted, evaluator.locale, evaluator.now.date());
    let (rows, columns) = super::super::evaluate::shape(&operand);
    let (mut met, mut seen) = (0_u64, 0_u64);
    evaluator.each(&operand, &mut |_, _, value| {
        seen += 1;
        met += u64::from(criterion.matches(value));
        Ok(())
    })?;
    // Empty cells are not visited; they may meet the criterion too.
    if criterion.matches(&Scalar::Empty) {
        met += (u64::from(rows) * u64::from(columns)).saturating_sub(seen);
    }
    // Counts stay under 2^53: a workbook has 10 million cells.
    found(met as f64)
}

pub(super) fn sum_if(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let [range, wanted, rest @ ..] = arguments else { return found(0.0) };
    let operand = evaluator.operand(range)?;
    let wanted = evaluator.scalar(wanted)?;
    let criterion = Criterion::of(&wanted, evaluator.locale, evaluator.now.date());
    let Some(sums) = rest.first() else {
        let mut total = 0.0;
        evaluator.each(&operand, &mut |_, _, value| {
            if let (Scalar::Number(number), true) = (value, criterion.matches(value)) {
                total += number;
            }
            Ok(())
        })?;
        return found(total);
    };
    // Values to add lie at the same place as the cell that meets the criterion.
    let sums = evaluator.operand(sums)?;
    let mut tested = std::collections::HashMap::new();
    let empty_matches = criterion.matches(&Scalar::Empty);
    evaluator.each(&operand, &mut |row, column, value| {
        tested.insert((row, column), criterion.matches(value));
        Ok(())
    })?;
    let (rows, columns) = super::super::evaluate::shape(&operand);
    let mut total = 0.0;
    evaluator.each(&sums, &mut |row, column, value| {
        let meets =
            row < rows && column < columns && *tested.get(&(row, column)).unwrap_or(&empty_matches);
        match value {
            Scalar::Number(number) if meets => total += number,
            Scalar::Error(error) if meets => return Err(Stop::Error(error.clone())),
            _ => {}
        }
        Ok(())
    })?;
    found(total)
}

pub(super) fn abs(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let [value] = arguments else { return found(0.0) };
    found(evaluator.number(value, "ABS")?.abs())
}

/// Rounds halves away from zero, also those that binary fractions miss by a hair (1.005 to 1.01).
pub(super) fn round(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let [value, rest @ ..] = arguments else { return found(0.0) };
    let value = evaluator.number(value, "ROUND")?;
    let places = match rest.first() {
        Some(places) => evaluator.number(places, "ROUND")?.trunc().clamp(-308.0, 308.0),
        None => 0.0,
    };
    let factor = 10_f64.powf(places.abs());
    let scaled = if places < 0.0 { value / factor } else { value * factor };
    if !scaled.is_finite() || scaled.abs() > 9e15 {
        return found(value);
    }
    let nudged = scaled + scaled.signum() * scaled.abs().max(1.0) * 1e-15;
    let rounded = nudged.round();
    found(if places < 0.0 { rounded * factor } else { rounded / factor })
}
