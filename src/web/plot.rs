//! Plots as SVG, drawn by the server: each with a name, a sentence that says what it shows, and its numbers as a table.

use jiff::Timestamp;
use maud::{Markup, html};

use super::words::{minute, number};

/// The size of a plot, and the edges around what is drawn.
pub(super) const WIDTH: f64 = 480.0;
pub(super) const HEIGHT: f64 = 170.0;
pub(super) const LEFT: f64 = 40.0;
pub(super) const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;

/// Where the ends of the time stand.
pub(super) const TOP_OF_TEXT: f64 = HEIGHT - 6.0;

/// The most points of a line, and the most rows of the table beside it.
pub(super) const POINTS: usize = 180;
pub(super) const ROWS: usize = 40;

pub(super) fn down(value: f64, top: f64) -> f64 {
    HEIGHT - BOTTOM - (value / top).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
}

/// Returns every so manieth item, the last one always among them.
pub(super) fn thin<T: Clone>(all: &[T], most: usize) -> Vec<T> {
    let step = all.len().div_ceil(most.max(1)).max(1);
    let mut kept: Vec<T> = all.iter().rev().step_by(step).cloned().collect();
    kept.reverse();
    kept
}

/// Returns a round number from which an axis goes down.
pub(super) fn round_up(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let ten = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * ten)
        .find(|top| *top >= value)
        .unwrap_or(value)
}

/// Returns the lines of an axis between two values.
pub(super) fn axis((low, top): (f64, f64)) -> Markup {
    html! {
        @for share in [0.0, 0.5, 1.0] {
            @let y = down(share, 1.0);
            line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y) y2=(y) {}
            text x=(LEFT - 6.0) y=(y + 4.0) text-anchor="end" { (number(low + share * (top - low))) }
        }
    }
}

/// Values over time.
pub(super) struct Line<'a> {
    /// A name for its parts, unique on the page.
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    /// Oldest first.
    pub(super) points: &'a [(Timestamp, f64)],
    pub(super) span: (Timestamp, Timestamp),
    /// The upper end of the axis.
    pub(super) top: f64,
    /// A value below which something is wrong, with its name.
    pub(super) limit: Option<(f64, &'a str)>,
}

impl Line<'_> {
    /// Returns how far to the right a moment of a span is.
    pub(super) fn along(span: (Timestamp, Timestamp), at: Timestamp) -> f64 {
        let length = (span.1.as_microsecond() - span.0.as_microsecond()).max(1) as f64;
        let part = (at.as_microsecond() - span.0.as_microsecond()) as f64 / length;
        LEFT + part.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    /// Returns the plot.
    pub(super) fn draw(&self) -> Markup {
        let points = thin(self.points, POINTS);
        let place =
            |(at, value): &(Timestamp, f64)| (Self::along(self.span, *at), down(*value, self.top));
        let places: Vec<(f64, f64)> = points.iter().map(place).collect();
        let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (title, told) = (format!("{}-title", self.id), format!("{}-told", self.id));
        html! {
            figure {
                figcaption { (self.title) }
                @if points.is_empty() {
                    p.soft { "Nothing was measured yet." }
                } @else {
                    svg.plot viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby={ (title) " " (told) } {
                        title id=(title) { (self.title) }
                        desc id=(told) { (self.told()) }
                        (axis((0.0, self.top)))
                        @if let Some((limit, _)) = self.limit {
                            line.limit x1=(LEFT) x2=(WIDTH - RIGHT) y1=(down(limit, self.top)) y2=(down(limit, self.top)) {}
                        }
                        polyline.line points=(path.join(" ")) {}
                        @for (x, y) in places.iter().rev().take(if places.len() > 40 { 1 } else { 40 }) {
                            circle.dot cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="3" {}
                        }
                        text x=(LEFT) y=(TOP_OF_TEXT) { (minute(self.span.0)) }
                        text x=(WIDTH - RIGHT) y=(TOP_OF_TEXT) text-anchor="end" { (minute(self.span.1)) }
                    }
                    @if let Some((_, name)) = self.limit {
                        ul.legend { li { svg.plot viewBox="0 0 14 10" aria-hidden="true" { line.limit x1="0" x2="14" y1="5" y2="5" {} } (name) } }
                    }
                    (numbers(self.id, &["When", "Value"], thin(self.points, ROWS).iter().rev().map(|(at, value)| {
                        vec![minute(*at), number(*value)]
                    }).collect()))
                }
            }
        }
    }

    fn told(&self) -> String {
        let values = self.points.iter().map(|(_, value)| *value);
        let (low, high) = values
            .fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        let last = self.points.last().map_or(0.0, |(_, value)| *value);
        format!("Now {}; between {} and {}.", number(last), number(low), number(high))
    }
}

