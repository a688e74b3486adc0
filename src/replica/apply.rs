//! Writing to a replica, in three steps that a journal can stand between.
//!
//! [`prepare`] checks the replica once more and cuts everything that is to be written into atomic batches, before the
//! first effect; [`send`] makes one batch happen and returns when it is confirmed; [`settle`] finds out about a batch of
//! a run that died.

use lockstep_engine::{
    dataset::SideName, key::Key, reconcile::Change, schema::Schema, snapshot::Snapshot,
};
use serde::{Deserialize, Serialize};

use super::{
    file::apply::{self as file_apply, FilePlan},
    http::{self, ApiPlan},
    reach::Reach,
    scan::Target,
    sheet_aim::Kept,
    sheet_mend,
    sheet_plan::SheetPlan,
    sheet_rounds, sheet_settle,
    sql::{self, plan::SqlPlan},
};
pub(crate) use super::{sheet_aim::Notes, sheet_mend::Mended};
use crate::{
    error::{Error, Result},
    store::LeftOut,
};

/// The writes to one replica; applying them makes no choices.
#[derive(Debug)]
pub(crate) struct Writes<'a> {
    /// The columns.
    pub(crate) schema: &'a Schema,
    /// For each column of the schema, its header on this replica, if it has one there.
    pub(crate) headers: &'a [Option<String>],
    /// Columns that are not on the replica yet and are added when a change needs them; indices of the schema.
    pub(crate) optional: &'a [usize],
    /// The rows as they were read.
    pub(crate) snapshot: &'a Snapshot,
    /// The changes; new rows in the order in which they are to stand.
    pub(crate) changes: &'a [&'a Change],
}

impl Writes<'_> {
    /// Returns the columns that the replica must have for the changes, by index of the schema.
    pub(crate) fn needed(&self) -> Vec<usize> {
        let touched = |column: usize| {
            self.changes.iter().any(|change| {
                let filled = |row: &lockstep_engine::value::Row| {
                    row.get(column).is_some_and(|value| !value.is_null())
                };
                change.cells.contains(&column) && change.after.as_ref().is_some_and(filled)
            })
        };
        (0..self.headers.len())
            .filter(|column| self.headers.get(*column).is_some_and(Option::is_some))
            .filter(|column| !self.optional.contains(column) || touched(*column))
            .collect()
    }

    /// Returns a column's header on this replica.
    pub(crate) fn header(&self, column: usize) -> &str {
        self.headers.get(column).and_then(Option::as_deref).unwrap_or_default()
    }
}

/// How rows that people move, while they are written, are dealt with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Guard {
    /// Rows are anchored; of more than [`super::sheet_anchor::MAX_ROWS`] in a batch a sample is, spread evenly.
    ///
    /// Where tags have no room, as with [`ReadBack`](Self::ReadBack).
    #[default]
    Auto,
    /// The write returns the keys of the rows it touched; what hit a wrong row is repaired at once, by key.
    ReadBack,
    /// Every row is anchored: a batch that meets a row in another place than it was seen in is refused as a whole.
    ///
    /// One call more for each batch, of at most [`super::sheet_anchor::MAX_ROWS`] rows that are there. New rows need
    /// no anchor: they go after the last row, wherever that is.
    Anchor,
}

/// Everything that will be written to one replica, cut into atomic batches, before the first effect.
///
/// Each change is in exactly one batch.
#[derive(Debug)]
pub(crate) struct Prepared(Plan);

#[derive(Debug)]
enum Plan {
    Sheet(Box<SheetPlan>),
    File(Box<FilePlan>),
    Sql(Box<SqlPlan>),
    Api(Box<ApiPlan>),
}

impl Prepared {
    /// Returns the number of batches.
    pub(crate) fn batches(&self) -> usize {
        match &self.0 {
            Plan::Sheet(plan) => plan.batches.len(),
            Plan::File(_) => 1,
            Plan::Sql(plan) => plan.batches.len(),
            Plan::Api(plan) => plan.batches.len(),
        }
    }

