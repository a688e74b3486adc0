//! `describeSpreadsheet`: what is in it, without its rows.

use lockstep_a1::{column_letters, quote_always};
use lockstep_engine::{
    infer::{Declared, infer},
    schema::{Column, Schema},
};
use lockstep_google::{CellValue, Protection, Render, Sheet};
use rmcp::model::ToolAnnotations;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, Tool};
use crate::{
    error::Result,
    replica::{
        sheet,
        sheet_area::cells,
        sheet_table::{date_columns, snapshot},
        sheet_window::Window,
    },
    sync::report::shorten,
};

/// How many rows of a sheet are looked at.
const SAMPLE_ROWS: u32 = 1_000;
/// How many sheets are looked into when none is named.
const MAX_SHEETS: usize = 20;

/// See [`Tool`].
pub(crate) struct DescribeSpreadsheet;

/// The arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Args {
    /// Id or URL.
    spreadsheet_id: String,
    /// Default all, columns of the first 20.
    sheet: Option<String>,
    /// From 1; default the first not blank.
    header_row: Option<u32>,
    /// As in syncDataset.
    range: Option<String>,
}

/// A column under a header.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ColumnOut {
    name: String,
    letter: String,
    #[serde(rename = "type")]
    ty: String,
    /// Blank cells among the rows looked at.
    blank: u64,
}

/// A sheet.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SheetOut {
    title: String,
    sheet_id: i32,
    /// Rows of the grid.
    rows: u32,
    /// Columns of the grid.
    columns: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    hidden: bool,
    /// Protected ranges, and whether they can be edited.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    protected: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tables: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header_row: Option<u32>,
    /// Data rows looked at, at most 1,000.
    data_rows: u64,
    /// Whether there may be more data rows.
    more_rows: bool,
    header: Vec<ColumnOut>,
    /// Columns whose values are all there and all different in the rows looked at.
    key_candidates: Vec<String>,
    /// What keeps the header from being used.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// The result.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Output {
    id: String,
    title: String,
    url: String,
    locale: String,
    time_zone: String,
    sheets: Vec<SheetOut>,
    /// Titles of sheets left out: name one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    named_ranges: Vec<String>,
}

impl Tool for DescribeSpreadsheet {
    const NAME: &'static str = "describeSpreadsheet";
    const TITLE: &'static str = "Describe a spreadsheet";
    const DESCRIPTION: &'static str = "Lists sheets with size, header, column types and key candidates, not rows. Call it before writing to a sheet you do \
not know.";
    type Args = Args;
    type Output = Output;

    fn annotations() -> ToolAnnotations {
        ToolAnnotations::new().read_only(true).destructive(false).idempotent(true).open_world(true)
    }

    async fn call(context: &Context, args: Args) -> Result<Output> {
        let (id, found) = sheet::open(&context.google, &args.spreadsheet_id).await?;
        let mut window = None;
        let wanted: Vec<&Sheet> = match (&args.sheet, &args.range) {
            (title, Some(range)) => {
                let (sheet, found) = Window::find(&found, title.as_deref(), Some(range))?;
                window = Some(found);
                vec![sheet]
            }
            (Some(title), None) => vec![sheet::find(&found, Some(title))?],
            (None, None) => found.sheets.iter().collect(),
        };
        let looked: Vec<&Sheet> =
            wanted.iter().copied().filter(|sheet| sheet.has_grid).take(MAX_SHEETS).collect();
        let ranges: Vec<String> = looked
            .iter()
            .map(|sheet| {
                let title = quote_always(&sheet.title);
                match &window {
                    Some(window) => format!("{title}!{}", window.first_rows(SAMPLE_ROWS)),
                    None => format!("{title}!1:{}", SAMPLE_ROWS.min(sheet.rows)),
                }
            })
            .collect();
        let read = if ranges.is_empty() {
            Vec::new()
        } else {
            context.google.values(&id, &ranges, Render::Unformatted).await?
        };
        let mut sheets = Vec::new();
        for sheet in wanted {
            let rows = looked
                .iter()
                .position(|other| other.id == sheet.id)
                .and_then(|at| read.get(at))
                .map(|range| range.rows.as_slice())
                .unwrap_or_default();
            let window = match &window {
                Some(window) => window.clone(),
                None => Window::whole(sheet),
            };
            sheets.push(describe(context, &id, sheet, window, rows, args.header_row).await?);
        }
        let mut output = Output {
            id: found.id,
            title: found.title,
            url: found.url,
            locale: found.locale,
            time_zone: found.time_zone,
            sheets,
            others: Vec::new(),
            named_ranges: found.named_ranges.into_iter().map(|range| range.name).collect(),
        };
        shorten(&mut output, |output| {
            let last = if output.sheets.len() > 1 { output.sheets.pop() } else { None };
            last.map(|sheet| output.others.insert(0, sheet.title)).is_some()
        });
        Ok(output)
    }
}

