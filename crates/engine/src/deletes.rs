//! What the disappearance of a row on one side does to the other.

use serde::{Deserialize, Deserializer, Serialize};

use crate::side::{PerSide, SideName};

/// The column that a row is marked in when nothing else is said.
pub(crate) const MARK_COLUMN: &str = "status";
/// The value that a row is marked with when nothing else is said.
pub(crate) const MARK_VALUE: &str = "inactive";

/// How a deletion is carried out on a side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Deletes {
    /// The row stays and one column of it is set; a row so marked counts as deleted until its partner comes back.
    Mark {
        /// The column to set; `status` where none is named, and then a schema without it leaves the row alone.
        column: Option<Box<str>>,
        /// The value to set, as text that the column's type reads.
        value: Box<str>,
    },
    /// The row is removed.
    Delete,
    /// The row is left alone, and stays in base so that it is not taken for a new one.
    Ignore,
}

impl Default for Deletes {
    fn default() -> Deletes {
        Deletes::Mark { column: None, value: MARK_VALUE.into() }
    }
}

/// How deletions are carried out on each side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeletePolicy(PerSide<Deletes>);

impl DeletePolicy {
    /// Builds the policy that treats both sides alike.
    pub fn both(how: Deletes) -> DeletePolicy {
        DeletePolicy(PerSide { left: how.clone(), right: how })
    }

    /// Builds a policy from one answer per side.
    pub fn new(left: Deletes, right: Deletes) -> DeletePolicy {
        DeletePolicy(PerSide { left, right })
    }

    /// Returns how a row of the side is deleted.
    pub fn on(&self, side: SideName) -> &Deletes {
        self.0.get(side)
    }

    /// Returns the policy with the sides called the other way round.
    pub fn mirrored(&self) -> DeletePolicy {
        DeletePolicy::new(self.0.right.clone(), self.0.left.clone())
    }
}

const EXPECTED: &str = "\"mark\", \"delete\", \"ignore\" or {\"mark\": {\"column\": …, \"value\": …}}, for both \
                        sides or as {\"left\": …, \"right\": …}";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Word {
    Mark,
    Delete,
    Ignore,
}

/// A text, number or truth value, kept as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(Box<str>),
    Bool(bool),
    Integer(i64),
    Float(f64),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Mark {
    column: Option<Box<str>>,
    value: Option<Scalar>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Marked {
    mark: Mark,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a delete policy: \"mark\", \"delete\", \"ignore\" or {\"mark\": {…}}"
)]
enum Wire {
    Word(Word),
    Marked(Marked),
}

impl From<Wire> for Deletes {
    fn from(wire: Wire) -> Deletes {
        match wire {
            Wire::Word(Word::Mark) => Deletes::default(),
            Wire::Word(Word::Delete) => Deletes::Delete,
            Wire::Word(Word::Ignore) => Deletes::Ignore,
            Wire::Marked(Marked { mark }) => Deletes::Mark {
                column: mark.column,
                value: match mark.value {
                    None => MARK_VALUE.into(),
                    Some(Scalar::Text(text)) => text,
                    Some(Scalar::Bool(value)) => value.to_string().into(),
                    Some(Scalar::Integer(value)) => value.to_string().into(),
                    Some(Scalar::Float(value)) => value.to_string().into(),
                },
            },
        }
    }
}

impl<'de> Deserialize<'de> for Deletes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Deletes, D::Error> {
        Wire::deserialize(deserializer).map(Deletes::from)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sides {
    #[serde(default)]
    left: Deletes,
    #[serde(default)]
    right: Deletes,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PolicyWire {
    Both(Deletes),
    Sides(Sides),
}

impl<'de> Deserialize<'de> for DeletePolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DeletePolicy, D::Error> {
        match PolicyWire::deserialize(deserializer) {
            Ok(PolicyWire::Both(how)) => Ok(DeletePolicy::both(how)),
            Ok(PolicyWire::Sides(Sides { left, right })) => Ok(DeletePolicy::new(left, right)),
            Err(_) => Err(serde::de::Error::custom(format!("deletes: expected {EXPECTED}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> DeletePolicy {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn reads_every_form() {
        let marked = |column: &str, value: &str| Deletes::Mark {
            column: Some(column.into()),
            value: value.into(),
        };
        assert_eq!(read("\"delete\""), DeletePolicy::both(Deletes::Delete));
        assert_eq!(read("\"mark\""), DeletePolicy::default());
        assert_eq!(
            read(r#"{"mark":{"column":"gone","value":true}}"#),
            DeletePolicy::both(marked("gone", "true"))
        );
        assert_eq!(
            read(r#"{"left":"ignore","right":{"mark":{"column":"state","value":9}}}"#),
            DeletePolicy::new(Deletes::Ignore, marked("state", "9"))
        );
        assert_eq!(
            read(r#"{"right":"delete"}"#),
            DeletePolicy::new(Deletes::default(), Deletes::Delete)
        );
    }

    #[test]
    fn writes_what_it_reads() {
        for json in [
            r#""delete""#,
            r#"{"left":"ignore","right":{"mark":{"column":"state","value":"x"}}}"#,
            "\"mark\"",
        ] {
            let policy = read(json);
            assert_eq!(read(&serde_json::to_string(&policy).unwrap()), policy);
        }
    }

    #[test]
    fn refuses_the_rest_readably() {
        for json in [
            "\"remove\"",
            "3",
            r#"{"mark":{"colum":"x"}}"#,
            r#"{"left":"delete","rigth":"delete"}"#,
        ] {
            let error = serde_json::from_str::<DeletePolicy>(json).unwrap_err().to_string();
            assert!(error.contains("\"ignore\""), "{json}: {error}");
        }
    }
}
