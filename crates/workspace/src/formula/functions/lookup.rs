//! Finding values.

use super::super::criteria::like;
use super::super::evaluate::{Evaluator, shape};
use super::super::parse::Expression;
use super::super::value::{Operand, Outcome, compare, fault, truth};
use crate::grid::Scalar;
use lockstep_a1::Rect;

/// Are the cells of a line of an operand that are not empty, with their places.
type Line = Vec<(u32, Scalar)>;

/// Says what counts as found.
#[derive(Clone, Copy, PartialEq)]
enum Match {
    Exact,
    /// Exact, with `*` and `?` in a text.
    Pattern,
    /// Exact, else the next smaller.
    Smaller,
    /// Exact, else the next larger.
    Larger,
}

/// Returns the place of a value in a line.
fn find(line: &Line, wanted: &Scalar, how: Match, backwards: bool) -> Option<u32> {
    let same = |value: &Scalar| std::mem::discriminant(value) == std::mem::discriminant(wanted);
    let exact = |value: &Scalar| match (how, wanted, value) {
        (Match::Pattern, Scalar::Text(pattern), Scalar::Text(text)) => like(pattern, text),
        _ => same(value) && compare(value, wanted).is_eq(),
    };
    let hit = if backwards {
        line.iter().rev().find(|(_, value)| exact(value))
    } else {
        line.iter().find(|(_, value)| exact(value))
    };
    if let Some((place, _)) = hit {
        return Some(*place);
    }
    let better = |best: Option<&(u32, Scalar)>, value: &Scalar| match (best, how) {
        (None, _) => true,
        (Some((_, best)), Match::Smaller) => compare(value, best).is_gt(),
        (Some((_, best)), _) => compare(value, best).is_lt(),
    };
    let mut best: Option<&(u32, Scalar)> = None;
    for entry in line.iter().filter(|(_, value)| same(value)) {
        let fits = match how {
            Match::Smaller => compare(&entry.1, wanted).is_lt(),
            Match::Larger => compare(&entry.1, wanted).is_gt(),
            Match::Exact | Match::Pattern => false,
        };
        if fits && better(best, &entry.1) {
            best = Some(entry);
        }
    }
    best.map(|(place, _)| *place)
}

/// Returns the cells of the first column, or of the only row.
fn line(evaluator: &mut Evaluator<'_>, operand: &Operand, by_row: bool) -> Outcome<Line> {
    let mut line = Vec::new();
    evaluator.each(operand, &mut |row, column, value| {
        match (by_row, row, column) {
            (true, 0, place) | (false, place, 0) => line.push((place, value.clone())),
            _ => {}
        }
        Ok(())
    })?;
    Ok(line)
}

/// Returns the last place whose value is not greater, in a line sorted upwards.
fn last_not_greater(line: &Line, wanted: &Scalar, downwards: bool) -> Option<u32> {
    let same = |value: &Scalar| std::mem::discriminant(value) == std::mem::discriminant(wanted);
    line.iter()
        .filter(|(_, value)| same(value))
        .take_while(|(_, value)| {
            let order = compare(value, wanted);
            if downwards { order.is_ge() } else { order.is_le() }
        })
        .last()
        .map(|(place, _)| *place)
}

fn not_found(wanted: &str, function: &str) -> super::super::value::Stop {
    fault("#N/A", format!("Did not find value '{wanted}' in {function} evaluation."))
}

/// Returns a one-based index as a zero-based one; 0 is `None`.
fn place(number: f64, most: u32, function: &str) -> Outcome<Option<u32>> {
    let out = || {
        fault(
            "#REF!",
            format!("Function {function} parameter value is {number}. It is out of range."),
        )
    };
    if number < 0.0 || number > f64::from(most) {
        return Err(out());
    }
    // Within u32 by the check above.
    Ok((number as u32).checked_sub(1))
}

pub(super) fn vlookup(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let [wanted, range, index, rest @ ..] = arguments else { return Err(not_found("", "VLOOKUP")) };
    let wanted = evaluator.scalar(wanted)?;
    let table = evaluator.operand(range)?;
    let index = evaluator.number(index, "VLOOKUP")?;
    let sorted = match rest.first() {
        Some(Expression::Missing) => false,
        Some(sorted) => truth(&evaluator.scalar(sorted)?, "VLOOKUP")?,
        None => true,
    };
    let Some(column) = place(index, shape(&table).1, "VLOOKUP")? else {
        return Err(fault(
            "#VALUE!",
            "Function VLOOKUP parameter 3 value is 0. It should be greater than or equal to 1.",
        ));
    };
    let first = line(evaluator, &table, false)?;
    let found = if sorted {
        last_not_greater(&first, &wanted, false)
    } else {
        find(&first, &wanted, Match::Pattern, false)
    };
    match found {
        Some(row) => evaluator.at(&table, row, column).map(Operand::Value),
        None => Err(not_found(&evaluator.to_text(&wanted), "VLOOKUP")),
    }
}

