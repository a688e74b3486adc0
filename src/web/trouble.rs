//! What a page says where it cannot say what was asked for.

use maud::html;

use super::{
    Viewer,
    frame::{Place, page},
};
use crate::error::{Error, Kind};

/// Returns the page of a failure: what was wrong, and what to do next.
pub(crate) fn trouble(viewer: Option<&Viewer>, error: &Error) -> String {
    let title = match error.kind() {
        Kind::NotFound => "There is no such thing",
        Kind::PermissionDenied | Kind::Unauthenticated => "This is not allowed",
        Kind::Changed | Kind::StalePlan => "Something has changed",
        Kind::InvalidArgument | Kind::TooLarge => "This cannot be done",
        _ => "This did not work",
    };
    let body = html! {
        p.note.poor { (error.to_string()) }
        p { a href="/" { "Go to the overview" } }
    };
    page(viewer, Place::Elsewhere, title, &body)
}
