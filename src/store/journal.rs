//! Intent, made durable before the first effect.

use std::sync::Arc;

use jiff::Timestamp;
use lockstep_engine::columns::Columns;
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{BaseChange, ChangeKind};
use lockstep_engine::value::Row;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::base::work;
use super::codec::{bytes, json, micros, plain, stored, word};
use super::conflicts::{Taken, settle::take_up};
use super::lease::{self, Lease};
use super::seen::drop_seen;
use super::segment::{Packed, pack_moves};
use super::{Conn, ROWS_PER_INSERT, Store};
use crate::error::{Error, Kind, Result};

/// What a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RunKind {
    /// It brings two sides together.
    Sync,
    /// It takes another run back.
    Rollback,
}

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RunState {
    /// It is under way, or its process ended before it was closed.
    Applying,
    /// Everything was applied.
    Applied,
    /// Some batches were applied, the rest not.
    Partial,
    /// Nothing was applied.
    Failed,
}

/// How far a batch came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum BatchState {
    /// It may have been sent, and it may have been applied.
    Intended,
    /// It was applied.
    Applied,
    /// It is proven not applied, and never will be.
    Void,
    /// It was refused.
    Failed,
}

/// A run that is about to begin.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewRun {
    /// Its name.
    pub(crate) id: String,
    /// The dataset.
    pub(crate) dataset: String,
    /// The plan that it applies.
    pub(crate) plan_id: String,
    /// What it is.
    pub(crate) kind: RunKind,
    /// The run that a rollback takes back.
    pub(crate) undoes: Option<String>,
    /// Who asked for it, and by which call.
    pub(crate) caller: String,
    /// When it began.
    pub(crate) started: Timestamp,
    /// The names of the columns that its rows are aligned with.
    pub(crate) columns: Vec<String>,
    /// The columns whose values the audit must not show.
    pub(crate) sensitive: Vec<usize>,
    /// The decisions that it carries out.
    pub(crate) decisions: Taken,
}

/// One write to one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    /// The key.
    pub(crate) key: Key,
    /// What kind of write.
    pub(crate) kind: ChangeKind,
    /// The row as it was; `None` before an insert.
    pub(crate) before: Option<Row>,
    /// The row as it shall be; `None` after a deletion.
    pub(crate) after: Option<Row>,
    /// The columns that are written, ascending.
    pub(crate) cells: Columns,
    /// Why it was left out of its batch, which was applied without it.
    pub(crate) left_out: Option<Box<LeftOut>>,
}

/// Why a write was left out of its batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    /// Why, for people; of a row that is refused the replica's own words.
    pub(crate) why: String,
    /// Whether the replica refuses the row as it is; if not, it had changed meanwhile, or could not be confirmed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) refused: bool,
    /// The column that is to blame, by its name there, where the replica says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<String>,
}

impl LeftOut {
    /// Returns the reason of a write that met something else than was compared, or cannot be confirmed.
    pub(crate) fn changed(why: impl Into<String>) -> Self {
        Self { why: why.into(), refused: false, column: None }
    }

    /// Returns the reason of a row that the replica refuses.
    pub(crate) fn refused(why: impl Into<String>, column: Option<String>) -> Self {
        Self { why: why.into(), refused: true, column }
    }
}

/// Writes to one side that are applied together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Batch {
    /// Its number within the run.
    pub(crate) seq: u32,
    /// The side that is written: `left` or `right`, `hub` or the name of a spoke.
    pub(crate) side: String,
    /// What settling it needs; opaque here. It must not hold cell values: `forget` does not look into it.
    pub(crate) place: Json,
    /// The writes.
    pub(crate) actions: Vec<Action>,
    /// How far it came.
    pub(crate) state: BatchState,
    /// Why it came no further.
    pub(crate) note: Option<String>,
}

/// Moves of one base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moves {
    /// The spoke whose base it is; blank for the one base of a pair.
    pub(crate) spoke: String,
    /// The moves.
    pub(crate) changes: Arc<[BaseChange]>,
}

/// Moves of a base that an open run intends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Intended {
    /// The moves.
    pub(crate) moves: Moves,
    /// Whether they were made, as far as they were confirmed, while another member is still to be settled.
    pub(crate) moved: bool,
}

