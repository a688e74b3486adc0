//! A run with its changes.

use maud::{Markup, html};

use super::{
    Query, Viewer,
    frame::{self, Place, page, scroll},
    runs::{rows, short},
    words::{badge, moment_text},
};
use crate::{
    error::Result,
    sync::history::{self, ChangedOut, RunOut},
    tools::Context,
};

/// How many changes a page shows.
const PAGE: u32 = 100;

pub(super) async fn show(
    context: &Context,
    viewer: &Viewer,
    id: &str,
    query: &Query,
) -> Result<String> {
    let shell = context.shell("web");
    let after = query.get("after");
    let found = history::changes(&shell, id, after, PAGE).await?;
    let run = found.runs.first();
    let path = frame::run(run.map_or(id, |run| run.run_id.as_str()));
    let body = html! {
        div data-live {
            @if let Some(run) = run { (head(run)) }
            h2 { "Changes" }
            @if found.changes.is_empty() { p.soft { "There are none here: images of old runs are dropped after a while." } }
            @else { (scroll("Changes", &changes(&found.changes))) }
            @if after.is_some() || found.cursor.is_some() {
                nav aria-label="Pages of changes" { ul {
                    @if after.is_some() { li { a href=(path) { "First changes" } } }
                    @if let Some(cursor) = &found.cursor {
                        li { a rel="next" href=(frame::address(&path, &[("after", cursor)])) { "More changes" } }
                    }
                } }
            }
        }
    };
    let title = format!("Run {}", short(run.map_or(id, |run| run.run_id.as_str())));
    Ok(page(Some(viewer), Place::Runs, &title, &body))
}

fn head(run: &RunOut) -> Markup {
    html! {
        dl.facts {
            dt { "dataset" } dd { a href=(frame::dataset(&run.dataset)) { (run.dataset) } }
            dt { "state" } dd { (badge(run.state)) " " (run.kind) }
            dt { "began" } dd { (moment_text(&run.started)) }
            @if let Some(at) = &run.finished { dt { "ended" } dd { (moment_text(at)) } }
            dt { "rows" } dd { (rows(run)) }
            dt { "by" } dd { (run.caller) }
            @if let Some(other) = &run.undoes { dt { "takes back" } dd { a href=(frame::run(other)) { (short(other)) } } }
            @if let Some(other) = &run.undone_by { dt { "taken back by" } dd { a href=(frame::run(other)) { (short(other)) } } }
            @if let Some(error) = &run.error { dt { "error" } dd { (error) } }
            dt { "id" } dd { code { (run.run_id) } }
        }
    }
}

fn changes(changes: &[ChangedOut]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Key" } th scope="col" { "Side" } th scope="col" { "Change" }
                th scope="col" { "State" } th scope="col" { "Cells" }
            } }
            tbody { @for one in changes { tr {
                th scope="row" { (one.key) }
                td.w { (one.side) }
                td.w { (one.kind) }
                td { (badge(one.state)) @if let Some(why) = &one.why { br; span.small { (why) } } }
                td.cell.why { @for (column, change) in &one.cells { div { strong { (column) } ": " (change) } } }
            } } }
        }
    }
}
