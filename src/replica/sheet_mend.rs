//! Mends what a batch of a run that died did to rows that had moved.

use jiff::Timestamp;
use lockstep_engine::key::Key;
use lockstep_google::Google;

use super::{
    apply::{Repair, Writes},
    sheet_aim::Kept,
    sheet_anchor::Held,
    sheet_check::View,
    sheet_plan::SheetPlan,
    sheet_repair::Work,
    sheet_rounds::{Rounds, look},
};
use crate::error::Result;

/// Finds out what an applied batch hit that it was not meant for, by what it left there, and puts that back.
pub(crate) async fn mend(
    google: &Google,
    now: Timestamp,
    spreadsheet: &str,
    kept: Kept,
    writes: &Writes<'_>,
) -> Result<Vec<Repair>> {
    let layout = kept.layout(writes);
    let Kept { sheet, title, anchored, ops, picture, .. } = kept;
    let mut plan = SheetPlan::resumed(spreadsheet, (title, sheet), picture, layout, writes, now);
    let (picture, layout) = look(google, &plan, writes).await?;
    let index = layout.index(writes, &picture);
    let mut work = Work::default();
    {
        let after = View { writes, picture: &picture, layout: &layout, index: &index };
        let gone = |key: &Key| !index.contains_key(key);
        // Where every row that was to go is gone, none went in its place; others may have deleted some since.
        let sure = anchored || ops.removes.values().all(|removal| gone(&removal.key));
        let held = Held { all: false, rows: ops.removes.keys().copied().collect() };
        work.examine(&ops, &plan.view(writes), None, sure.then_some(&held), &after);
    }
    plan.see(picture, layout, writes);
    if work.is_done() {
        return Ok(Vec::new());
    }
    let rounds = Rounds { google, now, batch: 0, writes, notes: None };
    Ok(rounds.run(&mut plan, work, true).await?.repaired)
}
