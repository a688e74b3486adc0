//! Texts. Lengths and places count characters as Sheets does: UTF-16 units are not split, code
//! points are what is counted.

use super::super::evaluate::Evaluator;
use super::super::parse::Expression;
use super::super::value::{Operand, Outcome, Stop, fault};
use crate::grid::Scalar;

fn found(text: impl Into<String>) -> Outcome<Operand> {
    Ok(Operand::Value(Scalar::text(text.into())))
}

/// Returns a count of characters: whole, and not negative.
fn count(
    evaluator: &mut Evaluator<'_>,
    tree: Option<&Expression>,
    function: &str,
    default: usize,
) -> Outcome<usize> {
    let Some(tree) = tree else { return Ok(default) };
    let number = evaluator.number(tree, function)?;
    if number < 0.0 {
        return Err(fault(
            "#VALUE!",
            format!(
                "Function {function} parameter value is {number}. It should be greater than or equal to 0."
            ),
        ));
    }
    // Saturates far above the longest text.
    Ok(number as usize)
}

fn first(arguments: &[Expression]) -> &Expression {
    arguments.first().unwrap_or(&Expression::Missing)
}

pub(super) fn concatenate(
    evaluator: &mut Evaluator<'_>,
    arguments: &[Expression],
) -> Outcome<Operand> {
    let mut out = String::new();
    for argument in arguments {
        match evaluator.operand(argument)? {
            Operand::Value(value) => out.push_str(&evaluator.to_text(&value)),
            operand => {
                let mut values = Vec::new();
                evaluator.each(&operand, &mut |_, _, value| match value {
                    Scalar::Error(error) => Err(Stop::Error(error.clone())),
                    value => {
                        values.push(value.clone());
                        Ok(())
                    }
                })?;
                for value in values {
                    out.push_str(&evaluator.to_text(&value));
                }
            }
        }
    }
    found(out)
}

pub(super) fn text(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let [value, pattern] = arguments else { return found("") };
    let value = evaluator.scalar(value)?;
    let pattern = evaluator.text(pattern)?;
    match value {
        Scalar::Number(number) => found(evaluator.renderer.pattern(number, &pattern)),
        Scalar::Empty => found(evaluator.renderer.pattern(0.0, &pattern)),
        other => found(evaluator.to_text(&other)),
    }
}

pub(super) fn len(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let length = evaluator.text(first(arguments))?.chars().count();
    // A cell holds at most 50,000 characters.
    Ok(Operand::Value(Scalar::Number(length as f64)))
}

pub(super) fn left(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let text = evaluator.text(first(arguments))?;
    let length = count(evaluator, arguments.get(1), "LEFT", 1)?;
    found(text.chars().take(length).collect::<String>())
}

pub(super) fn right(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let text = evaluator.text(first(arguments))?;
    let length = count(evaluator, arguments.get(1), "RIGHT", 1)?;
    let skip = text.chars().count().saturating_sub(length);
    found(text.chars().skip(skip).collect::<String>())
}

pub(super) fn mid(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let text = evaluator.text(first(arguments))?;
    let start = count(evaluator, arguments.get(1), "MID", 1)?;
    let length = count(evaluator, arguments.get(2), "MID", 0)?;
    if start == 0 {
        return Err(fault(
            "#NUM!",
            "Function MID parameter 2 value is 0. It should be greater than or equal to 1.",
        ));
    }
    found(text.chars().skip(start - 1).take(length).collect::<String>())
}

/// Takes away spaces at the ends, and all but one between words.
pub(super) fn trim(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let text = evaluator.text(first(arguments))?;
    found(text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
}

pub(super) fn upper(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    found(evaluator.text(first(arguments))?.to_uppercase())
}

pub(super) fn lower(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    found(evaluator.text(first(arguments))?.to_lowercase())
}
