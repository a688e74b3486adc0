//! The files that pages load: the look, what keeps pages up to date, the icon.

/// Returns a file's media type and text.
pub(crate) fn file(name: &str) -> Option<(&'static str, &'static str)> {
    match name {
        "style.css" => Some(("text/css; charset=utf-8", include_str!("assets/style.css"))),
        "live.js" => Some(("text/javascript; charset=utf-8", include_str!("assets/live.js"))),
        "icon.svg" => Some(("image/svg+xml", include_str!("assets/icon.svg"))),
        _ => None,
    }
}
