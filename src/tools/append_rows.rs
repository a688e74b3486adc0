//! `appendRows`: rows after the last row with data, in the header's columns, once.

use lockstep_a1::{column_letters, quote_always};
use lockstep_google::{CellFields, CellValue, CellWrite, Render, Request, Sheet};
use rmcp::model::ToolAnnotations;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, Tool, cell::CellArg};
use crate::{
    error::{Error, Kind, Result},
    replica::{
        header::Header,
        marker::{self, Markers},
        sheet,
        sheet_append::Ground,
        sheet_window::Window,
    },
};

/// The most rows of one call; more is a job for syncDataset.
const MAX_ROWS: usize = 2_000;

/// See [`Tool`].
pub(crate) struct AppendRows;

/// A row: {header: cell}, or cells in the header's order.
#[derive(Debug)]
pub(crate) enum RowArg {
    Record(Vec<(String, CellArg)>),
    Cells(Vec<CellArg>),
}

impl<'de> Deserialize<'de> for RowArg {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let cell = |place: String, value| {
            serde_json::from_value::<CellArg>(value)
                .map_err(|e| D::Error::custom(format!("{place}: {e}")))
        };
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Object(object) => object
                .into_iter()
                .map(|(name, value)| Ok((name.clone(), cell(format!("\"{name}\""), value)?)))
                .collect::<Result<_, _>>()
                .map(Self::Record),
            serde_json::Value::Array(array) => array
                .into_iter()
                .enumerate()
                .map(|(index, value)| cell(format!("[{index}]"), value))
                .collect::<Result<_, _>>()
                .map(Self::Cells),
            _ => Err(D::Error::custom("a row is {\"header\": cell, ...} or [cell, ...]")),
        }
    }
}

impl JsonSchema for RowArg {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RowArg".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"anyOf": [
            {"type": "object"},
            {"type": "array", "items": super::cell::any_cell()}
        ]})
    }
}

/// The arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Args {
    /// Id or URL.
    spreadsheet_id: String,
    /// Default the first.
    sheet: Option<String>,
    /// {header: cell} or [cells]; cells as in updateCells.
    rows: Vec<RowArg>,
    /// Any text; remembered 7 days.
    idempotency_key: Option<String>,
    /// From 1; default the first not blank.
    header_row: Option<u32>,
    /// As in syncDataset.
    range: Option<String>,
    /// Check only.
    #[serde(default)]
    dry_run: bool,
}

/// The result.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Output {
    /// Rows written by this call.
    appended: u64,
    /// Whether an earlier call with this idempotencyKey wrote them already.
    already_done: bool,
    sheet: String,
    /// First of them on the sheet, from 1; read back.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_row: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_row: Option<u64>,
}

/// Returns the cells of each row from the sheet's first column on.
fn cells(rows: &[RowArg], header: &Header) -> Result<Vec<Vec<CellWrite>>> {
    let width = header.columns.last().map_or(0, |column| column.index + 1);
    let width = usize::try_from(width).unwrap_or(0);
    rows.iter()
        .enumerate()
        .map(|(number, row)| {
            let mut cells = vec![CellWrite::empty(); width];
            let mut put = |index: u32, cell: &CellArg| {
                if let Some(slot) =
                    usize::try_from(index).ok().and_then(|index| cells.get_mut(index))
                {
                    *slot = cell.to_write();
                }
            };
            match row {
                RowArg::Record(record) => {
                    for (name, cell) in record {
                        let column = header
                            .column(name)
                            .map_err(|error| error.context(format!("argument rows[{number}]")))?;
                        put(column.index, cell);
                    }
                }
                RowArg::Cells(given) => {
                    if given.len() > header.columns.len() {
                        return Err(Error::invalid(format!(
                            "argument rows[{number}]: {} cells, but the header has {} columns",
                            given.len(),
                            header.columns.len()
                        ))
                        .next("give one cell for each header, or records by name"));
                    }
                    for (column, cell) in header.columns.iter().zip(given) {
                        put(column.index, cell);
                    }
                }
            }
            if cells.iter().all(|cell| *cell == CellWrite::empty()) {
                return Err(Error::invalid(format!("argument rows[{number}]: the row is blank"))
                    .next("leave it out; a blank row cannot be told from none"));
            }
            Ok(cells)
        })
        .collect()
}

fn digest(sheet: &Sheet, rows: &[Vec<CellWrite>]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{}:{rows:?}", sheet.id).as_bytes());
    hasher.finalize().to_hex().chars().take(16).collect()
}

impl Tool for AppendRows {
    const NAME: &'static str = "appendRows";
    const TITLE: &'static str = "Append rows";
    const DESCRIPTION: &'static str = "Adds rows below the last one, under the sheet's header. With idempotencyKey a repeated call adds nothing. \
For only the rows that are not there yet, or over 2,000: syncDataset.";
    type Args = Args;
    type Output = Output;

    fn annotations() -> ToolAnnotations {
        ToolAnnotations::new()
            .read_only(false)
            .destructive(false)
            .idempotent(false)
            .open_world(true)
    }

