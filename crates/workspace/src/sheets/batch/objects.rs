//! Objects that lie on sheets, stored and told as they are: protected ranges, filter views,
//! charts, banded ranges, slicers, tables.

use rand::RngExt as _;
use serde_json::{Map, Value, json};

use super::{Batch, no_reply, sheet_id, update_mask};
use crate::book::{Book, normalize};
use crate::http::ApiError;
use crate::schema;
use crate::sheets::ranges::Range;

/// Says how one kind of object is kept.
pub(super) struct Kind {
    /// The field of the sheet that lists them.
    pub(super) list: &'static str,
    /// The field of the request that holds one.
    pub(super) field: &'static str,
    /// Its message type.
    pub(super) message: &'static str,
    /// Its id field.
    pub(super) id: &'static str,
    /// What an error calls it.
    pub(super) noun: &'static str,
}

pub(super) const PROTECTED: Kind = Kind {
    list: "protectedRanges",
    field: "protectedRange",
    message: "ProtectedRange",
    id: "protectedRangeId",
    noun: "protected range",
};
pub(super) const FILTER_VIEW: Kind = Kind {
    list: "filterViews",
    field: "filter",
    message: "FilterView",
    id: "filterViewId",
    noun: "filter view",
};
pub(super) const CHART: Kind = Kind {
    list: "charts",
    field: "chart",
    message: "EmbeddedChart",
    id: "chartId",
    noun: "embedded object",
};
pub(super) const BANDING: Kind = Kind {
    list: "bandedRanges",
    field: "bandedRange",
    message: "BandedRange",
    id: "bandedRangeId",
    noun: "banded range",
};
pub(super) const SLICER: Kind = Kind {
    list: "slicers",
    field: "slicer",
    message: "Slicer",
    id: "slicerId",
    noun: "embedded object",
};
pub(super) const TABLE: Kind =
    Kind { list: "tables", field: "table", message: "Table", id: "tableId", noun: "table" };

impl Kind {
    fn given(&self, request: &Value) -> Result<Map<String, Value>, ApiError> {
        let mut given = request.get(self.field).cloned().unwrap_or_else(|| json!({}));
        if let Some(message) = schema::message(self.message) {
            normalize(&mut given, message);
        }
        match given {
            Value::Object(given) => Ok(given),
            _ => Err(ApiError::invalid(format!("{} must be an object.", self.field))),
        }
    }

    fn find(&self, book: &Book, id: &Value) -> Option<(i32, usize)> {
        book.sheets.iter().find_map(|sheet| {
            let at =
                sheet.list(self.list).iter().position(|object| object.get(self.id) == Some(id))?;
            Some((sheet.id, at))
        })
    }

    fn missing(&self, id: &Value) -> ApiError {
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        ApiError::invalid(format!("No {} with id: {id}", self.noun))
    }

    /// Stores an object on the sheet of its range, or of its anchor; returns it with its id.
    fn store(
        &self,
        batch: &mut Batch<'_, '_>,
        mut object: Map<String, Value>,
    ) -> Result<Value, ApiError> {
        let sheet = place(&batch.book, &object)?;
        batch.book.sheet_mut(sheet)?;
        match object.get(self.id) {
            Some(id) => {
                if self.find(&batch.book, id).is_some() {
                    return Err(ApiError::invalid(format!(
                        "A {} with id {id} already exists.",
                        self.noun
                    )));
                }
            }
            None => {
                let number = rand::rng().random_range(1_000_000..i32::MAX);
                let id = if self.id == "tableId" {
                    number.to_string().into()
                } else {
                    Value::from(number)
                };
                let rest = std::mem::take(&mut object);
                object.insert(self.id.to_owned(), id);
                object.extend(rest);
            }
        }
        let object = Value::Object(object);
        batch.book.sheet_mut(sheet)?.list_mut(self.list).push(object.clone());
        Ok(object)
    }

    /// Applies a request that adds one.
    pub(super) fn add(
        &self,
        batch: &mut Batch<'_, '_>,
        kind: &str,
        request: &Value,
    ) -> Result<Value, ApiError> {
        let given = self.given(request)?;
        check_chart(&given)?;
        let object = self.store(batch, given)?;
        Ok(json!({ kind: { self.field: object } }))
    }

    /// Applies a request that updates one by a mask.
    pub(super) fn update(
        &self,
        batch: &mut Batch<'_, '_>,
        request: &Value,
    ) -> Result<Value, ApiError> {
        let mask = update_mask(request, self.message)?;
        let given = self.given(request)?;
        let id = given.get(self.id).cloned().unwrap_or_default();
        let (sheet, at) = self.find(&batch.book, &id).ok_or_else(|| self.missing(&id))?;
        if let Some(range) = given.get("range").filter(|_| mask.child("range").is_some()) {
            Range::of_object(&batch.book, range)?;
        }
        if let Some(Value::Object(object)) =
            batch.book.sheet_mut(sheet)?.list_mut(self.list).get_mut(at)
        {
            mask.update(object, &given);
            object.insert(self.id.to_owned(), id);
        }
        Ok(no_reply())
    }

    /// Applies a request that deletes one by id.
    pub(super) fn delete(
        &self,
        batch: &mut Batch<'_, '_>,
        id: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let id = id.cloned().unwrap_or_else(|| 0.into());
        let (sheet, at) = self.find(&batch.book, &id).ok_or_else(|| self.missing(&id))?;
        let sheet = batch.book.sheet_mut(sheet)?;
        sheet.list_mut(self.list).remove(at);
        sheet.lists.retain(|_, list| !list.is_empty());
        Ok(no_reply())
    }
}

