//! The score: a weighted geometric mean of what was measured, below caps that nothing averages away.
//!
//! Score = min(caps, 100 · ∏ max(ε, sᵢ)^wᵢ); the weights of parts that were not measured go to the others. In a geometric
//! mean one dead part cannot hide behind the others.

use schemars::JsonSchema;
use serde::Serialize;

use crate::sync::verify::Call;

/// The least that a part counts, so that a dead one leaves something to climb from.
const LEAST: f64 = 0.01;

/// A part of the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    Consistency,
    Success,
    Timeliness,
    Backlog,
    /// Validity, completeness and uniqueness, multiplied.
    Quality,
}

impl Part {
    pub(super) const ALL: [Self; 5] =
        [Self::Consistency, Self::Success, Self::Timeliness, Self::Backlog, Self::Quality];

    fn weight(self) -> f64 {
        match self {
            Self::Consistency => 0.30,
            Self::Success => 0.25,
            Self::Timeliness => 0.20,
            Self::Backlog => 0.15,
            Self::Quality => 0.10,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Consistency => "consistency",
            Self::Success => "success",
            Self::Timeliness => "timeliness",
            Self::Backlog => "backlog",
            Self::Quality => "quality",
        }
    }
}

/// What no score may rise above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cap {
    Halted,
    LastRunFailed,
    UnexplainedDrift,
    DeadLetters,
    Stale,
}

impl Cap {
    pub(super) fn bound(self) -> f64 {
        match self {
            Self::Halted => 20.0,
            Self::LastRunFailed => 40.0,
            Self::UnexplainedDrift => 50.0,
            Self::DeadLetters => 70.0,
            Self::Stale => 80.0,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Halted => "halted",
            Self::LastRunFailed => "lastRunFailed",
            Self::UnexplainedDrift => "unexplainedDrift",
            Self::DeadLetters => "deadLetters",
            Self::Stale => "verificationStale",
        }
    }
}

/// Points that a dataset lacks, why, and the call that brings them back.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deduction {
    /// A part of the score, or what caps it.
    pub(crate) what: String,
    /// Of 100; of a cap, those that the other deductions leave it.
    pub(crate) points: f64,
    pub(crate) why: String,
    pub(crate) call: Call,
}

/// Something measured, with what to do where it is not whole.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) part: Part,
    pub(super) value: f64,
    pub(super) causes: Vec<Cause>,
}

/// Why a part is not whole, and the call that mends it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cause {
    /// How much of the loss is due to it, in any unit that all causes of the part have in common.
    pub(super) share: f64,
    pub(super) why: String,
    pub(super) call: Call,
}

/// A cap that holds.
#[derive(Clone, Debug)]
pub(super) struct Capped {
    pub(super) cap: Cap,
    pub(super) why: String,
    pub(super) call: Call,
}

/// A score with everything that it lacks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Score {
    pub(super) value: f64,
    pub(super) deductions: Vec<Deduction>,
    /// Parts that were not measured.
    pub(super) missing: Vec<&'static str>,
}

/// Scores a dataset; what it lacks adds up to what it lacks to 100, to within rounding.
pub(super) fn score(measured: &[Measured], caps: &[Capped]) -> Score {
    let weights: f64 = measured.iter().map(|one| one.part.weight()).sum();
    let loss = |one: &Measured| {
        -(one.part.weight() / weights.max(f64::MIN_POSITIVE)) * one.value.clamp(LEAST, 1.0).ln()
    };
    let total: f64 = measured.iter().map(loss).sum();
    let mean = 100.0 * (-total).exp();
    let bound = caps.iter().map(|one| one.cap.bound()).fold(100.0, f64::min);
    let value = mean.min(bound);
    // Each part's share of the points lost is its share of the logarithm.
    let mut deductions: Vec<Deduction> = measured
        .iter()
        .filter(|one| one.value < 1.0)
        .flat_map(|one| {
            let points = (100.0 - mean) * loss(one) / total;
            let shares: f64 = one.causes.iter().map(|cause| cause.share).sum();
            one.causes.iter().map(move |cause| Deduction {
                what: one.part.as_str().into(),
                points: tenth(points * cause.share / shares.max(f64::MIN_POSITIVE)),
                why: cause.why.clone(),
                call: cause.call.clone(),
            })
        })
        .collect();
    for one in caps {
        deductions.push(Deduction {
            what: one.cap.as_str().into(),
            points: tenth((mean - one.cap.bound()).max(0.0)),
            why: format!("{} (no score above {})", one.why, one.cap.bound()),
            call: one.call.clone(),
        });
    }
    deductions.sort_by(|one, other| other.points.total_cmp(&one.points));
    let known = |part: &Part| measured.iter().any(|one| one.part == *part);
    let missing = Part::ALL.iter().filter(|part| !known(part)).map(|part| part.as_str());
    Score { value: tenth(value), deductions, missing: missing.collect() }
}

