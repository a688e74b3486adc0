//! Developer metadata and the places it is anchored to.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Is one entry of developer metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) id: i32,
    pub(crate) key: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) value: String,
    /// `DOCUMENT` or `PROJECT`.
    pub(crate) visibility: String,
    pub(crate) location: Location,
}

/// Is what an entry is anchored to; the sheet is known by who keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Location {
    /// The whole spreadsheet.
    Spreadsheet,
    /// The whole sheet.
    Sheet,
    /// One row.
    Row(u32),
    /// One column.
    Column(u32),
}

impl Location {
    /// Returns the API's name of the kind of place.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Spreadsheet => "SPREADSHEET",
            Self::Sheet => "SHEET",
            Self::Row(_) => "ROW",
            Self::Column(_) => "COLUMN",
        }
    }

    fn json(self, sheet: i32) -> Value {
        let mut out = Map::new();
        out.insert("locationType".to_owned(), self.kind().into());
        match self {
            Self::Spreadsheet => {
                out.insert("spreadsheet".to_owned(), true.into());
            }
            Self::Sheet => {
                // One arm of a oneof: 0 is told.
                out.insert("sheetId".to_owned(), sheet.into());
            }
            Self::Row(index) | Self::Column(index) => {
                let mut range = Map::new();
                if sheet != 0 {
                    range.insert("sheetId".to_owned(), sheet.into());
                }
                let dimension = if matches!(self, Self::Row(_)) { "ROWS" } else { "COLUMNS" };
                range.insert("dimension".to_owned(), dimension.into());
                range.insert("startIndex".to_owned(), index.into());
                range.insert("endIndex".to_owned(), (index + 1).into());
                out.insert("dimensionRange".to_owned(), Value::Object(range));
            }
        }
        Value::Object(out)
    }
}

impl Metadata {
    /// Returns the DeveloperMetadata object of an entry kept by a sheet (any id for the book's own).
    pub(crate) fn json(&self, sheet: i32) -> Value {
        let mut out = json!({"metadataId": self.id, "metadataKey": self.key});
        if let Value::Object(map) = &mut out {
            if !self.value.is_empty() {
                map.insert("metadataValue".to_owned(), self.value.clone().into());
            }
            map.insert("location".to_owned(), self.location.json(sheet));
            map.insert("visibility".to_owned(), self.visibility.clone().into());
        }
        out
    }
}
