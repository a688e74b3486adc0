//! Sending a batch: write, read back, and, if rows had moved, repair until every row has its own.

use std::time::Duration;

use jiff::Timestamp;
use lockstep_google::{BatchReply, Google, Kind as GoogleKind, Request, Retry};

use super::{
    apply::{Guard, Sent, Writes},
    marker,
    sheet_aim::{Aim, Notes},
    sheet_anchor::{self, Anchors},
    sheet_check::View,
    sheet_layout::Layout,
    sheet_ops::Ops,
    sheet_picture::{Picture, Seen},
    sheet_plan::SheetPlan,
    sheet_recheck,
    sheet_repair::Work,
    sheet_tag::{Laid, lay},
    sheet_verify::{Evidence, columns, proves, ranges},
};
use crate::{
    error::{Error, Kind, Result},
    halt,
};

/// How often a batch and its repairs are tried before they give up; each needs somebody to move rows at the same moment.
const ROUNDS: usize = 24;

/// How often a batch is refused, with the sheet as it was seen, before that is taken for the batch's own fault.
const REFUSALS: usize = 3;

/// How old a look at the sheet may be before the rows of a batch are looked at again.
const FRESH: Duration = Duration::from_millis(500);

/// Sends a batch; see [`super::apply::send`].
pub(crate) async fn send(
    google: &Google,
    now: Timestamp,
    plan: &mut SheetPlan,
    batch: usize,
    writes: &Writes<'_>,
    notes: &Notes,
) -> Result<Sent> {
    let changes = plan.batches.get(batch).cloned().unwrap_or_default();
    let old = |at: &usize| writes.changes.get(*at).is_some_and(|change| change.before.is_some());
    // Rows that are anchored are looked at when they are tagged.
    if plan.seen.elapsed() > FRESH && (plan.tags.is_none() || !changes.iter().any(old)) {
        sheet_recheck::recheck(google, plan, batch, writes).await?;
    }
    let rounds = Rounds { google, now, batch, writes, notes: Some(notes) };
    rounds.run(plan, Work::new(changes), false).await
}

/// What sending a batch, and mending what it hit, works with.
#[derive(Clone, Copy)]
pub(crate) struct Rounds<'a> {
    pub(crate) google: &'a Google,
    pub(crate) now: Timestamp,
    pub(crate) batch: usize,
    pub(crate) writes: &'a Writes<'a>,
    /// Where it is kept what each round is aimed at.
    pub(crate) notes: Option<&'a Notes>,
}

/// What came of one sending.
enum Outcome {
    /// It hit all that it was meant for.
    Landed,
    /// It was applied; what it hit has been examined.
    Examined,
    /// It was refused as a whole.
    Refused(lockstep_google::Error),
}

impl Rounds<'_> {
    /// Does what there is to do until nothing is left; `applied` says whether the batch itself has been already.
    pub(crate) async fn run(
        &self,
        plan: &mut SheetPlan,
        mut work: Work,
        applied: bool,
    ) -> Result<Sent> {
        let done = self.rounds(plan, &mut work, applied).await;
        if done.is_err() && !plan.tail.is_empty() {
            // Tags that nobody will use; if this fails, too, the next run removes them.
            let _ = self.google.batch_update(&plan.spreadsheet, &plan.tail, &[]).await;
        }
        done.map(|()| work.finish())
    }

    async fn rounds(&self, plan: &mut SheetPlan, work: &mut Work, mut applied: bool) -> Result<()> {
        let (mut repairs, mut refusals) = (0, 0);
        for attempt in 0..ROUNDS {
            let ops = work.ops(&plan.view(self.writes));
            if ops.is_empty() && plan.tail.is_empty() && plan.before.is_empty() {
                return Ok(());
            }
            let anchors = match self.anchors(plan, work, &ops, attempt, &mut refusals).await? {
                Some(anchors) => anchors,
                None => continue,
            };
            let part = if applied { format!("r{repairs}") } else { String::new() };
            let round = Round { rounds: *self, part, anchors };
            let outcome = round.send(plan, work, &ops).await;
            match outcome.map_err(|error| if applied { work.open(error) } else { error })? {
                Outcome::Landed | Outcome::Examined => {
                    repairs += usize::from(applied);
                    (applied, refusals) = (true, 0);
                    if work.is_done() {
                        return Ok(());
                    }
                }
                Outcome::Refused(error) => {
                    // Nothing was applied. If rows are elsewhere by now, that is why: another try has them right.
                    refusals = if self.is_changed(plan, work).await? { 0 } else { refusals + 1 };
                    if refusals > 0 && (round.anchors.is_none() || refusals > REFUSALS) {
                        return Err(work.open(error.into()));
                    }
                }
            }
        }
        Err(work.open(
            Error::new(Kind::Changed, "rows kept moving while they were written")
                .next("wait until nobody sorts or inserts rows, then call syncDataset again"),
        ))
    }

    /// Tags what a round writes to; `None` if the sheet had to be looked at again, `Some(None)` without anchors.
    async fn anchors(
        &self,
        plan: &mut SheetPlan,
        work: &Work,
        ops: &Ops,
        attempt: usize,
        refusals: &mut usize,
    ) -> Result<Option<Option<Anchors>>> {
        if plan.tags.is_none() || ops.rows().is_empty() {
            return Ok(Some(None));
        }
        let place = (self.batch, attempt);
        match lay(self.google, self.now, plan, place, self.writes, ops).await {
            Ok(Laid::Held(anchors)) => return Ok(Some(Some(anchors))),
            Ok(Laid::Moved) => {
                self.is_changed(plan, work).await?;
            }
            Ok(Laid::Refused(error)) => {
                if self.is_changed(plan, work).await? {
                    return Ok(None);
                }
                *refusals += 1;
                match *refusals {
                    // There may be no room because of tags of runs that died.
                    1 => plan.setup.extend(
                        sheet_anchor::sweep(self.google, &plan.spreadsheet, self.now).await?,
                    ),
                    _ if plan.guard == Guard::Anchor => {
                        return Err(work.open(error.into()));
                    }
                    _ => {
                        tracing::warn!(%error, "rows cannot be tagged; writing with read-back");
                        plan.tags = None;
                    }
                }
            }
            Err(error) => return Err(work.open(error)),
        }
        Ok(None)
    }

    /// Looks at the whole sheet; returns whether it is not what it was.
    async fn is_changed(&self, plan: &mut SheetPlan, work: &Work) -> Result<bool> {
        let (picture, layout) =
            look(self.google, plan, self.writes).await.map_err(|error| work.open(error))?;
        let changed = picture != plan.picture;
        plan.see(picture, layout, self.writes);
        Ok(changed)
    }
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
    rounds: Rounds<'a>,
    part: String,
    anchors: Option<Anchors>,
}

