//! References follow: when rows or columns come and go, when a formula is copied, when a sheet is
//! renamed. Everything else in the formula stays as it was typed.

use lockstep_a1::{Rect, quote_if_needed};

use super::reference::{Corner, Edge, Reference};
use super::token::{Kind, scan};
use crate::book::{Axis, Shift};

/// Is what a rewrite makes of a reference.
enum Rewritten {
    Same,
    To(Reference),
    /// What it pointed at is gone.
    Gone,
}

/// Returns a formula after positions of a sheet changed, or `None` when it stays the same.
///
/// `on_sheet` says whether the formula stands on that sheet itself, `title` is the sheet's title.
pub(crate) fn follow(formula: &str, on_sheet: bool, title: &str, shift: Shift) -> Option<String> {
    rewrite(formula, |reference| {
        let concerned = match &reference.sheet {
            Some(sheet) => sheet.to_lowercase() == title.to_lowercase(),
            None => on_sheet,
        };
        if concerned { follow_one(reference, shift) } else { Rewritten::Same }
    })
}

/// Returns a formula as if it was copied down and to the right.
pub(crate) fn translate(formula: &str, down: i64, right: i64) -> String {
    let move_edge = |edge: Option<Edge>, by: i64| match edge {
        Some(edge) if !edge.fixed => {
            u32::try_from(i64::from(edge.at) + by).ok().map(|at| Some(Edge { at, ..edge }))
        }
        other => Some(other),
    };
    let move_corner = |corner: Corner| {
        Some(Corner { column: move_edge(corner.column, right)?, row: move_edge(corner.row, down)? })
    };
    let moved = rewrite(formula, |reference| {
        let last = match reference.last {
            Some(last) => move_corner(last).map(Some),
            None => Some(None),
        };
        match (move_corner(reference.first), last) {
            (Some(first), Some(last)) => {
                Rewritten::To(Reference { sheet: reference.sheet.clone(), first, last })
            }
            _ => Rewritten::Gone,
        }
    });
    moved.unwrap_or_else(|| formula.to_owned())
}

/// Is a rectangle of cells that was cut and pasted elsewhere.
pub(crate) struct Moved<'a> {
    pub(crate) from: i32,
    pub(crate) source: Rect,
    pub(crate) to: i32,
    /// How far down and to the right.
    pub(crate) by: (i64, i64),
    /// Returns the sheet of a title.
    pub(crate) sheet_of: &'a dyn Fn(&str) -> Option<i32>,
    /// Returns the title of a sheet.
    pub(crate) title_of: &'a dyn Fn(i32) -> String,
}

impl Moved<'_> {
    /// Returns a formula that stood on sheet `before` and stands on sheet `now`, or `None` when it
    /// stays the same: what it read is read where it is now.
    ///
    /// Only a reference that lies in what was cut entirely follows it. One to a cell that was pasted
    /// over stays: it reads what is there now. [BELIEF, no recording]
    pub(crate) fn relocate(&self, formula: &str, before: i32, now: i32) -> Option<String> {
        rewrite(formula, |reference| {
            let target = match &reference.sheet {
                None => before,
                Some(title) => match (self.sheet_of)(title) {
                    Some(sheet) => sheet,
                    None => return Rewritten::Same,
                },
            };
            let cells = reference.cells();
            let inside = target == self.from
                && cells.start_row >= self.source.start_row
                && cells.start_column >= self.source.start_column
                && cells.end_row.is_some_and(|end| end <= self.source.end_row)
                && cells.end_column.is_some_and(|end| end <= self.source.end_column);
            let sheet = if inside { self.to } else { target };
            let named = match &reference.sheet {
                Some(title) if sheet == target => Some(title.clone()),
                None if sheet == now => None,
                _ => Some((self.title_of)(sheet)),
            };
            let by = if inside { self.by } else { (0, 0) };
            let corner = |corner: Corner| {
                let edge = |edge: Option<Edge>, by: i64| match edge {
                    Some(edge) => u32::try_from(i64::from(edge.at) + by)
                        .ok()
                        .map(|at| Some(Edge { at, ..edge })),
                    None => Some(None),
                };
                Some(Corner { row: edge(corner.row, by.0)?, column: edge(corner.column, by.1)? })
            };
            match (corner(reference.first), reference.last.map(corner)) {
                (Some(first), None) => Rewritten::To(Reference { sheet: named, first, last: None }),
                (Some(first), Some(Some(last))) => {
                    Rewritten::To(Reference { sheet: named, first, last: Some(last) })
                }
                _ => Rewritten::Gone,
            }
        })
    }
}

