//! Anchored writes: rows are tagged, and values go to tags, wherever their rows are by then.
//!
//! A tag is developer metadata of a row, which follows it wherever people move it. The service looks a tag up when it
//! writes, so no value can reach another row, nor overwrite what somebody wrote to a cell before the rows were looked at.
//! What tags do not cover: deletes go by position, with read-back and repair; new rows go after the last one; columns that
//! move between the last look and the write are found by their names and repaired.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use lockstep_a1::{Area, parse, quote_always};
use lockstep_engine::dataset::SideName;
use lockstep_google::{
    CellValue, DataFilter, Google, GridRange, Input, Kind as GoogleKind, MetadataPlace,
    MetadataQuery, Render, Request, RowWrite,
};

use super::{
    apply::Writes,
    header::label,
    marker,
    sheet::at,
    sheet_check::{Todo, View},
    sheet_ops::{Ops, SetRow},
    sheet_picture::Seen,
    sheet_plan::SheetPlan,
    sheet_repair::Work,
    sheet_rounds::look,
    sheet_verify::columns,
};
use crate::error::{Error, Kind, Result};

/// The most rows of one run that are anchored.
///
/// Google allows 30,000 characters of tags on a sheet, those of other programs included; a tag of ours has about 23.
pub(crate) const MAX_ROWS: usize = 500;

/// The key of every tag of Lockstep.
pub(crate) const KEY: &str = "ls";

/// How often rows are tagged again that had moved before their tags were there.
const ATTEMPTS: usize = 6;

/// After how many seconds the tags of a run that died are removed by another.
const KEEP: i64 = 3_600;

/// Returns an error if more rows are changed than can be anchored.
pub(crate) fn check_size(todos: &[Todo]) -> Result<()> {
    let rows = todos.iter().filter(|todo| matches!(todo, Todo::Set(..))).count();
    if rows <= MAX_ROWS {
        return Ok(());
    }
    Err(Error::new(
        Kind::TooLarge,
        format!(
            "{rows} rows would change; at most {MAX_ROWS} can be anchored. Nothing was written"
        ),
    )
    .next("use guard \"readBack\", the default"))
}

/// Returns what the tags of a run say: when they were made, and by which run.
pub(crate) fn tags(run: &str, side: SideName, now: Timestamp) -> String {
    format!("{}.{}", now.as_second(), marker::id(&[run, side.as_str()]))
}

/// Returns the request that removes the tags of a run.
pub(crate) fn untag(tags: &str) -> Request {
    Request::DeleteMetadata(MetadataQuery {
        key: Some(KEY.into()),
        value: Some(tags.to_owned()),
        ..MetadataQuery::default()
    })
}

/// Returns the requests that remove the tags that runs which died have left; one read call.
pub(crate) async fn sweep(
    google: &Google,
    spreadsheet: &str,
    now: Timestamp,
) -> Result<Vec<Request>> {
    let query = MetadataQuery { key: Some(KEY.into()), ..MetadataQuery::default() };
    let found = google.search_metadata(spreadsheet, &query).await?;
    let made = |value: &str| value.split_once('.').and_then(|(at, _)| at.parse::<i64>().ok());
    let old: BTreeSet<String> = found
        .into_iter()
        .map(|found| found.value)
        .filter(|value| made(value).is_some_and(|at| at.saturating_add(KEEP) < now.as_second()))
        .collect();
    Ok(old.iter().map(|value| untag(value)).collect())
}

/// A row that carries a tag.
struct Tagged<'a> {
    id: i32,
    set: &'a SetRow,
}

/// What the service finds by tags, all at one moment: the header, and rows by their tags.
struct Found {
    header: Vec<CellValue>,
    rows: HashMap<i32, (u32, Vec<CellValue>)>,
}

