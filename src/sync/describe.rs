//! From a plan and what came of it to a small, bounded report.

use std::collections::BTreeMap;

use lockstep_engine::{
    conflict::{Conflict, ConflictKind},
    dataset::SideName,
    reconcile::{Change, ChangeKind},
    value::{Row, Value},
};

use super::{
    Shell,
    prepare::Planned,
    report::{
        CallsOut, ChangeOut, ColumnOut, ConflictOut, Counts, FindingOut, HaltOut, Report, State,
    },
};
use crate::replica::apply::Repair;

/// How many findings, and how many repairs, a report lists.
pub(super) const MAX_LISTED: usize = 20;

/// What a run did beyond its plan.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The run, if there was one.
    pub(crate) run: Option<String>,
    /// What others moved during the write, and how it was put right.
    pub(crate) repaired: Vec<Repair>,
    /// Rows whose write could not be confirmed.
    pub(crate) unconfirmed: u64,
    /// Of these the first ones, and why.
    pub(crate) reasons: Vec<String>,
    /// Runs that died and were settled before.
    pub(crate) recovered: u32,
    /// The run that is taken back, in a rollback.
    pub(crate) undoes: Option<String>,
}

/// How many digits of a plan's hash are shown.
const ID_DIGITS: usize = 16;

/// Returns the part of a plan's id that is shown.
pub(crate) fn short(id: &str) -> String {
    id.chars().take(ID_DIGITS).collect()
}

/// Returns the report of a plan or of an apply.
pub(crate) fn report(
    shell: &Shell,
    dataset: &str,
    planned: &Planned,
    state: State,
    sample: usize,
    done: &Done,
) -> Report {
    let body = planned.plan.body();
    let counts = counts(planned);
    let all = SideName::BOTH.iter().rev().flat_map(|side| {
        planned.writes(*side).into_iter().map(|change| (*side, change)).collect::<Vec<_>>()
    });
    let changes: Vec<ChangeOut> =
        all.take(sample).map(|(side, change)| change_out(planned, side, change)).collect();
    let total = body.result.left.len() + body.result.right.len();
    let calls = shell.reach.google.calls();
    let mut findings: Vec<FindingOut> = planned
        .findings
        .iter()
        .take(MAX_LISTED)
        .map(|(side, finding)| FindingOut { side: side.as_str(), message: finding.to_string() })
        .collect();
    if planned.findings.len() > MAX_LISTED {
        let more = planned.findings.len() - MAX_LISTED;
        findings.push(FindingOut { side: "both", message: format!("and {more} more findings") });
    }
    let halted: Vec<HaltOut> = body
        .halts
        .iter()
        .map(|halt| HaltOut { name: halt.reason.as_str().into(), reason: halt.message.clone() })
        .collect();
    Report {
        dataset: dataset.to_owned(),
        state,
        plan_id: short(planned.plan.id()),
        run_id: done.run.clone(),
        next: next(state, &counts, &short(planned.plan.id()), !findings.is_empty(), done),
        counts,
        truncated: total > changes.len(),
        changes,
        halted,
        conflicts: body
            .result
            .conflicts
            .iter()
            .take(sample)
            .map(|conflict| conflict_out(planned, conflict))
            .collect(),
        findings,
        repaired: listed(&done.repaired),
        unconfirmed: done.reasons.clone(),
        columns: planned
            .reasons
            .iter()
            .map(|reason| ColumnOut {
                name: reason.column.clone(),
                ty: reason.ty.to_string(),
                reason: reason.to_string().split_once(": ").map_or("", |(_, why)| why).to_owned(),
            })
            .collect(),
        calls: CallsOut {
            reads: calls.reads,
            writes: calls.writes,
            retries: calls.retries,
            waited_seconds: calls.waited.as_secs(),
        },
    }
}

fn listed(repaired: &[Repair]) -> Vec<String> {
    let mut lines: Vec<String> = repaired
        .iter()
        .take(MAX_LISTED)
        .map(|repair| format!("row {} ({}): {}", repair.row, repair.key, repair.what))
        .collect();
    if repaired.len() > MAX_LISTED {
        lines.push(format!("and {} more", repaired.len() - MAX_LISTED));
    }
    lines
}

fn counts(planned: &Planned) -> Counts {
    let result = &planned.plan.body().result;
    let of = |kind| result.counts.right.get(&kind).copied().unwrap_or(0);
    let cells =
        |changes: &[Change]| changes.iter().map(|change| change.cells.len() as u64).sum::<u64>();
    Counts {
        insert: of(ChangeKind::Insert),
        update: of(ChangeKind::Update),
        delete: of(ChangeKind::Delete),
        mark: of(ChangeKind::Mark),
        reactivate: of(ChangeKind::Reactivate),
        unchanged: planned.unchanged,
        set_aside: planned.set_aside,
        cells: cells(&result.right) + cells(&result.left),
        left: result.left.len() as u64,
        conflicts: result.conflicts.len() as u64,
        losers: result.losers.len() as u64,
    }
}

