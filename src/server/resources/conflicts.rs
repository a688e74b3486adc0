//! `lockstep://conflicts` and `lockstep://conflicts/{dataset}`: what waits for a decision.

use futures_util::{FutureExt, future::BoxFuture};
use rmcp::model::{Resource, ResourceTemplate};
use serde_json::json;

use super::{Contents, Done, Shelf, decode, encode, json_text, link, template, tool};
use crate::tools::Context;

const ROOT: &str = "lockstep://conflicts";

const ONE: &str = "lockstep://conflicts/";

/// How many conflicts are shown one by one.
const SHOWN: u32 = 50;

/// See [`Shelf`].
pub(super) struct Conflicts;

impl Shelf for Conflicts {
    fn template(&self) -> ResourceTemplate {
        let title = "What waits for a decision in a dataset: counted, and the oldest one by one";
        template("lockstep://conflicts/{dataset}", "conflicts", title, "application/json")
    }

    fn root(&self) -> Option<Resource> {
        let root = Resource::new(ROOT, "conflicts")
            .with_title("Open conflicts")
            .with_description("What waits for a decision, of all datasets")
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
                    json!({"dataset": name, "limit": SHOWN})
                }
                None if uri == ROOT => json!({"limit": SHOWN}),
                None => return Ok(None),
            };
            let listed = tool(context, "resolveConflicts", arguments).await?;
            Ok(Some(vec![json_text(uri, &listed)?]))
        }
        .boxed()
    }

    fn links(&self, done: &Done<'_>) -> Vec<Resource> {
        if !done.lists("conflicts") {
            return Vec::new();
        }
        let (uri, name) = match done.dataset() {
            Some(name) => (format!("{ONE}{}", encode(name)), format!("conflicts of {name}")),
            None => (ROOT.to_owned(), "all conflicts".to_owned()),
        };
        vec![link(uri, name, "application/json")]
    }

    fn changed(&self, done: &Done<'_>) -> Vec<String> {
        if !matches!(done.tool, "syncDataset" | "resolveConflicts" | "rollbackSync") {
            return Vec::new();
        }
        let own = done.dataset().map(|name| format!("{ONE}{}", encode(name)));
        std::iter::once(ROOT.to_owned()).chain(own).collect()
    }
}
