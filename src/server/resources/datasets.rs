//! `lockstep://datasets/{name}`: what is kept in step, and how.

use futures_util::{FutureExt, future::BoxFuture};
use rmcp::model::{Resource, ResourceTemplate};
use serde_json::json;

use super::{Contents, Done, Shelf, decode, encode, json_text, template};
use crate::{error::Result, tools::Context};

const DATASETS: &str = "lockstep://datasets/";

/// Saved datasets.
pub(super) struct Datasets;

impl Shelf for Datasets {
    fn template(&self) -> ResourceTemplate {
        let title = "A dataset's definition";
        template("lockstep://datasets/{name}", "dataset", title, "application/json")
    }

    fn lists(&self) -> bool {
        true
    }

    fn read<'a>(&'a self, context: &'a Context, uri: &'a str) -> BoxFuture<'a, Contents> {
        async move {
            let Some(name) = uri.strip_prefix(DATASETS) else { return Ok(None) };
            let Some(dataset) = context.store.dataset(&decode(name)).await? else {
                return Ok(None);
            };
            let shown = json!({
                "name": dataset.name,
                "version": dataset.version,
                "baseVersion": dataset.base_version,
                "updated": dataset.updated.to_string(),
                "definition": dataset.definition,
            });
            Ok(Some(vec![json_text(uri, &shown)?]))
        }
        .boxed()
    }

    fn changed(&self, done: &Done<'_>) -> Vec<String> {
        done.said("dataset").map(uri).into_iter().collect()
    }
}

fn uri(name: &str) -> String {
    format!("{DATASETS}{}", encode(name))
}

/// Returns the names after a name, in order.
///
/// # Errors
/// A store that cannot be read.
pub(super) async fn after(
    context: &Context,
    name: Option<&str>,
    limit: u32,
) -> Result<Vec<String>> {
    let found = context.store.datasets(name, limit).await?;
    Ok(found.into_iter().map(|dataset| dataset.name).collect())
}

/// Returns a dataset as it stands in the list.
pub(super) fn resource(name: String) -> Resource {
    Resource::new(uri(&name), name)
        .with_description("A dataset's definition")
        .with_mime_type("application/json")
}
