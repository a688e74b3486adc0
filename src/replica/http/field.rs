//! One value of an item: from JSON to a cell, and back.

use std::borrow::Cow;

use jiff::Timestamp;
use lockstep_engine::{
    cell::Cell,
    encode,
    schema::{Column, ColumnType},
    value::{Row, Value},
};

use super::{
    columns::{FieldConfig, Form},
    config::Clear,
    json::Json,
    resource::Resource,
};
use crate::replica::apply::Writes;

/// A cell that may own its text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Held<'a> {
    Null,
    Bool(bool),
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
}

impl Held<'_> {
    pub(super) fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Bool(value) => Cell::Bool(*value),
            Self::Number(text) => Cell::Number(text),
            Self::Text(text) => Cell::Text(text),
        }
    }
}

impl FieldConfig {
    /// Returns what an item holds.
    ///
    /// # Errors
    /// An object, or a list of more than plain values.
    pub(super) fn read<'a>(&self, item: &'a Json) -> Result<Held<'a>, String> {
        Ok(match item.at(&self.pointer) {
            None | Some(Json::Null) => Held::Null,
            Some(Json::Bool(value)) => Held::Bool(*value),
            Some(Json::Text(text)) => Held::Text(Cow::Borrowed(text)),
            Some(Json::Number(text)) => match self.time(text) {
                Some(time) => Held::Text(time.into()),
                // In a column of dates a number is a sheet's serial; no API means that.
                None if self.is_time() => Held::Text(Cow::Borrowed(text)),
                None => Held::Number(Cow::Borrowed(text)),
            },
            Some(list @ Json::List(items)) => {
                if items.iter().any(|item| matches!(item, Json::Object(_) | Json::List(_))) {
                    return Err(format!("at {} is a list of more than plain values", self.pointer));
                }
                Held::Text(list.to_string().into())
            }
            Some(Json::Object(_)) => {
                return Err(format!(
                    "at {} is an object; a pointer must lead inside, to a value",
                    self.pointer
                ));
            }
        })
    }

    fn is_time(&self) -> bool {
        matches!(self.ty, Some(ColumnType::Date | ColumnType::Time | ColumnType::DateTime))
    }

    /// Returns the point in time that a number means.
    fn time(&self, text: &str) -> Option<String> {
        let at = match self.form {
            Form::EpochSeconds => Timestamp::from_second(text.parse().ok()?),
            Form::EpochMillis => Timestamp::from_millisecond(text.parse().ok()?),
            Form::Plain | Form::Quoted => return None,
        };
        at.ok().map(|at| at.to_string())
    }

    /// Returns the type that the operator declared, or that the form implies.
    pub(super) fn declared(&self) -> Option<ColumnType> {
        self.ty.or(match self.form {
            Form::EpochSeconds | Form::EpochMillis => Some(ColumnType::DateTime),
            Form::Plain | Form::Quoted => None,
        })
    }

    /// Returns the JSON that reads back as the value.
    pub(super) fn write(&self, value: &Value, ty: ColumnType, clear: Clear) -> Json {
        let text = match (value, clear) {
            (Value::Null, Clear::Null) => return Json::Null,
            (Value::Null, Clear::EmptyText) => return Json::Text(String::new()),
            (value, _) => value.to_string(),
        };
        let epoch = |millis: bool| {
            let Value::DateTime(time) = value else { return None };
            let at = match time.offset_minutes() {
                Some(_) => time.to_string().parse::<Timestamp>().ok()?,
                None => time.civil().to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp(),
            };
            let number = if millis { at.as_millisecond() } else { at.as_second() };
            Some(Json::Number(number.to_string().into()))
        };
        match self.form {
            Form::EpochSeconds => epoch(false).unwrap_or(Json::Text(text)),
            Form::EpochMillis => epoch(true).unwrap_or(Json::Text(text)),
            Form::Quoted => Json::Text(text),
            Form::Plain => match self.ty.filter(|own| *own != ty) {
                Some(own) => encode::json::encode(&Column::new("", own).read(&text), &own).into(),
                None => encode::json::encode(value, &ty).into(),
            },
        }
    }
}

/// Sees items through the columns of a dataset.
pub(super) struct Lens<'a> {
    pub(super) resource: &'a Resource,
    pub(super) writes: &'a Writes<'a>,
    /// The field of each column.
    pub(super) fields: Vec<Option<&'a FieldConfig>>,
}

impl<'a> Lens<'a> {
    pub(super) fn new(resource: &'a Resource, writes: &'a Writes<'a>) -> Self {
        let field = |header: &Option<String>| resource.field(header.as_deref()?);
        Self { resource, writes, fields: writes.headers.iter().map(field).collect() }
    }

    /// Returns a column's value of an item; what is no plain value is null.
    pub(super) fn value(&self, item: &Json, column: usize) -> Value {
        let field = self.fields.get(column).copied().flatten();
        let held = field.and_then(|field| field.read(item).ok());
        match (held, self.writes.schema.columns.get(column)) {
            (Some(held), Some(column)) => column.value(&held.cell()),
            _ => Value::Null,
        }
    }

