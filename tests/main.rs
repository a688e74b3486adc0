//! The integration suite: one binary, one module a subject.

// Clippy applies its rules for tests where it sees this.
#![cfg(test)]

mod architecture;
mod bad_input;
mod care;
mod clients;
mod contracts;
mod crash;
mod diff;
mod harness;
mod moving_rows;
mod rollback;
mod sheet_dress;
mod sheet_tables;
mod sheet_tools;
mod simulation;
mod stdio;
mod stdio_calls;
mod storm;
mod support;
mod sync_one_way;
mod town;
mod two_way;
mod workspace_clients;
