//! Whether there is room for what is to be written: merged cells, protected ranges, what stands beside and below a table.
//!
//! All of it is looked at before the first effect, and refused by name.

use std::collections::BTreeSet;

use lockstep_a1::column_letters;
use lockstep_google::{CellWrite, GridRange, Objects};

use super::{
    sheet_area::{Bounds, cells},
    sheet_check::{Todo, View, cell_name},
    sheet_picture::Picture,
};
use crate::error::{Error, Kind, Result};

/// A sheet, its objects, and the table on it.
pub(crate) struct Space<'a> {
    /// The sheet's id.
    pub(crate) sheet: i32,
    /// What lies on it.
    pub(crate) objects: &'a Objects,
    /// The whole sheet.
    pub(crate) whole: &'a Picture,
    /// The table.
    pub(crate) view: View<'a>,
    /// Where it may stand.
    pub(crate) bounds: Option<&'a Bounds>,
    /// The row after its last one with data.
    pub(crate) end: u32,
}

/// What a plan does to the rows of a table.
struct Moves {
    new: u32,
    gone: BTreeSet<u32>,
}

impl Space<'_> {
    /// Checks that everything can be written.
    ///
    /// # Errors
    /// The first thing that stands in the way, and what to do about it; nothing was written.
    pub(crate) fn check(&self, todos: impl Iterator<Item = Result<Todo>>) -> Result<()> {
        let own = |column: u32| !self.view.layout.label(column).is_empty();
        if let Some(error) = merged_header(self.objects, self.view.layout.header_row, own) {
            return Err(error);
        }
        let mut moves = Moves { new: 0, gone: BTreeSet::new() };
        let mut new_columns: BTreeSet<u32> = BTreeSet::new();
        for todo in todos {
            match todo? {
                Todo::Set(row, cells) => {
                    for (column, _) in cells {
                        self.check_cell(row, column)?;
                    }
                }
                Todo::Append(cells) => {
                    moves.new += 1;
                    let filled = (0_u32..).zip(cells).filter(|(_, c)| *c != CellWrite::empty());
                    new_columns.extend(filled.map(|(column, _)| column));
                }
                Todo::Remove(row) => {
                    moves.gone.insert(row);
                }
                Todo::Gone => {}
            }
        }
        if moves.new > 0 {
            new_columns.extend(self.view.layout.formula_columns());
            self.check_new(moves.new, &new_columns)?;
        }
        for row in &moves.gone {
            self.check_gone(*row)?;
        }
        match &self.view.layout.frame {
            None if !moves.gone.is_empty() => self.check_beside(),
            Some(frame) if moves.new > 0 || !moves.gone.is_empty() => {
                self.check_below(frame.columns)?;
                let first = moves.gone.first().copied().unwrap_or(self.end).min(self.end);
                self.check_tables(first, frame.columns)
            }
            _ => Ok(()),
        }
    }

    /// Checks that a value may be written to a cell.
    fn check_cell(&self, row: u32, column: u32) -> Result<()> {
        if let Some(merge) = self.objects.merges.iter().find(|merge| {
            merge.meets(&one(self.sheet, row, column))
                && (merge.start_row, merge.start_column) != (Some(row), Some(column))
        }) {
            return Err(refused(format!(
                "cell {} is covered by the merged cells {}",
                cell_name(row, column),
                cells(merge)
            ))
            .next("unmerge them, or leave the column out"));
        }
        self.check_protected(&one(self.sheet, row, column), &cell_name(row, column))
    }

    /// Checks that the account may edit cells.
    fn check_protected(&self, wanted: &GridRange, what: &str) -> Result<()> {
        let closed = self.objects.protections.iter().find(|protection| {
            let open = |range: &GridRange| covers(range, wanted);
            !protection.warning_only
                && !protection.editable
                && protection.range.meets(wanted)
                && !protection.unprotected.iter().any(open)
        });
        let Some(protection) = closed else { return Ok(()) };
        let name = match protection.description.as_str() {
            "" => String::new(),
            name => format!(" \"{name}\""),
        };
        let range = match (protection.range.start_row, protection.range.start_column) {
            (None, None) if protection.range.end_row.or(protection.range.end_column).is_none() => {
                "the whole sheet".to_owned()
            }
            _ => cells(&protection.range).to_string(),
        };
        Err(Error::new(
            Kind::PermissionDenied,
            format!("{what} is in the protected range{name} ({range}), which the account in use cannot edit; nothing was written"),
        )
        .next("have the account added to its editors, or leave the columns out"))
    }

    fn check_new(&self, new: u32, columns: &BTreeSet<u32>) -> Result<()> {
        let (first, last) = (self.end, self.end.saturating_add(new));
        if let Some(Bounds { end: Some(end), holder: super::sheet_area::Holder::Fixed, .. }) =
            self.bounds
            && last > *end
        {
            return Err(Error::new(
                Kind::TooLarge,
                format!(
                    "the range ends at row {end} and has room for {} more rows, not for {new}; nothing was written",
                    end.saturating_sub(first)
                ),
            )
            .next("give a longer range, one that is open below (\"F3:K\"), or a named range, which grows"));
        }
        if let Some(merge) = self.objects.merges.iter().find(|merge| {
            merge.start_row.unwrap_or(0) < first
                && merge.end_row.is_none_or(|end| end > first)
                && columns.iter().any(|column| merge.meets(&one(self.sheet, first, *column)))
        }) {
            return Err(refused(format!(
                "the merged cells {} reach over the table's end, where new rows go",
                cells(merge)
            ))
            .next("unmerge them"));
        }
        for column in columns {
            let wanted = GridRange { end_row: Some(last), ..one(self.sheet, first, *column) };
            let letters = column_letters(*column);
            self.check_protected(&wanted, &format!("column {letters} of the new rows"))?;
        }
        Ok(())
    }

    fn check_gone(&self, row: u32) -> Result<()> {
        let columns = self.view.layout.frame.as_ref().map(|frame| frame.columns);
        let wanted = GridRange {
            sheet: self.sheet,
            start_row: Some(row),
            end_row: Some(row.saturating_add(1)),
            start_column: columns.map(|columns| columns.0),
            end_column: columns.map(|columns| columns.1),
        };
        if let Some(merge) = self.objects.merges.iter().find(|merge| {
            let rows = merge.end_row.unwrap_or(u32::MAX) - merge.start_row.unwrap_or(0);
            rows > 1 && merge.meets(&wanted)
        }) {
            return Err(refused(format!(
                "row {} is to be deleted, and is part of the merged cells {}",
                u64::from(row) + 1,
                cells(merge)
            ))
            .next("unmerge them, or set deletes to \"mark\""));
        }
        self.check_protected(&wanted, &format!("row {}", u64::from(row) + 1))
    }

    /// Checks that no other table may stand beside one whose rows are deleted whole.
    ///
    /// Columns past a blank one may be the same table's, or another's: nobody but the caller can tell. Single cells there
    /// are taken for notes on the row.
    fn check_beside(&self) -> Result<()> {
        let blocks = blocks(self.whole, self.view.layout.header_row);
        let names = self.view.writes.headers.iter().flatten();
        let mapped: Vec<u32> = names.filter_map(|name| self.view.layout.column(name)).collect();
        let other = blocks.iter().find(|block| {
            !mapped.iter().any(|column| (block.0..block.1).contains(column))
                && self.is_table(**block)
        });
        let (Some((start, end)), Some(first)) = (other, mapped.iter().min()) else { return Ok(()) };
        let own = blocks.iter().find(|(start, end)| (*start..*end).contains(first));
        let (left, right) = own.copied().unwrap_or((*first, first.saturating_add(1)));
        let letters = column_letters;
        Err(refused(format!(
            "rows are to be deleted, and columns {}:{} beside them, past a blank column, may be of another table",
            letters(*start),
            letters(end.saturating_sub(1))
        ))
        .next(format!(
            "name the table with range: \"{}{row}:{}\" is the columns up to the blank one; or set deletes to \"mark\"",
            letters(left),
            letters(right.saturating_sub(1)),
            row = self.view.layout.header_row + 1
        )))
    }

    /// Returns whether columns look like a table: named in the same row, or by rows that are filled below each other.
    fn is_table(&self, (start, end): (u32, u32)) -> bool {
        let filled = |row: u32, column: u32| !self.whole.cell(row, column).is_empty();
        let header = self.view.layout.header_row;
        let Some(first) =
            (header..self.whole.height()).find(|row| (start..end).any(|c| filled(*row, c)))
        else {
            return false;
        };
        let wide = end.saturating_sub(start) >= 2;
        let second = start.saturating_add(1);
        first == header
            || (wide
                && (0..3).all(|down| filled(first + down, start) && filled(first + down, second)))
    }

    /// Checks that nothing below the table is torn apart when cells of its columns alone are shifted.
    fn check_below(&self, (left, right): (u32, u32)) -> Result<()> {
        let torn = (self.end..self.whole.height()).find_map(|row| {
            let filled = |column: Option<u32>| {
                column.is_some_and(|column| !self.whole.cell(row, column).is_empty())
            };
            let across = |outside: Option<u32>, inside: Option<u32>| {
                (filled(outside) && filled(inside)).then_some(inside).flatten()
            };
            let cell = across(left.checked_sub(1), Some(left))
                .or_else(|| across(Some(right), right.checked_sub(1)));
            cell.map(|column| cell_name(row, column))
        });
        match torn {
            None => Ok(()),
            Some(cell) => Err(refused(format!(
                "rows come or go, and {cell} below is part of a table that reaches beyond the columns {}:{}, which would be torn",
                column_letters(left),
                column_letters(right.saturating_sub(1))
            ))
            .next("move one of the two tables, so that they do not share columns")),
        }
    }

    /// Checks that no other table of the spreadsheet is torn apart.
    fn check_tables(&self, first: u32, (left, right): (u32, u32)) -> Result<()> {
        let moving = GridRange {
            sheet: self.sheet,
            start_row: Some(first),
            end_row: None,
            start_column: Some(left),
            end_column: Some(right),
        };
        let torn = self.objects.tables.iter().find(|table| {
            let whole = GridRange { start_row: None, ..moving };
            table.range.meets(&moving) && !covers(&whole, &table.range)
        });
        match torn {
            None => Ok(()),
            Some(table) => Err(refused(format!(
                "rows come or go in the columns {}:{}, and the table \"{}\" ({}) reaches beyond them",
                column_letters(left),
                column_letters(right.saturating_sub(1)),
                table.name,
                cells(&table.range)
            ))
            .next("name the table itself with range")),
        }
    }
}

