//! All that the store holds on one record: what `forget` would erase, to be read first.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lockstep_engine::{
    key::Key,
    schema::Schema,
    value::{Row, Value},
};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::{history::key_of, saved};
use crate::{
    error::{Error, Result},
    store::{Event, PlanLookup, Store, Words, base_name, conflicts::Filter},
};

/// How many writes, conflicts and calls are read: all.
const ALL: u32 = u32::MAX;

/// What is held on a record, by kind; kinds of which nothing is held are left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Held {
    dataset: String,
    key: Vec<String>,
    held: BTreeMap<&'static str, Vec<Json>>,
}

/// Collects what is held on the record that the parts of its key name; sensitive columns are shown as they are held.
///
/// # Errors
/// A dataset without runs, a key of another length, and a store that cannot be read.
pub(crate) async fn held(store: &Store, dataset: &str, parts: &[String]) -> Result<Held> {
    let key = key_of(store, dataset, parts).await?;
    let schema = saved::schema(store, dataset).await?.unwrap_or_default();
    let mut rows = Vec::new();
    let mut look = Look { store, dataset, key: &key, schema, words: Words::of(&key, []) };
    let mut held = BTreeMap::from([
        ("bases", look.bases(&mut rows).await?),
        ("changes", look.changes(&mut rows).await?),
        ("deleted", look.tombstone(&mut rows).await?),
    ]);
    look.words = Words::of(&key, &rows);
    held.extend([
        ("plans", look.plans().await?),
        ("conflicts", look.conflicts().await?),
        ("rowsInConflict", look.conflict_rows().await?),
        ("timesSeen", look.times().await?),
        ("lastSeen", look.seen().await?),
        ("hookCalls", look.calls(parts).await?),
        ("messages", look.messages().await?),
        ("notices", look.notices().await?),
        ("tasks", look.tasks().await?),
        ("audit", look.audit().await?),
    ]);
    let (queue, letters) = store.queue_of(dataset).await?;
    held.insert("queue", look.events(&queue));
    held.insert("deadLetters", look.events(&letters));
    held.retain(|_, all| !all.is_empty());
    Ok(Held { dataset: dataset.to_owned(), key: parts.to_vec(), held })
}

struct Look<'a> {
    store: &'a Store,
    dataset: &'a str,
    key: &'a Key,
    schema: Schema,
    /// By which messages are known to quote the record, as `forget` judges it.
    words: Words,
}

