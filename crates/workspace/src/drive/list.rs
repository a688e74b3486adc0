//! `files.list`.

use base64::Engine as _;
use serde_json::{Value, json};

use super::error::{invalid_value, no_file, parameter};
use super::table::{self, ROOT};
use super::{Context, Reply, order, page, query};
use crate::http::ApiError;

/// Lists files by query, in order, page by page.
pub(super) fn list(context: &mut Context<'_, '_>, _: &[String]) -> Result<Reply, ApiError> {
    let call = context.call;
    let size = page_size(context, 100)?;
    let offset = match call.param("pageToken").filter(|token| !token.is_empty()) {
        Some(token) => offset_of(token).ok_or_else(|| invalid_value("pageToken"))?,
        None => 0,
    };
    let mut files = table::all(context.session.sql())?;
    if let Some(text) = call.param("q").filter(|text| !text.trim().is_empty()) {
        let query = query::parse(text)?;
        let mut unknown = false;
        query.each_parent(&mut |id| {
            unknown |= !["root", ROOT].contains(&id) && !files.iter().any(|file| file.id == id);
        });
        if unknown {
            // The service names no file here.
            return Err(no_file(""));
        }
        files.retain(|file| query.matches(file, ROOT, context.owner));
    }
    if call.param("spaces").is_some_and(|spaces| {
        !spaces.is_empty() && !spaces.split(',').any(|space| space == "drive")
    }) {
        files.clear();
    }
    order::sort(&mut files, call.param("orderBy"))?;
    let total = files.len();
    let resources: Vec<Value> =
        files.iter().skip(offset).take(size).map(|file| file.resource(context.owner)).collect();
    let end = offset + resources.len();
    let mut answer = page("drive#fileList", "files", resources, (end < total).then(|| token(end)));
    if let Some(map) = answer.as_object_mut() {
        map.insert("incompleteSearch".to_owned(), json!(false));
    }
    let known = ["kind", "nextPageToken", "incompleteSearch", "files"];
    let default = "kind,nextPageToken,incompleteSearch,files(kind,id,name,mimeType)";
    Ok(Reply::Json(context.select(answer, default, &known)?))
}

/// Returns the page size: 1 to 1000.
pub(super) fn page_size(context: &Context<'_, '_>, default: usize) -> Result<usize, ApiError> {
    let Some(text) = context.call.param("pageSize").filter(|text| !text.is_empty()) else {
        return Ok(default);
    };
    match text.parse::<usize>() {
        Ok(size @ 1..=1000) => Ok(size),
        _ => Err(parameter(
            400,
            "invalidParameter",
            format!("Invalid value '{text}'. Values must be within the range: [1, 1000]"),
            "pageSize",
        )),
    }
}

/// Returns the token of the page that starts at an offset.
fn token(offset: usize) -> String {
    let text = format!("files:{offset}");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

fn offset_of(token: &str) -> Option<usize> {
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token).ok()?;
    String::from_utf8(bytes).ok()?.strip_prefix("files:")?.parse().ok()
}
