//! What a spreadsheet consists of.

use google_sheets4::api;

use crate::retry::{Call, Effect};
use crate::sheets::objects::Objects;
use crate::{Google, GridRange, Metadata, Result};

const GET: Call = Call::sheets("sheets.spreadsheets.get", Effect::Read);

/// Everything about the spreadsheet and its sheets, and no cell.
const FIELDS: &str = "spreadsheetId,spreadsheetUrl,properties(title,locale,timeZone),\
    sheets.properties(sheetId,title,index,sheetType,hidden,gridProperties(rowCount,columnCount,\
    frozenRowCount,frozenColumnCount)),sheets(merges,basicFilter.range,\
    protectedRanges(range,namedRangeId,tableId,description,warningOnly,requestingUserCanEdit,unprotectedRanges),\
    tables(tableId,name,range,rowsProperties.footerColorStyle)),namedRanges(namedRangeId,name,range),\
    developerMetadata(metadataId,metadataKey,metadataValue,location)";

/// A spreadsheet without its cells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spreadsheet {
    /// File id.
    pub id: String,
    /// Title.
    pub title: String,
    /// Address for people.
    pub url: String,
    /// Locale, e.g. `en_US`.
    pub locale: String,
    /// Time zone, e.g. `Europe/Berlin`.
    pub time_zone: String,
    /// The sheets, in order.
    pub sheets: Vec<Sheet>,
    /// The named ranges.
    pub named_ranges: Vec<NamedRange>,
    /// The metadata of the spreadsheet as a whole.
    pub metadata: Vec<Metadata>,
}

/// A sheet of a spreadsheet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sheet {
    /// Sheet id, unique in the spreadsheet and stable under renaming.
    pub id: i32,
    /// Title.
    pub title: String,
    /// Position among the sheets.
    pub index: u32,
    /// Rows of the grid.
    pub rows: u32,
    /// Columns of the grid.
    pub columns: u32,
    /// Whether people see it.
    pub hidden: bool,
    /// Rows that stay in view.
    pub frozen_rows: u32,
    /// Columns that stay in view.
    pub frozen_columns: u32,
    /// Whether it has cells at all: a chart sheet has none.
    pub has_grid: bool,
    /// What lies on it beside its cells; not told of a sheet that was just added.
    pub objects: Objects,
}

/// A name for a range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamedRange {
    /// Id of the named range.
    pub id: String,
    /// The name.
    pub name: String,
    /// What it names.
    pub range: GridRange,
}

impl Google {
    /// Returns a spreadsheet's properties, its sheets with what lies on them, and named ranges, in one read.
    pub async fn spreadsheet(&self, id: &str) -> Result<Spreadsheet> {
        self.may(GET.operation, id).await?;
        self.described(id).await
    }

    /// Returns the same, whether it may be touched or not.
    pub(crate) async fn described(&self, id: &str) -> Result<Spreadsheet> {
        let found = self
            .run(GET, |mut witness| async move {
                scoped!(self.shared.sheets.spreadsheets().get(id))
                    .param("fields", FIELDS)
                    .delegate(&mut witness)
                    .doit()
                    .await
            })
            .await?;
        Ok(found.1.into())
    }
}

impl From<api::Spreadsheet> for Spreadsheet {
    fn from(found: api::Spreadsheet) -> Self {
        let properties = found.properties.unwrap_or_default();
        let named_ranges: Vec<NamedRange> =
            found.named_ranges.into_iter().flatten().map(NamedRange::from).collect();
        let sheet = |mut sheet: api::Sheet| {
            let objects = Objects::of(&mut sheet, &named_ranges);
            Some(Sheet { objects, ..Sheet::from(sheet.properties?) })
        };
        Self {
            id: found.spreadsheet_id.unwrap_or_default(),
            title: properties.title.unwrap_or_default(),
            url: found.spreadsheet_url.unwrap_or_default(),
            locale: properties.locale.unwrap_or_default(),
            time_zone: properties.time_zone.unwrap_or_default(),
            sheets: found.sheets.into_iter().flatten().filter_map(sheet).collect(),
            named_ranges,
            metadata: found.developer_metadata.into_iter().flatten().map(Metadata::from).collect(),
        }
    }
}

impl From<api::SheetProperties> for Sheet {
    fn from(sheet: api::SheetProperties) -> Self {
        let has_grid = sheet.grid_properties.is_some()
            && sheet.sheet_type.as_deref().is_none_or(|kind| kind == "GRID");
        let grid = sheet.grid_properties.unwrap_or_default();
        // Zero and false are left out on the wire (google-wire 2.1).
        Self {
            id: sheet.sheet_id.unwrap_or(0),
            title: sheet.title.unwrap_or_default(),
            index: count(sheet.index),
            rows: count(grid.row_count),
            columns: count(grid.column_count),
            hidden: sheet.hidden.unwrap_or(false),
            frozen_rows: count(grid.frozen_row_count),
            frozen_columns: count(grid.frozen_column_count),
            has_grid,
            objects: Objects::default(),
        }
    }
}

impl From<api::NamedRange> for NamedRange {
    fn from(named: api::NamedRange) -> Self {
        Self {
            id: named.named_range_id.unwrap_or_default(),
            name: named.name.unwrap_or_default(),
            range: named.range.map(GridRange::from).unwrap_or_default(),
        }
    }
}

/// A count or index; what is left out on the wire is 0.
pub(crate) fn count(value: Option<i32>) -> u32 {
    value.and_then(|value| u32::try_from(value).ok()).unwrap_or(0)
}
