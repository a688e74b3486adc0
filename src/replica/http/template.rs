//! What is sent, with slots that are filled for each item.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};

use super::json::{Json, Pointer};

/// A place in a template that is filled for each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// `{id}`: the item's id.
    Id,
    /// `{item}`: the item's fields, shaped by their pointers; `{item/properties}`: a part of it.
    Item(Pointer),
    /// `{items}`: the list of elements.
    Items,
    /// `{field.NAME}`: one field of the row.
    Field(String),
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id => f.write_str("{id}"),
            Self::Item(_) => f.write_str("{item}"),
            Self::Items => f.write_str("{items}"),
            Self::Field(name) => write!(f, "{{field.{name}}}"),
        }
    }
}

impl Slot {
    fn parse(name: &str) -> Result<Self, String> {
        match name {
            "id" => Ok(Self::Id),
            "items" => Ok(Self::Items),
            "item" => Ok(Self::Item(Pointer::default())),
            _ => match (name.strip_prefix("field."), name.strip_prefix("item/")) {
                (Some(field), _) => Ok(Self::Field(field.to_owned())),
                (_, Some(path)) => Pointer::try_from(format!("/{path}")).map(Self::Item),
                _ => Err(format!(
                    "\"{{{name}}}\" is no slot: there are {{id}}, {{item}}, {{item/PATH}}, {{items}} and {{field.NAME}}; \
                     a brace itself is written twice"
                )),
            },
        }
    }
}

/// Fills slots.
pub(super) trait Fill {
    /// Returns what a slot holds; `None` where the row has nothing for it.
    fn fill(&self, slot: &Slot) -> Option<Json>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Slot(Slot),
}

/// A text with slots: a path, or the value of a query parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line(Vec<Part>);

impl Line {
    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else if let Some((name, after)) =
                from.strip_prefix('{').and_then(|inner| inner.split_once('}'))
            {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(Part::Slot(Slot::parse(name)?));
                rest = after;
            } else {
                return Err(format!(
                    "\"{text}\" has a brace alone; a brace itself is written twice"
                ));
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// Returns the slots.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter().filter_map(|part| match part {
            Part::Slot(slot) => Some(slot),
            Part::Text(_) => None,
        })
    }

    /// Returns the text before the first slot.
    pub(super) fn head(&self) -> &str {
        match self.0.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// Returns the text parts.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Slot(_) => None,
        })
    }

    /// Returns the text with every slot filled and passed through `encode`.
    ///
    /// # Errors
    /// A slot for which the row has no text or number.
    pub(super) fn render(
        &self,
        fill: &dyn Fill,
        encode: impl Fn(&str) -> Result<String, String>,
    ) -> Result<String, String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Slot(slot) => {
                    let value = fill.fill(slot).as_ref().and_then(Json::scalar);
                    let value = value.ok_or_else(|| format!("the row has nothing for {slot}"))?;
                    text.push_str(&encode(&value)?);
                }
            }
        }
        Ok(text)
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A parameter may be written as the number or boolean that it is.
        let text = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => text,
            value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => {
                value.to_string()
            }
            _ => return Err(D::Error::custom("a text, a number or a boolean is needed")),
        };
        Self::parse(&text).map_err(D::Error::custom)
    }
}

/// JSON with slots.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Template {
    Plain(Json),
    /// A text that is nothing but a slot: what fills it keeps its kind.
    Slot(Slot),
    Line(Line),
    List(Vec<Template>),
    Object(Vec<(String, Template)>),
}

