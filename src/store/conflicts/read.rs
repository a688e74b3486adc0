//! A conflict as it stands in its table.

use super::super::codec::{from_word, key, parse, time};
use super::Stored;
use crate::error::Result;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Line {
    id: String,
    dataset: String,
    key_values: Vec<u8>,
    column_name: String,
    kind: String,
    digest: String,
    state: String,
    base_value: Option<String>,
    voices: String,
    reason: String,
    assignee: Option<String>,
    note: Option<String>,
    created: i64,
    choice: Option<String>,
    decided: Option<i64>,
    decided_by: Option<String>,
    closed: Option<i64>,
    closed_by: Option<String>,
    run: Option<String>,
}

/// Starts a query of conflicts; a condition follows.
pub(super) fn select() -> crate::store::Statement {
    crate::store::Statement::new(
        "SELECT id, dataset, key_values, column_name, kind, digest, state, base_value, voices, reason, assignee,
             note, created, choice, decided, decided_by, closed, closed_by, run FROM conflicts",
    )
}

impl Line {
    /// Reads the conflict.
    pub(super) fn read(self) -> Result<Stored> {
        Ok(Stored {
            key: key(&self.key_values)?,
            id: self.id,
            dataset: self.dataset,
            column: self.column_name,
            kind: from_word(self.kind)?,
            digest: self.digest,
            state: from_word(self.state)?,
            base: self.base_value.as_deref().map(parse).transpose()?,
            voices: parse(&self.voices)?,
            reason: self.reason,
            assignee: self.assignee,
            note: self.note,
            created: time(self.created)?,
            choice: self.choice.as_deref().map(parse).transpose()?,
            decided: self.decided.map(time).transpose()?,
            decided_by: self.decided_by,
            closed: self.closed.map(time).transpose()?,
            closed_by: self.closed_by,
            run: self.run,
        })
    }
}
