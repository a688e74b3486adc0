//! New rows of a table on a sheet: at explicit positions after the last one.

use lockstep_engine::reconcile::ChangeKind;
use lockstep_google::{CellFields, CellWrite, GridRange, NumberFormat, Request};

use super::{
    apply::Writes,
    sheet_apply::{Layout, Weighed, cells, write},
    sheet_table::SheetTable,
};

/// How many bytes of rows one request carries; a batch takes several.
const BLOCK_BYTES: usize = 400_000;

/// Returns the writes of new rows, in blocks, and the number formats of their dates.
pub(crate) fn inserts(
    sheet: i32,
    table: &SheetTable,
    writes: &Writes<'_>,
    layout: &Layout,
) -> Vec<Weighed> {
    let left = layout.columns.values().min().copied().unwrap_or(0);
    let right = layout.columns.values().max().map_or(0, |last| last + 1);
    let width = usize::try_from(right.saturating_sub(left)).unwrap_or(0);
    let new_rows = writes.changes.iter().filter(|change| change.kind == ChangeKind::Insert);
    let top = table.end_row();
    let mut formats: Vec<(u32, NumberFormat)> = Vec::new();
    let mut blocks: Vec<Weighed> = Vec::new();
    let mut bytes = usize::MAX;
    let mut next = top;
    for change in new_rows {
        let mut row = vec![CellWrite::empty(); width];
        for (column, at) in &layout.columns {
            let mut cell = write(writes, change, *column);
            if let Some(format) = cell.format.take()
                && !formats.iter().any(|(known, _)| known == at)
            {
                formats.push((*at, format));
            }
            let slot =
                usize::try_from(at.saturating_sub(left)).ok().and_then(|slot| row.get_mut(slot));
            if let Some(slot) = slot {
                *slot = cell;
            }
        }
        let request = cells(sheet, next, left, vec![row], CellFields::Values);
        let size = request.wire_size();
        let fits = bytes.saturating_add(size) <= BLOCK_BYTES;
        match (blocks.last_mut(), request) {
            (
                Some((Request::UpdateCells { rows: block, .. }, weight)),
                Request::UpdateCells { rows, .. },
            ) if fits => {
                block.extend(rows);
                *weight += 1;
                bytes += size;
            }
            (_, request) => {
                blocks.push((request, 1));
                bytes = size;
            }
        }
        next = next.saturating_add(1);
    }
    formats.sort_by_key(|(at, _)| *at);
    // Formats first: the value that arrives then is shown as what it is.
    let mut requests: Vec<Weighed> = formats
        .into_iter()
        .map(|(at, format)| {
            let range = GridRange {
                sheet,
                start_row: Some(top),
                end_row: Some(next),
                start_column: Some(at),
                end_column: Some(at + 1),
            };
            (Request::RepeatFormat { range, format }, 0)
        })
        .collect();
    requests.extend(blocks);
    requests
}
