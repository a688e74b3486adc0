//! Google Sheets and Drive for Lockstep: plain async functions, own plain types.
//!
//! This crate is the only place that knows `google-sheets4`, `google-drive3` and `yup-oauth2`. Every call goes
//! one way: a public function (`sheets/`, `drive/`) describes it as a `Call`, `run` takes it
//! through the quota gate, the time-out and the retries, and `classify` turns whatever went wrong
//! into an [`Error`] that says whether trying again is safe.
//!
//! The calls that carry cells use only the hub's HTTP client and token, not the generated types:
//! `spreadsheets.batchUpdate`, `values.batchGet`, and the grid form of `spreadsheets.get`. A
//! generated `Request` is 29,808 bytes and a generated `CellData` 2,960 (measured with
//! google-sheets4 7.0.0), so that one write of 2 MB would need hundreds of megabytes, and a values
//! read goes through a tree of JSON; our own types are written to and read from JSON directly.
//!
//! Rows, columns and sheet positions are zero-based, ends are exclusive.

/// Sets the fixed scopes on a call of a generated hub: the only way calls are made here.
macro_rules! scoped {
    ($call:expr) => {
        $call.clear_scopes().add_scopes(crate::client::SCOPES)
    };
}

mod allow;
mod auth;
mod calls;
mod cell;
mod classify;
mod client;
mod config;
mod connect;
mod delegate;
mod direct;
mod drive;
mod error;
mod id;
mod probe;
mod quota;
mod request;
mod retry;
mod sheets;
mod wait;

#[cfg(test)]
mod tests;

pub use allow::Access;
pub use auth::login::{Login, SignedIn};
pub use auth::tokens::TokenState;
pub use auth::{CredentialKind, Credentials, OAuthClient};
pub use calls::{Calls, Wait, WaitReason};
pub use cell::{CellValue, CellWrite, Input, MAX_CELL_CHARACTERS, NumberFormat, NumberKind};
pub use client::{Google, SCOPES as LEAST_SCOPES};
pub use config::{Auth, Backoff, Config, Limits, Quota, Secret, Timeouts};
pub use drive::about::About;
pub use drive::channel::Channel;
pub use drive::file::{File, FileKind};
pub use drive::find::{FilePage, FileQuery};
pub use error::{Error, Kind, Retry};
pub use id::parse_id;
pub use quota::ledger::{Ledger, LedgerError, LedgerFuture, SharedQuota};
pub use request::{
    CellFields, Dimension, GridRange, MAX_BATCH_BYTES, MAX_BATCH_REQUESTS, MetadataPlace,
    MetadataQuery, NewSheet, Paste, Request, SheetChange, SortKey,
};
pub use sheets::batch::{BatchReply, Reply};
pub use sheets::create::NewSpreadsheet;
pub use sheets::grid::{GridBlock, GridCell, GridParts};
pub use sheets::metadata::Metadata;
pub use sheets::objects::{Objects, Protection, Table};
pub use sheets::once::Marker;
pub use sheets::spreadsheet::{NamedRange, Sheet, Spreadsheet};
pub use sheets::validation::{Condition, Validation};
pub use sheets::values::{Render, TakeRows, ValueRange};
pub use wait::Allowance;

/// The result of every call of this crate.
pub type Result<T> = std::result::Result<T, Error>;
