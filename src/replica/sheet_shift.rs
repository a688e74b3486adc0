//! The requests that move rows: room for new ones, rows that go, rows that come back.
//!
//! A table that has its rows for itself is moved by whole rows of the sheet; one that shares them by its own cells alone, so
//! that what stands beside it stays, and what stands below it moves only to make room.

use std::collections::BTreeMap;

use lockstep_google::{CellFields, CellWrite, Dimension, GridRange, NumberFormat, Paste, Request};

use super::{
    sheet_check::View,
    sheet_dress,
    sheet_frame::Frame,
    sheet_ops::{BLOCK_BYTES, Ops, Put},
    sheet_picture::Seen,
};

fn count(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Returns rows of the table.
fn range(sheet: i32, rows: (u32, u32), columns: (u32, u32)) -> GridRange {
    GridRange {
        sheet,
        start_row: Some(rows.0),
        end_row: Some(rows.1),
        start_column: Some(columns.0),
        end_column: Some(columns.1),
    }
}

impl Ops {
    /// Returns the new rows as rows that are inserted after the last one with data and look like one of the table.
    ///
    /// Inserted, so that nothing is overwritten that somebody else wrote there meanwhile.
    pub(crate) fn inserted(
        &self,
        view: &View<'_>,
        sheet: i32,
        end: u32,
        pattern: Option<u32>,
    ) -> Vec<Request> {
        let new = count(self.appends.len());
        if new == 0 {
            return Vec::new();
        }
        let layout = view.layout;
        let last = end.saturating_add(new);
        let width = self.appends.iter().map(|append| count(append.cells.len())).max().unwrap_or(0);
        let columns = layout
            .frame
            .as_ref()
            .map_or((0, width.max(view.picture.width()).max(1)), |frame| frame.columns);
        let grid_rows = layout.grid_rows.max(view.picture.height());
        let mut requests = match layout.frame {
            Some(_) => {
                let missing = last.saturating_sub(grid_rows);
                let dimension = Dimension::Rows;
                let grow = Request::AppendDimension { sheet, dimension, length: missing };
                let room = Request::InsertRange { range: range(sheet, (end, last), columns) };
                Some(grow).filter(|_| missing > 0).into_iter().chain([room]).collect()
            }
            None => vec![Request::InsertDimension {
                sheet,
                dimension: Dimension::Rows,
                start: end,
                end: last,
                // Not the height and hiding of the row above, where there is a choice.
                inherit_from_before: end >= grid_rows,
            }],
        };
        let formulas = match pattern {
            Some(pattern) => {
                let formulas = layout.formula_columns();
                let rows = (end, last);
                requests.extend(sheet_dress::requests(sheet, pattern, rows, columns, &formulas));
                formulas
            }
            None => Vec::new(),
        };
        for run in sheet_dress::values((columns.0, width.min(columns.1)), &formulas) {
            self.values(sheet, end, run, &mut requests);
        }
        requests.extend(self.formats().into_iter().map(|(at, format)| Request::RepeatFormat {
            range: range(sheet, (end, last), (at, at.saturating_add(1))),
            format,
        }));
        if let Some(held) = &layout.dress.holder
            && held.range.end_row.is_some_and(|held| held <= end)
        {
            let columns = layout.frame.as_ref().map(|frame| frame.columns);
            requests.push(held.reach(last, layout.header_row, columns));
        }
        requests
    }

    /// Adds the values of new rows in a run of columns, in blocks.
    fn values(&self, sheet: i32, end: u32, run: (u32, u32), requests: &mut Vec<Request>) {
        let mut bytes = usize::MAX;
        for (row, append) in (end..).zip(&self.appends) {
            let cell = |column: u32| {
                let value = append.cells.get(size(column)).map(|cell| cell.value.clone());
                CellWrite { value: value.unwrap_or_default(), format: None }
            };
            let cells: Vec<CellWrite> = (run.0..run.1).map(cell).collect();
            let request = Request::UpdateCells {
                sheet,
                row,
                column: run.0,
                rows: vec![cells],
                fields: CellFields::Values,
            };
            let size = request.wire_size();
            let fits = bytes.saturating_add(size) <= BLOCK_BYTES;
            match (requests.last_mut(), request) {
                (
                    Some(Request::UpdateCells { rows: block, .. }),
                    Request::UpdateCells { rows, .. },
                ) if fits => {
                    block.extend(rows);
                    bytes += size;
                }
                (_, request) => {
                    requests.push(request);
                    bytes = size;
                }
            }
        }
    }

    /// Returns the number formats that the values of new rows need, by column.
    fn formats(&self) -> BTreeMap<u32, NumberFormat> {
        let mut formats = BTreeMap::new();
        for append in &self.appends {
            for (at, cell) in (0_u32..).zip(&append.cells) {
                if let Some(format) = &cell.format {
                    formats.entry(at).or_insert_with(|| format.clone());
                }
            }
        }
        formats
    }

    /// Returns the deletes and the rows put back, from the bottom up; neighbouring deletes together.
    pub(crate) fn structure(&self, view: &View<'_>, sheet: i32, end: u32) -> Vec<Request> {
        let frame = view.layout.frame.as_ref();
        let mut spans: Vec<(u32, u32)> = Vec::new();
        let mut requests: Vec<Request> = Vec::new();
        let mut puts: Vec<&Put> = self.puts.iter().collect();
        // Several rows put before the same one end in their order, as each is put on top of the one before.
        puts.sort_by_key(|put| put.row);
        let mut puts = puts.into_iter().rev().peekable();
        let close = |spans: &mut Vec<(u32, u32)>, requests: &mut Vec<Request>| {
            requests.extend(spans.drain(..).map(|span| delete(sheet, span, frame)));
        };
        for row in self.removes.keys().rev() {
            while let Some(put) = puts.next_if(|put| put.row > *row) {
                close(&mut spans, &mut requests);
                requests.extend(put_requests(view, sheet, put));
            }
            match spans.last_mut() {
                Some((start, _)) if *start == row + 1 => *start = *row,
                _ => spans.push((*row, row.saturating_add(1))),
            }
        }
        close(&mut spans, &mut requests);
        requests.extend(puts.flat_map(|put| put_requests(view, sheet, put)));
        let gone = count(self.removes.len());
        if let Some(frame) = frame.filter(|frame| gone > 0 && frame.below().is_some()) {
            // What stands below moved up with the cells that went: it goes back to its place.
            let last = end
                .saturating_add(count(self.appends.len()))
                .saturating_add(count(self.puts.len()));
            let rows = (last.saturating_sub(gone), last);
            requests.push(Request::InsertRange { range: range(sheet, rows, frame.columns) });
        }
        requests
    }

    /// Returns one past the row of the table's end after the batch, if something stands below it.
    pub(crate) fn end_after(&self, view: &View<'_>, end: u32) -> Option<u32> {
        view.layout.frame.as_ref()?.below()?;
        let came = count(self.appends.len()).saturating_add(count(self.puts.len()));
        Some(end.saturating_add(came).saturating_sub(count(self.removes.len())))
    }
}

fn delete(sheet: i32, rows: (u32, u32), frame: Option<&Frame>) -> Request {
    match frame {
        Some(frame) => Request::DeleteRange { range: range(sheet, rows, frame.columns) },
        None => Request::DeleteDimension {
            sheet,
            dimension: Dimension::Rows,
            start: rows.0,
            end: rows.1,
        },
    }
}

fn put_requests(view: &View<'_>, sheet: i32, put: &Put) -> Vec<Request> {
    let after = put.row.saturating_add(1);
    let (columns, mut requests) = match &view.layout.frame {
        Some(frame) => {
            let columns = frame.columns;
            let above = put.row.saturating_sub(1);
            let like = if put.row > view.layout.first_row() { above } else { after };
            let copy = |paste: Paste| Request::CopyPaste {
                source: range(sheet, (like, like.saturating_add(1)), columns),
                target: range(sheet, (put.row, after), columns),
                paste,
            };
            let insert = Request::InsertRange { range: range(sheet, (put.row, after), columns) };
            (columns, vec![insert, copy(Paste::Formats), copy(Paste::Validation)])
        }
        None => (
            (0, u32::MAX),
            vec![Request::InsertDimension {
                sheet,
                dimension: Dimension::Rows,
                start: put.row,
                end: after,
                inherit_from_before: true,
            }],
        ),
    };
    let cells = put.cells.iter().take(size(columns.1)).skip(size(columns.0));
    requests.push(Request::UpdateCells {
        sheet,
        row: put.row,
        column: columns.0,
        rows: vec![cells.map(Seen::write).collect()],
        fields: CellFields::Values,
    });
    requests
}