/// Returns a formula with the new title of a sheet, or `None` when it does not name the sheet.
pub(crate) fn rename_sheet(formula: &str, old: &str, new: &str) -> Option<String> {
    rewrite(formula, |reference| match &reference.sheet {
        Some(sheet) if sheet.to_lowercase() == old.to_lowercase() => {
            Rewritten::To(Reference { sheet: Some(new.to_owned()), ..reference.clone() })
        }
        _ => Rewritten::Same,
    })
}

fn rewrite(formula: &str, mut change: impl FnMut(&Reference) -> Rewritten) -> Option<String> {
    let text = formula.strip_prefix('=')?;
    // A formula that does not parse is text to us, and stays. The decimal separator does not matter
    // here: read the other way, a number is two numbers, and references stay what they are.
    let tokens = scan(text, '.')?;
    let mut out = String::from("=");
    let mut done = 0;
    let mut changed = false;
    for token in &tokens {
        let Kind::Reference(reference) = &token.kind else { continue };
        let new = match change(reference) {
            Rewritten::Same => continue,
            Rewritten::To(new) if new == *reference => continue,
            Rewritten::To(new) => new.to_string(),
            Rewritten::Gone => match &reference.sheet {
                Some(sheet) => format!("{}!#REF!", quote_if_needed(sheet)),
                None => "#REF!".to_owned(),
            },
        };
        out.push_str(text.get(done..token.place.start)?);
        out.push_str(&new);
        done = token.place.end;
        changed = true;
    }
    out.push_str(text.get(done..)?);
    changed.then_some(out)
}

fn follow_one(reference: &Reference, shift: Shift) -> Rewritten {
    let Shift { axis, remap, .. } = shift;
    let cells = reference.cells();
    let moves = match axis {
        Axis::Rows => shift.takes(cells.start_column, cells.end_column),
        Axis::Columns => shift.takes(cells.start_row, cells.end_row),
    };
    if !moves {
        return Rewritten::Same;
    }
    let edge = |corner: &Corner| match axis {
        Axis::Rows => corner.row,
        Axis::Columns => corner.column,
    };
    let with = |corner: Corner, at: u32| {
        let moved = edge(&corner).map(|edge| Edge { at, ..edge });
        match axis {
            Axis::Rows => Corner { row: moved, ..corner },
            Axis::Columns => Corner { column: moved, ..corner },
        }
    };
    let first = reference.first;
    let Some(last) = reference.last else {
        return match edge(&first) {
            None => Rewritten::Same,
            Some(only) => match remap.point(only.at) {
                Some(at) => {
                    Rewritten::To(Reference { first: with(first, at), ..reference.clone() })
                }
                None => Rewritten::Gone,
            },
        };
    };
    match (edge(&first), edge(&last)) {
        (None, None) => Rewritten::Same,
        (Some(a), Some(b)) => {
            let (low, high) = (a.at.min(b.at), a.at.max(b.at));
            match remap.span(low, high + 1) {
                None => Rewritten::Gone,
                Some((start, end)) => {
                    let (to_first, to_last) =
                        if a.at <= b.at { (start, end - 1) } else { (end - 1, start) };
                    Rewritten::To(Reference {
                        first: with(first, to_first),
                        last: Some(with(last, to_last)),
                        ..reference.clone()
                    })
                }
            }
        }
        // One end is open: the named one follows, and a deleted one stays where the rest begins.
        (Some(start), None) | (None, Some(start)) => {
            let at = remap.span(start.at, u32::MAX / 2).map_or(start.at, |(from, _)| from);
            Rewritten::To(Reference {
                first: with(first, at),
                last: Some(with(last, at)),
                ..reference.clone()
            })
        }
    }
}
