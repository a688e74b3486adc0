//! Dead letters: events that were given up, with their story.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::codec::{bytes, damaged, json, micros, stored, time, word};
use super::events::{COLUMNS, Event, EventRow, Step, remove};
use super::{Conn, Store};
use crate::error::Result;

/// An event that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// The dataset.
    pub(crate) dataset: String,
    /// The event as it died.
    pub(crate) event: Event,
    /// When it died.
    pub(crate) died: Timestamp,
}

/// Which dead letters are meant: those of a dataset, or of all; of these all, or the named ones.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Which<'a> {
    /// The dataset.
    pub(crate) dataset: Option<&'a str>,
    /// Their numbers.
    pub(crate) numbers: Option<&'a [u64]>,
}

/// Moves an event to the dead letters; its row is deleted from the queue by the caller.
pub(super) async fn bury(
    conn: &mut Conn,
    dataset: &str,
    event: &Event,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO dead_letters (dataset, member, key_digest, key_values, kind, columns, work, coalesced,
             detected, died, attempts, dropped, story)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12)",
    )
    .bind(dataset)
    .bind(&event.work.member)
    .bind(conn.seal.index(&event.work.key))
    .bind(conn.seal.bytes("key_values", bytes(event.work.key.as_values()))?)
    .bind(word(&event.work.kind)?)
    .bind(json(&event.work.columns)?)
    .bind(conn.seal.bytes("work", event.work.digest.clone())?)
    .bind(stored(event.coalesced)?)
    .bind(micros(event.detected))
    .bind(micros(now))
    .bind(stored(event.attempts)?)
    .bind(conn.seal.text("story", json(&event.story)?)?)
    .execute(conn)
    .await?;
    Ok(())
}

impl Store {
    /// Returns up to `limit` dead letters after one, the oldest first; dropped ones are not among them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn dead_letters(
        &self,
        dataset: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Letter>> {
        let which = Which { dataset, numbers: None };
        let mut query = select(which)?;
        query.push(" AND number > ").push_bind(stored(after)?);
        query.push(" ORDER BY number LIMIT ").push_bind(i64::from(limit));
        let found: Vec<LetterRow> = query.build_query_as().fetch_all(&self.reads).await?;
        found.into_iter().map(LetterRow::read).collect()
    }

    /// Puts dead letters back into the queue, to be tried at once; returns how many.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn retry_letters(&self, which: Which<'_>, now: Timestamp) -> Result<u64> {
        let mut tx = self.write().await?;
        let found: Vec<LetterRow> = select(which)?.build_query_as().fetch_all(&mut *tx).await?;
        let (mut numbers, mut told) = (Vec::new(), BTreeSet::new());
        for row in found {
            let Letter { dataset, mut event, .. } = row.read()?;
            event.add(Step { at: now, what: "somebody asked to try it again".into() });
            numbers.push(stored(event.number)?);
            told.insert(dataset.clone());
            sqlx::query(
                "INSERT INTO events (dataset, member, key_digest, key_values, kind, columns, work, coalesced,
                     detected, due, attempts, fence, story)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, NULL, $11)
                 ON CONFLICT (dataset, member, key_digest) DO NOTHING",
            )
            .bind(dataset)
            .bind(&event.work.member)
            .bind(tx.seal.index(&event.work.key))
            .bind(tx.seal.bytes("key_values", bytes(event.work.key.as_values()))?)
            .bind(word(&event.work.kind)?)
            .bind(json(&event.work.columns)?)
            .bind(tx.seal.bytes("work", event.work.digest.clone())?)
            .bind(stored(event.coalesced)?)
            .bind(micros(event.detected))
            .bind(micros(now))
            .bind(tx.seal.text("story", json(&event.story)?)?)
            .execute(&mut *tx)
            .await?;
        }
        remove(&mut tx, "dead_letters", &numbers).await?;
        for dataset in told {
            self.notify(&mut tx, &dataset).await?;
        }
        tx.commit().await?;
        Ok(numbers.len() as u64)
    }

    /// Drops dead letters: they are told again only when their rows change again. Returns how many.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn drop_letters(&self, which: Which<'_>) -> Result<u64> {
        let mut tx = self.write().await?;
        let mut query = super::Statement::new(
            "UPDATE dead_letters SET dropped = 1, story = '[]' WHERE dropped = 0",
        );
        narrow(&mut query, which)?;
        let done = query.build().execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }
}

#[derive(sqlx::FromRow)]
struct LetterRow {
    dataset: String,
    #[sqlx(flatten)]
    event: EventRow,
}

impl LetterRow {
    fn read(self) -> Result<Letter> {
        let died =
            self.event.mark.ok_or_else(|| damaged("a dead letter does not say when it died"))?;
        Ok(Letter { dataset: self.dataset, event: self.event.read()?, died: time(died)? })
    }
}

fn select(which: Which<'_>) -> Result<super::Statement> {
    let mut query = super::Statement::new("SELECT dataset, ");
    query.push(COLUMNS).push(", died AS mark FROM dead_letters WHERE dropped = 0");
    narrow(&mut query, which)?;
    Ok(query)
}

fn narrow(query: &mut super::Statement, which: Which<'_>) -> Result<()> {
    if let Some(dataset) = which.dataset {
        query.push(" AND dataset = ").push_bind(dataset.to_owned());
    }
    if let Some(numbers) = which.numbers {
        query.push(" AND number IN (");
        let mut list = query.separated(", ");
        for number in numbers {
            list.push_bind(stored(*number)?);
        }
        query.push(")");
    }
    Ok(())
}
