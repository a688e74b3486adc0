//! The fields of a resource as the configuration describes them.

use std::fmt;

use lockstep_engine::schema::ColumnType;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::json::Pointer;

/// One column of a resource.
#[derive(Clone, Debug)]
pub(crate) struct FieldConfig {
    /// Where in an item it is read.
    pub(crate) pointer: Pointer,
    /// Where in an item it is written, if not there.
    pub(crate) write: Option<Pointer>,
    pub(crate) ty: Option<ColumnType>,
    pub(crate) writable: bool,
    pub(crate) form: Form,
}

/// How a field's value stands in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Form {
    /// As JSON has it.
    #[default]
    Plain,
    /// Numbers and booleans as texts.
    Quoted,
    /// A point in time as seconds since 1970.
    EpochSeconds,
    /// A point in time as milliseconds since 1970.
    EpochMillis,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FieldTable {
    pointer: Pointer,
    write: Option<Pointer>,
    #[serde(rename = "type")]
    ty: Option<ColumnType>,
    #[serde(default = "yes")]
    writable: bool,
    #[serde(default)]
    form: Form,
}

fn yes() -> bool {
    true
}

impl<'de> Deserialize<'de> for FieldConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = FieldTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON pointer, or a table with one")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<FieldTable, E> {
                let pointer = Pointer::try_from(text.to_owned()).map_err(E::custom)?;
                let form = Form::Plain;
                Ok(FieldTable { pointer, write: None, ty: None, writable: true, form })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FieldTable, A::Error> {
                FieldTable::deserialize(MapAccessDeserializer::new(map))
            }
        }
        let FieldTable { pointer, write, ty, writable, form } =
            deserializer.deserialize_any(Either)?;
        Ok(Self { pointer, write, ty, writable, form })
    }
}

/// Reads a table of fields in the order of the file.
///
/// # Errors
/// What is no table of fields.
pub(super) fn in_order<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(String, FieldConfig)>, D::Error> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(String, FieldConfig)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table of fields")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    deserializer.deserialize_map(Pairs)
}
