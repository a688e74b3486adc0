//! Conflicts side by side, with the buttons that decide them.

use maud::{Markup, html};

use super::{
    Query, Viewer,
    frame::{self, Place, page, scroll, secret},
    words::{badge, count, moment_text},
};
use crate::{
    error::Result,
    store::conflicts::{Filter, State},
    sync::conflicts::{
        answer::ConflictOut,
        desk::{self, Wanted},
    },
    tools::{Context, named::named},
};

/// How many conflicts a page shows.
const PAGE: u32 = 20;

/// What a column is called where a whole row is disputed.
const ROW: &str = "(row)";

pub(super) async fn show(context: &Context, viewer: &Viewer, query: &Query) -> Result<String> {
    let shell = context.shell("web");
    let (dataset, column) = (query.get("dataset"), query.get("column"));
    if let Some(dataset) = dataset {
        named(context, dataset).await?;
    }
    let filter = Filter {
        dataset: dataset.map(str::to_owned),
        column: column.map(|name| if name == ROW { String::new() } else { name.to_owned() }),
        states: vec![State::Open, State::Decided],
        ..Filter::default()
    };
    let skip = query.number("from")?;
    let found = desk::list(&shell, &Wanted { filter, limit: PAGE, skip, whole: true }).await?;
    let here = Here { viewer, dataset, column, skip };
    let path = |from: &str| {
        let (dataset, column) = (dataset.unwrap_or_default(), column.unwrap_or_default());
        frame::address("/conflicts", &[("dataset", dataset), ("column", column), ("from", from)])
    };
    let groups = html! {
        table {
            thead { tr { th scope="col" { "Dataset" } th scope="col" { "Column" } th scope="col" { "Kind" } th scope="col" { "State" }
                th.n scope="col" { "Conflicts" } th scope="col" { "Oldest" } } }
            tbody { @for one in &found.groups { tr {
                td { a href=(frame::address("/conflicts", &[("dataset", &one.dataset)])) { (one.dataset) } }
                td { a href=(frame::address("/conflicts", &[("dataset", &one.dataset), ("column", &one.column)])) { (one.column) } }
                td.w { (words(&one.kind)) } td.w { (badge(&one.state)) } td.n { (one.count) } td.w { (moment_text(&one.oldest)) }
            } } }
        }
    };
    let body = html! {
        (done(query))
        @if dataset.is_some() || column.is_some() {
            p { "Of " @if let Some(dataset) = dataset { a href=(frame::dataset(dataset)) { (dataset) } } @else { "all datasets" }
                @if let Some(column) = column { ", column " (column) } ". " a href="/conflicts" { "All conflicts" } }
        }
        div data-live {
            @if found.total == 0 { p.note.good { "Nothing waits for a decision." } }
            @else {
                p { (count(found.total, "conflict")) " of " (count(found.groups.len() as u64, "kind")) ". Both sides keep their own value until the next run after a decision." }
                details #groups { summary { "By dataset, column and kind" } (scroll("Kinds of conflicts", &groups)) }
                @if !viewer.decides() { p.note { "You can look: deciding needs the role operator." } }
            }
            @for one in &found.conflicts { (card(&here, one)) }
            @if skip > 0 || found.cursor.is_some() {
                nav aria-label="Pages of conflicts" { ul {
                    @if skip > 0 { li { a href=(path("")) { "First conflicts" } } }
                    @if let Some(cursor) = &found.cursor { li { a rel="next" href=(path(cursor)) { "More conflicts" } } }
                } }
            }
        }
    };
    let title = match dataset {
        Some(dataset) => format!("Conflicts of {dataset}"),
        None => "Conflicts".into(),
    };
    Ok(page(Some(viewer), Place::Conflicts, &title, &body))
}

/// The page that decisions come back to.
struct Here<'a> {
    viewer: &'a Viewer,
    dataset: Option<&'a str>,
    column: Option<&'a str>,
    skip: u64,
}

impl Here<'_> {
    /// Returns the fields that every form of the page has.
    fn fields(&self, id: &str) -> Markup {
        html! {
            (secret(self.viewer))
            input type="hidden" name="id" value=(id);
            input type="hidden" name="dataset" value=(self.dataset.unwrap_or_default());
            input type="hidden" name="column" value=(self.column.unwrap_or_default());
            input type="hidden" name="from" value=(self.skip);
        }
    }
}

