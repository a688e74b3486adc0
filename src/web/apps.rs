//! The views that MCP hosts show beside a conversation (MCP Apps, SEP-1865): health, and conflicts to decide.
//!
//! A view is one HTML document without anything from elsewhere. It runs in the host's sandbox, gets a tool's result from
//! the host, and asks the host for further tool calls; it never talks to this server by itself.

/// The media type of a view.
pub(crate) const MIME: &str = "text/html;profile=mcp-app";

/// The views: URI, name, what it shows.
pub(crate) const VIEWS: [(&str, &str, &str); 2] = [
    (HEALTH, "health view", "Scores, what they lack, and the calls that bring it back"),
    (CONFLICTS, "conflicts view", "Conflicts side by side, with the buttons that decide them"),
];

const HEALTH: &str = "ui://lockstep/health";
const CONFLICTS: &str = "ui://lockstep/conflicts";

/// Returns a view's document.
pub(crate) fn html(uri: &str) -> Option<String> {
    let (title, script) = match uri {
        HEALTH => ("Health", include_str!("apps/health.js")),
        CONFLICTS => ("Conflicts", include_str!("apps/conflicts.js")),
        _ => return None,
    };
    let (style, bridge) = (include_str!("apps/app.css"), include_str!("apps/bridge.js"));
    let version = env!("CARGO_PKG_VERSION");
    Some(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Lockstep: {title}</title>\n\
         <style>\n{style}</style>\n</head>\n<body>\n<main id=\"main\"></main>\n<footer><p id=\"said\" role=\"status\">Waiting for the host.</p></footer>\n\
         <script>\nconst VERSION = \"{version}\";\n{bridge}{script}</script>\n</body>\n</html>\n"
    ))
}
