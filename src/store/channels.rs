//! Notification channels at Drive: who is told of which spreadsheet, until when.

use jiff::Timestamp;

use super::Store;
use super::codec::{micros, time};
use crate::error::Result;

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredChannel {
    /// Its id, which we chose.
    pub(crate) id: String,
    /// The dataset that is watched by it.
    pub(crate) dataset: String,
    /// The spreadsheet.
    pub(crate) spreadsheet: String,
    /// Drive's name of what is watched; needed to stop it.
    pub(crate) resource: String,
    /// The secret that each message must carry.
    pub(crate) token: String,
    /// When it ends.
    pub(crate) expires: Timestamp,
}

type Found = (String, String, String, String, String, i64);

fn read((id, dataset, spreadsheet, resource, token, expires): Found) -> Result<StoredChannel> {
    Ok(StoredChannel { id, dataset, spreadsheet, resource, token, expires: time(expires)? })
}

impl Store {
    /// Keeps a channel.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn put_channel(&self, channel: &StoredChannel) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO channels (id, dataset, spreadsheet, resource, token, expires)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&channel.id)
        .bind(&channel.dataset)
        .bind(&channel.spreadsheet)
        .bind(&channel.resource)
        .bind(tx.seal.text("token", channel.token.as_str())?)
        .bind(micros(channel.expires))
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Returns the channels of a dataset.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn channels(&self, dataset: &str) -> Result<Vec<StoredChannel>> {
        let found: Vec<Found> = sqlx::query_as(
            "SELECT id, dataset, spreadsheet, resource, token, expires FROM channels
             WHERE dataset = $1 ORDER BY expires",
        )
        .bind(dataset)
        .fetch_all(&self.reads)
        .await?;
        found.into_iter().map(read).collect()
    }

    /// Returns a channel by its id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn channel(&self, id: &str) -> Result<Option<StoredChannel>> {
        let found: Option<Found> = sqlx::query_as(
            "SELECT id, dataset, spreadsheet, resource, token, expires FROM channels WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(&self.reads)
        .await?;
        found.map(read).transpose()
    }

    /// Forgets a channel.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn drop_channel(&self, id: &str) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM channels WHERE id = $1").bind(id).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }
}
