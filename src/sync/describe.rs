//! From a plan and what came of it to a small, bounded report.

use std::collections::BTreeMap;

use lockstep_engine::{
    conflict::{Conflict, ConflictKind},
    dataset::SideName,
    hub::{HUB, HubConflict},
    key::Key,
    plan::Disagreement,
    reconcile::{Change, ChangeKind},
    value::{Row, Value},
};

use super::{
    Shell,
    advice::next,
    hidden::Hidden,
    prepare::{Member, Planned},
    report::{
        CallsOut, ChangeOut, ColumnOut, ConflictOut, Counts, FindingOut, HaltOut, RefusedOut,
        Report, SideOut, State, UnconfirmedOut,
    },
};
use crate::{
    replica::{
        apply::{Repair, unguarded},
        scan::Extent,
    },
    store::LeftOut,
};

/// How many findings, and how many repairs, a report lists.
pub(super) const MAX_LISTED: usize = 20;

/// What a run did beyond its plan.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The run, if there was one.
    pub(crate) run: Option<String>,
    /// What others moved during the write, and how it was put right.
    pub(crate) repaired: Vec<Repair>,
    /// How many rows were written and confirmed.
    pub(crate) written: u64,
    /// Rows that were refused, and rows whose write could not be confirmed: member, key, why.
    pub(crate) unconfirmed: Vec<(String, Key, LeftOut)>,
    /// Why spokes failed while they were written, by name.
    pub(crate) failed: BTreeMap<String, String>,
    /// Whether a spoke may have been written although it failed; the next run finds out.
    pub(crate) unknown: bool,
    /// Runs that died and were settled before.
    pub(crate) recovered: u32,
    /// The run that is taken back, in a rollback.
    pub(crate) undoes: Option<String>,
}

impl Done {
    /// Returns how a run ended that was to come to a state.
    pub(crate) fn state(&self, wanted: State) -> State {
        let all = self.failed.is_empty() && self.unconfirmed.is_empty();
        if all { wanted } else { State::Partial }
    }
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
    hidden: &Hidden,
    state: State,
    sample: usize,
    done: &Done,
) -> Report {
    let body = planned.plan.body();
    let sample = shell.limits.page(u32::try_from(sample).unwrap_or(u32::MAX)) as usize;
    let counts = counts(planned);
    // The hub and its spokes in their order; of a pair, what is done to the right comes first.
    let mut members: Vec<&Member> = planned.members.iter().collect();
    let pair = !is_hub(planned);
    if pair {
        members.reverse();
    }
    let all = members.iter().flat_map(|member| {
        planned.writes(member).into_iter().map(|change| (*member, change)).collect::<Vec<_>>()
    });
    let changes: Vec<ChangeOut> = all
        .take(sample)
        .map(|(member, change)| change_out(planned, member, change, pair, hidden))
        .collect();
    let total: usize = body.result.members.iter().map(|member| member.changes.len()).sum();
    let calls = shell.reach.google.calls();
    let found = planned.members.iter().flat_map(|member| {
        member.findings.iter().map(|finding| (member.name.clone(), hidden.finding(finding)))
    });
    let mut findings: Vec<FindingOut> = found
        .clone()
        .take(MAX_LISTED)
        .map(|(side, message)| FindingOut { side, message })
        .collect();
    let more = found.count().saturating_sub(findings.len());
    if more > 0 {
        let message = format!("and {more} more findings");
        findings.push(FindingOut { side: if pair { "both" } else { "all" }.into(), message });
    }
    let halted: Vec<HaltOut> = body
        .halts
        .iter()
        .map(|halt| HaltOut { name: halt.reason.as_str().into(), reason: halt.message.clone() })
        .collect();
    let mut report = Report {
        dataset: dataset.to_owned(),
        state,
        plan_id: short(planned.plan.id()),
        run_id: done.run.clone(),
        next: next(planned, state, &counts, !findings.is_empty(), done),
        counts,
        sides: planned
            .members
            .iter()
            .map(|member| side_out(shell, planned, member, done))
            .collect(),
        truncated: total > changes.len(),
        changes,
        halted,
        conflicts: body
            .result
            .conflicts
            .iter()
            .take(sample)
            .map(|conflict| match conflict {
                Disagreement::Pair(conflict) => conflict_out(planned, conflict),
                Disagreement::Hub(conflict) => hub_conflict_out(planned, conflict),
            })
            .collect(),
        findings,
        repaired: listed(&done.repaired),
        refused: left_out(done, true)
            .take(sample)
            .map(|(side, key, left_out)| RefusedOut {
                side: side.clone(),
                key: key.to_string(),
                column: left_out.column.clone(),
                message: left_out.why.clone(),
            })
            .collect(),
        unconfirmed: left_out(done, false)
            .take(sample)
            .map(|(side, key, left_out)| UnconfirmedOut {
                side: side.clone(),
                key: key.to_string(),
                why: left_out.why.clone(),
            })
            .collect(),
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
    };
    hidden.clean(&mut report);
    report
}

