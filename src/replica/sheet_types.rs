//! What a table's columns hold, from the number formats of some of their cells: dates, times, formulas, errors.

use std::collections::{HashMap, HashSet};

use lockstep_a1::{column_letters, quote_always};
use lockstep_engine::schema::ColumnType;
use lockstep_google::{CellValue, Google, GridCell, GridParts, Input, NumberFormat, NumberKind};

use super::{header::Header, sheet_check::cell_name};
use crate::error::{Error, Result};

/// The most cells of a column that are looked at.
const MAX_SAMPLES: usize = 8;

/// The most cells of a table that are looked at, unless it has more columns: their ranges must fit one call.
const MAX_CELLS: usize = 200;

/// What the service shows for errors; a values read does not tell them from text.
const ERRORS: [&str; 9] =
    ["#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#NULL!", "#ERROR!", "#SPILL!"];

/// Some cells of each column, as the grid has them.
#[derive(Debug, Default)]
pub(crate) struct Samples<'h>(HashMap<&'h str, Vec<GridCell>>);

impl<'h> Samples<'h> {
    /// Reads numbers of each column, spread over its rows, the first and the last among them; with `texts` other cells of
    /// columns without numbers.
    ///
    /// Costs one read call, and none if there are no such cells.
    pub(crate) async fn read(
        google: &Google,
        id: &str,
        title: &str,
        header: &'h Header,
        data: &[Vec<CellValue>],
        texts: bool,
    ) -> Result<Self> {
        let most = (MAX_CELLS / header.columns.len().max(1)).clamp(1, MAX_SAMPLES);
        let mut places: HashMap<(u32, u32), &str> = HashMap::new();
        let mut ranges = Vec::new();
        for column in &header.columns {
            let rows = |wanted: fn(&CellValue) -> bool| -> Vec<u32> {
                let cells = (0_u32..).zip(data.iter().map(|row| header.cell(row, column.index)));
                cells.filter(|(_, cell)| wanted(cell)).map(|(row, _)| row).collect()
            };
            let mut rows_of = rows(|cell| matches!(cell, CellValue::Number(_)));
            if rows_of.is_empty() && texts {
                rows_of = rows(|cell| *cell != CellValue::Empty);
            }
            for row in spread(&rows_of, most) {
                let row = header.row.saturating_add(1).saturating_add(row);
                places.insert((row, column.index), &column.name);
                let letters = column_letters(column.index);
                ranges.push(format!("{}!{letters}{}", quote_always(title), row + 1));
            }
        }
        let mut found: HashMap<&str, Vec<GridCell>> = HashMap::new();
        if ranges.is_empty() {
            return Ok(Self(found));
        }
        let parts = GridParts { format: true, entered: true, ..GridParts::default() };
        for block in google.grid(id, &ranges, parts).await? {
            let name = places.get(&(block.row, block.column));
            let cell = block.rows.into_iter().next().and_then(|row| row.into_iter().next());
            if let (Some(name), Some(cell)) = (name, cell) {
                found.entry(name).or_default().push(cell);
            }
        }
        Ok(Self(found))
    }

    /// Returns the columns that hold formulas, by name: most of the cells looked at are formulas.
    pub(crate) fn formulas(&self) -> HashSet<String> {
        let formula = |cell: &&GridCell| matches!(cell.entered, Input::Formula(_));
        let most = |cells: &[GridCell]| cells.iter().filter(formula).count() * 2 > cells.len();
        let found = self.0.iter().filter(|(_, cells)| most(cells));
        found.map(|(name, _)| (*name).to_owned()).collect()
    }

    /// Returns the types of the columns whose cells are formatted as dates or times.
    pub(crate) fn types(
        &self,
        header: &Header,
        data: &[Vec<CellValue>],
    ) -> HashMap<String, ColumnType> {
        let ty = |name: &str, cells: &[GridCell]| {
            let formats: Vec<Option<&NumberFormat>> =
                cells.iter().map(|cell| cell.format.as_ref()).collect();
            let index = header.column(name).ok()?.index;
            let numbers = data.iter().filter_map(|row| match header.cell(row, index) {
                CellValue::Number(number) => Some(*number),
                _ => None,
            });
            decide(&formats, numbers)
        };
        let found = self.0.iter();
        found.filter_map(|(name, cells)| Some(((*name).to_owned(), ty(name, cells)?))).collect()
    }
}

/// Returns at most `most` of the rows: the first, the last, and some between.
fn spread(rows: &[u32], most: usize) -> Vec<u32> {
    let last = rows.len().saturating_sub(1);
    let count = most.min(rows.len());
    let steps = count.saturating_sub(1).max(1);
    (0..count).filter_map(|step| rows.get(last * step / steps)).copied().collect()
}

/// Returns whether a format shows a duration, e.g. `[h]:mm`: more than a day is no time of day.
fn is_duration(format: &NumberFormat) -> bool {
    format.pattern.as_deref().is_some_and(|pattern| {
        let pattern = pattern.to_lowercase();
        ["[h", "[m", "[s"].iter().any(|open| pattern.contains(open))
    })
}

