//! What the batches of a run that are under way are aimed at; opaque here.

use serde::Serialize;

use super::base::work;
use super::segment::{Packed, pack_json, unpack};
use super::{Conn, Store};
use crate::error::Result;

impl Store {
    /// Keeps what a batch is aimed at, until it is settled; what was kept for it before is replaced.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn keep_aim(
        &self,
        run: &str,
        seq: u32,
        aim: &(impl Serialize + Sync),
    ) -> Result<()> {
        let packed = pack_json(aim)?;
        let mut tx = self.write().await?;
        let Packed { digest, data } = tx.seal.packed(("digest", "data"), packed)?;
        sqlx::query(
            "INSERT INTO aims (run, seq, digest, data) VALUES ($1, $2, $3, $4)
             ON CONFLICT (run, seq) DO UPDATE SET digest = excluded.digest, data = excluded.data",
        )
        .bind(run)
        .bind(i64::from(seq))
        .bind(digest)
        .bind(data)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Returns what a batch of an open run is aimed at, if it was under way and is not settled.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    pub(crate) async fn aim(&self, run: &str, seq: u32) -> Result<Option<Vec<u8>>> {
        let found: Option<(Vec<u8>, Vec<u8>)> =
            sqlx::query_as("SELECT digest, data FROM aims WHERE run = $1 AND seq = $2")
                .bind(run)
                .bind(i64::from(seq))
                .fetch_optional(&self.reads)
                .await?;
        match found {
            None => Ok(None),
            Some((digest, data)) => work(move || unpack(&Packed { digest, data })).await.map(Some),
        }
    }
}

/// Drops what a batch that is settled was aimed at.
pub(super) async fn settled(conn: &mut Conn, run: &str, seq: u32) -> Result<()> {
    sqlx::query("DELETE FROM aims WHERE run = $1 AND seq = $2")
        .bind(run)
        .bind(i64::from(seq))
        .execute(conn)
        .await?;
    Ok(())
}

/// Drops what a run was aimed at.
pub(super) async fn drop_aims(conn: &mut Conn, run: &str) -> Result<()> {
    sqlx::query("DELETE FROM aims WHERE run = $1").bind(run).execute(conn).await?;
    Ok(())
}
