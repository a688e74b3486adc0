//! The integration suite: one binary, one module a subject.

// Clippy applies its rules for tests where it sees this.
#![cfg(test)]

mod abuse;
mod airports;
mod alerts;
mod architecture;
mod bad_input;
mod care;
mod clients;
mod company;
mod conflicts;
mod conformance;
mod consent;
mod contracts;
mod crash;
mod desk;
mod diff;
mod expectations;
mod files;
mod guarded_cells;
mod harness;
mod health;
mod http_auth;
mod http_replica;
mod http_server;
mod hub;
mod hub_crash;
mod hub_down;
mod hub_reads;
mod incremental;
mod install;
mod moving_rows;
#[cfg(feature = "remote-files")]
mod remote_files;
mod replicas;
mod rollback;
mod sheet_dress;
mod sheet_headers;
mod sheet_tables;
mod sheet_tools;
mod short;
mod simulation;
mod slow;
mod stage;
mod stdio;
mod stdio_calls;
mod storm;
mod support;
mod surface;
mod sync_one_way;
mod tasks;
mod telemetry;
mod torn;
mod town;
mod two_way;
mod verify;
mod watch;
mod web;
mod workspace_clients;
