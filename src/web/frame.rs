//! The frame of every page: head, landmarks, the way to the other pages.

use maud::{DOCTYPE, Markup, html};

use super::Viewer;
use crate::uri;

/// Where a page belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Conflicts,
    Letters,
    Runs,
    Sheets,
    Elsewhere,
}

/// The pages that every page leads to.
const PLACES: [(Place, &str, &str); 5] = [
    (Place::Overview, "/", "Overview"),
    (Place::Conflicts, "/conflicts", "Conflicts"),
    (Place::Letters, "/letters", "Dead letters"),
    (Place::Runs, "/runs", "Runs"),
    (Place::Sheets, "/sheets", "Sheets"),
];

/// Returns a whole page; without a viewer nobody is signed in.
pub(super) fn page(viewer: Option<&Viewer>, place: Place, title: &str, body: &Markup) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " - Lockstep" }
                link rel="stylesheet" href={ "/assets/style.css?v=" (version) };
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                @if viewer.is_some() {
                    script src={ "/assets/live.js?v=" (version) } defer {}
                }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href="/" { "Lockstep" }
                    @if let Some(viewer) = viewer {
                        nav aria-label="Pages" { ul {
                            @for (other, path, name) in PLACES.iter().filter(|(other, ..)| viewer.sheets || *other != Place::Sheets) {
                                li { a href=(path) aria-current=[(*other == place).then_some("page")] { (name) } }
                            }
                        } }
                        @if viewer.signed_in {
                            form.inline method="post" action="/sign-out" {
                                (secret(viewer))
                                span.small.soft { (viewer.name) " (" (viewer.role.as_str()) ")" }
                                button.plain { "Sign out" }
                            }
                        }
                    }
                }
                main #main tabindex="-1" {
                    h1 { (title) }
                    (body)
                }
                footer {
                    @if viewer.is_some() { span #live role="status" {} " " }
                    "Lockstep " (version) ". Times are UTC."
                }
            }
        }
    };
    whole.into_string()
}

/// Returns the field that every form has.
pub(super) fn secret(viewer: &Viewer) -> Markup {
    html! { input type="hidden" name="csrf" value=(viewer.csrf); }
}

/// Returns an address with a query; blank values are left out.
pub(crate) fn address(path: &str, query: &[(&str, &str)]) -> String {
    let said = query.iter().filter(|(_, value)| !value.is_empty());
    let said: Vec<String> = said.map(|(name, value)| format!("{name}={}", encode(value))).collect();
    match said.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", said.join("&")),
    }
}

/// Returns a text as a part of an address.
pub(super) fn encode(text: &str) -> String {
    // A browser takes a path of dots as a way up.
    match text {
        "." => "%2E".into(),
        ".." => "%2E%2E".into(),
        _ => uri::encode(text),
    }
}

/// Returns the address of a dataset.
pub(crate) fn dataset(name: &str) -> String {
    format!("/datasets/{}", encode(name))
}

/// Returns the address of a run.
pub(super) fn run(id: &str) -> String {
    format!("/runs/{}", encode(id))
}

/// Returns a box around a table that may be wider than the page; it can be scrolled by keys.
pub(super) fn scroll(label: &str, table: &Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(label) { (table) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_encoded() {
        assert_eq!(address("/x", &[]), "/x");
        assert_eq!(address("/x", &[("a", ""), ("b", "1&2 \"")]), "/x?b=1%262%20%22");
        assert_eq!(dataset("../a/b?c#d"), "/datasets/..%2Fa%2Fb%3Fc%23d");
        assert_eq!(dataset(".."), "/datasets/%2E%2E");
    }
}