    /// Returns whether an item has anything at a column's place, be it null.
    pub(super) fn has(&self, item: &Json, column: usize) -> bool {
        let field = self.fields.get(column).copied().flatten();
        field.is_some_and(|field| item.at(&field.pointer).is_some())
    }

    /// Returns whether a column's value goes into requests: what only the API sets is its own affair.
    pub(super) fn sends(&self, column: usize) -> bool {
        self.fields.get(column).copied().flatten().is_some_and(|field| field.writable)
    }

    /// Returns an item's key.
    pub(super) fn key(&self, item: &Json) -> lockstep_engine::key::Key {
        let schema = self.writes.schema;
        let row: Row = (0..schema.columns.len()).map(|column| self.value(item, column)).collect();
        schema.key_of(&row)
    }

    /// Returns the first column in which an item differs from a row, with what the item holds.
    pub(super) fn difference(
        &self,
        item: &Json,
        row: &Row,
        mut columns: impl Iterator<Item = usize>,
    ) -> Option<(usize, Value)> {
        columns.find_map(|column| {
            self.fields.get(column).copied().flatten()?;
            let now = self.value(item, column);
            (row.get(column).unwrap_or(&Value::Null) != &now).then_some((column, now))
        })
    }

    /// Returns the name of a column's field.
    pub(super) fn name(&self, column: usize) -> &str {
        self.writes.header(column)
    }

    /// Returns a value of a row as it is sent.
    pub(super) fn json(&self, row: &Row, column: usize) -> Option<Json> {
        let field = self.fields.get(column).copied().flatten()?;
        let ty = self.writes.schema.columns.get(column)?.ty;
        let value = row.get(column).unwrap_or(&Value::Null);
        Some(field.write(value, ty, self.resource.config.clear))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(toml: &str) -> FieldConfig {
        #[derive(serde::Deserialize)]
        struct One {
            f: FieldConfig,
        }
        toml::from_str::<One>(&format!("f = {toml}")).unwrap().f
    }

    #[test]
    fn values_keep_their_exact_text_and_objects_are_refused() {
        let item = Json::parse(
            r#"{"n":12345678901234567890.10,"t":"x","l":["a",1],"o":{"v":true},"z":null,"d":1700000000,"m":[[1]]}"#,
        )
        .unwrap();
        let read = |toml: &str| field(toml).read(&item);
        let text = |text: &str| Ok(Held::Text(Cow::Owned(text.to_owned())));
        assert_eq!(read("'/n'"), Ok(Held::Number("12345678901234567890.10".into())));
        assert_eq!(read("'/l'"), text(r#"["a",1]"#));
        assert_eq!((read("'/z'"), read("'/none'")), (Ok(Held::Null), Ok(Held::Null)));
        assert_eq!(read("'/o/v'"), Ok(Held::Bool(true)));
        assert!(read("'/o'").unwrap_err().contains("lead inside"));
        assert!(read("'/m'").unwrap_err().contains("plain values"));
        assert_eq!(read("{pointer='/d', form='epochSeconds'}"), text("2023-11-14T22:13:20Z"));
        assert_eq!(read("{pointer='/d', type='date'}"), text("1700000000"));
    }

    #[test]
    fn what_is_written_is_read_back_as_the_same_value() {
        for (toml, ty, value) in [
            ("'/v'", ColumnType::Number, "10.50"),
            ("'/v'", ColumnType::Number, "12345678901234567890.123"),
            ("'/v'", ColumnType::List, "a, b"),
            ("'/v'", ColumnType::Bool, "true"),
            ("{pointer='/v', form='quoted'}", ColumnType::Number, "42"),
            ("{pointer='/v', form='epochMillis'}", ColumnType::DateTime, "2023-11-14T22:13:20.5Z"),
            ("{pointer='/v', form='epochSeconds'}", ColumnType::DateTime, "2023-11-14T22:13:20Z"),
            ("{pointer='/v', type='number'}", ColumnType::Text, "7"),
        ] {
            let (field, column) = (field(toml), Column::new("v", ty));
            let value = column.read(value);
            let sent = field.write(&value, ty, Clear::Null);
            let mut item = Json::Null;
            item.set(&field.pointer, sent.clone());
            let item = Json::parse(&item.to_string()).unwrap();
            assert_eq!(column.value(&field.read(&item).unwrap().cell()), value, "{toml}: {sent}");
        }
        let plain = field("'/v'");
        assert_eq!(
            plain.write(&Value::Null, ColumnType::Text, Clear::EmptyText).to_string(),
            "\"\""
        );
        let number = field("{pointer='/v', type='number'}");
        assert_eq!(number.write(&Value::from("7"), ColumnType::Text, Clear::Null).to_string(), "7");
    }
}
