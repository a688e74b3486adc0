//! What lies on a sheet beside its cells: merges, protections, tables, the filter.

use google_sheets4::api;

use crate::{GridRange, NamedRange};

/// The objects of a sheet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Objects {
    /// Cells that are merged into one; the first of them holds the value.
    pub merges: Vec<GridRange>,
    /// What is protected against edits.
    pub protections: Vec<Protection>,
    /// The tables.
    pub tables: Vec<Table>,
    /// What the basic filter is over.
    pub filter: Option<GridRange>,
}

/// A protected range, or a protected sheet: a range that is open on all sides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Protection {
    /// What people call it; may be empty.
    pub description: String,
    /// What is protected.
    pub range: GridRange,
    /// What is not, of a protected sheet.
    pub unprotected: Vec<GridRange>,
    /// Whether edits only show a warning; through the API they are taken.
    pub warning_only: bool,
    /// Whether the account in use may edit it.
    pub editable: bool,
}

/// A table: a named range with a header row, typed columns and maybe a footer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The id.
    pub id: String,
    /// The name, unique in the spreadsheet.
    pub name: String,
    /// The range, with header and footer.
    pub range: GridRange,
    /// Whether its last row is a footer.
    pub footer: bool,
}

impl Objects {
    /// Takes the objects of a sheet; a protection may name a range or a table instead of having a range of its own.
    pub(super) fn of(sheet: &mut api::Sheet, named: &[NamedRange]) -> Self {
        let tables: Vec<Table> =
            sheet.tables.take().into_iter().flatten().map(Table::from).collect();
        let protection = |found: api::ProtectedRange| {
            let by_name = || {
                let id = found.named_range_id.as_deref()?;
                named.iter().find(|named| named.id == id).map(|named| named.range)
            };
            let by_table = || {
                let id = found.table_id.as_deref()?;
                tables.iter().find(|table| table.id == id).map(|table| table.range)
            };
            let own = found.range.map(GridRange::from);
            Protection {
                range: own.or_else(by_name).or_else(by_table).unwrap_or_default(),
                description: found.description.unwrap_or_default(),
                unprotected: ranges(found.unprotected_ranges),
                warning_only: found.warning_only.unwrap_or(false),
                editable: found.requesting_user_can_edit.unwrap_or(false),
            }
        };
        let protections = sheet.protected_ranges.take().into_iter().flatten().map(protection);
        Self {
            protections: protections.collect(),
            merges: ranges(sheet.merges.take()),
            filter: sheet.basic_filter.take().and_then(|filter| filter.range).map(GridRange::from),
            tables,
        }
    }
}

fn ranges(found: Option<Vec<api::GridRange>>) -> Vec<GridRange> {
    found.into_iter().flatten().map(GridRange::from).collect()
}

impl From<api::Table> for Table {
    fn from(table: api::Table) -> Self {
        let footer = table.rows_properties.and_then(|rows| rows.footer_color_style).is_some();
        Self {
            id: table.table_id.unwrap_or_default(),
            name: table.name.unwrap_or_default(),
            range: table.range.map(GridRange::from).unwrap_or_default(),
            footer,
        }
    }
}

impl From<api::GridRange> for GridRange {
    fn from(range: api::GridRange) -> Self {
        let bound = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
        Self {
            sheet: range.sheet_id.unwrap_or(0),
            start_row: bound(range.start_row_index),
            end_row: bound(range.end_row_index),
            start_column: bound(range.start_column_index),
            end_column: bound(range.end_column_index),
        }
    }
}
