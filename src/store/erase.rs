//! Takes one key out of every version of a base, as if it had never been there.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::key::Key;
use lockstep_engine::value::{Row, Value};

use super::Conn;
use super::base::work;
use super::codec::{self, stored};
use super::fold::{pack_delta, unpack_delta, without};
use super::segment::{Packed, take_key, take_row, unpack};
use crate::error::Result;

/// Takes a key out of every version of a base; returns how many versions named it, and adds their rows of it.
pub(super) async fn erase(
    conn: &mut Conn,
    dataset: &str,
    key: &Key,
    rows: &mut Vec<Row>,
) -> Result<u64> {
    let mut erased = in_deltas(conn, dataset, key, rows).await?;
    let parts: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT p.version, s.id, s.last_key
         FROM base_parts p JOIN base_segments s ON s.id = p.segment
         WHERE p.dataset = $1 ORDER BY p.version, p.position",
    )
    .bind(dataset)
    .fetch_all(&mut *conn)
    .await?;
    // In each version only the first segment that reaches so far can have the key; versions share segments.
    let mut candidates: BTreeMap<i64, i64> = BTreeMap::new();
    for (version, id, last) in parts {
        if !candidates.contains_key(&version) && *codec::row(&last)? >= *key.as_values() {
            candidates.insert(version, id);
        }
    }
    let mut found = BTreeSet::new();
    for id in candidates.values().copied().collect::<BTreeSet<i64>>() {
        if rewrite(conn, id, key, rows).await? {
            found.insert(id);
        }
    }
    let versions = candidates.into_iter().filter(|(_, id)| found.contains(id));
    erased.extend(versions.map(|(version, _)| version));
    Ok(erased.len() as u64)
}

/// Takes a key out of the deltas; returns the versions that had it there.
async fn in_deltas(
    conn: &mut Conn,
    dataset: &str,
    key: &Key,
    rows: &mut Vec<Row>,
) -> Result<BTreeSet<i64>> {
    let versions: Vec<(i64, Vec<u8>, Vec<u8>)> =
        sqlx::query_as("SELECT version, delta_digest, delta FROM base_versions WHERE dataset = $1")
            .bind(dataset)
            .fetch_all(&mut *conn)
            .await?;
    let mut erased = BTreeSet::new();
    for (version, digest, data) in versions {
        let mut delta = unpack_delta(&Packed { digest, data })?;
        let Some(row) = delta.remove(key.row()) else { continue };
        rows.extend(row);
        let packed = conn.seal.packed(("delta_digest", "delta"), pack_delta(&delta)?)?;
        sqlx::query(
            "UPDATE base_versions SET delta_digest = $1, delta = $2
             WHERE dataset = $3 AND version = $4",
        )
        .bind(packed.digest)
        .bind(packed.data)
        .bind(dataset)
        .bind(version)
        .execute(&mut *conn)
        .await?;
        erased.insert(version);
    }
    Ok(erased)
}

/// Takes a key out of a segment; returns whether it was there.
async fn rewrite(conn: &mut Conn, id: i64, key: &Key, rows: &mut Vec<Row>) -> Result<bool> {
    let (digest, data): (Vec<u8>, Vec<u8>) =
        sqlx::query_as("SELECT digest, data FROM base_segments WHERE id = $1")
            .bind(id)
            .fetch_one(&mut *conn)
            .await?;
    let values = key.as_values().to_vec();
    let (rest, row) = work(move || {
        let packed = Packed { digest, data };
        let row = row_of(&packed, &values)?;
        Ok((without(&packed, &values)?, row))
    })
    .await?;
    rows.extend(row);
    match rest {
        None => return Ok(false),
        Some(None) => {
            sqlx::query("DELETE FROM base_parts WHERE segment = $1")
                .bind(id)
                .execute(&mut *conn)
                .await?;
            sqlx::query("DELETE FROM base_segments WHERE id = $1").bind(id).execute(conn).await?;
        }
        Some(Some(built)) => {
            let packed = conn.seal.packed(("digest", "data"), built.packed)?;
            sqlx::query(
                "UPDATE base_segments SET entries = $1, last_key = $2, digest = $3, data = $4
                 WHERE id = $5",
            )
            .bind(stored(built.entries)?)
            .bind(conn.seal.bytes("last_key", codec::bytes(&built.last))?)
            .bind(packed.digest)
            .bind(packed.data)
            .bind(id)
            .execute(conn)
            .await?;
        }
    }
    Ok(true)
}

/// Returns a key's row in a segment.
fn row_of(packed: &Packed, key: &[Value]) -> Result<Option<Row>> {
    let bytes = unpack(packed)?;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (entry, row) = (take_key(&mut rest)?, take_row(&mut rest)?);
        if *entry == *key {
            return Ok(row);
        }
    }
    Ok(None)
}
