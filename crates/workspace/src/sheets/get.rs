//! Telling a spreadsheet: get and getByDataFilter.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::batch::protect::may_edit;
use super::filter;
use super::grid_data::GridData;
use super::ranges::Range;
use super::{Request, body_of};
use crate::book::{Book, LISTS, Sheet, default_format, theme_colors};
use crate::fields::Mask;
use crate::http::ApiError;
use crate::store::Session;

/// Says which parts of a spreadsheet are told.
#[derive(Clone, Default)]
pub(crate) struct View {
    /// Only these ranges, and the sheets they lie on; `None` is everything.
    pub(crate) ranges: Option<Vec<Range>>,
    /// Whether cells are told; a mask that names them overrides it.
    pub(crate) grid: bool,
    /// The fields to tell.
    pub(crate) mask: Option<Mask>,
    /// Who asks; `None` is the owner.
    pub(crate) caller: Option<String>,
}

impl View {
    /// Returns the mask of a field of the spreadsheet; `None` when it is not told.
    fn child(&self, name: &str) -> Option<Mask> {
        match &self.mask {
            None => Some(Mask::default()),
            Some(mask) => mask.child(name).cloned(),
        }
    }

    fn tells_cells(&self) -> bool {
        match &self.mask {
            None => self.grid,
            Some(mask) if mask.is_all() => self.grid,
            Some(mask) => mask.child("sheets").is_some_and(|sheets| {
                if sheets.is_all() { self.grid } else { sheets.child("data").is_some() }
            }),
        }
    }
}

/// Answers `GET /v4/spreadsheets/{id}`.
pub(crate) async fn get(request: Request) -> Result<Response, ApiError> {
    let mask = request.mask("Spreadsheet")?;
    let grid = request.call.flag("includeGridData");
    let texts: Vec<String> = request.call.params("ranges").into_iter().map(str::to_owned).collect();
    let (id, caller) = (request.id.clone(), request.caller());
    let answer = request
        .app
        .store
        .read(move |session| {
            let book = session.book(&id)?;
            let ranges = if texts.is_empty() {
                None
            } else {
                let ranges: Result<Vec<Range>, ApiError> =
                    texts.iter().map(|text| Range::of_text(&book, text)).collect();
                Some(ranges?)
            };
            tell(session, &book, &View { ranges, grid, mask, caller })
        })
        .await?;
    Ok(crate::http::json(200, &answer, request.call.pretty()))
}

/// Answers `POST /v4/spreadsheets/{id}:getByDataFilter`.
pub(crate) async fn get_by_filter(request: Request) -> Result<Response, ApiError> {
    let mask = request.mask("Spreadsheet")?;
    let body = body_of(&request.call, "GetSpreadsheetByDataFilterRequest", "")?;
    let grid = body.get("includeGridData") == Some(&Value::Bool(true));
    let (id, caller) = (request.id.clone(), request.caller());
    let answer = request
        .app
        .store
        .read(move |session| {
            let book = session.book(&id)?;
            let ranges = match body.get("dataFilters") {
                None => None,
                Some(filters) => Some(
                    filter::ranges(&book, filters)?
                        .into_iter()
                        .map(|matched| matched.range)
                        .collect(),
                ),
            };
            tell(session, &book, &View { ranges, grid, mask, caller })
        })
        .await?;
    Ok(crate::http::json(200, &answer, request.call.pretty()))
}

/// Returns the Spreadsheet object of a book, or the part of it that a view takes.
pub(crate) fn tell(session: &mut Session<'_>, book: &Book, view: &View) -> Result<Value, ApiError> {
    let mut out = Map::new();
    for name in [
        "spreadsheetId",
        "properties",
        "sheets",
        "namedRanges",
        "spreadsheetUrl",
        "developerMetadata",
    ] {
        let Some(mask) = view.child(name) else {
            continue;
        };
        let value = match name {
            "spreadsheetId" => book.id.clone().into(),
            "properties" => mask.apply(properties(book)),
            "spreadsheetUrl" => {
                format!("https://docs.google.com/spreadsheets/d/{}/edit", book.id).into()
            }
            "sheets" => sheets(session, book, view, &mask)?,
            "namedRanges" => mask.apply(Value::Array(book.head.named_ranges.clone())),
            _ => mask.apply(book.head.metadata.iter().map(|entry| entry.json(0)).collect()),
        };
        if value.as_array().is_none_or(|list| !list.is_empty()) {
            out.insert(name.to_owned(), value);
        }
    }
    let out = Value::Object(out);
    debug_assert!(super::fits(&out, "Spreadsheet"), "not a Spreadsheet: {out}");
    Ok(out)
}

