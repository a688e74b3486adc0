//! Merges two rows cell by cell against what both sides last agreed on.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::class::{Class, Outcome};
use crate::conflict::{
    self, CellConflict, Conflict, ConflictKind, DriftNote, Loser, Lost, Withholding,
};
use crate::dataset::{Drift, Granularity, SideName, Strategy};
use crate::decision::{CellChoice, Choice};
use crate::facts::{Facts, cell};
use crate::merge::{BaseMove, Case, ChangeKind, Merged, Write};
use crate::resolve::{Candidate, Deferred, Dispute, Settled, resolve};
use crate::terms::Terms;
use crate::value::{Row, Value};

/// What becomes of a cell on which the sides differ.
enum Fate {
    /// One side's value flows to the other, which had not changed it.
    Carry(SideName),
    /// The source's value replaces what the receiving side had made of it.
    Correct(SideName),
    /// The receiving side keeps its own.
    Drift { receiver: SideName, report: bool },
    /// Both get a value.
    Settle(Settled),
    /// Nothing moves.
    Hold(Deferred),
}

/// Merges two rows that are both there.
pub(crate) fn merge(terms: &Terms, case: &Case<'_>, left: &Row, right: &Row) -> Merged {
    let facts = Facts::gather(terms, case.base, left, right);
    let class = facts.class(case.base.is_some());
    let mut fates = decide(terms, case, left, right, &facts.differing);
    let held =
        |fates: &[(usize, Fate)]| fates.iter().any(|(_, fate)| matches!(fate, Fate::Hold(_)));
    let mut stale = false;
    if held(&fates)
        && let Some(decision) = case.decision
    {
        if decision.digest == conflict_of(terms, case, left, right, &fates).digest {
            for (column, fate) in &mut fates {
                if matches!(fate, Fate::Hold(_)) {
                    *fate = chosen(terms, case, *column, left, right, &decision.choice);
                }
            }
        } else {
            stale = true;
        }
    }
    let mut merged = if held(&fates) && terms.granularity == Granularity::Row {
        Merged::still(class, Outcome::Held)
    } else {
        let open = fates.iter().filter(|(_, fate)| matches!(fate, Fate::Hold(_)));
        let mut frozen = terms.waiting(&open.map(|(index, _)| *index).collect());
        frozen.extend(case.frozen.into_iter().flatten());
        write(terms, case, class, left, right, &fates, &frozen)
    };
    if held(&fates) {
        merged.outcome = Outcome::Held;
        merged.conflict = Some(conflict_of(terms, case, left, right, &fates));
    }
    if stale { merged.withhold(case.key, Withholding::StaleDecision) } else { merged }
}

fn decide(
    terms: &Terms,
    case: &Case<'_>,
    left: &Row,
    right: &Row,
    differing: &[usize],
) -> Vec<(usize, Fate)> {
    let fate = |index: usize| {
        let column = terms.columns.get(index)?;
        let (b, l, r) = (cell(case.base, index), cell(Some(left), index), cell(Some(right), index));
        if case.frozen.is_some_and(|frozen| frozen.contains(&index)) {
            return Some(Fate::Hold("disputed among the spokes".into()));
        }
        Some(match column.direction.source() {
            Some(source) => {
                let receiver = source.other();
                let own = if receiver == SideName::Left { l } else { r };
                one_way(terms, source, own != b)
            }
            // The hub's row was decided from all spokes already, so it is the whole truth.
            None if case.frozen.is_some() => {
                Fate::Settle(Settled { value: l.clone(), rule: "hub".into() })
            }
            None if l == b => Fate::Carry(SideName::Right),
            None if r == b => Fate::Carry(SideName::Left),
            None => settle(terms, column.strategy, case, index, left, right),
        })
    };
    differing.iter().filter_map(|&index| Some((index, fate(index)?))).collect()
}

fn one_way(terms: &Terms, source: SideName, drifted: bool) -> Fate {
    match terms.drift {
        _ if !drifted => Fate::Carry(source),
        Drift::Overwrite => Fate::Correct(source),
        Drift::Report => Fate::Drift { receiver: source.other(), report: true },
        Drift::Keep => Fate::Drift { receiver: source.other(), report: false },
    }
}

