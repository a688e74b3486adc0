//! The tab of a spreadsheet in which people decide: made by Lockstep, known by its own mark, and by nothing else.
//!
//! A tab without the mark is a person's, whatever its title, and is never written. Rows are known by their id, columns by
//! their header: people may sort the rows and move the columns. Each write reads the ids back in the same call, so that
//! rows that moved under it are noticed at once.

use lockstep_a1::quote_always;
use lockstep_google::{
    CellFields, CellValue, CellWrite, Dimension, Google, GridRange, MetadataPlace, MetadataQuery,
    NewSheet, NumberFormat, NumberKind, Render, Request, Spreadsheet,
};

use super::marker;
use crate::error::{Error, Result};

/// The key of the mark; its value is the dataset.
const KEY: &str = "lockstep.review";

/// How many columns the tab has.
pub(crate) const WIDTH: usize = 9;

/// The places of the columns that people write.
pub(crate) const DECISION: usize = 6;
pub(crate) const NOTE: usize = 7;

/// The place of the column that says what became of a row.
pub(crate) const STATUS: usize = 8;

/// A row of the tab.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// Where it stands, from 0.
    pub(crate) row: u32,
    /// Its cells as text, in the order of the headers.
    pub(crate) cells: Vec<String>,
    /// Whether its decision was entered as a number: a date is one.
    pub(crate) number: Option<f64>,
}

/// The tab as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Tab {
    spreadsheet: String,
    sheet: i32,
    title: String,
    /// Where each column stands.
    columns: Vec<u32>,
    /// The rows that have an id.
    pub(crate) lines: Vec<Line>,
}

/// What is to be changed in the tab.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Edits {
    /// Cells to write: row, column of the headers, text.
    pub(crate) sets: Vec<(u32, usize, String)>,
    /// Rows to take away.
    pub(crate) removes: Vec<u32>,
    /// Rows to add.
    pub(crate) adds: Vec<Vec<String>>,
}

impl Edits {
    /// Returns whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.removes.is_empty() && self.adds.is_empty()
    }
}

/// Reads the tab of a dataset; makes it where there is none.
///
/// # Errors
/// A tab of that title that is not Lockstep's, a header that was changed, a spreadsheet that cannot be reached.
pub(crate) async fn open(
    google: &Google,
    spreadsheet: &str,
    title: &str,
    dataset: &str,
    headers: [&str; WIDTH],
) -> Result<Tab> {
    let (id, there) = super::sheet::open(google, spreadsheet).await?;
    let query = MetadataQuery {
        key: Some(KEY.into()),
        value: Some(dataset.into()),
        ..MetadataQuery::default()
    };
    let marks = google.search_metadata(&id, &query).await?;
    let marked = marks.iter().filter_map(|mark| match mark.place {
        MetadataPlace::Sheet { sheet } => there.sheets.iter().find(|one| one.id == sheet),
        _ => None,
    });
    match marked.into_iter().next() {
        Some(sheet) => read(google, id, sheet.id, &sheet.title, headers).await,
        None => create(google, id, &there, title, dataset, headers).await,
    }
}

async fn read(
    google: &Google,
    spreadsheet: String,
    sheet: i32,
    title: &str,
    headers: [&str; WIDTH],
) -> Result<Tab> {
    let range = quote_always(title);
    let found = google.values(&spreadsheet, &[range], Render::Unformatted).await?;
    let rows = found.into_iter().next().map(|range| range.rows).unwrap_or_default();
    let first = rows.first().map(Vec::as_slice).unwrap_or_default();
    let place = |name: &&str| {
        first.iter().position(|cell| text(cell) == **name).and_then(|at| u32::try_from(at).ok())
    };
    let columns: Option<Vec<u32>> = headers.iter().map(place).collect();
    let Some(columns) = columns else {
        return Err(Error::invalid(format!(
            "the review tab \"{title}\" does not have the columns {} any more",
            headers.join(", ")
        ))
        .next("put its first row right, or delete the tab: the next run makes it anew"));
    };
    let mut lines = Vec::new();
    for (row, cells) in (0u32..).zip(&rows).skip(1) {
        let cell = |column: &u32| usize::try_from(*column).ok().and_then(|at| cells.get(at));
        let texts: Vec<String> =
            columns.iter().map(|column| cell(column).map(text).unwrap_or_default()).collect();
        let number = match columns.get(DECISION).and_then(cell) {
            Some(CellValue::Number(number)) => Some(*number),
            _ => None,
        };
        if texts.first().is_some_and(|id| !id.is_empty()) {
            lines.push(Line { row, cells: texts, number });
        }
    }
    Ok(Tab { spreadsheet, sheet, title: title.to_owned(), columns, lines })
}