/// Returns the sheet that an object lies on.
fn place(book: &Book, object: &Map<String, Value>) -> Result<i32, ApiError> {
    if let Some(range) = object.get("range") {
        return Ok(Range::of_object(book, range)?.sheet);
    }
    if let Some(anchor) = object
        .get("position")
        .and_then(|position| position.get("overlayPosition")?.get("anchorCell"))
    {
        return Ok(sheet_id(anchor));
    }
    if let Some(name) = object.get("namedRangeId") {
        let named =
            book.head.named_ranges.iter().find(|range| range.get("namedRangeId") == Some(name));
        return named
            .and_then(|named| named.get("range"))
            .map(sheet_id)
            .ok_or_else(|| ApiError::invalid(format!("No named range with id: {name}")));
    }
    if object.get("position").and_then(|position| position.get("newSheet")).is_some() {
        return Err(ApiError::invalid(
            "A chart on a sheet of its own is not supported by the embedded workspace; use overlayPosition.",
        ));
    }
    Err(ApiError::invalid("A range or a position must be specified."))
}

/// Answers 500 for a basicChart without series, as the service does (google-wire 2.6).
fn check_chart(object: &Map<String, Value>) -> Result<(), ApiError> {
    let chart = object.get("spec").and_then(|spec| spec.get("basicChart"));
    match chart {
        Some(chart) if chart.get("series").is_none() => {
            Err(ApiError::new(500, "INTERNAL", "Internal error encountered."))
        }
        _ => Ok(()),
    }
}

/// Applies `addProtectedRange`; the reply has the editors as given, the stored one the owner too
/// (recorded).
pub(super) fn protect(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let mut given = PROTECTED.given(request)?;
    given.insert("requestingUserCanEdit".to_owned(), true.into());
    given.entry("editors").or_insert_with(|| json!({}));
    let told = PROTECTED.store(batch, given)?;
    let (owner, caller) = (batch.owner.clone(), batch.caller.clone());
    let id = told.get("protectedRangeId").cloned().unwrap_or_default();
    if let Some((sheet, at)) = PROTECTED.find(&batch.book, &id)
        && let Some(stored) = batch.book.sheet_mut(sheet)?.list_mut(PROTECTED.list).get_mut(at)
        && let Some(Value::Object(editors)) = stored.get_mut("editors")
        && let Value::Array(users) = editors.entry("users").or_insert_with(|| json!([]))
        && !users.iter().any(|user| user.as_str() == Some(&owner))
    {
        users.insert(0, owner.into());
        users.extend(caller.map(Value::from));
    }
    Ok(json!({"addProtectedRange": {"protectedRange": told}}))
}

/// Applies `deleteEmbeddedObject`: a chart or a slicer.
pub(super) fn delete_embedded(
    batch: &mut Batch<'_, '_>,
    request: &Value,
) -> Result<Value, ApiError> {
    let id = request.get("objectId").cloned().unwrap_or_else(|| 0.into());
    let kind = if SLICER.find(&batch.book, &id).is_some() { &SLICER } else { &CHART };
    kind.delete(batch, Some(&id))
}

/// Applies `updateChartSpec` and `updateSlicerSpec`.
pub(super) fn update_spec(
    kind: &Kind,
    batch: &mut Batch<'_, '_>,
    request: &Value,
) -> Result<Value, ApiError> {
    let id = request.get(kind.id).cloned().unwrap_or_else(|| 0.into());
    let (sheet, at) = kind.find(&batch.book, &id).ok_or_else(|| kind.missing(&id))?;
    let mut spec = request.get("spec").cloned().unwrap_or_else(|| json!({}));
    let message = if kind.id == "chartId" { "ChartSpec" } else { "SlicerSpec" };
    if let Some(message) = schema::message(message) {
        normalize(&mut spec, message);
    }
    if kind.id == "slicerId" {
        let mask = update_mask(request, message)?;
        let object = batch.book.sheet_mut(sheet)?.list_mut(kind.list).get_mut(at);
        if let (Some(Value::Object(object)), Value::Object(spec)) = (object, &spec)
            && let Value::Object(own) = object.entry("spec").or_insert_with(|| json!({}))
        {
            mask.update(own, spec);
        }
        return Ok(no_reply());
    }
    if let Some(Value::Object(object)) =
        batch.book.sheet_mut(sheet)?.list_mut(kind.list).get_mut(at)
    {
        object.insert("spec".to_owned(), spec);
        check_chart(object)?;
    }
    Ok(no_reply())
}

/// Applies `deleteTable`; conditional formats in its range go with it (google-wire 2.6).
pub(super) fn delete_table(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let id = request.get("tableId").cloned().unwrap_or_default();
    let (sheet, at) = TABLE.find(&batch.book, &id).ok_or_else(|| TABLE.missing(&id))?;
    let range = batch
        .book
        .sheet(sheet)
        .and_then(|sheet| sheet.list(TABLE.list).get(at)?.get("range"))
        .cloned()
        .unwrap_or_default();
    let table = Range::of_object(&batch.book, &range)?;
    let book = batch.book.clone();
    let target = batch.book.sheet_mut(sheet)?;
    target.list_mut(TABLE.list).remove(at);
    target.list_mut("conditionalFormats").retain(|rule| {
        !rule.get("ranges").and_then(Value::as_array).into_iter().flatten().any(|range| {
            Range::of_object(&book, range).is_ok_and(|range| {
                let (one, two) =
                    (range.cells.close(u32::MAX, u32::MAX), table.cells.close(u32::MAX, u32::MAX));
                range.sheet == table.sheet && one.intersect(&two).is_some()
            })
        })
    });
    target.lists.retain(|_, list| !list.is_empty());
    Ok(no_reply())
}
