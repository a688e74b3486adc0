//! The queue as people see it: counted in groups, and a page at a time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lockstep_engine::key::Key;

use super::super::Store;
use super::super::codec::{count, from_word, key, micros, parse, time, word};
use super::read::{Line, select};
use super::{Kind, Rows, State, Stored};
use crate::error::Result;

/// Which conflicts are meant; nothing said means all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filter {
    /// Of this dataset.
    pub(crate) dataset: Option<String>,
    /// With these names.
    pub(crate) ids: Vec<String>,
    /// About this column; blank for whole rows.
    pub(crate) column: Option<String>,
    /// Of this kind.
    pub(crate) kind: Option<Kind>,
    /// Of the key that is shown so.
    pub(crate) key: Option<String>,
    /// In these states; all where none is named.
    pub(crate) states: Vec<State>,
    /// First seen before this.
    pub(crate) before: Option<Timestamp>,
    /// In the care of this person.
    pub(crate) assignee: Option<String>,
}

/// How many conflicts of a dataset are alike.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// The dataset.
    pub(crate) dataset: String,
    /// The column; blank for whole rows.
    pub(crate) column: String,
    /// The kind.
    pub(crate) kind: Kind,
    /// The state.
    pub(crate) state: State,
    /// How many.
    pub(crate) count: u64,
    /// When the oldest was first seen.
    pub(crate) oldest: Timestamp,
}

/// A page of conflicts, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Page {
    /// The conflicts.
    pub(crate) conflicts: Vec<Stored>,
    /// Whether there are more.
    pub(crate) more: bool,
}

impl Filter {
    /// Adds the conditions to a query.
    pub(super) fn conditions(
        &self,
        query: &mut crate::store::Statement,
        seal: &crate::store::Seal,
    ) -> Result<()> {
        query.push(" WHERE 1 = 1");
        let key = self.key.clone().map(|key| seal.blind_text(key));
        let texts = [
            (" AND dataset = ", &self.dataset),
            (" AND column_name = ", &self.column),
            (" AND key_text = ", &key),
            (" AND assignee = ", &self.assignee),
        ];
        for (condition, text) in texts {
            if let Some(text) = text {
                query.push(condition).push_bind(text.clone());
            }
        }
        if let Some(kind) = &self.kind {
            query.push(" AND kind = ").push_bind(word(kind)?);
        }
        if let Some(before) = self.before {
            query.push(" AND created < ").push_bind(micros(before));
        }
        if !self.states.is_empty() {
            query.push(" AND state IN (");
            let mut list = query.separated(", ");
            for state in &self.states {
                list.push_bind(word(state)?);
            }
            query.push(")");
        }
        if !self.ids.is_empty() {
            query.push(" AND id IN (");
            let mut list = query.separated(", ");
            for id in &self.ids {
                list.push_bind(id.clone());
            }
            query.push(")");
        }
        Ok(())
    }
}

impl Store {
    /// Returns how many conflicts there are, by dataset, column, kind and state; the largest groups first.
    ///
    /// # Errors
    /// When the stored values are damaged.
    pub(crate) async fn conflict_groups(&self, filter: &Filter) -> Result<Vec<Group>> {
        let mut query = crate::store::Statement::new(
            "SELECT dataset, column_name, kind, state, COUNT(*), MIN(created) FROM conflicts",
        );
        filter.conditions(&mut query, &self.reads.seal)?;
        query.push(" GROUP BY dataset, column_name, kind, state ORDER BY 5 DESC, 1, 2, 3, 4");
        let found: Vec<(String, String, String, String, i64, i64)> =
            query.build_query_as().fetch_all(&self.reads).await?;
        let read = |(dataset, column, kind, state, number, oldest): (_, _, _, _, _, _)| {
            Ok(Group {
                dataset,
                column,
                kind: from_word(kind)?,
                state: from_word(state)?,
                count: count(number)?,
                oldest: time(oldest)?,
            })
        };
        found.into_iter().map(read).collect()
    }

    /// Returns conflicts after `skip` others, oldest first.
    ///
    /// # Errors
    /// When the stored values are damaged.
    pub(crate) async fn conflicts(&self, filter: &Filter, skip: u64, limit: u32) -> Result<Page> {
        let mut query = select();
        filter.conditions(&mut query, &self.reads.seal)?;
        query.push(" ORDER BY created, key_text, column_name, id LIMIT ");
        query.push_bind(i64::from(limit) + 1).push(" OFFSET ");
        query.push_bind(super::super::codec::stored(skip)?);
        let lines: Vec<Line> = query.build_query_as().fetch_all(&self.reads).await?;
        let more = lines.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        let take = usize::try_from(limit).unwrap_or(usize::MAX);
        let conflicts = lines.into_iter().take(take).map(Line::read).collect::<Result<_>>()?;
        Ok(Page { conflicts, more })
    }

    /// Returns the rows of the disputed keys of a dataset.
    ///
    /// # Errors
    /// When the stored values are damaged.
    pub(crate) async fn conflict_rows(&self, dataset: &str) -> Result<BTreeMap<Key, Rows>> {
        let found: Vec<(Vec<u8>, String)> = sqlx::query_as(
            "SELECT DISTINCT c.key_values, r.content FROM conflict_rows r
             JOIN conflicts c ON c.dataset = r.dataset AND c.key_digest = r.key_digest
             WHERE r.dataset = $1",
        )
        .bind(dataset)
        .fetch_all(&self.reads)
        .await?;
        found.iter().map(|(values, content)| Ok((key(values)?, parse(content)?))).collect()
    }

    /// Returns the rows of one disputed key.
    ///
    /// # Errors
    /// When the stored values are damaged.
    pub(crate) async fn rows_of_conflict(&self, dataset: &str, key: &Key) -> Result<Option<Rows>> {
        let found: Option<String> = sqlx::query_scalar(
            "SELECT content FROM conflict_rows WHERE dataset = $1 AND key_digest = $2",
        )
        .bind(dataset)
        .bind(self.reads.seal.index(key))
        .fetch_optional(&self.reads)
        .await?;
        found.as_deref().map(parse).transpose()
    }
}