    async fn call(context: &Context, args: Args) -> Result<Output> {
        if args.rows.is_empty() {
            return Err(
                Error::invalid("argument rows: there are none").next("give at least one row")
            );
        }
        if args.rows.len() > MAX_ROWS {
            return Err(Error::new(
                Kind::TooLarge,
                format!("{} rows are more than {MAX_ROWS}", args.rows.len()),
            )
            .next("append in several calls, or use syncDataset"));
        }
        let width = |row: &RowArg| match row {
            RowArg::Record(record) => record.len() as u64,
            RowArg::Cells(cells) => cells.len() as u64,
        };
        let next = "append fewer rows in one call, or ask the operator for a higher limit";
        let given = args.rows.iter().map(width).sum();
        context.limits.check(args.rows.len() as u64, given, next)?;
        if args.idempotency_key.as_deref().is_some_and(|key| key.trim().is_empty()) {
            return Err(Error::invalid("argument idempotencyKey: it is blank")
                .next("name the append, or leave it out"));
        }
        let google = &context.google;
        let (id, spreadsheet) = sheet::open(google, &args.spreadsheet_id).await?;
        let (sheet, window) =
            Window::find(&spreadsheet, args.sheet.as_deref(), args.range.as_deref())?;
        let place = |error: Error| error.context(format!("sheet \"{}\"", sheet.title));
        let ground = Ground::read(google, &spreadsheet, sheet, window.clone(), args.header_row);
        let mut ground = ground.await.map_err(place)?;
        let rows = cells(&args.rows, &ground.header)?;
        let mut output = Output {
            appended: 0,
            already_done: false,
            sheet: sheet.title.clone(),
            first_row: None,
            last_row: None,
        };
        let fields = CellFields::ValuesAndFormats;
        let all = Request::AppendCells { sheet: sheet.id, rows: rows.clone(), fields };
        all.check().map_err(|error| Error::from(error).context("argument rows"))?;
        let now = context.clock.now();
        let digest = digest(sheet, &rows);
        let (marker, kept) = match &args.idempotency_key {
            Some(key) => (marker::id(&["append", &id, key]), marker::KEEP_IDEMPOTENT),
            None => (marker::id(&[&marker::run_id()]), marker::KEEP_RUN),
        };
        let markers = Markers::of(&spreadsheet);
        let key = args.idempotency_key.as_deref();
        let mut known = markers.proof(marker).map(str::to_owned);
        // The spreadsheet has room for the markers of some hundred appends, the store for all.
        if let (None, Some(key)) = (&known, key) {
            known = context.store.appended(&id, key, now).await?;
        }
        match known {
            Some(known) if known == digest => {
                output.already_done = true;
                return Ok(output);
            }
            Some(_) => {
                return Err(Error::new(
                    Kind::Changed,
                    "argument idempotencyKey: it was used for other rows; nothing was written",
                )
                .next("give each append a key of its own"));
            }
            None => {}
        }
        let written = ground.requests(google, &id, sheet, &rows).await.map_err(place)?;
        if args.dry_run {
            return Ok(output);
        }
        let mut requests = markers.sweep(now);
        requests.extend(written);
        let marker = marker::new(marker, now, kept, &digest);
        let dressed = ground.send(google, (&id, sheet), &requests, &marker, &rows).await?;
        if let Some(key) = key {
            // The rows are there: that this cannot be noted is no reason to say that they are not. The marker tells.
            if let Err(error) = context.store.remember_append(&id, key, &digest, now).await {
                tracing::warn!(%error, key, "an append could not be noted in the store");
            }
        }
        output.appended = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        if let Some((first, last)) = landed(context, &id, sheet, &ground, &rows).await {
            (output.first_row, output.last_row) = (Some(first), Some(last));
            if !dressed {
                // Others moved rows at the same moment: the row that the new ones were to be like was another.
                let again = Ground::read(google, &spreadsheet, sheet, window, args.header_row);
                let at = |row: u64| u32::try_from(row).unwrap_or(u32::MAX);
                let rows = (at(first).saturating_sub(1), at(last));
                let requests = again.await.map_err(place)?.redress(sheet.id, rows);
                if !requests.is_empty() {
                    google.batch_update(&id, &requests, &[]).await?;
                }
            }
        }
        Ok(output)
    }
}

/// Finds the rows where they landed, by reading back; `None` if someone changed them meanwhile.
async fn landed(
    context: &Context,
    id: &str,
    sheet: &Sheet,
    ground: &Ground,
    rows: &[Vec<CellWrite>],
) -> Option<(u64, u64)> {
    // A column in which the last row has something: its last cell is that row, unless others append too.
    let last = rows.last()?;
    let column = ground.header.columns.iter().find(|column| {
        let cell = usize::try_from(column.index).ok().and_then(|index| last.get(index));
        cell.is_some_and(|cell| *cell != CellWrite::empty())
    })?;
    let wanted: Vec<CellValue> = rows
        .iter()
        .map(|row| {
            let cell = usize::try_from(column.index).ok().and_then(|index| row.get(index));
            cell.map(|cell| shown(&cell.value)).unwrap_or_default()
        })
        .collect();
    let letters = column_letters(column.index);
    // Below the last row that was seen; only if others deleted rows meanwhile, further up.
    for top in [ground.end(), 0] {
        let range = format!("{}!{letters}{}:{letters}", quote_always(&sheet.title), top + 1);
        let read = context.google.values(id, &[range], Render::Formula).await.ok()?;
        let cells = read.into_iter().next()?.rows.into_iter();
        let there: Vec<CellValue> =
            cells.map(|row| row.into_iter().next().unwrap_or_default()).collect();
        if let Some(at) = there.windows(wanted.len()).rposition(|window| window == wanted) {
            let first = u64::from(top) + u64::try_from(at).ok()? + 1;
            return Some((first, first + u64::try_from(rows.len()).ok()? - 1));
        }
    }
    None
}

/// Returns what a written cell reads back as, with formulas shown.
fn shown(input: &lockstep_google::Input) -> CellValue {
    use lockstep_google::Input;
    match input {
        Input::Empty => CellValue::Empty,
        Input::Number(number) => CellValue::Number(*number),
        Input::Text(text) | Input::Formula(text) => CellValue::Text(text.clone()),
        Input::Bool(value) => CellValue::Bool(*value),
    }
}
