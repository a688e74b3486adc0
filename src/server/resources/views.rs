//! `ui://lockstep/…`: the views of MCP Apps, and what says that tools have them.

use rmcp::model::{ExtensionCapabilities, JsonObject, MetaObject, Resource, ResourceContents};
use serde_json::{Value, json};

use crate::web::apps::{MIME, VIEWS, html};

/// The name of the extension.
const EXTENSION: &str = "io.modelcontextprotocol/ui";

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

/// Returns what the server says of the extension.
pub(in crate::server) fn extension() -> ExtensionCapabilities {
    let said = object(json!({"mimeTypes": [MIME]}));
    ExtensionCapabilities::from_iter([(EXTENSION.to_owned(), said)])
}

/// Returns what a tool with a view says of it.
pub(in crate::server) fn of_tool(view: &str) -> MetaObject {
    MetaObject(object(json!({"ui": {"resourceUri": view}})))
}

/// Returns the views, for the list of resources.
pub(in crate::server) fn list() -> Vec<Resource> {
    let view = |(uri, name, about): (&str, &str, &str)| {
        Resource::new(uri, name).with_description(about).with_mime_type(MIME)
    };
    VIEWS.into_iter().map(view).collect()
}

/// Returns a view.
pub(in crate::server) fn read(uri: &str) -> Option<ResourceContents> {
    let meta = MetaObject(object(json!({"ui": {"prefersBorder": true}})));
    Some(ResourceContents::text(html(uri)?, uri).with_mime_type(MIME).with_meta(meta))
}
