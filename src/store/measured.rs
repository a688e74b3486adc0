//! What measurements of the data found, hour by hour.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Store;
use super::codec::{json, micros, parse, time};
use super::ends::hour_of;
use crate::error::Result;

/// What one measurement found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Measurement {
    /// Shares from 0 to 1 by their names.
    pub(crate) shares: BTreeMap<String, f64>,
    /// Cells and rows that differ: carried by the next run in time, explained by nobody, and all others.
    pub(crate) pending: u64,
    pub(crate) unexplained: u64,
    pub(crate) other: u64,
}

impl Store {
    /// Keeps a measurement, the last one of each hour.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub(crate) async fn keep_measurement(
        &self,
        dataset: &str,
        now: Timestamp,
        found: &Measurement,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO quality_history (dataset, at, data) VALUES ($1, $2, $3)
             ON CONFLICT (dataset, at) DO UPDATE SET data = excluded.data",
        )
        .bind(dataset)
        .bind(hour_of(micros(now)))
        .bind(tx.seal.text("data", json(found)?)?)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Returns the kept measurements of a dataset since a moment, oldest first.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(crate) async fn measurements(
        &self,
        dataset: &str,
        from: Timestamp,
    ) -> Result<Vec<(Timestamp, Measurement)>> {
        let found: Vec<(i64, String)> = sqlx::query_as(
            "SELECT at, data FROM quality_history WHERE dataset = $1 AND at >= $2 ORDER BY at",
        )
        .bind(dataset)
        .bind(micros(from))
        .fetch_all(&self.reads)
        .await?;
        found.iter().map(|(at, data)| Ok((time(*at)?, parse(data)?))).collect()
    }
}
