//! Writing a table on a sheet: one atomic batch per 2 MB, each with its marker.

use std::collections::HashMap;

use lockstep_a1::column_letters;
use lockstep_engine::{
    encode,
    reconcile::{Change, ChangeKind},
    value::Value,
};
use lockstep_google::{
    CellFields, CellValue, CellWrite, Dimension, Google, MAX_BATCH_BYTES, MAX_BATCH_REQUESTS,
    Request,
};

use super::{
    apply::Writes,
    marker::{self, Markers},
    sheet,
    sheet_inserts::inserts,
    sheet_table::{SheetTable, guard},
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    progress::Progress,
};

/// A request and how many changed rows it carries.
pub(crate) type Weighed = (Request, u64);

/// Where the dataset's columns stand on the sheet, and what must be written to the header first.
pub(crate) struct Layout {
    /// For each column of the schema, its column on the sheet, from 0.
    pub(crate) columns: HashMap<usize, u32>,
    /// Names to be written into the header row, by column.
    pub(crate) names: Vec<(u32, String)>,
    /// How many columns the sheet must have.
    pub(crate) width: u32,
}

impl Layout {
    pub(crate) fn of(table: &SheetTable, writes: &Writes<'_>) -> Self {
        let mut columns = HashMap::new();
        let mut names = Vec::new();
        let mut next = table.end_column();
        for column in writes.needed() {
            let name = writes.header(column);
            let known = table.header.as_ref().and_then(|header| header.column(name).ok());
            let index = known.map_or_else(
                || {
                    let index = next;
                    next = next.saturating_add(1);
                    names.push((index, name.to_owned()));
                    index
                },
                |known| known.index,
            );
            columns.insert(column, index);
        }
        Self { columns, names, width: next }
    }
}

/// Applies the writes; see [`super::apply::apply`].
pub(crate) async fn apply(
    google: &Google,
    clock: Clock,
    progress: &Progress,
    table: &SheetTable,
    writes: &Writes<'_>,
) -> Result<()> {
    let id = &table.spreadsheet;
    let place = |error: Error| error.context(format!("sheet \"{}\"", table.title));
    progress.step(0, None, "checking that the sheet is as it was read");
    let spreadsheet = google.spreadsheet(id).await?;
    let target = sheet::find(&spreadsheet, Some(&table.title))?;
    let formulas = guard(google, table).await?;
    let now = clock.now();
    let swept = Markers::read(google, id).await?.sweep(now);

    let layout = Layout::of(table, writes);
    let mut requests: Vec<Weighed> = swept.into_iter().map(|request| (request, 0)).collect();
    let new_rows = writes.changes.iter().filter(|change| change.kind == ChangeKind::Insert).count();
    let new_rows = u32::try_from(new_rows).unwrap_or(u32::MAX);
    for (dimension, wanted, there) in [
        (Dimension::Rows, table.end_row().saturating_add(new_rows), target.rows),
        (Dimension::Columns, layout.width, target.columns),
    ] {
        if wanted > there {
            let length = wanted - there;
            requests.push((Request::AppendDimension { sheet: target.id, dimension, length }, 0));
        }
    }
    requests.extend(layout.names.iter().map(|(column, name)| {
        (
            cells(
                target.id,
                table.header_row,
                *column,
                vec![vec![CellWrite::text(name.clone())]],
                CellFields::Values,
            ),
            0,
        )
    }));
    requests.extend(updates(target.id, table, writes, &layout, &formulas).map_err(place)?);
    requests.extend(inserts(target.id, table, writes, &layout));
    requests.extend(deletes(target.id, writes));
    for (request, _) in &requests {
        request.check().map_err(|error| {
            place(Error::from(error)).next("correct the value in the source; nothing was written")
        })?;
    }
    send(google, clock, progress, id, requests).await
}

pub(crate) fn cells(
    sheet: i32,
    row: u32,
    column: u32,
    rows: Vec<Vec<CellWrite>>,
    fields: CellFields,
) -> Request {
    Request::UpdateCells { sheet, row, column, rows, fields }
}

/// Returns the row on the sheet, from 0, of a row of the snapshot.
fn sheet_row(writes: &Writes<'_>, row: usize) -> u32 {
    u32::try_from(writes.snapshot.origin(row).saturating_sub(1)).unwrap_or(u32::MAX)
}

