//! Field masks: `a.b.c`, `a/b/c`, `a(b,c)`, `*`, in any mix.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::http::ApiError;
use crate::schema::{Kind, Message};

/// Is a field mask as a tree; a node without children takes all below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mask {
    children: BTreeMap<String, Mask>,
}

impl Mask {
    /// Returns the mask that a text writes; `None` when parentheses or names are malformed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut mask = Self::default();
        let rest = read_list(text, &mut mask)?;
        rest.is_empty().then_some(mask)
    }

    /// Returns the mask of a `fields` parameter of an answer of a message type.
    ///
    /// # Errors
    /// The recorded 400 when a path names no field.
    pub(crate) fn of_answer(text: &str, message: &'static Message) -> Result<Self, ApiError> {
        let Some(mask) = Self::parse(text) else {
            return Err(expansion(text));
        };
        match mask.unknown(message, "") {
            Some(path) => Err(expansion(&path)),
            None => Ok(mask),
        }
    }

    /// Returns whether it takes everything.
    pub(crate) fn is_all(&self) -> bool {
        self.children.is_empty() || self.children.contains_key("*")
    }

    /// Returns the mask below a field; `None` when the field is not taken.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        static ALL: Mask = Mask { children: BTreeMap::new() };
        if self.is_all() {
            return Some(&ALL);
        }
        self.children.get(name)
    }

    /// Returns the mask at a path, as [`Mask::child`] step by step.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |mask, name| mask.child(name))
    }

    /// Returns the names at the top; none when it takes everything.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.children.iter().map(|(name, mask)| (name.as_str(), mask))
    }

    /// Returns the part of a value that the mask takes.
    pub(crate) fn apply(&self, value: Value) -> Value {
        if self.is_all() {
            return value;
        }
        match value {
            Value::Object(map) => Value::Object(
                map.into_iter()
                    .filter_map(|(name, inner)| Some((self.child(&name)?.apply(inner), name)))
                    .map(|(inner, name)| (name, inner))
                    .collect(),
            ),
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.apply(item)).collect())
            }
            other => other,
        }
    }

    /// Copies what the mask takes from `source` to `target`; what `source` lacks is removed there.
    pub(crate) fn update(&self, target: &mut Map<String, Value>, source: &Map<String, Value>) {
        if self.is_all() {
            *target = source.clone();
            return;
        }
        for (name, mask) in &self.children {
            match source.get(name) {
                None => {
                    if mask.is_all() {
                        target.shift_remove(name);
                    } else if let Some(Value::Object(inner)) = target.get_mut(name) {
                        mask.update(inner, &Map::new());
                        if inner.is_empty() {
                            target.shift_remove(name);
                        }
                    }
                }
                Some(Value::Object(given)) if !mask.is_all() => {
                    let inner =
                        target.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
                    if let Value::Object(inner) = inner {
                        mask.update(inner, given);
                        if inner.is_empty() {
                            target.shift_remove(name);
                        }
                    }
                }
                Some(given) => {
                    target.insert(name.clone(), given.clone());
                }
            }
        }
    }

    /// Returns the mask with the twin of every colour: `xColor` and `xColorStyle` tell the same.
    pub(crate) fn with_color_twins(&self) -> Self {
        let mut children = BTreeMap::new();
        for (name, mask) in &self.children {
            children.insert(name.clone(), mask.with_color_twins());
            if name.ends_with("Color") {
                children.insert(format!("{name}Style"), Self::default());
            } else if let Some(plain) =
                name.strip_suffix("Style").filter(|plain| plain.ends_with("Color"))
            {
                children.insert(plain.to_owned(), Self::default());
            }
        }
        Self { children }
    }

    /// Returns the first path that names no field of a message type.
    pub(crate) fn unknown(&self, message: &'static Message, above: &str) -> Option<String> {
        for (name, mask) in &self.children {
            if name == "*" {
                continue;
            }
            let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            let Some(kind) = message.field(name) else {
                return Some(path);
            };
            if mask.children.is_empty() {
                continue;
            }
            match (kind, kind.message()) {
                // Below a map the first step is a key.
                (Kind::Map(_), _) | (Kind::Any, _) => {}
                (_, Some(inner)) => {
                    if let Some(path) = mask.unknown(inner, &path) {
                        return Some(path);
                    }
                }
                (_, None) => {
                    let below = mask.children.keys().next().map_or("", String::as_str);
                    return Some(format!("{path}.{below}"));
                }
            }
        }
        None
    }

    fn insert(&mut self, path: &[&str]) -> &mut Self {
        let mut mask = self;
        for step in path {
            let existed = mask.children.contains_key(*step);
            mask = mask.children.entry((*step).to_owned()).or_default();
            if existed && mask.is_all() {
                // A parent that was asked for whole stays whole.
                break;
            }
        }
        mask
    }
}

