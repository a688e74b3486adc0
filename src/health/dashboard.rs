//! The dashboard: a spreadsheet for people, made once and then brought up to date in place.

use jiff::{SignedDuration, Timestamp};
use lockstep_google::{
    CellFields, CellWrite, NewSheet, NewSpreadsheet, NumberFormat, NumberKind, Request,
    SheetChange, Spreadsheet,
};
use serde_json::json;

use super::{
    metrics::{Window, numbers},
    report::{Ask, DatasetHealth, HealthReport, report, status},
};
use crate::{
    error::{Error, Kind, Result},
    store::Rollup,
    sync::Shell,
};

/// The sheets: the seed's table, one row a dataset, the scores of the last days.
const SHEETS: [&str; 3] = ["Health", "Datasets", "History"];

/// How many days of scores the history shows.
const DAYS: i64 = 90;

type Table = Vec<Vec<CellWrite>>;

/// Makes the report and writes it; `place` is a spreadsheet's id or URL, or the one that was written last.
///
/// It is always of all datasets: one alone would take the others' place on the sheets that all have in common.
///
/// # Errors
/// A store that cannot be read, and a spreadsheet that cannot be written.
pub(crate) async fn write(shell: &Shell, ask: &Ask, place: Option<&str>) -> Result<HealthReport> {
    let now = shell.reach.clock.now();
    let full = Ask { detail: true, dataset: None, ..ask.clone() };
    let mut made = report(shell, &full).await?;
    let spreadsheet = find(shell, place).await?;
    let tables = [
        health(shell, ask, &made, now).await?,
        datasets(&made.datasets),
        history(shell, now).await?,
    ];
    let mut requests = Vec::new();
    for (title, table) in SHEETS.into_iter().zip(tables) {
        requests.extend(sheet(&spreadsheet, title, table));
    }
    shell.reach.google.batch_update(&spreadsheet.id, &requests, &[]).await?;
    let id = spreadsheet.id.clone();
    shell.store.learn("", |facts| facts.dashboard = Some(id)).await?;
    if !ask.detail {
        for one in &mut made.datasets {
            one.deductions.truncate(3);
            one.metrics.clear();
            one.quality = None;
            one.expectations.truncate(3);
            one.to_correct.clear();
        }
        made.more = made.datasets.len().saturating_sub(10) as u64;
        made.datasets.truncate(10);
    }
    made.dashboard = Some(spreadsheet.id);
    Ok(made)
}

