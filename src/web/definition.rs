//! What a dataset is: its sides, its key, its policy.

use maud::{Markup, html};

use super::{Viewer, frame::encode};
use crate::{replica::Source, sync::definition::Definition};

/// Returns the facts of a definition.
pub(super) fn facts(viewer: &Viewer, definition: &Definition) -> Markup {
    html! {
        dl.facts {
            @for (member, source) in definition.members() {
                dt { (member) } dd { (place(viewer, source)) }
            }
            dt { "key" } dd { (definition.key.join(", ")) }
            @if let Some(columns) = &definition.columns {
                dt { "columns" } dd { (columns.len()) }
            }
            @if !definition.expectations.is_empty() {
                dt { "expectations" } dd { (definition.expectations.len()) }
            }
        }
    }
}

fn place(viewer: &Viewer, source: &Source) -> Markup {
    html! { @match source {
        Source::File(file) => { "file " code { (file.path) }
            @if let Some(connection) = &file.connection { " in " (connection) } }
        Source::Sheet { spreadsheet, sheet, .. } => {
            "sheet " @if let Some(sheet) = sheet { "\"" (sheet) "\" of " }
            @match lockstep_google::parse_id(spreadsheet) {
                Ok(id) if viewer.sheets => a href={ "/sheets/" (encode(&id)) } { code { (id) } },
                _ => code { (spreadsheet) },
            }
        }
        Source::Table { connection, table, .. } => {
            @match table { Some(table) => { "table " code { (table) } } None => "query" } " of " (connection)
        }
        Source::Api { connection, resource } => { (resource) " of the API " (connection) }
        Source::Records { .. } => "rows that come with each call",
    } }
}
