//! The overview: the score with its history, and where each dataset stands.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::{
    Query, Viewer,
    frame::{self, Place, page, scroll},
    plot::Line,
    words::{apart, badge, moment_text, number, score},
};
use crate::{
    error::Result,
    health::{
        metrics::Window,
        report::{Ask, DatasetHealth, HealthReport, POOR, report},
    },
    store::conflicts::{Filter, State},
    tools::Context,
    watch::status::{WatchOut, shown},
};

/// How many datasets a page shows.
const PAGE: usize = 50;

/// How far back the scores go.
const DAYS: i64 = 30;

pub(super) async fn show(context: &Context, viewer: &Viewer, query: &Query) -> Result<String> {
    let shell = context.shell("web");
    let now = context.clock.now();
    let window = window(query);
    let look_only = window != Window::default();
    let told_below = context.told_below;
    let ask = Ask { window, detail: true, look_only, told_below, ..Ask::default() };
    let found = report(&shell, &ask).await?;
    let from = now.checked_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or_default();
    let history = context.store.scores("", from).await?;
    let mut watches = Vec::new();
    for watch in context.store.watches().await? {
        watches.push(shown(&context.store, &watch, now).await?);
    }
    let open = Filter { states: vec![State::Open], ..Filter::default() };
    let mut conflicts: BTreeMap<String, u64> = BTreeMap::new();
    for group in context.store.conflict_groups(&open).await? {
        *conflicts.entry(group.dataset).or_default() += group.count;
    }
    let saved = context.store.datasets(None, 1_000).await?;
    let idle: Vec<String> = saved
        .into_iter()
        .map(|one| one.name)
        .filter(|name| !found.datasets.iter().any(|known| known.dataset == *name))
        .collect();
    let skip = usize::try_from(query.number("from")?).unwrap_or(usize::MAX);
    let body = html! {
        div data-live {
            (top(&found, &history, (from, now), told_below))
            h2 { "Datasets" }
            (datasets(&found, &watches, &conflicts, skip))
            (pager(found.datasets.len(), skip, ask.window))
            @if !idle.is_empty() {
                h2 { "Saved, and never run" }
                ul { @for name in idle.iter().take(PAGE) { li { a href=(frame::dataset(name)) { (name) } } } }
            }
        }
    };
    Ok(page(Some(viewer), Place::Overview, "Overview", &body))
}

/// Returns the window that an address names; a day where it names none.
pub(super) fn window(query: &Query) -> Window {
    match query.get("window") {
        Some("7d") => Window::Week,
        Some("30d") => Window::Month,
        _ => Window::Day,
    }
}

/// Returns links to other windows.
pub(super) fn windows(path: &str, current: Window) -> Markup {
    html! {
        nav aria-label="Window" { ul {
            @for one in [Window::Day, Window::Week, Window::Month] {
                li { a href=(frame::address(path, &[("window", one.as_str())])) aria-current=[(one == current).then_some("true")] {
                    (one.as_str())
                } }
            }
        } }
    }
}

/// Returns the score below which something is wrong, with its name on plots.
pub(super) fn limit(told_below: Option<f64>) -> (f64, String) {
    match told_below {
        Some(bound) => (bound, format!("people are told below {bound}")),
        None => (POOR, format!("poor below {POOR}")),
    }
}

fn top(
    found: &HealthReport,
    history: &[(Timestamp, f64)],
    span: (Timestamp, Timestamp),
    told_below: Option<f64>,
) -> Markup {
    let (bound, name) = limit(told_below);
    let line = Line {
        id: "score",
        title: "Score of the last 30 days",
        points: history,
        span,
        top: 100.0,
        limit: Some((bound, &name)),
    };
    html! {
        div.row {
            section.card aria-labelledby="score-now" {
                h2 #score-now { "Health score" }
                p.score.(found.status) { (found.score.map_or_else(|| "-".to_owned(), number)) }
                p { (badge(found.status))
                    @if let Some(trend) = found.trend {
                        " " (trend_text(trend)) " within " (found.window)
                    }
                }
                p.soft { (found.next) }
            }
            section.card aria-label="History" { (line.draw()) }
        }
        details #metrics {
            summary { "Numbers of the last " (found.window) }
            (metrics(&found.metrics))
        }
        (windows("/", window_of(found.window)))
    }
}

