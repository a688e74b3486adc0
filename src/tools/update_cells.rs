//! `updateCells`: typed values into a range, guarded by what the caller believes is there.

use lockstep_a1::{Area, Rect, column_letters, parse, quote_always};
use lockstep_engine::value::Value;
use lockstep_google::{
    CellFields, Google, GridCell, GridParts, Input, Request, Sheet, Spreadsheet,
};
use rmcp::model::ToolAnnotations;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Context, Tool,
    cell::{CellArg, CellOut, typed},
};
use crate::{
    error::{Error, Kind, Result},
    replica::{
        marker::{self, Markers},
        sheet,
        sheet_anchor::MAX_ROWS,
        sheet_cells::{CheckedWrite, Put, whole_rows},
    },
    sync::hidden::refuse_sheet,
};

/// The most cells of one call; more is a job for syncDataset.
const MAX_CELLS: usize = 10_000;

/// How often a guarded range is checked again because rows moved before it was written.
const ATTEMPTS: usize = 8;

/// See [`Tool`].
pub(crate) struct UpdateCells;

/// The arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Args {
    /// Id or URL.
    spreadsheet_id: String,
    /// Default the first.
    sheet: Option<String>,
    /// First cell ("B2") or exact range ("B2:D5").
    range: String,
    /// Rows of cells: null leaves as is, "" clears, {"formula": "=…"}, {"date"|"time"|"dateTime": ISO text}.
    values: Vec<Vec<CellArg>>,
    /// What must be there now, else nothing is written: null = anything, "" = blank.
    if_unchanged: Option<Vec<Vec<CellArg>>>,
    /// Check only.
    #[serde(default)]
    dry_run: bool,
}

/// The result.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Output {
    written: bool,
    sheet: String,
    range: String,
    /// Cells that were (or would be) written.
    cells: u64,
    /// What was there; formulas as text starting with "=".
    before: Vec<Vec<CellOut>>,
}

fn shape(values: &[Vec<CellArg>]) -> (usize, usize) {
    (values.len(), values.iter().map(Vec::len).max().unwrap_or(0))
}

/// Returns the rectangle that the values go to.
fn target(args: &Args, spreadsheet: &Spreadsheet) -> Result<(Sheet, Rect)> {
    let wrong = |message: String, next: &str| Err(Error::invalid(message).next(next));
    let reference = parse(&args.range).map_err(|error| {
        Error::invalid(format!("argument range: {error}")).next("write it like B2 or B2:D5")
    })?;
    if let (Some(named), Some(given)) = (&reference.sheet, &args.sheet)
        && named != given
    {
        return wrong(
            format!("the range names the sheet \"{named}\", the argument sheet \"{given}\""),
            "name the sheet once",
        );
    }
    let sheet = sheet::find(spreadsheet, reference.sheet.as_deref().or(args.sheet.as_deref()))?;
    let Area::Cells(cells) = reference.area else {
        return wrong(
            format!("argument range: \"{}\" is no cell range", args.range),
            "write it like B2 or B2:D5, and name the sheet with sheet",
        );
    };
    let (rows, columns) = shape(&args.values);
    if rows == 0 || columns == 0 {
        return wrong(
            "argument values: there are no cells".into(),
            "give at least one row with one cell",
        );
    }
    if rows.saturating_mul(columns) > MAX_CELLS {
        return Err(Error::new(
            Kind::TooLarge,
            format!("{rows} x {columns} cells are more than {MAX_CELLS}"),
        )
        .next("use syncDataset for large changes"));
    }
    let closed = cells.close(sheet.rows, sheet.columns);
    let (rows, columns) =
        (u32::try_from(rows).unwrap_or(u32::MAX), u32::try_from(columns).unwrap_or(u32::MAX));
    let fits = cells.is_cell()
        || (rows <= closed.end_row.saturating_sub(closed.start_row)
            && columns <= closed.end_column.saturating_sub(closed.start_column));
    if !fits {
        return wrong(
            format!(
                "the values are {rows} rows x {columns} columns, more than the range {} holds",
                args.range
            ),
            "name only the first cell, or a range of that size",
        );
    }
    let rect = Rect {
        start_row: closed.start_row,
        end_row: closed.start_row.saturating_add(rows),
        start_column: closed.start_column,
        end_column: closed.start_column.saturating_add(columns),
    };
    if rect.end_row > sheet.rows || rect.end_column > sheet.columns {
        return wrong(
            format!(
                "{rect} is beyond the sheet \"{}\", which has {} rows and {} columns (to {})",
                sheet.title,
                sheet.rows,
                sheet.columns,
                column_letters(sheet.columns.saturating_sub(1))
            ),
            "name cells inside; appendRows adds rows after the last one",
        );
    }
    Ok((sheet.clone(), rect))
}

