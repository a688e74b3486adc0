//! Lockstep keeps datasets in step between Google Sheets and everything else.
//!
//! # The map
//! Uses go one way, from left to right; nothing calls back up:
//! `main > cli > app > server > tools > sync > replica > {google, store} > engine`.
//! [`error`], [`clock`] and [`progress`] are leaves that everything may use.
//! `tests/architecture.rs` reads the `use` lines and enforces it.
//!
//! - [`cli`]: the commands. [`app`]: puts the parts together. [`config`]: settings.
//! - [`server`]: MCP over stdio. [`tools`]: the MCP tools.
//! - [`sync`]: the imperative shell of a sync run.
//! - [`store`]: what is remembered: definitions, bases, plans, the journal, the audit.
//! - [`replica`]: one copy of a dataset: a sheet, a file, inline records.
//!
//! ARCHITECTURE.md walks through the two main routes.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod progress;
pub mod replica;
pub mod server;
#[cfg_attr(not(test), expect(dead_code, reason = "the sync shell moves onto the store"))]
#[expect(unused_imports, reason = "the sync shell moves onto the store")]
pub mod store;
pub mod sync;
pub mod tools;
