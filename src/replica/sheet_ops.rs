//! What one batch does to a sheet, by position, and the requests that do it.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::key::Key;
use lockstep_google::{CellFields, CellWrite, GridRange, Input, NumberFormat, Request};

use serde::{Deserialize, Serialize};

use super::{sheet_check::View, sheet_picture::Seen};

/// How many bytes of new rows one request carries; a batch takes several.
pub(crate) const BLOCK_BYTES: usize = 400_000;

/// How many rows below their expected place new rows still get their date format, if others added rows meanwhile.
const FORMAT_MARGIN: u32 = 64;

/// The positional operations of one batch, each with the key of the row that it is meant for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ops {
    /// Cells to write, by row.
    pub(crate) sets: BTreeMap<u32, SetRow>,
    /// New rows.
    pub(crate) appends: Vec<Append>,
    /// Rows to delete.
    pub(crate) removes: BTreeMap<u32, Removal>,
    /// Rows to put back.
    pub(crate) puts: Vec<Put>,
}

/// Cells of a row to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SetRow {
    /// The key of the row; blank for a row that has none.
    pub(crate) key: Key,
    /// The cells, by column, ascending.
    #[serde(with = "super::sheet_aim::placed")]
    pub(crate) cells: Vec<(u32, CellWrite)>,
    /// The change that they belong to, if any.
    pub(crate) change: Option<usize>,
}

/// A new row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Append {
    /// The key it will have.
    pub(crate) key: Key,
    /// The change.
    pub(crate) change: usize,
    /// The cells from the first column on.
    #[serde(with = "super::sheet_aim::writes")]
    pub(crate) cells: Vec<CellWrite>,
}

/// A row to delete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Removal {
    /// The key of the row.
    pub(crate) key: Key,
    /// The change, or `None` for a row of ours that stands in the wrong columns.
    pub(crate) change: Option<usize>,
}

/// A row that was deleted by mistake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Put {
    /// Its key.
    pub(crate) key: Key,
    /// The row before which it is put.
    pub(crate) row: u32,
    /// Its cells from the first column on.
    pub(crate) cells: Vec<Seen>,
}