impl Look<'_> {
    /// Returns whether a row is the record's.
    fn is(&self, columns: &[String], row: &Row) -> bool {
        let names = self.schema.key.iter().filter_map(|at| self.schema.columns.get(*at));
        let values = names.map(|column| {
            let at = columns.iter().position(|name| *name == column.name)?;
            row.get(at).cloned()
        });
        let values: Option<Vec<Value>> = values.collect();
        values.is_some_and(|own| Key::normalised(own, self.schema.fold_key_case) == *self.key)
    }

    async fn bases(&self, rows: &mut Vec<Row>) -> Result<Vec<Json>> {
        let mut found = Vec::new();
        for (name, version) in self.store.base_versions(self.dataset).await? {
            let Some(base) = self.store.base_at(&name, version).await? else { continue };
            let spoke = name.strip_prefix(&base_name(self.dataset, "")).unwrap_or(&name);
            let spoke = spoke.trim_start_matches(|sign: char| sign.is_control());
            for row in base.rows.iter().filter(|row| self.is(&base.columns, row)) {
                rows.push(row.clone());
                found.push(
                    json!({"spoke": spoke, "version": version, "row": named(&base.columns, row)?}),
                );
            }
        }
        Ok(found)
    }

    async fn changes(&self, rows: &mut Vec<Row>) -> Result<Vec<Json>> {
        let life = self.store.life(self.dataset, self.key, ALL).await?;
        let images = life.iter().flat_map(|one| [&one.action.before, &one.action.after]);
        rows.extend(images.flatten().cloned());
        life.iter()
            .map(|one| {
                let row = |row: &Option<Row>| -> Result<Json> {
                    row.as_ref().map_or(Ok(Json::Null), |row| named(&one.columns, row))
                };
                let left_out = one.action.left_out.as_ref().map(|left| left.why.clone());
                Ok(json!({"runId": one.run, "at": one.at, "side": one.side, "kind": one.action.kind,
                    "before": row(&one.action.before)?, "after": row(&one.action.after)?, "leftOut": left_out}))
            })
            .collect()
    }

    /// Returns the parts of plans that name the key; of a plan that quotes rows without naming them its findings.
    async fn plans(&self) -> Result<Vec<Json>> {
        let sought = text(self.key)?;
        let mut found = Vec::new();
        for id in self.store.plans_of(self.dataset).await? {
            // As of old: what expired is there until it is swept.
            let PlanLookup::Found(stored) = self.store.plan(&id, Timestamp::UNIX_EPOCH).await?
            else {
                continue;
            };
            let body = stored.plan.body();
            let changes = body.result.members.iter().flat_map(|member| {
                let own = member.changes.iter().filter(|change| change.key == *self.key);
                own.map(|change| json!({"side": member.name, "change": change}))
            });
            let changes: Vec<Json> = changes.collect();
            let conflicts = body.result.conflicts.iter().map(|one| json!(one));
            let conflicts: Vec<Json> =
                conflicts.filter(|one| one.to_string().contains(&sought)).collect();
            let quoted: Vec<String> = body
                .findings
                .iter()
                .map(ToString::to_string)
                .filter(|words| self.words.quoted_in(words))
                .collect();
            if text(body)?.contains(&sought) || !quoted.is_empty() {
                found.push(json!({"planId": id, "changes": changes, "conflicts": conflicts, "findings": quoted}));
            }
        }
        Ok(found)
    }

    async fn conflicts(&self) -> Result<Vec<Json>> {
        let filter = Filter { dataset: Some(self.dataset.to_owned()), ..Filter::default() };
        let page = self.store.conflicts(&filter, 0, ALL).await?;
        let own = page.conflicts.iter().filter(|one| one.key == *self.key);
        Ok(own
            .map(|one| {
                json!({"id": one.id, "column": one.column, "kind": one.kind, "state": one.state, "base": one.base,
                    "values": one.voices, "reason": one.reason, "assignee": one.assignee, "note": one.note,
                    "created": one.created, "decision": one.choice, "decided": one.decided,
                    "decidedBy": one.decided_by, "closed": one.closed, "closedBy": one.closed_by, "runId": one.run})
            })
            .collect())
    }

    async fn conflict_rows(&self) -> Result<Vec<Json>> {
        let Some(rows) = self.store.rows_of_conflict(self.dataset, self.key).await? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for (member, row) in &rows.members {
            let row = row.as_ref().map(|row| named(&rows.columns, row)).transpose()?;
            found.push(json!({"side": member, "row": row}));
        }
        for (member, row) in &rows.bases {
            found.push(json!({"agreedWith": member, "row": named(&rows.columns, row)?}));
        }
        Ok(found)
    }

    async fn times(&self) -> Result<Vec<Json>> {
        let all = self.store.cell_times(self.dataset).await?;
        let own = all.iter().filter(|one| one.key == *self.key);
        Ok(own.map(|one| json!({"side": one.member, "column": one.column, "at": one.at})).collect())
    }

    async fn seen(&self) -> Result<Vec<Json>> {
        let all = self.store.seen(self.dataset).await?;
        let own = all.iter().filter_map(|(member, seen)| Some((member, seen.apart.get(self.key)?)));
        Ok(own.map(|(member, row)| json!({"side": member, "row": row})).collect())
    }

    async fn tombstone(&self, rows: &mut Vec<Row>) -> Result<Vec<Json>> {
        let mut found = Vec::new();
        for (name, _) in self.store.base_versions(self.dataset).await? {
            if let Some(one) = self.store.any_tombstone(&name, self.key).await? {
                let row = one.row.as_ref().map(|row| named(&one.columns, row)).transpose()?;
                rows.extend(one.row.clone());
                let one = json!({"runId": one.run, "at": one.at, "row": row});
                if !found.contains(&one) {
                    found.push(one);
                }
            }
        }
        Ok(found)
    }

    async fn calls(&self, parts: &[String]) -> Result<Vec<Json>> {
        let calls = self.store.calls(self.dataset).await?;
        let own = calls.iter().filter(|call| call.keys.iter().any(|key| key == parts));
        Ok(own.map(|call| json!({"number": call.number, "key": parts})).collect())
    }

    async fn messages(&self) -> Result<Vec<Json>> {
        let all = self.store.messages_of(self.dataset).await?;
        let own = all.iter().filter(|(_, words)| self.words.quoted_in(words));
        Ok(own.map(|(run, words)| json!({"runId": run, "message": words})).collect())
    }

    async fn notices(&self) -> Result<Vec<Json>> {
        let all = self.store.notices_of(self.dataset).await?;
        let own = all.iter().filter(|(_, words)| self.words.quoted_in(words));
        Ok(own.map(|(of, words)| json!({"of": of, "message": words})).collect())
    }

    async fn tasks(&self) -> Result<Vec<Json>> {
        let said = |task: &crate::store::Task| {
            let parts =
                [&task.question, &task.answer, &task.outcome].map(|part| json!(part).to_string());
            format!("{} {}", task.message.clone().unwrap_or_default(), parts.join(" "))
        };
        let all = self.store.all_tasks().await?;
        let own = all.iter().filter(|task| self.words.quoted_in(&said(task)));
        Ok(own
            .map(|task| {
                json!({"id": task.id, "tool": task.tool, "created": task.created, "message": task.message,
                    "question": task.question, "answer": task.answer, "outcome": task.outcome})
            })
            .collect())
    }

    async fn audit(&self) -> Result<Vec<Json>> {
        let lines = self.store.audit_of(self.dataset, self.key).await?;
        Ok(lines
            .iter()
            .map(|line| {
                json!({"seq": line.seq, "at": line.at, "caller": line.caller, "runId": line.run, "side": line.side,
                    "kind": line.kind, "columns": line.columns, "content": line.payload, "hash": line.hash})
            })
            .collect())
    }

    fn events(&self, all: &[Event]) -> Vec<Json> {
        let own = all.iter().filter(|event| event.work.key == *self.key);
        own.map(|event| {
            json!({"side": event.work.member, "kind": event.work.kind, "columns": event.work.columns,
                "detected": event.detected, "attempts": event.attempts, "story": event.story})
        })
        .collect()
    }
}

/// Returns a row by its columns' names.
fn named(columns: &[String], row: &Row) -> Result<Json> {
    let cells = columns.iter().zip(row.iter());
    let cells =
        cells.map(|(name, value)| Ok((name.clone(), serde_json::to_value(value).map_err(broken)?)));
    Ok(Json::Object(cells.collect::<Result<Map<_, _>>>()?))
}

fn text(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(broken)
}

fn broken(error: serde_json::Error) -> Error {
    Error::internal("what is held has no JSON form").with_source(error)
}