impl Template {
    fn of(value: serde_json::Value) -> Result<Self, String> {
        Ok(match value {
            serde_json::Value::String(text) => {
                let line = Line::parse(&text)?;
                match line.0.as_slice() {
                    [Part::Slot(slot)] => Self::Slot(slot.clone()),
                    [Part::Text(text)] => Self::Plain(Json::Text(text.clone())),
                    [] => Self::Plain(Json::Text(String::new())),
                    _ => Self::Line(line),
                }
            }
            serde_json::Value::Array(items) => {
                Self::List(items.into_iter().map(Self::of).collect::<Result<_, _>>()?)
            }
            serde_json::Value::Object(pairs) => {
                let pair = |(name, value)| Ok((name, Self::of(value)?));
                Self::Object(pairs.into_iter().map(pair).collect::<Result<_, String>>()?)
            }
            other => Self::Plain(other.into()),
        })
    }

    /// Returns the slots.
    pub(super) fn slots(&self) -> Vec<&Slot> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::Slot(slot) => vec![slot],
            Self::Line(line) => line.slots().collect(),
            Self::List(items) => items.iter().flat_map(Self::slots).collect(),
            Self::Object(pairs) => pairs.iter().flat_map(|(_, item)| item.slots()).collect(),
        }
    }

    /// Returns the JSON; a slot for which there is nothing leaves its name out of an object, and is null elsewhere.
    ///
    /// # Errors
    /// A slot within a text for which the row has no text or number.
    pub(super) fn render(&self, fill: &dyn Fill) -> Result<Json, String> {
        Ok(match self {
            Self::Plain(json) => json.clone(),
            Self::Slot(slot) => fill.fill(slot).unwrap_or(Json::Null),
            Self::Line(line) => Json::Text(line.render(fill, |text| Ok(text.to_owned()))?),
            Self::List(items) => {
                Json::List(items.iter().map(|item| item.render(fill)).collect::<Result<_, _>>()?)
            }
            Self::Object(pairs) => {
                let mut object = std::collections::BTreeMap::new();
                for (name, item) in pairs {
                    if let Self::Slot(slot) = item
                        && fill.fill(slot).is_none()
                    {
                        continue;
                    }
                    object.insert(name.clone(), item.render(fill)?);
                }
                Json::Object(object)
            }
        })
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(serde_json::Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Row;

    impl Fill for Row {
        fn fill(&self, slot: &Slot) -> Option<Json> {
            Some(match slot {
                Slot::Id => Json::Number("7".into()),
                Slot::Item(pointer) => {
                    Json::from(json!({"p": {"name": "x/y"}})).at(pointer).cloned()?
                }
                Slot::Items => Json::List(vec![Json::Bool(true)]),
                Slot::Field(name) if name == "name" => Json::Text("x/y".into()),
                Slot::Field(_) => return None,
            })
        }
    }

    #[test]
    fn bodies_are_wrapped_as_each_api_wants_them() {
        for (template, wanted) in [
            (json!({"properties": "{item/p}"}), r#"{"properties":{"name":"x/y"}}"#),
            (
                json!({"id": "{id}", "label": "no {id}: {field.name}"}),
                r#"{"id":7,"label":"no 7: x/y"}"#,
            ),
            (
                json!({"records": "{items}", "typecast": true}),
                r#"{"records":[true],"typecast":true}"#,
            ),
            (json!({"gone": "{field.other}", "kept": ["{field.other}"]}), r#"{"kept":[null]}"#),
            (json!({"braces": "{{id}}"}), r#"{"braces":"{id}"}"#),
        ] {
            assert_eq!(Template::of(template).unwrap().render(&Row).unwrap().to_string(), wanted);
        }
    }

    #[test]
    fn paths_are_filled_through_their_encoding() {
        let line = Line::parse("/v3/contacts/{id}/x").unwrap();
        let upper = |text: &str| Ok(format!("<{text}>"));
        assert_eq!(line.render(&Row, upper).unwrap(), "/v3/contacts/<7>/x");
        let none = Line::parse("{field.other}").unwrap().render(&Row, upper).unwrap_err();
        assert!(none.contains("{field.other}"), "{none}");
    }

    #[test]
    fn what_is_no_slot_is_refused() {
        for text in ["{name}", "{id", "}", "{}", "{field}"] {
            assert!(Line::parse(text).is_err(), "{text}");
        }
    }
}
