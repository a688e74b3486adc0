//! A narrow look at the rows of a batch, right before it is sent, if the last look is not fresh any more.

use lockstep_a1::quote_always;
use lockstep_google::{CellValue, Google, Kind as GoogleKind, Render};
use tokio::time::Instant;

use super::{
    apply::Writes,
    sheet_check::Todo,
    sheet_picture::{Seen, at},
    sheet_plan::{SheetPlan, touches},
    sheet_rounds::look,
};
use crate::error::Result;

/// The most ranges that are looked at, in a URL; more scattered rows are looked at as one span.
const MAX_RANGES: usize = 60;

/// Looks at the header and at the rows that a batch touches; if they are not as they were last seen, at the whole sheet.
pub(crate) async fn recheck(
    google: &Google,
    plan: &mut SheetPlan,
    batch: usize,
    writes: &Writes<'_>,
) -> Result<()> {
    if !plan.setup.is_empty() && plan.picture.is_blank() {
        return Ok(());
    }
    let runs = touched(plan, batch, writes);
    if !is_as_seen(google, plan, &runs).await? {
        // Before the first batch is sent, columns that it adds are not there to be found.
        if plan.setup.is_empty() {
            let (picture, layout) = look(google, plan, writes).await?;
            plan.see(picture, layout, writes);
        } else {
            return Err(super::sheet_check::changed(&plan.title, "rows moved or were edited"));
        }
    }
    plan.seen = Instant::now();
    Ok(())
}

/// Returns the header's row and the rows that a batch touches, in runs of neighbours.
fn touched(plan: &SheetPlan, batch: usize, writes: &Writes<'_>) -> Vec<(u32, u32)> {
    let view = plan.view(writes);
    let changes = plan.batches.get(batch).into_iter().flatten();
    let mut rows: Vec<u32> = changes
        .filter_map(|position| writes.changes.get(*position))
        .filter(|change| touches(change) || change.after.is_none())
        .filter_map(|change| match view.check(change) {
            Ok(Todo::Set(row, _) | Todo::Remove(row)) => Some(row),
            _ => None,
        })
        .collect();
    rows.sort_unstable();
    let mut runs = runs(rows, MAX_RANGES);
    runs.insert(0, (plan.layout.header_row, plan.layout.first_row()));
    runs
}

/// Returns rows, ascending, as runs of neighbours.
pub(super) fn neighbours(rows: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for row in rows {
        match runs.last_mut() {
            Some((_, end)) if *end == row => *end += 1,
            _ => runs.push((row, row.saturating_add(1))),
        }
    }
    runs
}

/// Returns rows, ascending, as runs of neighbours; as one span if there are more than `most`.
pub(crate) fn runs(rows: impl IntoIterator<Item = u32>, most: usize) -> Vec<(u32, u32)> {
    let mut runs = neighbours(rows);
    if runs.len() > most
        && let (Some((start, _)), Some((_, end))) = (runs.first(), runs.last())
    {
        runs = vec![(*start, *end)];
    }
    runs
}

/// Returns the ranges of whole rows.
pub(crate) fn ranges(title: &str, runs: &[(u32, u32)]) -> Vec<String> {
    let title = quote_always(title);
    runs.iter().map(|(start, end)| format!("{title}!{}:{end}", u64::from(*start) + 1)).collect()
}

async fn is_as_seen(google: &Google, plan: &SheetPlan, runs: &[(u32, u32)]) -> Result<bool> {
    let ranges = ranges(&plan.title, runs);
    let found = match google.values(&plan.spreadsheet, &ranges, Render::Unformatted).await {
        Ok(found) => found,
        // Rows beyond the grid: others were deleted.
        Err(error) if error.kind == GoogleKind::Invalid => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let same = |row: u32, cells: &[CellValue]| {
        let seen = plan.picture.row(row);
        let width = u32::try_from(seen.len().max(cells.len())).unwrap_or(u32::MAX);
        (0..width).filter(|column| plan.layout.holds(*column)).all(|column| {
            let there = super::sheet::at(cells, column);
            let was = at(&seen, column);
            // What a formula shows may change by itself.
            was.formula().is_some() || *was == Seen::showing(there.clone())
        })
    };
    Ok(runs.iter().zip(&found).all(|((start, end), range)| {
        let mut rows = range.rows.iter();
        (*start..*end).all(|row| same(row, rows.next().map(Vec::as_slice).unwrap_or_default()))
    }))
}
