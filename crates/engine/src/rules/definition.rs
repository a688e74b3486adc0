//! Rules as they are written in a policy.

use serde::{Deserialize, Serialize};

use crate::strategy::Combine;

/// What makes a rule apply to a disputed cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RuleType {
    /// The cell is in one of the named columns; `fields` is required.
    #[serde(alias = "field_priority")]
    FieldPriority,
    /// One of the values comes from one of the named sources; `sources` is required.
    #[serde(alias = "source_priority")]
    SourcePriority,
    /// The condition holds; `when` is required.
    #[serde(alias = "value_based")]
    ValueBased,
    /// The times of both values are known, and as far apart and as fresh as the rule asks.
    #[serde(alias = "time_based")]
    TimeBased,
}

/// One source, or several in order of preference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a source name or a list of source names")]
pub enum Sources {
    /// One.
    One(String),
    /// Several, the best first.
    Many(Vec<String>),
}

impl Sources {
    /// Returns the names, the best first.
    pub fn names(&self) -> &[String] {
        match self {
            Sources::One(name) => std::slice::from_ref(name),
            Sources::Many(names) => names,
        }
    }
}

/// What a rule that applies does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Takes the value of the first source in `prefer` that has one of the values.
    #[serde(alias = "prefer_source")]
    PreferSource,
    /// Takes the later value, as `latestWins` does.
    #[serde(alias = "use_latest")]
    UseLatest,
    /// Combines the values: by `merge`, else as the column declares, else lists as sets and a value over a blank.
    #[serde(alias = "merge_fields")]
    MergeFields,
    /// Computes the value by `expression`.
    Calculate,
}

/// One rule of the `ruleBased` strategy.
///
/// Every condition that is given must hold, whatever the type; the type says which one is required.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// A name for reports; the rule's number where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What makes the rule apply.
    #[serde(rename = "type")]
    pub kind: RuleType,
    /// The columns the rule is about; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// The sources one of the values must come from; any when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// A condition over `base`, `left`, `right`, `now` and `column`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The least time between the changes, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_gap_seconds: Option<u32>,
    /// The greatest age of the later change at `now`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u32>,
    /// What to do.
    pub action: Action,
    /// The sources that `preferSource` prefers, the best first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefer: Option<Sources>,
    /// How `mergeFields` combines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Combine>,
    /// What `calculate` computes, over `base`, `left`, `right`, `now` and `column`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_and_write() {
        for json in [
            r#"{"type":"fieldPriority","fields":["qty"],"action":"preferSource","prefer":["crm","left"]}"#,
            r#"{"name":"newest","type":"timeBased","minGapSeconds":60,"action":"useLatest"}"#,
            r#"{"type":"valueBased","when":"left.qty > right.qty","action":"calculate","expression":"left.qty + 1"}"#,
            r#"{"type":"sourcePriority","sources":["crm"],"action":"mergeFields","merge":"max"}"#,
        ] {
            let rule: Rule = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&rule).unwrap(), json);
        }
        let rule: Rule = serde_json::from_str(
            r#"{"type":"source_priority","action":"prefer_source","prefer":"left"}"#,
        )
        .unwrap();
        assert_eq!(rule.prefer.unwrap().names(), ["left"]);
    }
}
