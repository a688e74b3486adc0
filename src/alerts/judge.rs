//! What is wrong with whom, and whether it is time to say so.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{health::report::DatasetHealth, store::Incident};

/// What people are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wrong {
    /// The score is below the threshold.
    BelowThreshold,
    /// A safety bound stopped the last run.
    Halted,
    /// Rows were given up.
    DeadLetters,
    /// A credential is missing, expired or refused.
    Credential,
    /// A channel of these messages does not take them.
    Alerts,
}

impl Wrong {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::BelowThreshold => "belowThreshold",
            Self::Halted => "halted",
            Self::DeadLetters => "deadLetters",
            Self::Credential => "credential",
            Self::Alerts => "alerts",
        }
    }
}

/// What is wrong now: dataset and kind, with words for people.
pub(super) type Now = BTreeMap<(String, String), String>;

/// Finds what is wrong with datasets.
pub(super) fn wrong(datasets: &[DatasetHealth], threshold: f64) -> Now {
    let mut now = Now::new();
    for one in datasets {
        let mut add = |what: Wrong, detail: String| {
            now.insert((one.dataset.clone(), what.as_str().to_owned()), detail);
        };
        let deduction = |name: &str| one.deductions.iter().find(|found| found.what == name);
        let call = |name: &str| {
            deduction(name).map_or(String::new(), |found| {
                let arguments = serde_json::to_string(&found.call.arguments).unwrap_or_default();
                format!("{}. Next: {} {arguments}", found.why, found.call.tool)
            })
        };
        if deduction("halted").is_some() {
            add(Wrong::Halted, call("halted"));
        }
        if let Some(dead) =
            one.metrics.get("deadLetters").copied().flatten().filter(|dead| *dead > 0.0)
        {
            let next = serde_json::json!({"action": "deadLetters", "dataset": one.dataset});
            add(
                Wrong::DeadLetters,
                format!("{dead} rows were given up. Next: watchDataset {next}"),
            );
        }
        if let Some(failed) = deduction("lastRunFailed")
            && failed.why.contains("unauthenticated")
        {
            add(Wrong::Credential, call("lastRunFailed"));
        }
        if one.score < threshold {
            let first = one.deductions.first().map(|found| found.what.clone()).unwrap_or_default();
            add(Wrong::BelowThreshold, format!("the score is {}. {}", one.score, call(&first)));
        }
    }
    now
}

/// What is done about an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is new: it is stored and told.
    Open { dataset: String, kind: String, detail: String },
    /// It lasts, and people are told again.
    Remind { incident: i64, detail: String },
    /// It is over, and people are told so.
    Close { incident: i64 },
}

/// Compares what is wrong with what was known to be.
pub(super) fn steps(
    now: &Now,
    open: &[Incident],
    at: Timestamp,
    remind: Option<SignedDuration>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for ((dataset, kind), detail) in now {
        let known = open.iter().find(|one| one.dataset == *dataset && one.kind == *kind);
        match known {
            None => steps.push(Step::Open {
                dataset: dataset.clone(),
                kind: kind.clone(),
                detail: detail.clone(),
            }),
            Some(one) if remind.is_some_and(|span| at.duration_since(one.told) >= span) => {
                steps.push(Step::Remind { incident: one.id, detail: detail.clone() });
            }
            Some(_) => {}
        }
    }
    let over =
        open.iter().filter(|one| !now.contains_key(&(one.dataset.clone(), one.kind.clone())));
    steps.extend(over.map(|one| Step::Close { incident: one.id }));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_is_told_once_then_reminded_of_then_over() {
        let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
        let day = Some(SignedDuration::from_hours(24));
        let bad = Now::from([(("d".to_owned(), "halted".to_owned()), "why".to_owned())]);
        let known = Incident {
            id: 7,
            dataset: "d".into(),
            kind: "halted".into(),
            opened: at(0),
            told: at(0),
            detail: "why".into(),
        };
        let open = std::slice::from_ref(&known);
        assert!(matches!(steps(&bad, &[], at(0), day)[..], [Step::Open { .. }]));
        assert_eq!(steps(&bad, open, at(23), day), []);
        assert_eq!(
            steps(&bad, open, at(24), day),
            [Step::Remind { incident: 7, detail: "why".into() }]
        );
        assert_eq!(steps(&bad, open, at(999), None), []);
        assert_eq!(steps(&Now::new(), open, at(1), day), [Step::Close { incident: 7 }]);
    }
}
