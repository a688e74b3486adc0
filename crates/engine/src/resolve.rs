//! Decides one disputed cell by the strategy of its column.

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::Timestamp;

use crate::combine::{self, Combined};
use crate::dataset::{Combine, SideName, Strategy};
use crate::facts::cell;
use crate::terms::Terms;
use crate::times::RowOrigins;
use crate::value::{Row, Value};

/// One of the values in dispute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    /// The name of the side or spoke.
    pub(crate) who: &'a str,
    /// Left for the left side and the hub, right for the right side and every spoke.
    pub(crate) side: SideName,
    pub(crate) value: &'a Value,
    /// What this side and its partner last agreed on.
    pub(crate) base: &'a Value,
    pub(crate) row: &'a Row,
    /// The row this side and its partner last agreed on.
    pub(crate) base_row: Option<&'a Row>,
    pub(crate) origins: Option<&'a RowOrigins>,
}

impl Candidate<'_> {
    /// Returns the source of the value: where it came from, else the side itself.
    pub(crate) fn source(&self, column: usize) -> &str {
        self.origins.and_then(|origins| origins.source(column)).unwrap_or(self.who)
    }

    /// Returns the time of the cell, else of the row.
    pub(crate) fn time(&self, column: usize) -> Option<Timestamp> {
        self.origins.and_then(|origins| origins.cell_time(column).or(origins.row.at))
    }

    /// Returns whether the row has another value in this column than was last agreed on.
    fn moved(&self, column: usize) -> bool {
        cell(Some(self.row), column) != cell(self.base_row, column)
    }

    /// Returns whether the value goes by this name, as its source or as its side.
    pub(crate) fn is(&self, name: &str, column: usize) -> bool {
        self.source(column) == name || self.who == name || self.side.as_str() == name
    }
}

/// A cell in dispute: at least two candidates with different values.
pub(crate) struct Dispute<'a> {
    pub(crate) column: usize,
    /// What was last agreed on; null where nothing was.
    pub(crate) base: &'a Value,
    pub(crate) base_row: Option<&'a Row>,
    /// What the left side (the hub) says now, whether or not it is a candidate.
    pub(crate) anchor: &'a Value,
    pub(crate) candidates: &'a [Candidate<'a>],
    pub(crate) now: Option<Timestamp>,
}

/// How a dispute ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) value: Value,
    /// What decided, for loser records.
    pub(crate) rule: Cow<'static, str>,
}

/// Why a dispute waits for a person.
pub(crate) type Deferred = Cow<'static, str>;

/// Decides a dispute by the column's merge, else by a strategy.
pub(crate) fn resolve(
    terms: &Terms,
    strategy: Strategy,
    dispute: &Dispute<'_>,
) -> Result<Settled, Deferred> {
    // Both rows were changed, so both say when: the merged row was changed when the later of them was. Anything else
    // would dispute every pair of edits once a dataset carries such a column.
    if terms.modified_at == Some(dispute.column)
        && let Some(value) =
            latest_by_value(dispute.candidates.iter().map(|candidate| candidate.value))
    {
        return Ok(Settled { value: value.clone(), rule: "modifiedAt".into() });
    }
    if let Some(combine) = terms.columns.get(dispute.column).and_then(|column| column.combine) {
        match combine::combine(terms, combine, dispute) {
            Combined::Value(value) => {
                return Ok(Settled { value, rule: merge_rule(combine) });
            }
            Combined::Impossible(reason) => return Err(reason.into()),
            Combined::NotMeant => {}
        }
    }
    let take = |candidate: &Candidate<'_>, rule: &'static str| Settled {
        value: candidate.value.clone(),
        rule: rule.into(),
    };
    let name = strategy.as_str();
    match strategy {
        Strategy::ManualReview => Err("left for review by the strategy manualReview".into()),
        Strategy::LeftPriority => {
            side_wins(terms, dispute, SideName::Left).map(|winner| take(&winner, name))
        }
        Strategy::RightPriority => {
            side_wins(terms, dispute, SideName::Right).map(|winner| take(&winner, name))
        }
        Strategy::LatestWins => {
            latest(terms, dispute.column, dispute.candidates).map(|winner| take(&winner, name))
        }
        Strategy::FieldByField => latest_cell(dispute).map(|winner| take(&winner, name)),
        Strategy::PriorityBased => by_priority(terms, dispute).map(|winner| take(&winner, name)),
        Strategy::AutomaticMerge => automatic(terms, dispute),
        Strategy::RuleBased => terms.rules.decide(terms, dispute),
    }
}

pub(crate) fn merge_rule(combine: Combine) -> Cow<'static, str> {
    format!("merge:{}", combine.as_str()).into()
}

/// Fills blanks, merges lists as sets, and leaves the rest to the later change.
fn automatic(terms: &Terms, dispute: &Dispute<'_>) -> Result<Settled, Deferred> {
    for combine in [Combine::Fill, Combine::Set] {
        if let Combined::Value(value) = combine::combine(terms, combine, dispute) {
            return Ok(Settled {
                value,
                rule: format!("automaticMerge:{}", combine.as_str()).into(),
            });
        }
    }
    let winner = latest(terms, dispute.column, dispute.candidates)?;
    Ok(Settled { value: winner.value.clone(), rule: "automaticMerge:latest".into() })
}

