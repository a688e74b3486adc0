//! The course of quality and of drift: what measurements found, over time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    plot::{
        COLOURS, HEIGHT, LEFT, Line, POINTS, RIGHT, ROWS, TOP_OF_TEXT, WIDTH, axis, down, numbers,
        thin,
    },
    words::{minute, number},
};
use crate::store::Measurement;

/// Where the axis of shares may begin, in percent: as high as all fit, so that small losses are seen.
const FLOORS: [f64; 4] = [99.0, 90.0, 50.0, 0.0];

/// Returns the plots of quality and of drift.
pub(super) fn course(
    measured: &[(Timestamp, Measurement)],
    span: (Timestamp, Timestamp),
) -> Markup {
    html! {
        section.card aria-label="Quality over time" { (quality(measured, span)) }
        section.card aria-label="Drift over time" { (drift(measured, span)) }
    }
}

/// One line for each share.
fn quality(all: &[(Timestamp, Measurement)], span: (Timestamp, Timestamp)) -> Markup {
    const TITLE: &str = "Quality over time, in percent";
    let measured = thin(all, POINTS);
    let names: BTreeSet<&str> =
        all.iter().flat_map(|(_, one)| one.shares.keys().map(String::as_str)).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let percent = |one: &Measurement, name: &str| one.shares.get(name).map(|share| share * 100.0);
    let low = all.iter().flat_map(|(_, one)| one.shares.values()).fold(1.0, |a: f64, b| a.min(*b));
    let floor = FLOORS.into_iter().find(|floor| *floor <= low * 100.0).unwrap_or_default();
    let height = |value: f64| down(value - floor, 100.0 - floor);
    let row = |(at, one): &(Timestamp, Measurement)| {
        let cell = |name: &&str| percent(one, name).map_or_else(|| "-".into(), number);
        std::iter::once(minute(*at)).chain(names.iter().map(cell)).collect()
    };
    let header: Vec<&str> = std::iter::once("When").chain(names.iter().copied()).collect();
    let told: Vec<String> = names
        .iter()
        .filter_map(|name| {
            let last = all.iter().rev().find_map(|(_, one)| percent(one, name))?;
            let least = all.iter().filter_map(|(_, one)| percent(one, name)).fold(100.0, f64::min);
            Some(format!("{name} now {}, at least {}", number(last), number(least)))
        })
        .collect();
    html! {
        figure {
            figcaption { (TITLE) }
            @if names.is_empty() {
                p.soft { "Nothing was measured in this time." }
            } @else {
                svg.plot viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby="course-title course-told" {
                    title #course-title { (TITLE) }
                    desc #course-told { (told.join("; ")) "." }
                    (axis((floor, 100.0)))
                    @for (name, colour) in names.iter().zip(COLOURS) {
                        @let points: Vec<(f64, f64)> = measured.iter().filter_map(|(at, one)| {
                            Some((Line::along(span, *at), height(percent(one, name)?)))
                        }).collect();
                        @let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
                        polyline class={ "line " (colour) } points=(path.join(" ")) {}
                        @if let Some((x, y)) = points.last() {
                            circle class={ "dot " (colour) } cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="3" {}
                        }
                    }
                    text x=(LEFT) y=(TOP_OF_TEXT) { (minute(span.0)) }
                    text x=(WIDTH - RIGHT) y=(TOP_OF_TEXT) text-anchor="end" { (minute(span.1)) }
                }
                ul.legend {
                    @for (name, colour) in names.iter().zip(COLOURS) {
                        li { svg viewBox="0 0 10 10" aria-hidden="true" { rect class=(colour) width="10" height="10" {} } (name) }
                    }
                }
                (numbers("course", &header, thin(all, ROWS).iter().rev().map(row).collect()))
            }
        }
    }
}

/// One line for all that differs: what of it is explained by nobody is in the numbers.
fn drift(all: &[(Timestamp, Measurement)], span: (Timestamp, Timestamp)) -> Markup {
    let sum = |one: &Measurement| (one.pending + one.unexplained + one.other) as f64;
    let points: Vec<(Timestamp, f64)> = all.iter().map(|(at, one)| (*at, sum(one))).collect();
    let top = super::plot::round_up(points.iter().map(|(_, value)| *value).fold(0.0, f64::max));
    let line = Line {
        id: "drifted",
        title: "Drift over time: cells and rows that differ",
        points: &points,
        span,
        top,
        limit: None,
    };
    let row = |(at, one): &(Timestamp, Measurement)| {
        vec![
            minute(*at),
            one.pending.to_string(),
            one.unexplained.to_string(),
            one.other.to_string(),
        ]
    };
    let header = ["When", "pending", "unexplained", "other"];
    html! {
        (line.draw())
        @if !all.is_empty() {
            (numbers("drifted-kinds", &header, thin(all, ROWS).iter().rev().map(row).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3_600).unwrap()
    }

    fn found(consistency: f64, unexplained: u64) -> Measurement {
        let shares = [("consistency".to_owned(), consistency), ("validity".to_owned(), 1.0)];
        Measurement { shares: shares.into(), unexplained, pending: 1, other: 2 }
    }

    #[test]
    fn a_course_says_in_words_what_it_shows() {
        let all = [(at(0), found(0.995, 0)), (at(5), found(0.92, 4)), (at(10), found(0.98, 1))];
        let drawn = course(&all, (at(0), at(10))).into_string();
        for said in [
            "consistency now 98, at least 92; validity now 100, at least 100.",
            "Now 4; between 3 and 7.",
            // 92 % on an axis from 90 to 100: a fifth of the way up; at half of the time.
            ">90<",
            "256.0,118.8",
        ] {
            assert!(drawn.contains(said), "{said}: {drawn}");
        }
        assert_eq!(drawn.matches("<polyline").count(), 3, "two shares, and what differs");
        let whole = course(&all[..1], (at(0), at(10))).into_string();
        assert!(whole.contains(">99<"), "an axis from 99 where all fit: {whole}");
        let none = course(&[], (at(0), at(10))).into_string();
        assert!(none.contains("Nothing was measured in this time."), "{none}");
    }
}
