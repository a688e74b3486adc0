//! Rows and columns: append, insert, delete, move, their properties.

use serde_json::{Map, Value};

use super::{Batch, no_reply, sheet_id, update_mask};
use crate::book::{Axis, Sheet};
use crate::grid::ScalarView;
use crate::http::ApiError;
use crate::sheets::dimension;

/// Is a DimensionRange, checked; open ends are closed.
pub(super) struct Span {
    pub(super) sheet: i32,
    pub(super) axis: Axis,
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    /// Reads a DimensionRange; its end may lie beyond the grid.
    pub(super) fn read(
        batch: &mut Batch<'_, '_>,
        range: Option<&Value>,
        name: &str,
    ) -> Result<Self, ApiError> {
        let range = range.ok_or_else(|| ApiError::invalid(format!("{name} must be specified.")))?;
        let sheet = sheet_id(range);
        let axis = axis(range)?;
        let length = dimension::length(batch.book.sheet_mut(sheet)?, axis);
        let number = |name: &str| range.get(name).and_then(Value::as_i64);
        let (start, end) =
            (number("startIndex").unwrap_or(0), number("endIndex").unwrap_or(i64::from(length)));
        if start < 0 {
            return Err(ApiError::invalid(format!(
                "{name}.startIndex[{start}] must be at least 0"
            )));
        }
        if end <= start {
            return Err(ApiError::invalid(format!(
                "{name}.endIndex[{end}] must be greater than {name}.startIndex[{start}]"
            )));
        }
        let bound = |number: i64| u32::try_from(number).unwrap_or(u32::MAX / 4).min(u32::MAX / 4);
        Ok(Self { sheet, axis, start: bound(start), end: bound(end) })
    }

    /// Refuses a span that reaches beyond the grid.
    fn inside(&self, sheet: &Sheet, verb: &str) -> Result<(), ApiError> {
        let length = dimension::length(sheet, self.axis);
        if self.end > length {
            let (one, all) = nouns(self.axis);
            let tried = self.start.max(length);
            return Err(ApiError::invalid(format!(
                "Cannot {verb} a {one} that doesn't exist. Tried to {verb} {one} index {tried} but there are only {length} {all}."
            )));
        }
        Ok(())
    }
}

fn nouns(axis: Axis) -> (&'static str, &'static str) {
    match axis {
        Axis::Rows => ("row", "rows"),
        Axis::Columns => ("column", "columns"),
    }
}

fn axis(object: &Value) -> Result<Axis, ApiError> {
    object
        .get("dimension")
        .and_then(Value::as_str)
        .and_then(Axis::parse)
        .ok_or_else(|| ApiError::invalid("No dimension specified."))
}

/// Applies `appendDimension`.
pub(super) fn append(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let axis = axis(request)?;
    let id = sheet_id(request);
    batch.book.sheet_mut(id)?;
    let length = super::index(request, "length")
        .filter(|length| *length > 0)
        .ok_or_else(|| ApiError::invalid("length must be greater than 0"))?;
    dimension::append(batch.session, &mut batch.book, id, axis, length)?;
    Ok(no_reply())
}

/// Applies `insertDimension`.
pub(super) fn insert(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let span = Span::read(batch, request.get("range"), "range")?;
    let before = request.get("inheritFromBefore") == Some(&Value::Bool(true));
    let length = dimension::length(batch.book.sheet_mut(span.sheet)?, span.axis);
    if span.start > length {
        let (_, all) = nouns(span.axis);
        return Err(ApiError::invalid(format!(
            "range.startIndex[{}] is beyond the grid: there are only {length} {all}.",
            span.start
        )));
    }
    if before && span.start == 0 {
        return Err(ApiError::invalid(
            "inheritFromBefore cannot be true if inserting before the first index.",
        ));
    }
    if !before && span.start == length {
        return Err(ApiError::invalid(
            "inheritFromBefore must be true if inserting after the last index.",
        ));
    }
    dimension::insert(
        batch.session,
        &mut batch.book,
        span.sheet,
        span.axis,
        span.start,
        span.end - span.start,
        before,
    )?;
    Ok(no_reply())
}

/// Applies `deleteDimension`.
pub(super) fn delete(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let span = Span::read(batch, request.get("range"), "range")?;
    let sheet = batch.book.sheet_mut(span.sheet)?;
    span.inside(sheet, "delete")?;
    let length = dimension::length(sheet, span.axis);
    let (_, all) = nouns(span.axis);
    if span.end - span.start == length {
        return Err(ApiError::invalid(format!("You can't delete all the {all} on the sheet.")));
    }
    let frozen = sheet
        .properties
        .get("gridProperties")
        .and_then(|grid| {
            grid.get(match span.axis {
                Axis::Rows => "frozenRowCount",
                Axis::Columns => "frozenColumnCount",
            })
        })
        .and_then(Value::as_u64)
        .unwrap_or(0);
    if frozen > 0 && u64::from(span.start) <= frozen && span.end == length {
        return Err(ApiError::invalid(format!(
            "Sorry, it is not possible to delete all non-frozen {all}."
        )));
    }
    dimension::delete(batch.session, &mut batch.book, span.sheet, span.axis, span.start, span.end)?;
    let thawed = u64::from(span.end).min(frozen).saturating_sub(u64::from(span.start));
    if thawed > 0 {
        let name = match span.axis {
            Axis::Rows => "frozenRowCount",
            Axis::Columns => "frozenColumnCount",
        };
        let sheet = batch.book.sheet_mut(span.sheet)?;
        if let Some(Value::Object(grid)) = sheet.properties.get_mut("gridProperties") {
            if frozen == thawed {
                grid.shift_remove(name);
            } else {
                grid.insert(name.to_owned(), (frozen - thawed).into());
            }
        }
    }
    Ok(no_reply())
}