fn window_of(name: &str) -> Window {
    [Window::Week, Window::Month].into_iter().find(|one| one.as_str() == name).unwrap_or_default()
}

fn trend_text(trend: f64) -> String {
    match trend {
        trend if trend > 0.0 => format!("▲ {} points up", number(trend)),
        trend if trend < 0.0 => format!("▼ {} points down", number(-trend)),
        _ => "unchanged".into(),
    }
}

/// Returns numbers with their names; those that were not measured are left out.
pub(super) fn metrics(all: &BTreeMap<String, Option<f64>>) -> Markup {
    html! {
        dl.facts { @for (name, value) in all { @if let Some(value) = value {
            dt { (apart(name)) } dd { (number(*value)) }
        } } }
    }
}

fn datasets(
    found: &HealthReport,
    watches: &[WatchOut],
    conflicts: &BTreeMap<String, u64>,
    skip: usize,
) -> Markup {
    if found.datasets.is_empty() {
        return html! { p.note { "No dataset has run yet: " code { "syncDataset" } " defines and syncs one." } };
    }
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "Dataset" } th scope="col" { "Score" } th scope="col" { "Last good run" }
                th scope="col" { "Watch" } th.n scope="col" { "Conflicts" } th.n scope="col" { "Dead letters" } th scope="col" { "What it lacks most" }
            } }
            tbody { @for one in found.datasets.iter().skip(skip).take(PAGE) {
                (line(one, watches.iter().find(|watch| watch.dataset == one.dataset), conflicts.get(&one.dataset)))
            } }
        }
    };
    scroll("Datasets", &table)
}

fn line(one: &DatasetHealth, watch: Option<&WatchOut>, conflicts: Option<&u64>) -> Markup {
    let letters = frame::address("/letters", &[("dataset", &one.dataset)]);
    let disputed = frame::address("/conflicts", &[("dataset", &one.dataset)]);
    html! {
        tr {
            th scope="row" { a href=(frame::dataset(&one.dataset)) { (one.dataset) } }
            td.w { (score(Some(one.score), one.status)) }
            td.w { @match &one.last_success { Some(at) => (moment_text(at)), None => "never" } }
            td.w { @match watch {
                Some(watch) => { (badge(watch.state)) @if watch.depth > 0 { " " (watch.depth) " waiting" } }
                None => span.soft { "by hand" }
            } }
            td.n { @match conflicts { None => "0", Some(count) => a href=(disputed) { (count) } } }
            td.n { @match watch.map_or(0, |watch| watch.dead_letters) {
                0 => "0", count => a href=(letters) { (count) }
            } }
            td.cell.why { @match one.deductions.first() {
                Some(first) => { strong { (apart(&first.what)) " -" (number(first.points)) } " " (first.why) }
                None => span.soft { "nothing" }
            } }
        }
    }
}

fn pager(all: usize, skip: usize, window: Window) -> Markup {
    let link = |from: usize| {
        frame::address("/", &[("window", window.as_str()), ("from", &from.to_string())])
    };
    html! {
        @if skip > 0 || skip.saturating_add(PAGE) < all {
            nav aria-label="Pages of datasets" { ul {
                @if skip > 0 { li { a rel="prev" href=(link(skip.saturating_sub(PAGE))) { "Worse ones" } } }
                @if skip.saturating_add(PAGE) < all { li { a rel="next" href=(link(skip.saturating_add(PAGE))) { "Better ones" } } }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_promised_to_be_told_without_alerts() {
        assert_eq!(limit(None), (70.0, "poor below 70".to_owned()));
        assert_eq!(limit(Some(85.0)), (85.0, "people are told below 85".to_owned()));
    }
}
