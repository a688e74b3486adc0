//! The `lockstep` command.

use std::{io::IsTerminal, process::ExitCode};

use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // stdout belongs to the protocol. The Google crates log tokens at debug level: never let them.
    let mut filter = EnvFilter::try_from_env("LOCKSTEP_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,lockstep=info"));
    for quiet in ["yup_oauth2=warn", "rmcp=warn"] {
        if let Ok(directive) = quiet.parse() {
            filter = filter.add_directive(directive);
        }
    }
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    lockstep::cli::run()
}