/// Returns what a cell holds: its formula if it has one, else its typed value.
fn held(cell: &GridCell) -> Value {
    match &cell.entered {
        Input::Formula(formula) => Value::text(formula.as_str()),
        _ => typed(&cell.value, cell.format.as_ref().map(|format| format.kind)),
    }
}

/// Returns where the sheet is not what the caller believed.
fn surprises(expected: &[Vec<CellArg>], before: &[Vec<Value>], at: Rect) -> Vec<String> {
    let mut found = Vec::new();
    for (r, row) in expected.iter().enumerate() {
        for (c, cell) in row.iter().enumerate() {
            let there = before.get(r).and_then(|row| row.get(c)).unwrap_or(&Value::Null);
            let same = match cell {
                CellArg::Keep => true,
                CellArg::Formula(formula) => there.as_text() == Some(formula),
                CellArg::Value(value, ty) => {
                    there == value || ty.parse(&there.to_string()).ok().as_ref() == Some(value)
                }
            };
            if !same {
                let column = at.start_column.saturating_add(u32::try_from(c).unwrap_or(u32::MAX));
                let row = u64::from(at.start_row) + u64::try_from(r).unwrap_or(0) + 1;
                found.push(format!("{}{row} holds \"{there}\"", column_letters(column)));
            }
        }
    }
    found
}

/// Returns one write for each run of neighbouring cells that are written alike.
///
/// Only dates and times bring a number format; every other cell keeps the one it has.
fn requests(sheet: &Sheet, at: Rect, values: &[Vec<CellArg>]) -> Vec<Request> {
    let mut requests: Vec<Request> = Vec::new();
    for (r, row) in (at.start_row..).zip(values) {
        let mut after_gap = true;
        for (c, cell) in (at.start_column..).zip(row) {
            if *cell == CellArg::Keep {
                after_gap = true;
                continue;
            }
            let write = cell.to_write();
            let wanted = match write.format {
                Some(_) => CellFields::ValuesAndFormats,
                None => CellFields::Values,
            };
            match requests.last_mut() {
                Some(Request::UpdateCells { rows, fields, .. })
                    if !after_gap && *fields == wanted =>
                {
                    rows.iter_mut().for_each(|cells| cells.push(write.clone()));
                }
                _ => requests.push(Request::UpdateCells {
                    sheet: sheet.id,
                    row: r,
                    column: c,
                    rows: vec![vec![write]],
                    fields: wanted,
                }),
            }
            after_gap = false;
        }
    }
    requests
}

/// The range as it is read, before it is written.
struct Read {
    /// The cells of the range.
    cells: Vec<Vec<Value>>,
    /// All cells of its rows, if the write is guarded.
    rows: Vec<Vec<GridCell>>,
}

async fn read(google: &Google, id: &str, sheet: &Sheet, rect: Rect, args: &Args) -> Result<Read> {
    let parts = GridParts { entered: true, value: true, format: true, validation: false };
    let mut ranges = vec![format!("{}!{rect}", quote_always(&sheet.title))];
    ranges.extend(args.if_unchanged.is_some().then(|| whole_rows(sheet, rect)));
    let mut blocks = google.grid(id, &ranges, parts).await?.into_iter();
    let mut cells = blocks.next().map(|block| block.rows).unwrap_or_default();
    let (rows, columns) = shape(&args.values);
    cells.resize(rows, Vec::new());
    cells.iter_mut().for_each(|row| row.resize(columns, GridCell::default()));
    let cells = cells.iter().map(|row| row.iter().map(held).collect()).collect();
    Ok(Read { cells, rows: blocks.next().map(|block| block.rows).unwrap_or_default() })
}

