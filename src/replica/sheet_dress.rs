//! What new rows get beside their values: the formulas, formats and data validation of a row of the table.

use std::collections::BTreeSet;

use lockstep_a1::{column_letters, quote_always};
use lockstep_google::{
    CellWrite, Google, GridParts, GridRange, NumberFormat, NumberKind, Paste, Request, Validation,
};

use super::{
    sheet,
    sheet_check::{Todo, View},
    sheet_layout::Layout,
    sheet_ops::Ops,
    sheet_picture::Seen,
    sheet_wounds::Column,
};
use crate::error::Result;

/// What is known of a table's columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dress {
    /// Columns that hold formulas: new rows get that of the row above, and no value is written over one.
    pub(crate) formulas: Vec<Column>,
    /// How people format the dates and times of columns.
    formats: Vec<(Column, NumberFormat)>,
    /// What people may enter in columns.
    pub(crate) rules: Vec<(Column, Validation)>,
    /// The range that says where the table is, and grows with it.
    pub(crate) holder: Option<Held>,
}

/// A named range or a table of the spreadsheet, with the range that it has.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Its id.
    pub(crate) id: String,
    /// Whether it is a table; else a named range.
    pub(crate) table: bool,
    /// What it holds; closed rows.
    pub(crate) range: GridRange,
    /// The header's row when it held that.
    pub(crate) header_row: u32,
}

impl Held {
    /// Returns the request that lets it reach to a row, from where its header is now.
    pub(crate) fn reach(&self, end: u32, header_row: u32, columns: Option<(u32, u32)>) -> Request {
        let start = self.range.start_row.unwrap_or(0).saturating_add(header_row);
        let range = GridRange {
            start_row: Some(start.saturating_sub(self.header_row)),
            end_row: Some(end),
            start_column: columns.map(|columns| columns.0).or(self.range.start_column),
            end_column: columns.map(|columns| columns.1).or(self.range.end_column),
            ..self.range
        };
        match self.table {
            true => Request::MoveTable { id: self.id.clone(), range },
            false => Request::MoveNamedRange { id: self.id.clone(), range },
        }
    }
}

/// The columns that are written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    all: BTreeSet<u32>,
    /// Those that get dates.
    dated: BTreeSet<u32>,
}

impl Written {
    /// Adds the columns that a change writes to.
    pub(crate) fn add(&mut self, todo: &Todo) {
        let cells: &mut dyn Iterator<Item = (u32, &CellWrite)> = match todo {
            Todo::Set(_, cells) => &mut cells.iter().map(|(column, cell)| (*column, cell)),
            Todo::Append(cells) => &mut (0_u32..).zip(cells),
            Todo::Remove(_) | Todo::Gone => return,
        };
        for (column, cell) in cells.filter(|(_, cell)| **cell != CellWrite::empty()) {
            self.all.insert(column);
            if cell.format.is_some() {
                self.dated.insert(column);
            }
        }
    }
}

impl Dress {
    /// Finds the columns that hold formulas: most of their filled cells under the header are.
    pub(crate) fn learn(&mut self, view: &View<'_>) {
        let width = view.picture.width();
        let mut counts = vec![(0_usize, 0_usize); usize::try_from(width).unwrap_or(0)];
        for row in view.picture.cells_from(view.layout.first_row()) {
            for ((filled, formulas), cell) in counts.iter_mut().zip(&row) {
                *filled += usize::from(!cell.is_empty());
                *formulas += usize::from(cell.formula().is_some());
            }
        }
        self.formulas = (0_u32..)
            .zip(counts)
            .filter(|(_, (filled, formulas))| formulas * 2 > *filled)
            .map(|(column, _)| Column::of(view.layout, column))
            .collect();
    }

