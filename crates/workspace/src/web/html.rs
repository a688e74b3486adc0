//! The frame of every page.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #c4c7c5; --head: #f1f3f4; --text: #1f1f1f; --back: #ffffff; --link: #0b57d0; }
@media (prefers-color-scheme: dark) {
  :root { --line: #5f6368; --head: #2d2f31; --text: #e3e3e3; --back: #1b1b1b; --link: #a8c7fa; }
}
body { margin: 0 auto; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); }
main.narrow { max-width: 60rem; margin: 0 auto; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
a { color: var(--link); }
a:focus-visible, button:focus-visible, .scroll:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem; padding: 0; margin: .5rem 0; list-style: none; }
nav a { display: block; padding: .25rem .75rem; border: 1px solid var(--line); border-radius: .25rem; text-decoration: none; }
nav a[aria-current] { background: var(--head); font-weight: 600; }
.scroll { overflow: auto; max-height: 75vh; border: 1px solid var(--line); }
table { border-collapse: collapse; font-size: .875rem; }
th, td { border: 1px solid var(--line); padding: .15rem .5rem; text-align: start; vertical-align: top; white-space: pre-wrap; max-width: 24rem; overflow-wrap: anywhere; }
th { background: var(--head); font-weight: 600; }
thead th { position: sticky; top: 0; z-index: 1; }
tbody th { position: sticky; left: 0; text-align: end; }
td.n { text-align: end; font-variant-numeric: tabular-nums; }
button { font: inherit; padding: .35rem 1rem; }
";

/// Returns a page; `body` is HTML, `title` is text.
pub(crate) fn page(status: u16, title: &str, body: &str) -> Response {
    let title = escape(title);
    let wide = if body.contains("<table") { "" } else { " class=\"narrow\"" };
    let text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} - Lockstep workspace</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<main{wide}>\n<h1>{title}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    );
    let mut response = Response::new(Body::from(text));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=UTF-8"),
        // Nothing runs and nothing loads: cell text is data whatever it says.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; \
             form-action 'self' http://localhost:* http://127.0.0.1:*",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Returns text with the characters escaped that mean something in HTML, also inside quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
