//! The key that says which rows of two replicas are the same row.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::{fold_case, normalise};
use crate::value::{Row, Value};

/// The normalised values of a row's key columns; a clone shares them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key(Row);

impl Key {
    /// Normalises values into a key: texts are trimmed on both sides, in NFC, and without case where asked.
    pub fn normalised(values: impl IntoIterator<Item = Value>, fold: bool) -> Key {
        let normal = |value| match value {
            Value::Text(text) => normal_text(&text, fold),
            other => other,
        };
        Key(values.into_iter().map(normal).collect())
    }

    /// Returns the key of one text.
    pub fn of(text: &str) -> Key {
        Key::normalised([Value::from(text)], false)
    }

    /// Returns the values, in the order of the key columns.
    pub fn as_values(&self) -> &[Value] {
        &self.0
    }

    /// Returns the values as a row, to be shared.
    pub fn row(&self) -> &Row {
        &self.0
    }

    /// Returns whether a part is null: such a row cannot be told from others.
    pub fn is_blank(&self) -> bool {
        self.0.is_empty() || self.0.iter().any(Value::is_null)
    }
}

fn normal_text(text: &str, fold: bool) -> Value {
    let text = text.trim();
    match (text.is_empty(), fold) {
        (true, _) => Value::Null,
        (false, true) => Value::Text(fold_case(text).into()),
        (false, false) => Value::Text(normalise(text).into()),
    }
}

impl fmt::Display for Key {
    /// Writes the parts joined by ` / `, for people; two keys may look alike, so it is no identity.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, value) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" / ")?;
            }
            match value {
                Value::Null => f.write_str("(blank)")?,
                value => write!(f, "{value}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_texts() {
        assert_eq!(Key::of("  e\u{301}a "), Key::of("éa"));
        assert_ne!(Key::of("A"), Key::of("a"));
        let folded = |text: &str| Key::normalised([Value::from(text)], true);
        assert_eq!(folded("Straße "), folded("STRASSE"));
        assert_eq!(
            Key::normalised([Value::from(7)], true),
            Key::normalised([Value::from(7)], false)
        );
    }

    #[test]
    fn blank_parts_make_a_blank_key() {
        assert!(Key::of("  ").is_blank());
        assert!(Key::normalised([Value::from(1), Value::Null], false).is_blank());
        assert!(Key::normalised([], false).is_blank());
        assert!(!Key::of("0").is_blank());
    }

    #[test]
    fn parts_do_not_run_together() {
        let key = |a: &str, b: &str| Key::normalised([Value::from(a), Value::from(b)], false);
        assert_ne!(key("ab", "c"), key("a", "bc"));
        assert_eq!(key("ab", "c").to_string(), "ab / c");
        assert_eq!(
            Key::normalised([Value::from("x"), Value::Null], false).to_string(),
            "x / (blank)"
        );
    }
}
