//! The `lockstep` command.

use std::{io::IsTerminal, process::ExitCode};

use lockstep::{redact::Masked, telemetry::Telemetry};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer, filter::FilterExt, filter::filter_fn, fmt, layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Crates that log secrets or cell contents when they are asked for details.
const DISCREET: [&str; 2] = ["yup_oauth2", "rmcp"];

fn main() -> ExitCode {
    let wanted = EnvFilter::try_from_env("LOCKSTEP_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,lockstep=info"));
    let discreet = filter_fn(|event: &Metadata<'_>| {
        *event.level() <= Level::WARN
            || !DISCREET.iter().any(|name| event.target().starts_with(name))
    });
    // stdout belongs to the protocol.
    let log = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(|| Masked::new(std::io::stderr()))
        .with_filter(wanted.and(discreet));
    let telemetry = Telemetry::start();
    let sent = telemetry.as_ref().ok().and_then(Option::as_ref).map(Telemetry::layer);
    tracing_subscriber::registry().with(log).with(sent).init();
    let telemetry = telemetry.unwrap_or_else(|why| {
        tracing::warn!("no traces and metrics are sent: {why}");
        None
    });
    let code = lockstep::cli::run();
    if let Some(telemetry) = telemetry {
        telemetry.stop();
    }
    code
}
