//! Lockstep keeps datasets in step between Google Sheets and everything else.
//!
//! # The map
//! Uses go one way, from left to right; nothing calls back up:
//! `main > cli > app > server > web > tools > watch > alerts > health > sync > replica > {google, store} > engine`.
//! [`secrets`], [`redact`], [`error`], [`changes`], [`clock`], [`consent`], [`principal`], [`progress`], [`telemetry`], `uri` and `halt` (for tests) are leaves that
//! everything may use.
//! `tests/architecture.rs` reads the `use` lines and enforces it.
//!
//! - [`cli`]: the commands. [`app`]: puts the parts together. [`config`]: settings.
//! - [`server`]: MCP over stdio and HTTP. [`tools`]: the MCP tools.
//! - `web`: pages for people, which the server mounts.
//! - [`watch`]: datasets that are kept in step by events, with their queue.
//! - [`alerts`]: people are told when a dataset needs them. `health`: how well datasets are kept in step, in numbers.
//! - [`sync`]: the imperative shell of a sync run.
//! - [`store`]: what both sides last agreed on, plans, journal, leases and audit, in SQLite.
//! - [`replica`]: one copy of a dataset: a sheet, a file, inline records.
//!
//! ARCHITECTURE.md walks through the two main routes.

pub mod alerts;
pub mod app;
pub mod changes;
pub mod cli;
pub mod clock;
pub mod config;
pub mod consent;
pub mod error;
mod halt;
mod health;
pub mod principal;
pub mod progress;
pub mod redact;
pub mod replica;
pub mod secrets;
pub mod server;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod tools;
mod uri;
pub mod watch;
mod web;