/// Returns the spreadsheet to write: the named one, the last one, or a new one where that is gone.
async fn find(shell: &Shell, place: Option<&str>) -> Result<Spreadsheet> {
    let google = &shell.reach.google;
    if let Some(place) = place {
        let id = lockstep_google::parse_id(place).map_err(Error::from)?;
        return Ok(google.spreadsheet(&id).await?);
    }
    if let Some(id) = shell.store.facts("").await?.dashboard {
        match google.spreadsheet(&id).await.map_err(Error::from) {
            Ok(found) => return Ok(found),
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let sheet = |title: &&str| NewSheet {
        title: (*title).to_owned(),
        rows: Some(2),
        columns: Some(14),
        frozen_rows: 1,
        ..NewSheet::default()
    };
    let new = NewSpreadsheet {
        title: "Lockstep health".into(),
        // The first sheet comes with the file; the others are dressed as they are added.
        sheets: SHEETS
            .iter()
            .take(1)
            .map(|title| NewSheet { title: "About".into(), ..sheet(title) })
            .collect(),
        ..NewSpreadsheet::default()
    };
    let made = google.create_spreadsheet(&new).await?;
    let about = made.sheets.first().map_or(0, |sheet| sheet.id);
    let text = "Written by Lockstep (healthReport with dashboard). The sheets Health, Datasets and History are \
                overwritten each time; add sheets of your own beside them.";
    let rows = vec![vec![CellWrite::text(text)]];
    let note =
        Request::UpdateCells { sheet: about, row: 0, column: 0, rows, fields: CellFields::Values };
    google.batch_update(&made.id, &[note], &[]).await?;
    Ok(made)
}

/// Returns what writes a table to a sheet, and what makes and dresses the sheet where it is not there yet.
fn sheet(spreadsheet: &Spreadsheet, title: &str, table: Table) -> Vec<Request> {
    let there = spreadsheet.sheets.iter().find(|sheet| sheet.title == title);
    let rows = u32::try_from(table.len()).unwrap_or(u32::MAX).max(2);
    let columns = table.first().map_or(1, Vec::len) as u32;
    let mut requests = Vec::new();
    let id = match there {
        Some(sheet) => {
            let change = SheetChange {
                rows: Some(rows),
                columns: (sheet.columns < columns).then_some(columns),
                ..SheetChange::default()
            };
            requests.push(Request::UpdateSheet { sheet: sheet.id, change });
            sheet.id
        }
        None => {
            let id = fresh(spreadsheet, title);
            requests.push(Request::AddSheet(NewSheet {
                title: title.to_owned(),
                id: Some(id),
                rows: Some(rows),
                columns: Some(columns),
                frozen_rows: 1,
            }));
            requests.extend(dress(title, id));
            id
        }
    };
    requests.push(Request::UpdateCells {
        sheet: id,
        row: 0,
        column: 0,
        rows: table,
        fields: CellFields::ValuesAndFormats,
    });
    if rows == 2 {
        // A table without rows keeps one blank row under its header: a sheet cannot have frozen rows alone.
        let blank = vec![vec![CellWrite::empty(); columns as usize]];
        if let Some(Request::UpdateCells { rows, .. }) = requests.last_mut()
            && rows.len() == 1
        {
            rows.extend(blank);
        }
    }
    requests
}

/// Returns an id that no sheet has.
fn fresh(spreadsheet: &Spreadsheet, title: &str) -> i32 {
    let first = 810_001 + SHEETS.iter().position(|known| *known == title).unwrap_or(0) as i32;
    let taken = |id: &i32| spreadsheet.sheets.iter().any(|sheet| sheet.id == *id);
    (0..100).map(|step| first + step * 10).find(|id| !taken(id)).unwrap_or(first)
}

/// Returns what gives a new sheet its colours, its bold header and its chart.
fn dress(title: &str, sheet: i32) -> Vec<Request> {
    let mut requests = vec![Request::Dress(json!({"repeatCell": {
        "range": {"sheetId": sheet, "startRowIndex": 0, "endRowIndex": 1},
        "cell": {"userEnteredFormat": {"textFormat": {"bold": true}}},
        "fields": "userEnteredFormat.textFormat.bold"
    }}))];
    let colours =
        [("good", (0.83, 0.93, 0.85)), ("fair", (1.0, 0.95, 0.8)), ("poor", (0.96, 0.8, 0.8))];
    for (index, (word, (red, green, blue))) in colours.into_iter().enumerate() {
        if title == "History" {
            continue;
        }
        requests.push(Request::Dress(json!({"addConditionalFormatRule": {"index": index, "rule": {
            "ranges": [{"sheetId": sheet, "startRowIndex": 1, "startColumnIndex": 2, "endColumnIndex": 3}],
            "booleanRule": {
                "condition": {"type": "TEXT_EQ", "values": [{"userEnteredValue": word}]},
                "format": {"backgroundColor": {"red": red, "green": green, "blue": blue}}
            }
        }}})));
    }
    if title == "History" {
        let column = |at: u32| {
            json!({"sourceRange": {"sources": [{"sheetId": sheet, "startRowIndex": 0,
                "startColumnIndex": at, "endColumnIndex": at + 1}]}})
        };
        requests.push(Request::Dress(json!({"addChart": {"chart": {
            "spec": {
                "title": "Health score",
                "basicChart": {
                    "chartType": "LINE",
                    "legendPosition": "NO_LEGEND",
                    "headerCount": 1,
                    "axis": [{"position": "BOTTOM_AXIS", "title": "UTC"}, {"position": "LEFT_AXIS", "title": "Score"}],
                    "domains": [{"domain": column(0)}],
                    "series": [{"series": column(1), "targetAxis": "LEFT_AXIS"}]
                }
            },
            "position": {"overlayPosition": {"anchorCell": {"sheetId": sheet, "rowIndex": 0, "columnIndex": 3}}}
        }}})));
    }
    requests
}

/// The seed's table: Metric, Value, Status, Trend.
async fn health(shell: &Shell, ask: &Ask, made: &HealthReport, now: Timestamp) -> Result<Table> {
    let begin = ask.window.begin(now);
    let length = now.duration_since(begin);
    let before = begin.checked_sub(length).unwrap_or(Timestamp::UNIX_EPOCH);
    let earlier = shell.store.window((before, begin), None).await?;
    let mut all = Rollup::default();
    earlier.values().for_each(|runs| all.merge(runs));
    let before = if all.runs() > 0 { numbers(&all, ask.window) } else { Default::default() };
    let number = |name: &str| made.metrics.get(name).copied().flatten();
    let trend = |name: &str| Some(number(name)? - before.get(name).copied().flatten()?);
    let below = made.datasets.iter().filter(|one| one.score < ask.bound()).count() as f64;
    let graded = |value: Option<f64>, good: f64, fair: f64| match value {
        None => "",
        Some(value) if (good > fair && value >= good) || (good < fair && value <= good) => "good",
        Some(value) if (good > fair && value >= fair) || (good < fair && value <= fair) => "fair",
        Some(_) => "poor",
    };
    let (success, errors) = (number("successRate"), number("errorRate"));
    let mut table = vec![heads(&["Metric", "Value", "Status", "Trend"])];
    let mut row =
        |name: &str, value: Option<f64>, pattern: Pattern, status: &str, trend: Option<f64>| {
            table.push(vec![
                CellWrite::text(name),
                pattern.cell(value),
                words(status),
                pattern.signed().cell(trend),
            ]);
        };
    row("Health score", made.score, Pattern::Points, made.status, made.trend);
    row(
        "Success rate",
        success,
        Pattern::Percent,
        graded(success, 0.99, 0.95),
        trend("successRate"),
    );
    row("Error rate", errors, Pattern::Percent, graded(errors, 0.01, 0.05), trend("errorRate"));
    row("Runs", number("runs"), Pattern::Count, "", trend("runs"));
    row("Median duration (s)", number("p50Seconds"), Pattern::Points, "", trend("p50Seconds"));
    row("95 % duration (s)", number("p95Seconds"), Pattern::Points, "", trend("p95Seconds"));
    row("Rows written", number("rowsWritten"), Pattern::Count, "", trend("rowsWritten"));
    row("API calls", number("apiCalls"), Pattern::Count, "", trend("apiCalls"));
    row(
        "Quota share",
        number("quotaShare"),
        Pattern::Percent,
        graded(number("quotaShare"), 0.5, 0.8),
        trend("quotaShare"),
    );
    row(
        "Conflicts opened",
        number("conflictsOpened"),
        Pattern::Count,
        "",
        trend("conflictsOpened"),
    );
    row("Conflicts open", number("conflictsOpen"), Pattern::Count, "", None);
    row("Events waiting", number("queueDepth"), Pattern::Count, "", None);
    let dead = number("deadLetters");
    row("Dead letters", dead, Pattern::Count, graded(dead, 0.0, 0.5), None);
    let name = format!("Datasets below {}", ask.bound());
    row(&name, Some(below), Pattern::Count, graded(Some(below), 0.0, 0.5), None);
    row("Datasets", Some(made.datasets.len() as f64), Pattern::Count, "", None);
    let window = match ask.window {
        Window::Day => 1.0,
        Window::Week => 7.0,
        Window::Month => 30.0,
    };
    row("Window (days)", Some(window), Pattern::Count, "", None);
    row("Updated (UTC)", Some(serial(now)), Pattern::Time, "", None);
    Ok(table)
}

fn datasets(all: &[DatasetHealth]) -> Table {
    let parts = ["consistency", "success", "timeliness", "backlog", "quality"];
    let mut table = vec![heads(&[
        "Dataset",
        "Score",
        "Status",
        "Consistency",
        "Success",
        "Timeliness",
        "Backlog",
        "Quality",
        "Runs",
        "Failed",
        "Last good run (UTC)",
        "First to mend",
        "Why",
        "Call",
    ])];
    for one in all {
        let first = one.deductions.first();
        let last = one.last_success.as_ref().and_then(|at| at.parse::<Timestamp>().ok());
        let metric = |name: &str| one.metrics.get(name).copied().flatten();
        let mut row = vec![
            CellWrite::text(&one.dataset),
            Pattern::Points.cell(Some(one.score)),
            words(status(Some(one.score))),
        ];
        row.extend(parts.iter().map(|part| Pattern::Percent.cell(one.parts.get(*part).copied())));
        row.push(Pattern::Count.cell(metric("runs")));
        row.push(Pattern::Count.cell(metric("failed")));
        row.push(Pattern::Time.cell(last.map(serial)));
        row.push(words(first.map_or("", |first| &first.what)));
        row.push(words(
            &first.map_or(String::new(), |first| first.why.chars().take(500).collect()),
        ));
        row.push(words(&first.map_or(String::new(), |first| {
            let arguments = serde_json::to_string(&first.call.arguments).unwrap_or_default();
            format!("{} {arguments}", first.call.tool)
        })));
        table.push(row);
    }
    table
}

async fn history(shell: &Shell, now: Timestamp) -> Result<Table> {
    let from =
        now.checked_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or(Timestamp::UNIX_EPOCH);
    let scores = shell.store.scores("", from).await?;
    let mut table = vec![heads(&["At (UTC)", "Score"])];
    table.extend(scores.into_iter().map(|(at, score)| {
        vec![Pattern::Time.cell(Some(serial(at))), Pattern::Points.cell(Some(score))]
    }));
    Ok(table)
}

fn heads(names: &[&str]) -> Vec<CellWrite> {
    names.iter().map(|name| CellWrite::text(*name)).collect()
}

fn words(text: &str) -> CellWrite {
    if text.is_empty() { CellWrite::empty() } else { CellWrite::text(text) }
}

/// Returns a moment as a sheet's serial: days since 1899-12-30.
fn serial(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 86_400_000.0 + 25_569.0
}

/// How a number is shown.
#[derive(Clone, Copy)]
enum Pattern {
    Count,
    Points,
    Percent,
    Time,
    SignedCount,
    SignedPoints,
    SignedPercent,
}

impl Pattern {
    fn signed(self) -> Self {
        match self {
            Self::Count => Self::SignedCount,
            Self::Points => Self::SignedPoints,
            Self::Percent => Self::SignedPercent,
            other => other,
        }
    }

    fn cell(self, value: Option<f64>) -> CellWrite {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            return CellWrite::empty();
        };
        let (kind, pattern) = match self {
            Self::Count => (NumberKind::Number, "#,##0"),
            Self::Points => (NumberKind::Number, "0.0##"),
            Self::Percent => (NumberKind::Percent, "0.0%"),
            Self::Time => (NumberKind::DateTime, "yyyy-mm-dd hh:mm"),
            Self::SignedCount => (NumberKind::Number, "+#,##0;-#,##0;0"),
            Self::SignedPoints => (NumberKind::Number, "+0.0##;-0.0##;0"),
            Self::SignedPercent => (NumberKind::Percent, "+0.0%;-0.0%;0%"),
        };
        CellWrite::number(value).with_format(NumberFormat::new(kind, pattern))
    }
}
