//! A spreadsheet without its cells: properties, sheets, ranges, formats and metadata.

mod create;
mod formats;
mod metadata;
mod normal;
mod remap;
mod sheet;

pub(crate) use create::{COLUMNS, ROWS, blank, copy, new_id, new_sheet_id, sheet_title};
pub(crate) use formats::Formats;
pub(crate) use metadata::{Location, Metadata};
pub(crate) use normal::{default_format, normalize, theme_colors};
pub(crate) use remap::{Axis, Remap, Shift, remap_ranges};
pub(crate) use sheet::{LISTS, Sheet};

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::http::ApiError;

/// Is a spreadsheet. Cloning is cheap; a changed copy shares what was not changed, and the store
/// writes only what is no longer shared.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    pub(crate) id: String,
    pub(crate) head: Arc<Head>,
    /// The sheets, in the order of their tabs.
    pub(crate) sheets: Vec<Arc<Sheet>>,
}

/// Is what belongs to the spreadsheet as a whole.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The sheet ids, in the order of their tabs; kept equal to `Book::sheets`.
    pub(crate) order: Vec<i32>,
    /// SpreadsheetProperties, without the default format and theme.
    pub(crate) properties: Map<String, Value>,
    /// NamedRange objects.
    pub(crate) named_ranges: Vec<Value>,
    /// Metadata of the spreadsheet itself; that of sheets, rows and columns is with the sheet.
    pub(crate) metadata: Vec<Metadata>,
    /// The cell formats in use, by number.
    pub(crate) formats: Formats,
}

impl Book {
    /// Returns the title.
    pub(crate) fn title(&self) -> &str {
        self.text("title")
    }

    /// Returns the locale, as `en_US`.
    pub(crate) fn locale(&self) -> &str {
        self.text("locale")
    }

    /// Returns the time zone, as `Etc/GMT`.
    pub(crate) fn time_zone(&self) -> &str {
        self.text("timeZone")
    }

    /// Sets the title.
    pub(crate) fn set_title(&mut self, title: &str) {
        self.head_mut().properties.insert("title".to_owned(), title.into());
    }

    fn text(&self, name: &str) -> &str {
        self.head.properties.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the head, to be changed.
    pub(crate) fn head_mut(&mut self) -> &mut Head {
        Arc::make_mut(&mut self.head)
    }

    /// Returns a sheet by id.
    pub(crate) fn sheet(&self, id: i32) -> Option<&Sheet> {
        self.sheet_arc(id).map(|sheet| &**sheet)
    }

    /// Returns a sheet by id, shared.
    pub(crate) fn sheet_arc(&self, id: i32) -> Option<&Arc<Sheet>> {
        self.sheets.iter().find(|sheet| sheet.id == id)
    }

    /// Returns a sheet by title; titles differ in case like Google's do not.
    pub(crate) fn sheet_titled(&self, title: &str) -> Option<&Sheet> {
        let lower = title.to_lowercase();
        self.sheets
            .iter()
            .find(|sheet| sheet.title() == title)
            .or_else(|| self.sheets.iter().find(|sheet| sheet.title().to_lowercase() == lower))
            .map(|sheet| &**sheet)
    }

    /// Returns a sheet, to be changed.
    pub(crate) fn sheet_mut(&mut self, id: i32) -> Result<&mut Sheet, ApiError> {
        self.sheets
            .iter_mut()
            .find(|sheet| sheet.id == id)
            .map(Arc::make_mut)
            .ok_or_else(|| ApiError::invalid(format!("No grid with id: {id}")))
    }

    /// Writes the order of the sheets into the head, after sheets came, went or moved.
    pub(crate) fn note_order(&mut self) {
        let order = self.sheets.iter().map(|sheet| sheet.id).collect();
        self.head_mut().order = order;
    }

    /// Returns the number of cells of all grids.
    pub(crate) fn cell_count(&self) -> u64 {
        self.sheets
            .iter()
            .map(|sheet| u64::from(sheet.grid.rows()) * u64::from(sheet.grid.columns()))
            .sum()
    }
}
