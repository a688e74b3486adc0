//! Makes one value of several: sums, extremes, sets, texts.
//!
//! Every function gives the same whichever side is called left, and whichever spoke comes first.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use crate::dataset::{Combine, SideName};
use crate::resolve::Dispute;
use crate::terms::Terms;
use crate::value::{Number, Value};

/// Longest text that `concat` makes, in characters: more than a sheet's cell holds is never made.
const LONGEST_TEXT: usize = 32_768;
/// Longest list that `union` and `set` make.
const LONGEST_LIST: usize = 10_000;

/// What came of combining.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Combined {
    /// The one value.
    Value(Value),
    /// The values are not of a kind that can be combined so, and a person has to look.
    Impossible(String),
    /// The combination has nothing to say about these values; the strategy decides.
    NotMeant,
}

/// Combines the values in dispute.
pub(crate) fn combine(terms: &Terms, how: Combine, dispute: &Dispute<'_>) -> Combined {
    match how {
        Combine::Sum => sum(dispute),
        Combine::Max => extreme(dispute, true),
        Combine::Min => extreme(dispute, false),
        Combine::Union => union(dispute),
        Combine::Set => set(dispute),
        Combine::Fill => fill(dispute),
        Combine::Concat => {
            let separator =
                terms.columns.get(dispute.column).map_or("; ", |column| &*column.separator);
            concat(dispute, separator)
        }
    }
}

/// Adds to what the left side says now what every other candidate added to its own base.
///
/// For two sides that is base + (left - base) + (right - base).
fn sum(dispute: &Dispute<'_>) -> Combined {
    let mut total = match decimal(dispute.anchor) {
        Ok(total) => total,
        Err(reason) => return Combined::Impossible(reason),
    };
    // Equal changes of several spokes are one change, as they are between two sides.
    let spokes: BTreeSet<(&Value, &Value)> = dispute
        .candidates
        .iter()
        .filter(|candidate| candidate.side == SideName::Right)
        .map(|candidate| (candidate.base, candidate.value))
        .collect();
    for (base, value) in spokes {
        let delta = decimal(value).and_then(|value| subtract(value, decimal(base)?));
        match delta.and_then(|delta| add(total, delta)) {
            Ok(sum) => total = sum,
            Err(reason) => return Combined::Impossible(reason),
        }
    }
    Combined::Value(Value::Number(Number::from(total)))
}

fn decimal(value: &Value) -> Result<Decimal, String> {
    match value {
        Value::Null => Ok(Decimal::ZERO),
        Value::Number(number) => number
            .to_decimal()
            .ok_or_else(|| format!("{} has too many digits to be added exactly", cut(value))),
        _ => Err(format!("'{}' is not a number, so it cannot be added", cut(value))),
    }
}

/// Adds, or says that the exact sum does not fit: a rounded one would be a value that nobody wrote.
fn add(a: Decimal, b: Decimal) -> Result<Decimal, String> {
    match a.checked_add(b) {
        Some(sum) if sum.scale() == a.scale().max(b.scale()) => Ok(sum),
        _ => Err(format!("the sum of {a} and {b} has too many digits to be exact")),
    }
}

fn subtract(a: Decimal, b: Decimal) -> Result<Decimal, String> {
    add(a, -b)
}

fn extreme(dispute: &Dispute<'_>, greatest: bool) -> Combined {
    let values: Vec<&Value> = dispute
        .candidates
        .iter()
        .map(|candidate| candidate.value)
        .filter(|value| !value.is_null())
        .collect();
    let Some(first) = values.first() else {
        return Combined::NotMeant;
    };
    if let Some(other) = values.iter().find(|value| kind(value) != kind(first)) {
        return Combined::Impossible(format!(
            "'{}' and '{}' are of different types, so neither is the greater",
            cut(first),
            cut(other)
        ));
    }
    let best = if greatest { values.iter().max() } else { values.iter().min() };
    best.map_or(Combined::NotMeant, |value| Combined::Value((*value).clone()))
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::Text(_) => 3,
        Value::Date(_) => 4,
        Value::Time(_) => 5,
        Value::DateTime(time) if time.offset_minutes().is_some() => 6,
        Value::DateTime(_) => 7,
        Value::List(_) => 8,
    }
}