    /// Reads how the columns that are written are formatted and what may be entered in them; at most one read call.
    pub(crate) async fn look(
        &mut self,
        google: &Google,
        (id, title): (&str, &str),
        view: &View<'_>,
        written: &Written,
    ) -> Result<()> {
        let Some(last) = last_keyed(view, |_| true) else { return Ok(()) };
        let number = |column: u32| {
            let rows = (view.layout.first_row()..view.picture.height()).rev();
            let is = |cell: &Seen| matches!(cell.value(), lockstep_google::CellValue::Number(_));
            rows.into_iter().find(|row| is(&view.picture.cell(*row, column)))
        };
        let rules = written.all.iter().map(|column| (last, *column));
        let formats = written.dated.iter().filter_map(|column| Some((number(*column)?, *column)));
        let cells: BTreeSet<(u32, u32)> = rules.chain(formats).collect();
        let cell = |(row, column): &(u32, u32)| {
            format!("{}!{}{}", quote_always(title), column_letters(*column), u64::from(*row) + 1)
        };
        let ranges: Vec<String> = cells.iter().map(cell).collect();
        if ranges.is_empty() {
            return Ok(());
        }
        let parts = GridParts { format: true, validation: true, ..GridParts::default() };
        let blocks = google.grid(id, &ranges, parts).await.map_err(|e| sheet::named(e, id))?;
        for block in blocks {
            let found = block.rows.into_iter().next().and_then(|row| row.into_iter().next());
            let Some(found) = found else { continue };
            let column = Column::of(view.layout, block.column);
            let dates = [NumberKind::Date, NumberKind::Time, NumberKind::DateTime];
            if let Some(format) = found.format.filter(|format| dates.contains(&format.kind))
                && number(block.column) == Some(block.row)
            {
                self.formats.push((column.clone(), format));
            }
            if let Some(rule) = found.validation.filter(|_| block.row == last) {
                self.rules.push((column, *rule));
            }
        }
        Ok(())
    }
}

impl Layout {
    /// Returns the places of the columns that hold formulas.
    pub(crate) fn formula_columns(&self) -> Vec<u32> {
        self.dress.formulas.iter().filter_map(|column| column.find(self)).collect()
    }

    /// Returns how people format the dates of a column.
    pub(crate) fn date_format(&self, place: u32) -> Option<&NumberFormat> {
        let own = |(column, _): &&(Column, NumberFormat)| column.find(self) == Some(place);
        self.dress.formats.iter().find(own).map(|(_, format)| format)
    }
}

/// Returns the last row of the table with a key that meets a condition.
fn last_keyed(view: &View<'_>, meets: impl Fn(u32) -> bool) -> Option<u32> {
    let keyed = |row: u32| match view.writes.schema.key.is_empty() {
        true => !view.picture.row(row).iter().all(Seen::is_empty),
        false => !view.layout.key(view.writes, &view.picture.row(row)).is_blank(),
    };
    let mut rows = (view.layout.first_row()..view.picture.height()).rev();
    rows.find(|row| meets(*row) && keyed(*row))
}

impl Ops {
    /// Returns the row whose formulas, formats and validation new rows get: the last that has all formulas of the table.
    ///
    /// Rather one that stays, so that reading its key back proves that it was the one.
    pub(crate) fn pattern(&self, view: &View<'_>) -> Option<u32> {
        if self.appends.is_empty() {
            return None;
        }
        let formulas = view.layout.formula_columns();
        let dressed = |row: u32| {
            formulas.iter().all(|column| view.picture.cell(row, *column).formula().is_some())
        };
        let stays = |row: u32| !self.removes.contains_key(&row);
        last_keyed(view, |row| stays(row) && dressed(row)).or_else(|| last_keyed(view, dressed))
    }
}

/// Returns the requests that give rows what a row of the table has beside its values.
pub(crate) fn requests(
    sheet: i32,
    pattern: u32,
    (first, end): (u32, u32),
    (left, right): (u32, u32),
    formulas: &[u32],
) -> Vec<Request> {
    let range = |rows: (u32, u32), columns: (u32, u32)| GridRange {
        sheet,
        start_row: Some(rows.0),
        end_row: Some(rows.1),
        start_column: Some(columns.0),
        end_column: Some(columns.1),
    };
    let copy = |paste: Paste, columns: (u32, u32)| Request::CopyPaste {
        source: range((pattern, pattern.saturating_add(1)), columns),
        target: range((first, end), columns),
        paste,
    };
    let all = [Paste::Formats, Paste::Validation].map(|paste| copy(paste, (left, right)));
    all.into_iter().chain(runs(formulas).map(|run| copy(Paste::Formulas, run))).collect()
}

/// Returns runs of neighbours.
fn runs(columns: &[u32]) -> impl Iterator<Item = (u32, u32)> {
    let mut sorted: Vec<u32> = columns.to_vec();
    sorted.sort_unstable();
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for column in sorted {
        match runs.last_mut() {
            Some((_, end)) if *end == column => *end += 1,
            _ => runs.push((column, column.saturating_add(1))),
        }
    }
    runs.into_iter()
}

/// Returns the runs of columns that are no formulas.
pub(crate) fn values(span: (u32, u32), formulas: &[u32]) -> Vec<(u32, u32)> {
    let columns: Vec<u32> = (span.0..span.1).filter(|column| !formulas.contains(column)).collect();
    runs(&columns).collect()
}
