//! The table on a sheet: its header, and the rows under it.

use std::collections::{HashMap, HashSet};

use lockstep_engine::{cell::Cell, schema::ColumnType, snapshot::SnapshotBuilder};
use lockstep_google::CellValue;

use super::{
    super::{broken, format::Rows},
    area, date,
    grid::{Grid, GridCell, GridRow, Stored},
    strings::{Strings, decode},
    styles::{NumberKind, Styles},
    xml::{resolve, rich},
};
use crate::{
    error::{Error, Result},
    replica::{header::Header, scan::Role},
};

/// What a cell holds.
#[derive(Clone, Debug, PartialEq)]
enum Held {
    Nothing,
    Number(f64),
    /// A date or time in ISO form.
    Moment(String, NumberKind),
    Bool(bool),
    Text(String),
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    /// `None` for a blank sheet.
    pub(super) header: Option<Header>,
}

impl Table {
    /// Finds the header: in the row named, or the first that is not blank.
    ///
    /// # Errors
    /// No header where one is needed, one with merged cells, and names that stand twice.
    pub(super) fn find(
        grid: &Grid<'_>,
        strings: &Strings,
        styles: &Styles,
        header_row: Option<u32>,
        role: Role,
    ) -> Result<Self> {
        let held = |row: &GridRow| -> Result<Vec<CellValue>> {
            let mut cells = Vec::new();
            for cell in &row.cells {
                let at = usize::try_from(cell.column).unwrap_or(usize::MAX);
                cells.resize(at, CellValue::Empty);
                // The name of a column is the text as it is shown; dates are never names here.
                cells.push(match hold(grid, cell, strings, styles, false)? {
                    Held::Nothing => CellValue::Empty,
                    Held::Number(number) => CellValue::Number(number),
                    Held::Bool(value) => CellValue::Bool(value),
                    Held::Text(text) | Held::Moment(text, _) => CellValue::Text(text),
                });
            }
            Ok(cells)
        };
        let wanted = match header_row {
            Some(0) => return Header::find(&[], Some(0)).map(|header| Self { header }),
            Some(number) => grid.rows.iter().find(|row| row.number == number),
            None => grid.rows.iter().find(|row| row.filled()),
        };
        let blank = grid.rows.iter().all(|row| !row.filled());
        let header =
            match wanted.map(|row| held(row).map(|cells| (row.number, cells))).transpose()? {
                Some((number, cells)) => {
                    let above = usize::try_from(number).unwrap_or(1) - 1;
                    let mut rows = vec![Vec::new(); above];
                    rows.push(cells);
                    Header::find(&rows, Some(number))?
                }
                None if blank && role.writes() => None,
                None if blank => {
                    return Err(Error::invalid("the sheet is empty: there is no header")
                        .next("name the sheet with the data"));
                }
                None => Header::find(&[], header_row)?,
            };
        if let Some(header) = &header {
            merged(grid, header)?;
        }
        Ok(Self { header })
    }

    /// Returns the rows under the header; blank ones are left out, and rows are numbered as on the sheet.
    pub(super) fn rows(
        &self,
        grid: &Grid<'_>,
        strings: &Strings,
        styles: &Styles,
        date1904: bool,
    ) -> Result<Rows> {
        let columns =
            self.header.as_ref().map(|header| header.columns.as_slice()).unwrap_or_default();
        let mut builder = SnapshotBuilder::new(columns.iter().map(|column| column.name.as_str()));
        let mut seen: Vec<Seen> = columns.iter().map(|_| Seen::default()).collect();
        for row in self.data(grid) {
            let mut held = Vec::with_capacity(columns.len());
            for column in columns {
                held.push(match row.cell(column.index) {
                    Some(cell) => hold(grid, cell, strings, styles, date1904)?,
                    None => Held::Nothing,
                });
            }
            for ((held, seen), column) in held.iter().zip(&mut seen).zip(columns) {
                seen.take(held, row.cell(column.index).is_some_and(|cell| cell.formula));
            }
            builder.push_at(u64::from(row.number), held.iter().map(as_cell));
        }
        let named = || columns.iter().map(|column| column.name.clone()).zip(&seen);
        let types: HashMap<String, ColumnType> =
            named().filter_map(|(name, seen)| Some((name, seen.ty()?))).collect();
        let formulas: HashSet<String> =
            named().filter(|(_, seen)| seen.formula == Some(true)).map(|(name, _)| name).collect();
        Ok(Rows { snapshot: builder.finish(), types, formulas })
    }

