//! Stops a plan that would do more than anybody is likely to have meant.
//!
//! A halt is not an error: the plan is complete and can be looked at, and the operator may override each reason by name.

use serde::{Deserialize, Serialize};

use crate::dataset::{PerSide, Policy, Safety, SideName};
use crate::reconcile::{Change, ChangeKind, Reconciled};
use crate::schema::ColumnType;

/// Why a plan is not applied without the operator's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HaltReason {
    /// A side that had rows has none.
    Emptied,
    /// More rows would be deleted or marked than the policy allows.
    TooManyDeletes,
    /// More rows would be updated than the policy allows.
    TooManyChanges,
    /// A column that the dataset maps is not there any more.
    ColumnMissing,
    /// A column holds another type of values than it did.
    TypeChanged,
    /// More rows have a duplicate or blank key than the policy allows.
    DuplicateKeys,
    /// Rows are not what the dataset expects of them.
    Expectation,
}

impl HaltReason {
    /// Every reason.
    pub const ALL: [HaltReason; 7] = [
        HaltReason::Emptied,
        HaltReason::TooManyDeletes,
        HaltReason::TooManyChanges,
        HaltReason::ColumnMissing,
        HaltReason::TypeChanged,
        HaltReason::DuplicateKeys,
        HaltReason::Expectation,
    ];

    /// Returns the name to give in `override`.
    pub fn as_str(self) -> &'static str {
        match self {
            HaltReason::Emptied => "emptied",
            HaltReason::TooManyDeletes => "tooManyDeletes",
            HaltReason::TooManyChanges => "tooManyChanges",
            HaltReason::ColumnMissing => "columnMissing",
            HaltReason::TypeChanged => "typeChanged",
            HaltReason::DuplicateKeys => "duplicateKeys",
            HaltReason::Expectation => "expectation",
        }
    }
}

/// One reason to stop, about one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Halt {
    /// Why; its name is what an override gives.
    pub reason: HaltReason,
    /// The side, or the hub or spoke, it is about.
    pub side: Box<str>,
    /// What was found and what to do, for people.
    pub message: String,
}

/// A column whose values have another type than the dataset says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retyped {
    /// The column.
    pub column: String,
    /// The type in the dataset.
    pub declared: ColumnType,
    /// The type of the values that are there now.
    pub found: ColumnType,
}

/// What was seen of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SideSeen {
    /// Rows read, those set aside included.
    pub rows: usize,
    /// Rows set aside for a duplicate or blank key.
    pub set_aside: usize,
    /// Columns that the dataset maps and the side does not have.
    pub missing: Vec<String>,
    /// Columns whose values have another type than the dataset says.
    pub retyped: Vec<Retyped>,
}

/// What was seen of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Rows in base; 0 where there is none.
    pub base_rows: usize,
    /// Both sides.
    pub sides: PerSide<SideSeen>,
}

/// Returns every reason not to apply what was decided about a pair.
pub fn check(result: &Reconciled, seen: &Seen, policy: &Policy) -> Vec<Halt> {
    let side = |side: SideName| {
        let elsewhere = seen.sides.get(side.other()).rows;
        let known = match policy.direction.source() {
            _ if seen.base_rows > 0 => seen.base_rows,
            Some(source) if source == side => elsewhere,
            _ => 0,
        };
        check_member(
            side.as_str(),
            result.writes(side),
            seen.sides.get(side),
            known,
            &policy.safety,
        )
    };
    SideName::BOTH.into_iter().flat_map(side).collect()
}

/// Returns every reason not to apply what was decided about one side, hub or spoke; it is known to have had `known` rows.
pub fn check_member(
    name: &str,
    writes: &[Change],
    here: &SideSeen,
    known: usize,
    safety: &Safety,
) -> Vec<Halt> {
    let who = match name {
        "left" | "right" => format!("{name} side"),
        other => other.to_owned(),
    };
    let mut halts = Vec::new();
    let mut halt = |reason: HaltReason, message: String| {
        let message = format!("{message} (override: {})", reason.as_str());
        halts.push(Halt { reason, side: name.into(), message });
    };
    if here.rows == 0 && known > 0 {
        halt(
            HaltReason::Emptied,
            format!(
                "the {who} has no rows where {known} are known; check that the right place was read"
            ),
        );
    }
    let count =
        |kinds: &[ChangeKind]| writes.iter().filter(|change| kinds.contains(&change.kind)).count();
    let deletes = count(&[ChangeKind::Delete, ChangeKind::Mark]);
    let bound = safety.max_delete_percent;
    if exceeds(deletes, here.rows, bound) {
        halt(
            HaltReason::TooManyDeletes,
            format!(
                "{deletes} of {} rows of the {who} would be deleted or marked, more than {bound} %",
                here.rows
            ),
        );
    }
    if let Some(bound) = safety.max_change_percent {
        let updates = count(&[ChangeKind::Update, ChangeKind::Reactivate]);
        if exceeds(updates, here.rows, bound) {
            halt(
                HaltReason::TooManyChanges,
                format!(
                    "{updates} of {} rows of the {who} would be changed, more than {bound} %",
                    here.rows
                ),
            );
        }
    }
    for column in &here.missing {
        halt(
            HaltReason::ColumnMissing,
            format!(
                "the {who} has no column '{column}' any more; put it back, or map the dataset anew"
            ),
        );
    }
    for Retyped { column, declared, found } in &here.retyped {
        halt(
            HaltReason::TypeChanged,
            format!(
                "column '{column}' of the {who} holds {found} values, and the dataset says {declared}"
            ),
        );
    }
    let bound = safety.max_duplicate_percent;
    if exceeds(here.set_aside, here.rows, bound) {
        halt(
            HaltReason::DuplicateKeys,
            format!(
                "{} of {} rows of the {who} have a duplicate or blank key, more than {bound} %; \
                 check the key columns",
                here.set_aside, here.rows
            ),
        );
    }
    halts
}

