//! New rows for a table on a sheet that nobody compares: below the last one, dressed like it.

use lockstep_a1::quote_always;
use lockstep_engine::{key::Key, schema::Schema, snapshot::Snapshot};
use lockstep_google::{
    BatchReply, CellValue, CellWrite, Google, Marker, Request, Sheet, Spreadsheet,
};

use super::{
    apply::Writes,
    header::Header,
    sheet_area::Bounds,
    sheet_check::{Todo, View},
    sheet_columns::{holder, layout},
    sheet_dress::{self, Dress, Written},
    sheet_ends::HEAD,
    sheet_layout::{Index, Layout},
    sheet_ops::{Append, Ops},
    sheet_picture::{Picture, Seen},
    sheet_space::Space,
    sheet_table::SheetTable,
    sheet_window::Window,
};
use crate::error::{Error, Result};

/// A table that gets rows, as it was seen.
#[derive(Debug)]
pub(crate) struct Ground {
    /// Its header.
    pub(crate) header: Header,
    whole: Picture,
    picture: Picture,
    layout: Layout,
    index: Index,
    schema: Schema,
    snapshot: Snapshot,
    bounds: Option<Bounds>,
}

impl Ground {
    /// Reads what new rows of a table need to see; two read calls, as a rule.
    ///
    /// Of a table that has its sheet to itself that is the sheet's two ends; which columns hold formulas is told by these.
    /// A table that shares its sheet is looked at with all that stands beside and below it.
    ///
    /// # Errors
    /// A sheet without a header, or with one that cannot be used.
    pub(crate) async fn read(
        google: &Google,
        spreadsheet: &Spreadsheet,
        sheet: &Sheet,
        mut window: Window,
        header_row: Option<u32>,
    ) -> Result<Self> {
        let ends = match (&window.bounds, header_row.unwrap_or(0) <= HEAD) {
            (None, true) => Picture::read_ends(google, &spreadsheet.id, sheet).await?,
            _ => None,
        };
        let blank = |ends: &Picture| (0..HEAD).all(|row| ends.row(row).iter().all(Seen::is_empty));
        let whole = match ends.filter(|ends| !blank(ends)) {
            Some(ends) => ends,
            None => Picture::read(google, &spreadsheet.id, &sheet.title).await?,
        };
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let (top, end) = (size(window.top), size(window.end));
        let rows: Vec<Vec<CellValue>> = whole
            .rows
            .iter()
            .take(end)
            .skip(top)
            .map(|row| {
                let cells = row.cells().take(size(window.right)).skip(size(window.left));
                cells.map(|cell| cell.value().clone()).collect()
            })
            .collect();
        let header = window.header(sheet, &rows, header_row)?.ok_or_else(|| {
            Error::invalid("there is no header: the sheet is empty")
                .next("write the column names first, with updateCells at A1")
        })?;
        let (schema, snapshot) = (Schema::new(Vec::new(), Vec::new()), Snapshot::default());
        let table = SheetTable {
            spreadsheet: spreadsheet.id.clone(),
            title: sheet.title.clone(),
            header_row: header.row,
            header: Some(header.clone()),
            bounds: window.bounds.clone(),
        };
        let writes = Writes {
            schema: &schema,
            headers: &[],
            optional: &[],
            snapshot: &snapshot,
            changes: &[],
        };
        let (picture, mut layout) = layout(&table, sheet, &writes, whole.clone(), &mut Vec::new())?;
        let held = holder(&table, spreadsheet, sheet, &layout)?;
        let index = layout.index(&writes, &picture);
        let mut dress = Dress::default();
        dress.holder = held;
        dress.learn(&View { writes: &writes, picture: &picture, layout: &layout, index: &index });
        layout.dress = dress.into();
        let bounds = window.bounds;
        Ok(Self { header, whole, picture, layout, index, schema, snapshot, bounds })
    }

    /// Returns the row after the last one with data.
    pub(crate) fn end(&self) -> u32 {
        self.picture.height().max(self.layout.first_row())
    }