async fn describe(
    context: &Context,
    id: &str,
    sheet: &Sheet,
    mut window: Window,
    rows: &[Vec<CellValue>],
    header_row: Option<u32>,
) -> Result<SheetOut> {
    let mut out = SheetOut {
        title: sheet.title.clone(),
        sheet_id: sheet.id,
        rows: sheet.rows,
        columns: sheet.columns,
        hidden: sheet.hidden,
        protected: sheet.objects.protections.iter().map(protection).collect(),
        tables: sheet
            .objects
            .tables
            .iter()
            .map(|table| format!("{} ({})", table.name, cells(&table.range)))
            .collect(),
        header_row: None,
        data_rows: 0,
        more_rows: rows.len() >= usize::try_from(SAMPLE_ROWS).unwrap_or(usize::MAX),
        header: Vec::new(),
        key_candidates: Vec::new(),
        problem: None,
    };
    let header = match window.header(sheet, rows, header_row) {
        Ok(Some(header)) => header,
        Ok(None) => return Ok(out),
        Err(error) => {
            out.problem = Some(error.to_string());
            return Ok(out);
        }
    };
    let first = header.row.saturating_add(1).saturating_sub(window.top);
    let data = rows.get(usize::try_from(first).unwrap_or(usize::MAX)..).unwrap_or_default();
    let data = window.cut(data);
    let data = data.as_ref();
    out.header_row = Some(header.row + 1);
    out.problem = header.check_named(header.row + 1, data).err().map(|error| error.to_string());
    let snapshot = snapshot(Some(&header), data);
    out.data_rows = snapshot.len() as u64;
    let dates = date_columns(&context.google, id, &sheet.title, &header, data).await?;
    let declared: Vec<Declared> = header
        .names()
        .map(|name| match dates.get(name) {
            Some(ty) => Declared::typed(Column::new(name, *ty)),
            None => Declared::untyped(name),
        })
        .collect();
    let (schema, _) = infer(&[&snapshot], &declared);
    for (index, column) in header.columns.iter().enumerate() {
        let (blank, different) = column_facts(&snapshot, &schema, index);
        out.header.push(ColumnOut {
            name: column.name.clone(),
            letter: column_letters(column.index),
            ty: schema.columns.get(index).map(|column| column.ty).unwrap_or_default().to_string(),
            blank,
        });
        if blank == 0 && different == out.data_rows && different > 0 {
            out.key_candidates.push(column.name.clone());
        }
    }
    Ok(out)
}

/// Returns a protected range as people call it: name, cells, and what an edit comes to.
fn protection(found: &Protection) -> String {
    let open = found.range.end_row.or(found.range.end_column).is_none();
    let place = if open { "whole sheet".to_owned() } else { cells(&found.range).to_string() };
    let edit = match (found.warning_only, found.editable) {
        (true, _) => "warning only",
        (false, true) => "editable by this account",
        (false, false) => "not editable by this account",
    };
    let name = match found.description.as_str() {
        "" => String::new(),
        name => format!("\"{name}\" "),
    };
    format!("{name}{place}, {edit}")
}

/// Returns how many cells of a column are blank, and how many different values it has.
fn column_facts(
    snapshot: &lockstep_engine::snapshot::Snapshot,
    schema: &Schema,
    index: usize,
) -> (u64, u64) {
    let Some(column) = schema.columns.get(index) else { return (0, 0) };
    let mut blank = 0;
    let mut values = std::collections::HashSet::new();
    for row in 0..snapshot.len() {
        let value = column.value(&snapshot.cell(row, index));
        if value.is_null() {
            blank += 1;
        } else {
            values.insert(value);
        }
    }
    (blank, values.len() as u64)
}