fn next(state: State, counts: &Counts, id: &str, findings: bool, done: &Done) -> String {
    let mut more = String::new();
    if findings {
        more.push_str(" Look at findings: rows set aside are not in step.");
    }
    if counts.conflicts > 0 && done.undoes.is_some() {
        more.push_str(" Look at conflicts: these cells were changed since the run, and keep what they have now.");
    } else if counts.conflicts > 0 {
        more.push_str(
            " Look at conflicts: both sides keep theirs until you choose a strategy (policy.strategy, policy.clash) \
             or make the sides agree.",
        );
    }
    if !done.repaired.is_empty() {
        more.push_str(" Look at repaired: rows were moved by others during the write.");
    }
    if done.unconfirmed > 0 {
        more.push_str(&format!(
            " {} rows were not written or could not be confirmed: see unconfirmed. The next run compares them afresh.",
            done.unconfirmed
        ));
    }
    if done.recovered > 0 {
        more.push_str(" A run that had been interrupted was settled before.");
    }
    let tool = if done.undoes.is_some() { "rollbackSync" } else { "syncDataset" };
    match state {
        State::InStep if done.undoes.is_some() => {
            format!("nothing to take back: what the run wrote is not there any more.{more}")
        }
        State::InStep => format!("nothing to do: both sides agree.{more}"),
        State::Planned => format!(
            "to write these {} rows call {tool} with the same arguments, mode \"apply\" and planId \"{id}\".{more}",
            counts.changes()
        ),
        State::Halted => {
            "nothing was written. Check halted with a person; to go on all the same, add override: [names] and apply"
                .into()
        }
        State::Applied => {
            let rows = counts.changes().saturating_sub(done.unconfirmed);
            format!("done: {rows} rows were written and confirmed.{more}")
        }
    }
}

/// The most characters of a cell that a sample shows.
const SHOWN: usize = 80;

/// Returns a value as a sample shows it.
pub(crate) fn shown(value: &Value) -> String {
    let text = if value.is_null() { "(blank)".to_owned() } else { value.to_string() };
    if text.chars().count() > SHOWN {
        text.chars().take(SHOWN).chain(['…']).collect()
    } else {
        text
    }
}

fn change_out(planned: &Planned, side: SideName, change: &Change) -> ChangeOut {
    let schema = &planned.plan.body().basis.schema;
    let value = |row: Option<&Row>, column: usize| {
        shown(row.and_then(|row| row.get(column)).unwrap_or(&Value::Null))
    };
    let mut cells = BTreeMap::new();
    for column in &change.cells {
        let Some(name) = schema.columns.get(*column).map(|column| column.name.clone()) else {
            continue;
        };
        let after = value(change.after.as_ref(), *column);
        match change.kind {
            ChangeKind::Insert => {
                if after != "(blank)" {
                    cells.insert(name, after);
                }
            }
            _ => {
                let before = value(change.before.as_ref(), *column);
                cells.insert(name, format!("{before} → {after}"));
            }
        }
    }
    ChangeOut {
        side: (side == SideName::Left).then_some("left"),
        kind: kind(change.kind),
        key: change.key.to_string(),
        row: change.row.map(|row| planned.sides.get(side).snapshot.origin(row)),
        cells,
    }
}

/// Returns a kind's name as it is shown.
pub(crate) fn kind(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Insert => "insert",
        ChangeKind::Update => "update",
        ChangeKind::Delete => "delete",
        ChangeKind::Mark => "mark",
        ChangeKind::Reactivate => "reactivate",
    }
}

fn conflict_out(planned: &Planned, conflict: &Conflict) -> ConflictOut {
    let schema = &planned.plan.body().basis.schema;
    let cells = conflict.cells.iter().filter_map(|cell| {
        let name = schema.columns.get(cell.column)?.name.clone();
        let (base, left, right) = (shown(&cell.base), shown(&cell.left), shown(&cell.right));
        Some((name, format!("base: {base}, left: {left}, right: {right}")))
    });
    ConflictOut {
        key: conflict.key.to_string(),
        kind: match conflict.kind {
            ConflictKind::Cells => "cells",
            ConflictKind::DeleteModify => "deleteModify",
            ConflictKind::ModifyDelete => "modifyDelete",
        },
        cells: cells.collect(),
        reason: conflict.reason.to_string(),
    }
}