/// Returns the geometric mean of scores, none of which counts less than 1.
pub(super) fn overall(scores: impl Iterator<Item = f64>) -> Option<f64> {
    let logs: Vec<f64> = scores.map(|score| score.max(1.0).ln()).collect();
    let count = logs.len() as f64;
    (!logs.is_empty()).then(|| tenth((logs.iter().sum::<f64>() / count).exp()))
}

/// Rounds to a tenth.
pub(super) fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call::new("syncDataset", serde_json::json!({}))
    }

    fn measured(values: &[(Part, f64)]) -> Vec<Measured> {
        let one = |(part, value): &(Part, f64)| Measured {
            part: *part,
            value: *value,
            causes: vec![Cause { share: 1.0, why: String::new(), call: call() }],
        };
        values.iter().map(one).collect()
    }

    fn capped(caps: &[Cap]) -> Vec<Capped> {
        caps.iter().map(|cap| Capped { cap: *cap, why: "because".into(), call: call() }).collect()
    }

    #[test]
    fn scores_by_hand() {
        use Part::*;
        let all = |value: f64| Part::ALL.map(|part| (part, value)).to_vec();
        type Case<'a> = (Vec<(Part, f64)>, &'a [Cap], f64);
        let cases: &[Case<'_>] = &[
            (all(1.0), &[], 100.0),
            (all(0.8), &[], 80.0),
            // 0.9^0.3 = 0.96889
            (
                vec![
                    (Consistency, 0.9),
                    (Success, 1.0),
                    (Timeliness, 1.0),
                    (Backlog, 1.0),
                    (Quality, 1.0),
                ],
                &[],
                96.9,
            ),
            // 0.01^0.25 = 0.31623: a dead part is not averaged away.
            (
                vec![
                    (Consistency, 1.0),
                    (Success, 0.0),
                    (Timeliness, 1.0),
                    (Backlog, 1.0),
                    (Quality, 1.0),
                ],
                &[],
                31.6,
            ),
            // Weights .30 and .25 alone: 0.5^(0.30/0.55) = 0.68518
            (vec![(Consistency, 0.5), (Success, 1.0)], &[], 68.5),
            (all(1.0), &[Cap::Stale], 80.0),
            (all(1.0), &[Cap::Stale, Cap::Halted, Cap::UnexplainedDrift], 20.0),
            (all(0.3), &[Cap::LastRunFailed], 30.0),
            (all(1.0), &[Cap::DeadLetters], 70.0),
            (vec![], &[], 100.0),
        ];
        for (values, caps, expected) in cases {
            let found = score(&measured(values), &capped(caps));
            assert_eq!(found.value, *expected, "{values:?} {caps:?}");
        }
    }

    #[test]
    fn deductions_add_up_and_name_what_is_missing() {
        let found = score(&measured(&[(Part::Consistency, 0.5), (Part::Success, 0.9)]), &[]);
        let points: f64 = found.deductions.iter().map(|one| one.points).sum();
        assert!((points + found.value - 100.0).abs() < 0.2, "{found:?}");
        assert_eq!(found.deductions[0].what, "consistency");
        assert_eq!(found.missing, ["timeliness", "backlog", "quality"]);
        let capped = score(&measured(&[(Part::Success, 1.0)]), &capped(&[Cap::Halted]));
        assert_eq!(
            (capped.deductions[0].what.as_str(), capped.deductions[0].points),
            ("halted", 80.0)
        );
    }

    #[test]
    fn causes_of_one_part_share_its_points() {
        let cause = |share| Cause { share, why: String::new(), call: call() };
        let causes = vec![cause(3.0), cause(1.0)];
        let found = score(&[Measured { part: Part::Backlog, value: 0.6, causes }], &[]);
        let points: Vec<f64> = found.deductions.iter().map(|one| one.points).collect();
        assert_eq!((found.value, points), (60.0, vec![30.0, 10.0]));
    }

    #[test]
    fn all_together_is_a_geometric_mean() {
        assert_eq!(overall([100.0, 25.0].into_iter()), Some(50.0));
        assert_eq!(overall([100.0, 0.0].into_iter()), Some(10.0));
        assert_eq!(overall(std::iter::empty()), None);
    }
}
