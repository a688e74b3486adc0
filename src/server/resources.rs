//! The resources: what a result links to instead of carrying it.

use rmcp::model::{Resource, ResourceContents, ResourceTemplate};
use serde_json::Value;

use crate::{
    error::{Error, Result},
    store::PlanLookup,
    sync::render,
    tools::Context,
};

const PLANS: &str = "lockstep://plans/";
const DATASETS: &str = "lockstep://datasets/";

/// How many datasets a page of the list has.
const PAGE: u32 = 100;

/// Returns the kinds of resources.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new(format!("{PLANS}{{id}}"), "plan")
            .with_title("A plan: a page to read, and a CSV with every change")
            .with_mime_type("text/markdown"),
        ResourceTemplate::new(format!("{DATASETS}{{name}}"), "dataset")
            .with_title("A dataset's definition")
            .with_mime_type("application/json"),
    ]
}

/// Returns the saved datasets after a cursor, and the next cursor.
///
/// # Errors
/// A store that cannot be read.
pub(super) async fn list(
    context: &Context,
    cursor: Option<&str>,
) -> Result<(Vec<Resource>, Option<String>)> {
    let datasets = context.store.datasets(cursor, PAGE).await?;
    let next = (datasets.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX))
        .then(|| datasets.last().map(|dataset| dataset.name.clone()))
        .flatten();
    let resources = datasets
        .into_iter()
        .map(|dataset| {
            Resource::new(format!("{DATASETS}{}", encode(&dataset.name)), dataset.name)
                .with_mime_type("application/json")
        })
        .collect();
    Ok((resources, next))
}

/// Returns the contents of a resource; `None` if there is no such resource.
///
/// # Errors
/// A store that cannot be read.
pub async fn read(context: &Context, uri: &str) -> Result<Option<Vec<ResourceContents>>> {
    if let Some(id) = uri.strip_prefix(PLANS) {
        let (id, csv_only) = match id.strip_suffix(".csv") {
            Some(id) => (id, true),
            None => (id, false),
        };
        let PlanLookup::Found(stored) = context.store.plan(id, context.clock.now()).await? else {
            return Ok(None);
        };
        let csv = text(format!("{PLANS}{id}.csv"), "text/csv", render::csv(&stored.plan)?);
        if csv_only {
            return Ok(Some(vec![csv]));
        }
        let page = text(uri.to_owned(), "text/markdown", render::markdown(&stored.plan));
        return Ok(Some(vec![page, csv]));
    }
    if let Some(name) = uri.strip_prefix(DATASETS) {
        let Some(dataset) = context.store.dataset(&decode(name)).await? else { return Ok(None) };
        let shown: Value = serde_json::json!({
            "name": dataset.name,
            "version": dataset.version,
            "baseVersion": dataset.base_version,
            "updated": dataset.updated.to_string(),
            "definition": dataset.definition,
        });
        let json = serde_json::to_string_pretty(&shown)
            .map_err(|error| Error::internal("a dataset has no JSON form").with_source(error))?;
        return Ok(Some(vec![text(uri.to_owned(), "application/json", json)]));
    }
    Ok(None)
}

fn text(uri: String, mime_type: &str, text: String) -> ResourceContents {
    ResourceContents::TextResourceContents {
        uri,
        mime_type: Some(mime_type.to_owned()),
        text,
        meta: None,
    }
}

/// Returns a name as it stands in a URI.
fn encode(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn decode(name: &str) -> String {
    percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned()
}
