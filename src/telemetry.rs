//! Traces and metrics for an OpenTelemetry collector (OTLP over HTTP), where the environment names one.
//!
//! Off unless `OTEL_EXPORTER_OTLP_ENDPOINT` (or the same for traces or metrics alone) is set; the SDK reads it, the headers,
//! the time-out and the resource from the variables that OpenTelemetry specifies. Only spans of our own crates are sent:
//! names of tools, datasets and Google's operations, durations and kinds of errors; never a cell, an argument or a log line.

use std::{collections::HashMap, time::Duration};

use opentelemetry::{propagation::TextMapPropagator, trace::TracerProvider};
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::{
    Resource, metrics::SdkMeterProvider, propagation::TraceContextPropagator,
    trace::SdkTracerProvider,
};
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::{MetricsLayer, OpenTelemetrySpanExt};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

/// What switches it on, each by itself.
const SWITCHES: [&str; 3] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
];

/// The target of the events that carry numbers instead of words.
const NUMBERS: &str = "lockstep::numbers";

/// How long the last spans may take to leave at the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// What sends spans and numbers.
#[derive(Debug)]
pub struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

impl Telemetry {
    /// Starts it, if the environment says where to; else, and where it cannot be started, returns `None` and why.
    ///
    /// # Errors
    /// The setting that cannot be carried out, in words.
    pub fn start() -> Result<Option<Self>, String> {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let disabled = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value == "true");
        if disabled || !SWITCHES.into_iter().any(set) {
            return Ok(None);
        }
        if let Ok(protocol) = std::env::var("OTEL_EXPORTER_OTLP_PROTOCOL")
            && protocol != "http/protobuf"
        {
            return Err(format!(
                "OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}: only http/protobuf is spoken"
            ));
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let resource = Resource::builder()
            .with_service_name(
                std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| "lockstep".into()),
            )
            .build();
        let spans = SpanExporter::builder().with_http().build().map_err(|e| e.to_string())?;
        let numbers = MetricExporter::builder().with_http().build().map_err(|e| e.to_string())?;
        Ok(Some(Self {
            traces: SdkTracerProvider::builder()
                .with_resource(resource.clone())
                .with_batch_exporter(spans)
                .build(),
            metrics: SdkMeterProvider::builder()
                .with_resource(resource)
                .with_periodic_exporter(numbers)
                .build(),
        }))
    }

    /// Returns what listens to spans and numbers.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let ours = |seen: &Metadata<'_>| seen.is_span() && seen.target().starts_with("lockstep");
        let numbers = |seen: &Metadata<'_>| seen.target() == NUMBERS;
        let traces = tracing_opentelemetry::layer()
            .with_tracer(self.traces.tracer("lockstep"))
            .with_location(false)
            .with_threads(false)
            .with_filter(filter_fn(ours));
        let metrics = MetricsLayer::new(self.metrics.clone()).with_filter(filter_fn(numbers));
        traces.and_then(metrics)
    }

    /// Sends what is left, for at most a moment.
    pub fn stop(self) {
        // What a collector does not take by then is lost; the exit does not wait for it.
        let _ = self.traces.shutdown_with_timeout(PATIENCE);
        let _ = self.metrics.shutdown_with_timeout(PATIENCE);
    }
}

/// Makes a span part of the trace that a request names in its `_meta` (W3C Trace Context).
pub(crate) fn follow(span: &Span, parent: Option<&str>, state: Option<&str>) {
    let Some(parent) = parent else { return };
    let named = [("traceparent", Some(parent)), ("tracestate", state)];
    let carrier: HashMap<String, String> = named
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    // Without a collector there is nothing to be part of.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
}
