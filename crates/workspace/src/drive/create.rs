//! `files.create`: metadata alone, or with content.

use serde_json::{Map, Value};

use super::error::{error, unsupported};
use super::file::{FOLDER, File, SPREADSHEET};
use super::media::{Upload, read_upload};
use super::table::{self, Event, ROOT};
use super::update::apply_metadata;
use super::{Context, Reply, import};
use crate::book;
use crate::http::ApiError;

/// Creates a file from metadata alone.
pub(super) fn create(context: &mut Context<'_, '_>, _: &[String]) -> Result<Reply, ApiError> {
    let metadata = context.body()?;
    let file = make(context, &metadata, None)?;
    context.show(&file)
}

/// Creates a file with content: a multipart or a plain media upload.
pub(super) fn upload(context: &mut Context<'_, '_>, _: &[String]) -> Result<Reply, ApiError> {
    let upload = read_upload(context.call)?;
    let file = make(context, &upload.metadata, Some(&upload))?;
    context.show(&file)
}

/// Makes a file; content for a spreadsheet is converted.
pub(super) fn make(
    context: &mut Context<'_, '_>,
    metadata: &Map<String, Value>,
    upload: Option<&Upload>,
) -> Result<File, ApiError> {
    let text = |name: &str| metadata.get(name).and_then(Value::as_str);
    let id = text("id").map_or_else(book::new_id, str::to_owned);
    if text("id").is_some() {
        check_new_id(context, &id)?;
    }
    let mime = match (text("mimeType"), upload) {
        (Some(mime), _) => mime.to_owned(),
        (None, Some(upload)) => upload.mime.clone(),
        (None, None) => "application/octet-stream".to_owned(),
    };
    if mime.starts_with("application/vnd.google-apps.") && mime != FOLDER && mime != SPREADSHEET {
        return Err(unsupported(&format!("Creating files of type {mime}")));
    }
    let mut file = File {
        id: id.clone(),
        name: "Untitled".to_owned(),
        mime_type: mime,
        created: context.now,
        modified: context.now,
        version: 1,
        parents: vec![ROOT.to_owned()],
        writers_can_share: true,
        ..File::default()
    };
    if let Some(parents) = metadata.get("parents").and_then(Value::as_array) {
        file.parents = parents_of(context, parents)?;
    }
    apply_metadata(&mut file, metadata)?;
    // Before its book is saved, so that saving finds the file and leaves its folder alone.
    table::put(context.session.sql(), &file, Event::Add, "", context.now)?;
    if file.mime_type == SPREADSHEET {
        let book = match upload.filter(|upload| !upload.data.is_empty()) {
            Some(upload) => import::book(context, &id, &file.name, &upload.mime, &upload.data)?,
            None => book::blank(&id, &file.name, context.locale, context.time_zone),
        };
        context.session.save(book)?;
        file = table::get(context.session.sql(), &id)?;
    } else if file.mime_type != FOLDER {
        let data = upload.map_or(&[][..], |upload| &upload.data);
        super::media::set_content(context, &mut file, data)?;
        table::put(context.session.sql(), &file, Event::Add, "", context.now)?;
    }
    Ok(file)
}

fn check_new_id(context: &Context<'_, '_>, id: &str) -> Result<(), ApiError> {
    let fits = (10..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if !fits {
        return Err(error(400, "invalid", "The provided file ID is not usable."));
    }
    if table::find(context.session.sql(), id)?.is_some() {
        return Err(error(409, "fileIdInUse", "A file already exists with the provided ID."));
    }
    Ok(())
}

/// Returns the folders that a list of parents names: exactly one, as Drive has it since 2020.
pub(super) fn parents_of(
    context: &Context<'_, '_>,
    parents: &[Value],
) -> Result<Vec<String>, ApiError> {
    let ids: Vec<&str> = parents.iter().filter_map(Value::as_str).collect();
    match ids.as_slice() {
        [] => Ok(vec![ROOT.to_owned()]),
        [id] => Ok(vec![folder(context, id)?]),
        _ => Err(error(403, "cannotAddParent", "Increasing the number of parents is not allowed")),
    }
}

/// Returns the id of a folder, the alias `root` resolved.
pub(super) fn folder(context: &Context<'_, '_>, id: &str) -> Result<String, ApiError> {
    let folder = table::get(context.session.sql(), id)?;
    if folder.mime_type == FOLDER {
        Ok(folder.id)
    } else {
        Err(error(403, "parentNotAFolder", "The specified parent is not a folder."))
    }
}
