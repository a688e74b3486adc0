//! findReplace.

use std::sync::Arc;

use lockstep_a1::{Cells, Rect};
use regex::{NoExpand, Regex, RegexBuilder};
use serde_json::{Map, Value, json};

use super::{Batch, sheet_id};
use crate::grid::Scalar;
use crate::http::ApiError;
use crate::sheets::enter::{Enter, Mode};
use crate::sheets::ranges::Range;
use crate::sheets::render::{Options, Style};

/// Is the largest compiled search pattern, in bytes.
const PATTERN_BYTES: usize = 1 << 20;

#[derive(Default)]
struct Counts {
    values: u64,
    formulas: u64,
    rows: u64,
    sheets: u64,
    occurrences: u64,
}

/// Applies `findReplace`: texts are replaced in what cells show, and entered as if typed.
pub(super) fn replace(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let flag = |name: &str| request.get(name) == Some(&Value::Bool(true));
    let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default();
    let by_pattern = flag("searchByRegex");
    let pattern = pattern(text("find"), by_pattern, flag("matchCase"), flag("matchEntireCell"))?;
    let areas = areas(batch, request)?;
    let enter = Enter::new(&batch.book, Mode::UserEntered, batch.now_ms);
    let mut counts = Counts::default();
    for (id, rect) in areas {
        let before = counts.occurrences;
        let mut style = Style::new(&batch.book, Options::of(None, None, None)?);
        let window = batch.book.sheet(id).ok_or_else(ApiError::not_found)?.grid.window(
            batch.session,
            rect.start_row,
            rect.end_row,
        )?;
        let mut changes = Vec::new();
        window.each(&mut |down, line| {
            line.each(&mut |column, cell| {
                if column < rect.start_column || column >= rect.end_column {
                    return;
                }
                let shown = match cell.formula {
                    Some(formula) if flag("includeFormulas") => formula.to_owned(),
                    Some(_) => return,
                    None => style.shown(cell.value, cell.format),
                };
                let found = pattern.find_iter(&shown).count();
                if found > 0 {
                    let new = if by_pattern {
                        pattern.replace_all(&shown, text("replacement"))
                    } else {
                        pattern.replace_all(&shown, NoExpand(text("replacement")))
                    };
                    let formula = cell.formula.is_some();
                    changes.push((
                        rect.start_row + down,
                        column,
                        new.into_owned(),
                        formula,
                        found as u64,
                    ));
                }
            })
        })?;
        let mut last = None;
        let book = &mut batch.book;
        let formats = &mut Arc::make_mut(&mut book.head).formats;
        let grid = book
            .sheets
            .iter_mut()
            .find(|sheet| sheet.id == id)
            .map(|sheet| &mut Arc::make_mut(sheet).grid)
            .ok_or_else(ApiError::not_found)?;
        for (row, column, new, formula, found) in changes {
            let cell = grid.cell_mut(batch.session, row, column)?;
            if formula {
                cell.formula = Some(new.into());
                counts.formulas += 1;
            } else {
                if new.is_empty() {
                    cell.set_value(Scalar::Empty);
                } else {
                    enter.put_text(formats, cell, &new)?;
                }
                counts.values += 1;
            }
            counts.occurrences += found;
            if last != Some(row) {
                counts.rows += 1;
                last = Some(row);
            }
        }
        counts.sheets += u64::from(counts.occurrences > before);
    }
    Ok(told(&counts))
}

fn told(counts: &Counts) -> Value {
    let mut out = Map::new();
    for (name, count) in [
        ("valuesChanged", counts.values),
        ("formulasChanged", counts.formulas),
        ("rowsChanged", counts.rows),
        ("sheetsChanged", counts.sheets),
        ("occurrencesChanged", counts.occurrences),
    ] {
        if count > 0 {
            out.insert(name.to_owned(), count.into());
        }
    }
    json!({ "findReplace": out })
}

fn pattern(find: &str, by_pattern: bool, match_case: bool, whole: bool) -> Result<Regex, ApiError> {
    if find.is_empty() {
        return Err(ApiError::invalid("The find text must not be empty."));
    }
    let text = if by_pattern { find.to_owned() } else { regex::escape(find) };
    let text = if whole { format!("^(?:{text})$") } else { text };
    RegexBuilder::new(&text)
        .case_insensitive(!match_case)
        .size_limit(PATTERN_BYTES)
        .build()
        .map_err(|_| ApiError::invalid(format!("Invalid regular expression: {find}")))
}

fn areas(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Vec<(i32, Rect)>, ApiError> {
    let ranges: Vec<Range> = if let Some(range) = request.get("range") {
        vec![Range::of_object(&batch.book, range)?]
    } else if request.get("allSheets") == Some(&Value::Bool(true)) {
        let all = batch.book.sheets.iter().filter(|sheet| sheet.is_grid());
        all.map(|sheet| Range { sheet: sheet.id, cells: Cells::all() }).collect()
    } else if request.get("sheetId").is_some() {
        vec![Range { sheet: sheet_id(request), cells: Cells::all() }]
    } else {
        return Err(ApiError::invalid("The range, sheetId or allSheets must be specified."));
    };
    ranges
        .into_iter()
        .map(|range| Ok((range.sheet, range.inside(batch.book.sheet_mut(range.sheet)?)?)))
        .collect()
}
