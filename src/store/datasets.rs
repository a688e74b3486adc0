//! Definitions of datasets, by name.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::base::OF;
use super::codec::{count, json, micros, parse, time};
use super::{Conn, Store};
use crate::error::{Error, Result};

/// A dataset's definition as it was last saved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dataset {
    /// The name.
    pub(crate) name: String,
    /// How many different definitions it has had in a row, from 1.
    pub(crate) version: u64,
    /// The definition; opaque here.
    pub(crate) definition: Json,
    /// The version of its base; `None` before the first run.
    pub(crate) base_version: Option<u64>,
    /// When the definition last changed.
    pub(crate) updated: Timestamp,
}

const SELECT: &str = "SELECT d.name, d.version, d.definition, d.updated, h.version
     FROM datasets d LEFT JOIN base_heads h ON h.dataset = d.name";

type Found = (String, i64, String, i64, Option<i64>);

impl Store {
    /// Saves a definition: the same one keeps the version, another one adds 1.
    ///
    /// # Errors
    /// A blank name, or one that a spoke's base could have.
    pub(crate) async fn save_dataset(
        &self,
        name: &str,
        definition: &Json,
        now: Timestamp,
    ) -> Result<Dataset> {
        if name.trim().is_empty() {
            return Err(Error::invalid("a dataset needs a name").next("give it a short name"));
        }
        if name.contains(OF) {
            return Err(Error::invalid("a dataset's name has the control character U+001F in it")
                .next("name it with letters, digits and spaces"));
        }
        let mut tx = self.write().await?;
        let before = find(&mut tx, name).await?;
        if let Some(before) = before.as_ref().filter(|before| before.definition == *definition) {
            return Ok(before.clone());
        }
        sqlx::query(
            "INSERT INTO datasets (name, version, definition, updated) VALUES ($1, 1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET version = datasets.version + 1,
                 definition = excluded.definition, updated = excluded.updated",
        )
        .bind(name)
        .bind(tx.seal.text("definition", json(definition)?)?)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        let saved = find(&mut tx, name).await?;
        tx.commit().await?;
        saved.ok_or_else(|| Error::internal(format!("the dataset '{name}' was not saved")))
    }

    /// Returns a dataset by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn dataset(&self, name: &str) -> Result<Option<Dataset>> {
        // PostgreSQL keeps no such name, and would refuse to look for it.
        if self.is_shared() && name.contains('\0') {
            return Ok(None);
        }
        find(&mut *self.reads.acquire().await?, name).await
    }

    /// Returns up to `limit` datasets whose name comes after `after`, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn datasets(&self, after: Option<&str>, limit: u32) -> Result<Vec<Dataset>> {
        let mut query = super::Statement::new(SELECT);
        query.push(" WHERE d.name > ").push_bind(after.unwrap_or_default().to_owned());
        query.push(" ORDER BY d.name LIMIT ").push_bind(i64::from(limit));
        let found: Vec<Found> = query.build_query_as().fetch_all(&self.reads).await?;
        found.into_iter().map(dataset).collect()
    }

    /// Returns the datasets whose definition has a word in it, as it stands in their JSON, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn datasets_with(&self, word: &str) -> Result<Vec<Dataset>> {
        let mut query = super::Statement::new(SELECT);
        // What is sealed cannot be searched there.
        if !self.reads.seal.is_on() {
            query.push(" WHERE d.definition LIKE ").push_bind(format!("%{word}%"));
        }
        query.push(" ORDER BY d.name");
        let found: Vec<Found> = query.build_query_as().fetch_all(&self.reads).await?;
        // To LIKE some characters stand for others, and one store does not tell letters' cases apart.
        found.into_iter().filter(|(_, _, text, ..)| text.contains(word)).map(dataset).collect()
    }
}

async fn find(conn: &mut Conn, name: &str) -> Result<Option<Dataset>> {
    let mut query = super::Statement::new(SELECT);
    query.push(" WHERE d.name = ").push_bind(name.to_owned());
    let found: Option<Found> = query.build_query_as().fetch_optional(conn).await?;
    found.map(dataset).transpose()
}

fn dataset((name, version, definition, updated, base): Found) -> Result<Dataset> {
    Ok(Dataset {
        name,
        version: count(version)?,
        definition: parse(&definition)?,
        base_version: base.map(count).transpose()?,
        updated: time(updated)?,
    })
}
