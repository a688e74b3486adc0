//! Data validation: what people may enter into a cell.
//!
//! The API writes values past it [BELIEF: that values.update does is said of live probes, google-wire 2.5; that it holds
//! for strict rules and updateCells was not verified], so whoever writes must look himself.

use serde::Deserialize;

/// A rule for what a cell may hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Validation {
    /// Whether other values are refused where people enter them, not only marked.
    pub strict: bool,
    /// The condition.
    pub condition: Condition,
}

/// A condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "Found")]
pub struct Condition {
    /// The `ConditionType` of the Sheets API, e.g. `ONE_OF_LIST`.
    pub kind: String,
    /// Its values as a person would enter them; one that is relative to today is blank.
    pub values: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Found {
    #[serde(rename = "type")]
    kind: String,
    values: Vec<FoundValue>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct FoundValue {
    user_entered_value: String,
}

impl From<Found> for Condition {
    fn from(found: Found) -> Self {
        let values = found.values.into_iter().map(|value| value.user_entered_value).collect();
        Self { kind: found.kind, values }
    }
}
