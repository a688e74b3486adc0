//! Computing one formula.

use jiff::civil::DateTime;
use lockstep_a1::{Cells, Rect};

use super::functions;
use super::parse::Expression;
use super::reference::Reference;
use super::value::{Operand, Outcome, Stop, check, compare, fault, number, wrong_type};
use crate::entered;
use crate::grid::{CellError, Scalar};
use crate::locale::Locale;
use crate::render::Renderer;

/// Gives the cells that formulas read.
pub(super) trait Source {
    /// Returns the id of a sheet by title.
    fn sheet(&mut self, title: &str) -> Option<i32>;
    /// Returns the cells of a named range.
    fn named(&mut self, name: &str) -> Option<(i32, Cells)>;
    /// Returns the number of rows and columns of a sheet.
    fn size(&mut self, sheet: i32) -> (u32, u32);
    /// Returns the value of a cell.
    fn value(&mut self, sheet: i32, row: u32, column: u32) -> Outcome<Scalar>;
    /// Calls a closure for every cell of a range that is not empty, row by row.
    fn each(
        &mut self,
        sheet: i32,
        rect: Rect,
        visit: &mut dyn FnMut(u32, u32, &Scalar) -> Outcome<()>,
    ) -> Outcome<()>;
}

/// Computes formulas over a source.
pub(super) struct Evaluator<'a> {
    pub(super) source: &'a mut dyn Source,
    pub(super) locale: &'static Locale,
    pub(super) renderer: Renderer,
    pub(super) now: DateTime,
    /// The cell whose formula is computed.
    pub(super) sheet: i32,
    pub(super) row: u32,
    pub(super) column: u32,
}