fn settle(
    terms: &Terms,
    strategy: Strategy,
    case: &Case<'_>,
    index: usize,
    left: &Row,
    right: &Row,
) -> Fate {
    let base = cell(case.base, index);
    let candidate = |side: SideName, row| Candidate {
        who: side.as_str(),
        side,
        value: cell(Some(row), index),
        base,
        row,
        base_row: case.base,
        origins: case.origins_of(side),
    };
    let candidates = [candidate(SideName::Left, left), candidate(SideName::Right, right)];
    let dispute = Dispute {
        column: index,
        base,
        base_row: case.base,
        anchor: cell(Some(left), index),
        candidates: &candidates,
        now: case.now,
    };
    match resolve(terms, strategy, &dispute) {
        Ok(settled) => Fate::Settle(settled),
        Err(reason) => Fate::Hold(reason),
    }
}

/// Applies a person's choice to a cell that was not decided otherwise.
fn chosen(
    terms: &Terms,
    case: &Case<'_>,
    index: usize,
    left: &Row,
    right: &Row,
    choice: &Choice,
) -> Fate {
    let by_decision =
        |value: &Value| Fate::Settle(Settled { value: value.clone(), rule: "decision".into() });
    let of = |side: SideName| cell(Some(if side == SideName::Left { left } else { right }), index);
    match choice {
        Choice::Take(side) => by_decision(of(*side)),
        Choice::By(strategy) => settle(terms, *strategy, case, index, left, right),
        Choice::Cells(cells) => match cells.get(&index) {
            Some(CellChoice::Take(side)) => by_decision(of(*side)),
            Some(CellChoice::Base) => by_decision(cell(case.base, index)),
            Some(CellChoice::Value(value)) => by_decision(value),
            None => Fate::Hold("the decision does not name this column".into()),
        },
    }
}

/// Builds the rows that follow from the fates; held, frozen and drifting cells stay as they are everywhere.
fn write(
    terms: &Terms,
    case: &Case<'_>,
    class: Class,
    left: &Row,
    right: &Row,
    fates: &[(usize, Fate)],
    frozen: &BTreeSet<usize>,
) -> Merged {
    let mut merged = Merged::still(class, Outcome::Nothing);
    let mut rows = [
        (SideName::Left, left.to_vec(), Vec::new()),
        (SideName::Right, right.to_vec(), Vec::new()),
    ];
    let mut base = agreed(terms, case, left, right, frozen);
    for (index, fate) in fates.iter().filter(|(index, _)| !frozen.contains(index)) {
        let index = *index;
        let of =
            |side: SideName| cell(Some(if side == SideName::Left { left } else { right }), index);
        let (value, rule): (&Value, Cow<'static, str>) = match fate {
            Fate::Carry(from) => (of(*from), Cow::Borrowed("")),
            Fate::Correct(from) => (of(*from), Cow::Borrowed("drift:overwrite")),
            Fate::Settle(settled) => (&settled.value, settled.rule.clone()),
            Fate::Hold(_) => continue,
            Fate::Drift { receiver, report } => {
                if *report {
                    let (expected, found) = (of(receiver.other()).clone(), of(*receiver).clone());
                    let column = Some(index);
                    merged.drift.push(DriftNote {
                        key: case.key.clone(),
                        side: *receiver,
                        column,
                        expected,
                        found,
                    });
                }
                continue;
            }
        };
        for (side, row, cells) in &mut rows {
            let old = of(*side);
            if old == value {
                continue;
            }
            // A value that its side had not changed is not lost: base still names it.
            if old != cell(case.base, index) {
                merged.losers.push(loser(case, *side, index, old, &rule));
            }
            if let Some(slot) = row.get_mut(index) {
                *slot = value.clone();
                cells.push(index);
            }
        }
        if let Some(slot) = base.get_mut(index) {
            *slot = value.clone();
        }
    }
    merged.outcome = outcome(fates, case.base, &base);
    for (side, row, cells) in rows {
        if !cells.is_empty() {
            let kind =
                kind_of(terms, side, if side == SideName::Left { left } else { right }, &row);
            *merged.writes.get_mut(side) = Some(Write { kind, after: Some(row.into()), cells });
        }
    }
    let base: Row = base.into();
    if case.base != Some(&base) {
        merged.base = BaseMove::Set(base);
    }
    merged
}

