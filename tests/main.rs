//! The integration suite: one binary, one module a subject.

mod architecture;
mod clients;
mod contracts;
mod harness;
mod stdio;
mod support;
mod workspace_clients;
