//! The integration suite: one binary, one module a subject.

// Clippy applies its rules for tests where it sees this.
#![cfg(test)]

mod architecture;
mod bad_input;
mod clients;
mod contracts;
mod diff;
mod harness;
mod moving_rows;
mod sheet_tools;
mod stdio;
mod stdio_calls;
mod support;
mod sync_one_way;
mod workspace_clients;
