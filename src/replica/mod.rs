//! Replicas: the copies that are kept in step. A connector gives access to one.
//!
//! Each connector scans (the whole replica as an engine snapshot, with what it
//! needs to write later) and applies changes. It decides nothing.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) mod apply;
pub mod connections;
pub mod file;
pub(crate) mod header;
pub mod http;
pub mod ledger;
pub(crate) mod marker;
pub(crate) mod part;
pub(crate) mod reach;
pub(crate) mod review;
pub(crate) mod scan;
pub(crate) mod sheet;
mod sheet_aim;
pub(crate) mod sheet_anchor;
pub(crate) mod sheet_append;
pub(crate) mod sheet_area;
pub(crate) mod sheet_cells;
mod sheet_check;
mod sheet_columns;
mod sheet_cut;
mod sheet_dress;
mod sheet_ends;
mod sheet_examine;
mod sheet_frame;
mod sheet_layout;
mod sheet_mend;
mod sheet_moved;
mod sheet_ops;
mod sheet_packed;
mod sheet_part;
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
mod sheet_tag;
pub(crate) mod sheet_types;
mod sheet_verify;
pub(crate) mod sheet_window;
mod sheet_wounds;
pub mod sql;

/// Where a replica is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Source {
    /// A file in an allowed folder.
    File(file::FileSource),
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
    /// A table or view of a database that the operator named, or what a query of it returns.
    Table {
        /// The connection's name.
        connection: String,
        /// The table or view, `table` or `schema.table`; none if a query is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        table: Option<String>,
        /// A single reading statement; what it returns can only be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        query: Option<String>,
        /// The column that only grows when a row is added or changed, to read on from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<String>,
        /// What happens when the database refuses a row.
        #[serde(default)]
        on_error: OnError,
    },
    /// Items of an API that the operator named.
    Api {
        /// The connection's name.
        connection: String,
        /// The resource, as the operator described it.
        resource: String,
    },
    /// Rows that came with the call.
    Records {
        /// The rows, by column name.
        records: Vec<serde_json::Map<String, Value>>,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => {
                let folder = file.connection.iter().map(|name| format!("{name}:"));
                let sheet = file.sheet.iter().map(|sheet| format!(", sheet {sheet}"));
                write!(
                    f,
                    "file {}{}{}",
                    folder.collect::<String>(),
                    file.path,
                    sheet.collect::<String>()
                )
            }
            Self::Sheet { spreadsheet, sheet, range, .. } => {
                let parts = sheet.iter().chain(range).map(|part| format!(", {part}"));
                write!(f, "spreadsheet {spreadsheet}{}", parts.collect::<String>())
            }
            Self::Table { connection, table, .. } => {
                write!(f, "{connection}, {}", table.as_deref().unwrap_or("a query"))
            }
            Self::Api { connection, resource } => write!(f, "{connection}, {resource}"),
            Self::Records { .. } => f.write_str("rows of the call"),
        }
    }
}

/// What happens to a batch when the replica refuses a row of it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub(crate) enum OnError {
    /// The whole batch is taken back, and the error names the row.
    #[default]
    Rollback,
    /// The row is left out and reported; the rest is written.
    Skip,
}

#[cfg(test)]
mod tests;
