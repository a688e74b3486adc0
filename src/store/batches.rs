//! How far the batches of a run came.

use std::collections::BTreeMap;

use lockstep_engine::key::Key;
use lockstep_engine::reconcile::BaseChange;

use super::codec::{damaged, from_word, json, key, parse, plain, row, word};
use super::journal::{Action, Batch, BatchState, Intended, LeftOut, Moves};
use super::lease::{self, Lease};
use super::runs::open_run;
use super::segment::{Packed, unpack_moves};
use super::{Conn, Store, aims};
use crate::error::{Error, Kind, Result};

impl Store {
    /// Takes note of how far a batch came, and which of its writes were left out of it, and why; `Applied` and `Void` are
    /// final.
    ///
    /// # Errors
    /// [`Kind::Changed`] when the lease is no longer current, the run is closed, or the batch was settled otherwise.
    pub(crate) async fn mark_batch(
        &self,
        lease: &Lease,
        run: &str,
        seq: u32,
        state: BatchState,
        note: Option<&str>,
        left_out: &[(Key, LeftOut)],
    ) -> Result<()> {
        let mut tx = self.write_of(&lease.dataset).await?;
        lease::check(&mut tx, lease).await?;
        let number = open_run(&mut tx, &lease.dataset, run).await?.number;
        let found: Option<String> =
            sqlx::query_scalar("SELECT state FROM batches WHERE run = $1 AND seq = $2")
                .bind(number)
                .bind(i64::from(seq))
                .fetch_optional(&mut *tx)
                .await?;
        let before: BatchState = match found {
            Some(state) => from_word(state)?,
            None => return Err(Error::not_found(format!("the run {run} has no batch {seq}"))),
        };
        if matches!(before, BatchState::Applied | BatchState::Void) && before != state {
            return Err(Error::new(
                Kind::Changed,
                format!(
                    "batch {seq} of the run {run} is {} and cannot become {}",
                    word(&before)?,
                    word(&state)?
                ),
            ));
        }
        sqlx::query("UPDATE batches SET state = $1, note = $2 WHERE run = $3 AND seq = $4")
            .bind(word(&state)?)
            .bind(tx.seal.some_text("note", note.map(plain))?)
            .bind(number)
            .bind(i64::from(seq))
            .execute(&mut *tx)
            .await?;
        leave_out(&mut tx, number, seq, left_out).await?;
        aims::settled(&mut tx, run, seq).await?;
        Ok(tx.commit().await?)
    }

