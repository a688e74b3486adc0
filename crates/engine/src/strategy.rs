//! How a cell that was changed differently on both sides is decided.

use serde::{Deserialize, Serialize};

/// A way to decide cells that were changed differently on both sides.
///
/// Only the disputed cells are decided: a cell that one side alone changed always flows, whoever wins elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Strategy {
    /// The later change wins: by the `modifiedAt` column, else the time of the cell, else the time of the row.
    ///
    /// Equal times are decided by the canonical order of the values (the greater wins); an unknown time defers.
    #[serde(alias = "latest_wins")]
    LatestWins,
    /// The left side wins.
    #[serde(alias = "left_priority", alias = "system_a_priority", alias = "systemAPriority")]
    LeftPriority,
    /// The right side wins.
    #[serde(alias = "right_priority", alias = "system_b_priority", alias = "systemBPriority")]
    RightPriority,
    /// The source with the higher number wins; equal numbers are decided like `latestWins`.
    #[serde(alias = "priority_based")]
    PriorityBased,
    /// Each cell by its own time; the `modifiedAt` column and the time of the row are not looked at.
    #[serde(alias = "field_by_field")]
    FieldByField,
    /// The first rule that applies decides; without one the conflict is deferred.
    #[serde(alias = "rule_based")]
    RuleBased,
    /// A value beats a blank, lists are merged as sets, then like `latestWins`.
    #[serde(alias = "automatic_merge")]
    AutomaticMerge,
    /// Nothing is decided: both sides keep theirs and the conflict waits for a person.
    #[default]
    #[serde(alias = "manual_review")]
    ManualReview,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Strategy; 8] = [
        Strategy::LatestWins,
        Strategy::LeftPriority,
        Strategy::RightPriority,
        Strategy::PriorityBased,
        Strategy::FieldByField,
        Strategy::RuleBased,
        Strategy::AutomaticMerge,
        Strategy::ManualReview,
    ];

    /// Returns the name as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Strategy::LatestWins => "latestWins",
            Strategy::LeftPriority => "leftPriority",
            Strategy::RightPriority => "rightPriority",
            Strategy::PriorityBased => "priorityBased",
            Strategy::FieldByField => "fieldByField",
            Strategy::RuleBased => "ruleBased",
            Strategy::AutomaticMerge => "automaticMerge",
            Strategy::ManualReview => "manualReview",
        }
    }

    /// Returns the strategy that decides the same with the sides called the other way round.
    pub fn mirrored(self) -> Strategy {
        match self {
            Strategy::LeftPriority => Strategy::RightPriority,
            Strategy::RightPriority => Strategy::LeftPriority,
            other => other,
        }
    }
}

/// How the values of both sides become one.
///
/// Where a column declares one it comes before every strategy, and all of them give the same whichever side is called
/// left. What it cannot combine (a text in a sum) is deferred, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Combine {
    /// Adds what each side added: base + (left - base) + (right - base); a blank counts as 0.
    Sum,
    /// The greater value; a value beats a blank.
    Max,
    /// The smaller value; a value beats a blank.
    Min,
    /// Everything in either list, without repeats.
    Union,
    /// Both texts, one after the other in canonical order, with the column's separator between.
    Concat,
    /// The base list, with what either side added and without what either side removed.
    Set,
    /// The value where the other side is blank.
    Fill,
}

impl Combine {
    /// Returns the name as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Combine::Sum => "sum",
            Combine::Max => "max",
            Combine::Min => "min",
            Combine::Union => "union",
            Combine::Concat => "concat",
            Combine::Set => "set",
            Combine::Fill => "fill",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_and_print_alike() {
        for strategy in Strategy::ALL {
            let json = serde_json::to_string(&strategy).unwrap();
            assert_eq!(json, format!("\"{}\"", strategy.as_str()));
            assert_eq!(serde_json::from_str::<Strategy>(&json).unwrap(), strategy);
        }
    }

    #[test]
    fn the_seeds_names_are_accepted() {
        for (name, strategy) in [
            ("system_a_priority", Strategy::LeftPriority),
            ("system_b_priority", Strategy::RightPriority),
            ("left_priority", Strategy::LeftPriority),
            ("field_by_field", Strategy::FieldByField),
            ("manual_review", Strategy::ManualReview),
        ] {
            assert_eq!(serde_json::from_str::<Strategy>(&format!("\"{name}\"")).unwrap(), strategy);
        }
        let error = serde_json::from_str::<Strategy>("\"newest\"").unwrap_err().to_string();
        assert!(error.contains("latestWins"), "{error}");
    }
}
