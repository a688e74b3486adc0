//! The formulas that new rows get: those of the row above, moved down as a spreadsheet program fills them down.

use std::collections::BTreeMap;

use super::{
    area::{self, COLUMNS, LAST_ROW},
    cell::{Spot, head},
    grid::{Grid, GridCell, GridRow},
    xml::{Node, Walk, attribute, escaped, resolve},
};
use crate::error::Result;

/// A formula that is carried down a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Carried {
    /// From 0.
    pub(super) column: u32,
    pub(super) style: u32,
    /// The row that it stands in, from 1.
    row: u32,
    text: String,
}

impl Carried {
    /// Returns the cell in another row.
    pub(super) fn cell(&self, spot: Spot<'_>) -> String {
        let rows = i64::from(spot.row) - i64::from(self.row);
        let text = moved(&self.text, rows, 0);
        let prefix = spot.prefix;
        let head = head(spot, self.style);
        format!("{head}><{prefix}f>{}</{prefix}f></{prefix}c>", escaped(&text))
    }
}

/// How many filled cells a column has, how many formulas, and the last of those.
type Seen<'g> = (usize, usize, Option<(&'g GridRow, &'g GridCell)>);

/// Returns the formulas of the columns that hold formulas: most of their filled cells are. Array formulas stay where they
/// are.
///
/// # Errors
/// XML that is damaged.
pub(super) fn carried<'g>(
    grid: &'g Grid<'_>,
    data: impl Iterator<Item = &'g GridRow>,
) -> Result<Vec<Carried>> {
    if !grid.formulas {
        return Ok(Vec::new());
    }
    let mut columns: BTreeMap<u32, Seen<'_>> = BTreeMap::new();
    for row in data {
        for cell in row.cells.iter().filter(|cell| cell.filled()) {
            let (filled, formulas, last) = columns.entry(cell.column).or_default();
            *filled += 1;
            if cell.formula {
                *formulas += 1;
                *last = Some((row, cell));
            }
        }
    }
    let mut all = Vec::new();
    for (column, (filled, formulas, last)) in columns {
        let Some((row, cell)) = last.filter(|_| formulas * 2 > filled) else { continue };
        if let Some(text) = text(grid, row, cell)? {
            all.push(Carried { column, style: cell.style, row: row.number, text });
        }
    }
    Ok(all)
}

/// A formula as it stands in a cell.
struct Written {
    kind: String,
    /// The number of the shared formula that it belongs to.
    shared: Option<String>,
    text: String,
}