/// Returns the error for a path that names no field, as recorded.
fn expansion(path: &str) -> ApiError {
    ApiError::violation(
        "Request contains an invalid argument.",
        path,
        format!(
            "Error expanding 'fields' parameter. Cannot find matching fields for path '{path}'."
        ),
    )
}

/// Reads `item(,item)*` into a mask and returns what is left (`)` and on, or nothing).
fn read_list<'a>(mut text: &'a str, mask: &mut Mask) -> Option<&'a str> {
    loop {
        let end = text.find([',', '(', ')']).unwrap_or(text.len());
        let (path, rest) = text.split_at_checked(end)?;
        let steps: Vec<&str> = path.trim().split(['.', '/']).map(str::trim).collect();
        if steps.iter().any(|step| step.is_empty()) {
            // Only a mask that is empty altogether may have an empty path.
            let empty = path.trim().is_empty() && rest.is_empty() && mask.children.is_empty();
            return empty.then_some(rest);
        }
        let snake: Vec<String> = steps.iter().map(|step| camel(step)).collect();
        let steps: Vec<&str> = snake.iter().map(String::as_str).collect();
        let known = mask.at_existing(&steps);
        let node = mask.insert(&steps);
        match rest.strip_prefix('(') {
            Some(inner) => {
                let after = read_list(inner, node)?.strip_prefix(')')?;
                match after.strip_prefix(',') {
                    Some(next) => text = next,
                    None => return Some(after),
                }
            }
            None => {
                if known {
                    // Asked for in part before and whole now: whole wins.
                    node.children.clear();
                }
                match rest.strip_prefix(',') {
                    Some(next) => text = next,
                    None => return Some(rest),
                }
            }
        }
    }
}

impl Mask {
    fn at_existing(&self, path: &[&str]) -> bool {
        path.iter().try_fold(self, |mask, step| mask.children.get(*step)).is_some()
    }
}

fn camel(name: &str) -> String {
    let mut upper = false;
    name.chars()
        .filter_map(|letter| {
            if letter == '_' {
                upper = true;
                return None;
            }
            let out = if upper { letter.to_ascii_uppercase() } else { letter };
            upper = false;
            Some(out)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::message;
    use serde_json::json;

    #[test]
    fn spellings_agree() {
        let dotted = Mask::parse("sheets.data.rowData.values.note").unwrap();
        for text in [
            "sheets/data/rowData/values/note",
            "sheets(data(rowData(values(note))))",
            "sheets.data(rowData/values(note))",
            "sheets.data.row_data.values.note",
        ] {
            assert_eq!(Mask::parse(text).unwrap(), dotted, "{text}");
        }
        for text in ["a(b", "a)", "a,,b", "a..b", ","] {
            assert_eq!(Mask::parse(text), None, "{text}");
        }
    }

    #[test]
    fn masks_take_and_update_parts() {
        let mask = Mask::parse("a(b,c),d").unwrap();
        let value = json!({"a": [{"b": 1, "x": 2}, {}], "d": {"e": 1}, "f": 0});
        assert_eq!(mask.apply(value), json!({"a": [{"b": 1}, {}], "d": {"e": 1}}));

        let mut target = json!({"a": {"b": 1, "k": 2}, "d": 3}).as_object().cloned().unwrap();
        let source = json!({"a": {"c": 9}}).as_object().cloned().unwrap();
        mask.update(&mut target, &source);
        assert_eq!(Value::Object(target), json!({"a": {"k": 2, "c": 9}}));
    }

    #[test]
    fn unknown_paths_are_told() {
        let spreadsheet = message("Spreadsheet").unwrap();
        let error = Mask::of_answer("sheets.foo", spreadsheet).unwrap_err();
        assert_eq!(error.message, "Request contains an invalid argument.");
        assert!(
            error
                .details
                .first()
                .unwrap()
                .to_string()
                .contains("Cannot find matching fields for path 'sheets.foo'.")
        );
        assert!(
            Mask::of_answer("sheets(properties.gridProperties.rowCount),namedRanges", spreadsheet)
                .is_ok()
        );
    }
}