/// Decides what a column of numbers is, whose formats may differ: dates and times if most are formatted so; date-times if
/// a date has a time of day, or both kinds come; times only below a day. `None` is numbers, durations among them.
fn decide(
    formats: &[Option<&NumberFormat>],
    mut numbers: impl Iterator<Item = f64>,
) -> Option<ColumnType> {
    let count = |kind: NumberKind| {
        let is = |format: &NumberFormat| format.kind == kind && !is_duration(format);
        formats.iter().flatten().filter(|format| is(format)).count()
    };
    let (dates, times, both) =
        (count(NumberKind::Date), count(NumberKind::Time), count(NumberKind::DateTime));
    if (dates + times + both) * 2 < formats.len().max(1) {
        return None;
    }
    if both > 0 || (dates > 0 && times > 0) {
        return Some(ColumnType::DateTime);
    }
    if dates > 0 {
        let timed = numbers.any(|number| number.fract() != 0.0);
        return Some(if timed { ColumnType::DateTime } else { ColumnType::Date });
    }
    numbers.all(|number| (0.0..1.0).contains(&number)).then_some(ColumnType::Time)
}

/// A cell that shows an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    /// Its name, as `B7`.
    pub(crate) cell: String,
    /// What it shows.
    pub(crate) shown: String,
}

/// Returns for each column its first cell of each error that it shows.
pub(crate) fn errors(header: &Header, data: &[Vec<CellValue>]) -> HashMap<String, Vec<Failed>> {
    let mut found: HashMap<String, Vec<Failed>> = HashMap::new();
    for (row, cells) in (header.row.saturating_add(1)..).zip(data) {
        for column in &header.columns {
            let (CellValue::Text(text) | CellValue::Error(text)) = header.cell(cells, column.index)
            else {
                continue;
            };
            if text.starts_with('#') && ERRORS.contains(&text.as_str()) {
                let known = found.entry(column.name.clone()).or_default();
                if !known.iter().any(|failed| failed.shown == *text) {
                    known.push(Failed { cell: cell_name(row, column.index), shown: text.clone() });
                }
            }
        }
    }
    found
}

/// Checks that a column that is read shows no error, unless its text is said to mean blank.
///
/// # Errors
/// The first such cell: an error is no value, and never carried.
pub(crate) fn check(
    errors: &HashMap<String, Vec<Failed>>,
    header: &str,
    nulls: &[&[String]],
) -> Result<()> {
    let blank = |text: &String| nulls.iter().any(|nulls| nulls.contains(text));
    let found = errors.get(header).into_iter().flatten();
    let Some(failed) = found.into_iter().find(|failed| !blank(&failed.shown)) else {
        return Ok(());
    };
    Err(Error::invalid(format!(
        "cell {}, column \"{header}\", shows the error {}, which is no value; nothing was written",
        failed.cell, failed.shown
    ))
    .next(format!(
        "correct the cell, leave the column out with columns, or let it mean blank with nulls: [\"{}\"]",
        failed.shown
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(kind: NumberKind, pattern: &str) -> NumberFormat {
        NumberFormat::new(kind, pattern)
    }

    #[test]
    fn mixed_formats_are_decided_by_what_most_are_and_what_the_numbers_hold() {
        let date = format(NumberKind::Date, "yyyy-mm-dd");
        let at = format(NumberKind::DateTime, "yyyy-mm-dd hh:mm");
        let time = format(NumberKind::Time, "hh:mm");
        let long = format(NumberKind::Time, "[h]:mm:ss");
        let money = format(NumberKind::Currency, "$0.00");
        type Case<'a> = (&'a [Option<&'a NumberFormat>], &'a [f64], Option<ColumnType>);
        let cases: [Case<'_>; 10] = [
            (&[Some(&date), Some(&date)], &[45306.0], Some(ColumnType::Date)),
            (&[Some(&date)], &[45306.0, 45306.5], Some(ColumnType::DateTime)),
            (&[Some(&date), Some(&at)], &[45306.0], Some(ColumnType::DateTime)),
            (&[Some(&date), Some(&time)], &[45306.0, 0.5], Some(ColumnType::DateTime)),
            (&[Some(&date), None], &[45306.0, 45307.0], Some(ColumnType::Date)),
            (&[Some(&date), None, None], &[45306.0, 1.0, 2.0], None),
            (&[Some(&time)], &[0.25], Some(ColumnType::Time)),
            (&[Some(&time)], &[1.25], None),
            (&[Some(&long)], &[0.25], None),
            (&[Some(&money), None], &[1.0], None),
        ];
        for (formats, numbers, wanted) in cases {
            let found = decide(formats, numbers.iter().copied());
            assert_eq!(found, wanted, "{formats:?} {numbers:?}");
        }
    }

    #[test]
    fn samples_have_both_ends() {
        let rows: Vec<u32> = (0..100).collect();
        assert_eq!(spread(&rows, 1), [0]);
        assert_eq!(spread(&rows, 3), [0, 49, 99]);
        assert_eq!(spread(&[4, 7], 8), [4, 7]);
        assert_eq!(spread(&[], 8), [0_u32; 0]);
    }
}
