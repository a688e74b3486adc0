//! Pages for people: what spreadsheets there are, and what is in them. Read-only.

mod grid;
mod home;
mod html;

pub(crate) use html::{escape, page};

use axum::http::Method;
use axum::response::Response;

use crate::app::App;
use crate::http::Call;

/// Answers `/` and `/spreadsheets/ID`; `None` for any other path.
pub(crate) async fn handle(app: &App, call: &Call) -> Option<Response> {
    if call.method != Method::GET {
        return None;
    }
    let path = call.path();
    let id = path.strip_prefix("/spreadsheets/");
    if path != "/" && id.is_none() {
        return None;
    }
    if app.options.require_auth {
        let text = "<p>This workspace demands tokens, and a browser has none. Use the Sheets and Drive calls.</p>";
        return Some(page(403, "Not shown", text));
    }
    Some(match id {
        Some(id) => grid::show(app, call, &crate::http::decode(id)).await,
        None => home::show(app).await,
    })
}

/// Returns the page of a failure.
fn failed(error: &crate::http::ApiError) -> Response {
    let title =
        if error.code == 404 { "There is no such spreadsheet" } else { "This did not work" };
    page(
        error.code,
        title,
        &format!("<p>{}</p><p><a href=\"/\">All spreadsheets</a></p>", escape(&error.message)),
    )
}
