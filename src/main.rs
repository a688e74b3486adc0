//! The `lockstep` command.

use std::{io::IsTerminal, process::ExitCode};

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
        .with_writer(std::io::stderr)
        .with_filter(wanted.and(discreet));
    tracing_subscriber::registry().with(log).init();
    lockstep::cli::run()
}
