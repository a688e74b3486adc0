//! The body of a batchUpdate, read one request and one row of cells at a time.
//!
//! A tree of JSON values takes about a hundred times the memory of its text, so there is never one
//! of the whole body: requests, and the rows of updateCells and appendCells, stay text until their
//! turn comes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::http::{ApiError, Call};
use crate::schema;
use crate::sheets::body_of;

/// Is a body whose requests are still text.
pub(super) struct Body<'a> {
    /// The other fields, checked.
    pub(super) rest: Value,
    pub(super) requests: Vec<&'a RawValue>,
    /// Whether `requests` was one object instead of a list.
    lone: bool,
}

/// Is one request, checked but for its rows.
pub(super) struct Read<'a> {
    /// The request, as `{"kind": {...}}`.
    pub(super) request: Value,
    /// The rows that were taken out of it.
    pub(super) rows: Option<Rows<'a>>,
}

/// Is the rows of cells of a request.
pub(crate) enum Rows<'a> {
    /// RowData objects that were checked with their request.
    Values(&'a [Value]),
    /// Texts of RowData objects, and where they stand, for the words of an error.
    Texts(Vec<&'a RawValue>, String),
}

impl<'a> Rows<'a> {
    /// Returns the rows of a request that has them in it.
    pub(crate) fn of(request: &'a Value) -> Self {
        let rows = request.get("rows").and_then(Value::as_array);
        Self::Values(rows.map_or(&[], Vec::as_slice))
    }

    pub(crate) fn len(&self) -> u32 {
        let length = match self {
            Self::Values(rows) => rows.len(),
            Self::Texts(rows, _) => rows.len(),
        };
        u32::try_from(length).unwrap_or(u32::MAX / 4)
    }

    /// Returns one row, checked.
    pub(crate) fn get(&self, index: usize) -> Result<Cow<'_, Value>, ApiError> {
        match self {
            Self::Values(rows) => rows
                .get(index)
                .map(Cow::Borrowed)
                .ok_or_else(|| ApiError::internal("no row of that number")),
            Self::Texts(rows, place) => {
                let text = rows.get(index).map_or("null", |row| row.get());
                let mut row = parse(text)?;
                check(&mut row, "RowData", &format!("{place}[{index}]"))?;
                Ok(Cow::Owned(row))
            }
        }
    }
}

impl<'a> Body<'a> {
    /// Reads the body of a call as far as to tell the requests apart.
    pub(super) fn read(call: &'a Call) -> Result<Self, ApiError> {
        const MESSAGE: &str = "BatchUpdateSpreadsheetRequest";
        let fields: Result<BTreeMap<Cow<'_, str>, &RawValue>, _> =
            serde_json::from_slice(&call.body);
        let mut fields = match fields {
            Ok(fields) => fields,
            Err(error) if !call.body.is_empty() => {
                // No JSON, or no object: told in the service's words.
                body_of(call, MESSAGE, "")?;
                return Err(invalid(&error));
            }
            Err(_) => BTreeMap::new(),
        };
        let (mut requests, mut lone) = (Vec::new(), false);
        if let Some(all) = fields.get("requests").copied() {
            match all.get().as_bytes().first() {
                Some(b'[') => flatten(all, &mut requests)?,
                Some(b'{') => {
                    requests.push(all);
                    lone = true;
                }
                _ => {}
            }
            if !requests.is_empty() || all.get() == "[]" {
                fields.remove("requests");
            }
        }
        let mut rest = Map::new();
        for (name, text) in fields {
            rest.insert(name.into_owned(), parse(text.get())?);
        }
        let mut rest = Value::Object(rest);
        check(&mut rest, MESSAGE, "")?;
        Ok(Self { rest, requests, lone })
    }