impl Round<'_> {
    /// Sends what is to be done, and finds out what it hit.
    async fn send(&self, plan: &mut SheetPlan, work: &mut Work, ops: &Ops) -> Result<Outcome> {
        let Rounds { google, writes, notes, .. } = self.rounds;
        let end = plan.end_row();
        let view = plan.view(writes);
        let names = columns(&view, ops);
        let anchored =
            self.anchors.as_ref().is_some_and(|anchors| anchors.cover(ops.removes.keys()));
        let whole = ops.moves_rows() && !anchored;
        let ranges = ranges(&view, ops, &names, &plan.title, end, whole);
        if let Some(notes) = notes.filter(|_| !plan.picture.is_blank()) {
            notes.keep(&Aim::of(plan, ops, self.anchors.is_some())).await?;
        }
        let (reply, at) = match self.write(plan, ops, &ranges).await {
            Ok(reply) => reply,
            Err(error) if refused(&error) && plan.setup.is_empty() => {
                return Ok(Outcome::Refused(error));
            }
            Err(error) => return Err(error.into()),
        };
        let evidence = Evidence::of(&reply, plan.sheet);
        let held = self
            .anchors
            .as_ref()
            .map(|anchors| anchors.held(reply.replies.get(at..).unwrap_or_default()));
        plan.set_up(writes, ops);
        plan.tail.clear();
        plan.before.clear();
        let view = plan.view(writes);
        let (seen, all) = (evidence.as_ref(), held.as_ref().map(|held| held.all));
        if seen.is_some_and(|seen| proves(&view, ops, &names, seen, end, (all, whole))) {
            work.landed(ops);
            apply(&mut plan.picture, ops);
            plan.pushed(ops);
            if !work.is_done() {
                // What is left is not of this look any more: rows have other places now.
                let look = look(google, plan, writes).await;
                let (picture, layout) = look.map_err(|error| unproven(work, error))?;
                plan.see(picture, layout, writes);
            }
            return Ok(Outcome::Landed);
        }
        halt::point("torn").await;
        let look = look(google, plan, writes).await;
        let (picture, layout) = look.map_err(|error| unproven(work, error))?;
        let index = layout.index(writes, &picture);
        let after = View { writes, picture: &picture, layout: &layout, index: &index };
        let seen = seen.filter(|seen| seen.header_is(&names, view.layout.header_row));
        work.examine(ops, &view, seen, held.as_ref(), &after);
        plan.see(picture, layout, writes);
        Ok(Outcome::Examined)
    }

    /// Writes; returns the answer, and where in it the anchors' replies begin.
    async fn write(
        &self,
        plan: &SheetPlan,
        ops: &Ops,
        read_back: &[String],
    ) -> lockstep_google::Result<(BatchReply, usize)> {
        let Rounds { google, now, batch, .. } = self.rounds;
        let mut requests: Vec<Request> = plan.setup.clone();
        let at = requests.len();
        requests.extend(self.anchors.iter().flat_map(Anchors::hold));
        requests.extend(plan.before.iter().cloned());
        let view = plan.view(self.rounds.writes);
        requests.extend(ops.requests(&view, plan.sheet, plan.end_row()));
        requests.extend(plan.tail.iter().cloned());
        let (id, proof) = plan.marker(batch, &self.part);
        let marker = marker::new(id, now, marker::KEEP_RUN, &proof);
        let reply =
            google.batch_update_once(&plan.spreadsheet, &requests, &marker, read_back).await?;
        Ok((reply, at))
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
    let rows = ops.appends.iter().map(|append| append.cells.iter().map(Seen::after).collect());
    picture.rows.extend(rows);
}
