//! `about.get`, and the small lists that are always the same here.

use serde_json::{Value, json};

use super::error::{invalid_value, parameter};
use super::file::{SPREADSHEET, XLSX, time, user};
use super::{Context, Reply, page, table};
use crate::book;
use crate::http::ApiError;

/// Answers who the user is and what the drive can do; `fields` is required, as at Google.
pub(super) fn about(context: &mut Context<'_, '_>, _: &[String]) -> Result<Reply, ApiError> {
    if context.call.fields().is_none_or(str::is_empty) {
        return Err(parameter(
            400,
            "required",
            "The 'fields' parameter is required for this method.",
            "fields",
        ));
    }
    let files = table::all(context.session.sql())?;
    let used: u64 =
        files.iter().filter_map(|file| file.content.as_ref()).map(|content| content.size).sum();
    let caller = Some(context.call.user.as_str()).filter(|user| !user.is_empty());
    let answer = json!({
        "kind": "drive#about",
        "user": user(caller.unwrap_or(context.owner)),
        "storageQuota": {
            "limit": context.storage.to_string(),
            "usage": used.to_string(),
            "usageInDrive": used.to_string(),
            "usageInDriveTrash": "0",
        },
        "importFormats": {
            "text/csv": [SPREADSHEET],
            "text/tab-separated-values": [SPREADSHEET],
        },
        "exportFormats": { SPREADSHEET: ["text/csv", "text/tab-separated-values", XLSX] },
        "maxImportSizes": { SPREADSHEET: "104857600" },
        "maxUploadSize": "268435456",
        "appInstalled": true,
        "folderColorPalette": ["#ac725e", "#4986e7", "#8f8f8f"],
        "driveThemes": [],
        "teamDriveThemes": [],
        "canCreateDrives": false,
        "canCreateTeamDrives": false,
    });
    Ok(Reply::Json(context.select(answer, "*", &[])?))
}

/// Answers ids for files to be created.
pub(super) fn generate_ids(context: &mut Context<'_, '_>, _: &[String]) -> Result<Reply, ApiError> {
    let count = match context.call.param("count") {
        Some(text) => text
            .parse()
            .ok()
            .filter(|count| (1..=1000).contains(count))
            .ok_or_else(|| invalid_value("count"))?,
        None => 10,
    };
    let ids: Vec<String> = (0..count).map(|_| book::new_id()).collect();
    let answer = json!({ "kind": "drive#generatedIds", "space": "drive", "ids": ids });
    Ok(Reply::Json(context.select(answer, "*", &[])?))
}

/// Answers the comments of a file: this workspace takes none, so there are none.
pub(super) fn no_comments(
    context: &mut Context<'_, '_>,
    ids: &[String],
) -> Result<Reply, ApiError> {
    table::get(context.session.sql(), ids.first().map_or("", String::as_str))?;
    if context.call.fields().is_none_or(str::is_empty) {
        return Err(parameter(
            400,
            "required",
            "The 'fields' parameter is required for this method.",
            "fields",
        ));
    }
    empty(context, "drive#commentList", "comments")
}

/// Answers the shared drives: none.
pub(super) fn no_drives(context: &mut Context<'_, '_>, _: &[String]) -> Result<Reply, ApiError> {
    empty(context, "drive#driveList", "drives")
}

/// Answers the revisions of a file: only the head is kept.
pub(super) fn revisions(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let file = table::get(context.session.sql(), ids.first().map_or("", String::as_str))?;
    let id = file
        .content
        .as_ref()
        .map_or_else(|| file.version.to_string(), |content| content.revision.clone());
    let head = json!({
        "kind": "drive#revision",
        "id": id,
        "mimeType": file.mime_type,
        "modifiedTime": time(file.modified),
    });
    let answer = page("drive#revisionList", "revisions", vec![head], None);
    Ok(Reply::Json(context.select(answer, "*", &["nextPageToken"])?))
}

fn empty(context: &Context<'_, '_>, kind: &str, name: &str) -> Result<Reply, ApiError> {
    let answer: Value = page(kind, name, Vec::new(), None);
    Ok(Reply::Json(context.select(answer, "*", &["nextPageToken"])?))
}
