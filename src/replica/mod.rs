//! Replicas: the copies that are kept in step. A connector gives access to one.
//!
//! Each connector scans (the whole replica as an engine snapshot, with what it
//! needs to write later) and applies changes. It decides nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) mod apply;
pub mod connections;
mod file_apply;
pub mod files;
pub(crate) mod header;
pub mod http;
pub mod ledger;
pub(crate) mod marker;
pub(crate) mod reach;
pub(crate) mod scan;
pub(crate) mod sheet;
mod sheet_anchor;
pub(crate) mod sheet_append;
pub(crate) mod sheet_area;
mod sheet_check;
mod sheet_columns;
mod sheet_dress;
mod sheet_examine;
mod sheet_frame;
mod sheet_layout;
mod sheet_moved;
mod sheet_ops;
mod sheet_picture;
mod sheet_plan;
mod sheet_recheck;
mod sheet_repair;
mod sheet_rounds;
mod sheet_rules;
mod sheet_settle;
mod sheet_shift;
pub(crate) mod sheet_space;
pub(crate) mod sheet_table;
pub(crate) mod sheet_types;
mod sheet_verify;
pub(crate) mod sheet_window;
mod sheet_wounds;
pub mod sql;

/// Where a replica is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Source {
    /// A CSV or TSV file under the allowed folder.
    File {
        /// The path, relative to the folder.
        path: String,
        /// The encoding's name; UTF-8, or what the byte order mark says, if not named.
        encoding: Option<String>,
    },
    /// A table on a sheet.
    Sheet {
        /// The spreadsheet's id or URL.
        spreadsheet: String,
        /// The sheet's title; the first one if not named.
        sheet: Option<String>,
        /// The header's row, from 1; the first that is not blank if not named.
        header_row: Option<u32>,
        /// Where the table stands, if it shares its sheet: cells, or the name of a range or table.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        range: Option<String>,
    },
    /// Rows that came with the call.
    Records {
        /// The rows, by column name.
        records: Vec<serde_json::Map<String, Value>>,
    },
}

#[cfg(test)]
mod tests;