async fn create(
    google: &Google,
    spreadsheet: String,
    there: &Spreadsheet,
    title: &str,
    dataset: &str,
    headers: [&str; WIDTH],
) -> Result<Tab> {
    if there.sheets.iter().any(|sheet| sheet.title == title) {
        return Err(Error::invalid(format!(
            "the spreadsheet has a tab \"{title}\" that Lockstep did not make, so it is not touched"
        ))
        .next("give reviewSheet another sheet title, or rename that tab"));
    }
    // The same id whoever makes it: of two at once, one is refused.
    let taken = |id: i32| there.sheets.iter().any(|sheet| sheet.id == id);
    let ids = (0u32..).map(|attempt| marker::id(&[KEY, dataset, &attempt.to_string()]));
    let sheet = ids.into_iter().find(|id| !taken(*id)).unwrap_or(1);
    let width = u32::try_from(WIDTH).ok();
    let header = headers.iter().map(|name| CellWrite::text(*name)).collect();
    let new = NewSheet {
        title: title.to_owned(),
        id: Some(sheet),
        rows: Some(200),
        columns: width,
        frozen_rows: 1,
    };
    let requests = vec![
        Request::AddSheet(new),
        Request::UpdateCells {
            sheet,
            row: 0,
            column: 0,
            rows: vec![header],
            fields: CellFields::Values,
        },
        Request::CreateMetadata {
            id: None,
            key: KEY.into(),
            value: dataset.into(),
            place: MetadataPlace::Sheet { sheet },
        },
    ];
    google.batch_update(&spreadsheet, &requests, &[]).await?;
    let columns = (0..width.unwrap_or_default()).collect();
    Ok(Tab { spreadsheet, sheet, title: title.to_owned(), columns, lines: Vec::new() })
}

/// Writes to the tab, and offers choices in the decision column; returns whether the rows were where they were seen.
///
/// # Errors
/// A spreadsheet that cannot be written.
pub(crate) async fn write(
    google: &Google,
    tab: &Tab,
    edits: &Edits,
    choices: &[String],
) -> Result<bool> {
    let sheet = tab.sheet;
    let place = |column: usize| tab.columns.get(column).copied().unwrap_or_default();
    let mut requests = Vec::new();
    for (row, column, text) in &edits.sets {
        requests.push(Request::UpdateCells {
            sheet,
            row: *row,
            column: place(*column),
            rows: vec![vec![CellWrite::text(text.as_str())]],
            fields: CellFields::Values,
        });
    }
    if !edits.adds.is_empty() {
        let width = tab.columns.iter().max().map_or(0, |last| last + 1);
        let row = |cells: &Vec<String>| -> Vec<CellWrite> {
            let cell = |at: u32| {
                let column = tab.columns.iter().position(|column| *column == at);
                let text =
                    column.and_then(|column| cells.get(column)).filter(|text| !text.is_empty());
                text.map_or_else(CellWrite::empty, |text| CellWrite::text(text.as_str()))
            };
            (0..width).map(cell).collect()
        };
        let rows = edits.adds.iter().map(row).collect();
        requests.push(Request::AppendCells { sheet, rows, fields: CellFields::Values });
        let decisions = GridRange {
            sheet,
            start_row: Some(1),
            end_row: None,
            start_column: Some(place(DECISION)),
            end_column: Some(place(DECISION) + 1),
        };
        // What a person types stays as they typed it: no date is made of it.
        let format = NumberFormat { kind: NumberKind::Text, pattern: None };
        requests.push(Request::RepeatFormat { range: decisions, format });
        requests.push(Request::Offer { range: decisions, values: choices.to_vec() });
    }
    let mut removes = edits.removes.clone();
    removes.sort_unstable();
    for row in removes.iter().rev() {
        let (dimension, start, end) = (Dimension::Rows, *row, row + 1);
        requests.push(Request::DeleteDimension { sheet, dimension, start, end });
    }
    let letters = lockstep_a1::column_letters(place(0));
    let ids = format!("{}!{letters}:{letters}", quote_always(&tab.title));
    let reply = google.batch_update(&tab.spreadsheet, &requests, &[ids]).await?;
    let Some(block) = reply.read_back.first() else { return Ok(true) };
    let there =
        block.rows.iter().map(|row| row.first().map(|cell| text(&cell.value)).unwrap_or_default());
    let there: Vec<String> = there.skip(1).filter(|id| !id.is_empty()).collect();
    let kept = tab.lines.iter().filter(|line| !removes.contains(&line.row)).map(|line| &line.cells);
    let wanted = kept.chain(&edits.adds).filter_map(|cells| cells.first());
    Ok(there.iter().eq(wanted))
}

fn text(cell: &CellValue) -> String {
    match cell {
        CellValue::Text(text) => text.trim().to_owned(),
        CellValue::Number(number) => number.to_string(),
        CellValue::Bool(value) => value.to_string(),
        _ => String::new(),
    }
}
