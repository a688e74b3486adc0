//! Kept marks of rows that both sides deleted.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use lockstep_engine::key::Key;
use lockstep_engine::value::Row;

use super::advance::Advance;
use super::codec::{bytes, json, key, micros, parse, row, time};
use super::{Conn, Store};
use crate::error::Result;

/// A row that base had and forgot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tombstone {
    /// The names of the columns that the row is aligned with.
    pub(crate) columns: Vec<String>,
    /// The row as base last had it.
    pub(crate) row: Option<Row>,
    /// The run that closed with the deletion.
    pub(crate) run: String,
    /// When.
    pub(crate) at: Timestamp,
}

impl Store {
    /// Returns the keys that base had and forgot.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    pub(crate) async fn tombstones(&self, dataset: &str) -> Result<BTreeSet<Key>> {
        let found: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT key_values FROM tombstones WHERE dataset = $1 AND revived_by IS NULL",
        )
        .bind(dataset)
        .fetch_all(&self.reads)
        .await?;
        found.iter().map(|values| key(values)).collect()
    }

    /// Returns what is kept of one deleted row; so far only the tests ask.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    #[cfg_attr(not(test), expect(dead_code, reason = "conflict review will show what was deleted"))]
    pub(crate) async fn tombstone(&self, dataset: &str, key: &Key) -> Result<Option<Tombstone>> {
        let found: Option<(String, Option<Vec<u8>>, String, i64)> = sqlx::query_as(
            "SELECT columns, image, run, at FROM tombstones
             WHERE dataset = $1 AND key_digest = $2 AND revived_by IS NULL",
        )
        .bind(dataset)
        .bind(self.reads.seal.index(key))
        .fetch_optional(&self.reads)
        .await?;
        let read = |(columns, image, run, at): (String, Option<Vec<u8>>, String, i64)| {
            Ok(Tombstone {
                columns: parse(&columns)?,
                row: image.as_deref().map(row).transpose()?,
                run,
                at: time(at)?,
            })
        };
        found.map(read).transpose()
    }
}

/// Sets a tombstone for each row that base forgets, and takes away those of rows that came back.
///
/// A run that takes another back (`undoes`) makes it as it was before that one: a row that base forgets has a tombstone
/// only if it had one then.
pub(super) async fn follow(conn: &mut Conn, to: &Advance<'_>, undoes: Option<&str>) -> Result<()> {
    let known: Vec<(Vec<u8>, Option<String>)> =
        sqlx::query_as("SELECT key_digest, revived_by FROM tombstones WHERE dataset = $1")
            .bind(to.dataset)
            .fetch_all(&mut *conn)
            .await?;
    let known: HashMap<Vec<u8>, Option<String>> = known.into_iter().collect();
    let columns = json(&to.columns)?;
    for change in to.moves {
        if change.after.is_some() && known.is_empty() {
            continue;
        }
        let digest = conn.seal.index(&change.key);
        let known = known.get(&digest);
        if let Some(undone) = undoes.filter(|_| change.after.is_none()) {
            let brought_back = known.is_some_and(|by| by.as_deref() == Some(undone));
            if brought_back {
                revive(conn, to.dataset, &digest, None).await?;
            }
            continue;
        }
        if change.after.is_some() {
            if let Some(None) = known {
                revive(conn, to.dataset, &digest, Some(to.run)).await?;
            }
            continue;
        }
        if known.is_some() {
            sqlx::query("DELETE FROM tombstones WHERE dataset = $1 AND key_digest = $2")
                .bind(to.dataset)
                .bind(&digest)
                .execute(&mut *conn)
                .await?;
        }
        sqlx::query(
            "INSERT INTO tombstones (dataset, key_digest, run, at, columns, key_values, image)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(to.dataset)
        .bind(digest)
        .bind(to.run)
        .bind(micros(to.at))
        .bind(&columns)
        .bind(conn.seal.bytes("key_values", bytes(change.key.as_values()))?)
        .bind(conn.seal.some_bytes("image", change.before.as_deref().map(bytes))?)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Notes that a run brought a row back, or that none did: then the tombstone is there again.
async fn revive(conn: &mut Conn, dataset: &str, key: &[u8], run: Option<&str>) -> Result<()> {
    sqlx::query("UPDATE tombstones SET revived_by = $1 WHERE dataset = $2 AND key_digest = $3")
        .bind(run)
        .bind(dataset)
        .bind(key)
        .execute(conn)
        .await?;
    Ok(())
}