/// Returns what was done a moment ago.
fn done(query: &Query) -> Markup {
    let text = match query.get("done") {
        Some("decided") => "Decided. The next run of the dataset writes it.",
        Some("reopened") => "Taken back: it is open again.",
        _ => return html! {},
    };
    html! { p.note.good role="status" { (text) } }
}

fn words(kind: &str) -> &str {
    match kind {
        "edit" => "edited on both sides",
        "create" => "added differently",
        "deleteEdit" => "deleted here, changed there",
        "editDelete" => "changed here, deleted there",
        other => other,
    }
}

fn card(here: &Here<'_>, one: &ConflictOut) -> Markup {
    let (name, form) = (format!("c-{}", one.id), format!("f-{}", one.id));
    let whole = one.column == ROW;
    let base = one.base.as_deref().filter(|_| !whole);
    let open = one.state == "open" && here.viewer.decides();
    let table = html! {
        table.sides {
            thead { tr {
                td {} @if base.is_some() { th scope="col" { "agreed before" } }
                @for who in one.values.keys() { th scope="col" { (who) } }
            } }
            tbody {
                tr { th.w scope="row" { "value" }
                    @if let Some(base) = base { td.cell { (base) } }
                    @for value in one.values.values() { td.cell { (value) } } }
                tr.since { th.w scope="row" { "since" } @if base.is_some() { td {} }
                    @for who in one.values.keys() { td.w { @if let Some(at) = one.since.get(who) { (moment_text(at)) } } } }
                @if open { tr { th.w scope="row" { "decide" }
                    @if base.is_some() { td { (button(&form, "base", "Go back to it", &name)) } }
                    @for who in one.values.keys() { td { (button(&form, who, &format!("Take {who}"), &name)) } } } }
            }
        }
    };
    html! {
        article.card aria-labelledby=(name) {
            h2 id=(name) { (one.key) " · " (one.column) }
            p { (badge(&one.state)) " " (words(&one.kind))
                @if let Some(dataset) = &one.dataset { " in " a href=(frame::dataset(dataset)) { (dataset) } } }
            (scroll(&format!("Sides of {} {}", one.key, one.column), &table))
            p.small.soft { (one.reason)
                @if let Some(person) = &one.assignee { " · looked after by " (person) }
                @if let Some(note) = &one.note { " · " (note) } }
            @if open {
                form id=(form) method="post" action="/conflicts/decide" { (here.fields(&one.id)) }
                @if !whole {
                    form.actions method="post" action="/conflicts/decide" {
                        (here.fields(&one.id))
                        label for={ "v-" (one.id) } { "or another value" }
                        input id={ "v-" (one.id) } name="value" autocomplete="off";
                        button aria-describedby=(name) { "Take this value" }
                    }
                }
            }
            @if one.state == "decided" {
                p { "Decided for " strong { (one.decision.as_deref().unwrap_or("?")) } " by " (one.by.as_deref().unwrap_or("?"))
                    "; the next run writes it." }
                @if here.viewer.decides() {
                    form.actions method="post" action="/conflicts/reopen" { (here.fields(&one.id)) button aria-describedby=(name) { "Take it back" } }
                }
            }
            (row(one))
        }
    }
}

fn button(form: &str, winner: &str, text: &str, about: &str) -> Markup {
    html! { button form=(form) name="winner" value=(winner) aria-describedby=(about) { (text) } }
}

/// Returns the row's cells, side by side.
fn row(one: &ConflictOut) -> Markup {
    let mut columns: Vec<&String> = one.row.values().flat_map(|cells| cells.keys()).collect();
    columns.sort_unstable();
    columns.dedup();
    let table = html! {
        table {
            thead { tr { th scope="col" { "Column" } @for who in one.row.keys() { th scope="col" { (who) } } } }
            tbody { @for column in columns { tr {
                th scope="row" { (column) }
                @for cells in one.row.values() { td.cell { (cells.get(column).map_or("", String::as_str)) } }
            } } }
        }
    };
    html! { @if !one.row.is_empty() {
        details id={ "r-" (one.id) } { summary.small { "The whole row" } (scroll("The whole row", &table)) }
    } }
}
