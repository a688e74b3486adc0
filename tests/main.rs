//! The integration suite: one binary, one module a subject.

// Clippy applies its rules for tests where it sees this.
#![cfg(test)]

mod architecture;
mod clients;
mod contracts;
mod harness;
mod stdio;
mod support;
mod workspace_clients;
