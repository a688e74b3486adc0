//! Sending a batch: write, read back, and, if rows had moved, repair until every row has its own.

use std::time::Duration;

use jiff::Timestamp;
use lockstep_google::{Google, Kind as GoogleKind, Request, Retry};

use super::{
    apply::{Guard, Sent, Writes},
    marker, sheet_anchor,
    sheet_layout::Layout,
    sheet_ops::Ops,
    sheet_picture::{Picture, Seen},
    sheet_plan::SheetPlan,
    sheet_recheck,
    sheet_repair::Work,
    sheet_verify::{Evidence, columns, proves, ranges},
};
use crate::error::{Error, Kind, Result};

/// How often a batch and its repairs are sent before they give up; each needs somebody to move rows at the same moment.
const ROUNDS: usize = 8;

/// How old a look at the sheet may be before the rows of a batch are looked at again.
const FRESH: Duration = Duration::from_millis(500);

/// Sends a batch; see [`super::apply::send`].
pub(crate) async fn send(
    google: &Google,
    now: Timestamp,
    plan: &mut SheetPlan,
    batch: usize,
    writes: &Writes<'_>,
) -> Result<Sent> {
    if plan.seen.elapsed() > FRESH {
        sheet_recheck::recheck(google, plan, batch, writes).await?;
    }
    let mut work = Work::new(plan.batches.get(batch).cloned().unwrap_or_default());
    if plan.guard == Guard::Anchor {
        sheet_anchor::write(google, now, plan, batch, writes, &mut work).await?;
    }
    let mut applied = false;
    let mut repairs = 0;
    for _ in 0..ROUNDS {
        let ops = work.ops(&plan.view(writes));
        if ops.is_empty() && plan.tail.is_empty() {
            return Ok(work.finish());
        }
        let part = if applied { format!("r{repairs}") } else { String::new() };
        repairs += usize::from(applied);
        let round = Round { google, now, batch, part };
        match round.send(plan, writes, &ops).await {
            Ok(evidence) => {
                applied = true;
                plan.set_up(writes, &ops);
                plan.tail.clear();
                let view = plan.view(writes);
                let names = columns(&view, &ops);
                let proven = evidence
                    .as_ref()
                    .is_some_and(|seen| proves(&view, &ops, &names, seen, plan.end_row()));
                if proven {
                    work.landed(&ops);
                    apply(&mut plan.picture, &ops);
                    plan.pushed(&ops);
                    if work.is_done() {
                        return Ok(work.finish());
                    }
                    // What is left is not of this look any more: rows have other places now.
                    let (picture, layout) =
                        look(google, plan, writes).await.map_err(|e| unproven(&work, e))?;
                    plan.see(picture, layout, writes);
                    continue;
                }
                let (picture, layout) =
                    look(google, plan, writes).await.map_err(|e| unproven(&work, e))?;
                let index = layout.index(writes, &picture);
                let after = super::sheet_check::View {
                    writes,
                    picture: &picture,
                    layout: &layout,
                    index: &index,
                };
                work.examine(
                    &ops,
                    &view,
                    evidence.as_ref().filter(|seen| seen.header_is(&names, view.layout.header_row)),
                    &after,
                );
                plan.see(picture, layout, writes);
            }
            Err(error) if refused(&error) && plan.setup.is_empty() => {
                plan.tail.retain(|request| matches!(request, Request::DeleteMetadata(_)));
                // Nothing was applied. If rows are elsewhere by now, that is why: another try has them right.
                let (picture, layout) =
                    look(google, plan, writes).await.map_err(|e| work.open(e))?;
                if picture == plan.picture {
                    return Err(work.open(error.into()));
                }
                plan.see(picture, layout, writes);
            }
            Err(error) => return Err(if applied { work.open(error.into()) } else { error.into() }),
        }
    }
    Err(work.open(
        Error::new(Kind::Changed, "rows kept moving while they were written")
            .next("wait until nobody sorts or inserts rows, then call syncDataset again"),
    ))
}

/// Returns the error of a batch that was written, but of which it is not known that it hit the right rows.
fn unproven(work: &Work, error: Error) -> Error {
    let error = Error::new(
        Kind::Ambiguous,
        format!("the batch was written while rows were moved, and what it hit could not be looked at: {error}"),
    )
    .next("look at the rows of this batch, then call syncDataset again")
    .with_source(error);
    work.open(error)
}

/// Returns whether the service refused a batch as such, so that nothing of it was applied.
fn refused(error: &lockstep_google::Error) -> bool {
    error.kind == GoogleKind::Invalid && error.retry == Retry::Permanent && error.status.is_some()
}

/// Looks at the whole sheet again, in one read.
pub(crate) async fn look(
    google: &Google,
    plan: &SheetPlan,
    writes: &Writes<'_>,
) -> Result<(Picture, Layout)> {
    let picture = Picture::read_at_once(google, &plan.spreadsheet, &plan.title).await?;
    plan.locate(picture, writes)
}

/// One sending of a batch, or of a repair of it.
struct Round<'a> {
    google: &'a Google,
    now: Timestamp,
    batch: usize,
    part: String,
}

impl Round<'_> {
    async fn send(
        &self,
        plan: &SheetPlan,
        writes: &Writes<'_>,
        ops: &Ops,
    ) -> lockstep_google::Result<Option<Evidence>> {
        let view = plan.view(writes);
        let mut requests: Vec<Request> = plan.setup.clone();
        requests.extend(plan.tail.iter().cloned());
        requests.extend(ops.requests(&view, plan.sheet, plan.end_row()));
        let read_back = ranges(&view, ops, &columns(&view, ops), &plan.title, plan.end_row());
        let (id, proof) = plan.marker(self.batch, &self.part);
        let marker = marker::new(id, self.now, marker::KEEP_RUN, &proof);
        let spreadsheet = &plan.spreadsheet;
        let reply =
            self.google.batch_update_once(spreadsheet, &requests, &marker, &read_back).await?;
        Ok(Evidence::of(&reply, plan.sheet))
    }
}

/// Keeps the picture as the sheet is after a batch that hit what it was meant for.
fn apply(picture: &mut Picture, ops: &Ops) {
    for (row, set) in &ops.sets {
        for (column, write) in &set.cells {
            picture.put(*row, *column, Seen::after(write));
        }
    }
    let gone = |row: usize| u32::try_from(row).is_ok_and(|row| ops.removes.contains_key(&row));
    if !ops.removes.is_empty() {
        let mut row = 0;
        picture.rows.retain(|_| {
            row += 1;
            !gone(row - 1)
        });
    }
    let rows = ops.appends.iter().map(|append| super::sheet_check::after(&append.cells));
    picture.rows.extend(rows);
}
