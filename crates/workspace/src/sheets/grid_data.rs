//! Cells as GridData: only the fields that the mask takes are made.

use lockstep_a1::Rect;
use serde_json::{Map, Value, json};

use super::digits::number_value;
use super::ranges::Range;
use super::render::{Options, Render, Style};
use crate::book::{Book, Location, Sheet, default_format};
use crate::fields::Mask;
use crate::grid::{CellView, ScalarView};
use crate::http::ApiError;
use crate::store::Session;

/// Is the height of a row that nobody changed, in pixels (recorded).
pub(crate) const ROW_PIXELS: u32 = 21;
/// Is the width of a column that nobody changed, in pixels (recorded).
pub(crate) const COLUMN_PIXELS: u32 = 100;

/// Tells the cells of one sheet.
pub(crate) struct GridData<'a> {
    book: &'a Book,
    sheet: &'a Sheet,
    mask: &'a Mask,
    style: Style,
}

impl<'a> GridData<'a> {
    /// Returns a teller for a sheet; the mask is that of GridData.
    pub(crate) fn new(book: &'a Book, sheet: &'a Sheet, mask: &'a Mask) -> Self {
        let options = Options { render: Render::Formatted, format_dates: false, columns: false };
        Self { book, sheet, mask, style: Style::new(book, options) }
    }

    /// Returns the GridData object of a range.
    pub(crate) fn tell(
        mut self,
        session: &mut Session<'_>,
        range: &Range,
    ) -> Result<Value, ApiError> {
        let rect = range.inside(self.sheet)?;
        let mut out = Map::new();
        for (name, start) in [("startRow", rect.start_row), ("startColumn", rect.start_column)] {
            if start > 0 && self.mask.child(name).is_some() {
                out.insert(name.to_owned(), start.into());
            }
        }
        if self.mask.child("rowData").is_some() {
            let rows = self.rows(session, rect)?;
            if !rows.is_empty() {
                out.insert("rowData".to_owned(), Value::Array(rows));
            }
        }
        for (name, rows, start, end) in [
            ("rowMetadata", true, rect.start_row, rect.end_row),
            ("columnMetadata", false, rect.start_column, rect.end_column),
        ] {
            if let Some(mask) = self.mask.child(name) {
                let all: Vec<Value> =
                    (start..end).map(|index| mask.apply(self.dimension(rows, index))).collect();
                out.insert(name.to_owned(), Value::Array(all));
            }
        }
        Ok(Value::Object(out))
    }

    fn rows(&mut self, session: &mut Session<'_>, rect: Rect) -> Result<Vec<Value>, ApiError> {
        let Some(mask) = self.mask.at(&["rowData", "values"]).cloned() else {
            return Ok(Vec::new());
        };
        let mut rows: Vec<Value> = Vec::new();
        let mut used = 0;
        let window = self.sheet.grid.window(session, rect.start_row, rect.end_row)?;
        window.each(&mut |_, line| {
            let mut cells: Vec<Value> = Vec::new();
            line.each(&mut |column, cell| {
                if column < rect.start_column || column >= rect.end_column {
                    return;
                }
                let told = self.cell(cell, &mask);
                if !told.is_empty() {
                    cells.resize_with((column - rect.start_column) as usize, || json!({}));
                    cells.push(Value::Object(told));
                }
            })?;
            if cells.is_empty() {
                rows.push(json!({}));
            } else {
                rows.push(json!({ "values": cells }));
                used = rows.len();
            }
            Ok(())
        })?;
        rows.truncate(used);
        Ok(rows)
    }

    fn cell(&mut self, cell: CellView<'_>, mask: &Mask) -> Map<String, Value> {
        let mut out = Map::new();
        let mut put = |name: &str, value: &mut dyn FnMut() -> Option<Value>| {
            if let Some(mask) = mask.child(name)
                && let Some(value) = value()
            {
                out.insert(name.to_owned(), mask.apply(value));
            }
        };
        put("userEnteredValue", &mut || match cell.formula {
            Some(formula) => Some(json!({ "formulaValue": formula })),
            None => extended(cell.value),
        });
        put("effectiveValue", &mut || extended(cell.value));
        let style = &mut self.style;
        put("formattedValue", &mut || {
            let text = style.shown(cell.value, cell.format);
            (!text.is_empty()).then(|| text.into())
        });
        let format = self.book.head.formats.get(cell.format);
        put("userEnteredFormat", &mut || format.cloned());
        put("effectiveFormat", &mut || {
            (cell.format != 0 || !cell.is_empty()).then(|| effective(self.book, format))
        });
        put("hyperlink", &mut || {
            format.and_then(|format| format.get("textFormat")?.get("link")?.get("uri")).cloned()
        });
        if let Some(extra) = cell.extra.to_map() {
            for (name, value) in extra {
                put(&name, &mut || Some(value.clone()));
            }
        }
        out
    }

    fn dimension(&self, rows: bool, index: u32) -> Value {
        let mut out = Map::new();
        let pixels = if rows { ROW_PIXELS } else { COLUMN_PIXELS };
        out.insert("pixelSize".to_owned(), pixels.into());
        let set = if rows { &self.sheet.rows } else { &self.sheet.columns };
        if let Some(set) = set.get(&index) {
            out.extend(set.clone());
        }
        let place = if rows { Location::Row(index) } else { Location::Column(index) };
        let entries: Vec<Value> = self
            .sheet
            .metadata
            .iter()
            .filter(|entry| entry.location == place)
            .map(|entry| entry.json(self.sheet.id))
            .collect();
        if !entries.is_empty() {
            out.insert("developerMetadata".to_owned(), entries.into());
        }
        Value::Object(out)
    }
}

/// Returns a value as an ExtendedValue.
pub(crate) fn extended(value: ScalarView<'_>) -> Option<Value> {
    Some(match value {
        ScalarView::Empty => return None,
        ScalarView::Number(number) => json!({ "numberValue": number_value(number) }),
        ScalarView::Bool(flag) => json!({ "boolValue": flag }),
        ScalarView::Text(text) => json!({ "stringValue": text }),
        ScalarView::Error { shown, message } => {
            let error = crate::grid::CellError { shown: shown.into(), message: message.into() };
            json!({"errorValue": {"type": error.kind(), "message": message}})
        }
    })
}

fn effective(book: &Book, format: Option<&Value>) -> Value {
    let mut base =
        book.head.properties.get("defaultFormat").cloned().unwrap_or_else(default_format);
    if let Some(format) = format {
        overlay(&mut base, format);
    }
    if let Value::Object(map) = &mut base {
        map.entry("hyperlinkDisplayType").or_insert_with(|| "PLAIN_TEXT".into());
    }
    base
}

fn overlay(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                // A colour is one value: its absent channels are zero, not inherited.
                let whole =
                    key.ends_with("Color") || key.ends_with("ColorStyle") || key == "numberFormat";
                match base.get_mut(key) {
                    Some(inner) if !whole => overlay(inner, value),
                    _ => {
                        base.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (base, over) => *base = over.clone(),
    }
}