/// Counts or amounts in equal spans of time, one bar each, of one or more kinds.
pub(super) struct Bars<'a> {
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    /// The beginnings of the spans.
    pub(super) spans: &'a [Timestamp],
    /// The name of each kind, with a value for each span.
    pub(super) kinds: &'a [(&'a str, Vec<f64>)],
}

/// The classes of the colours, in their order.
pub(super) const COLOURS: [&str; 5] = ["c1", "c2", "c3", "c4", "c5"];

impl Bars<'_> {
    fn at(&self, kind: usize, span: usize) -> f64 {
        self.kinds.get(kind).and_then(|(_, values)| values.get(span)).copied().unwrap_or(0.0)
    }

    fn total(&self, span: usize) -> f64 {
        (0..self.kinds.len()).map(|kind| self.at(kind, span)).sum()
    }

    /// Returns the plot.
    pub(super) fn draw(&self) -> Markup {
        let count = self.spans.len();
        let most = (0..count).map(|span| self.total(span)).fold(0.0, f64::max);
        let top = round_up(most);
        let step = (WIDTH - LEFT - RIGHT) / (count.max(1) as f64);
        let (title, told) = (format!("{}-title", self.id), format!("{}-told", self.id));
        let mut header = vec!["From"];
        header.extend(self.kinds.iter().map(|(name, _)| *name));
        html! {
            figure {
                figcaption { (self.title) }
                @if most <= 0.0 {
                    p.soft { "Nothing in this time." }
                } @else {
                    svg.plot viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby={ (title) " " (told) } {
                        title id=(title) { (self.title) }
                        desc id=(told) { (self.told(most)) }
                        (axis((0.0, top)))
                        @for span in 0..count {
                            @for (kind, colour) in COLOURS.iter().enumerate().take(self.kinds.len()) {
                                @let below: f64 = (0..kind).map(|kind| self.at(kind, span)).sum();
                                @let value = self.at(kind, span);
                                @if value > 0.0 {
                                    @let (y, foot) = (down(below + value, top), down(below, top));
                                    rect class=(colour) x=(format!("{:.1}", LEFT + step * (span as f64) + step * 0.1))
                                        y=(format!("{y:.1}")) width=(format!("{:.1}", step * 0.8)) height=(format!("{:.1}", foot - y)) {}
                                }
                            }
                        }
                        @if let (Some(first), Some(last)) = (self.spans.first(), self.spans.last()) {
                            text x=(LEFT) y=(TOP_OF_TEXT) { (minute(*first)) }
                            text x=(WIDTH - RIGHT) y=(TOP_OF_TEXT) text-anchor="end" { (minute(*last)) }
                        }
                    }
                    @if self.kinds.len() > 1 {
                        ul.legend {
                            @for ((name, _), colour) in self.kinds.iter().zip(COLOURS) {
                                li { svg viewBox="0 0 10 10" aria-hidden="true" { rect class=(colour) width="10" height="10" {} } (name) }
                            }
                        }
                    }
                    (numbers(self.id, &header, self.spans.iter().enumerate().rev().filter(|(span, _)| self.total(*span) > 0.0)
                        .take(ROWS).map(|(span, at)| {
                            std::iter::once(minute(*at)).chain((0..self.kinds.len()).map(|kind| number(self.at(kind, span)))).collect()
                        }).collect()))
                }
            }
        }
    }

    fn told(&self, most: f64) -> String {
        let kinds = self
            .kinds
            .iter()
            .map(|(name, values)| format!("{name} {}", number(values.iter().sum())));
        let kinds: Vec<String> = kinds.collect();
        match kinds.len() {
            1 => format!("At most {}.", number(most)),
            _ => format!("In all: {}. At most {} at once.", kinds.join(", "), number(most)),
        }
    }
}

