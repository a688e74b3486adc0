//! Ranges of cells, rows and columns.

use crate::request::{Dimension, GridRange};

impl Dimension {
    pub(super) fn wire(self) -> &'static str {
        match self {
            Self::Rows => "ROWS",
            Self::Columns => "COLUMNS",
        }
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span {
    pub(super) sheet_id: i32,
    dimension: &'static str,
    start_index: u32,
    end_index: u32,
}

impl Span {
    pub(super) fn new(
        sheet_id: i32,
        dimension: Dimension,
        start_index: u32,
        end_index: u32,
    ) -> Self {
        Self { sheet_id, dimension: dimension.wire(), start_index, end_index }
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Range {
    pub(super) sheet_id: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_row_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_row_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column_index: Option<u32>,
}

impl From<&GridRange> for Range {
    fn from(range: &GridRange) -> Self {
        Self {
            sheet_id: range.sheet,
            start_row_index: range.start_row,
            end_row_index: range.end_row,
            start_column_index: range.start_column,
            end_column_index: range.end_column,
        }
    }
}