/// Returns the items of a list; a blank is the empty list.
fn items(value: &Value) -> Option<BTreeSet<&Value>> {
    match value {
        Value::Null => Some(BTreeSet::new()),
        Value::List(items) => Some(items.iter().collect()),
        _ => None,
    }
}

fn not_a_list(value: &Value) -> Combined {
    Combined::Impossible(format!("'{}' is not a list", cut(value)))
}

fn list(items: Vec<Value>, dispute: &Dispute<'_>) -> Combined {
    if items.len() > LONGEST_LIST {
        return Combined::Impossible(format!(
            "the merged list would have more than {LONGEST_LIST} items"
        ));
    }
    // A blank and the empty list are different values; which one an emptied cell becomes must not depend on the side.
    let blank =
        items.is_empty() && dispute.candidates.iter().any(|candidate| candidate.value.is_null());
    Combined::Value(if blank { Value::Null } else { Value::List(items) })
}

fn union(dispute: &Dispute<'_>) -> Combined {
    let mut all = BTreeSet::new();
    for candidate in dispute.candidates {
        match items(candidate.value) {
            Some(items) => all.extend(items),
            None => return not_a_list(candidate.value),
        }
    }
    list(all.into_iter().cloned().collect(), dispute)
}

/// Merges lists as sets: what is in the left (hub) list or was added anywhere, without what was removed anywhere.
fn set(dispute: &Dispute<'_>) -> Combined {
    let any_list =
        dispute.candidates.iter().any(|candidate| matches!(candidate.value, Value::List(_)));
    if !any_list {
        return Combined::NotMeant;
    }
    let Some(mut all) = items(dispute.anchor) else {
        return not_a_list(dispute.anchor);
    };
    let mut removed = BTreeSet::new();
    for candidate in dispute.candidates {
        let Some(now) = items(candidate.value) else {
            return not_a_list(candidate.value);
        };
        // A base that was no list (the column's type changed) had no items, so nothing was removed from it.
        let before = items(candidate.base).unwrap_or_default();
        all.extend(now.difference(&before));
        removed.extend(before.difference(&now).copied());
    }
    let kept: BTreeSet<&Value> = all.difference(&removed).copied().collect();
    let old: Vec<&Value> = match dispute.base {
        Value::List(items) => items.iter().filter(|item| kept.contains(item)).collect(),
        _ => Vec::new(),
    };
    let mut seen = BTreeSet::new();
    let in_order = old.into_iter().chain(kept.iter().copied()).filter(|item| seen.insert(*item));
    list(in_order.cloned().collect(), dispute)
}

fn concat(dispute: &Dispute<'_>, separator: &str) -> Combined {
    let values: BTreeSet<&Value> = dispute
        .candidates
        .iter()
        .map(|candidate| candidate.value)
        .filter(|value| !value.is_null())
        .collect();
    if let Some(other) = values.iter().find(|value| value.as_text().is_none()) {
        return Combined::Impossible(format!("'{}' is not a text", cut(other)));
    }
    let texts: Vec<&str> = values.iter().filter_map(|value| value.as_text()).collect();
    let text = texts.join(separator);
    if text.chars().count() > LONGEST_TEXT {
        return Combined::Impossible(format!(
            "the joined text would have more than {LONGEST_TEXT} characters"
        ));
    }
    if texts.is_empty() { Combined::NotMeant } else { Combined::Value(Value::text(text)) }
}

fn fill(dispute: &Dispute<'_>) -> Combined {
    let values: BTreeSet<&Value> = dispute
        .candidates
        .iter()
        .map(|candidate| candidate.value)
        .filter(|value| !value.is_null())
        .collect();
    match (values.first(), values.len()) {
        (Some(value), 1) => Combined::Value((*value).clone()),
        _ => Combined::NotMeant,
    }
}

/// Returns a value's text for a message, cut where it is long.
pub(crate) fn cut(value: &Value) -> String {
    let text = value.to_string();
    let head: String = text.chars().take(40).collect();
    if head.len() < text.len() { format!("{head}…") } else { head }
}
