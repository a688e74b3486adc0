//! JSON whose numbers keep their text: a number that went through a float would come back rounded.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use serde_json::value::RawValue;

/// Deepest nesting that is read.
const DEPTH: u32 = 64;

/// A JSON value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Json {
    #[default]
    Null,
    Bool(bool),
    /// A number as it was written.
    Number(Box<str>),
    Text(String),
    List(Vec<Json>),
    /// An object; of a name that comes twice, the last.
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Reads a whole text.
    ///
    /// # Errors
    /// What is no JSON, or is nested too deeply; says where.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Self::of(raw, DEPTH)
    }

    fn of(raw: &RawValue, depth: u32) -> Result<Self, String> {
        let text = raw.get();
        let wrong = |error: serde_json::Error| error.to_string();
        let deeper = || depth.checked_sub(1).ok_or("it is nested too deeply");
        Ok(match text.as_bytes().first() {
            Some(b'n') | None => Self::Null,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'"') => Self::Text(serde_json::from_str(text).map_err(wrong)?),
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text).map_err(wrong)?;
                let depth = deeper()?;
                Self::List(
                    items
                        .into_iter()
                        .map(|item| Self::of(item, depth))
                        .collect::<Result<_, _>>()?,
                )
            }
            Some(b'{') => {
                let pairs: BTreeMap<String, &RawValue> =
                    serde_json::from_str(text).map_err(wrong)?;
                let depth = deeper()?;
                let pair = |(name, raw): (String, &RawValue)| Ok((name, Self::of(raw, depth)?));
                Self::Object(pairs.into_iter().map(pair).collect::<Result<_, String>>()?)
            }
            Some(_) => Self::Number(text.into()),
        })
    }

    /// Returns what a pointer leads to.
    pub(super) fn at(&self, pointer: &Pointer) -> Option<&Self> {
        pointer.steps.iter().try_fold(self, |value, step| match value {
            Self::Object(pairs) => pairs.get(step),
            Self::List(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Takes out what a pointer leads to.
    pub(super) fn take(&mut self, pointer: &Pointer) -> Option<Self> {
        let place = pointer.steps.iter().try_fold(self, |value, step| match value {
            Self::Object(pairs) => pairs.get_mut(step),
            Self::List(items) => items.get_mut(step.parse::<usize>().ok()?),
            _ => None,
        })?;
        Some(std::mem::take(place))
    }

    /// Puts a value where a pointer leads, making the objects on the way.
    pub(super) fn set(&mut self, pointer: &Pointer, value: Self) {
        let mut place = self;
        for step in &pointer.steps {
            if let Self::List(items) = place
                && step.parse::<usize>().is_ok_and(|at| at < items.len())
            {
                let at = step.parse::<usize>().unwrap_or_default();
                let Self::List(items) = place else { return };
                let Some(item) = items.get_mut(at) else { return };
                place = item;
                continue;
            }
            if !matches!(place, Self::Object(_)) {
                *place = Self::Object(BTreeMap::new());
            }
            let Self::Object(pairs) = place else { return };
            place = pairs.entry(step.clone()).or_default();
        }
        *place = value;
    }

    /// Returns the text of a text or number.
    pub(super) fn scalar(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(text) => Some(text.to_string()),
            _ => None,
        }
    }

    /// Returns what kind of value it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl fmt::Display for Json {
    /// Writes compact JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(text) => f.write_str(text),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::List(items) => {
                f.write_str("[")?;
                for (position, item) in items.iter().enumerate() {
                    if position > 0 {
                        f.write_str(",")?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
            Self::Object(pairs) => {
                f.write_str("{")?;
                for (position, (name, value)) in pairs.iter().enumerate() {
                    if position > 0 {
                        f.write_str(",")?;
                    }
                    write!(f, "{}:{value}", quoted(name))?;
                }
                f.write_str("}")
            }
        }
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        use serde_json::Value as V;
        match value {
            V::Null => Self::Null,
            V::Bool(value) => Self::Bool(value),
            V::Number(number) => Self::Number(number.to_string().into()),
            V::String(text) => Self::Text(text),
            V::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            V::Object(pairs) => {
                Self::Object(pairs.into_iter().map(|(name, value)| (name, value.into())).collect())
            }
        }
    }
}

/// A JSON pointer (RFC 6901): blank for the whole, else `/` before each step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Pointer {
    steps: Vec<String>,
}

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('/') else {
            return match text.is_empty() {
                true => Ok(Self::default()),
                false => Err(format!(
                    "\"{text}\" is no JSON pointer: it begins with \"/\", like \"/data/items\", or is blank"
                )),
            };
        };
        let steps = rest.split('/').map(|step| step.replace("~1", "/").replace("~0", "~"));
        Ok(Self { steps: steps.collect() })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return f.write_str("the top");
        }
        for step in &self.steps {
            write!(f, "/{}", step.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(text: &str) -> Pointer {
        Pointer::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn numbers_keep_their_text_and_json_comes_back_the_same() {
        for text in [
            "null",
            r#"[true,false,1.10,12345678901234567890.123456789,-0,1e400]"#,
            r#"{"a":{"b":["x\n\"é"]},"n":10.50}"#,
        ] {
            assert_eq!(Json::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Json::parse(r#"{"a":1,"a":2}"#).unwrap().to_string(), r#"{"a":2}"#);
        for text in ["", "{", "[1,]", "<html>", "nul", "1 2"] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert!(Json::parse(&deep).unwrap_err().contains("deeply"));
    }

    #[test]
    fn pointers_lead_into_objects_and_lists() {
        let mut json = Json::parse(r#"{"a/b":{"~":[10,{"c":null}]}}"#).unwrap();
        let at = |text: &str| json.at(&pointer(text)).map(ToString::to_string);
        assert_eq!(at("/a~1b/~0/0").as_deref(), Some("10"));
        assert_eq!(at("/a~1b/~0/1/c").as_deref(), Some("null"));
        assert_eq!((at("/a~1b/x"), at("/a~1b/~0/9"), at("/a~1b/~0/0/x")), (None, None, None));
        assert_eq!(json.take(&pointer("/a~1b/~0/0")), Some(Json::Number("10".into())));
        assert!(Pointer::try_from("a".to_owned()).is_err());
        assert_eq!(pointer("/a~1b/~0").to_string(), "/a~1b/~0");
    }

    #[test]
    fn setting_makes_what_is_missing_on_the_way() {
        let mut json = Json::parse(r#"{"a":1,"l":[{"x":1}]}"#).unwrap();
        json.set(&pointer("/p/q"), Json::Bool(true));
        json.set(&pointer("/l/0/x"), Json::Text("two".into()));
        json.set(&pointer("/a/b"), Json::Null);
        assert_eq!(json.to_string(), r#"{"a":{"b":null},"l":[{"x":"two"}],"p":{"q":true}}"#);
    }
}