/// Writes the cells of a batch's rows through tags, and confirms those that landed.
///
/// The requests that take the tags away again are left in the plan's tail, for the batch that carries the marker.
pub(crate) async fn write(
    google: &Google,
    now: Timestamp,
    plan: &mut SheetPlan,
    batch: usize,
    writes: &Writes<'_>,
    work: &mut Work,
) -> Result<()> {
    let Some(tags) = plan.tags.clone() else { return Ok(()) };
    let mut formats: Vec<Request> = Vec::new();
    for attempt in 0..ATTEMPTS {
        let ops = work.ops(&plan.view(writes));
        if ops.sets.is_empty() {
            break;
        }
        if attempt + 1 == ATTEMPTS {
            for change in ops.sets.values().filter_map(|set| set.change) {
                work.give_up(change, "rows kept moving while they were tagged".into());
            }
            break;
        }
        plan.tail = vec![untag(&tags)];
        let rows: Vec<Tagged<'_>> = ops
            .sets
            .iter()
            .map(|(row, set)| {
                let parts =
                    [tags.as_str(), &batch.to_string(), &attempt.to_string(), &row.to_string()];
                Tagged { id: marker::id(&parts), set }
            })
            .collect();
        if !tag(google, now, plan, (batch, attempt), writes, &ops, &rows, &tags).await? {
            see(google, plan, writes).await?;
            continue;
        }
        let view = plan.view(writes);
        let names = columns(&view, &ops);
        let found = find(google, plan, &rows).await?;
        let ready: Vec<&Tagged<'_>> = if found.header_is(&names) {
            rows.iter().filter(|row| found.is_as_seen(&view, row)).collect()
        } else {
            Vec::new()
        };
        let landed = put(google, plan, &ready).await?;
        // The header must be as it was after the write too, else the values stand in other columns of their rows.
        let after = find(google, plan, &rows).await?;
        if after.header_is(&names) {
            for row in ready.iter().filter(|row| landed.contains(&row.id)) {
                formats.extend(after.formats(plan.sheet, row));
                work.confirm(row.set.change);
            }
            see(google, plan, writes).await?;
        } else {
            let sets: BTreeMap<u32, SetRow> = ready
                .iter()
                .filter(|row| landed.contains(&row.id))
                .filter_map(|row| Some((after.rows.get(&row.id)?.0, row.set.clone())))
                .collect();
            let (picture, layout) = look(google, plan, writes).await?;
            let index = layout.index(writes, &picture);
            let now = View { writes, picture: &picture, layout: &layout, index: &index };
            let written = Ops { sets, ..Ops::default() };
            work.examine(&written, &plan.view(writes), None, &now);
            plan.see(picture, layout, writes);
            // What is to be mended may have lost its key: that goes by position, with read-back.
            break;
        }
    }
    plan.tail.extend(formats);
    Ok(())
}

async fn see(google: &Google, plan: &mut SheetPlan, writes: &Writes<'_>) -> Result<()> {
    let (picture, layout) = look(google, plan, writes).await?;
    plan.see(picture, layout, writes);
    Ok(())
}

