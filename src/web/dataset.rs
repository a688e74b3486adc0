//! A dataset: its score and what it lacks, its runs, lag, drift and quality as plots.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::{
    Query, Viewer,
    course::course,
    definition::facts,
    frame::{self, Place, page, scroll, secret},
    overview::{limit, metrics, window, windows},
    plot::{Bars, Line, Share, shares},
    runs,
    words::{apart, badge, count, moment_text, number, seconds},
};
use crate::{
    error::{Kind, Result},
    health::{
        metrics::Window,
        report::{Ask, DatasetHealth, report},
    },
    store::Rollup,
    sync::history,
    tools::{Context, named::named},
    watch::status::{WatchOut, shown},
};

/// How many runs are shown.
const RUNS: u32 = 25;

pub(super) async fn show(
    context: &Context,
    viewer: &Viewer,
    name: &str,
    query: &Query,
) -> Result<String> {
    let shell = context.shell("web");
    let now = context.clock.now();
    let window = window(query);
    let definition = match named(context, name).await {
        Ok(definition) => Some(definition),
        // It has a history, although it cannot be run as it is saved.
        Err(error) if error.kind() == Kind::InvalidArgument => None,
        Err(error) => return Err(error),
    };
    let look_only = window != Window::default();
    let dataset = Some(name.to_owned());
    let ask = Ask { dataset, window, detail: true, look_only, ..Ask::default() };
    let health = report(&shell, &ask).await?.datasets.pop();
    let days = match window {
        Window::Day => 1,
        Window::Week => 7,
        Window::Month => 30,
    };
    let from = now.checked_sub(SignedDuration::from_hours(24 * days)).unwrap_or_default();
    let hours = context.store.hours(Some(name), from).await?;
    let scores = context.store.scores(name, from).await?;
    let measured = context.store.measurements(name, from).await?;
    let watch = match context.store.watch(name).await? {
        Some(watch) => Some(shown(&context.store, &watch, now).await?),
        None => None,
    };
    let list = history::runs(&shell, Some(name), query.get("before"), RUNS).await?;
    let path = frame::dataset(name);
    let (bound, limit_name) = limit(context.told_below);
    let line = Line {
        id: "score",
        title: "Score",
        points: &scores,
        span: (from, now),
        top: 100.0,
        limit: Some((bound, &limit_name)),
    };
    let body = html! {
        @if let Some(definition) = &definition { (facts(viewer, definition)) }
        nav aria-label="Of this dataset" { ul {
            li { a href=(frame::address("/conflicts", &[("dataset", name)])) { "Conflicts" } }
            li { a href=(frame::address("/letters", &[("dataset", name)])) { "Dead letters" } }
        } }
        div data-live {
            @match &health {
                Some(health) => (standing(health)),
                None => p.note { "It has not run yet." },
            }
            @if let Some(watch) = &watch { (watching(watch)) }
            (windows(&path, window))
            div.row {
                section.card aria-label="Score over time" { (line.draw()) }
                (series(&hours, from, days))
            }
            h2 { "Quality and drift" }
            (quality(health.as_ref()))
            div.row { (course(&measured, (from, now))) }
            @if viewer.decides() && definition.is_some() {
                form.actions method="post" action={ (path) "/measure" } {
                    (secret(viewer))
                    button { "Measure the data now" }
                    span.small.soft { "reads a sample of each side" }
                }
            }
            h2 { "Runs" }
            (runs::table(&list.runs, false))
            (runs::more(&path, query.get("before"), list.cursor.as_deref()))
        }
    };
    Ok(page(Some(viewer), Place::Overview, name, &body))
}

fn standing(health: &DatasetHealth) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "What it lacks" } th.n scope="col" { "Points" } th scope="col" { "Why" }
                th scope="col" { "The call that brings them back" } } }
            tbody { @for one in &health.deductions { tr {
                th scope="row" { (apart(&one.what)) }
                td.n { (number(one.points)) }
                td.cell.why { (one.why) }
                td { code { (one.call.tool) " " (serde_json::Value::Object(one.call.arguments.clone())) } }
            } } }
        }
    };
    html! {
        div.row {
            section.card aria-labelledby="standing" {
                h2 #standing { "Health score" }
                p.score.(health.status) { (number(health.score)) }
                p { (badge(health.status)) " last good run "
                    @match &health.last_success { Some(at) => (moment_text(at)), None => "never" } }
            }
            section.card aria-label="Parts of the score" {
                (shares("parts-plot", "What the score is made of", &health.parts.iter().map(|(name, value)| {
                    Share { name: apart(name), value: *value, interval: None }
                }).collect::<Vec<_>>()))
                @if !health.not_measured.is_empty() {
                    p.small.soft { "Not measured: " (health.not_measured.iter().map(|name| apart(name)).collect::<Vec<_>>().join(", ")) }
                }
            }
        }
        @if !health.deductions.is_empty() { (scroll("What the score lacks", &table)) }
        details #metrics { summary { "Numbers" } (metrics(&health.metrics)) }
    }
}

