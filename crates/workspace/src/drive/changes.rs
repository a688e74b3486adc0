//! The change log: `changes.getStartPageToken` and `changes.list`.

use serde_json::{Value, json};

use super::error::{invalid_value, parameter};
use super::file::time;
use super::list::page_size;
use super::table::{self, Logged};
use super::{Context, Reply};
use crate::http::ApiError;

/// Answers the token from which changes still to come are listed.
pub(super) fn start(context: &mut Context<'_, '_>, _: &[String]) -> Result<Reply, ApiError> {
    let next = table::next_change(context.session.sql())?;
    let answer = json!({ "kind": "drive#startPageToken", "startPageToken": next.to_string() });
    Ok(Reply::Json(context.select(answer, "*", &[])?))
}

/// Lists changes from a token on; the last page carries the token to go on with later.
pub(super) fn list(context: &mut Context<'_, '_>, _: &[String]) -> Result<Reply, ApiError> {
    let from = page_token(context)?;
    let size = page_size(context, 100)?;
    let removed = context
        .call
        .param("includeRemoved")
        .is_none_or(|value| !value.eq_ignore_ascii_case("false"));
    let mut logged = table::changes(context.session.sql(), from, size + 1)?;
    let more = logged.len() > size;
    logged.truncate(size);
    let next = match logged.last() {
        Some(last) => last.number + 1,
        None => table::next_change(context.session.sql())?.max(from),
    };
    let mut changes = Vec::with_capacity(logged.len());
    for change in &logged {
        if removed || !change.removed {
            changes.push(entry(context, change)?);
        }
    }
    let token = if more { "nextPageToken" } else { "newStartPageToken" };
    let answer = json!({ "kind": "drive#changeList", token: next.to_string(), "changes": changes });
    let default = "kind,nextPageToken,newStartPageToken,\
                   changes(kind,type,changeType,time,removed,fileId,file(kind,id,name,mimeType))";
    let known = ["nextPageToken", "newStartPageToken"];
    Ok(Reply::Json(context.select(answer, default, &known)?))
}

/// Returns the number in the required `pageToken`.
pub(super) fn page_token(context: &Context<'_, '_>) -> Result<i64, ApiError> {
    let text = context.call.param("pageToken").filter(|text| !text.is_empty());
    let text = text
        .ok_or_else(|| parameter(400, "required", "Required parameter: pageToken", "pageToken"))?;
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| invalid_value("pageToken"))
}

fn entry(context: &Context<'_, '_>, change: &Logged) -> Result<Value, ApiError> {
    let mut entry = json!({
        "kind": "drive#change",
        "type": "file",
        "changeType": "file",
        "time": time(change.time),
        "removed": change.removed,
        "fileId": change.file,
    });
    if let (Some(file), Some(map)) =
        (table::find(context.session.sql(), &change.file)?, entry.as_object_mut())
    {
        map.insert("file".to_owned(), file.resource(context.owner));
    }
    Ok(entry)
}
