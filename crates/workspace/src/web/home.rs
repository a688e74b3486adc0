//! The list of spreadsheets.

use axum::response::Response;

use super::{escape, failed, page};
use crate::app::App;
use crate::drive;

/// Shows all spreadsheets that are not in the trash, the last changed first.
pub(super) async fn show(app: &App) -> Response {
    let listed = app.store.read(|session| drive::spreadsheets(session.sql())).await;
    let files = match listed {
        Ok(files) => files,
        Err(error) => return failed(&error),
    };
    if files.is_empty() {
        let text =
            "<p>There is no spreadsheet yet. One that a sync or a client creates appears here.</p>";
        return page(200, "Spreadsheets", text);
    }
    let rows: String = files
        .iter()
        .map(|file| {
            let id = escape(&file.id);
            format!(
                "<tr><td><a href=\"/spreadsheets/{id}\">{}</a></td><td>{}</td><td><code>{id}</code></td></tr>",
                escape(&file.name),
                escape(&file.modified),
            )
        })
        .collect();
    let body = format!(
        "<p>What this workspace holds, read-only.</p><div class=\"scroll\" tabindex=\"0\" role=\"region\" \
         aria-label=\"Spreadsheets\"><table><thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Changed</th>\
         <th scope=\"col\">Id</th></tr></thead><tbody>{rows}</tbody></table></div>"
    );
    page(200, "Spreadsheets", &body)
}
