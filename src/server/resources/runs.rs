//! `lockstep://runs` and `lockstep://runs/{id}`: what was done.

use futures_util::{FutureExt, future::BoxFuture};
use rmcp::model::{Resource, ResourceTemplate};
use serde_json::json;

use super::{Contents, Done, Shelf, json_text, link, template, tool};
use crate::tools::Context;

const RUNS: &str = "lockstep://runs/";

/// The latest runs.
const ALL: &str = "lockstep://runs";

/// Runs of syncs, and what takes them back.
pub(super) struct Runs;

impl Shelf for Runs {
    fn template(&self) -> ResourceTemplate {
        let title = "What a run changed, cell by cell";
        template("lockstep://runs/{id}", "run", title, "application/json")
    }

    fn root(&self) -> Option<Resource> {
        let root = Resource::new(ALL, "runs")
            .with_title("The latest runs")
            .with_description("What was synced and taken back, newest first")
            .with_mime_type("application/json");
        Some(root)
    }

    fn read<'a>(&'a self, context: &'a Context, uri: &'a str) -> BoxFuture<'a, Contents> {
        async move {
            if uri == ALL {
                let runs = tool(context, "syncHistory", json!({})).await?;
                return Ok(Some(vec![json_text(uri, &runs)?]));
            }
            let Some(id) = uri.strip_prefix(RUNS) else { return Ok(None) };
            if context.store.run(id).await?.is_none() {
                return Ok(None);
            }
            let run = tool(context, "syncHistory", json!({"runId": id, "limit": 200})).await?;
            Ok(Some(vec![json_text(uri, &run)?]))
        }
        .boxed()
    }

    fn links(&self, done: &Done<'_>) -> Vec<Resource> {
        let run = |id| link(format!("{RUNS}{id}"), format!("run {id}"), "application/json");
        done.said("runId").map(run).into_iter().collect()
    }

    fn changed(&self, done: &Done<'_>) -> Vec<String> {
        match done.said("runId") {
            Some(run) => vec![format!("{RUNS}{run}"), ALL.to_owned()],
            None => Vec::new(),
        }
    }
}
