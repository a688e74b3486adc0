//! Tags the rows of a batch, and looks at them in the same call.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lockstep_a1::{column_letters, quote_always};
use lockstep_google::{
    Error as GoogleError, Google, Kind as GoogleKind, MetadataPlace, MetadataQuery, Request, Retry,
};

use super::{
    apply::Writes,
    marker,
    sheet_anchor::{self, Anchors},
    sheet_check::View,
    sheet_ops::Ops,
    sheet_picture::Seen,
    sheet_plan::SheetPlan,
    sheet_recheck,
    sheet_verify::{Evidence, MAX_RANGES, columns, header_range},
};
use crate::error::Result;

/// What came of an attempt to tag rows.
pub(crate) enum Laid {
    /// Every row and column is tagged, and is as it was seen.
    Held(Anchors),
    /// They are not where they were seen, or not what they were.
    Moved,
    /// The service refused: such rows are not there, or there is no room for tags.
    Refused(GoogleError),
}

/// Tags what a batch writes to, where it was last seen; does what the first batch does before everything else.
pub(crate) async fn lay(
    google: &Google,
    now: Timestamp,
    plan: &mut SheetPlan,
    (batch, attempt): (usize, usize),
    writes: &Writes<'_>,
    ops: &Ops,
) -> Result<Laid> {
    let tags = plan.tags.clone().unwrap_or_default();
    let view = plan.view(writes);
    let names = columns(&view, ops);
    let rows = ops.rows();
    let end = plan.picture.height();
    let anchors = Anchors::new(&tags, plan.sheet, &rows, names.keys().copied(), end);
    let mut requests = plan.setup.clone();
    // Fails if the batch was settled as void meanwhile: its marker's id is taken then.
    let (id, _) = plan.marker(batch, "");
    requests.push(Request::CreateMetadata {
        id: Some(id),
        key: sheet_anchor::KEY.into(),
        value: String::new(),
        place: MetadataPlace::Spreadsheet,
    });
    requests
        .push(Request::DeleteMetadata(MetadataQuery { id: Some(id), ..MetadataQuery::default() }));
    requests.extend(anchors.lay());
    let mut ranges: Vec<String> =
        header_range(&plan.title, plan.layout.header_row, &names).into_iter().collect();
    ranges.extend(looked_at(&view, ops, &plan.title));
    let sent = if plan.setup.is_empty() {
        google.batch_update(&plan.spreadsheet, &requests, &ranges).await
    } else {
        let (id, proof) = plan.marker(batch, &format!("t{attempt}"));
        let marker = marker::new(id, now, marker::KEEP_RUN, &proof);
        google.batch_update_once(&plan.spreadsheet, &requests, &marker, &ranges).await
    };
    match sent {
        Ok(reply) => {
            plan.set_up(writes, &Ops::default());
            plan.tail = vec![sheet_anchor::untag(&tags)];
            // An answer that was lost, and was read later, does not say which rows the tags are on.
            let seen = Evidence::of(&reply, plan.sheet);
            let same = seen.is_some_and(|seen| is_as_seen(plan, writes, ops, &names, &seen));
            Ok(if same { Laid::Held(anchors) } else { Laid::Moved })
        }
        Err(error) if !plan.setup.is_empty() => Err(error.into()),
        Err(error) if error.kind == GoogleKind::Invalid && error.status.is_some() => {
            Ok(Laid::Refused(error))
        }
        Err(error) if error.retry == Retry::Ambiguous => {
            plan.tail = vec![sheet_anchor::untag(&tags)];
            Ok(Laid::Moved)
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns the ranges of the rows that are written: whole rows, or of many scattered ones what [`is_as_seen`] looks at.
fn looked_at(view: &View<'_>, ops: &Ops, title: &str) -> Vec<String> {
    let scattered = sheet_recheck::neighbours(ops.rows()).len() > MAX_RANGES;
    let runs = sheet_recheck::runs(ops.rows(), MAX_RANGES);
    if !scattered || !ops.removes.is_empty() {
        return sheet_recheck::ranges(title, &runs);
    }
    let written = ops.sets.values().flat_map(|set| set.cells.iter().map(|(column, _)| *column));
    let columns: BTreeSet<u32> = view.layout.key_columns().chain(written).collect();
    let title = quote_always(title);
    let range = |column: u32, (start, end): &(u32, u32)| {
        let letters = column_letters(column);
        format!("{title}!{letters}{}:{letters}{end}", u64::from(*start) + 1)
    };
    columns.iter().flat_map(|at| runs.iter().map(|run| range(*at, run))).collect()
}

/// Returns whether the header, the keys and the cells that are written are as they were last seen.
///
/// Of a row that goes, every column of the table is.
fn is_as_seen(
    plan: &SheetPlan,
    writes: &Writes<'_>,
    ops: &Ops,
    names: &BTreeMap<u32, String>,
    seen: &Evidence,
) -> bool {
    let view = plan.view(writes);
    let key = |row: u32| seen.key(&view, row) == view.layout.key(writes, &view.picture.row(row));
    let cell = |row: u32, column: u32| {
        let was = view.picture.cell(row, column);
        // What a formula shows may change by itself.
        was.formula().is_some() || was == Seen::showing(seen.cell(row, column).clone())
    };
    let mapped = || writes.headers.iter().flatten().filter_map(|name| view.layout.column(name));
    seen.header_is(names, view.layout.header_row)
        && ops
            .sets
            .iter()
            .all(|(row, set)| key(*row) && set.cells.iter().all(|(column, _)| cell(*row, *column)))
        && ops.removes.keys().all(|row| key(*row) && mapped().all(|column| cell(*row, column)))
}
