//! The JSON of a [`Request`], written without an intermediate tree.

mod metadata;
mod range;
mod sheet;

use std::io;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{CellFields, Dimension, Paste, Request, SortKey};
use crate::CellWrite;
use crate::cell::Formatted;
use metadata::{Filter, NewMetadata};
use range::{Range, Span};
use sheet::Sheet;

/// Bytes of the JSON of `request`.
pub(super) fn size(request: &Request) -> usize {
    let mut counter = Counter(0);
    // Writing to a counter cannot fail, and no map key is anything but a string.
    let _ = serde_json::to_writer(&mut counter, request);
    counter.0
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
enum Wire<'a> {
    #[serde(rename_all = "camelCase")]
    UpdateCells {
        start: Start,
        rows: Rows<'a>,
        fields: &'static str,
    },
    #[serde(rename_all = "camelCase")]
    AppendCells {
        sheet_id: i32,
        rows: Rows<'a>,
        fields: &'static str,
    },
    #[serde(rename_all = "camelCase")]
    AppendDimension {
        sheet_id: i32,
        dimension: &'static str,
        length: u32,
    },
    #[serde(rename_all = "camelCase")]
    InsertDimension {
        range: Span,
        inherit_from_before: bool,
    },
    DeleteDimension {
        range: Span,
    },
    #[serde(rename_all = "camelCase")]
    InsertRange {
        range: Range,
        shift_dimension: &'static str,
    },
    #[serde(rename_all = "camelCase")]
    DeleteRange {
        range: Range,
        shift_dimension: &'static str,
    },
    #[serde(rename_all = "camelCase")]
    CopyPaste {
        source: Range,
        destination: Range,
        paste_type: &'static str,
    },
    #[serde(rename_all = "camelCase")]
    UpdateNamedRange {
        named_range: Named<'a>,
        fields: &'static str,
    },
    UpdateTable {
        table: Named<'a>,
        fields: &'static str,
    },
    AddSheet {
        properties: Sheet<'a>,
    },
    #[serde(rename_all = "camelCase")]
    DeleteSheet {
        sheet_id: i32,
    },
    UpdateSheetProperties {
        properties: Sheet<'a>,
        fields: String,
    },
    RepeatCell {
        range: Range,
        cell: FormatCell<'a>,
        fields: &'static str,
    },
    #[serde(rename_all = "camelCase")]
    SortRange {
        range: Range,
        sort_specs: Vec<Sort>,
    },
    #[serde(rename_all = "camelCase")]
    CreateDeveloperMetadata {
        developer_metadata: NewMetadata<'a>,
    },
    #[serde(rename_all = "camelCase")]
    DeleteDeveloperMetadata {
        data_filter: Filter<'a>,
    },
}

impl CellFields {
    fn wire(self) -> &'static str {
        match self {
            Self::Values => "userEnteredValue",
            Self::ValuesAndFormats => "userEnteredValue,userEnteredFormat.numberFormat",
        }
    }
}

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Dress(request) => return request.serialize(serializer),
            Self::UpdateCells { sheet, row, column, rows, fields } => Wire::UpdateCells {
                start: Start { sheet_id: *sheet, row_index: *row, column_index: *column },
                rows: Rows(rows),
                fields: fields.wire(),
            },
            Self::AppendCells { sheet, rows, fields } => {
                Wire::AppendCells { sheet_id: *sheet, rows: Rows(rows), fields: fields.wire() }
            }
            Self::AppendDimension { sheet, dimension, length } => Wire::AppendDimension {
                sheet_id: *sheet,
                dimension: dimension.wire(),
                length: *length,
            },
            Self::InsertDimension { sheet, dimension, start, end, inherit_from_before } => {
                Wire::InsertDimension {
                    range: Span::new(*sheet, *dimension, *start, *end),
                    inherit_from_before: *inherit_from_before,
                }
            }
            Self::DeleteDimension { sheet, dimension, start, end } => {
                Wire::DeleteDimension { range: Span::new(*sheet, *dimension, *start, *end) }
            }
            Self::InsertRange { range } => {
                Wire::InsertRange { range: range.into(), shift_dimension: Dimension::Rows.wire() }
            }
            Self::DeleteRange { range } => {
                Wire::DeleteRange { range: range.into(), shift_dimension: Dimension::Rows.wire() }
            }
            Self::CopyPaste { source, target, paste } => Wire::CopyPaste {
                source: source.into(),
                destination: target.into(),
                paste_type: match paste {
                    Paste::Formulas => "PASTE_FORMULA",
                    Paste::Formats => "PASTE_FORMAT",
                    Paste::Validation => "PASTE_DATA_VALIDATION",
                },
            },
            Self::MoveNamedRange { id, range } => Wire::UpdateNamedRange {
                named_range: Named {
                    named_range_id: Some(id),
                    table_id: None,
                    range: range.into(),
                },
                fields: "range",
            },
            Self::MoveTable { id, range } => Wire::UpdateTable {
                table: Named { named_range_id: None, table_id: Some(id), range: range.into() },
                fields: "range",
            },
            Self::AddSheet(sheet) => Wire::AddSheet { properties: sheet.into() },
            Self::DeleteSheet { sheet } => Wire::DeleteSheet { sheet_id: *sheet },
            Self::UpdateSheet { sheet, change } => Wire::UpdateSheetProperties {
                fields: change.mask(),
                properties: change.wire(*sheet),
            },
            Self::RepeatFormat { range, format } => Wire::RepeatCell {
                range: range.into(),
                cell: FormatCell { user_entered_format: Formatted { format } },
                fields: "userEnteredFormat.numberFormat",
            },
            Self::SortRange { range, keys } => Wire::SortRange {
                range: range.into(),
                sort_specs: keys.iter().map(Sort::from).collect(),
            },
            Self::CreateMetadata { id, key, value, place } => Wire::CreateDeveloperMetadata {
                developer_metadata: NewMetadata {
                    metadata_id: *id,
                    metadata_key: key,
                    metadata_value: value,
                    location: (*place).into(),
                    // Visible to any client: another installation must be able to recover.
                    visibility: "DOCUMENT",
                },
            },
            Self::DeleteMetadata(query) => Wire::DeleteDeveloperMetadata {
                data_filter: Filter { developer_metadata_lookup: query.into() },
            },
        }
        .serialize(serializer)
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Named<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    named_range_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table_id: Option<&'a str>,
    range: Range,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    sheet_id: i32,
    row_index: u32,
    column_index: u32,
}

struct Rows<'a>(&'a [Vec<CellWrite>]);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.len()))?;
        for cells in self.0 {
            rows.serialize_element(&Row(cells))?;
        }
        rows.end()
    }
}

struct Row<'a>(&'a [CellWrite]);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("values", self.0)?;
        map.end()
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct FormatCell<'a> {
    user_entered_format: Formatted<'a>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Sort {
    dimension_index: u32,
    sort_order: &'static str,
}

impl From<&SortKey> for Sort {
    fn from(key: &SortKey) -> Self {
        Self {
            dimension_index: key.column,
            sort_order: if key.descending { "DESCENDING" } else { "ASCENDING" },
        }
    }
}
