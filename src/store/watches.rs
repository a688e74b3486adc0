//! Datasets that are watched, and what the worker last saw of them.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::codec::{json, micros, parse, time};
use super::{Conn, Store};
use crate::error::Result;

/// A watch as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredWatch {
    /// The dataset.
    pub(crate) dataset: String,
    /// How it is watched; opaque here.
    pub(crate) settings: Json,
    /// Whether it is to run.
    pub(crate) running: bool,
    /// When it was started, changed or stopped.
    pub(crate) changed: Timestamp,
    /// What the worker last saw; opaque here.
    pub(crate) status: Json,
}

type Found = (String, String, i64, i64, String);

impl Store {
    /// Keeps how a dataset is watched, and that it is.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn start_watch(
        &self,
        dataset: &str,
        settings: &Json,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO watches (dataset, settings, running, changed, status)
             VALUES ($1, $2, 1, $3, 'null')
             ON CONFLICT (dataset) DO UPDATE SET settings = excluded.settings, running = 1,
                 changed = excluded.changed, status = 'null'",
        )
        .bind(dataset)
        .bind(tx.seal.text("settings", json(settings)?)?)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        self.notify(&mut tx, "").await?;
        Ok(tx.commit().await?)
    }

    /// Ends a watch; its events stay. Returns whether it ran.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn stop_watch(&self, dataset: &str, now: Timestamp) -> Result<bool> {
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE watches SET running = 0, changed = $1 WHERE dataset = $2 AND running = 1",
        )
        .bind(micros(now))
        .bind(dataset)
        .execute(&mut *tx)
        .await?;
        self.notify(&mut tx, "").await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Keeps what the worker saw.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn put_watch_status(&self, dataset: &str, status: &Json) -> Result<()> {
        let mut tx = self.write_of(dataset).await?;
        sqlx::query("UPDATE watches SET status = $1 WHERE dataset = $2")
            .bind(tx.seal.text("status", json(status)?)?)
            .bind(dataset)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Returns the watch of a dataset, be it running or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn watch(&self, dataset: &str) -> Result<Option<StoredWatch>> {
        let found = find(&mut *self.reads.acquire().await?, Some(dataset)).await?;
        Ok(found.into_iter().next())
    }

    /// Returns every watch, by dataset.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn watches(&self) -> Result<Vec<StoredWatch>> {
        find(&mut *self.reads.acquire().await?, None).await
    }
}

async fn find(conn: &mut Conn, dataset: Option<&str>) -> Result<Vec<StoredWatch>> {
    let mut query =
        super::Statement::new("SELECT dataset, settings, running, changed, status FROM watches");
    if let Some(dataset) = dataset {
        query.push(" WHERE dataset = ").push_bind(dataset.to_owned());
    }
    query.push(" ORDER BY dataset");
    let found: Vec<Found> = query.build_query_as().fetch_all(conn).await?;
    let read = |(dataset, settings, running, changed, status): Found| {
        Ok(StoredWatch {
            dataset,
            settings: parse(&settings)?,
            running: running != 0,
            changed: time(changed)?,
            status: parse(&status)?,
        })
    };
    found.into_iter().map(read).collect()
}
