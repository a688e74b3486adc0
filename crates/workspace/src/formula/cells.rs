//! The cells of a book as formulas read them: stored values, and those computed already.

use std::collections::HashMap;

use lockstep_a1::{Cells, Rect};
use serde_json::Value;

use super::evaluate::Source;
use super::value::Outcome;
use crate::book::Book;
use crate::grid::{CHUNK, Scalar};
use crate::http::ApiError;
use crate::store::Session;

/// Is how many cells are kept decoded before all are dropped.
const KEPT: usize = 1_000_000;

/// Is a place: sheet, row, column.
pub(super) type Place = (i32, u32, u32);

/// Is the values of a chunk of rows, and whether they are of a formula.
type Chunk = Vec<Vec<(Scalar, bool)>>;

/// Reads a book.
pub(super) struct BookCells<'a, 's> {
    session: &'a mut Session<'s>,
    book: &'a Book,
    /// What is decoded, by sheet and number of the chunk.
    chunks: HashMap<(i32, u32), Chunk>,
    kept: usize,
    /// What formulas gave in this run.
    pub(super) computed: HashMap<Place, Scalar>,
}

impl<'a, 's> BookCells<'a, 's> {
    pub(super) fn new(session: &'a mut Session<'s>, book: &'a Book) -> Self {
        Self { session, book, chunks: HashMap::new(), kept: 0, computed: HashMap::new() }
    }

    /// Returns the value that is stored in a cell.
    pub(super) fn stored(&mut self, (sheet, row, column): Place) -> Result<Scalar, ApiError> {
        let chunk = self.chunk(sheet, row / CHUNK)?;
        let cell = chunk.get((row % CHUNK) as usize).and_then(|cells| cells.get(column as usize));
        Ok(cell.map_or(Scalar::Empty, |(value, _)| value.clone()))
    }

    fn chunk(&mut self, sheet: i32, number: u32) -> Result<&Chunk, ApiError> {
        if !self.chunks.contains_key(&(sheet, number)) {
            if self.kept > KEPT {
                self.chunks.clear();
                self.kept = 0;
            }
            let rows = self.read(sheet, number)?;
            self.kept += rows.iter().map(Vec::len).sum::<usize>();
            self.chunks.insert((sheet, number), rows);
        }
        self.chunks
            .get(&(sheet, number))
            .ok_or_else(|| ApiError::internal("a chunk was dropped while in use"))
    }

    fn read(&mut self, sheet: i32, number: u32) -> Result<Chunk, ApiError> {
        let mut rows = Vec::new();
        let Some(sheet) = self.book.sheet(sheet) else { return Ok(rows) };
        let start = number * CHUNK;
        sheet.grid.window(self.session, start, start + CHUNK)?.each(&mut |_, line| {
            let mut row = Vec::new();
            line.each(&mut |column, cell| {
                row.resize_with(column as usize, Default::default);
                row.push((cell.value.to_scalar(), cell.formula.is_some()));
            })?;
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }
}

impl Source for BookCells<'_, '_> {
    fn sheet(&mut self, title: &str) -> Option<i32> {
        self.book.sheet_titled(title).filter(|sheet| sheet.is_grid()).map(|sheet| sheet.id)
    }

    fn named(&mut self, name: &str) -> Option<(i32, Cells)> {
        named(self.book, name)
    }

    fn size(&mut self, sheet: i32) -> (u32, u32) {
        self.book.sheet(sheet).map_or((0, 0), |sheet| (sheet.grid.rows(), sheet.grid.columns()))
    }

    fn value(&mut self, sheet: i32, row: u32, column: u32) -> Outcome<Scalar> {
        match self.computed.get(&(sheet, row, column)) {
            Some(value) => Ok(value.clone()),
            None => Ok(self.stored((sheet, row, column))?),
        }
    }

    fn each(
        &mut self,
        sheet: i32,
        rect: Rect,
        visit: &mut dyn FnMut(u32, u32, &Scalar) -> Outcome<()>,
    ) -> Outcome<()> {
        let Some(last) = rect.end_row.checked_sub(1) else { return Ok(()) };
        for number in rect.start_row / CHUNK..=last / CHUNK {
            self.chunk(sheet, number)?;
            let Some(rows) = self.chunks.get(&(sheet, number)) else { continue };
            for (row, cells) in (number * CHUNK..).zip(rows) {
                if row < rect.start_row || row >= rect.end_row {
                    continue;
                }
                let cells = (0_u32..)
                    .zip(cells)
                    .take(rect.end_column as usize)
                    .skip(rect.start_column as usize);
                for (column, (stored, is_formula)) in cells {
                    let computed =
                        if *is_formula { self.computed.get(&(sheet, row, column)) } else { None };
                    let value = computed.unwrap_or(stored);
                    if *value != Scalar::Empty {
                        visit(row, column, value)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Returns the cells of a named range of a book; names differ in case like Google's do not.
pub(super) fn named(book: &Book, name: &str) -> Option<(i32, Cells)> {
    let wanted = name.to_lowercase();
    let range = book
        .head
        .named_ranges
        .iter()
        .find(|named| {
            named
                .get("name")
                .and_then(Value::as_str)
                .is_some_and(|name| name.to_lowercase() == wanted)
        })?
        .get("range")?;
    let edge =
        |name: &str| range.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let sheet = range
        .get("sheetId")
        .and_then(Value::as_i64)
        .and_then(|id| i32::try_from(id).ok())
        .unwrap_or(0);
    let cells = Cells {
        start_row: edge("startRowIndex").unwrap_or(0),
        end_row: edge("endRowIndex"),
        start_column: edge("startColumnIndex").unwrap_or(0),
        end_column: edge("endColumnIndex"),
    };
    Some((sheet, cells))
}
