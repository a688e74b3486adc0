//! What the server counts about itself, for Prometheus.

use std::{fmt, sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// The labels of a tool call; both have a bounded number of values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    tool: &'static str,
    outcome: &'static str,
}

/// The labels of an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tool {
    tool: &'static str,
}

/// The counters.
pub(crate) struct Metrics {
    registry: Registry,
    calls: Family<Call, Counter>,
    seconds: Family<Tool, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    requests: Family<Request, Counter>,
    sessions: Gauge<f64, AtomicU64>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn seconds() -> Histogram {
    // 1 ms to about 65 s.
    Histogram::new(exponential_buckets(0.001, 4.0, 9))
}

impl Metrics {
    /// Creates counters at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("lockstep");
        let calls = Family::<Call, Counter>::default();
        registry.register("tool_calls", "Tool calls by outcome", calls.clone());
        let seconds: Family<Tool, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(seconds);
        registry.register("tool_call_seconds", "Duration of tool calls", seconds.clone());
        let in_flight = Gauge::default();
        registry.register("tool_calls_in_flight", "Tool calls that run now", in_flight.clone());
        let requests = Family::<Request, Counter>::default();
        registry.register("http_requests", "HTTP requests by route and status", requests.clone());
        let sessions = Gauge::<f64, AtomicU64>::default();
        registry.register("http_sessions", "Open sessions over HTTP", sessions.clone());
        Self { registry, calls, seconds, in_flight, requests, sessions }
    }

    /// Counts a call from now until the guard is dropped as running.
    pub(crate) fn running(&self) -> Running {
        self.in_flight.inc();
        Running(self.in_flight.clone())
    }

    /// Counts a finished tool call; `outcome` is `ok`, or the kind of the error.
    pub(crate) fn called(&self, tool: &'static str, outcome: &'static str, took: Duration) {
        self.calls.get_or_create(&Call { tool, outcome }).inc();
        self.seconds.get_or_create(&Tool { tool }).observe(took.as_secs_f64());
    }

    /// Counts an answered HTTP request.
    pub(crate) fn requested(&self, route: &'static str, status: u16) {
        self.requests.get_or_create(&Request { route, status }).inc();
    }

    /// Sets how many sessions are open.
    pub(crate) fn sessions(&self, open: usize) {
        self.sessions.set(open as f64);
    }

    /// Returns all of them in the OpenMetrics text format.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A call that runs.
#[derive(Debug)]
pub(crate) struct Running(Gauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}
