//! Conditions and calculations: one expression each.
//!
//! An expression sees `base`, `left` and `right` as rows (`left.qty`, `left["Unit price"]`), `now` as an ISO text (or
//! blank), and `column`, the name of the disputed column, as in `left[column]`. Blanks are `()`. It has numbers (exact
//! decimals), texts, truth values, lists, `+ - * / %`, comparisons, `&& || !`, `??` for a value instead of a blank,
//! `in`, `if … { … } else { … }`, and the functions of [`check`](super::check). There are no variables, loops, closures
//! or calls out, so what it costs is bounded by its length, and its results by the limits below.
//!
//! A comparison with a blank is false; arithmetic with one is an error, which leaves the dispute to a person.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use rhai::{
    AST, Array, Dynamic, Engine, EvalAltResult, INT, Map, OptimizationLevel, Position, Scope,
};
use rust_decimal::Decimal;

use crate::rules::check::{self, Type};
use crate::rules::convert::{from_dynamic, to_dynamic};
use crate::schema::{Column, Schema};
use crate::value::{Row, Value};

/// Longest expression, in bytes.
const LONGEST: usize = 4_096;
/// Deepest nesting.
const DEEPEST: usize = 32;
/// Most steps of one evaluation.
const OPERATIONS: u64 = 20_000;
/// Longest text in bytes; a cell of a sheet holds 50,000 characters.
const TEXT: usize = 200_000;
/// Longest list.
const LIST: usize = 10_000;
/// Most columns of a row.
const ROW: usize = 20_000;

/// What an expression is evaluated on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) base: Option<&'a Row>,
    pub(crate) left: &'a Row,
    pub(crate) right: &'a Row,
    pub(crate) now: Option<Timestamp>,
    pub(crate) column: usize,
}

/// A checked expression.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    ast: Arc<AST>,
    /// The columns it names.
    columns: BTreeSet<usize>,
}

impl Expression {
    /// Reads a condition.
    ///
    /// # Errors
    /// With the position, when it cannot be read, names an unknown column, mixes types, or is not true or false.
    pub(crate) fn condition(text: &str, schema: &Schema) -> Result<Expression, String> {
        let (expression, found) = Expression::read(text, schema)?;
        match found {
            Type::Bool | Type::Any => Ok(expression),
            other => Err(format!("a condition is true or false, and this is {other}")),
        }
    }

    /// Reads a calculation whose result goes into the given columns.
    ///
    /// # Errors
    /// With the position, when it cannot be read, names an unknown column, mixes types, or does not fit a column.
    pub(crate) fn calculation(
        text: &str,
        schema: &Schema,
        results: &[usize],
    ) -> Result<Expression, String> {
        let (expression, found) = Expression::read(text, schema)?;
        for column in results.iter().filter_map(|&index| schema.columns.get(index)) {
            let wanted = Type::of(column.ty);
            if !found.may_be(wanted) {
                return Err(format!(
                    "the result is {found}, and column '{}' holds {wanted}",
                    column.name
                ));
            }
        }
        Ok(expression)
    }

    fn read(text: &str, schema: &Schema) -> Result<(Expression, Type), String> {
        if text.len() > LONGEST {
            return Err(format!(
                "the expression has {} bytes, and at most {LONGEST} are allowed",
                text.len()
            ));
        }
        let ast = ENGINE.compile_expression(text).map_err(|error| {
            let position = error.position();
            at(position, &error.err_type().to_string())
        })?;
        let checked =
            check::check(&ast, schema).map_err(|(position, reason)| at(position, &reason))?;
        Ok((Expression { ast: Arc::new(ast), columns: checked.columns }, checked.result))
    }

    /// Returns the columns that it names.
    pub(crate) fn columns(&self) -> &BTreeSet<usize> {
        &self.columns
    }

    /// Returns whether the condition holds.
    pub(crate) fn holds(&self, scene: &Scene<'_>) -> Result<bool, String> {
        let result = self.evaluate(scene)?;
        let kind = result.type_name();
        result.as_bool().map_err(|_| format!("the condition is a {kind}, not true or false"))
    }

    /// Returns the calculated value of a column.
    pub(crate) fn value(&self, scene: &Scene<'_>, column: &Column) -> Result<Value, String> {
        from_dynamic(self.evaluate(scene)?, column)
    }

    fn evaluate(&self, scene: &Scene<'_>) -> Result<Dynamic, String> {
        let mut scope = Scope::new();
        let base: &[Value] = scene.base.map_or(&[], |base| base);
        for (name, row) in [("base", base), ("left", scene.left), ("right", scene.right)] {
            let mut map = Map::new();
            for &index in self.columns.iter().chain([&scene.column]) {
                if let Some(column) = scene.schema.columns.get(index) {
                    let value = row.get(index).unwrap_or(&Value::Null);
                    map.insert(column.name.as_str().into(), to_dynamic(value)?);
                }
            }
            scope.push_constant_dynamic(name, map.into());
        }
        let now = scene.now.map_or(Dynamic::UNIT, |now| now.to_string().into());
        scope.push_constant_dynamic("now", now);
        let column =
            scene.schema.columns.get(scene.column).map_or("", |column| column.name.as_str());
        scope.push_constant_dynamic("column", column.to_owned().into());
        ENGINE.eval_ast_with_scope::<Dynamic>(&mut scope, &self.ast).map_err(|error| {
            let position = error.position();
            at(position, &said(*error))
        })
    }
}

/// Puts the position before a message.
fn at(position: Position, message: &str) -> String {
    match (position.line(), position.position()) {
        (Some(line), Some(character)) => format!("line {line}, character {character}: {message}"),
        (Some(line), None) => format!("line {line}: {message}"),
        _ => message.to_owned(),
    }
}