/// Returns the writes of changed cells: neighbours in a row together, and equal stretches of neighbouring rows together.
fn updates(
    sheet: i32,
    table: &SheetTable,
    writes: &Writes<'_>,
    layout: &Layout,
    formulas: &HashMap<(u32, u32), String>,
) -> Result<Vec<Weighed>> {
    let mut stretches: Vec<(u32, CellFields, u32, Vec<CellWrite>, u64)> = Vec::new();
    for change in writes.changes {
        let kinds = [ChangeKind::Update, ChangeKind::Mark, ChangeKind::Reactivate];
        let Some(row) = change.row.filter(|_| kinds.contains(&change.kind)) else { continue };
        let row = sheet_row(writes, row);
        let mut written: Vec<(u32, CellWrite)> = Vec::new();
        for column in &change.cells {
            let Some(at) = layout.columns.get(column) else { continue };
            if let Some(formula) = formulas.get(&(row, *at)) {
                return Err(Error::invalid(format!(
                    "column \"{}\" holds formulas ({}{} is {formula}), which are never overwritten; nothing was written",
                    writes.header(*column),
                    column_letters(*at),
                    u64::from(row) + 1
                ))
                .next("leave the column out: name the others in columns"));
            }
            written.push((*at, cell(table, writes, change, *column, row, *at)));
        }
        written.sort_by_key(|(at, _)| *at);
        let mut weight = 1;
        let mut last: Option<u32> = None;
        for (at, write) in written {
            let fields = match write.format {
                Some(_) => CellFields::ValuesAndFormats,
                None => CellFields::Values,
            };
            match stretches.last_mut() {
                Some((_, known, _, cells, _))
                    if last.is_some_and(|last| last + 1 == at) && *known == fields =>
                {
                    cells.push(write);
                }
                _ => {
                    stretches.push((at, fields, row, vec![write], weight));
                    weight = 0;
                }
            }
            last = Some(at);
        }
    }
    stretches.sort_by_key(|(at, fields, row, cells, _)| {
        (*at, cells.len(), *fields == CellFields::Values, *row)
    });
    let mut requests: Vec<Weighed> = Vec::new();
    for (at, fields, row, written, weight) in stretches {
        if let Some((Request::UpdateCells { row: top, column, rows, fields: known, .. }, carried)) =
            requests.last_mut()
        {
            let below =
                usize::try_from(row.saturating_sub(*top)).is_ok_and(|below| below == rows.len());
            let alike = *column == at
                && *known == fields
                && rows.first().is_some_and(|first| first.len() == written.len());
            // A block that grew without bound would not fit a batch.
            if below && alike && rows.len() < 1000 {
                rows.push(written);
                *carried += weight;
                continue;
            }
        }
        requests.push((cells(sheet, row, at, vec![written], fields), weight));
    }
    Ok(requests)
}

fn cell(
    table: &SheetTable,
    writes: &Writes<'_>,
    change: &Change,
    column: usize,
    row: u32,
    at: u32,
) -> CellWrite {
    let mut write = write(writes, change, column);
    let index = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let there = table.rows.get(index(row)).and_then(|cells| cells.get(index(at)));
    if matches!(there, Some(CellValue::Number(_))) {
        // A date that becomes another date keeps the format that people gave it.
        write.format = None;
    }
    write
}

/// Returns the typed write of a cell of a changed row.
pub(crate) fn write(writes: &Writes<'_>, change: &Change, column: usize) -> CellWrite {
    let value = change.after.as_ref().and_then(|row| row.get(column)).unwrap_or(&Value::Null);
    let ty = writes.schema.columns.get(column).map(|column| column.ty).unwrap_or_default();
    sheet::to_write(&encode::sheet::encode(value, &ty))
}

/// Returns the deletes, from the bottom up, neighbouring rows together.
fn deletes(sheet: i32, writes: &Writes<'_>) -> Vec<Weighed> {
    let mut rows: Vec<u32> = writes
        .changes
        .iter()
        .filter(|change| change.kind == ChangeKind::Delete)
        .filter_map(|change| change.row)
        .map(|row| sheet_row(writes, row))
        .collect();
    rows.sort_unstable_by(|a, b| b.cmp(a));
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for row in rows {
        match spans.last_mut() {
            Some((start, _)) if *start == row.saturating_add(1) => *start = row,
            _ => spans.push((row, row.saturating_add(1))),
        }
    }
    spans
        .into_iter()
        .map(|(start, end)| {
            let request =
                Request::DeleteDimension { sheet, dimension: Dimension::Rows, start, end };
            (request, u64::from(end - start))
        })
        .collect()
}

/// Sends the requests in order, as many to a batch as fit 2 MB; stops between batches when cancelled.
async fn send(
    google: &Google,
    clock: Clock,
    progress: &Progress,
    id: &str,
    requests: Vec<Weighed>,
) -> Result<()> {
    let total: u64 = requests.iter().map(|(_, weight)| weight).sum();
    let batches = batches(requests);
    let count = batches.len();
    let run = marker::run_id();
    let mut done = 0_u64;
    for (number, batch) in batches.into_iter().enumerate() {
        let (requests, weights): (Vec<Request>, Vec<u64>) = batch.into_iter().unzip();
        let partial = |error: Error| {
            if number == 0 {
                return error;
            }
            error.context(format!(
                "{number} of {count} batches ({done} of {total} rows) were written and stay written; the rest was not"
            ))
        };
        progress.check().map_err(partial)?;
        progress.step(done, Some(total), format!("writing batch {} of {count}", number + 1));
        let marker = marker::of_run(&run, number, clock.now());
        google
            .batch_update_once(id, &requests, &marker, &[])
            .await
            .map_err(|error| partial(error.into()))?;
        done += weights.iter().sum::<u64>();
        progress.step(done, Some(total), format!("wrote batch {} of {count}", number + 1));
    }
    Ok(())
}

fn batches(requests: Vec<Weighed>) -> Vec<Vec<Weighed>> {
    let mut batches: Vec<Vec<Weighed>> = Vec::new();
    let mut size = usize::MAX;
    for (request, weight) in requests {
        let bytes = request.wire_size() + 1;
        let full = batches.last().is_none_or(|batch| batch.len() + 1 >= MAX_BATCH_REQUESTS);
        if full || size.saturating_add(bytes) > MAX_BATCH_BYTES - 1_000 {
            batches.push(Vec::new());
            size = 0;
        }
        size += bytes;
        if let Some(batch) = batches.last_mut() {
            batch.push((request, weight));
        }
    }
    batches
}