    /// Returns the positions in [`Writes::changes`] of the changes of a batch.
    pub(crate) fn changes(&self, batch: usize) -> &[usize] {
        match &self.0 {
            Plan::Sheet(plan) => plan.batches.get(batch).map(Vec::as_slice).unwrap_or_default(),
            Plan::File(plan) => &plan.changes,
            Plan::Sql(plan) => plan.batches.get(batch).map(Vec::as_slice).unwrap_or_default(),
            Plan::Api(plan) => plan.batches.get(batch).map(Vec::as_slice).unwrap_or_default(),
        }
    }

    /// Returns what settling a batch needs, should this process die.
    pub(crate) fn place(&self, batch: usize) -> Place {
        match &self.0 {
            Plan::Sheet(plan) => plan.place(batch),
            Plan::File(plan) => plan.place(),
            Plan::Sql(plan) => plan.place(batch),
            Plan::Api(plan) => plan.place(batch),
        }
    }
}

/// Where a batch goes, and how to find out whether it arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub(crate) enum Place {
    /// A batch to a spreadsheet.
    Sheet {
        /// The spreadsheet's id.
        spreadsheet: String,
        /// The sheet's title.
        sheet: String,
        /// The id of the batch's marker.
        marker_id: i32,
        /// What the marker says.
        proof: String,
        /// The value of the row tags, if rows are anchored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tags: Option<String>,
    },
    /// A file that is replaced.
    File {
        /// The operator's name of the folder, if it is not the default one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connection: Option<String>,
        /// The path under the folder.
        path: String,
        /// BLAKE3 of the content before, in hex; `None` for a file that was not there.
        before: Option<String>,
        /// BLAKE3 of the content after, in hex.
        after: String,
    },
    /// A batch to a table of a database.
    Sql {
        /// The connection's name.
        connection: String,
        /// The schema of the table, if it has one.
        schema: Option<String>,
        /// The table.
        table: String,
        /// The id of the batch's marker, where there are markers.
        marker: Option<String>,
    },
    /// Items of an API, which keeps no marker: the items themselves tell.
    Api {
        /// The connection's name.
        connection: String,
        /// The resource.
        resource: String,
        /// The items' ids as JSON, in the order of the batch's changes; none for items that are new.
        ids: Vec<Option<String>>,
        /// The idempotency key that those of the batch's requests are made from.
        idempotency: String,
    },
}

/// What a batch came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// What the race with other editors did to other rows, and what was done about it.
    pub(crate) repaired: Vec<Repair>,
    /// Changes that were not made; base must not move for them. All others of the batch are confirmed.
    pub(crate) unconfirmed: Vec<Unconfirmed>,
}

/// A row that a batch hit by mistake, because rows or columns moved meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Repair {
    /// The row's key, for people; blank for a row without one.
    pub(crate) key: String,
    /// The row on the sheet, from 1.
    pub(crate) row: u64,
    /// What had happened, and what was done.
    pub(crate) what: String,
}

/// A change that was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unconfirmed {
    /// Its position in [`Writes::changes`].
    pub(crate) change: usize,
    /// Why.
    pub(crate) why: LeftOut,
}

/// Returns why writes were left out of a batch, by their keys.
pub(crate) fn left_out(writes: &Writes<'_>, unconfirmed: &[Unconfirmed]) -> Vec<(Key, LeftOut)> {
    let of = |one: &Unconfirmed| {
        let change = writes.changes.get(one.change)?;
        Some((change.key.clone(), one.why.clone()))
    };
    unconfirmed.iter().filter_map(of).collect()
}

/// What became of a batch of a run that died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It was applied.
    ///
    /// The process may have died before it could repair what the race with other editors did, so base moves only for
    /// rows that a fresh read shows as they were to be.
    Applied,
    /// It was not applied and never will be.
    ///
    /// Of an anchored batch single rows may hold their values already; none will follow. Comparing afresh tells.
    Void,
    /// What is there proves nothing: someone wrote the file since, or the replica keeps no markers.
    Changed,
}

