//! Gives a row to the side that lacks it, or takes it from the side that still has it.

use crate::cells::loser;
use crate::class::Outcome;
use crate::conflict::{DriftNote, Loser, Lost, Withholding};
use crate::dataset::{Drift, SideName};
use crate::facts::cell;
use crate::merge::{BaseMove, Case, ChangeKind, Merged, Write};
use crate::terms::{DeleteTerms, Terms};
use crate::value::{Row, Value};

/// Gives the row to the side that lacks it.
///
/// A cell that only the lacking side may write is not carried: that side's word on it is what its own marked row says,
/// or nothing.
pub(crate) fn copy(
    terms: &Terms,
    case: &Case<'_>,
    holder: SideName,
    row: &Row,
    mut merged: Merged,
) -> Merged {
    let taker = holder.other();
    let marked = match taker {
        SideName::Left => case.rows()[1],
        SideName::Right => case.rows()[2],
    };
    let mark = match terms.deletes.get(taker) {
        DeleteTerms::Mark { column, .. } if marked.is_some() => Some(*column),
        _ => None,
    };
    let mut given: Vec<Value> =
        marked.map_or_else(|| vec![Value::Null; row.len()], |marked| marked.to_vec());
    let mut kept = row.to_vec();
    let mut base = vec![Value::Null; row.len()];
    let mut corrected = Vec::new();
    for (index, (value, column)) in row.iter().zip(&terms.columns).enumerate() {
        let (Some(given), Some(base), Some(kept)) =
            (given.get_mut(index), base.get_mut(index), kept.get_mut(index))
        else {
            continue;
        };
        if mark == Some(index) {
            *given = Value::Null;
        }
        if column.key {
            (*given, *base) = (value.clone(), value.clone());
        } else if !column.shared() {
            continue;
        } else if column.direction.source() != Some(taker) {
            (*given, *base) = (value.clone(), value.clone());
        } else {
            *base = given.clone();
            let known = cell(case.base, index);
            if given == value {
                continue;
            }
            if terms.drift == Drift::Overwrite {
                merged.losers.push(loser(case, holder, index, value, "drift:overwrite"));
                *kept = given.clone();
                corrected.push(index);
            } else if value.is_null() && known.is_null() {
                // Nobody ever said anything here but the taker.
                *kept = given.clone();
                corrected.push(index);
            } else {
                // The holder keeps its own, so base must not say that both have the taker's.
                *base = if known == value { Value::Null } else { known.clone() };
                if terms.drift == Drift::Report {
                    let (expected, found) = (given.clone(), value.clone());
                    let column = Some(index);
                    merged.drift.push(DriftNote {
                        key: case.key.clone(),
                        side: holder,
                        column,
                        expected,
                        found,
                    });
                }
            }
        }
    }
    let on_taker =
        |index: &usize| terms.columns.get(*index).is_some_and(|column| *column.on.get(taker));
    let cells: Vec<usize> = (0..row.len())
        .filter(on_taker)
        .filter(|&index| marked.is_none_or(|marked| marked.get(index) != given.get(index)))
        .collect();
    if let Some(marked) = marked {
        for &index in cells.iter().filter(|index| mark != Some(**index)) {
            let old = cell(Some(marked), index);
            if old != cell(case.base, index) {
                merged.losers.push(loser(case, taker, index, old, "reactivate"));
            }
        }
    }
    let given: Row = given.into();
    let kind = match marked {
        None => ChangeKind::Insert,
        // What was decided may look like the mark.
        Some(_) if terms.marked(taker, &given) => ChangeKind::Update,
        Some(_) => ChangeKind::Reactivate,
    };
    if !(cells.is_empty() && marked.is_some()) {
        *merged.writes.get_mut(taker) = Some(Write { kind, after: Some(given), cells });
    }
    if !corrected.is_empty() {
        let update = Write { kind: ChangeKind::Update, after: Some(kept.into()), cells: corrected };
        *merged.writes.get_mut(holder) = Some(update);
    }
    let base: Row = base.into();
    if case.base != Some(&base) {
        merged.base = BaseMove::Set(base);
    }
    merged
}

/// Takes the row away from the side that still has it, by its delete policy.
pub(crate) fn remove(
    terms: &Terms,
    case: &Case<'_>,
    holder: SideName,
    row: &Row,
    mut merged: Merged,
) -> Merged {
    let forgotten = if case.base.is_some() { BaseMove::Forget } else { BaseMove::Keep };
    let write = match terms.deletes.get(holder) {
        // Base keeps the row, so that the next run does not take what is left for a new one.
        DeleteTerms::Ignore => {
            return Merged { outcome: Outcome::Ignored, losers: Vec::new(), ..merged };
        }
        DeleteTerms::Unmarkable => {
            let merged = Merged { outcome: Outcome::Ignored, losers: Vec::new(), ..merged };
            return merged.withhold(case.key, Withholding::NoMarkColumn(holder));
        }
        DeleteTerms::Delete => Write { kind: ChangeKind::Delete, after: None, cells: Vec::new() },
        DeleteTerms::Mark { column, value, .. } => {
            // The other cells of a marked row stay as they are, so nothing of them is lost.
            merged.losers.retain(
                |loser| matches!(&loser.lost, Lost::Cell { column: lost, .. } if lost == column),
            );
            if row.get(*column) == Some(value) {
                let outcome = if case.base.is_some() { Outcome::Agreed } else { Outcome::Nothing };
                return Merged { base: forgotten, outcome, ..merged };
            }
            let old = cell(Some(row), *column);
            if case.base.is_none() && !old.is_null() {
                merged.losers.push(loser(case, holder, *column, old, "drift:overwrite"));
            }
            let mut after = row.to_vec();
            if let Some(slot) = after.get_mut(*column) {
                *slot = value.clone();
            }
            Write { kind: ChangeKind::Mark, after: Some(after.into()), cells: vec![*column] }
        }
    };
    if write.kind == ChangeKind::Delete && case.base.is_none() {
        let lost = Lost::Row(row.clone());
        merged.losers.push(Loser { lost, ..deletion(case, holder, "drift:overwrite") });
    }
    *merged.writes.get_mut(holder) = Some(write);
    Merged { base: forgotten, ..merged }
}

/// Notes that the receiving side stands by its own row, or by having none.
pub(crate) fn row_drift(case: &Case<'_>, side: SideName, mut merged: Merged) -> Merged {
    let note = DriftNote {
        key: case.key.clone(),
        side,
        column: None,
        expected: Value::Null,
        found: Value::Null,
    };
    merged.drift.push(note);
    merged.outcome = Outcome::Drifted;
    merged
}

pub(crate) fn deletion(case: &Case<'_>, side: SideName, rule: &str) -> Loser {
    let origin = case.origins_of(side).map(|origins| &origins.row);
    Loser {
        key: case.key.clone(),
        from: side.as_str().into(),
        source: origin.and_then(|origin| origin.source.clone()),
        at: origin.and_then(|origin| origin.at),
        lost: Lost::Deletion,
        rule: rule.into(),
    }
}