impl Ops {
    /// Returns whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.sets.is_empty()
            && self.appends.is_empty()
            && self.removes.is_empty()
            && self.puts.is_empty()
    }

    /// Returns whether rows are deleted or put back, so that those below them move.
    pub(crate) fn moves_rows(&self) -> bool {
        !self.removes.is_empty() || !self.puts.is_empty()
    }

    /// Returns the rows that are written, deleted or put something before.
    pub(crate) fn rows(&self) -> BTreeSet<u32> {
        let puts = self.puts.iter().map(|put| put.row);
        self.sets.keys().chain(self.removes.keys()).copied().chain(puts).collect()
    }

    /// Returns where a row is after the batch.
    pub(crate) fn row_after(&self, row: u32) -> u32 {
        let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX);
        let put = count(self.puts.iter().filter(|put| put.row <= row).count());
        row.saturating_sub(count(self.removes.range(..row).count())).saturating_add(put)
    }

    /// Returns the requests, in order: cells, then new rows, then rows that go or come back, from the bottom up.
    ///
    /// `end` is the row after the last one with data, where new rows are expected to land.
    pub(crate) fn requests(&self, view: &View<'_>, sheet: i32, end: u32) -> Vec<Request> {
        let mut requests = self.updates(sheet);
        match (self.pattern(view), &view.layout.frame) {
            (None, None) => requests.extend(self.appended(sheet, end)),
            (pattern, _) => requests.extend(self.inserted(view, sheet, end, pattern)),
        }
        requests.extend(self.structure(view, sheet, end));
        requests
    }

    /// Returns the writes of cells: neighbours in a row together, and equal stretches of neighbouring rows together.
    fn updates(&self, sheet: i32) -> Vec<Request> {
        let mut stretches: Vec<(u32, CellFields, u32, Vec<CellWrite>)> = Vec::new();
        for (row, set) in &self.sets {
            let mut last: Option<u32> = None;
            for (at, write) in &set.cells {
                let fields = match write.format {
                    Some(_) => CellFields::ValuesAndFormats,
                    None => CellFields::Values,
                };
                match stretches.last_mut() {
                    Some((_, known, _, cells))
                        if last.is_some_and(|last| last + 1 == *at) && *known == fields =>
                    {
                        cells.push(write.clone());
                    }
                    _ => stretches.push((*at, fields, *row, vec![write.clone()])),
                }
                last = Some(*at);
            }
        }
        stretches.sort_by_key(|(at, fields, row, cells)| {
            (*at, cells.len(), *fields == CellFields::Values, *row)
        });
        let mut requests: Vec<Request> = Vec::new();
        for (at, fields, row, written) in stretches {
            if let Some(Request::UpdateCells { row: top, column, rows, fields: known, .. }) =
                requests.last_mut()
            {
                let below = usize::try_from(row.saturating_sub(*top))
                    .is_ok_and(|below| below == rows.len());
                let alike = *column == at
                    && *known == fields
                    && rows.first().is_some_and(|first| first.len() == written.len());
                // A block that grew without bound would not fit a batch.
                if below && alike && rows.len() < 1000 {
                    rows.push(written);
                    continue;
                }
            }
            requests.push(Request::UpdateCells {
                sheet,
                row,
                column: at,
                rows: vec![written],
                fields,
            });
        }
        requests
    }

    /// Returns whether a column of the appends gets numbers that are to be shown in several ways.
    fn mixed(&self) -> bool {
        let mut shown: BTreeMap<u32, Option<&NumberFormat>> = BTreeMap::new();
        let cells = self.appends.iter().flat_map(|append| (0_u32..).zip(&append.cells));
        let mut numbers = cells.filter(|(_, cell)| matches!(cell.value, Input::Number(_)));
        numbers.any(|(at, cell)| {
            let format = cell.format.as_ref();
            *shown.entry(at).or_insert(format) != format
        })
    }

    /// Returns the appends, in blocks, and the number formats of their dates.
    ///
    /// The service finds the last row with data when it carries them out: a row that somebody else appended meanwhile is
    /// not hit. The values leave the formats of the rows below the table alone, which people may have set; dates get
    /// theirs where the rows are expected, and some way below. Where a column gets numbers of several kinds, each cell
    /// brings its own format instead.
    fn appended(&self, sheet: i32, end: u32) -> Vec<Request> {
        let mut formats: BTreeMap<u32, NumberFormat> = BTreeMap::new();
        let mut requests: Vec<Request> = Vec::new();
        let mut bytes = usize::MAX;
        let mixed = self.mixed();
        for append in &self.appends {
            let row: Vec<CellWrite> = (0_u32..)
                .zip(&append.cells)
                .map(|(at, cell)| {
                    if mixed {
                        return cell.clone();
                    }
                    if let Some(format) = &cell.format {
                        formats.entry(at).or_insert_with(|| format.clone());
                    }
                    CellWrite { value: cell.value.clone(), format: None }
                })
                .collect();
            let fields = if mixed { CellFields::ValuesAndFormats } else { CellFields::Values };
            let request = Request::AppendCells { sheet, rows: vec![row], fields };
            let size = request.wire_size();
            let fits = bytes.saturating_add(size) <= BLOCK_BYTES;
            match (requests.last_mut(), request) {
                (
                    Some(Request::AppendCells { rows: block, .. }),
                    Request::AppendCells { rows, .. },
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
        let count = u32::try_from(self.appends.len()).unwrap_or(u32::MAX);
        let last = end.saturating_add(count).saturating_add(FORMAT_MARGIN);
        requests.extend(formats.into_iter().map(|(at, format)| {
            let range = GridRange {
                sheet,
                start_row: Some(end),
                end_row: Some(last),
                start_column: Some(at),
                end_column: Some(at + 1),
            };
            Request::RepeatFormat { range, format }
        }));
        requests
    }
}
