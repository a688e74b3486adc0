//! The JSON of a [`Request`], written without an intermediate tree.

use std::io;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{
    CellFields, Dimension, GridRange, MetadataPlace, MetadataQuery, NewSheet, Request, SheetChange,
    SortKey,
};
use crate::CellWrite;
use crate::cell::Formatted;

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
            Self::UpdateCells {
                sheet,
                row,
                column,
                rows,
                fields,
            } => Wire::UpdateCells {
                start: Start {
                    sheet_id: *sheet,
                    row_index: *row,
                    column_index: *column,
                },
                rows: Rows(rows),
                fields: fields.wire(),
            },
            Self::AppendCells {
                sheet,
                rows,
                fields,
            } => Wire::AppendCells {
                sheet_id: *sheet,
                rows: Rows(rows),
                fields: fields.wire(),
            },
            Self::AppendDimension {
                sheet,
                dimension,
                length,
            } => Wire::AppendDimension {
                sheet_id: *sheet,
                dimension: dimension.wire(),
                length: *length,
            },
            Self::InsertDimension {
                sheet,
                dimension,
                start,
                end,
                inherit_from_before,
            } => Wire::InsertDimension {
                range: Span::new(*sheet, *dimension, *start, *end),
                inherit_from_before: *inherit_from_before,
            },
            Self::DeleteDimension {
                sheet,
                dimension,
                start,
                end,
            } => Wire::DeleteDimension {
                range: Span::new(*sheet, *dimension, *start, *end),
            },
            Self::AddSheet(sheet) => Wire::AddSheet {
                properties: sheet.into(),
            },
            Self::DeleteSheet { sheet } => Wire::DeleteSheet { sheet_id: *sheet },
            Self::UpdateSheet { sheet, change } => Wire::UpdateSheetProperties {
                fields: change.mask(),
                properties: change.wire(*sheet),
            },
            Self::RepeatFormat { range, format } => Wire::RepeatCell {
                range: range.into(),
                cell: FormatCell {
                    user_entered_format: Formatted { format },
                },
                fields: "userEnteredFormat.numberFormat",
            },
            Self::SortRange { range, keys } => Wire::SortRange {
                range: range.into(),
                sort_specs: keys.iter().map(Sort::from).collect(),
            },
            Self::CreateMetadata {
                id,
                key,
                value,
                place,
            } => Wire::CreateDeveloperMetadata {
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
                data_filter: Filter {
                    developer_metadata_lookup: query.into(),
                },
            },
        }
        .serialize(serializer)
    }
}

impl Dimension {
    fn wire(self) -> &'static str {
        match self {
            Self::Rows => "ROWS",
            Self::Columns => "COLUMNS",
        }
    }
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
struct Span {
    sheet_id: i32,
    dimension: &'static str,
    start_index: u32,
    end_index: u32,
}

impl Span {
    fn new(sheet_id: i32, dimension: Dimension, start_index: u32, end_index: u32) -> Self {
        Self {
            sheet_id,
            dimension: dimension.wire(),
            start_index,
            end_index,
        }
    }
}

#[derive(serde::Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Sheet<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sheet_id: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grid_properties: Option<Grid>,
}

#[derive(serde::Serialize, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Grid {
    #[serde(skip_serializing_if = "Option::is_none")]
    row_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frozen_row_count: Option<u32>,
}

impl Grid {
    fn some(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

impl<'a> From<&'a NewSheet> for Sheet<'a> {
    fn from(sheet: &'a NewSheet) -> Self {
        let frozen = (sheet.frozen_rows > 0).then_some(sheet.frozen_rows);
        Self {
            sheet_id: sheet.id,
            title: Some(&sheet.title),
            grid_properties: Grid {
                row_count: sheet.rows,
                column_count: sheet.columns,
                frozen_row_count: frozen,
            }
            .some(),
            ..Self::default()
        }
    }
}

impl SheetChange {
    fn wire(&self, sheet_id: i32) -> Sheet<'_> {
        Sheet {
            sheet_id: Some(sheet_id),
            title: self.title.as_deref(),
            index: self.index,
            hidden: self.hidden,
            grid_properties: Grid {
                row_count: self.rows,
                column_count: self.columns,
                frozen_row_count: self.frozen_rows,
            }
            .some(),
        }
    }

    fn mask(&self) -> String {
        [
            (self.title.is_some(), "title"),
            (self.index.is_some(), "index"),
            (self.hidden.is_some(), "hidden"),
            (self.rows.is_some(), "gridProperties.rowCount"),
            (self.columns.is_some(), "gridProperties.columnCount"),
            (self.frozen_rows.is_some(), "gridProperties.frozenRowCount"),
        ]
        .iter()
        .filter(|(given, _)| *given)
        .map(|(_, path)| *path)
        .collect::<Vec<_>>()
        .join(",")
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Range {
    sheet_id: i32,
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
            sort_order: if key.descending {
                "DESCENDING"
            } else {
                "ASCENDING"
            },
        }
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct NewMetadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_id: Option<i32>,
    metadata_key: &'a str,
    metadata_value: &'a str,
    location: Location,
    visibility: &'static str,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
enum Location {
    Spreadsheet(bool),
    SheetId(i32),
    DimensionRange(Span),
}

impl From<MetadataPlace> for Location {
    fn from(place: MetadataPlace) -> Self {
        let line = |sheet, dimension, index: u32| {
            Self::DimensionRange(Span::new(sheet, dimension, index, index.saturating_add(1)))
        };
        match place {
            MetadataPlace::Spreadsheet => Self::Spreadsheet(true),
            MetadataPlace::Sheet { sheet } => Self::SheetId(sheet),
            MetadataPlace::Row { sheet, index } => line(sheet, Dimension::Rows, index),
            MetadataPlace::Column { sheet, index } => line(sheet, Dimension::Columns, index),
        }
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter<'a> {
    developer_metadata_lookup: Lookup<'a>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Lookup<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_id: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_value: Option<&'a str>,
}

impl<'a> From<&'a MetadataQuery> for Lookup<'a> {
    fn from(query: &'a MetadataQuery) -> Self {
        Self {
            metadata_id: query.id,
            metadata_key: query.key.as_deref(),
            metadata_value: query.value.as_deref(),
        }
    }
}