fn said(error: EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorFunctionNotFound(call, _) => {
            format!("{call} cannot be computed (a blank is `()`; `a ?? b` takes b for a blank a)")
        }
        EvalAltResult::ErrorTooManyOperations(_) => {
            format!("it takes more than {OPERATIONS} steps")
        }
        mut other => {
            other.clear_position();
            other.to_string()
        }
    }
}

/// The engine: raw, so that it has nothing but what is given here.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut engine = Engine::new_raw();
    // Folding constants would hide branches from the check, and run code while reading.
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_max_operations(OPERATIONS);
    engine.set_max_expr_depths(DEEPEST, 0);
    engine.set_max_string_size(TEXT);
    engine.set_max_array_size(LIST);
    engine.set_max_map_size(ROW);
    engine.set_max_call_levels(8);
    engine.set_max_functions(0);
    engine.set_max_modules(0);
    engine.set_allow_anonymous_fn(false);
    engine.set_allow_looping(false);
    engine.set_allow_switch_expression(false);
    engine.set_allow_statement_expression(false);
    functions(&mut engine);
    engine
});

type Fallible<T> = Result<T, Box<EvalAltResult>>;

fn functions(engine: &mut Engine) {
    engine.register_fn("!", |value: bool| !value);
    engine.register_fn("-", |value: Decimal| -value);
    engine.register_fn("-", |value: INT| {
        value.checked_neg().ok_or_else(|| fail("the number is too great"))
    });
    engine.register_fn("abs", |value: Decimal| value.abs());
    engine.register_fn("abs", |value: INT| {
        value.checked_abs().ok_or_else(|| fail("the number is too great"))
    });
    engine.register_fn("floor", |value: Decimal| value.floor());
    engine.register_fn("ceil", |value: Decimal| value.ceil());
    engine.register_fn("round", |value: Decimal, digits: INT| -> Fallible<Decimal> {
        let digits = u32::try_from(digits).map_err(|_| fail("round takes 0 or more digits"))?;
        Ok(value
            .round_dp_with_strategy(digits, rust_decimal::RoundingStrategy::MidpointAwayFromZero))
    });
    for (name, greater) in [("min", false), ("max", true)] {
        let pick = move |a: Decimal, b: Decimal| if greater { a.max(b) } else { a.min(b) };
        engine.register_fn(name, pick);
        engine.register_fn(name, move |a: INT, b: Decimal| pick(a.into(), b));
        engine.register_fn(name, move |a: Decimal, b: INT| pick(a, b.into()));
        engine.register_fn(name, move |a: INT, b: INT| if greater { a.max(b) } else { a.min(b) });
    }
    engine.register_fn("len", |text: &str| count(text.chars().count()));
    engine.register_fn("len", |list: Array| count(list.len()));
    engine.register_fn("lower", |text: &str| text.to_lowercase());
    engine.register_fn("upper", |text: &str| text.to_uppercase());
    engine.register_fn("trim", |text: &str| text.trim().to_owned());
    engine.register_fn("contains", |text: &str, part: &str| text.contains(part));
    engine.register_fn("contains", |list: Array, item: Dynamic| {
        list.iter().any(|other| same(other, &item))
    });
    engine.register_fn("starts_with", |text: &str, part: &str| text.starts_with(part));
    engine.register_fn("ends_with", |text: &str, part: &str| text.ends_with(part));
    engine.register_fn("is_blank", |value: Dynamic| value.is_unit());
    engine.register_fn("text", |value: Dynamic| text(&value));
    engine.register_fn("seconds_between", |from: &str, to: &str| -> Fallible<INT> {
        let (from, to) = (seconds(from)?, seconds(to)?);
        Ok(to.saturating_sub(from))
    });
    engine.register_fn("days_between", |from: &str, to: &str| -> Fallible<Decimal> {
        let seconds = seconds(to)?.saturating_sub(seconds(from)?);
        Ok(Decimal::from(seconds) / Decimal::from(86_400))
    });
}

fn fail(message: &str) -> Box<EvalAltResult> {
    message.into()
}

fn count(items: usize) -> INT {
    INT::try_from(items).unwrap_or(INT::MAX)
}

/// Returns whether two plain values are equal; numbers of either kind are compared as numbers.
fn same(a: &Dynamic, b: &Dynamic) -> bool {
    let number = |value: &Dynamic| {
        value.as_decimal().ok().or_else(|| value.as_int().ok().map(Decimal::from))
    };
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => {
            let words = |value: &Dynamic| value.clone().into_immutable_string().ok();
            words(a) == words(b)
                && a.as_bool().ok() == b.as_bool().ok()
                && a.is_unit() == b.is_unit()
        }
        _ => false,
    }
}

fn text(value: &Dynamic) -> String {
    match value.as_decimal() {
        Ok(number) => number.normalize().to_string(),
        Err(_) => value.to_string(),
    }
}

/// Returns the seconds since 1970 of an ISO date or date-time; one without an offset is taken as UTC.
fn seconds(text: &str) -> Fallible<INT> {
    use crate::schema::ColumnType;
    let civil = match ColumnType::DateTime.parse(text) {
        Ok(Value::DateTime(time)) => Some(time.utc()),
        _ => None,
    };
    civil
        .and_then(|civil| jiff::tz::Offset::UTC.to_timestamp(civil).ok())
        .map(Timestamp::as_second)
        .ok_or_else(|| fail(&format!("'{text}' is not a date or date-time")))
}

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
