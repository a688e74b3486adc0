//! The resources: what a result links to instead of carrying it, and what clients follow.
//!
//! Adding a kind: one file with a [`Shelf`], one line in [`shelves`]. What changes without a tool call (a watch, a
//! conflict that a background run opened) is told by its URI with [`Changes`](crate::changes::Changes), which every
//! [`Context`] has; what a tool call changes is said by [`Shelf::changed`]. Both kinds of subscription follow both.

use futures_util::future::BoxFuture;
use rmcp::{
    ErrorData,
    model::{
        JsonObject, ReadResourceResponse, ReadResourceResult, Resource, ResourceContents,
        ResourceTemplate,
    },
};
use serde_json::{Value, json};

use super::failed;
use crate::{
    error::{Error, Kind, Result},
    tools::{self, Context},
    uri::{decode, encode},
};

mod conflicts;
mod datasets;
mod health;
mod plans;
mod runs;
mod sheets;
mod tasks;
pub(super) mod views;
mod watches;

pub(super) use tasks::task_changed;

/// How many datasets a page of the list has.
const PAGE: u32 = 100;

/// What a resource says; `None` if there is no such resource.
type Contents = Result<Option<Vec<ResourceContents>>>;

/// A tool call that was carried out.
#[derive(Debug)]
pub(super) struct Done<'a> {
    pub(super) tool: &'a str,
    pub(super) arguments: &'a JsonObject,
    pub(super) result: &'a Value,
}

impl Done<'_> {
    /// Returns a text of the result.
    fn said(&self, name: &str) -> Option<&str> {
        self.result.get(name)?.as_str()
    }

    /// Returns the dataset that the call was about, if it was about one.
    fn dataset(&self) -> Option<&str> {
        let given = ["dataset", "name"].iter().find_map(|name| self.arguments.get(*name)?.as_str());
        given.or_else(|| self.said("dataset"))
    }

    /// Returns whether a list of the result has something in it.
    fn lists(&self, name: &str) -> bool {
        self.result.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty())
    }
}

/// One kind of resources.
trait Shelf: Sync {
    /// Returns how the URIs of this kind are made, with a title.
    fn template(&self) -> ResourceTemplate;

    /// Returns the resource of this kind that is always in the list, if there is one.
    fn root(&self) -> Option<Resource> {
        None
    }

    /// Returns whether single resources of this kind are in the list.
    fn lists(&self) -> bool {
        false
    }

    /// Reads a resource; `None` if it is of another kind, or does not exist.
    fn read<'a>(&'a self, context: &'a Context, uri: &'a str) -> BoxFuture<'a, Contents>;

    /// Returns the resources that carry what a result leaves out.
    fn links(&self, _done: &Done<'_>) -> Vec<Resource> {
        Vec::new()
    }

    /// Returns the URIs of the resources that say something else after a call.
    fn changed(&self, _done: &Done<'_>) -> Vec<String> {
        Vec::new()
    }
}

/// Returns every kind.
fn shelves() -> impl Iterator<Item = &'static dyn Shelf> {
    let all: [&'static dyn Shelf; 8] = [
        &plans::Plans,
        &runs::Runs,
        &datasets::Datasets,
        &conflicts::Conflicts,
        &sheets::Sheets,
        &tasks::Tasks,
        &watches::Watches,
        &health::Health,
    ];
    all.into_iter()
}

/// Returns the kinds of resources.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    shelves().map(Shelf::template).collect()
}

/// Returns the roots and the saved datasets after a cursor, and the next cursor.
///
/// # Errors
/// A store that cannot be read.
pub(super) async fn list(
    context: &Context,
    cursor: Option<&str>,
) -> Result<(Vec<Resource>, Option<String>)> {
    let names = datasets::after(context, cursor, PAGE).await?;
    let next = (names.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX))
        .then(|| names.last().cloned())
        .flatten();
    let roots = shelves().filter_map(Shelf::root).filter(|_| cursor.is_none());
    Ok((roots.chain(names.into_iter().map(datasets::resource)).collect(), next))
}

/// Returns the contents of a resource; `None` if there is no such resource.
///
/// # Errors
/// A store or a spreadsheet that cannot be read.
pub async fn read(context: &Context, uri: &str) -> Result<Option<Vec<ResourceContents>>> {
    for shelf in shelves() {
        if let Some(contents) = shelf.read(context, uri).await? {
            return Ok(Some(contents));
        }
    }
    Ok(None)
}

/// Answers `resources/read`.
pub(super) async fn answer(
    context: &Context,
    uri: &str,
) -> Result<ReadResourceResponse, ErrorData> {
    let why = match read(context, uri).await {
        Ok(Some(contents)) => return Ok(ReadResourceResult::new(contents).into()),
        Ok(None) => format!(
            "there is no {uri}: plans expire after 24 h, and datasets are listed by resources/list"
        ),
        // A plan id or a spreadsheet that is none.
        Err(error) if matches!(error.kind(), Kind::NotFound | Kind::InvalidArgument) => {
            error.to_string()
        }
        Err(error) => return Err(failed(&error)),
    };
    Err(ErrorData::resource_not_found(why, Some(json!({"uri": uri}))))
}

/// Returns links to what a result leaves out.
pub(super) fn links(done: &Done<'_>) -> Vec<Resource> {
    shelves().flat_map(|shelf| shelf.links(done)).collect()
}

fn link(uri: String, name: String, mime: &str) -> Resource {
    Resource::new(uri, name).with_mime_type(mime)
}

/// Tells those who follow resources what a call changed.
pub(super) fn tell(context: &Context, done: &Done<'_>) {
    for shelf in shelves() {
        for uri in shelf.changed(done) {
            match shelf.lists() {
                true => context.changes.listed(uri),
                false => context.changes.resource(uri),
            }
        }
    }
}

/// Returns what a tool says: a resource is another way to the same answer.
async fn tool(context: &Context, name: &str, arguments: Value) -> Result<Value> {
    let tool = tools::find(name);
    let (Some(tool), Value::Object(arguments)) = (tool, arguments) else {
        return Err(Error::internal(format!("there is no tool {name}")));
    };
    tool.call(context, arguments).await
}

/// Returns an address without the wish for a CSV that people open, and whether it had one.
fn for_people(uri: &str) -> (&str, bool) {
    match uri.strip_suffix("?forPeople") {
        Some(plain) => (plain, true),
        None => (uri, false),
    }
}

fn template(uri: &str, name: &str, title: &str, mime: &str) -> ResourceTemplate {
    ResourceTemplate::new(uri, name).with_title(title).with_description(title).with_mime_type(mime)
}

fn json_text(uri: &str, value: &Value) -> Result<ResourceContents> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|error| Error::internal("a resource has no JSON form").with_source(error))?;
    Ok(text(uri, "application/json", json))
}

fn text(uri: &str, mime_type: &str, text: String) -> ResourceContents {
    ResourceContents::TextResourceContents {
        uri: uri.to_owned(),
        mime_type: Some(mime_type.to_owned()),
        text,
        meta: None,
    }
}