fn written(grid: &Grid<'_>, cell: &GridCell) -> Result<Option<Written>> {
    let xml = grid.text.get(cell.place()).unwrap_or_default();
    let mut walk = Walk::new(xml);
    let mut found: Option<(Written, usize)> = None;
    while let Some((node, place)) = walk.next()? {
        match node {
            Node::Open { tag, empty } if tag.local_name().as_ref() == "f" => {
                let kind = attribute(&tag, "t").unwrap_or_default();
                let one = Written { kind, shared: attribute(&tag, "si"), text: String::new() };
                if empty {
                    return Ok(Some(one));
                }
                found = Some((one, place.end));
            }
            Node::Close => {
                if let Some((mut one, start)) = found.take() {
                    one.text = resolve(xml.get(start..place.start).unwrap_or_default())?.into();
                    return Ok(Some(one));
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Returns the formula of a cell, also where it is written only once for many; `None` for one that cannot be moved.
fn text(grid: &Grid<'_>, row: &GridRow, cell: &GridCell) -> Result<Option<String>> {
    let Some(own) = written(grid, cell)? else { return Ok(None) };
    match (own.kind.as_str(), &own.shared) {
        ("" | "normal", _) => Ok(Some(own.text).filter(|text| !text.is_empty())),
        ("shared", _) if !own.text.is_empty() => Ok(Some(own.text)),
        ("shared", Some(number)) => {
            for first in &grid.rows {
                for other in first.cells.iter().filter(|cell| cell.formula) {
                    let Some(found) = written(grid, other)? else { continue };
                    if found.shared.as_ref() == Some(number) && !found.text.is_empty() {
                        let rows = i64::from(row.number) - i64::from(first.number);
                        let columns = i64::from(cell.column) - i64::from(other.column);
                        return Ok(Some(moved(&found.text, rows, columns)));
                    }
                }
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// Returns a formula as it is in another cell, so many rows further down and columns further right: what has no dollar sign
/// moves along.
fn moved(formula: &str, rows: i64, columns: i64) -> String {
    let mut out = String::with_capacity(formula.len());
    let mut rest = formula;
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            // A text, or the name of a sheet; a doubled quote goes on with another one.
            '"' | '\'' => rest
                .char_indices()
                .skip(1)
                .find(|(_, c)| *c == first)
                .map(|(at, c)| at + c.len_utf8()),
            '[' => bracket(rest),
            c if is_word(c) => rest.find(|c| !is_word(c)),
            c => Some(c.len_utf8()),
        };
        let (token, after) =
            rest.split_at_checked(length.unwrap_or(rest.len())).unwrap_or((rest, ""));
        let next = after.chars().next();
        match is_word(first) && !matches!(next, Some('(' | '!' | '[')) {
            true => out.push_str(&word(token, before, next, rows, columns)),
            false => out.push_str(token),
        }
        before = token.chars().last();
        rest = after;
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '$' | '_' | '.' | '\\' | '?')
}

/// Returns the length of what stands in brackets, which may hold others: columns of a table, or another workbook.
fn bracket(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Some(at + c.len_utf8());
        }
    }
    None
}

/// Returns a word of a formula moved, if it is a reference.
fn word(word: &str, before: Option<char>, next: Option<char>, rows: i64, columns: i64) -> String {
    let (column_fixed, rest) = fixed(word);
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (letters, rest) = rest.split_at_checked(letters).unwrap_or((rest, ""));
    let (row_fixed, digits) = match letters {
        "" => (column_fixed, rest),
        _ => fixed(rest),
    };
    let in_range = before == Some(':') || next == Some(':');
    let numbered = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    let one = |letters: &str, digits: &str| -> Option<String> {
        let mut out = String::new();
        if !letters.is_empty() {
            let at = i64::from(lockstep_a1::column_index(letters)?);
            let at = if column_fixed { at } else { at + columns };
            let at = u32::try_from(at).ok().filter(|at| *at < COLUMNS);
            let Some(at) = at else { return Some("#REF!".into()) };
            out.push_str(if column_fixed { "$" } else { "" });
            out.push_str(&lockstep_a1::column_letters(at));
        }
        if !digits.is_empty() {
            let at: i64 = digits.parse().ok()?;
            let at = if row_fixed { at } else { at + rows };
            if !(1..=i64::from(LAST_ROW)).contains(&at) {
                return Some("#REF!".into());
            }
            out.push_str(if row_fixed { "$" } else { "" });
            out.push_str(&at.to_string());
        }
        Some(out)
    };
    let found = match (letters, digits) {
        // Names such as LOG10 are no cells, but they have a parenthesis behind them.
        (letters, digits) if !letters.is_empty() && numbered => {
            area::cell(&format!("{letters}{digits}")).and_then(|_| one(letters, digits))
        }
        ("", digits) if numbered && in_range => one("", digits),
        (letters, "") if !letters.is_empty() && letters.len() <= 3 && in_range && !row_fixed => {
            one(letters, "")
        }
        _ => None,
    };
    found.unwrap_or_else(|| word.to_owned())
}

/// Returns whether a part is held by a dollar sign, and the part.
fn fixed(text: &str) -> (bool, &str) {
    text.strip_prefix('$').map_or((false, text), |rest| (true, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_move_and_nothing_else_does() {
        for (formula, down) in [
            ("A2*B2", "A5*B5"),
            ("$A2+A$2+$A$2", "$A5+A$2+$A$2"),
            ("SUM(A$1:A2)", "SUM(A$1:A5)"),
            ("SUM(2:2)/SUM($2:$2)", "SUM(5:5)/SUM($2:$2)"),
            ("SUM(A:A)", "SUM(A:A)"),
            ("LOG10(A2)+1E5+2.5", "LOG10(A5)+1E5+2.5"),
            ("IF(A2>3,\"A2 \"\"B2\"\"\",B2)", "IF(A5>3,\"A2 \"\"B2\"\"\",B5)"),
            ("'Q1 2024'!B2+Q1!C2+Q1", "'Q1 2024'!B5+Q1!C5+Q4"),
            ("'it''s A2'!B2", "'it''s A2'!B5"),
            ("Table1[[#This Row],[A2]]*A2", "Table1[[#This Row],[A2]]*A5"),
            ("[1]Sheet1!A2", "[1]Sheet1!A5"),
            ("Rate_2*A2&\"€\"", "Rate_2*A5&\"€\""),
            ("ABCD2+XFE2", "ABCD2+XFE2"),
            ("xfd1048575", "#REF!"),
            ("a2", "A5"),
            ("", ""),
            ("\"open A2", "\"open A2"),
        ] {
            assert_eq!(moved(formula, 3, 0), down, "{formula}");
        }
        assert_eq!(moved("A2+$B2+C:D", 0, 1), "B2+$B2+D:E");
        assert_eq!(moved("A2", -2, 0), "#REF!");
    }
}
