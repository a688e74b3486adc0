//! The runs, newest first.

use maud::{Markup, html};

use super::{
    Query, Viewer,
    frame::{self, Place, page, scroll},
    words::{badge, moment_text},
};
use crate::{
    error::Result,
    sync::history::{self, RunOut},
    tools::Context,
};

/// How many runs a page shows.
const PAGE: u32 = 50;

pub(super) async fn show(context: &Context, viewer: &Viewer, query: &Query) -> Result<String> {
    let shell = context.shell("web");
    let (dataset, before) = (query.get("dataset"), query.get("before"));
    let list = history::runs(&shell, dataset, before, PAGE).await?;
    let path = frame::address("/runs", &[("dataset", dataset.unwrap_or_default())]);
    let body = html! {
        div data-live {
            (table(&list.runs, true))
            (more(&path, before, list.cursor.as_deref()))
        }
    };
    Ok(page(Some(viewer), Place::Runs, "Runs", &body))
}

/// Returns the way to older runs, and back.
pub(super) fn more(path: &str, before: Option<&str>, cursor: Option<&str>) -> Markup {
    let mark = if path.contains('?') { '&' } else { '?' };
    html! {
        @if before.is_some() || cursor.is_some() {
            nav aria-label="Pages of runs" { ul {
                @if before.is_some() { li { a href=(path) { "Newest runs" } } }
                @if let Some(cursor) = cursor {
                    li { a rel="next" href={ (path) (mark) "before=" (frame::encode(cursor)) } { "Older runs" } }
                }
            } }
        }
    }
}

/// Returns runs as a table; `named` says whether to name their datasets.
pub(super) fn table(runs: &[RunOut], named: bool) -> Markup {
    if runs.is_empty() {
        return html! { p.soft { "No run has written anything yet." } };
    }
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "Run" } @if named { th scope="col" { "Dataset" } }
                th scope="col" { "State" } th scope="col" { "Began" } th scope="col" { "Rows" } th scope="col" { "By" }
                th scope="col" { "Error" }
            } }
            tbody { @for run in runs { tr {
                th.w scope="row" { a href=(frame::run(&run.run_id)) { (short(&run.run_id)) }
                    @if run.kind == "rollback" { " " span.badge { "rollback" } } }
                @if named { td { a href=(frame::dataset(&run.dataset)) { (run.dataset) } } }
                td.w { (badge(run.state)) }
                td.w { (moment_text(&run.started)) }
                td { (rows(run)) }
                td { (run.caller) }
                td.cell { (run.error.as_deref().unwrap_or_default()) }
            } } }
        }
    };
    scroll("Runs", &table)
}

/// Returns how many rows a run wrote, by side and kind.
pub(super) fn rows(run: &RunOut) -> String {
    let counts: Vec<String> = run
        .rows
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    if counts.is_empty() { "none".into() } else { counts.join(", ") }
}

/// Returns the beginning of an id: enough to tell runs apart.
pub(super) fn short(id: &str) -> String {
    id.chars().take(12).collect()
}
