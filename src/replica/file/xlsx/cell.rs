//! A value as a cell's XML.

use lockstep_engine::{
    encode::sheet::{SheetCell, encode},
    schema::ColumnType,
    value::Value,
};

use super::{
    area, date, strings,
    styles::{NumberKind, Styles},
};
use crate::error::{Error, Result};

/// The longest text of a cell, in UTF-16 units.
const MAX_TEXT: usize = 32_767;

/// Where a cell is and what it looks like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot<'a> {
    pub(super) prefix: &'a str,
    pub(super) row: u32,
    pub(super) column: u32,
    pub(super) style: u32,
    /// A style of the column that shows dates, if one was seen there.
    pub(super) dates: Option<u32>,
}

/// What cells are written by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen<'a> {
    pub(super) styles: &'a Styles,
    pub(super) date1904: bool,
}

impl Pen<'_> {
    /// Returns a cell with a value; a date is a serial where the workbook has a style that shows it as one, else its text.
    ///
    /// # Errors
    /// A text that is longer than cells hold.
    pub(super) fn write(&self, spot: Spot<'_>, value: &Value, ty: &ColumnType) -> Result<String> {
        let (style, body) = match encode(value, ty) {
            SheetCell::Empty => return Ok(blank(spot)),
            SheetCell::Bool(value) => {
                return Ok(typed(spot, spot.style, "b", &format!("{}", u8::from(value))));
            }
            SheetCell::Text(text) => return self.text(spot, &text),
            SheetCell::Number { value: number, pattern } => {
                let kind = match pattern {
                    None => NumberKind::Plain,
                    Some(_) => kind_of(ty),
                };
                let serial = date::serial(number, kind, self.date1904);
                match (self.style(spot, kind), serial) {
                    (Some(style), Some(serial)) => (style, serial),
                    _ => return self.text(spot, &value.to_string()),
                }
            }
        };
        // Rust's shortest form is the one that reads back as the same number; Excel reads exponents too.
        Ok(typed(spot, style, "", format!("{body:?}").trim_end_matches(".0")))
    }

    fn style(&self, spot: Spot<'_>, kind: NumberKind) -> Option<u32> {
        if self.styles.kind(spot.style) == kind {
            return Some(spot.style);
        }
        let seen = spot.dates.filter(|style| self.styles.kind(*style) == kind);
        let found = seen.or_else(|| self.styles.like(spot.style, kind));
        // A workbook without styles shows plain numbers.
        found.or((kind == NumberKind::Plain)
            .then_some(0)
            .filter(|style| self.styles.kind(*style) == kind))
    }

    fn text(&self, spot: Spot<'_>, text: &str) -> Result<String> {
        if text.encode_utf16().count() > MAX_TEXT {
            return Err(Error::invalid(format!(
                "the cell {} would hold a text of more than {MAX_TEXT} characters, which no cell of a workbook holds",
                area::name(spot.row, spot.column)
            ))
            .next("shorten the text, or leave the column out"));
        }
        let Spot { prefix, .. } = spot;
        let text = strings::encode(text);
        let body = format!(
            "<{prefix}is><{prefix}t xml:space=\"preserve\">{text}</{prefix}t></{prefix}is>"
        );
        Ok(format!("{} t=\"inlineStr\">{body}</{prefix}c>", head(spot, spot.style)))
    }
}

fn kind_of(ty: &ColumnType) -> NumberKind {
    match ty {
        ColumnType::Date => NumberKind::Date,
        ColumnType::Time => NumberKind::Time,
        ColumnType::DateTime => NumberKind::DateTime,
        _ => NumberKind::Plain,
    }
}

/// Returns a cell without a value.
pub(super) fn blank(spot: Spot<'_>) -> String {
    format!("{}/>", head(spot, spot.style))
}

/// Returns the beginning of a cell's tag.
pub(super) fn head(spot: Spot<'_>, style: u32) -> String {
    let name = area::name(spot.row, spot.column);
    let style = if style == 0 { String::new() } else { format!(" s=\"{style}\"") };
    format!("<{}c r=\"{name}\"{style}", spot.prefix)
}

fn typed(spot: Spot<'_>, style: u32, kind: &str, value: &str) -> String {
    let Spot { prefix, .. } = spot;
    let kind = if kind.is_empty() { String::new() } else { format!(" t=\"{kind}\"") };
    format!("{}{kind}><{prefix}v>{value}</{prefix}v></{prefix}c>", head(spot, style))
}