/// Applies `moveDimension`; the texts are those of a live probe (google-wire 2.6).
pub(super) fn shift(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let span = Span::read(batch, request.get("source"), "source")?;
    let sheet = batch.book.sheet_mut(span.sheet)?;
    span.inside(sheet, "move")?;
    let length = dimension::length(sheet, span.axis);
    let to = super::index(request, "destinationIndex").unwrap_or(0);
    if to > length {
        let (one, _) = nouns(span.axis);
        return Err(ApiError::invalid(format!(
            "destinationIndex[{to}] is after last {one}[{length}]"
        )));
    }
    if (span.start..span.end).contains(&to) {
        return Err(ApiError::invalid(format!(
            "destinationIndex[{to}] must be outside the requested range[{}-{}]",
            span.start, span.end
        )));
    }
    if to != span.end {
        dimension::shift(
            batch.session,
            &mut batch.book,
            span.sheet,
            span.axis,
            (span.start, span.end),
            to,
        )?;
    }
    Ok(no_reply())
}

/// Applies `updateDimensionProperties`.
pub(super) fn update(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let mask = update_mask(request, "DimensionProperties")?;
    let span = Span::read(batch, request.get("range"), "range")?;
    let given = request.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let sheet = batch.book.sheet_mut(span.sheet)?;
    let end = span.end.min(dimension::length(sheet, span.axis));
    for index in span.start..end {
        let mut set = dimensions(sheet, span.axis).remove(&index).unwrap_or_default();
        mask.update(&mut set, &given);
        set.retain(|_, value| *value != Value::Bool(false));
        if !set.is_empty() {
            dimensions(sheet, span.axis).insert(index, set);
        }
    }
    Ok(no_reply())
}

fn dimensions(
    sheet: &mut Sheet,
    axis: Axis,
) -> &mut std::collections::BTreeMap<u32, Map<String, Value>> {
    match axis {
        Axis::Rows => &mut sheet.rows,
        Axis::Columns => &mut sheet.columns,
    }
}

/// Applies `autoResizeDimensions`: columns fit their longest text, rows go back to their default.
pub(super) fn auto_resize(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    if request.get("dataSourceSheetDimensions").is_some() {
        return Err(ApiError::invalid(
            "Data source sheets are not supported by the embedded workspace.",
        ));
    }
    let span = Span::read(batch, request.get("dimensions"), "dimensions")?;
    let book = &batch.book;
    let sheet = book.sheet(span.sheet).ok_or_else(ApiError::not_found)?;
    let end = span.end.min(dimension::length(sheet, span.axis));
    let mut widths = vec![0.0_f64; (end.saturating_sub(span.start)) as usize];
    if span.axis == Axis::Columns {
        let mut style = crate::sheets::render::Style::new(
            book,
            crate::sheets::render::Options::of(None, None, None)?,
        );
        let used = sheet.grid.used_rows(batch.session)?;
        sheet.grid.window(batch.session, 0, used)?.each(&mut |_, line| {
            line.each(&mut |column, cell| {
                let place = column.checked_sub(span.start).map(|place| place as usize);
                if let Some(width) = place.and_then(|place| widths.get_mut(place))
                    && cell.value != ScalarView::Empty
                {
                    let text = style.shown(cell.value, cell.format);
                    *width = width.max(text.lines().map(text_width).fold(0.0, f64::max));
                }
            })
        })?;
    }
    let sheet = batch.book.sheet_mut(span.sheet)?;
    for (index, width) in (span.start..end).zip(widths) {
        let set = dimensions(sheet, span.axis);
        if span.axis == Axis::Columns && width > 0.0 {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a width in pixels"
            )]
            let pixels = (width.ceil() as u32).saturating_add(CELL_PADDING);
            set.entry(index).or_default().insert("pixelSize".to_owned(), pixels.into());
        } else if let Some(one) = set.get_mut(&index) {
            one.shift_remove("pixelSize");
            if one.is_empty() {
                set.remove(&index);
            }
        }
    }
    Ok(no_reply())
}

/// Is what a fitted column adds to its longest text, in pixels.
const CELL_PADDING: u32 = 7;

/// Are the advance widths of the printable ASCII letters from space on, per 2048 of the font size.
///
/// Recorded: 1,024 times `A` fit into 8,691 pixels, which is 1,336 / 2,048 of 13 pixels each, the
/// width of an `A` in Roboto, and 7 pixels beside.
const WIDTHS: [u16; 95] = [
    507, 527, 655, 1261, 1150, 1500, 1273, 357, 700, 712, 882, 1161, 402, 565, 539, 844, 1150,
    1150, 1150, 1150, 1150, 1150, 1150, 1150, 1150, 1150, 496, 433, 1041, 1124, 1070, 967, 1839,
    1336, 1275, 1333, 1343, 1164, 1132, 1395, 1460, 557, 1130, 1283, 1102, 1788, 1460, 1408, 1292,
    1408, 1261, 1215, 1222, 1328, 1303, 1817, 1284, 1230, 1226, 543, 840, 543, 856, 924, 633, 1114,
    1149, 1072, 1155, 1085, 711, 1149, 1128, 497, 489, 1038, 497, 1795, 1130, 1168, 1149, 1164,
    693, 1056, 669, 1129, 992, 1538, 1015, 969, 1015, 693, 499, 693, 1393,
];

/// Returns the width of a text, in pixels.
fn text_width(text: &str) -> f64 {
    text.chars()
        .map(|letter| {
            let index = (letter as usize).wrapping_sub(' ' as usize);
            let units = WIDTHS.get(index).copied().unwrap_or(1336);
            f64::from(units) / 2048.0 * 13.0
        })
        .sum()
}
