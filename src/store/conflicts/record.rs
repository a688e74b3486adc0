//! Brings the queue up to what a comparison found.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lockstep_engine::key::Key;

use super::super::codec::{bytes, json, micros, plain, word};
use super::super::lease::{self, Lease};
use super::super::{Conn, Store};
use super::read::{Line, select};
use super::{Dispute, Disputed, Seen, State, Stored, name, times};
use crate::error::Result;

impl Store {
    /// Brings the queue of a dataset up to what a comparison found that wrote nothing and learned nothing.
    ///
    /// # Errors
    /// [`Kind::Changed`](crate::error::Kind::Changed) when the lease is no longer current.
    pub(crate) async fn record_conflicts(
        &self,
        lease: &Lease,
        seen: &Seen,
        at: Timestamp,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        lease::check(&mut tx, lease).await?;
        // What was decided is so already.
        for (key, column) in seen.applied.keys() {
            sqlx::query(
                "UPDATE conflicts SET state = 'applied', closed = $1, closed_by = decided_by
                 WHERE dataset = $2 AND key_digest = $3 AND column_name = $4 AND state = 'decided'",
            )
            .bind(micros(at))
            .bind(&lease.dataset)
            .bind(tx.seal.index(key))
            .bind(column)
            .execute(&mut *tx)
            .await?;
        }
        record(&mut tx, &lease.dataset, seen, at).await?;
        Ok(tx.commit().await?)
    }
}

/// Brings the queue of a dataset up to what a comparison found.
///
/// A conflict that is found again keeps its line; other values of the same cell get a new line, which takes over age,
/// assignee and note. What is found no more has ended.
pub(in super::super) async fn record(
    conn: &mut Conn,
    dataset: &str,
    seen: &Seen,
    at: Timestamp,
) -> Result<()> {
    let mut query = select();
    query.push(" WHERE dataset = ").push_bind(dataset.to_owned());
    query.push(" AND state IN ('open', 'decided')");
    let lines: Vec<Line> = query.build_query_as().fetch_all(&mut *conn).await?;
    let mut live: BTreeMap<(Key, String), Stored> = BTreeMap::new();
    for line in lines {
        let stored = line.read()?;
        live.insert((stored.key.clone(), stored.column.clone()), stored);
    }
    for dispute in &seen.disputes {
        for cell in &dispute.cells {
            let place = (dispute.key.clone(), cell.column.clone());
            let known = live.remove(&place);
            // What a member that was not read has to do with it is not known.
            if known.as_ref().is_some_and(|known| known.is_of(&seen.down)) {
                continue;
            }
            put(conn, dataset, dispute, cell, known.as_ref(), at).await?;
        }
        rows(conn, dataset, dispute).await?;
    }
    // A decision that names some cells of a held row waits until the others are decided, too.
    let waiting: BTreeMap<&Key, &Dispute> =
        seen.disputes.iter().map(|dispute| (&dispute.key, dispute)).collect();
    for ((key, column), stored) in live {
        let dispute = waiting.get(&key);
        let gone = !column.is_empty() && !seen.columns.contains(&column);
        let held = dispute.is_some_and(|dispute| dispute.digest == stored.digest)
            && stored.state == State::Decided
            && !gone;
        let silent = stored.is_of(&seen.down);
        let place = (key, column);
        // What this run carried out is settled already, or was not confirmed and is tried again.
        if held || silent || seen.unjudged.contains(&place.0) || seen.applied.contains_key(&place) {
            continue;
        }
        let why = match seen.settled.get(&place) {
            _ if gone => "a column that is not kept in step any more",
            Some(rule) => rule,
            None if dispute.is_some_and(|dispute| dispute.is_of_row()) => "a deletion of the row",
            None if dispute.is_some() && stored.column.is_empty() => "the row's return",
            None => "agreement",
        };
        let decided = stored.state == State::Decided;
        let ended =
            if decided && (gone || dispute.is_some()) { State::Stale } else { State::Closed };
        close(conn, &stored.id, ended, why, at).await?;
    }
    times::put(conn, dataset, &seen.times).await?;
    tidy(conn, dataset).await
}