    /// Reads one request.
    pub(super) fn request(&self, index: usize) -> Result<Read<'a>, ApiError> {
        let text = self.requests.get(index).map_or("null", |request| request.get());
        let place = if self.lone { "requests".to_owned() } else { format!("requests[{index}]") };
        let (mut request, rows) = match split(text, &place) {
            Some((request, rows)) => (request, Some(rows)),
            None => (parse(text)?, None),
        };
        check(&mut request, "Request", &place)?;
        Ok(Read { request, rows })
    }

    /// Returns every fault in the form of the requests from one on, as one error: the service
    /// reads all of a body before it does any of it.
    pub(super) fn faults(&self, from: usize) -> Option<ApiError> {
        let mut all: Option<ApiError> = None;
        let mut note = |error: ApiError| match &mut all {
            Some(all) => {
                all.message = format!("{}\n{}", all.message, error.message);
                let more = error
                    .details
                    .into_iter()
                    .filter_map(|mut detail| detail.get_mut("fieldViolations").map(Value::take));
                let own =
                    all.details.first_mut().and_then(|detail| detail.get_mut("fieldViolations"));
                if let Some(Value::Array(own)) = own {
                    own.extend(
                        more.filter_map(|list| match list {
                            Value::Array(list) => Some(list),
                            _ => None,
                        })
                        .flatten(),
                    );
                }
            }
            None => all = Some(error),
        };
        for index in from..self.requests.len() {
            match self.request(index) {
                Ok(Read { rows: Some(rows), .. }) => {
                    (0..rows.len() as usize)
                        .filter_map(|row| rows.get(row).err())
                        .for_each(&mut note);
                }
                Ok(_) => {}
                Err(error) => note(error),
            }
        }
        all
    }
}

/// Adds the items of a list, and of lists in it: see [`schema::check`].
fn flatten<'a>(list: &'a RawValue, all: &mut Vec<&'a RawValue>) -> Result<(), ApiError> {
    let items: Vec<&'a RawValue> =
        serde_json::from_str(list.get()).map_err(|error| invalid(&error))?;
    for item in items {
        if item.get().starts_with('[') {
            flatten(item, all)?;
        } else {
            all.push(item);
        }
    }
    Ok(())
}

/// Takes the rows out of the text of a request that has only them and a few fields; `None` for any
/// other request.
fn split<'a>(text: &'a str, place: &str) -> Option<(Value, Rows<'a>)> {
    let kind = text.strip_prefix('{')?.trim_start().strip_prefix('"')?;
    let (kind, name) = [
        ("updateCells", "update_cells"),
        ("update_cells", "update_cells"),
        ("appendCells", "append_cells"),
        ("append_cells", "append_cells"),
    ]
    .into_iter()
    .find(|(written, _)| kind.strip_prefix(written).is_some_and(|rest| rest.starts_with('"')))?;
    let one: BTreeMap<Cow<'a, str>, &'a RawValue> = serde_json::from_str(text).ok()?;
    if one.len() != 1 {
        return None;
    }
    let mut fields: BTreeMap<Cow<'a, str>, &'a RawValue> =
        serde_json::from_str(one.get(kind)?.get()).ok()?;
    let rows = fields.remove("rows").filter(|rows| rows.get().starts_with('['))?;
    let rows: Vec<&'a RawValue> = serde_json::from_str(rows.get()).ok()?;
    let mut inner = Map::new();
    for (name, text) in fields {
        inner.insert(name.into_owned(), serde_json::from_str(text.get()).ok()?);
    }
    let mut request = Map::new();
    request.insert(kind.to_owned(), Value::Object(inner));
    Some((Value::Object(request), Rows::Texts(rows, format!("{place}.{name}.rows"))))
}

fn parse(text: &str) -> Result<Value, ApiError> {
    serde_json::from_str(text).map_err(|error| invalid(&error))
}

fn invalid(error: &serde_json::Error) -> ApiError {
    ApiError::invalid(format!("Invalid JSON payload received. {error}"))
}

fn check(value: &mut Value, message: &str, place: &str) -> Result<(), ApiError> {
    let message =
        schema::message(message).ok_or_else(|| ApiError::internal(format!("no type {message}")))?;
    schema::check(value, message, place)
}
