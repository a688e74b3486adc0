//! `lockstep://health` and `lockstep://health/{dataset}`: the health report, without measuring anything anew.

use futures_util::{FutureExt, future::BoxFuture};
use rmcp::model::{Resource, ResourceTemplate};
use serde_json::json;

use super::{Contents, Done, Shelf, decode, encode, json_text, link, template, tool};
use crate::tools::Context;

const ROOT: &str = "lockstep://health";

const ONE: &str = "lockstep://health/";

/// See [`Shelf`].
pub(super) struct Health;

impl Shelf for Health {
    fn template(&self) -> ResourceTemplate {
        let title = "A dataset's health: score, deductions and the calls that remove them";
        template("lockstep://health/{dataset}", "health", title, "application/json")
    }

    fn root(&self) -> Option<Resource> {
        let root = Resource::new(ROOT, "health")
            .with_title("The health of all datasets")
            .with_description("Scores, the worst first, from what was measured last")
            .with_mime_type("application/json");
        Some(root)
    }

    fn read<'a>(&'a self, context: &'a Context, uri: &'a str) -> BoxFuture<'a, Contents> {
        async move {
            let arguments = match uri.strip_prefix(ONE) {
                Some(name) => {
                    let name = decode(name);
                    if context.store.dataset(&name).await?.is_none() {
                        return Ok(None);
                    }
                    json!({"dataset": name, "measure": false, "detail": true})
                }
                None if uri == ROOT => json!({}),
                None => return Ok(None),
            };
            let report = tool(context, "healthReport", arguments).await?;
            Ok(Some(vec![json_text(uri, &report)?]))
        }
        .boxed()
    }

    fn links(&self, done: &Done<'_>) -> Vec<Resource> {
        if done.tool != "healthReport" {
            return Vec::new();
        }
        let (uri, name) = match done.dataset() {
            Some(name) => (format!("{ONE}{}", encode(name)), format!("health of {name}")),
            None => (ROOT.to_owned(), "health".to_owned()),
        };
        vec![link(uri, name, "application/json")]
    }

    fn changed(&self, done: &Done<'_>) -> Vec<String> {
        let counts = matches!(done.tool, "syncDataset" | "healthReport" | "verifyDataset");
        if counts { vec![ROOT.to_owned()] } else { Vec::new() }
    }
}