    /// Takes note, before a batch is committed, of what is left out of it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn leave_out(
        &self,
        run: &str,
        seq: u32,
        left_out: &[(Key, LeftOut)],
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let number: Option<i64> = sqlx::query_scalar("SELECT number FROM runs WHERE id = $1")
            .bind(run)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(number) = number {
            leave_out(&mut tx, number, seq, left_out).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Marks every batch that is still intended as void, for one reason; returns how many.
    ///
    /// Only for batches that were never sent, or are proven not applied.
    ///
    /// # Errors
    /// [`Kind::Changed`] when the lease is no longer current or the run is closed.
    pub(crate) async fn void_intended(&self, lease: &Lease, run: &str, note: &str) -> Result<u64> {
        let mut tx = self.write_of(&lease.dataset).await?;
        lease::check(&mut tx, lease).await?;
        let number = open_run(&mut tx, &lease.dataset, run).await?.number;
        let done =
            sqlx::query("UPDATE batches SET state = $1, note = $2 WHERE run = $3 AND state = $4")
                .bind(word(&BatchState::Void)?)
                .bind(tx.seal.text("note", plain(note))?)
                .bind(number)
                .bind(word(&BatchState::Intended)?)
                .execute(&mut *tx)
                .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    /// Returns the batches of a run with their actions, by number; none once retention has dropped them.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    pub(crate) async fn batches(&self, run: &str) -> Result<Vec<Batch>> {
        let mut tx = self.read().await?;
        let found: Vec<(i64, i64, String, String, Option<String>, String)> = sqlx::query_as(
            "SELECT b.run, b.seq, b.side, b.state, b.note, b.place
             FROM batches b JOIN runs r ON r.number = b.run WHERE r.id = $1 ORDER BY b.seq",
        )
        .bind(run)
        .fetch_all(&mut *tx)
        .await?;
        let Some((number, ..)) = found.first() else { return Ok(Vec::new()) };
        let mut actions = actions(&mut tx, *number).await?;
        let mut batches = Vec::with_capacity(found.len());
        for (_, seq, side, state, note, place) in found {
            batches.push(Batch {
                seq: u32::try_from(seq).map_err(|_| damaged("a batch has no number"))?,
                side,
                place: parse(&place)?,
                actions: actions.remove(&seq).unwrap_or_default(),
                state: from_word(state)?,
                note,
            });
        }
        Ok(batches)
    }

    /// Returns the moves of base that an open run intends, those that were made already first; none of a closed one.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    pub(crate) async fn intended_base(&self, run: &str) -> Result<Vec<Intended>> {
        let pieces: Vec<(String, i64, Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT i.spoke, i.moved, i.digest, i.data FROM intended_base i
             JOIN runs r ON r.number = i.run
             WHERE r.id = $1 ORDER BY i.moved DESC, i.position",
        )
        .bind(run)
        .fetch_all(&self.reads)
        .await?;
        let mut bases: Vec<(String, bool, Vec<BaseChange>)> = Vec::new();
        for (spoke, moved, digest, data) in pieces {
            let mut changes = match bases.pop_if(|(last, ..)| *last == spoke) {
                Some((_, _, changes)) => changes,
                None => Vec::new(),
            };
            unpack_moves(&Packed { digest, data }, &mut changes)?;
            bases.push((spoke, moved != 0, changes));
        }
        let intended = |(spoke, moved, changes): (String, bool, Vec<BaseChange>)| Intended {
            moves: Moves { spoke, changes: changes.into() },
            moved,
        };
        Ok(bases.into_iter().map(intended).collect())
    }
}

async fn leave_out(conn: &mut Conn, run: i64, seq: u32, left_out: &[(Key, LeftOut)]) -> Result<()> {
    for (key, why) in left_out {
        sqlx::query(
            "UPDATE actions SET left_out = $1 WHERE run = $2 AND seq = $3 AND key_digest = $4",
        )
        .bind(conn.seal.text("left_out", json(why)?)?)
        .bind(run)
        .bind(i64::from(seq))
        .bind(conn.seal.index(key))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Reads the actions of a run by their batch.
async fn actions(conn: &mut Conn, run: i64) -> Result<BTreeMap<i64, Vec<Action>>> {
    let found: Vec<BatchAction> = sqlx::query_as(
        "SELECT seq, kind, cells, key_values, before_image, after_image, left_out FROM actions
         WHERE run = $1 ORDER BY number",
    )
    .bind(run)
    .fetch_all(conn)
    .await?;
    let mut actions: BTreeMap<i64, Vec<Action>> = BTreeMap::new();
    for BatchAction { seq, action } in found {
        actions.entry(seq).or_default().push(action.read()?);
    }
    Ok(actions)
}

#[derive(Debug, sqlx::FromRow)]
struct BatchAction {
    seq: i64,
    #[sqlx(flatten)]
    action: ActionRow,
}

/// An action as it stands in its table.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct ActionRow {
    kind: String,
    cells: String,
    key_values: Vec<u8>,
    before_image: Option<Vec<u8>>,
    after_image: Option<Vec<u8>>,
    left_out: Option<String>,
}

impl ActionRow {
    /// Reads the action.
    pub(super) fn read(self) -> Result<Action> {
        let action = Action {
            key: key(&self.key_values)?,
            kind: from_word(self.kind)?,
            before: self.before_image.as_deref().map(row).transpose()?,
            after: self.after_image.as_deref().map(row).transpose()?,
            cells: parse(&self.cells)?,
            left_out: self.left_out.as_deref().map(parse).transpose()?.map(Box::new),
        };
        if action.key.is_blank() { Err(damaged("an action has no key")) } else { Ok(action) }
    }
}
