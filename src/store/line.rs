//! What a line of the audit says, and what of it can be erased again.

use jiff::Timestamp;
use lockstep_engine::key::Key;
use lockstep_engine::value::{Row, Value};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::audit::{LineRow, Remark, Word};
use super::codec::{bytes, json as text, key_digest, micros, word as spelled};
use super::journal::Action;
use super::runs::RunRow;
use super::verify::{self, Chained};
use crate::error::{Error, Result};

/// What all lines of a run have in common.
pub(super) struct Frame<'a> {
    /// The run.
    pub(super) run: &'a RunRow,
    /// The dataset.
    pub(super) dataset: &'a str,
    /// When it was closed.
    pub(super) at: Timestamp,
    /// The names of its columns.
    pub(super) columns: &'a [String],
    /// The columns whose values are not shown.
    pub(super) sensitive: &'a [usize],
}

impl Frame<'_> {
    /// Makes the line of one write, given the hash of the line before.
    pub(super) fn line(
        &self,
        seq: i64,
        side: String,
        action: &Action,
        before: &[u8],
    ) -> Result<LineRow> {
        let salt = Uuid::new_v4().as_bytes().to_vec();
        let key_index = key_digest(&action.key);
        let payload = text(&self.payload(action, &salt)?)?;
        let names: Vec<&String> =
            action.cells.iter().filter_map(|cell| self.columns.get(*cell)).collect();
        let image =
            |row: &Option<Row>| row.as_deref().map(|row| verify::salted(&salt, &[&bytes(row)]));
        let chained = Chained {
            seq,
            at: micros(self.at),
            caller: self.run.caller.clone(),
            run: self.run.id.clone(),
            dataset: self.dataset.to_owned(),
            side,
            kind: spelled(&action.kind)?,
            columns: text(&names)?,
            key_digest: verify::salted(&salt, &[&bytes(action.key.as_values())]),
            before_digest: image(&action.before),
            after_digest: image(&action.after),
            payload_digest: verify::salted(&salt, &[&key_index, payload.as_bytes()]),
        };
        Ok(LineRow {
            hash: chained.hash(before),
            chained,
            key_index: Some(key_index),
            salt: Some(salt),
            payload: Some(payload),
        })
    }

    /// Shows the key, and the cells that were written (of rows that came or went: those that are not null).
    fn payload(&self, action: &Action, salt: &[u8]) -> Result<Json> {
        let show = |row: &Option<Row>| -> Result<Json> {
            let Some(row) = row else { return Ok(Json::Null) };
            let mut shown = Map::new();
            for (column, (name, value)) in self.columns.iter().zip(row.iter()).enumerate() {
                let whole = !matches!((&action.before, &action.after), (Some(_), Some(_)));
                if if whole { !value.is_null() } else { action.cells.contains(&column) } {
                    let hidden = self.sensitive.contains(&column);
                    shown.insert(name.clone(), show_value(value, hidden, salt)?);
                }
            }
            Ok(Json::Object(shown))
        };
        let key: Result<Vec<Json>> = action
            .key
            .as_values()
            .iter()
            .map(|part| show_value(part, self.is_sensitive(part, action), salt))
            .collect();
        Ok(json!({ "key": key?, "before": show(&action.before)?, "after": show(&action.after)? }))
    }

    /// Returns whether a part of the key is the value of a sensitive column, whatever was done to its letter case.
    fn is_sensitive(&self, part: &Value, action: &Action) -> bool {
        let folded = |value: &Value| Key::normalised([value.clone()], true);
        let rows = [&action.before, &action.after].into_iter().flatten();
        let mut cells = rows.flat_map(|row| self.sensitive.iter().filter_map(|at| row.get(*at)));
        !self.sensitive.is_empty() && cells.any(|cell| folded(cell) == folded(part))
    }
}

/// Makes the line of a person's word on a conflict, given the hash of the line before.
pub(super) fn word(
    seq: i64,
    caller: &str,
    dataset: &str,
    at: Timestamp,
    remark: &Remark,
    before: &[u8],
) -> Result<LineRow> {
    let salt = Uuid::new_v4().as_bytes().to_vec();
    let key_index = key_digest(&remark.key);
    let Remark { key, columns, before: was, after, about, hidden } = remark;
    let digest =
        |said: &Json| Ok::<_, Error>(Some(verify::salted(&salt, &[text(said)?.as_bytes()])));
    let show = |said: &Json| match digest(said)?.filter(|_| *hidden) {
        Some(digest) => Ok::<_, Error>(json!({ "digest": verify::hex(&digest) })),
        None => Ok(said.clone()),
    };
    let parts: Result<Vec<Json>> =
        key.as_values().iter().map(|part| show_value(part, *hidden, &salt)).collect();
    let payload = text(
        &json!({ "key": parts?, "conflict": about, "before": show(was)?, "after": show(after)? }),
    )?;
    let chained = Chained {
        seq,
        at: micros(at),
        caller: caller.to_owned(),
        run: String::new(),
        dataset: dataset.to_owned(),
        side: String::new(),
        kind: spelled(&Word::Decide)?,
        columns: text(columns)?,
        key_digest: verify::salted(&salt, &[&bytes(key.as_values())]),
        before_digest: digest(was)?,
        after_digest: digest(after)?,
        payload_digest: verify::salted(&salt, &[&key_index, payload.as_bytes()]),
    };
    Ok(LineRow {
        hash: chained.hash(before),
        chained,
        key_index: Some(key_index),
        salt: Some(salt),
        payload: Some(payload),
    })
}

fn show_value(value: &Value, hidden: bool, salt: &[u8]) -> Result<Json> {
    if hidden {
        let digest = verify::salted(salt, &[&bytes(std::slice::from_ref(value))]);
        return Ok(json!({ "digest": verify::hex(&digest) }));
    }
    serde_json::to_value(value)
        .map_err(|error| Error::internal("a value has no JSON form").with_source(error))
}