/// Returns the rows that were not written: those that were refused, or those that could not be confirmed.
pub(super) fn left_out(
    done: &Done,
    refused: bool,
) -> impl Iterator<Item = &(String, Key, LeftOut)> {
    done.unconfirmed.iter().filter(move |(_, _, why)| why.refused == refused)
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

/// Returns whether a plan is of a hub and its spokes.
pub(super) fn is_hub(planned: &Planned) -> bool {
    planned.members.first().is_some_and(|member| member.name == HUB)
}

fn counts(planned: &Planned) -> Counts {
    let result = &planned.plan.body().result;
    let counted = |kind: ChangeKind| {
        // Of a pair, what is written on the left is counted by itself.
        let members = result.members.iter().skip(usize::from(!is_hub(planned)));
        let changes = members.flat_map(|member| &member.changes);
        changes.filter(|change| change.kind == kind).count() as u64
    };
    let all = result.members.iter().flat_map(|member| &member.changes);
    let left = result.writes(SideName::Left.as_str()).len();
    let resting = |member: &&Member| matches!(member.name.as_str(), "right" | HUB);
    Counts {
        insert: counted(ChangeKind::Insert),
        update: counted(ChangeKind::Update),
        delete: counted(ChangeKind::Delete),
        mark: counted(ChangeKind::Mark),
        reactivate: counted(ChangeKind::Reactivate),
        unchanged: planned.members.iter().find(resting).map_or(0, |member| member.unchanged),
        set_aside: planned.members.iter().map(|member| member.set_aside).sum(),
        cells: all.map(|change| change.cells.len() as u64).sum(),
        left: if is_hub(planned) { 0 } else { left as u64 },
        conflicts: result.conflicts.len() as u64,
        losers: result.losers.len() as u64,
    }
}

fn side_out(shell: &Shell, planned: &Planned, member: &Member, done: &Done) -> SideOut {
    let mut rows: BTreeMap<&'static str, u64> = BTreeMap::new();
    for change in planned.plan.body().result.writes(&member.name) {
        *rows.entry(kind(change.kind)).or_default() += 1;
    }
    let note = if rows.is_empty() { None } else { unguarded(&shell.reach, &member.scan.target) };
    SideOut {
        name: member.name.clone(),
        rows,
        note,
        unchanged: member.unchanged,
        read: match member.read.extent {
            Extent::Whole => "whole",
            Extent::Since => "since",
            Extent::Unchanged => "unchanged",
        },
        rows_read: member.read.rows,
        error: member.down.clone().or_else(|| done.failed.get(&member.name).cloned()),
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

fn change_out(
    planned: &Planned,
    member: &Member,
    change: &Change,
    pair: bool,
    hidden: &Hidden,
) -> ChangeOut {
    let schema = &planned.plan.body().basis.schema;
    let value = |row: Option<&Row>, column: usize| {
        let value = row.and_then(|row| row.get(column)).unwrap_or(&Value::Null);
        let name = schema.columns.get(column).map(|column| column.name.as_str());
        name.and_then(|name| hidden.hash(name, value)).unwrap_or_else(|| shown(value))
    };
    let mut cells = BTreeMap::new();
    for column in change.cells.iter() {
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
        side: (!pair || member.name == SideName::Left.as_str()).then(|| member.name.clone()),
        kind: kind(change.kind),
        key: change.key.to_string(),
        // Where a row stands is known only where all rows were read.
        row: change
            .row
            .filter(|_| member.recalled.is_none())
            .map(|row| member.scan.snapshot.origin(row)),
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

fn hub_conflict_out(planned: &Planned, conflict: &HubConflict) -> ConflictOut {
    let schema = &planned.plan.body().basis.schema;
    let cells = conflict.cells.iter().filter_map(|cell| {
        let name = schema.columns.get(cell.column)?.name.clone();
        let voices: Vec<String> = cell
            .voices
            .iter()
            .map(|voice| format!("{}: {}", voice.from, shown(&voice.value)))
            .collect();
        Some((name, voices.join(", ")))
    });
    let names = |names: &[Box<str>]| names.join(", ");
    let who = match conflict.deleted.is_empty() {
        true => String::new(),
        false => format!(
            " (deleted: {}; changed: {})",
            names(&conflict.deleted),
            names(&conflict.changed)
        ),
    };
    ConflictOut {
        key: conflict.key.to_string(),
        kind: if conflict.deleted.is_empty() { "cells" } else { "deleteModify" },
        cells: cells.collect(),
        reason: format!("{}{who}", conflict.reason),
    }
}