    fn writes(&self) -> Writes<'_> {
        Writes {
            schema: &self.schema,
            headers: &[],
            optional: &[],
            snapshot: &self.snapshot,
            changes: &[],
        }
    }

    fn view<'a>(&'a self, writes: &'a Writes<'a>) -> View<'a> {
        View { writes, picture: &self.picture, layout: &self.layout, index: &self.index }
    }

    /// Checks new rows and returns the requests that write them; at most one read call.
    ///
    /// # Errors
    /// No room for them, protected cells, and values in columns that hold formulas.
    pub(crate) async fn requests(
        &mut self,
        google: &Google,
        id: &str,
        sheet: &Sheet,
        rows: &[Vec<CellWrite>],
    ) -> Result<Vec<Request>> {
        let todos = || rows.iter().cloned().map(Todo::Append);
        let mut written = Written::default();
        todos().for_each(|todo| written.add(&todo));
        let mut dress = (*self.layout.dress).clone();
        let writes = self.writes();
        dress.look(google, (id, &sheet.title), &self.view(&writes), &written).await?;
        self.layout.dress = dress.into();
        let formulas = self.layout.formula_columns();
        let filled = |row: &Vec<CellWrite>, column: u32| {
            let cell = usize::try_from(column).ok().and_then(|column| row.get(column));
            cell.is_some_and(|cell| *cell != CellWrite::empty())
        };
        for (number, row) in rows.iter().enumerate() {
            if let Some(column) = formulas.iter().find(|column| filled(row, **column)) {
                return Err(Error::invalid(format!(
                    "argument rows[{number}]: column \"{}\" holds formulas, and new rows get that of the row above",
                    self.layout.label(*column)
                ))
                .next("leave the column out"));
            }
        }
        let writes = self.writes();
        let view = self.view(&writes);
        let space = Space {
            sheet: sheet.id,
            objects: &sheet.objects,
            whole: &self.whole,
            view,
            bounds: self.bounds.as_ref(),
            end: self.end(),
        };
        space.check(todos().map(Ok))?;
        Ok(self.ops(rows).requests(&view, sheet.id, self.end()))
    }

    fn ops(&self, rows: &[Vec<CellWrite>]) -> Ops {
        let format = |column: u32, cell: &CellWrite| {
            let own = self.layout.date_format(column).filter(|_| cell.format.is_some());
            CellWrite { value: cell.value.clone(), format: own.or(cell.format.as_ref()).cloned() }
        };
        let append = |cells: &Vec<CellWrite>| Append {
            key: Key::of(""),
            change: 0,
            cells: (0_u32..).zip(cells).map(|(column, cell)| format(column, cell)).collect(),
        };
        Ops { appends: rows.iter().map(append).collect(), ..Ops::default() }
    }

    /// Sends the rows, exactly once; returns whether the row that they were dressed like was still in its place.
    ///
    /// # Errors
    /// A refusal, or an outcome that could not be settled.
    pub(crate) async fn send(
        &self,
        google: &Google,
        (id, sheet): (&str, &Sheet),
        requests: &[Request],
        marker: &Marker,
        rows: &[Vec<CellWrite>],
    ) -> Result<bool> {
        let writes = self.writes();
        let pattern = self.ops(rows).pattern(&self.view(&writes));
        let range = pattern.map(|row| {
            let row = u64::from(row) + 1;
            format!("{}!{row}:{row}", quote_always(&sheet.title))
        });
        let range: Vec<String> = range.into_iter().collect();
        let reply = google.batch_update_once(id, requests, marker, &range).await?;
        Ok(pattern.is_none_or(|pattern| self.is_as_seen(&reply, pattern)))
    }

    fn is_as_seen(&self, reply: &BatchReply, row: u32) -> bool {
        let block = reply.read_back.iter().find(|block| block.row == row);
        let cells = block.and_then(|block| block.rows.first()).map(Vec::as_slice);
        let shown = |column: u32| {
            let cell = usize::try_from(column).ok().and_then(|column| cells?.get(column));
            Seen::showing(cell.map(|cell| cell.value.clone()).unwrap_or_default())
        };
        self.header.columns.iter().all(|column| {
            let seen = self.picture.cell(row, column.index);
            seen.formula().is_some() || seen == shown(column.index)
        })
    }

    /// Returns the requests that dress rows again that were dressed like a row which had moved; none if they are right.
    pub(crate) fn redress(&self, sheet: i32, (first, end): (u32, u32)) -> Vec<Request> {
        let formulas = self.layout.formula_columns();
        let has = |row: u32| {
            formulas.iter().all(|column| self.picture.cell(row, *column).formula().is_some())
        };
        if (first..end).all(has) {
            return Vec::new();
        }
        let mut rows = (self.layout.first_row()..self.picture.height()).rev();
        let Some(pattern) = rows.find(|row| !(first..end).contains(row) && has(*row)) else {
            return Vec::new();
        };
        let columns = self
            .layout
            .frame
            .as_ref()
            .map_or((0, self.picture.width().max(1)), |frame| frame.columns);
        sheet_dress::requests(sheet, pattern, (first, end), columns, &formulas)
    }
}