/// A share with the interval in which it lies.
pub(super) struct Share {
    pub(super) name: String,
    pub(super) value: f64,
    /// Where it is an estimate.
    pub(super) interval: Option<(f64, f64)>,
}

/// Returns shares as bars from 0 to 100 %, with their intervals.
pub(super) fn shares(id: &str, caption: &str, shares: &[Share]) -> Markup {
    let (name, row, end) = (125.0, 24.0, 55.0);
    let long = WIDTH - name - end;
    let height = row * shares.len() as f64 + 6.0;
    let (title, told) = (format!("{id}-title"), format!("{id}-told"));
    let share = |share: f64| format!("{:.1}", name + share.clamp(0.0, 1.0) * long);
    let text = |one: &Share| format!("{} {}", one.name, super::words::percent(one.value));
    html! {
        figure {
            figcaption { (caption) }
            @if shares.is_empty() {
                p.soft { "Nothing was measured yet." }
            } @else {
                svg.plot.shares viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-labelledby={ (title) " " (told) } {
                    title id=(title) { (caption) }
                    desc id=(told) { (shares.iter().map(text).collect::<Vec<_>>().join(", ")) "." }
                    @for (at, one) in shares.iter().enumerate() {
                        @let y = 4.0 + row * at as f64;
                        text x=(name - 8.0) y=(y + 14.0) text-anchor="end" { (one.name) }
                        rect.track x=(name) y=(y) width=(long) height="18" rx="3" {}
                        rect.c1 x=(name) y=(y) width=(format!("{:.1}", one.value.clamp(0.0, 1.0) * long)) height="18" rx="3" {}
                        @if let Some((low, high)) = one.interval {
                            line.interval x1=(share(low)) x2=(share(high)) y1=(y + 9.0) y2=(y + 9.0) {}
                            line.interval x1=(share(low)) x2=(share(low)) y1=(y + 4.0) y2=(y + 14.0) {}
                            line.interval x1=(share(high)) x2=(share(high)) y1=(y + 4.0) y2=(y + 14.0) {}
                        }
                        text x=(name + long + 8.0) y=(y + 14.0) { (super::words::percent(one.value)) }
                    }
                }
            }
        }
    }
}

pub(super) fn numbers(id: &str, header: &[&str], rows: Vec<Vec<String>>) -> Markup {
    html! {
        details id={ (id) "-numbers" } {
            summary.small { "Numbers" }
            table {
                thead { tr { @for name in header { th scope="col" { (name) } } } }
                tbody { @for row in &rows { tr { @for cell in row { td { (cell) } } } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_and_thinning() {
        for (value, top) in [(0.0, 1.0), (1.0, 1.0), (3.0, 5.0), (51.0, 100.0), (f64::NAN, 1.0)] {
            assert_eq!(round_up(value), top, "{value}");
        }
        let all: Vec<u32> = (0..1000).collect();
        let kept = thin(&all, 180);
        assert!(kept.len() <= 180 && kept.last() == Some(&999), "{kept:?}");
        assert_eq!(thin(&[1, 2], 180), [1, 2]);
        assert_eq!((down(0.0, 10.0), down(10.0, 10.0)), (HEIGHT - BOTTOM, TOP));
    }

    #[test]
    fn a_plot_says_in_words_what_it_shows() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let points = [(at(0), 100.0), (at(60), 40.5)];
        let span = (at(0), at(120));
        let line =
            Line { id: "x", title: "<Score>", points: &points, span, top: 100.0, limit: None };
        let drawn = line.draw().into_string();
        assert!(drawn.contains("Now 40.5; between 40.5 and 100."), "{drawn}");
        assert!(drawn.contains("&lt;Score&gt;") && !drawn.contains("<Score>"), "{drawn}");
        let bars = Bars {
            id: "y",
            title: "Runs",
            spans: &[at(0), at(60)],
            kinds: &[("applied", vec![1.0, 2.0]), ("failed", vec![0.0, 1.0])],
        };
        let drawn = bars.draw().into_string();
        assert!(drawn.contains("In all: applied 3, failed 1. At most 3 at once."), "{drawn}");
        assert_eq!(drawn.matches("<rect").count(), 3 + 2, "three bars, two of the legend");
    }
}