impl Evaluator<'_> {
    /// Returns what the formula of a cell gives; errors are values too.
    pub(super) fn compute(&mut self, tree: &Expression, place: (i32, u32, u32)) -> Outcome<Scalar> {
        (self.sheet, self.row, self.column) = place;
        match self.scalar(tree) {
            Err(Stop::Error(error)) => Ok(Scalar::Error(error)),
            other => other,
        }
    }

    /// Returns the operand that an expression is.
    pub(super) fn operand(&mut self, tree: &Expression) -> Outcome<Operand> {
        Ok(Operand::Value(match tree {
            Expression::Number(value) => Scalar::Number(*value),
            Expression::Text(text) => Scalar::text(text.as_str()),
            Expression::Bool(flag) => Scalar::Bool(*flag),
            Expression::Missing => Scalar::Empty,
            Expression::Error(shown) => return Err(fault(shown, "Reference does not exist.")),
            Expression::Reference(reference) => return self.range(reference),
            Expression::Name(name) => {
                let (sheet, cells) = self.source.named(name).ok_or_else(|| {
                    fault("#NAME?", format!("Unknown range name: '{}'.", name.to_uppercase()))
                })?;
                return self.clip(sheet, cells);
            }
            Expression::Negative(inner) => {
                let value = self.number(inner, "UMINUS")?;
                Scalar::Number(if value == 0.0 { 0.0 } else { -value })
            }
            Expression::Positive(inner) => self.scalar(inner)?,
            Expression::Percent(inner) => {
                Scalar::Number(self.number(inner, "UNARY_PERCENT")? / 100.0)
            }
            Expression::Binary(sign, left, right) => self.binary(sign, left, right)?,
            Expression::Call(name, arguments) => return functions::call(self, name, arguments),
            Expression::Array(rows) => {
                let mut values = Vec::with_capacity(rows.len());
                for row in rows {
                    values.push(
                        row.iter().map(|value| self.scalar(value)).collect::<Outcome<Vec<_>>>()?,
                    );
                }
                return Ok(Operand::Array(values));
            }
        }))
    }

    fn binary(&mut self, sign: &str, left: &Expression, right: &Expression) -> Outcome<Scalar> {
        match sign {
            "&" => {
                let text = self.text(left)? + &self.text(right)?;
                Ok(Scalar::text(text))
            }
            "+" => number(self.number(left, "ADD")? + self.number(right, "ADD")?),
            "-" => number(self.number(left, "MINUS")? - self.number(right, "MINUS")?),
            "*" => number(self.number(left, "MULTIPLY")? * self.number(right, "MULTIPLY")?),
            "/" => {
                let (over, under) = (self.number(left, "DIVIDE")?, self.number(right, "DIVIDE")?);
                if under == 0.0 {
                    return Err(fault("#DIV/0!", "Function DIVIDE parameter 2 cannot be zero."));
                }
                number(over / under)
            }
            "^" => number(self.number(left, "POW")?.powf(self.number(right, "POW")?)),
            _ => {
                let order = compare(&self.scalar(left)?, &self.scalar(right)?);
                Ok(Scalar::Bool(match sign {
                    "=" => order.is_eq(),
                    "<>" => order.is_ne(),
                    "<" => order.is_lt(),
                    ">" => order.is_gt(),
                    "<=" => order.is_le(),
                    _ => order.is_ge(),
                }))
            }
        }
    }

    fn range(&mut self, reference: &Reference) -> Outcome<Operand> {
        let sheet = match &reference.sheet {
            None => self.sheet,
            Some(title) => self
                .source
                .sheet(title)
                .ok_or_else(|| fault("#REF!", format!("Unresolved sheet name '{title}'.")))?,
        };
        self.clip(sheet, reference.cells())
    }

    /// Returns the part of a range that lies on the grid; a range beside it is `#REF!`.
    fn clip(&mut self, sheet: i32, cells: Cells) -> Outcome<Operand> {
        let (rows, columns) = self.source.size(sheet);
        match cells.close(rows, columns).clip(rows, columns) {
            Some(rect) => Ok(Operand::Range(sheet, rect)),
            None => Err(fault("#REF!", "Reference does not exist.")),
        }
    }

    /// Returns the one value of an expression; stops at an error value.
    pub(super) fn scalar(&mut self, tree: &Expression) -> Outcome<Scalar> {
        let operand = self.operand(tree)?;
        check(self.single(operand)?)
    }

    /// Returns the one value of an operand: of a range, the cell in the formula's own row or column.
    pub(super) fn single(&mut self, operand: Operand) -> Outcome<Scalar> {
        match operand {
            Operand::Value(value) => Ok(value),
            Operand::Array(rows) => Ok(rows.into_iter().flatten().next().unwrap_or_default()),
            Operand::Range(sheet, rect) => {
                let (row, column) = match (rect.rows(), rect.columns()) {
                    (1, 1) => (rect.start_row, rect.start_column),
                    (_, 1) if rect.contains(self.row, rect.start_column) => {
                        (self.row, rect.start_column)
                    }
                    (1, _) if rect.contains(rect.start_row, self.column) => {
                        (rect.start_row, self.column)
                    }
                    _ => return Err(fault("#VALUE!", "An array value could not be found.")),
                };
                self.source.value(sheet, row, column)
            }
        }
    }

    /// Returns the number of an expression.
    pub(super) fn number(&mut self, tree: &Expression, function: &str) -> Outcome<f64> {
        let value = self.scalar(tree)?;
        self.to_number(&value, function)
    }

    /// Returns a value as a number; texts count when they read as one.
    pub(super) fn to_number(&self, value: &Scalar, function: &str) -> Outcome<f64> {
        match value {
            Scalar::Empty => Ok(0.0),
            Scalar::Number(number) => Ok(*number),
            Scalar::Bool(flag) => Ok(f64::from(u8::from(*flag))),
            Scalar::Text(text) => entered::as_number(text, self.locale, self.now.date())
                .ok_or_else(|| wrong_type(function, text)),
            Scalar::Error(error) => Err(Stop::Error(error.clone())),
        }
    }

    /// Returns the text of an expression.
    pub(super) fn text(&mut self, tree: &Expression) -> Outcome<String> {
        let value = self.scalar(tree)?;
        Ok(self.to_text(&value))
    }

    /// Returns a value as text: numbers with up to 15 digits.
    pub(super) fn to_text(&self, value: &Scalar) -> String {
        match value {
            Scalar::Empty => String::new(),
            Scalar::Number(number) => digits(*number, self.locale.decimal),
            Scalar::Bool(flag) => if *flag { "TRUE" } else { "FALSE" }.to_owned(),
            Scalar::Text(text) => text.to_string(),
            Scalar::Error(error) => error.shown.to_string(),
        }
    }

    /// Calls a closure for every value of an operand that is not empty, with its place inside it.
    pub(super) fn each(
        &mut self,
        operand: &Operand,
        visit: &mut dyn FnMut(u32, u32, &Scalar) -> Outcome<()>,
    ) -> Outcome<()> {
        match operand {
            Operand::Value(value) if *value == Scalar::Empty => Ok(()),
            Operand::Value(value) => visit(0, 0, value),
            Operand::Array(rows) => {
                for (row, values) in (0..).zip(rows) {
                    for (column, value) in (0..).zip(values) {
                        visit(row, column, value)?;
                    }
                }
                Ok(())
            }
            Operand::Range(sheet, rect) => {
                let (row, column) = (rect.start_row, rect.start_column);
                self.source
                    .each(*sheet, *rect, &mut |r, c, value| visit(r - row, c - column, value))
            }
        }
    }

    /// Returns the value at a place inside an operand.
    pub(super) fn at(&mut self, operand: &Operand, row: u32, column: u32) -> Outcome<Scalar> {
        match operand {
            Operand::Value(value) => Ok(value.clone()),
            Operand::Array(rows) => Ok(rows
                .get(row as usize)
                .and_then(|values| values.get(column as usize))
                .cloned()
                .unwrap_or_default()),
            Operand::Range(sheet, rect) => {
                self.source.value(*sheet, rect.start_row + row, rect.start_column + column)
            }
        }
    }
}

/// Returns the number of rows and columns of an operand.
pub(super) fn shape(operand: &Operand) -> (u32, u32) {
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    match operand {
        Operand::Value(_) => (1, 1),
        Operand::Array(rows) => (count(rows.len()), count(rows.first().map_or(0, Vec::len))),
        Operand::Range(_, rect) => (rect.rows(), rect.columns()),
    }
}

/// Returns a number as text with up to 15 significant digits.
fn digits(number: f64, decimal: char) -> String {
    let size = number.abs();
    if number.fract() == 0.0 || !(1e-5..1e15).contains(&size) {
        return crate::render::general(number, decimal);
    }
    // Between -5 and 14 by the check above.
    let places = usize::try_from(14 - size.log10().floor() as i32).unwrap_or(0);
    let text = format!("{number:.places$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if decimal == '.' { text.to_owned() } else { text.replace('.', &decimal.to_string()) }
}

/// Returns the error of a formula that needs its own result.
pub(super) fn circular() -> Scalar {
    error_value(
        "#REF!",
        "Circular dependency detected. To resolve with iterative calculation, see File > Settings.",
    )
}

/// Returns the error of a formula that does not parse.
pub(super) fn unparsed() -> Scalar {
    error_value("#ERROR!", "Formula parse error.")
}

fn error_value(shown: &str, message: &str) -> Scalar {
    Scalar::Error(Box::new(CellError { shown: shown.into(), message: message.into() }))
}
