//! Truth and choice.

use super::super::evaluate::Evaluator;
use super::super::parse::Expression;
use super::super::value::{Operand, Outcome, Stop, fault, truth};
use crate::grid::Scalar;

fn flag(value: bool) -> Outcome<Operand> {
    Ok(Operand::Value(Scalar::Bool(value)))
}

pub(super) fn yes(_: &mut Evaluator<'_>, _: &[Expression]) -> Outcome<Operand> {
    flag(true)
}

pub(super) fn no(_: &mut Evaluator<'_>, _: &[Expression]) -> Outcome<Operand> {
    flag(false)
}

pub(super) fn and(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let mut all = true;
    each_truth(evaluator, arguments, "AND", &mut |truth| all &= truth)?;
    flag(all)
}

pub(super) fn or(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let mut any = false;
    each_truth(evaluator, arguments, "OR", &mut |truth| any |= truth)?;
    flag(any)
}

pub(super) fn not(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let [value] = arguments else { return flag(true) };
    let value = evaluator.scalar(value)?;
    flag(!truth(&value, "NOT")?)
}

pub(super) fn if_else(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let [condition, then, rest @ ..] = arguments else { return flag(false) };
    let condition = evaluator.scalar(condition)?;
    if truth(&condition, "IF")? {
        return evaluator.operand(then);
    }
    match rest.first() {
        Some(otherwise) => evaluator.operand(otherwise),
        None => flag(false),
    }
}

pub(super) fn ifs(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    for pair in arguments.chunks(2) {
        let [condition, then] = pair else {
            return Err(fault(
                "#N/A",
                "Wrong number of arguments to IFS. Expected an even number of arguments.",
            ));
        };
        let condition = evaluator.scalar(condition)?;
        if truth(&condition, "IFS")? {
            return evaluator.operand(then);
        }
    }
    Err(fault("#N/A", "No match."))
}

pub(super) fn if_error(
    evaluator: &mut Evaluator<'_>,
    arguments: &[Expression],
) -> Outcome<Operand> {
    let [value, rest @ ..] = arguments else { return flag(false) };
    match evaluator.scalar(value) {
        Ok(value) => Ok(Operand::Value(value)),
        Err(Stop::Error(_)) => match rest.first() {
            Some(otherwise) => evaluator.operand(otherwise),
            None => Ok(Operand::Value(Scalar::Empty)),
        },
        Err(broken) => Err(broken),
    }
}

/// Calls a closure for every truth value; in ranges texts do not count.
fn each_truth(
    evaluator: &mut Evaluator<'_>,
    arguments: &[Expression],
    function: &str,
    visit: &mut dyn FnMut(bool),
) -> Outcome<()> {
    for argument in arguments {
        match evaluator.operand(argument)? {
            Operand::Value(value) => visit(truth(&value, function)?),
            operand => evaluator.each(&operand, &mut |_, _, value| {
                if !matches!(value, Scalar::Text(_)) {
                    visit(truth(value, function)?);
                }
                Ok(())
            })?,
        }
    }
    Ok(())
}
