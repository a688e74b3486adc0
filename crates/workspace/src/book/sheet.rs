//! One sheet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Metadata;
use crate::grid::Grid;

/// Is the lists of a sheet that are kept as the API's own objects, by the name of their field, in
/// the order of the API.
pub(crate) const LISTS: [&str; 10] = [
    "merges",
    "conditionalFormats",
    "filterViews",
    "protectedRanges",
    "charts",
    "bandedRanges",
    "rowGroups",
    "columnGroups",
    "slicers",
    "tables",
];

/// Is one sheet: its properties, its cells and what lies on them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sheet {
    pub(crate) id: i32,
    /// SheetProperties as stored: without sheetId and index, and without the size of the grid.
    pub(crate) properties: Map<String, Value>,
    pub(crate) grid: Grid,
    /// DimensionProperties of rows that differ from the default.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) rows: BTreeMap<u32, Map<String, Value>>,
    /// DimensionProperties of columns that differ from the default.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) columns: BTreeMap<u32, Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) metadata: Vec<Metadata>,
    /// The objects of [`LISTS`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) lists: BTreeMap<String, Vec<Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) basic_filter: Option<Value>,
}

impl Sheet {
    /// Returns a blank sheet.
    pub(crate) fn new(id: i32, title: &str, rows: u32, columns: u32) -> Self {
        let mut properties = Map::new();
        properties.insert("title".to_owned(), title.into());
        properties.insert("sheetType".to_owned(), "GRID".into());
        Self {
            id,
            properties,
            grid: Grid::new(rows, columns),
            rows: BTreeMap::new(),
            columns: BTreeMap::new(),
            metadata: Vec::new(),
            lists: BTreeMap::new(),
            basic_filter: None,
        }
    }

    /// Returns the title.
    pub(crate) fn title(&self) -> &str {
        self.properties.get("title").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns whether the tab is hidden.
    pub(crate) fn is_hidden(&self) -> bool {
        self.properties.get("hidden") == Some(&Value::Bool(true))
    }

    /// Returns whether it has cells: charts on a tab of their own have none.
    pub(crate) fn is_grid(&self) -> bool {
        self.properties.get("sheetType").and_then(Value::as_str) != Some("OBJECT")
    }

    /// Returns the objects of one of [`LISTS`].
    pub(crate) fn list(&self, name: &str) -> &[Value] {
        self.lists.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns the objects of one of [`LISTS`], to be changed.
    pub(crate) fn list_mut(&mut self, name: &str) -> &mut Vec<Value> {
        self.lists.entry(name.to_owned()).or_default()
    }

    /// Returns the SheetProperties object, with its place among the tabs.
    pub(crate) fn properties_json(&self, index: usize) -> Value {
        let mut out = Map::new();
        out.insert("sheetId".to_owned(), self.id.into());
        let mut rest = self.properties.clone();
        let mut grid = rest.shift_remove("gridProperties");
        for name in ["title", "index", "sheetType", "gridProperties"] {
            match name {
                "index" => {
                    out.insert(name.to_owned(), index.into());
                }
                "gridProperties" if self.is_grid() => {
                    let mut shape = Map::new();
                    shape.insert("rowCount".to_owned(), self.grid.rows().into());
                    shape.insert("columnCount".to_owned(), self.grid.columns().into());
                    if let Some(Value::Object(more)) = grid.take() {
                        shape.extend(more);
                    }
                    out.insert(name.to_owned(), Value::Object(shape));
                }
                _ => {
                    if let Some(value) = rest.shift_remove(name) {
                        out.insert(name.to_owned(), value);
                    }
                }
            }
        }
        out.extend(rest);
        Value::Object(out)
    }
}