fn outcome(fates: &[(usize, Fate)], before: Option<&Row>, base: &[Value]) -> Outcome {
    let any = |test: fn(&Fate) -> bool| fates.iter().any(|(_, fate)| test(fate));
    let carried = |from: SideName| {
        fates.iter().any(
            |(_, fate)| matches!(fate, Fate::Carry(side) | Fate::Correct(side) if *side == from),
        )
    };
    if any(|fate| matches!(fate, Fate::Settle(_))) {
        Outcome::Resolved
    } else if carried(SideName::Left) && carried(SideName::Right) {
        Outcome::Merged
    } else if carried(SideName::Left) || carried(SideName::Right) {
        Outcome::Carried
    } else if any(|fate| matches!(fate, Fate::Drift { .. })) {
        Outcome::Drifted
    } else if before.is_some_and(|before| **before == *base) {
        Outcome::Nothing
    } else {
        Outcome::Agreed
    }
}

/// Returns the base row as far as both sides agree already; where they differ it stays as it was.
fn agreed(
    terms: &Terms,
    case: &Case<'_>,
    left: &Row,
    right: &Row,
    frozen: &BTreeSet<usize>,
) -> Vec<Value> {
    let base = case.base;
    let value = |(index, (l, r)): (usize, (&Value, &Value))| match terms.columns.get(index) {
        // Spellings of one key are equal keys; base keeps the one it has, else the one that does not depend on the side.
        Some(column) if column.key => {
            base.and_then(|base| base.get(index)).unwrap_or(l.min(r)).clone()
        }
        Some(column) if column.shared() && l == r && !frozen.contains(&index) => l.clone(),
        Some(column) if column.shared() => cell(base, index).clone(),
        // One side alone has the column: there is nothing to agree on.
        _ => Value::Null,
    };
    left.iter().zip(right).enumerate().map(value).collect()
}

/// Returns whether new cells only change a row, or bring it back or take it away by its mark.
fn kind_of(terms: &Terms, side: SideName, before: &Row, after: &[Value]) -> ChangeKind {
    let after: Row = after.into();
    if terms.marked(side, before) && !terms.marked(side, &after) {
        ChangeKind::Reactivate
    } else {
        ChangeKind::Update
    }
}

pub(crate) fn loser(
    case: &Case<'_>,
    side: SideName,
    column: usize,
    value: &Value,
    rule: &str,
) -> Loser {
    let origins = case.origins_of(side);
    Loser {
        key: case.key.clone(),
        from: side.as_str().into(),
        source: origins.and_then(|origins| origins.source(column)).map(Into::into),
        at: origins.and_then(|origins| origins.cell_time(column).or(origins.row.at)),
        lost: Lost::Cell { column, value: value.clone() },
        rule: rule.into(),
    }
}

fn conflict_of(
    terms: &Terms,
    case: &Case<'_>,
    left: &Row,
    right: &Row,
    fates: &[(usize, Fate)],
) -> Conflict {
    let cells: Vec<CellConflict> = fates
        .iter()
        .filter_map(|(column, fate)| match fate {
            Fate::Hold(reason) => Some(CellConflict {
                column: *column,
                base: cell(case.base, *column).clone(),
                left: cell(Some(left), *column).clone(),
                right: cell(Some(right), *column).clone(),
                reason: reason.as_ref().into(),
            }),
            _ => None,
        })
        .collect();
    let reason = cells.first().map(|cell| cell.reason.clone()).unwrap_or_default();
    let digest = match terms.granularity {
        Granularity::Row => conflict::row_digest(terms, case.key, case.rows()),
        Granularity::Cell => conflict::cell_digest(case.key, &cells),
    };
    let [base, l, r] = case.rows().map(|row| row.cloned());
    Conflict {
        key: case.key.clone(),
        kind: ConflictKind::Cells,
        cells,
        reason,
        base,
        left: l,
        right: r,
        digest,
    }
}
