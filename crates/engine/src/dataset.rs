//! What is kept in step, and how: the policy of a dataset.
//!
//! A policy is plain data, read from JSON or TOML and stored with the dataset. [`Terms`](crate::terms::Terms) checks
//! it against a schema before anything is decided by it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::deletes::{DeletePolicy, Deletes};
pub use crate::rules::definition::{Action, Rule, RuleType, Sources};
pub use crate::side::{PerSide, SideName};
pub use crate::strategy::{Combine, Strategy};

/// Which way changes flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// From left to right alone; what right changes by itself is drift.
    #[serde(alias = "left_to_right")]
    LeftToRight,
    /// From right to left alone; what left changes by itself is drift.
    #[serde(alias = "right_to_left")]
    RightToLeft,
    /// Both ways.
    #[default]
    Both,
}

impl Direction {
    /// Returns the side whose word counts alone, in a one-way direction.
    pub fn source(self) -> Option<SideName> {
        match self {
            Direction::LeftToRight => Some(SideName::Left),
            Direction::RightToLeft => Some(SideName::Right),
            Direction::Both => None,
        }
    }

    /// Returns the direction with the sides called the other way round.
    pub fn mirrored(self) -> Direction {
        match self {
            Direction::LeftToRight => Direction::RightToLeft,
            Direction::RightToLeft => Direction::LeftToRight,
            Direction::Both => Direction::Both,
        }
    }
}

/// What happens to a change that the receiving side of a one-way direction made by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Drift {
    /// It is overwritten, and kept in a loser record.
    #[default]
    Overwrite,
    /// It stays, and every run reports it.
    Report,
    /// It stays.
    Keep,
}

/// How a row that one side deleted and the other changed is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Clash {
    /// Not at all: both sides keep theirs and the conflict waits for a person.
    #[default]
    Hold,
    /// The changed row comes back.
    #[serde(alias = "edit_wins")]
    EditWins,
    /// The changed row goes, by the delete policy.
    #[serde(alias = "delete_wins")]
    DeleteWins,
    /// What the left side did.
    Left,
    /// What the right side did.
    Right,
    /// The later of both; equal times keep the row; an unknown time defers.
    Later,
}

impl Clash {
    /// Every answer.
    pub const ALL: [Clash; 6] =
        [Clash::Hold, Clash::EditWins, Clash::DeleteWins, Clash::Left, Clash::Right, Clash::Later];

    /// Returns the answer that decides the same with the sides called the other way round.
    pub fn mirrored(self) -> Clash {
        match self {
            Clash::Left => Clash::Right,
            Clash::Right => Clash::Left,
            other => other,
        }
    }

    /// Returns the name as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Clash::Hold => "hold",
            Clash::EditWins => "editWins",
            Clash::DeleteWins => "deleteWins",
            Clash::Left => "left",
            Clash::Right => "right",
            Clash::Later => "later",
        }
    }
}

/// How much of a row waits when one of its cells could not be decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Granularity {
    /// The whole row.
    #[default]
    Row,
    /// The undecided cells alone; the others flow.
    Cell,
}

/// What is special about one column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ColumnPolicy {
    /// The side that alone has this column; `None` when both have it. A side without it has no opinion about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<SideName>,
    /// The column's own direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The column's own strategy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// How values changed on both sides are combined, before any strategy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<Combine>,
    /// What `concat` puts between two texts; `; ` where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<Box<str>>,
}

/// Bounds beyond which a plan is not applied without the operator's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Safety {
    /// Most rows of a side that may be deleted or marked, in percent of its rows.
    pub max_delete_percent: u8,
    /// Most rows of a side that may be updated, in percent of its rows; `None` sets no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_change_percent: Option<u8>,
    /// Most rows of a side that may have a duplicate or blank key, in percent of its rows.
    pub max_duplicate_percent: u8,
}

impl Default for Safety {
    fn default() -> Safety {
        Safety { max_delete_percent: 25, max_change_percent: None, max_duplicate_percent: 5 }
    }
}

