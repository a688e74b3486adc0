//! Tasks as the protocol shows them.

use rmcp::model::{
    self, DetailedTask, ElicitResult, InputRequest, InputRequests, JsonObject, TaskPayload,
    TaskStatus,
};
use serde_json::Value;

use crate::{
    server::asking::{self, Word},
    store::{Task, TaskState},
};

/// How often a client should ask, in milliseconds.
const POLL: u64 = 1_000;

/// Returns what every answer says of a task.
pub(in crate::server) fn task(task: &Task) -> model::Task {
    let status = match task.state {
        TaskState::Working => TaskStatus::Working,
        TaskState::InputRequired => TaskStatus::InputRequired,
        TaskState::Completed => TaskStatus::Completed,
        TaskState::Failed => TaskStatus::Failed,
        TaskState::Cancelled => TaskStatus::Cancelled,
    };
    let ttl = task.expires.duration_since(task.created).as_millis();
    let mut shown =
        model::Task::new(&*task.id, status, task.created.to_string(), task.updated.to_string())
            .with_ttl_ms(u64::try_from(ttl).unwrap_or(0))
            .with_poll_interval_ms(POLL);
    shown.status_message.clone_from(&task.message);
    shown
}

/// Returns all that a client may know of a task.
pub(in crate::server) fn detailed(row: &Task) -> DetailedTask {
    let object = || match &row.outcome {
        Some(Value::Object(outcome)) => outcome.clone(),
        _ => JsonObject::new(),
    };
    let payload = match row.state {
        TaskState::Working => TaskPayload::Working,
        TaskState::InputRequired => match row.question.as_ref().and_then(requests) {
            Some(input_requests) => TaskPayload::InputRequired { input_requests },
            None => TaskPayload::Working,
        },
        TaskState::Completed => TaskPayload::Completed { result: object() },
        TaskState::Failed => TaskPayload::Failed { error: object() },
        TaskState::Cancelled => TaskPayload::Cancelled,
    };
    DetailedTask::new(task(row), payload)
}

/// Returns the name of a stored question: no two of a task have the same.
pub(super) fn key(question: &Value) -> Option<&str> {
    question.get("key")?.as_str()
}

fn requests(question: &Value) -> Option<InputRequests> {
    let request = serde_json::from_value::<InputRequest>(question.get("request")?.clone()).ok()?;
    Some([(key(question)?.to_owned(), request)].into())
}

/// Returns what the person said; `None` if it is no answer to a form.
pub(super) fn word(about: &str, result: &Value) -> Option<Word> {
    let result = serde_json::from_value::<ElicitResult>(result.clone()).ok()?;
    Some(asking::word(about, &result))
}
