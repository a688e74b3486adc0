//! What runs there were, what one changed, and the life of one record.

use jiff::Timestamp;
use lockstep_engine::key::Key;

use super::batches::ActionRow;
use super::codec::{after_prefix, count, from_word, parse, stored, time};
use super::journal::{Action, BatchState};
use super::runs::{Run, RunRow, select};
use super::{ROWS_PER_INSERT, Store};
use crate::error::{Error, Result};

/// One write of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangeRecord {
    /// The run.
    pub(crate) run: String,
    /// When the run was closed, or began while it is open.
    pub(crate) at: Timestamp,
    /// The side that was written.
    pub(crate) side: String,
    /// The write.
    pub(crate) action: Action,
    /// The names of the columns that its rows are aligned with.
    pub(crate) columns: Vec<String>,
    /// The columns whose values must not be shown.
    pub(crate) sensitive: Vec<usize>,
    /// How far its batch came: only `Applied` happened.
    pub(crate) state: BatchState,
}

#[derive(Debug, sqlx::FromRow)]
struct ChangeRow {
    number: i64,
    run: String,
    at: i64,
    side: String,
    state: String,
    columns: String,
    sensitive: String,
    #[sqlx(flatten)]
    action: ActionRow,
}

const CHANGES: &str = "SELECT a.number, r.id AS run, COALESCE(r.finished, r.started) AS at, b.side,
         b.state, r.columns, r.sensitive, a.kind, a.cells, a.key_values, a.before_image,
         a.after_image, a.left_out
     FROM actions a JOIN runs r ON r.number = a.run
     JOIN batches b ON b.run = a.run AND b.seq = a.seq WHERE ";

impl ChangeRow {
    fn read(self) -> Result<ChangeRecord> {
        Ok(ChangeRecord {
            run: self.run,
            at: time(self.at)?,
            side: self.side,
            action: self.action.read()?,
            columns: parse(&self.columns)?,
            sensitive: parse(&self.sensitive)?,
            state: from_word(self.state)?,
        })
    }
}

impl Store {
    /// Returns the runs of a dataset that are open, oldest first.
    ///
    /// # Errors
    /// When the stored values are damaged.
    pub(crate) async fn open_runs(&self, dataset: &str) -> Result<Vec<Run>> {
        let mut query = select();
        // A literal, so that the index of open runs serves.
        query
            .push(" WHERE state = 'applying' AND dataset = ")
            .push_bind(dataset.to_owned())
            .push(" ORDER BY number");
        self.read_runs(query).await
    }

    /// Returns the datasets that have an open run, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn open_datasets(&self) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar(
            "SELECT DISTINCT dataset FROM runs WHERE state = 'applying' ORDER BY dataset",
        )
        .fetch_all(&self.reads)
        .await?)
    }

    /// Returns a run by its name, or by the beginning of it.
    ///
    /// # Errors
    /// A beginning that several runs have.
    pub(crate) async fn run(&self, id_prefix: &str) -> Result<Option<Run>> {
        let prefix = id_prefix.trim();
        if prefix.is_empty() {
            return Err(Error::invalid("a run is named by its id").next("see syncHistory"));
        }
        let mut query = select();
        query.push(" WHERE id >= ").push_bind(prefix.to_owned());
        query.push(" AND id < ").push_bind(after_prefix(prefix)).push(" ORDER BY id LIMIT 2");
        let mut found = self.read_runs(query).await?;
        // The whole name sorts before every name that it begins.
        let exact = found.first().is_some_and(|run| run.id == prefix);
        if found.len() > 1 && !exact {
            return Err(Error::invalid(format!("several runs begin with '{prefix}'"))
                .next("give more of the run's id"));
        }
        Ok(if found.is_empty() { None } else { Some(found.swap_remove(0)) })
    }

    /// Returns up to `limit` runs, newest first, from the one after `before` on.
    ///
    /// # Errors
    /// A `before` that is no run.
    pub(crate) async fn runs(
        &self,
        dataset: Option<&str>,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Run>> {
        let mut query = select();
        query.push(" WHERE 1 = 1");
        if let Some(before) = before {
            query.push(" AND number < ").push_bind(self.number(before).await?);
        }
        if let Some(dataset) = dataset {
            query.push(" AND dataset = ").push_bind(dataset.to_owned());
        }
        query.push(" ORDER BY number DESC LIMIT ").push_bind(i64::from(limit));
        self.read_runs(query).await
    }

    /// Returns up to `limit` writes of a run after the cursor, and the cursor of the next page.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    pub(crate) async fn changes(
        &self,
        run: &str,
        after: u64,
        limit: u32,
    ) -> Result<(Vec<ChangeRecord>, Option<u64>)> {
        let mut query = super::Statement::new(CHANGES);
        query.push("r.id = ").push_bind(run.to_owned());
        query.push(" AND a.number > ").push_bind(stored(after)?);
        query.push(" ORDER BY a.number LIMIT ").push_bind(i64::from(limit) + 1);
        let mut found: Vec<ChangeRow> = query.build_query_as().fetch_all(&self.reads).await?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next = found.last().filter(|_| more).map(|row| count(row.number)).transpose()?;
        Ok((found.into_iter().map(ChangeRow::read).collect::<Result<_>>()?, next))
    }

    /// Returns up to `limit` writes of one record over all runs of a dataset, newest first.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    pub(crate) async fn life(
        &self,
        dataset: &str,
        key: &Key,
        limit: u32,
    ) -> Result<Vec<ChangeRecord>> {
        let mut query = super::Statement::new(CHANGES);
        query.push("a.key_digest = ").push_bind(self.reads.seal.index(key));
        query.push(" AND r.dataset = ").push_bind(dataset.to_owned());
        query.push(" ORDER BY a.run DESC, a.number DESC LIMIT ").push_bind(i64::from(limit));
        let found: Vec<ChangeRow> = query.build_query_as().fetch_all(&self.reads).await?;
        found.into_iter().map(ChangeRow::read).collect()
    }

    /// Returns the last applied write of each side to each of some records of a dataset.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    pub(crate) async fn last_writes(
        &self,
        dataset: &str,
        keys: &[Key],
    ) -> Result<Vec<ChangeRecord>> {
        let mut last = std::collections::BTreeMap::new();
        for keys in keys.chunks(ROWS_PER_INSERT) {
            let mut query = super::Statement::new(CHANGES);
            query.push("r.dataset = ").push_bind(dataset.to_owned());
            query.push(" AND b.state = 'applied' AND a.key_digest IN (");
            let mut digests = query.separated(", ");
            for key in keys {
                digests.push_bind(self.reads.seal.index(key));
            }
            query.push(") ORDER BY a.run, a.number");
            let found: Vec<ChangeRow> = query.build_query_as().fetch_all(&self.reads).await?;
            for row in found {
                let record = row.read()?;
                last.insert((record.side.clone(), record.action.key.clone()), record);
            }
        }
        Ok(last.into_values().collect())
    }

    async fn number(&self, run: &str) -> Result<i64> {
        let found: Option<i64> = sqlx::query_scalar("SELECT number FROM runs WHERE id = $1")
            .bind(run)
            .fetch_optional(&self.reads)
            .await?;
        found.ok_or_else(|| {
            Error::not_found(format!("there is no run {run}"))
                .next("begin without a cursor, or pass the one that the last page returned")
        })
    }

    pub(super) async fn read_runs(&self, mut query: super::Statement) -> Result<Vec<Run>> {
        let found: Vec<RunRow> = query.build_query_as().fetch_all(&self.reads).await?;
        found.into_iter().map(RunRow::read).collect()
    }
}