pub(super) fn xlookup(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let [wanted, keys, results, rest @ ..] = arguments else {
        return Err(not_found("", "XLOOKUP"));
    };
    let wanted = evaluator.scalar(wanted)?;
    let keys = evaluator.operand(keys)?;
    let results = evaluator.operand(results)?;
    let mut option = |at: usize| -> Outcome<f64> {
        match rest.get(at) {
            None | Some(Expression::Missing) => Ok(if at == 2 { 1.0 } else { 0.0 }),
            Some(tree) => evaluator.number(tree, "XLOOKUP"),
        }
    };
    let (how, order) = (option(1)?, option(2)?);
    let how = match how as i64 {
        0 => Match::Exact,
        -1 => Match::Smaller,
        1 => Match::Larger,
        2 => Match::Pattern,
        _ => return Err(fault("#VALUE!", "Function XLOOKUP parameter 5 should be -1, 0, 1 or 2.")),
    };
    let (rows, columns) = shape(&keys);
    let by_row = rows == 1 && columns > 1;
    if !by_row && columns > 1 {
        return Err(fault("#N/A", "The lookup range of XLOOKUP must be a single row or column."));
    }
    let (result_rows, result_columns) = shape(&results);
    let fits = if by_row { result_columns == columns } else { result_rows == rows };
    if !fits {
        return Err(fault(
            "#N/A",
            "The lookup range and the result range of XLOOKUP differ in length.",
        ));
    }
    let line = line(evaluator, &keys, by_row)?;
    // Binary searches (2, -2) find the same on sorted data.
    match find(&line, &wanted, how, order < 0.0) {
        Some(place) if by_row => evaluator.at(&results, 0, place).map(Operand::Value),
        Some(place) => evaluator.at(&results, place, 0).map(Operand::Value),
        None => match rest.first() {
            None | Some(Expression::Missing) => {
                Err(not_found(&evaluator.to_text(&wanted), "XLOOKUP"))
            }
            Some(missing) => evaluator.operand(missing),
        },
    }
}

pub(super) fn position(
    evaluator: &mut Evaluator<'_>,
    arguments: &[Expression],
) -> Outcome<Operand> {
    let [wanted, range, rest @ ..] = arguments else { return Err(not_found("", "MATCH")) };
    let wanted = evaluator.scalar(wanted)?;
    let range = evaluator.operand(range)?;
    let how = match rest.first() {
        Some(tree) => evaluator.number(tree, "MATCH")?,
        None => 1.0,
    };
    let (rows, columns) = shape(&range);
    if rows > 1 && columns > 1 {
        return Err(fault("#N/A", "MATCH range must be a single row or a single column."));
    }
    let line = line(evaluator, &range, rows == 1)?;
    let found = if how == 0.0 {
        find(&line, &wanted, Match::Pattern, false)
    } else {
        last_not_greater(&line, &wanted, how < 0.0)
    };
    match found {
        Some(place) => Ok(Operand::Value(Scalar::Number(f64::from(place) + 1.0))),
        None => Err(not_found(&evaluator.to_text(&wanted), "MATCH")),
    }
}

/// Returns a cell of a range; row or column 0 or left out is all of them.
pub(super) fn index(evaluator: &mut Evaluator<'_>, arguments: &[Expression]) -> Outcome<Operand> {
    let [range, rest @ ..] = arguments else { return Err(not_found("", "INDEX")) };
    let range = evaluator.operand(range)?;
    let (rows, columns) = shape(&range);
    let mut number = |at: usize| match rest.get(at) {
        None | Some(Expression::Missing) => Ok(0.0),
        Some(tree) => evaluator.number(tree, "INDEX"),
    };
    let (mut row, mut column) = (number(0)?, number(1)?);
    // One index into a single row counts columns.
    if rest.len() == 1 && rows == 1 {
        (row, column) = (0.0, row);
    }
    let (row, column) = (place(row, rows, "INDEX")?, place(column, columns, "INDEX")?);
    let span = |place: Option<u32>, start: u32, end: u32| match place {
        Some(place) => (start + place, start + place + 1),
        None => (start, end),
    };
    match range {
        Operand::Range(sheet, rect) => {
            let (start_row, end_row) = span(row, rect.start_row, rect.end_row);
            let (start_column, end_column) = span(column, rect.start_column, rect.end_column);
            Ok(Operand::Range(sheet, Rect { start_row, end_row, start_column, end_column }))
        }
        other => evaluator.at(&other, row.unwrap_or(0), column.unwrap_or(0)).map(Operand::Value),
    }
}
