//! `lockstep://tasks` and `lockstep://tasks/{id}`: what the caller's calls that go on without their requests do.

use futures_util::{FutureExt, future::BoxFuture};
use rmcp::model::{Resource, ResourceTemplate};
use serde_json::{Value, json};

use super::{Contents, Shelf, json_text, template};
use crate::{
    changes::Changes, error::Error, principal::Principal, server::tasks::wire, store::Task,
    tools::Context,
};

const TASKS: &str = "lockstep://tasks/";

/// The caller's tasks.
const ALL: &str = "lockstep://tasks";

/// How many tasks the list shows.
const SHOWN: u32 = 100;

/// Tasks; everybody sees their own alone.
pub(super) struct Tasks;

impl Shelf for Tasks {
    fn template(&self) -> ResourceTemplate {
        let title = "A sync that goes on by itself: how far it is, and what came of it";
        template("lockstep://tasks/{id}", "task", title, "application/json")
    }

    fn root(&self) -> Option<Resource> {
        let root = Resource::new(ALL, "tasks")
            .with_title("Your tasks")
            .with_description("Syncs that go on by themselves, newest first")
            .with_mime_type("application/json");
        Some(root)
    }

    fn read<'a>(&'a self, context: &'a Context, uri: &'a str) -> BoxFuture<'a, Contents> {
        async move {
            let subject = match &context.subject {
                Some(subject) => subject.to_string(),
                None => Principal::local().subject,
            };
            if uri == ALL {
                let tasks = context.store.tasks_of(&subject, SHOWN).await?;
                let shown = tasks.iter().map(line).collect::<Result<Vec<_>, _>>()?;
                return Ok(Some(vec![json_text(uri, &json!({"tasks": shown}))?]));
            }
            let Some(id) = uri.strip_prefix(TASKS) else { return Ok(None) };
            let found = context.store.task(id).await?.filter(|task| task.subject == subject);
            let Some(task) = found else { return Ok(None) };
            let shown = serde_json::to_value(wire::detailed(&task)).map_err(broken)?;
            Ok(Some(vec![json_text(uri, &shown)?]))
        }
        .boxed()
    }
}

fn broken(error: serde_json::Error) -> Error {
    Error::internal("a task has no JSON form").with_source(error)
}

fn line(task: &Task) -> Result<Value, Error> {
    let mut line = serde_json::to_value(wire::task(task)).map_err(broken)?;
    if let Some(line) = line.as_object_mut() {
        line.insert("tool".to_owned(), json!(task.tool));
    }
    Ok(line)
}

/// Tells those who follow a task that it changed.
pub(in crate::server) fn task_changed(changes: &Changes, id: &str) {
    changes.resource(format!("{TASKS}{id}"));
    changes.resource(ALL);
}