impl Store {
    /// Makes a run's intent durable: the run, its batches with their actions, the moves of base, the decisions it carries
    /// out.
    ///
    /// # Errors
    /// [`Kind::Changed`] when the lease is no longer current; rows that do not fit the columns; a name that is taken.
    pub(crate) async fn begin(
        &self,
        lease: &Lease,
        run: &NewRun,
        batches: &[Batch],
        bases: &[Moves],
    ) -> Result<()> {
        if run.dataset != lease.dataset {
            return Err(Error::internal(format!(
                "the lease is of the dataset '{}', the run of '{}'",
                lease.dataset, run.dataset
            )));
        }
        self.check_names(&run.columns)?;
        let images = batches.iter().flat_map(|batch| &batch.actions);
        let images = images.flat_map(|action| [action.before.as_deref(), action.after.as_deref()]);
        check_width(run.columns.len(), images.flatten().map(<[_]>::len).chain(widths(bases)))?;
        let bases = bases.to_vec();
        let pack = |moves: &Moves| Ok((moves.spoke.clone(), pack_moves(&moves.changes)?));
        let packed: Vec<(String, Vec<Packed>)> =
            work(move || bases.iter().map(pack).collect()).await?;

        let mut tx = self.write().await?;
        lease::check(&mut tx, lease).await?;
        // What is about to be written is no longer as it was seen.
        drop_seen(&mut tx, &lease.dataset).await?;
        let number = insert_run(&mut tx, lease, run).await?;
        insert_batches(&mut tx, number, batches).await?;
        let pieces = packed.into_iter().flat_map(|(spoke, pieces)| {
            pieces.into_iter().map(move |piece| (spoke.clone(), piece))
        });
        for (position, (spoke, piece)) in (0i64..).zip(pieces) {
            let piece = tx.seal.packed(("digest", "data"), piece)?;
            sqlx::query(
                "INSERT INTO intended_base (run, position, spoke, digest, data)
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(number)
            .bind(position)
            .bind(spoke)
            .bind(piece.digest)
            .bind(piece.data)
            .execute(&mut *tx)
            .await?;
        }
        take_up(&mut tx, &run.dataset, &run.id, &run.decisions).await?;
        Ok(tx.commit().await?)
    }
}

/// Returns how many values each row of the moves has.
pub(super) fn widths(bases: &[Moves]) -> impl Iterator<Item = usize> {
    let changes = bases.iter().flat_map(|moves| &*moves.changes);
    let rows = changes.flat_map(|change| [change.before.as_deref(), change.after.as_deref()]);
    rows.flatten().map(<[_]>::len)
}

/// Refuses rows that do not have a value for each column.
pub(super) fn check_width(columns: usize, rows: impl IntoIterator<Item = usize>) -> Result<()> {
    match rows.into_iter().find(|width| *width != columns) {
        None => Ok(()),
        Some(width) => Err(Error::internal(format!(
            "a row has {width} values for {columns} columns; nothing was stored"
        ))),
    }
}

async fn insert_run(conn: &mut Conn, lease: &Lease, run: &NewRun) -> Result<i64> {
    let taken: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM runs WHERE id = $1")
        .bind(&run.id)
        .fetch_one(&mut *conn)
        .await?;
    if taken > 0 {
        return Err(Error::new(Kind::Changed, format!("the run {} has begun already", run.id)));
    }
    Ok(sqlx::query_scalar(
        "INSERT INTO runs (id, dataset, plan, kind, undoes, state, caller, started, fence, columns,
             sensitive, counts)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'null') RETURNING number",
    )
    .bind(&run.id)
    .bind(&run.dataset)
    .bind(&run.plan_id)
    .bind(word(&run.kind)?)
    .bind(&run.undoes)
    .bind(word(&RunState::Applying)?)
    .bind(&run.caller)
    .bind(micros(run.started))
    .bind(stored(lease.fence)?)
    .bind(json(&run.columns)?)
    .bind(json(&run.sensitive)?)
    .fetch_one(conn)
    .await?)
}

async fn insert_batches(conn: &mut Conn, run: i64, batches: &[Batch]) -> Result<()> {
    for batch in batches {
        sqlx::query(
            "INSERT INTO batches (run, seq, side, state, note, place) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(run)
        .bind(i64::from(batch.seq))
        .bind(&batch.side)
        .bind(word(&batch.state)?)
        .bind(conn.seal.some_text("note", batch.note.as_deref().map(plain))?)
        .bind(conn.seal.text("place", json(&batch.place)?)?)
        .execute(&mut *conn)
        .await?;
    }
    // Numbered in the order of the batches' own numbers, whatever order they came in.
    let mut sorted: Vec<&Batch> = batches.iter().collect();
    sorted.sort_by_key(|batch| batch.seq);
    let mut actions: Vec<(i64, i64, &Action)> = Vec::new();
    for batch in sorted {
        for (number, action) in (actions.len() as i64 + 1..).zip(&batch.actions) {
            actions.push((number, i64::from(batch.seq), action));
        }
    }
    for actions in actions.chunks(ROWS_PER_INSERT) {
        let mut chunk = Vec::with_capacity(actions.len());
        for (number, seq, action) in actions {
            let seal = &conn.seal;
            let images = (
                seal.bytes("key_values", bytes(action.key.as_values()))?,
                seal.some_bytes("before_image", action.before.as_deref().map(bytes))?,
                seal.some_bytes("after_image", action.after.as_deref().map(bytes))?,
            );
            let said = (word(&action.kind)?, json(&action.cells)?);
            chunk.push((*number, *seq, said, seal.index(&action.key), images));
        }
        let mut query = super::Statement::new(
            "INSERT INTO actions (run, number, seq, kind, cells, key_digest, key_values,
                 before_image, after_image) ",
        );
        query.push_values(chunk, |mut row, (number, seq, (kind, cells), key, images)| {
            row.push_bind(run)
                .push_bind(number)
                .push_bind(seq)
                .push_bind(kind)
                .push_bind(cells)
                .push_bind(key)
                .push_bind(images.0)
                .push_bind(images.1)
                .push_bind(images.2);
        });
        query.build().execute(&mut *conn).await?;
    }
    Ok(())
}
