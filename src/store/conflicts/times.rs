//! When pending values were first seen: field-level times for strategies that ask which change was the later.

use jiff::Timestamp;
use lockstep_engine::key::Key;
use lockstep_engine::value::Value;

use super::super::codec::{bytes, key, micros, time};
use super::super::{Conn, Store};
use crate::error::Result;

/// A value that differed from what was last agreed on, and when it was first seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Observed {
    /// The member.
    pub(crate) member: String,
    /// The key.
    pub(crate) key: Key,
    /// The column; blank for a row that is gone.
    pub(crate) column: String,
    /// A digest of the value.
    pub(crate) value: Vec<u8>,
    /// When.
    pub(crate) at: Timestamp,
}

impl Observed {
    /// Returns the digest by which a value is recognised.
    pub(crate) fn digest(value: Option<&Value>) -> Vec<u8> {
        value.map_or_else(Vec::new, |value| {
            blake3::hash(&bytes(std::slice::from_ref(value))).as_bytes().to_vec()
        })
    }
}

/// Member, key, column, digest of the value, and when it was first seen, as the store keeps them.
type Line = (String, Vec<u8>, String, Vec<u8>, i64);

impl Store {
    /// Returns when the pending values of a dataset were first seen.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    pub(crate) async fn cell_times(&self, dataset: &str) -> Result<Vec<Observed>> {
        let found: Vec<Line> = sqlx::query_as(
            "SELECT member, key_values, column_name, value_digest, at FROM cell_times WHERE dataset = $1",
        )
        .bind(dataset)
        .fetch_all(&self.reads)
        .await?;
        let read = |(member, values, column, value, at): Line| {
            Ok(Observed { member, key: key(&values)?, column, value, at: time(at)? })
        };
        found.into_iter().map(read).collect()
    }
}

/// Keeps these times, and no others, for a dataset.
pub(super) async fn put(conn: &mut Conn, dataset: &str, times: &[Observed]) -> Result<()> {
    sqlx::query("DELETE FROM cell_times WHERE dataset = $1")
        .bind(dataset)
        .execute(&mut *conn)
        .await?;
    for one in times {
        sqlx::query(
            "INSERT INTO cell_times (dataset, member, key_digest, column_name, key_values, value_digest, at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (dataset, member, key_digest, column_name) DO NOTHING",
        )
        .bind(dataset)
        .bind(&one.member)
        .bind(conn.seal.index(&one.key))
        .bind(&one.column)
        .bind(conn.seal.bytes("key_values", bytes(one.key.as_values()))?)
        .bind(conn.seal.bytes("value_digest", one.value.clone())?)
        .bind(micros(one.at))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
