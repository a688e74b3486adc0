//! The same program with the fixtures of the protocol's conformance suite (feature `conformance`), beside the real one.

use std::process::ExitCode;

fn main() -> ExitCode {
    lockstep::cli::run()
}
