//! `lockstep://watches/{dataset}`: how the watch of a dataset goes; told whenever something happens to it.

use futures_util::{FutureExt, future::BoxFuture};
use rmcp::model::{Resource, ResourceTemplate};
use serde_json::json;

use super::{Contents, Done, Shelf, decode, json_text, link, template, tool};
use crate::{
    tools::Context,
    watch::{self, URI},
};

/// Watched datasets.
pub(super) struct Watches;

impl Shelf for Watches {
    fn template(&self) -> ResourceTemplate {
        let title = "How the watch of a dataset goes: queue, lag, dead letters";
        template("lockstep://watches/{dataset}", "watch", title, "application/json")
    }

    fn read<'a>(&'a self, context: &'a Context, uri: &'a str) -> BoxFuture<'a, Contents> {
        async move {
            let Some(name) = uri.strip_prefix(URI) else { return Ok(None) };
            let dataset = decode(name);
            if context.store.watch(&dataset).await?.is_none() {
                return Ok(None);
            }
            let watch = tool(context, "watchDataset", json!({"dataset": dataset})).await?;
            Ok(Some(vec![json_text(uri, &watch)?]))
        }
        .boxed()
    }

    fn links(&self, done: &Done<'_>) -> Vec<Resource> {
        let named = done.dataset().filter(|_| done.lists("watches"));
        let watch =
            |name: &str| link(watch::uri(name), format!("watch of {name}"), "application/json");
        named.map(watch).into_iter().collect()
    }

    fn changed(&self, done: &Done<'_>) -> Vec<String> {
        let own = done.tool == "watchDataset";
        done.said("dataset").filter(|_| own).map(watch::uri).into_iter().collect()
    }
}
