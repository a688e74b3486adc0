//! What a line says, and what the engine makes of it: a schema, a key, typed rows, times.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lockstep_engine::cell::Cell;
use lockstep_engine::dataset::{Policy, SideName};
use lockstep_engine::decision::Decision;
use lockstep_engine::key::Key;
use lockstep_engine::schema::{Column, ColumnType, Schema};
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::{Row, Value};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

type Object = Map<String, Json>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Line {
    #[serde(default)]
    pub(crate) base: Option<Object>,
    #[serde(default)]
    pub(crate) left: Option<Object>,
    #[serde(default)]
    pub(crate) right: Option<Object>,
    #[serde(default)]
    pub(crate) policy: Policy,
    #[serde(default)]
    pub(crate) types: BTreeMap<String, ColumnType>,
    #[serde(default)]
    pub(crate) key: Option<OneOrMany>,
    #[serde(default)]
    pub(crate) times: Sides,
    #[serde(default)]
    pub(crate) origins: Sides,
    #[serde(default)]
    pub(crate) now: Option<Timestamp>,
    #[serde(default)]
    pub(crate) unknown: Vec<SideName>,
    #[serde(default)]
    pub(crate) tombstone: Option<bool>,
    #[serde(default)]
    pub(crate) decision: Option<Decision>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a column name or a list of column names")]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sides {
    pub(crate) left: BTreeMap<String, String>,
    pub(crate) right: BTreeMap<String, String>,
}

/// Takes the columns that a side's row leaves out from the side.
pub(crate) fn lacking(mut terms: Terms, line: &Line) -> Terms {
    let names: Vec<String> =
        terms.schema().columns.iter().map(|column| column.name.clone()).collect();
    for (side, row) in [(SideName::Left, &line.left), (SideName::Right, &line.right)] {
        let Some(known) = row.as_ref().or(line.base.as_ref()) else {
            continue;
        };
        for (index, name) in names.iter().enumerate() {
            if !known.contains_key(name) {
                terms = terms.lacking(side, index);
            }
        }
    }
    terms
}

/// Collects the columns of all rows, and their types.
pub(crate) fn schema_of(line: &Line) -> Result<Schema, String> {
    let rows: Vec<&Object> = [&line.base, &line.left, &line.right].into_iter().flatten().collect();
    let mut names: Vec<&String> = Vec::new();
    let declared = line.types.keys().chain(line.policy.columns.keys());
    for name in rows.iter().flat_map(|row| row.keys()).chain(declared) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let keys: Vec<String> = match &line.key {
        Some(OneOrMany::One(name)) => vec![name.clone()],
        Some(OneOrMany::Many(names)) => names.clone(),
        None => {
            names.iter().filter(|name| name.as_str() == "id").map(|name| (*name).clone()).collect()
        }
    };
    let kind = |name: &str| {
        let values =
            || rows.iter().filter_map(|row| row.get(name)).filter(|value| !value.is_null());
        match values().next() {
            Some(Json::Number(_)) if values().all(Json::is_number) => ColumnType::Number,
            Some(Json::Bool(_)) if values().all(Json::is_boolean) => ColumnType::Bool,
            Some(Json::Array(_)) if values().all(Json::is_array) => ColumnType::List,
            _ => ColumnType::Text,
        }
    };
    let columns: Vec<Column> = names
        .iter()
        .map(|name| {
            Column::new(name.as_str(), line.types.get(*name).copied().unwrap_or_else(|| kind(name)))
        })
        .collect();
    let index = |key: &String| {
        let found = names.iter().position(|name| *name == key);
        found.ok_or_else(|| format!("key: there is no column '{key}'"))
    };
    let key = keys.iter().map(index).collect::<Result<_, _>>()?;
    Ok(Schema::new(columns, key))
}

pub(crate) fn typed_row(place: &str, row: &Object, schema: &Schema) -> Result<Row, String> {
    let cell = |column: &Column| {
        let json = row.get(&column.name).unwrap_or(&Json::Null);
        typed(json, column)
            .ok_or_else(|| format!("{place}.{}: an object is not a value of a cell", column.name))
    };
    schema.columns.iter().map(cell).collect()
}

fn typed(json: &Json, column: &Column) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => column.value(&Cell::Bool(*value)),
        Json::Number(number) => column.value(&Cell::Number(&number.to_string())),
        Json::String(text) => column.value(&Cell::Text(text)),
        Json::Array(items) => Value::List(items.iter().map(plain).collect::<Option<_>>()?),
        Json::Object(_) => return None,
    })
}

/// Returns an item of a list, typed by its JSON form.
fn plain(json: &Json) -> Option<Value> {
    match json {
        Json::Number(number) => number.to_string().parse().ok().map(Value::Number),
        Json::Bool(value) => Some(Value::Bool(*value)),
        Json::Array(items) => items.iter().map(plain).collect::<Option<_>>().map(Value::List),
        other => typed(other, &Column::new("", ColumnType::Text)),
    }
}

pub(crate) fn key_of(schema: &Schema, rows: [&Option<Row>; 3]) -> Result<Key, String> {
    if schema.key.is_empty() {
        return Ok(Key::of("row"));
    }
    let keys: Vec<Key> = rows.into_iter().flatten().map(|row| schema.key_of(row)).collect();
    match keys.split_first() {
        None => Ok(Key::of("row")),
        Some((first, _)) if first.is_blank() => Err("key: the key of a row is blank".into()),
        Some((first, rest)) => match rest.iter().find(|key| *key != first) {
            Some(other) => {
                Err(format!("key: one line is one key, and here are '{first}' and '{other}'"))
            }
            None => Ok(first.clone()),
        },
    }
}

pub(crate) fn times_of(line: &Line, schema: &Schema, key: &Key) -> Result<Times, String> {
    let mut times = Times::default();
    times.now = line.now;
    for (side, at, source) in [
        (SideName::Left, &line.times.left, &line.origins.left),
        (SideName::Right, &line.times.right, &line.origins.right),
    ] {
        let row = times.entry(key.clone(), side);
        let find = |place: &str, name: &str| {
            schema
                .position(name)
                .ok_or_else(|| format!("{place}.{side}: there is no column '{name}'"))
        };
        for (name, text) in at {
            let time: Timestamp =
                text.parse().map_err(|error| format!("times.{side}.{name}: {error}"))?;
            match name.as_str() {
                "_row" => row.row.at = Some(time),
                name => row.cells.entry(find("times", name)?).or_default().at = Some(time),
            }
        }
        for (name, source) in source {
            let source = Some(source.as_str().into());
            match name.as_str() {
                "_row" => row.row.source = source,
                name => row.cells.entry(find("origins", name)?).or_default().source = source,
            }
        }
    }
    Ok(times)
}
