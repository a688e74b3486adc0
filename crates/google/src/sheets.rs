//! Calls of the Sheets service.

pub(crate) mod batch;
pub(crate) mod create;
pub(crate) mod grid;
pub(crate) mod metadata;
pub(crate) mod objects;
pub(crate) mod once;
pub(crate) mod spreadsheet;
pub(crate) mod validation;
pub(crate) mod values;
