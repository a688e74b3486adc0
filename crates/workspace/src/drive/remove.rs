//! `files.delete` and `files.emptyTrash`.

use super::error::error;
use super::file::SPREADSHEET;
use super::table::{self, ROOT};
use super::{Context, Reply};
use crate::http::ApiError;

/// Deletes a file for good, past the trash; a folder with all below it.
pub(super) fn delete(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let id = ids.first().map_or("", String::as_str);
    let file = table::get(context.session.sql(), id)?;
    if file.id == ROOT {
        return Err(error(
            403,
            "insufficientFilePermissions",
            "The user does not have sufficient permissions for this file.",
        ));
    }
    erase(context, &file.id)?;
    Ok(Reply::Empty)
}

/// Deletes everything in the trash.
pub(super) fn empty_trash(context: &mut Context<'_, '_>, _: &[String]) -> Result<Reply, ApiError> {
    for file in table::all(context.session.sql())? {
        if file.trashed {
            erase(context, &file.id)?;
        }
    }
    Ok(Reply::Empty)
}

fn erase(context: &mut Context<'_, '_>, id: &str) -> Result<(), ApiError> {
    for id in table::descendants(context.session.sql(), id)? {
        // A file below two deleted folders is gone already.
        let Some(file) = table::find(context.session.sql(), &id)? else {
            continue;
        };
        if file.mime_type == SPREADSHEET {
            context.session.remove_book(&id)?;
        }
        table::remove(context.session.sql(), &file, context.now)?;
    }
    Ok(())
}