fn refused(message: String) -> Error {
    Error::invalid(format!("{message}; nothing was written"))
}

fn one(sheet: i32, row: u32, column: u32) -> GridRange {
    GridRange {
        sheet,
        start_row: Some(row),
        end_row: Some(row.saturating_add(1)),
        start_column: Some(column),
        end_column: Some(column.saturating_add(1)),
    }
}

/// Returns whether a range holds all of another.
fn covers(range: &GridRange, other: &GridRange) -> bool {
    let end = |own: Option<u32>, other: Option<u32>| {
        own.is_none_or(|own| other.is_some_and(|other| other <= own))
    };
    range.sheet == other.sheet
        && range.start_row.unwrap_or(0) <= other.start_row.unwrap_or(0)
        && range.start_column.unwrap_or(0) <= other.start_column.unwrap_or(0)
        && end(range.end_row, other.end_row)
        && end(range.end_column, other.end_column)
}

/// Returns the runs of columns that have data from a row on, blank columns between them.
fn blocks(picture: &Picture, from: u32) -> Vec<(u32, u32)> {
    let mut blocks: Vec<(u32, u32)> = Vec::new();
    let filled =
        |column: u32| (from..picture.height()).any(|row| !picture.cell(row, column).is_empty());
    for column in (0..picture.width()).filter(|column| filled(*column)) {
        match blocks.last_mut() {
            Some((_, end)) if *end == column => *end += 1,
            _ => blocks.push((column, column.saturating_add(1))),
        }
    }
    blocks
}

/// Returns the error about merged cells in a header row, if there are any in the columns meant.
pub(crate) fn merged_header(
    objects: &Objects,
    row: u32,
    own: impl Fn(u32) -> bool,
) -> Option<Error> {
    let in_it = |merge: &&GridRange| {
        let columns = merge.start_column.unwrap_or(0)..merge.end_column.unwrap_or(u32::MAX);
        (merge.start_row.unwrap_or(0)..merge.end_row.unwrap_or(u32::MAX)).contains(&row)
            && columns.take(1_000).any(&own)
    };
    let merge = objects.merges.iter().find(in_it)?;
    Some(
        refused(format!(
            "the header in row {} has merged cells, {}: which column each name is of cannot be told",
            u64::from(row) + 1,
            cells(merge)
        ))
        .next("unmerge them and give each column a name of its own, or name another row with headerRow"),
    )
}
