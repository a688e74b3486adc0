//! Dead letters: events that were given up, with what can be done about them.

use maud::{Markup, html};

use super::{
    Query, Viewer,
    frame::{self, Place, page, scroll, secret},
    words::{count, moment_text},
};
use crate::{
    error::Result,
    sync::hidden::Veil,
    tools::Context,
    watch::status::{LetterOut, letter},
};

/// How many letters a page shows.
const PAGE: u32 = 50;

pub(super) async fn show(context: &Context, viewer: &Viewer, query: &Query) -> Result<String> {
    let (dataset, after) = (query.get("dataset"), query.number("after")?);
    let mut found = context.store.dead_letters(dataset, after, PAGE + 1).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let (mut letters, mut veil) = (Vec::new(), Veil::default());
    for one in found {
        let hidden = veil.of(&context.store, &one.dataset).await?;
        letters.push(letter(one, hidden));
    }
    let last = letters.last().filter(|_| more).map(|last| last.letter.to_string());
    let named = dataset.unwrap_or_default();
    let body = html! {
        (done(query))
        @if let Some(dataset) = dataset {
            p { "Of " a href=(frame::dataset(dataset)) { (dataset) } ". " a href="/letters" { "All dead letters" } }
        }
        div data-live {
            @if letters.is_empty() { p.note.good { "There are none: nothing was given up." } }
            @else {
                p { "Rows that were refused for good. Mend what the story says, then try again; or drop the letter, and the row is told again only when it changes." }
                @if !viewer.decides() { p.note { "You can look: trying again needs the role operator." } }
                (scroll("Dead letters", &table(viewer, named, &letters)))
                @if viewer.decides() && dataset.is_some() {
                    form.actions method="post" action="/letters/retry" { (fields(viewer, named, named, None)) button { "Try all of " (named) " again" } }
                }
            }
            @if after > 0 || last.is_some() {
                nav aria-label="Pages of dead letters" { ul {
                    @if after > 0 { li { a href=(frame::address("/letters", &[("dataset", named)])) { "Oldest ones" } } }
                    @if let Some(last) = &last { li { a rel="next" href=(frame::address("/letters", &[("dataset", named), ("after", last)])) { "More" } } }
                } }
            }
        }
    };
    Ok(page(Some(viewer), Place::Letters, "Dead letters", &body))
}

fn done(query: &Query) -> Markup {
    let text = match query.get("done") {
        Some("retry") => "Put back into the queue.",
        Some("drop") => "Dropped.",
        _ => return html! {},
    };
    html! { p.note.good role="status" { (text) } }
}

/// Returns the fields of a form: of one letter, or of all of a dataset; `filter` is the page to come back to.
fn fields(viewer: &Viewer, filter: &str, dataset: &str, letter: Option<u64>) -> Markup {
    html! {
        (secret(viewer))
        input type="hidden" name="filter" value=(filter);
        input type="hidden" name="dataset" value=(dataset);
        @if let Some(letter) = letter { input type="hidden" name="letter" value=(letter); }
    }
}

fn table(viewer: &Viewer, filter: &str, letters: &[LetterOut]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Letter" } th scope="col" { "Row" } th scope="col" { "Change" } th scope="col" { "Died" } th scope="col" { "Story" }
                @if viewer.decides() { th scope="col" { "Do" } }
            } }
            tbody { @for one in letters { tr {
                th scope="row" id={ "l-" (one.letter) } { (one.letter) }
                td { a href=(frame::dataset(&one.dataset)) { (one.dataset) } br; (one.key) " to " (one.member) }
                td { (one.kind) @if !one.columns.is_empty() { " of " (one.columns.join(", ")) }
                    @if one.changes > 1 { " (" (one.changes) " changes)" } }
                td.w { (moment_text(&one.died)) br; span.small.soft { "after " (count(one.attempts, "attempt")) } }
                td.cell.why { @for step in &one.story { div.small { (step) } } }
                @if viewer.decides() { td {
                    form.inline method="post" action="/letters/retry" {
                        (fields(viewer, filter, &one.dataset, Some(one.letter)))
                        button.plain aria-describedby={ "l-" (one.letter) } { "Try again" }
                    }
                    details id={ "d-" (one.letter) } {
                        summary.small { "Drop…" }
                        form.inline method="post" action="/letters/drop" {
                            (fields(viewer, filter, &one.dataset, Some(one.letter)))
                            button.plain.warn aria-describedby={ "l-" (one.letter) } { "Drop it for good" }
                        }
                    }
                } }
            } } }
        }
    }
}
