//! What is kept of one record, for the export that stands beside `forget`: where that erases, this reads.

use std::collections::BTreeSet;

use lockstep_engine::key::Key;
use lockstep_engine::value::{Row, Value};
use serde_json::Value as Json;

use super::audit::AuditLine;
use super::base::names;
use super::codec::{count, parse, row, time};
use super::ends::Facts;
use super::events::{COLUMNS, EventRow};
use super::tombstones::Tombstone;
use super::{Event, Store, Task};
use crate::error::Result;

/// How long a value must be for words that have it to be about its record.
const TELLING: usize = 4;

/// The words by which a message is known to quote a record: the parts of its key, and the longer values of its rows.
#[derive(Clone, Debug)]
pub(crate) struct Words(BTreeSet<String>);

impl Words {
    /// Takes the words of a key and of rows.
    pub(crate) fn of<'a>(key: &Key, rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut words: BTreeSet<String> =
            key.as_values().iter().map(|part| part.to_string().to_lowercase()).collect();
        words.remove("");
        for value in rows.into_iter().flat_map(|row| row.iter()) {
            add(value, &mut words);
        }
        Self(words)
    }

    /// Returns whether a message quotes the record; case is not told apart.
    pub(crate) fn quoted_in(&self, message: &str) -> bool {
        let message = message.to_lowercase();
        self.0.iter().any(|word| message.contains(word.as_str()))
    }
}

fn add(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::List(items) => items.iter().for_each(|item| add(item, words)),
        _ => {
            let text = value.to_string().to_lowercase();
            if text.chars().count() >= TELLING {
                words.insert(text);
            }
        }
    }
}

/// Where the words of a watch's status stand.
pub(super) const STATUS_WORDS: [&str; 2] = ["error", "halts"];

/// Where the words of a measurement of the data's quality stand; the rest of it are numbers and names.
pub(super) const QUALITY_WORDS: [&str; 2] = ["failed", "untold"];

/// Returns the texts of a JSON value: itself, or the items of a list.
pub(super) fn texts(value: &Json) -> Vec<&str> {
    match value {
        Json::String(text) => vec![text],
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

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

    /// Returns what is said of a dataset now and what people were told of it, each with who says it.
    ///
    /// # Errors
    /// When the store cannot be read, or its texts are damaged.
    pub(crate) async fn notices_of(&self, dataset: &str) -> Result<Vec<(&'static str, String)>> {
        let mut found = Vec::new();
        let Facts { last_error, quality, .. } = self.facts(dataset).await?;
        found.extend(last_error.map(|(_, words)| ("health", words)));
        if let Some(quality) = quality {
            let words = QUALITY_WORDS.iter().filter_map(|name| quality.get(name));
            found.extend(words.flat_map(texts).map(|words| ("quality", words.to_owned())));
        }
        let breakers = self.breakers(dataset).await?;
        found.extend(breakers.into_iter().map(|breaker| ("breaker", breaker.why)));
        if let Some(watch) = self.watch(dataset).await? {
            let words = STATUS_WORDS.iter().filter_map(|name| watch.status.get(name));
            found.extend(words.flat_map(texts).map(|words| ("watch", words.to_owned())));
        }
        for (of, query) in [
            ("incident", "SELECT detail FROM incidents WHERE dataset IN ($1, '') ORDER BY id"),
            (
                "alert",
                "SELECT d.body FROM deliveries d JOIN incidents i ON i.id = d.incident
                 WHERE i.dataset IN ($1, '') ORDER BY d.id",
            ),
            (
                "refusal of an alert",
                "SELECT d.error FROM deliveries d JOIN incidents i ON i.id = d.incident
                 WHERE i.dataset IN ($1, '') AND d.error IS NOT NULL ORDER BY d.id",
            ),
        ] {
            let said: Vec<String> =
                sqlx::query_scalar(query).bind(dataset).fetch_all(&self.reads).await?;
            found.extend(said.into_iter().map(|words| (of, words)));
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
