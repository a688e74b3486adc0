//! What waits in the queues of watched datasets, and what was given up: the numbers that health is judged by.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::breakers::{Breaker, OPEN};
use super::codec::{count, micros, stored, time};
use super::{Statement, Store};
use crate::error::Result;

/// What waits for a dataset's members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queued {
    /// Events of a running watch.
    pub(crate) events: u64,
    /// Those of them that were detected before the moment asked for.
    pub(crate) late: u64,
    /// When the oldest was detected.
    pub(crate) oldest: Option<Timestamp>,
    /// Dead letters that nobody dropped.
    pub(crate) dead: u64,
    /// When the oldest of them died.
    pub(crate) oldest_dead: Option<Timestamp>,
    /// Members that a running watch takes to be down.
    pub(crate) down: Vec<Breaker>,
}

impl Store {
    /// Returns what waits by dataset, of one or of all; datasets for which nothing waits are left out.
    ///
    /// A watch that was stopped waits for nothing: its events are those of another time.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(crate) async fn queued(
        &self,
        dataset: Option<&str>,
        late: Timestamp,
    ) -> Result<BTreeMap<String, Queued>> {
        const RUNNING: &str = "dataset IN (SELECT dataset FROM watches WHERE running = 1)";
        let narrowed = |query: &mut Statement| {
            if let Some(dataset) = dataset {
                query.push(" AND dataset = ").push_bind(dataset.to_owned());
            }
        };
        let mut all: BTreeMap<String, Queued> = BTreeMap::new();
        let mut read = self.read().await?;

        let mut query = Statement::new("SELECT dataset, COUNT(*), CAST(SUM(CASE WHEN detected < ");
        query.push_bind(micros(late));
        query
            .push(" THEN 1 ELSE 0 END) AS BIGINT), MIN(detected) FROM events WHERE ")
            .push(RUNNING);
        narrowed(&mut query);
        query.push(" GROUP BY dataset");
        let events: Vec<(String, i64, i64, i64)> =
            query.build_query_as().fetch_all(&mut *read).await?;
        for (dataset, events, late, oldest) in events {
            let one = all.entry(dataset).or_default();
            (one.events, one.late) = (count(events)?, count(late)?);
            one.oldest = Some(time(oldest)?);
        }

        let mut query = Statement::new(
            "SELECT dataset, COUNT(*), MIN(died) FROM dead_letters WHERE dropped = 0",
        );
        narrowed(&mut query);
        query.push(" GROUP BY dataset");
        let dead: Vec<(String, i64, i64)> = query.build_query_as().fetch_all(&mut *read).await?;
        for (dataset, dead, oldest) in dead {
            let one = all.entry(dataset).or_default();
            (one.dead, one.oldest_dead) = (count(dead)?, Some(time(oldest)?));
        }

        let mut query = Statement::new(
            "SELECT dataset, member, failures, since, until, why FROM breakers WHERE failures >= ",
        );
        query.push_bind(stored(OPEN)?).push(" AND ").push(RUNNING);
        narrowed(&mut query);
        query.push(" ORDER BY dataset, member");
        let down: Vec<(String, String, i64, i64, i64, String)> =
            query.build_query_as().fetch_all(&mut *read).await?;
        for (dataset, member, failures, since, until, why) in down {
            let (since, until) = (time(since)?, time(until)?);
            let breaker = Breaker { member, failures: count(failures)?, since, until, why };
            all.entry(dataset).or_default().down.push(breaker);
        }
        Ok(all)
    }
}
