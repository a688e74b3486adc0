//! `files.copy`.

use serde_json::Value;

use super::create::{make, parents_of};
use super::error::error;
use super::file::{FOLDER, File, SPREADSHEET};
use super::media::Upload;
use super::table::{self, Event};
use super::update::apply_metadata;
use super::{Context, Reply};
use crate::book;
use crate::http::ApiError;

/// Copies a file; a text file copied to a spreadsheet's type is converted.
pub(super) fn copy(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let id = ids.first().map_or("", String::as_str);
    let source = table::get(context.session.sql(), id)?;
    if source.mime_type == FOLDER {
        return Err(error(403, "cannotCopyFile", "This file cannot be copied by the user."));
    }
    let mut metadata = context.body()?;
    // A null name, which gspread sends, counts as none.
    if metadata.get("name").and_then(Value::as_str).is_none() {
        metadata.insert("name".to_owned(), format!("Copy of {}", source.name).into());
    }
    let wanted =
        metadata.get("mimeType").and_then(Value::as_str).unwrap_or(&source.mime_type).to_owned();
    if wanted != source.mime_type {
        if source.is_native() {
            return Err(error(400, "badRequest", "The requested conversion is not supported."));
        }
        let data = table::content(context.session.sql(), &source.id)?;
        let upload = Upload { metadata: metadata.clone(), mime: source.mime_type, data };
        let file = make(context, &metadata, Some(&upload))?;
        return context.show(&file);
    }
    let mut copy = File {
        id: book::new_id(),
        created: context.now,
        modified: context.now,
        viewed: None,
        version: 1,
        trashed: false,
        trashed_by_folder: false,
        trashed_at: None,
        starred: false,
        permissions: Vec::new(),
        ..source.clone()
    };
    if let Some(parents) = metadata.get("parents").and_then(Value::as_array) {
        copy.parents = parents_of(context, parents)?;
    }
    apply_metadata(&mut copy, &metadata)?;
    table::put(context.session.sql(), &copy, Event::Add, "", context.now)?;
    if source.mime_type == SPREADSHEET {
        let original = context.session.book(&source.id)?;
        let mut book = book::copy(context.session, &original, &copy.id)?;
        book.set_title(&copy.name);
        context.session.save(book)?;
        copy = table::get(context.session.sql(), &copy.id)?;
    } else {
        let data = table::content(context.session.sql(), &source.id)?;
        table::put_content(context.session.sql(), &copy.id, &data)?;
    }
    context.show(&copy)
}