/// Checks that the replica is as it was scanned, where the writes touch it, and cuts the writes into batches.
///
/// `run` names the run and `side` its side: the ids of markers follow from them.
///
/// # Errors
/// [`Kind::Changed`] when the replica is not as it was scanned; formulas that would be overwritten; values that the
/// replica cannot hold; a replica that cannot be reached. Nothing was written.
pub(crate) async fn prepare(
    reach: &Reach,
    target: &Target,
    writes: &Writes<'_>,
    run: &str,
    side: SideName,
    guard: Guard,
) -> Result<Prepared> {
    match target {
        Target::ReadOnly => Err(Error::internal("the replica can only be read")),
        Target::Sheet(table) => {
            reach.progress.step(0, None, "checking that the sheet is as it was read");
            let named = super::sheet_plan::Named { run, side, guard };
            SheetPlan::new(&reach.google, reach.clock.now(), table, writes, named)
                .await
                .map(|plan| Prepared(Plan::Sheet(Box::new(plan))))
        }
        Target::Api(table) => ApiPlan::new(&reach.connections, table, writes, run, side)
            .map(|plan| Prepared(Plan::Api(Box::new(plan)))),
        Target::File(table) => FilePlan::new(reach, table, writes, run)
            .await
            .map(|plan| Prepared(Plan::File(Box::new(plan)))),
        Target::Sql(table) => SqlPlan::new(reach, table, writes, run, side)
            .await
            .map(|plan| Prepared(Plan::Sql(Box::new(plan)))),
    }
}

/// Returns why a replica cannot guard a write against somebody else's at the same moment, where its store says so.
pub(crate) fn unguarded(reach: &Reach, target: &Target) -> Option<String> {
    match target {
        Target::File(table) => reach.shelf(table.source.connection.as_deref()).ok()?.unguarded(),
        _ => None,
    }
}

/// Makes a batch happen; returns only when the service or the disk has confirmed it.
///
/// Batches are sent in their order. What each is aimed at is kept in `notes` before it is sent, for [`mend`], and what a
/// database leaves out of one before it is committed.
///
/// # Errors
/// A refusal (nothing of the batch was written), an outcome that could not be settled ([`Kind::Ambiguous`]), a file that
/// changed, or rows that moved so often that a repair could not be finished: those rows are listed.
pub(crate) async fn send(
    reach: &Reach,
    prepared: &mut Prepared,
    batch: usize,
    writes: &Writes<'_>,
    notes: &Notes,
) -> Result<Sent> {
    reach.progress.check()?;
    match &mut prepared.0 {
        Plan::Sheet(plan) => {
            sheet_rounds::send(&reach.google, reach.clock.now(), plan, batch, writes, notes).await
        }
        Plan::File(plan) => plan.send().await.map(|()| Sent::default()),
        Plan::Sql(plan) => plan.send(batch, writes, notes).await,
        Plan::Api(plan) => http::send(plan, batch, writes, &reach.progress).await,
    }
}

/// Settles a batch of a run that died.
///
/// # Errors
/// A replica that cannot be reached, or an answer that proves nothing; the same call may be made later.
pub(crate) async fn settle(reach: &Reach, place: &Place) -> Result<Settled> {
    match place {
        Place::Sheet { spreadsheet, marker_id, proof, tags, .. } => {
            let tags = tags.as_deref();
            sheet_settle::settle(
                &reach.google,
                reach.clock.now(),
                spreadsheet,
                *marker_id,
                proof,
                tags,
            )
            .await
        }
        Place::File { connection, path, before, after } => {
            let shelf = reach.shelf(connection.as_deref())?;
            file_apply::settle(&shelf, path, before.as_deref(), after).await
        }
        Place::Sql { connection, schema, table, marker } => {
            sql::plan::settle(reach, connection, schema.as_deref(), table, marker.as_deref()).await
        }
        Place::Api { connection, resource, .. } => {
            http::settle(&reach.connections, connection, resource)
        }
    }
}

/// Mends what an applied batch of a run that died did to rows that had moved; `aim` is what was kept in its notes.
///
/// # Errors
/// A replica that cannot be reached; rows that moved so often that it could not be finished; the same call may be made
/// later.
pub(crate) async fn mend(
    reach: &Reach,
    place: &Place,
    aim: &[u8],
    writes: &Writes<'_>,
) -> Result<Mended> {
    let Place::Sheet { spreadsheet, .. } = place else { return Ok(Mended::default()) };
    let kept = Kept::read(aim)?;
    sheet_mend::mend(&reach.google, reach.clock.now(), spreadsheet, kept, writes).await
}