/// Checks the guard's shape.
fn check_guard(args: &Args) -> Result<()> {
    let Some(expected) = &args.if_unchanged else { return Ok(()) };
    let (expected, given) = (shape(expected), shape(&args.values));
    if expected.0 > given.0 || expected.1 > given.1 {
        return Err(Error::invalid("argument ifUnchanged: it is larger than values")
            .next("give it the same shape as values"));
    }
    if given.0 > MAX_ROWS {
        return Err(Error::new(
            Kind::TooLarge,
            format!("{} rows are more than the {MAX_ROWS} that ifUnchanged can guard", given.0),
        )
        .next("write them in several calls"));
    }
    Ok(())
}

/// Returns an error if the range is not what the caller believes.
fn check(args: &Args, before: &[Vec<Value>], rect: Rect) -> Result<()> {
    let mut found = match &args.if_unchanged {
        Some(expected) => surprises(expected, before, rect),
        None => return Ok(()),
    };
    if found.is_empty() {
        return Ok(());
    }
    let more = found.len().saturating_sub(10);
    found.truncate(10);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(Error::new(
        Kind::Changed,
        format!(
            "the sheet is not what ifUnchanged says: {}{more}; nothing was written",
            found.join(", ")
        ),
    )
    .next("read the range again, and decide with the values that are there now"))
}

impl Tool for UpdateCells {
    const NAME: &'static str = "updateCells";
    const TITLE: &'static str = "Update cells";
    const DESCRIPTION: &'static str = "Writes typed cells at a range, returns what was there. Text stays text (\"007\", \"=x\"). Pass ifUnchanged with what you \
read, so that nobody's edit in between is lost. For rows found by key, or many cells: syncDataset; new rows: appendRows.";
    type Args = Args;
    type Output = Output;

    fn annotations() -> ToolAnnotations {
        ToolAnnotations::new().read_only(false).destructive(true).idempotent(true).open_world(true)
    }

    async fn call(context: &Context, args: Args) -> Result<Output> {
        let google = &context.google;
        check_guard(&args)?;
        let mut refused = false;
        for _ in 0..ATTEMPTS {
            let (id, spreadsheet) = sheet::open(google, &args.spreadsheet_id).await?;
            // The answer says what was there.
            refuse_sheet(&context.store, &id).await?;
            let (sheet, rect) = target(&args, &spreadsheet)?;
            let (rows, columns) = shape(&args.values);
            let next = "write fewer cells in one call, or ask the operator for a higher limit";
            context.limits.check(rows as u64, rows.saturating_mul(columns) as u64, next)?;
            let requests = requests(&sheet, rect, &args.values);
            for request in &requests {
                request.check().map_err(|error| Error::from(error).context("argument values"))?;
            }
            let written = !args.dry_run && !requests.is_empty();
            let now = context.clock.now();
            let setup = Markers::of(&spreadsheet).sweep(now);
            let Read { cells, rows } = read(google, &id, &sheet, rect, &args).await?;
            check(&args, &cells, rect)?;
            if written && args.if_unchanged.is_some() {
                let (spreadsheet, sheet, setup) = (id.as_str(), &sheet, setup.as_slice());
                let (rows, requests) = (rows.as_slice(), requests.as_slice());
                let write =
                    CheckedWrite { google, now, spreadsheet, sheet, rect, rows, setup, requests };
                match write.put().await? {
                    Put::Done => {}
                    Put::Refused(error) if refused => return Err(error),
                    Put::Refused(_) => {
                        refused = true;
                        continue;
                    }
                    Put::Moved => continue,
                }
            } else if written {
                let all: Vec<Request> = setup.into_iter().chain(requests).collect();
                let marker = marker::of_run(&marker::run_id(), 0, now);
                google.batch_update_once(&id, &all, &marker, &[]).await?;
            }
            return Ok(Output {
                written,
                sheet: sheet.title,
                range: rect.to_string(),
                cells: args.values.iter().flatten().filter(|cell| **cell != CellArg::Keep).count()
                    as u64,
                before: cells.iter().map(|row| row.iter().map(CellOut::from).collect()).collect(),
            });
        }
        Err(Error::new(
            Kind::Changed,
            format!(
                "rows or cells at {} kept changing while they were checked; nothing was written",
                args.range
            ),
        )
        .next("wait until nobody sorts or edits these rows, then call updateCells again"))
    }
}
