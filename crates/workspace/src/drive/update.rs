//! `files.update`: metadata, place, trash, and new content.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::create::folder;
use super::error::{error, invalid_value};
use super::file::{File, SPREADSHEET};
use super::media::{read_upload, set_content};
use super::table::{self, Event, ROOT};
use super::{Context, Reply, import};
use crate::http::ApiError;

/// Changes metadata.
pub(super) fn update(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let metadata = context.body()?;
    let file = change(context, first(ids), &metadata)?;
    context.show(&file)
}

/// Replaces the content, and changes metadata that came with it.
pub(super) fn upload(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let upload = read_upload(context.call)?;
    let id = first(ids);
    let mut file = change(context, id, &upload.metadata)?;
    replace(context, &mut file, &upload.mime, &upload.data)?;
    context.show(&file)
}

/// Replaces the content of a file; that of a spreadsheet is converted.
pub(super) fn replace(
    context: &mut Context<'_, '_>,
    file: &mut File,
    mime: &str,
    data: &[u8],
) -> Result<(), ApiError> {
    if file.mime_type == SPREADSHEET {
        let book = import::book(context, &file.id, &file.name, mime, data)?;
        context.session.save(book)?;
    } else if file.is_native() {
        return Err(error(
            403,
            "fileNotDownloadable",
            "This file has no content that could be replaced.",
        ));
    } else {
        set_content(context, file, data)?;
        file.modified = context.now;
        file.version += 1;
        table::put(context.session.sql(), file, Event::Update, "content", context.now)?;
    }
    *file = table::get(context.session.sql(), &file.id)?;
    Ok(())
}

fn first(ids: &[String]) -> &str {
    ids.first().map_or("", String::as_str)
}

pub(super) fn change(
    context: &mut Context<'_, '_>,
    id: &str,
    metadata: &Map<String, Value>,
) -> Result<File, ApiError> {
    let mut file = table::get(context.session.sql(), id)?;
    if file.id == ROOT {
        return Err(error(
            403,
            "insufficientFilePermissions",
            "The user does not have sufficient permissions for this file.",
        ));
    }
    if metadata.contains_key("parents") {
        return Err(error(
            403,
            "fieldNotWritable",
            "The parents field is not directly writable in update requests. Use the addParents and removeParents parameters instead.",
        ));
    }
    let before = file.clone();
    apply_metadata(&mut file, metadata)?;
    move_parents(context, &mut file)?;
    let event = match metadata.get("trashed").and_then(Value::as_bool) {
        Some(true) if !before.trashed || before.trashed_by_folder => {
            (file.trashed, file.trashed_by_folder) = (true, false);
            file.trashed_at = Some(context.now);
            Event::Trash
        }
        Some(false) if before.trashed && !before.trashed_by_folder => {
            file.trashed = false;
            file.trashed_at = None;
            Event::Untrash
        }
        _ => Event::Update,
    };
    if file == before {
        return Ok(file);
    }
    let mut changed = Vec::new();
    let renamed = file.name != before.name;
    if renamed || file.description != before.description {
        if metadata.get("modifiedTime").is_none_or(Value::is_null) {
            file.modified = context.now;
        }
        changed.push("properties");
    }
    if file.parents != before.parents {
        changed.push("parents");
    }
    if changed.is_empty() {
        changed.push("properties");
    }
    file.version += 1;
    table::put(context.session.sql(), &file, event, &changed.join(","), context.now)?;
    if renamed && file.mime_type == SPREADSHEET {
        let book = context.session.book(&file.id)?;
        let mut book = (*book).clone();
        book.set_title(&file.name);
        context.session.save_cells(book)?;
    }
    table::get(context.session.sql(), &file.id)
}

/// Sets what a File resource in a request names; null clears.
pub(super) fn apply_metadata(
    file: &mut File,
    metadata: &Map<String, Value>,
) -> Result<(), ApiError> {
    for (name, value) in metadata {
        match (name.as_str(), value) {
            ("name", Value::String(text)) => text.clone_into(&mut file.name),
            ("description", Value::String(text)) => {
                file.description = (!text.is_empty()).then(|| text.clone())
            }
            ("description", Value::Null) => file.description = None,
            ("starred", Value::Bool(flag)) => file.starred = *flag,
            ("writersCanShare", Value::Bool(flag)) => file.writers_can_share = *flag,
            ("copyRequiresWriterPermission", Value::Bool(flag)) => {
                file.copy_requires_writer = *flag
            }
            ("folderColorRgb", Value::String(color)) => file.folder_color = Some(color.clone()),
            ("properties", Value::Object(map)) => merge(&mut file.properties, map),
            ("appProperties", Value::Object(map)) => merge(&mut file.app_properties, map),
            ("createdTime", Value::String(text)) => file.created = moment(text, "createdTime")?,
            ("modifiedTime", Value::String(text)) => file.modified = moment(text, "modifiedTime")?,
            ("viewedByMeTime", Value::String(text)) => {
                file.viewed = Some(moment(text, "viewedByMeTime")?)
            }
            ("mimeType", Value::String(mime)) if !file.is_native() => {
                mime.clone_into(&mut file.mime_type)
            }
            _ => {}
        }
    }
    Ok(())
}

fn merge(properties: &mut BTreeMap<String, String>, changes: &Map<String, Value>) {
    for (key, value) in changes {
        match value {
            Value::String(text) => {
                properties.insert(key.clone(), text.clone());
            }
            Value::Null => {
                properties.remove(key);
            }
            _ => {}
        }
    }
}

fn moment(text: &str, field: &str) -> Result<i64, ApiError> {
    let at: jiff::Timestamp = text.parse().map_err(|_| invalid_value(field))?;
    Ok(at.as_millisecond())
}

/// Moves a file by `addParents` and `removeParents`.
fn move_parents(context: &Context<'_, '_>, file: &mut File) -> Result<(), ApiError> {
    let list = |name: &str| -> Vec<String> {
        let text = context.call.param(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect()
    };
    let removed: Vec<String> = list("removeParents")
        .into_iter()
        .map(|id| if id == "root" { ROOT.to_owned() } else { id })
        .collect();
    let added = list("addParents");
    if added.is_empty() && removed.is_empty() {
        return Ok(());
    }
    let mut parents = file.parents.clone();
    parents.retain(|parent| !removed.contains(parent));
    for id in added {
        let folder = folder(context, &id)?;
        if table::descendants(context.session.sql(), &file.id)?.contains(&folder) {
            return Err(error(
                403,
                "cyclicalFileStructure",
                "A file cannot be moved into itself or its descendants.",
            ));
        }
        // A new place takes the file out of the old one, as Drive does with its single parent.
        parents = vec![folder];
    }
    if parents.is_empty() {
        parents.push(ROOT.to_owned());
    }
    file.parents = parents;
    Ok(())
}