/// Returns the later candidate: by the modified-at column, else by the times of the cells, else of the rows.
///
/// Equal times are decided by the greater value, so that which side is called left does not matter. A modified-at column
/// that stands everywhere as it was last agreed on says nothing of edits made since: so it is where nobody kept it, and
/// where a run carried it to the other side while another cell of the row stayed in dispute.
pub(crate) fn latest<'a>(
    terms: &Terms,
    column: usize,
    candidates: &[Candidate<'a>],
) -> Result<Candidate<'a>, Deferred> {
    if let Some(modified_at) = terms.modified_at
        && candidates.iter().any(|candidate| candidate.moved(modified_at))
    {
        let times: Vec<&Value> =
            candidates.iter().filter_map(|candidate| candidate.row.get(modified_at)).collect();
        if times.len() == candidates.len() && comparable(&times) {
            let best = candidates
                .iter()
                .zip(times)
                .max_by(|(a, at), (b, bt)| at.cmp(bt).then(a.value.cmp(b.value)));
            return best
                .map(|(candidate, _)| *candidate)
                .ok_or_else(|| "there is nothing to choose from".into());
        }
    }
    by_time(candidates, |candidate| candidate.time(column))
}

/// Returns the candidate whose cell has the later time of its own.
fn latest_cell<'a>(dispute: &Dispute<'a>) -> Result<Candidate<'a>, Deferred> {
    by_time(dispute.candidates, |candidate| {
        candidate.origins.and_then(|origins| origins.cell_time(dispute.column))
    })
}

fn by_time<'a>(
    candidates: &[Candidate<'a>],
    time: impl Fn(&Candidate<'a>) -> Option<Timestamp>,
) -> Result<Candidate<'a>, Deferred> {
    let mut timed = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        match time(candidate) {
            Some(at) => timed.push((at, candidate)),
            None => {
                return Err(format!(
                    "it is not known when {} changed the value, so none is the later one",
                    candidate.who
                )
                .into());
            }
        }
    }
    let best =
        timed.into_iter().max_by(|(at, a), (bt, b)| at.cmp(bt).then_with(|| a.value.cmp(b.value)));
    best.map(|(_, candidate)| *candidate).ok_or_else(|| "there is nothing to choose from".into())
}

/// Returns the candidate of one side; where that side has none or several, the later of those there are.
fn side_wins<'a>(
    terms: &Terms,
    dispute: &Dispute<'a>,
    side: SideName,
) -> Result<Candidate<'a>, Deferred> {
    let own: Vec<Candidate<'a>> =
        dispute.candidates.iter().filter(|candidate| candidate.side == side).copied().collect();
    match own.as_slice() {
        [] => latest(terms, dispute.column, dispute.candidates),
        [one] => Ok(*one),
        several => same_or_latest(terms, dispute.column, several),
    }
}

/// Returns the candidate of the source with the highest number; equal numbers are decided by time.
fn by_priority<'a>(terms: &Terms, dispute: &Dispute<'a>) -> Result<Candidate<'a>, Deferred> {
    let number = |candidate: &Candidate<'a>| {
        let named = terms.priorities.get(candidate.source(dispute.column));
        let named = named.or_else(|| terms.priorities.get(candidate.who));
        named.or_else(|| terms.priorities.get(candidate.side.as_str())).copied().unwrap_or(0)
    };
    let top = dispute.candidates.iter().map(number).max().unwrap_or(0);
    let best: Vec<Candidate<'a>> =
        dispute.candidates.iter().filter(|candidate| number(candidate) == top).copied().collect();
    same_or_latest(terms, dispute.column, &best)
}

/// Returns the candidate they all agree with, else the later one.
pub(crate) fn same_or_latest<'a>(
    terms: &Terms,
    column: usize,
    candidates: &[Candidate<'a>],
) -> Result<Candidate<'a>, Deferred> {
    match candidates {
        [first, rest @ ..] if rest.iter().all(|other| other.value == first.value) => Ok(*first),
        _ => latest(terms, column, candidates),
    }
}

/// Returns the latest of several times, or `None` when they are not all of one kind.
fn latest_by_value<'a>(values: impl Iterator<Item = &'a Value>) -> Option<&'a Value> {
    let values: Vec<&Value> = values.collect();
    if comparable(&values) { values.into_iter().max() } else { None }
}

/// Returns whether the values are times (or numbers that count them) of one kind, so that one can be the later.
fn comparable(values: &[&Value]) -> bool {
    let kind = |value: &Value| match value {
        Value::Number(_) => 1,
        Value::Date(_) => 2,
        Value::DateTime(time) if time.offset_minutes().is_some() => 3,
        Value::DateTime(_) => 4,
        _ => 0,
    };
    let Some((first, rest)) = values.split_first() else {
        return false;
    };
    kind(first) > 0 && rest.iter().all(|value| kind(value) == kind(first))
}

/// Returns the instant of a value, when it is one.
pub(crate) fn instant(value: &Value) -> Option<Timestamp> {
    match value {
        Value::DateTime(time) if time.offset_minutes().is_some() => {
            jiff::tz::Offset::UTC.to_timestamp(time.utc()).ok()
        }
        _ => None,
    }
}

/// Orders two known times; `None` when one is not known.
pub(crate) fn order(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Ordering> {
    Some(a?.cmp(&b?))
}
