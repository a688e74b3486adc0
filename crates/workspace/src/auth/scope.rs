//! Which scopes a call needs: any one of a list.

use axum::http::Method;

use crate::http::Call;

const PREFIX: &str = "https://www.googleapis.com/auth/";

/// Returns the scopes of which a call needs one, without their common start.
fn needed(call: &Call) -> &'static [&'static str] {
    let path = call.path();
    let read = call.method == Method::GET;
    if path.starts_with("/v4/") {
        // Developer metadata and data filters need the write scope even to read (google-wire 1.1).
        let plain_read = read && !path.contains("/developerMetadata/");
        return if plain_read {
            &["spreadsheets", "spreadsheets.readonly", "drive", "drive.readonly", "drive.file"]
        } else {
            &["spreadsheets", "drive", "drive.file"]
        };
    }
    let content = call.param("alt") == Some("media") || path.ends_with("/export");
    match (read, content) {
        (true, true) => &["drive", "drive.readonly", "drive.file"],
        (true, false) => {
            &["drive", "drive.readonly", "drive.file", "drive.metadata", "drive.metadata.readonly"]
        }
        (false, _) => &["drive", "drive.file"],
    }
}

/// Returns whether scopes, joined by spaces, let a call through.
pub(super) fn allow(scopes: &str, call: &Call) -> bool {
    let needed = needed(call);
    scopes
        .split_whitespace()
        .filter_map(|scope| scope.strip_prefix(PREFIX))
        .any(|scope| needed.contains(&scope))
}

/// Returns what a scope lets an application do, in words for the consent page.
pub(super) fn words(scope: &str) -> &str {
    match scope.strip_prefix(PREFIX) {
        Some("spreadsheets") => "See, edit, create and delete all spreadsheets",
        Some("spreadsheets.readonly") => "See all spreadsheets",
        Some("drive") => "See, edit, create and delete all files",
        Some("drive.readonly") => "See and download all files",
        Some("drive.file") => {
            "See, edit, create and delete the files that are used with this application"
        }
        Some("drive.metadata.readonly") => "See what files there are",
        _ => scope,
    }
}