/// Returns whether a part of a whole is more than a percentage of it.
fn exceeds(part: usize, whole: usize, percent: u8) -> bool {
    (part as u128) * 100 > (whole as u128) * u128::from(percent)
}

/// Returns the halts that no override names.
pub fn remaining<'a>(halts: &'a [Halt], overrides: &[String]) -> Vec<&'a Halt> {
    halts.iter().filter(|halt| !overrides.iter().any(|name| name == halt.reason.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Direction;
    use crate::key::Key;

    fn seen(base: usize, left: usize, right: usize) -> Seen {
        let side = |rows| SideSeen { rows, ..SideSeen::default() };
        Seen { base_rows: base, sides: PerSide { left: side(left), right: side(right) } }
    }

    fn writes(kind: ChangeKind, count: usize) -> Reconciled {
        let change = |n: usize| Change {
            key: Key::of(&n.to_string()),
            kind,
            before: None,
            after: None,
            cells: vec![].into(),
            row: None,
        };
        Reconciled { right: (0..count).map(change).collect(), ..Reconciled::default() }
    }

    fn reasons(result: &Reconciled, seen: &Seen, policy: &Policy) -> Vec<(HaltReason, SideName)> {
        let side = |name: &str| SideName::BOTH.into_iter().find(|side| side.as_str() == name);
        let one = |halt: Halt| (halt.reason, side(&halt.side).unwrap());
        check(result, seen, policy).into_iter().map(one).collect()
    }

    #[test]
    fn bounds_are_inclusive() {
        let policy = Policy::default();
        let seen = seen(100, 100, 100);
        assert_eq!(reasons(&writes(ChangeKind::Delete, 25), &seen, &policy), []);
        let halted = [(HaltReason::TooManyDeletes, SideName::Right)];
        assert_eq!(reasons(&writes(ChangeKind::Delete, 26), &seen, &policy), halted);
        assert_eq!(reasons(&writes(ChangeKind::Mark, 26), &seen, &policy), halted);
        assert_eq!(reasons(&writes(ChangeKind::Update, 100), &seen, &policy), []);
        let bounded = Policy {
            safety: Safety { max_change_percent: Some(10), ..Safety::default() },
            ..Policy::default()
        };
        assert_eq!(reasons(&writes(ChangeKind::Update, 10), &seen, &bounded), []);
        let halted = [(HaltReason::TooManyChanges, SideName::Right)];
        assert_eq!(reasons(&writes(ChangeKind::Update, 11), &seen, &bounded), halted);
        assert_eq!(reasons(&writes(ChangeKind::Insert, 100), &seen, &bounded), []);
    }

    #[test]
    fn an_emptied_side_halts() {
        let nothing = Reconciled::default();
        let two_way = Policy::default();
        assert_eq!(
            reasons(&nothing, &seen(3, 0, 3), &two_way),
            [(HaltReason::Emptied, SideName::Left)]
        );
        assert_eq!(
            reasons(&nothing, &seen(3, 3, 0), &two_way),
            [(HaltReason::Emptied, SideName::Right)]
        );
        // The first copy into an empty side is what a dataset begins with.
        assert_eq!(reasons(&nothing, &seen(0, 0, 3), &two_way), []);
        let one_way = Policy { direction: Direction::LeftToRight, ..Policy::default() };
        assert_eq!(
            reasons(&nothing, &seen(0, 0, 3), &one_way),
            [(HaltReason::Emptied, SideName::Left)]
        );
        assert_eq!(reasons(&nothing, &seen(0, 3, 0), &one_way), []);
        assert_eq!(reasons(&nothing, &seen(0, 0, 0), &one_way), []);
    }

    #[test]
    fn shape_halts_and_overrides() {
        let mut seen = seen(0, 100, 100);
        seen.sides.left.missing = vec!["price".into()];
        seen.sides.left.set_aside = 5;
        seen.sides.right.set_aside = 6;
        seen.sides.right.retyped = vec![Retyped {
            column: "qty".into(),
            declared: ColumnType::Number,
            found: ColumnType::Text,
        }];
        let halts = check(&Reconciled::default(), &seen, &Policy::default());
        let codes: Vec<_> = halts.iter().map(|halt| (halt.reason, &*halt.side)).collect();
        assert_eq!(
            codes,
            [
                (HaltReason::ColumnMissing, "left"),
                (HaltReason::TypeChanged, "right"),
                (HaltReason::DuplicateKeys, "right")
            ]
        );
        assert_eq!(
            halts[1].message,
            "column 'qty' of the right side holds text values, and the dataset says number (override: typeChanged)"
        );
        let left: Vec<_> = remaining(&halts, &["typeChanged".into(), "columnMissing".into()])
            .into_iter()
            .map(|halt| halt.reason)
            .collect();
        assert_eq!(left, [HaltReason::DuplicateKeys]);
    }
}
