//! What is kept of one record, for the export that stands beside `forget`: where that erases, this reads.

use lockstep_engine::key::Key;
use lockstep_engine::value::Row;

use super::audit::AuditLine;
use super::base::names;
use super::codec::{count, parse, row, time};
use super::events::{COLUMNS, EventRow};
use super::tombstones::Tombstone;
use super::{Event, Store, Task};
use crate::error::Result;

impl Store {
    /// Returns the versions of every base of a dataset, by the base's name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn base_versions(&self, dataset: &str) -> Result<Vec<(String, u64)>> {
        let mut tx = self.read().await?;
        let mut found = Vec::new();
        for base in names(&mut tx, dataset).await? {
            let versions: Vec<i64> = sqlx::query_scalar(
                "SELECT version FROM base_versions WHERE dataset = $1 ORDER BY version",
            )
            .bind(&base)
            .fetch_all(&mut *tx)
            .await?;
            for version in versions {
                found.push((base.clone(), count(version)?));
            }
        }
        Ok(found)
    }

    /// Returns the names of a dataset's plans, those that expired and are not swept yet among them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn plans_of(&self, dataset: &str) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar("SELECT id FROM plans WHERE dataset = $1 ORDER BY created, id")
            .bind(dataset)
            .fetch_all(&self.reads)
            .await?)
    }

    /// Returns the events of a dataset that wait, then its dead letters, the dropped ones too.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    pub(crate) async fn queue_of(&self, dataset: &str) -> Result<(Vec<Event>, Vec<Event>)> {
        let (mut queue, mut letters) = (Vec::new(), Vec::new());
        for (table, mark, to) in
            [("events", "fence", &mut queue), ("dead_letters", "died", &mut letters)]
        {
            let mut query = super::Statement::new("SELECT ");
            query.push(COLUMNS).push(", ").push(mark).push(" AS mark FROM ").push(table);
            query.push(" WHERE dataset = ").push_bind(dataset.to_owned());
            query.push(" ORDER BY number");
            let rows: Vec<EventRow> = query.build_query_as().fetch_all(&self.reads).await?;
            for row in rows {
                to.push(row.read()?);
            }
        }
        Ok((queue, letters))
    }

    /// Returns what runs and batches of a dataset say of themselves, each with its run.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn messages_of(&self, dataset: &str) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        for query in [
            "SELECT id, error FROM runs WHERE dataset = $1 AND error IS NOT NULL ORDER BY number",
            "SELECT r.id, b.note FROM batches b JOIN runs r ON r.number = b.run
             WHERE r.dataset = $1 AND b.note IS NOT NULL ORDER BY r.number, b.seq",
        ] {
            let rows: Vec<(String, String)> =
                sqlx::query_as(query).bind(dataset).fetch_all(&self.reads).await?;
            found.extend(rows);
        }
        Ok(found)
    }

    /// Returns all tasks.
    ///
    /// # Errors
    /// When the stored text is damaged.
    pub(crate) async fn all_tasks(&self) -> Result<Vec<Task>> {
        let subjects: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT subject FROM tasks").fetch_all(&self.reads).await?;
        let mut all = Vec::new();
        for subject in subjects {
            all.extend(self.tasks_of(&subject, u32::MAX).await?);
        }
        Ok(all)
    }

    /// Returns the mark that a record was deleted, also where it came back since.
    ///
    /// # Errors
    /// When the stored bytes are damaged.
    pub(crate) async fn any_tombstone(
        &self,
        dataset: &str,
        key: &Key,
    ) -> Result<Option<Tombstone>> {
        type Found = (String, Option<Vec<u8>>, String, i64);
        let found: Option<Found> = sqlx::query_as(
            "SELECT columns, image, run, at FROM tombstones WHERE dataset = $1 AND key_digest = $2",
        )
        .bind(dataset)
        .bind(self.reads.seal.index(key))
        .fetch_optional(&self.reads)
        .await?;
        let Some((columns, image, run, at)) = found else { return Ok(None) };
        let row: Option<Row> = image.as_deref().map(row).transpose()?;
        Ok(Some(Tombstone { columns: parse(&columns)?, row, run, at: time(at)? }))
    }

    /// Returns the lines of the audit whose content is about a record.
    ///
    /// # Errors
    /// When the stored values are damaged.
    pub(crate) async fn audit_of(&self, dataset: &str, key: &Key) -> Result<Vec<AuditLine>> {
        let lines: Vec<i64> = sqlx::query_scalar(
            "SELECT seq FROM audit WHERE dataset = $1 AND key_index = $2 ORDER BY seq",
        )
        .bind(dataset)
        .bind(self.reads.seal.index(key))
        .fetch_all(&self.reads)
        .await?;
        let mut found = Vec::new();
        for line in lines {
            found.extend(self.audit(count(line.saturating_sub(1))?, 1).await?);
        }
        Ok(found)
    }
}