/// How two replicas are kept in step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Policy {
    /// Which way rows and cells flow.
    pub direction: Direction,
    /// How cells changed differently on both sides are decided.
    pub strategy: Strategy,
    /// How a deletion against a change is decided.
    pub clash: Clash,
    /// How much of an undecided row waits.
    pub granularity: Granularity,
    /// What happens to the receiving side's own changes in a one-way direction.
    pub drift: Drift,
    /// How deletions are carried out.
    pub deletes: DeletePolicy,
    /// The priority of each source by name (`left` and `right` are the sides themselves); unnamed ones have 0.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub priorities: BTreeMap<String, i64>,
    /// The column that says when a row was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<String>,
    /// The rules of the `ruleBased` strategy, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Columns about which something special is said, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnPolicy>,
    /// Bounds of an apply.
    pub safety: Safety,
}

impl Policy {
    /// Returns the policy that decides the same with the sides called the other way round.
    ///
    /// Expressions of rules are not rewritten: a rule that says `left` still means the left side.
    pub fn mirrored(&self) -> Policy {
        let mut policy = self.clone();
        policy.direction = self.direction.mirrored();
        policy.strategy = self.strategy.mirrored();
        policy.clash = self.clash.mirrored();
        policy.deletes = self.deletes.mirrored();
        for (from, to) in [("left", "right"), ("right", "left")] {
            match self.priorities.get(from) {
                Some(priority) => policy.priorities.insert(to.into(), *priority),
                None => policy.priorities.remove(to),
            };
        }
        for column in policy.columns.values_mut() {
            column.only = column.only.map(SideName::other);
            column.direction = column.direction.map(Direction::mirrored);
            column.strategy = column.strategy.map(Strategy::mirrored);
        }
        policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_policy_is_the_careful_one() {
        let policy: Policy = serde_json::from_str("{}").unwrap();
        assert_eq!(policy, Policy::default());
        assert_eq!(policy.direction, Direction::Both);
        assert_eq!(policy.strategy, Strategy::ManualReview);
        assert_eq!(policy.clash, Clash::Hold);
        assert_eq!(policy.granularity, Granularity::Row);
        assert_eq!(
            policy.deletes.on(SideName::Right),
            &Deletes::Mark { column: None, value: "inactive".into() }
        );
        assert_eq!(policy.safety.max_delete_percent, 25);
    }

    #[test]
    fn a_full_policy_reads_and_writes() {
        let json = r#"{"direction":"left_to_right","strategy":"system_a_priority","clash":"editWins",
            "granularity":"cell","drift":"report","deletes":"delete","priorities":{"left":2,"crm":9},
            "modifiedAt":"updated","columns":{"qty":{"merge":"sum","direction":"both"},"note":{"only":"right"}},
            "rules":[{"type":"field_priority","fields":["qty"],"action":"prefer_source","prefer":"left"}],
            "safety":{"maxDeletePercent":10,"maxChangePercent":50}}"#;
        let policy: Policy = serde_json::from_str(json).unwrap();
        assert_eq!(policy.strategy, Strategy::LeftPriority);
        assert_eq!(policy.safety.max_change_percent, Some(50));
        assert_eq!(policy.columns["note"].only, Some(SideName::Right));
        let again: Policy = serde_json::from_str(&serde_json::to_string(&policy).unwrap()).unwrap();
        assert_eq!(again, policy);
        assert_eq!(policy.mirrored().mirrored(), policy);
        assert_eq!(policy.mirrored().priorities["right"], 2);
    }

    #[test]
    fn misspellings_are_refused_with_the_known_names() {
        for (json, hint) in [
            (r#"{"strategie":"latest_wins"}"#, "`strategy`"),
            (r#"{"clash":"edit"}"#, "`editWins`"),
            (r#"{"columns":{"a":{"merge":"add"}}}"#, "`sum`"),
            (r#"{"safety":{"maxDeletes":3}}"#, "`maxDeletePercent`"),
        ] {
            let error = serde_json::from_str::<Policy>(json).unwrap_err().to_string();
            assert!(error.contains(hint), "{json}: {error}");
        }
    }
}