fn watching(watch: &WatchOut) -> Markup {
    html! {
        h2 { "Watch" }
        dl.facts {
            dt { "state" } dd { (badge(watch.state)) " " (watch.triggers.join(", ")) }
            dt { "waiting" } dd { (count(watch.depth, "event"))
                @if watch.depth > 0 { ", the oldest for " (seconds(watch.lag_seconds)) } }
            @if let Some(p95) = watch.p95_seconds {
                dt { "delivered" } dd { "95 of 100 within " (seconds(p95)) }
            }
            @if watch.dead_letters > 0 { dt { "dead letters" } dd { (watch.dead_letters) } }
            @for halt in &watch.halted { dt { "halted" } dd { (halt) } }
            @if let Some(error) = &watch.error { dt { "error" } dd { (error) } }
            @for one in &watch.breakers {
                dt { (badge(one.state)) } dd { (one.member) " " (one.why) ", again at " (moment_text(&one.until)) }
            }
        }
    }
}

/// Returns the plots of what is counted hour by hour, in equal spans.
fn series(hours: &[(Timestamp, Rollup)], from: Timestamp, days: i64) -> Markup {
    let (count, each) = match days {
        1 => (25, 1),
        7 => (29, 6),
        _ => (31, 24),
    };
    let length = each * 3_600_000_000;
    let first = from.as_microsecond() - from.as_microsecond().rem_euclid(length);
    let mut spans: Vec<(Timestamp, Rollup)> = (0..count)
        .filter_map(|at| Timestamp::from_microsecond(first + at * length).ok())
        .map(|at| (at, Rollup::default()))
        .collect();
    for (at, rollup) in hours {
        let span = (at.as_microsecond() - first).div_euclid(length);
        if let Some((_, sum)) = usize::try_from(span).ok().and_then(|span| spans.get_mut(span)) {
            sum.merge(rollup);
        }
    }
    let starts: Vec<Timestamp> = spans.iter().map(|(at, _)| *at).collect();
    let of = |get: fn(&Rollup) -> f64| spans.iter().map(|(_, one)| get(one)).collect::<Vec<f64>>();
    let ends = [
        ("in step", of(|one| one.in_step as f64)),
        ("applied", of(|one| one.applied as f64)),
        ("partial", of(|one| one.partial as f64)),
        ("failed", of(|one| one.failed as f64)),
        ("halted", of(|one| one.halted as f64)),
    ];
    let lag = [("95 % within", of(|one| one.lags.quantile(0.95).unwrap_or(0.0) / 60.0))];
    let conflicts = [
        ("opened", of(|one| one.conflicts_opened as f64)),
        ("closed", of(|one| one.conflicts_closed as f64)),
    ];
    let bars = |id, title, kinds| {
        let plot = Bars { id, title, spans: &starts, kinds };
        html! { section.card aria-label=(title) { (plot.draw()) } }
    };
    html! {
        (bars("ends", "Runs by their end", &ends[..]))
        (bars("lag", "Lag: minutes from a change to its arrival, 95 of 100", &lag[..]))
        (bars("conflicts", "Conflicts", &conflicts[..]))
    }
}

fn quality(health: Option<&DatasetHealth>) -> Markup {
    let Some(quality) = health.and_then(|health| health.quality.as_ref()) else {
        return html! { p.soft { "The data was not measured yet." } };
    };
    let found = quality.shares.iter().filter_map(|(name, share)| {
        let share = share.as_ref()?;
        Some(Share {
            name: name.clone(),
            value: share.value,
            interval: Some((share.low, share.high)),
        })
    });
    let drift = html! {
        table {
            thead { tr { th scope="col" { "Cause" } th.n scope="col" { "Cells or rows" } } }
            tbody {
                @for (cause, many) in &quality.drift { tr { th scope="row" { (apart(cause)) } td.n { (many) } } }
                tr { th scope="row" { "pending: the next run carries them in time" } td.n { (quality.pending) } }
                tr { th scope="row" { "unexplained" } td.n { (quality.unexplained) } }
            }
        }
    };
    html! {
        p.soft { "Measured " (moment_text(&quality.at)) " on " (quality.sampled) " of " (quality.of) " keys (seed " (quality.seed) "); "
            (quality.rows_read) " rows were read." }
        div.row {
            section.card aria-label="Quality" {
                (shares("quality", "Quality, with 95 % intervals", &found.collect::<Vec<_>>()))
                @if !quality.failed.is_empty() {
                    p.small { "Not as expected: " (quality.failed.join("; ")) }
                }
                @if !quality.places.is_empty() {
                    p.small { "Found in: "
                        (quality.places.iter().map(|(place, many)| format!("{place} ({many})")).collect::<Vec<_>>().join(", ")) }
                }
            }
            section.card aria-label="Drift" {
                (drift_plot(&quality.drift, quality.unexplained))
                (drift)
            }
        }
    }
}

/// Returns the causes of drift as bars.
fn drift_plot(causes: &std::collections::BTreeMap<String, u64>, unexplained: u64) -> Markup {
    let all: u64 = causes.values().sum::<u64>().max(unexplained).max(1);
    let shown: Vec<Share> = causes
        .iter()
        .map(|(cause, many)| Share {
            name: apart(cause),
            value: *many as f64 / all as f64,
            interval: None,
        })
        .collect();
    html! { @if shown.is_empty() { p { "The sides agree." } } @else { (shares("drift-plot", "Drift by cause", &shown)) } }
}
