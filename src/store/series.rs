//! How runs of a dataset ended, hour by hour.

use jiff::Timestamp;

use super::Store;
use super::codec::{micros, parse, time};
use super::ends::{HOUR, Rollup};
use crate::error::Result;

impl Store {
    /// Returns the ends of a dataset's runs since a moment by the hour, oldest first; of all datasets where none is named.
    ///
    /// # Errors
    /// When the stored values are damaged.
    pub(crate) async fn hours(
        &self,
        dataset: Option<&str>,
        from: Timestamp,
    ) -> Result<Vec<(Timestamp, Rollup)>> {
        let mut query =
            super::Statement::new("SELECT bucket, data FROM run_rollups WHERE grain = ");
        query.push_bind(HOUR).push(" AND bucket >= ").push_bind(micros(from));
        if let Some(dataset) = dataset {
            query.push(" AND dataset = ").push_bind(dataset.to_owned());
        }
        query.push(" ORDER BY bucket");
        let found: Vec<(i64, String)> = query.build_query_as().fetch_all(&self.reads).await?;
        found.iter().map(|(at, data)| Ok((time(*at)?, parse(data)?))).collect()
    }
}
