//! Data filters: A1 text, GridRange, or a lookup of developer metadata.

use lockstep_a1::Cells;
use serde_json::Value;

use super::ranges::Range;
use crate::book::{Book, Location, Metadata};
use crate::http::ApiError;

/// Is a range with the filters that chose it.
pub(crate) struct Matched {
    pub(crate) range: Range,
    pub(crate) filters: Vec<Value>,
}

/// Returns the ranges that a list of filters chooses; one chosen twice is told once.
pub(crate) fn ranges(book: &Book, filters: &Value) -> Result<Vec<Matched>, ApiError> {
    let mut all: Vec<Matched> = Vec::new();
    for filter in filters.as_array().into_iter().flatten() {
        for range in chosen(book, filter)? {
            match all.iter_mut().find(|known| known.range == range) {
                Some(known) => known.filters.push(filter.clone()),
                None => all.push(Matched { range, filters: vec![filter.clone()] }),
            }
        }
    }
    Ok(all)
}

fn chosen(book: &Book, filter: &Value) -> Result<Vec<Range>, ApiError> {
    if let Some(text) = filter.get("a1Range").and_then(Value::as_str) {
        return Ok(vec![Range::of_text(book, text)?]);
    }
    if let Some(object) = filter.get("gridRange") {
        return Ok(vec![Range::of_object(book, object)?]);
    }
    let Some(lookup) = filter.get("developerMetadataLookup") else {
        return Err(ApiError::invalid("DataFilter must specify a filter."));
    };
    Ok(search(book, lookup)?
        .into_iter()
        .filter_map(|(sheet, entry)| {
            let mut cells = Cells::all();
            match entry.location {
                Location::Spreadsheet => return None,
                Location::Sheet => {}
                Location::Row(row) => {
                    cells.start_row = row;
                    cells.end_row = Some(row + 1);
                }
                Location::Column(column) => {
                    cells.start_column = column;
                    cells.end_column = Some(column + 1);
                }
            }
            Some(Range { sheet: sheet?, cells })
        })
        .collect())
}

/// Returns every entry of developer metadata with the sheet that keeps it.
pub(crate) fn entries(book: &Book) -> impl Iterator<Item = (Option<i32>, &Metadata)> {
    let own = book.head.metadata.iter().map(|entry| (None, entry));
    let kept = book
        .sheets
        .iter()
        .flat_map(|sheet| sheet.metadata.iter().map(|entry| (Some(sheet.id), entry)));
    own.chain(kept)
}

/// Returns the entries that one filter chooses; ranges choose what lies on or across them.
pub(crate) fn metadata<'a>(
    book: &'a Book,
    filter: &Value,
) -> Result<Vec<(Option<i32>, &'a Metadata)>, ApiError> {
    if let Some(lookup) = filter.get("developerMetadataLookup") {
        return search(book, lookup);
    }
    let ranges = chosen(book, filter)?;
    Ok(entries(book)
        .filter(|(sheet, entry)| {
            ranges.iter().any(|range| {
                *sheet == Some(range.sheet)
                    && match entry.location {
                        Location::Row(row) => {
                            row >= range.cells.start_row
                                && range.cells.end_row.is_none_or(|end| row < end)
                        }
                        Location::Column(column) => {
                            column >= range.cells.start_column
                                && range.cells.end_column.is_none_or(|end| column < end)
                        }
                        Location::Sheet | Location::Spreadsheet => range.cells == Cells::all(),
                    }
            })
        })
        .collect())
}

/// Returns the entries that a DeveloperMetadataLookup finds; an empty one finds all.
pub(crate) fn search<'a>(
    book: &'a Book,
    lookup: &Value,
) -> Result<Vec<(Option<i32>, &'a Metadata)>, ApiError> {
    let text =
        |name: &str| lookup.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let id = lookup.get("metadataId").and_then(Value::as_i64);
    let place =
        lookup.get("metadataLocation").map(|location| Place::of(book, location)).transpose()?;
    let strategy = text("locationMatchingStrategy");
    if place == Some(Place::Spreadsheet) && strategy == Some("INTERSECTING_LOCATION") {
        return Err(ApiError::invalid(
            "DeveloperMetadataLookup.spreadsheet is true, but locationMatchingStrategy was specified as INTERSECTING",
        ));
    }
    let exact = strategy == Some("EXACT_LOCATION");
    Ok(entries(book)
        .filter(|(sheet, entry)| {
            id.is_none_or(|id| id == i64::from(entry.id))
                && text("metadataKey").is_none_or(|key| key == entry.key)
                && text("metadataValue").is_none_or(|value| value == entry.value)
                && text("visibility").is_none_or(|visibility| visibility == entry.visibility)
                && text("locationType").is_none_or(|kind| kind == entry.location.kind())
                && place.as_ref().is_none_or(|place| place.matches(*sheet, entry.location, exact))
        })
        .collect())
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    Spreadsheet,
    Sheet(i32),
    Span { sheet: i32, rows: bool, start: u32, end: Option<u32> },
}

impl Place {
    fn of(book: &Book, location: &Value) -> Result<Self, ApiError> {
        if location.get("spreadsheet") == Some(&Value::Bool(true)) {
            return Ok(Self::Spreadsheet);
        }
        let known = |id: i64| -> Result<i32, ApiError> {
            i32::try_from(id)
                .ok()
                .filter(|id| book.sheet(*id).is_some())
                .ok_or_else(|| ApiError::invalid(format!("No grid with id: {id}")))
        };
        if let Some(range) = location.get("dimensionRange") {
            let number = |name: &str| {
                range.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok())
            };
            return Ok(Self::Span {
                sheet: known(range.get("sheetId").and_then(Value::as_i64).unwrap_or(0))?,
                rows: range.get("dimension").and_then(Value::as_str) != Some("COLUMNS"),
                start: number("startIndex").unwrap_or(0),
                end: number("endIndex"),
            });
        }
        match location.get("sheetId").and_then(Value::as_i64) {
            Some(id) => Ok(Self::Sheet(known(id)?)),
            None => Err(ApiError::invalid("DeveloperMetadataLocation must specify a location.")),
        }
    }

    fn matches(&self, of: Option<i32>, location: Location, exact: bool) -> bool {
        match (self, location) {
            (Self::Spreadsheet, Location::Spreadsheet) => true,
            (Self::Sheet(sheet), Location::Sheet) => of == Some(*sheet),
            (Self::Sheet(sheet), Location::Row(_) | Location::Column(_)) => {
                !exact && of == Some(*sheet)
            }
            (Self::Span { sheet, .. }, Location::Sheet) => !exact && of == Some(*sheet),
            (
                Self::Span { sheet, rows, start, end },
                Location::Row(index) | Location::Column(index),
            ) => {
                let same = *rows == matches!(location, Location::Row(_));
                let inside = index >= *start && end.is_none_or(|end| index < end);
                of == Some(*sheet)
                    && if same { inside && (!exact || *end == Some(*start + 1)) } else { !exact }
            }
            _ => false,
        }
    }
}