    /// Returns the rows with data, in their order; one that holds nothing but formulas without a result is blank.
    pub(super) fn data<'g>(&'g self, grid: &'g Grid<'_>) -> impl Iterator<Item = &'g GridRow> {
        let header = self.header.as_ref();
        let first = header.map_or(u32::MAX, |header| header.row + 1);
        let in_table = move |row: &&GridRow| {
            let held = |index| row.cell(index).is_some_and(|cell| grid.raw(cell).is_some());
            row.number > first
                && header
                    .is_some_and(|header| header.columns.iter().any(|column| held(column.index)))
        };
        grid.rows.iter().filter(in_table)
    }
}

/// What was seen of a column.
#[derive(Default)]
struct Seen {
    kind: Option<NumberKind>,
    mixed: bool,
    /// Whether its first filled cell is a formula.
    formula: Option<bool>,
}

impl Seen {
    fn take(&mut self, held: &Held, formula: bool) {
        let kind = match held {
            Held::Nothing => return,
            Held::Moment(_, kind) => *kind,
            _ => NumberKind::Plain,
        };
        self.mixed |= *self.kind.get_or_insert(kind) != kind;
        self.formula.get_or_insert(formula);
    }

    fn ty(&self) -> Option<ColumnType> {
        match self.kind.filter(|_| !self.mixed)? {
            NumberKind::Plain => None,
            NumberKind::Date => Some(ColumnType::Date),
            NumberKind::Time => Some(ColumnType::Time),
            NumberKind::DateTime => Some(ColumnType::DateTime),
        }
    }
}

fn as_cell(held: &Held) -> Cell<'_> {
    match held {
        Held::Nothing => Cell::Null,
        Held::Number(number) => Cell::Float(*number),
        Held::Bool(value) => Cell::Bool(*value),
        Held::Text(text) | Held::Moment(text, _) => Cell::Text(text),
    }
}

/// A number is a binary one: its 17 digits in the XML stand for the shortest decimal that means the same.
fn hold(
    grid: &Grid<'_>,
    cell: &GridCell,
    strings: &Strings,
    styles: &Styles,
    date1904: bool,
) -> Result<Held> {
    let Some(raw) = grid.raw(cell) else { return Ok(Held::Nothing) };
    let wrong = |what: &str| {
        let at = grid.rows.iter().find(|row| row.cells.iter().any(|one| std::ptr::eq(one, cell)));
        let name = area::name(at.map_or(0, |row| row.number), cell.column);
        broken(format!("the cell {name} holds {what}"))
    };
    Ok(match cell.stored {
        Stored::Number => {
            let number: f64 = raw.trim().parse().map_err(|_| wrong("a number that is none"))?;
            if !number.is_finite() {
                return Err(wrong("a number that is none"));
            }
            let kind = styles.kind(cell.style);
            match Some(kind)
                .filter(|kind| *kind != NumberKind::Plain)
                .and_then(|kind| date::text(number, kind, date1904))
            {
                // A day with a time of day is a date-time, whatever its format shows of it.
                Some(text) if kind == NumberKind::Date && text.contains('T') => {
                    Held::Moment(text, NumberKind::DateTime)
                }
                Some(text) => Held::Moment(text, kind),
                None => Held::Number(number),
            }
        }
        Stored::Shared => {
            let text = raw.trim().parse().ok().and_then(|index| strings.get(index));
            filled(text.ok_or_else(|| wrong("a text that the workbook does not have"))?.to_owned())
        }
        Stored::Inline => filled(decode(&rich(raw)?)),
        Stored::Text => filled(decode(&resolve(raw)?)),
        Stored::Bool => Held::Bool(matches!(raw.trim(), "1" | "true")),
        Stored::Error | Stored::Iso => Held::Text(resolve(raw)?.into_owned()),
    })
}

fn filled(text: String) -> Held {
    if text.is_empty() { Held::Nothing } else { Held::Text(text) }
}

/// Refuses a header with merged cells: which column a name is of would be a guess.
fn merged(grid: &Grid<'_>, header: &Header) -> Result<()> {
    let row = header.row + 1;
    let areas = || grid.elements("mergeCells").flat_map(|element| &element.areas);
    let over =
        areas().find(|area| header.columns.iter().any(|column| area.holds(row, column.index)));
    match over {
        None => Ok(()),
        Some(area) => Err(Error::invalid(format!(
            "the header in row {row} has merged cells ({}): which column their name is of cannot be told",
            area.name()
        ))
        .next("unmerge them, or name the row of the header with headerRow")),
    }
}