fn properties(book: &Book) -> Value {
    let mut out = Map::new();
    let stored = &book.head.properties;
    for name in ["title", "locale", "autoRecalc", "timeZone"] {
        if let Some(value) = stored.get(name) {
            out.insert(name.to_owned(), value.clone());
        }
    }
    out.insert(
        "defaultFormat".to_owned(),
        stored.get("defaultFormat").cloned().unwrap_or_else(default_format),
    );
    for (name, value) in stored {
        if !out.contains_key(name) {
            out.insert(name.clone(), value.clone());
        }
    }
    if !out.contains_key("spreadsheetTheme") {
        let colors: Vec<Value> = theme_colors()
            .into_iter()
            .map(|(kind, color)| json!({"colorType": kind, "color": {"rgbColor": color}}))
            .collect();
        out.insert(
            "spreadsheetTheme".to_owned(),
            json!({"primaryFontFamily": "Arial", "themeColors": colors}),
        );
    }
    Value::Object(out)
}

fn sheets(
    session: &mut Session<'_>,
    book: &Book,
    view: &View,
    mask: &Mask,
) -> Result<Value, ApiError> {
    let mut all = Vec::new();
    for (index, sheet) in book.sheets.iter().enumerate() {
        let ranges: Option<Vec<&Range>> = view
            .ranges
            .as_ref()
            .map(|ranges| ranges.iter().filter(|range| range.sheet == sheet.id).collect());
        if ranges.as_ref().is_some_and(Vec::is_empty) {
            continue;
        }
        let mut out = sheet_json(sheet, index, mask, view.caller.as_deref());
        if view.tells_cells()
            && sheet.is_grid()
            && let Some(mask) = mask.child("data")
        {
            let whole = Range { sheet: sheet.id, cells: lockstep_a1::Cells::all() };
            let mut data = Vec::new();
            for range in ranges.unwrap_or_else(|| vec![&whole]) {
                data.push(GridData::new(book, sheet, mask).tell(session, range)?);
            }
            out.insert("data".to_owned(), Value::Array(data));
        }
        all.push(Value::Object(out));
    }
    Ok(Value::Array(all))
}

/// Tells a caller whether he may edit a protected range; who may is told only to those.
fn show_protected(protected: &mut Value, caller: Option<&str>) {
    if may_edit(protected, caller) {
        return;
    }
    if let Value::Object(map) = protected {
        map.shift_remove("requestingUserCanEdit");
        map.shift_remove("editors");
    }
}

/// Returns the Sheet object without cells.
fn sheet_json(
    sheet: &Sheet,
    index: usize,
    mask: &Mask,
    caller: Option<&str>,
) -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let (Some(mask), Some(value)) = (mask.child(name), value) {
            out.insert(name.to_owned(), mask.apply(value));
        }
    };
    put("properties", Some(sheet.properties_json(index)));
    for name in LISTS {
        let mut list = sheet.list(name).to_vec();
        if name == "protectedRanges" {
            list.iter_mut().for_each(|protected| show_protected(protected, caller));
        }
        put(name, (!list.is_empty()).then_some(Value::Array(list)));
    }
    put("basicFilter", sheet.basic_filter.clone());
    // Entries on rows and columns are told with the cells, under rowMetadata and columnMetadata.
    let own: Vec<Value> = sheet
        .metadata
        .iter()
        .filter(|entry| entry.location == crate::book::Location::Sheet)
        .map(|entry| entry.json(sheet.id))
        .collect();
    put("developerMetadata", (!own.is_empty()).then_some(Value::Array(own)));
    out
}