async fn put(
    conn: &mut Conn,
    dataset: &str,
    dispute: &Dispute,
    cell: &Disputed,
    known: Option<&Stored>,
    at: Timestamp,
) -> Result<()> {
    let id = name(dataset, &dispute.digest, &cell.column);
    if known.is_some_and(|known| known.id == id) {
        sqlx::query(
            "UPDATE conflicts SET seen = $1, voices = $2, reason = $3, run = NULL WHERE id = $4",
        )
        .bind(micros(at))
        .bind(conn.seal.text("voices", json(&cell.voices)?)?)
        .bind(conn.seal.text("reason", plain(&cell.reason))?)
        .bind(&id)
        .execute(conn)
        .await?;
        return Ok(());
    }
    if let Some(known) = known {
        if known.state == State::Decided {
            close(conn, &known.id, State::Stale, "other values", at).await?;
        } else {
            delete(conn, &known.id).await?;
        }
    }
    let reason = match known {
        Some(known) if known.state == State::Decided => {
            format!("{} (the values changed after it was decided: decide again)", cell.reason)
        }
        _ => cell.reason.clone(),
    };
    // The same values may have been disputed before, and settled, and be there again.
    delete(conn, &id).await?;
    sqlx::query(
        "INSERT INTO conflicts (id, dataset, key_digest, key_values, key_text, column_name, kind, digest, state,
             base_value, voices, reason, assignee, note, created, seen)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(&id)
    .bind(dataset)
    .bind(conn.seal.index(&dispute.key))
    .bind(conn.seal.bytes("key_values", bytes(dispute.key.as_values()))?)
    .bind(conn.seal.blind_text(plain(dispute.key.to_string())))
    .bind(&cell.column)
    .bind(word(&dispute.kind)?)
    .bind(conn.seal.text("digest", dispute.digest.as_str())?)
    .bind(conn.seal.some_text("base_value", cell.base.as_ref().map(json).transpose()?)?)
    .bind(conn.seal.text("voices", json(&cell.voices)?)?)
    .bind(conn.seal.text("reason", plain(reason))?)
    .bind(known.and_then(|known| known.assignee.clone()))
    .bind(conn.seal.some_text("note", known.and_then(|known| known.note.clone()))?)
    .bind(micros(known.map_or(at, |known| known.created)))
    .bind(micros(at))
    .execute(conn)
    .await?;
    Ok(())
}

async fn close(conn: &mut Conn, id: &str, state: State, why: &str, at: Timestamp) -> Result<()> {
    sqlx::query(
        "UPDATE conflicts SET state = $1, closed = $2, closed_by = $3, run = NULL WHERE id = $4",
    )
    .bind(word(&state)?)
    .bind(micros(at))
    .bind(conn.seal.text("closed_by", plain(why))?)
    .bind(id)
    .execute(conn)
    .await?;
    Ok(())
}

async fn delete(conn: &mut Conn, id: &str) -> Result<()> {
    sqlx::query("DELETE FROM conflicts WHERE id = $1").bind(id).execute(conn).await?;
    Ok(())
}

async fn rows(conn: &mut Conn, dataset: &str, dispute: &Dispute) -> Result<()> {
    sqlx::query(
        "INSERT INTO conflict_rows (dataset, key_digest, content) VALUES ($1, $2, $3)
         ON CONFLICT (dataset, key_digest) DO UPDATE SET content = excluded.content",
    )
    .bind(dataset)
    .bind(conn.seal.index(&dispute.key))
    .bind(conn.seal.text("content", json(&dispute.rows)?)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Drops the rows of keys about which nothing waits any more, nor may wait again once a run is taken back.
pub(super) async fn tidy(conn: &mut Conn, dataset: &str) -> Result<()> {
    sqlx::query(
        "DELETE FROM conflict_rows WHERE dataset = $1 AND key_digest NOT IN
             (SELECT key_digest FROM conflicts
              WHERE dataset = $1 AND state IN ('open', 'decided', 'applied'))",
    )
    .bind(dataset)
    .execute(conn)
    .await?;
    Ok(())
}
