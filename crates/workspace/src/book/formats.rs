//! The cell formats of a book, each kept once.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Is the table of `userEnteredFormat` objects in use; cells name them by number, 0 being none.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Value>", into = "Vec<Value>")]
pub(crate) struct Formats {
    all: Vec<Value>,
    numbers: HashMap<String, u32>,
}

impl Formats {
    /// Returns the format of a number; `None` for 0.
    pub(crate) fn get(&self, number: u32) -> Option<&Value> {
        self.all.get(number.checked_sub(1)? as usize)
    }

    /// Returns the number of a format, adding it when it is new; 0 for an empty one.
    pub(crate) fn number(&mut self, format: Value) -> u32 {
        if format.as_object().is_none_or(Map::is_empty) {
            return 0;
        }
        let key = format.to_string();
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        self.all.push(format);
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.numbers.insert(key, number);
        number
    }

    /// Returns how many formats there are; the last has this number.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }

    /// Returns the type and the pattern of a format's number format.
    pub(crate) fn number_format(&self, number: u32) -> Option<(&str, &str)> {
        let format = self.get(number)?.get("numberFormat")?;
        let text = |name| format.get(name).and_then(Value::as_str).unwrap_or_default();
        Some((text("type"), text("pattern")))
    }
}

impl From<Vec<Value>> for Formats {
    fn from(all: Vec<Value>) -> Self {
        let numbers =
            all.iter().zip(1..).map(|(format, number)| (format.to_string(), number)).collect();
        Self { all, numbers }
    }
}

impl From<Formats> for Vec<Value> {
    fn from(formats: Formats) -> Self {
        formats.all
    }
}
