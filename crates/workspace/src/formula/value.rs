//! Values while a formula is computed, and how one type becomes another.

use std::cmp::Ordering;

use lockstep_a1::Rect;

use crate::grid::{CellError, Scalar};
use crate::http::ApiError;

/// Is an operand: one value, a range of cells, or an array written in the formula.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Value(Scalar),
    Range(i32, Rect),
    Array(Vec<Vec<Scalar>>),
}

/// Is why a computation ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The formula has an error value.
    Error(Box<CellError>),
    /// The cells could not be read.
    Broken(ApiError),
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        Self::Broken(error)
    }
}

/// Is a result of computing.
pub(super) type Outcome<T> = Result<T, Stop>;

/// Returns an error value with its explanation.
pub(super) fn fault(shown: &str, message: impl Into<String>) -> Stop {
    Stop::Error(Box::new(CellError { shown: shown.into(), message: message.into().into() }))
}

/// Returns the error of a value of the wrong type.
pub(super) fn wrong_type(function: &str, text: &str) -> Stop {
    fault(
        "#VALUE!",
        format!(
            "Function {function} parameter expects number values. But '{text}' is a text and cannot be coerced to a number."
        ),
    )
}

/// Returns a number, or `#NUM!` for one that is none.
pub(super) fn number(result: f64) -> Outcome<Scalar> {
    if result.is_finite() {
        Ok(Scalar::Number(result))
    } else {
        Err(fault("#NUM!", "The result is not a number that can be shown."))
    }
}

/// Returns a value, or stops at an error value.
pub(super) fn check(value: Scalar) -> Outcome<Scalar> {
    match value {
        Scalar::Error(error) => Err(Stop::Error(error)),
        other => Ok(other),
    }
}

/// Returns the truth of a value: numbers other than 0 are true.
pub(super) fn truth(value: &Scalar, function: &str) -> Outcome<bool> {
    match value {
        Scalar::Empty => Ok(false),
        Scalar::Bool(flag) => Ok(*flag),
        Scalar::Number(number) => Ok(*number != 0.0),
        Scalar::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Scalar::Text(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Scalar::Text(text) => Err(fault(
            "#VALUE!",
            format!(
                "Function {function} parameter expects boolean values. But '{text}' is a text and cannot be coerced to a boolean."
            ),
        )),
        Scalar::Error(error) => Err(Stop::Error(error.clone())),
    }
}

/// Compares two values as `=`, `<` and sorting do: numbers before texts before booleans; texts
/// without regard to case; nothing is 0, the empty text and FALSE.
pub(super) fn compare(left: &Scalar, right: &Scalar) -> Ordering {
    use Scalar::{Bool, Empty, Number, Text};
    match (left, right) {
        (Empty, Empty) => Ordering::Equal,
        (Empty, Number(right)) => 0.0_f64.total_cmp(&plain(*right)),
        (Number(left), Empty) => plain(*left).total_cmp(&0.0),
        (Empty, Text(_)) => Ordering::Less,
        (Text(_), Empty) => Ordering::Greater,
        (Empty, Bool(right)) => false.cmp(right),
        (Bool(left), Empty) => left.cmp(&false),
        (Number(left), Number(right)) => plain(*left).total_cmp(&plain(*right)),
        (Text(left), Text(right)) => left.to_lowercase().cmp(&right.to_lowercase()),
        (Bool(left), Bool(right)) => left.cmp(right),
        _ => rank(left).cmp(&rank(right)),
    }
}

/// Returns a number with the negative zero made positive.
fn plain(number: f64) -> f64 {
    number + 0.0
}

fn rank(value: &Scalar) -> u8 {
    match value {
        Scalar::Empty | Scalar::Number(_) => 0,
        Scalar::Text(_) => 1,
        Scalar::Bool(_) => 2,
        Scalar::Error(_) => 3,
    }
}