/// Tags rows, where they were last seen; returns `false` if there are no such rows any more.
#[expect(clippy::too_many_arguments, reason = "one step of `write`, which has them all")]
async fn tag(
    google: &Google,
    now: Timestamp,
    plan: &mut SheetPlan,
    (batch, attempt): (usize, usize),
    writes: &Writes<'_>,
    ops: &Ops,
    rows: &[Tagged<'_>],
    tags: &str,
) -> Result<bool> {
    let mut requests = plan.setup.clone();
    requests.push(untag(tags));
    // Fails if the batch was settled as void meanwhile: its marker's id is taken then.
    let (id, _) = plan.marker(batch, "");
    requests.push(Request::CreateMetadata {
        id: Some(id),
        key: KEY.into(),
        value: String::new(),
        place: MetadataPlace::Spreadsheet,
    });
    requests
        .push(Request::DeleteMetadata(MetadataQuery { id: Some(id), ..MetadataQuery::default() }));
    requests.extend(ops.sets.keys().zip(rows).map(|(row, tagged)| Request::CreateMetadata {
        id: Some(tagged.id),
        key: KEY.into(),
        value: tags.to_owned(),
        place: MetadataPlace::Row { sheet: plan.sheet, index: *row },
    }));
    let (id, proof) = plan.marker(batch, &format!("t{attempt}"));
    let marker = marker::new(id, now, marker::KEEP_RUN, &proof);
    match google.batch_update_once(&plan.spreadsheet, &requests, &marker, &[]).await {
        Ok(_) => {
            plan.set_up(writes, ops);
            Ok(true)
        }
        Err(error) if error.kind == GoogleKind::Invalid && plan.setup.is_empty() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Writes the values of rows that are ready; returns the tags that were found.
async fn put(google: &Google, plan: &SheetPlan, ready: &[&Tagged<'_>]) -> Result<BTreeSet<i32>> {
    if ready.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows: Vec<RowWrite> = ready
        .iter()
        .map(|row| {
            let mut cells: Vec<Option<Input>> = Vec::new();
            for (column, write) in &row.set.cells {
                let place = usize::try_from(*column).unwrap_or(usize::MAX);
                if cells.len() <= place {
                    cells.resize_with(place.saturating_add(1), || None);
                }
                if let Some(slot) = cells.get_mut(place) {
                    *slot = Some(write.value.clone());
                }
            }
            RowWrite { metadata_id: row.id, cells }
        })
        .collect();
    let written = google.write_rows_by_metadata(&plan.spreadsheet, &rows).await;
    let written = written.map_err(|error| match error.kind {
        GoogleKind::Invalid => Error::from(error),
        _ => Error::new(Kind::Ambiguous, "values of tagged rows may have been written, or not")
            .next("call syncDataset again: it compares afresh")
            .with_source(error),
    })?;
    Ok(written.into_iter().map(|(id, _)| id).collect())
}

async fn find(google: &Google, plan: &SheetPlan, rows: &[Tagged<'_>]) -> Result<Found> {
    let header = u64::from(plan.layout.header_row) + 1;
    let header = DataFilter::Range(format!("{}!{header}:{header}", quote_always(&plan.title)));
    let mut filters: Vec<DataFilter> =
        rows.iter().map(|row| DataFilter::Metadata(row.id)).collect();
    filters.push(header.clone());
    let all = google.values_by_filter(&plan.spreadsheet, &filters, Render::Unformatted).await?;
    let mut found = Found { header: Vec::new(), rows: HashMap::new() };
    for (by, values) in all {
        let Area::Cells(cells) = parse(&values.range)
            .map_err(|error| {
                Error::internal(format!("the service named a range {:?}: {error}", values.range))
            })?
            .area
        else {
            continue;
        };
        let row = values.rows.into_iter().next().unwrap_or_default();
        for filter in by {
            match filter {
                DataFilter::Metadata(id) => {
                    found.rows.insert(id, (cells.start_row, row.clone()));
                }
                DataFilter::Range(_) => found.header.clone_from(&row),
            }
        }
    }
    Ok(found)
}

impl Found {
    fn header_is(&self, names: &BTreeMap<u32, String>) -> bool {
        names.iter().all(|(column, name)| label(at(&self.header, *column)) == *name)
    }

    /// Returns whether a tag sits on the row that it was meant for, and the row is as it was seen.
    fn is_as_seen(&self, view: &View<'_>, row: &Tagged<'_>) -> bool {
        let Some((_, cells)) = self.rows.get(&row.id) else { return false };
        let key = view.layout.key_with(view.writes, |column| at(cells, column));
        let seen = match view.index.get(&row.set.key) {
            Some(super::sheet_layout::Spot::One(seen)) => *seen,
            _ => return false,
        };
        key == row.set.key
            && row.set.cells.iter().all(|(column, _)| {
                Seen::showing(at(cells, *column).clone()) == *view.picture.cell(seen, *column)
            })
    }

    /// Returns the number formats of dates and times in a row, which values written to a tag do not bring.
    ///
    /// By position: should the row have moved again, a cell of the same column is shown as a date.
    fn formats(&self, sheet: i32, row: &Tagged<'_>) -> Vec<Request> {
        let Some((at, _)) = self.rows.get(&row.id) else { return Vec::new() };
        let formats = row.set.cells.iter().filter_map(|(column, write)| {
            let range = GridRange {
                sheet,
                start_row: Some(*at),
                end_row: Some(at.saturating_add(1)),
                start_column: Some(*column),
                end_column: Some(column.saturating_add(1)),
            };
            Some(Request::RepeatFormat { range, format: write.format.clone()? })
        });
        formats.collect()
    }
}
