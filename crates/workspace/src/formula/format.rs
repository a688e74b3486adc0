//! The number format that a formula brings along, as a date brings one when it is typed.
//!
//! Sheets shows `=TODAY()` as a date and `=A1` the way A1 is shown. Here the format of the formula's
//! cell is set when it has none; which sums and differences keep a format is our choice.

use serde_json::{Map, Value, json};

use super::parse::Expression;
use super::recalculate::resolve;
use crate::book::Book;
use crate::grid::Blocks;
use crate::http::ApiError;
use crate::locale::Locale;
use crate::number_format::{FormatKind, NumberFormat};

/// Returns the number format of what a formula gives, or `None` for a plain number.
pub(super) fn of(
    tree: &Expression,
    book: &Book,
    own: i32,
    blocks: &mut dyn Blocks,
) -> Result<Option<NumberFormat>, ApiError> {
    let locale = Locale::of(book.locale());
    Ok(match tree {
        Expression::Call(name, arguments) => match name.as_str() {
            "TODAY" | "DATE" => Some(NumberFormat::new(FormatKind::Date, locale.date)),
            "NOW" => {
                Some(NumberFormat::new(FormatKind::DateTime, format!("{} h:mm:ss", locale.date)))
            }
            "SUM" | "MIN" | "MAX" | "AVERAGE" => match arguments.first() {
                Some(first) => of(first, book, own, blocks)?,
                None => None,
            },
            "IF" | "IFERROR" => {
                let at = usize::from(name == "IF");
                match arguments.get(at) {
                    Some(then) => of(then, book, own, blocks)?,
                    None => None,
                }
            }
            _ => None,
        },
        Expression::Reference(_) | Expression::Name(_) => {
            let Some((sheet, rect)) = resolve(book, own, tree) else { return Ok(None) };
            let Some(sheet) = book.sheet(sheet) else { return Ok(None) };
            let mut found = 0;
            sheet.grid.window(blocks, rect.start_row, rect.start_row + 1)?.each(
                &mut |_, line| {
                    line.each(&mut |column, cell| {
                        if column == rect.start_column {
                            found = cell.format;
                        }
                    })
                },
            )?;
            book.head.formats.number_format(found).and_then(|(kind, pattern)| {
                Some(NumberFormat::new(FormatKind::from_wire(kind)?, pattern))
            })
        }
        Expression::Binary(sign @ ("+" | "-"), left, right) => {
            let (left, right) = (of(left, book, own, blocks)?, of(right, book, own, blocks)?);
            match (left, right) {
                // The difference of two dates is a number of days.
                (Some(left), Some(right))
                    if *sign == "-" && left.kind.is_temporal() && right.kind.is_temporal() =>
                {
                    None
                }
                (left, right) => left.or(right),
            }
        }
        Expression::Negative(inner) | Expression::Positive(inner) => of(inner, book, own, blocks)?,
        _ => None,
    })
}

/// Returns a cell format with a number format added; an object that has one stays.
pub(super) fn with(format: Option<&Value>, number: &NumberFormat) -> Value {
    let mut format: Map<String, Value> =
        format.and_then(Value::as_object).cloned().unwrap_or_default();
    format
        .entry("numberFormat")
        .or_insert_with(|| json!({ "type": number.kind.wire(), "pattern": number.pattern }));
    Value::Object(format)
}
