//! A run: prepare the plan, and, when asked, apply exactly that plan and tell what came of it.

use std::collections::BTreeMap;

use lockstep_engine::{
    dataset::SideName,
    reconcile::{Change, ChangeKind},
    safety::remaining,
    value::Value,
};

use super::{
    Shell,
    definition::Definition,
    prepare::{Planned, prepare},
    report::{CallsOut, ChangeOut, ColumnOut, Counts, FindingOut, HaltOut, Report, State},
};
use crate::{
    clock::Clock,
    error::{Error, Kind, Result},
    replica::apply::{self, Writes},
};

/// How often an apply without a plan id compares afresh when someone edits the target meanwhile.
const ATTEMPTS: u32 = 3;

/// How many findings a report lists.
const MAX_FINDINGS: usize = 20;

/// Compares, and returns the plan; nothing is written.
///
/// # Errors
/// See [`prepare`].
pub(crate) async fn plan(shell: &Shell, definition: &Definition, sample: usize) -> Result<Report> {
    let planned = prepare(shell, definition).await?;
    let state = state_before(&planned, definition);
    Ok(report(shell, definition, &planned, state, sample))
}

/// Compares and applies; with a plan id only if the plan is still the same.
///
/// # Errors
/// A plan that is stale, a target that keeps changing, and whatever kept the writes from being confirmed.
pub(crate) async fn apply(
    shell: &Shell,
    definition: &Definition,
    plan_id: Option<&str>,
    sample: usize,
) -> Result<Report> {
    let mut attempt = 1;
    loop {
        let planned = prepare(shell, definition).await?;
        if let Some(named) = plan_id {
            check_plan(named, &planned)?;
        }
        let state = state_before(&planned, definition);
        if state != State::Planned {
            return Ok(report(shell, definition, &planned, state, sample));
        }
        match write(shell, &planned).await {
            Ok(()) => return Ok(report(shell, definition, &planned, State::Applied, sample)),
            Err(error)
                if error.kind() == Kind::Changed && plan_id.is_none() && attempt < ATTEMPTS =>
            {
                tracing::info!(
                    attempt,
                    "the target changed while it was compared; comparing afresh"
                );
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn write(shell: &Shell, planned: &Planned) -> Result<()> {
    let result = &planned.plan.body().result;
    let changes: Vec<&Change> =
        planned.order.iter().filter_map(|position| result.right.get(*position)).collect();
    let optional: Vec<usize> = planned.mark.into_iter().collect();
    let writes = Writes {
        schema: &planned.plan.body().basis.schema,
        headers: &planned.headers,
        optional: &optional,
        snapshot: &planned.right.snapshot,
        changes: &changes,
    };
    apply::apply(
        &shell.google,
        &shell.files,
        Clock::System,
        &shell.progress,
        &planned.right.target,
        &writes,
    )
    .await
}

/// How many digits of a plan's hash are shown and asked for.
const ID_DIGITS: usize = 16;

fn short(id: &str) -> String {
    id.chars().take(ID_DIGITS).collect()
}

fn check_plan(named: &str, planned: &Planned) -> Result<()> {
    let fresh = planned.plan.id();
    if named.chars().count() >= ID_DIGITS && fresh.starts_with(named) {
        return Ok(());
    }
    Err(Error::new(
        Kind::StalePlan,
        format!(
            "the plan {named} does not describe what is there now, or was made with other arguments; nothing was \
             written. The fresh plan is {}",
            short(fresh)
        ),
    )
    .next("call syncDataset without mode to see the fresh plan, then apply it by its planId"))
}

fn state_before(planned: &Planned, definition: &Definition) -> State {
    let halted = !remaining(&planned.plan.body().halts, &definition.overrides).is_empty();
    if planned.plan.is_quiet() && !halted {
        State::InStep
    } else if halted {
        State::Halted
    } else {
        State::Planned
    }
}

fn report(
    shell: &Shell,
    definition: &Definition,
    planned: &Planned,
    state: State,
    sample: usize,
) -> Report {
    let body = planned.plan.body();
    let counts = counts(planned);
    let changes: Vec<ChangeOut> = planned
        .order
        .iter()
        .filter_map(|position| body.result.right.get(*position))
        .take(sample)
        .map(|change| change_out(planned, change))
        .collect();
    let truncated = body.result.right.len() > changes.len();
    let calls = shell.google.calls();
    let mut findings: Vec<FindingOut> = planned
        .findings
        .iter()
        .take(MAX_FINDINGS)
        .map(|(side, finding)| FindingOut { side: side_name(*side), message: finding.to_string() })
        .collect();
    if planned.findings.len() > MAX_FINDINGS {
        let more = planned.findings.len() - MAX_FINDINGS;
        findings.push(FindingOut { side: "both", message: format!("and {more} more findings") });
    }
    let halted: Vec<HaltOut> = body
        .halts
        .iter()
        .map(|halt| HaltOut { name: halt.reason.as_str().into(), reason: halt.message.clone() })
        .collect();
    Report {
        dataset: definition.name.clone(),
        state,
        plan_id: short(planned.plan.id()),
        next: next(state, &counts, &short(planned.plan.id()), !findings.is_empty()),
        counts,
        changes,
        truncated,
        halted,
        findings,
        columns: planned
            .reasons
            .iter()
            .map(|reason| ColumnOut {
                name: reason.column.clone(),
                ty: reason.ty.to_string(),
                reason: reason.to_string().split_once(": ").map_or("", |(_, why)| why).to_owned(),
            })
            .collect(),
        calls: CallsOut { reads: calls.reads, writes: calls.writes, retries: calls.retries },
    }
}

fn side_name(side: SideName) -> &'static str {
    match side {
        SideName::Left => "left",
        SideName::Right => "right",
    }
}

fn counts(planned: &Planned) -> Counts {
    let result = &planned.plan.body().result;
    let of = |kind| result.counts.right.get(&kind).copied().unwrap_or(0);
    Counts {
        insert: of(ChangeKind::Insert),
        update: of(ChangeKind::Update),
        delete: of(ChangeKind::Delete),
        mark: of(ChangeKind::Mark),
        reactivate: of(ChangeKind::Reactivate),
        unchanged: planned.unchanged,
        set_aside: planned.set_aside,
        cells: result.right.iter().map(|change| change.cells.len() as u64).sum(),
    }
}

fn next(state: State, counts: &Counts, id: &str, findings: bool) -> String {
    let look = if findings { " Look at findings: rows set aside are not in step." } else { "" };
    match state {
        State::InStep => format!("nothing to do: both sides agree.{look}"),
        State::Planned => format!(
            "to write these {} rows call syncDataset with the same arguments, mode \"apply\" and planId \"{id}\".{look}",
            counts.changes()
        ),
        State::Halted => {
            "nothing was written. Check halted with a person; to go on all the same, add override: [names] and apply"
                .into()
        }
        State::Applied => format!("done: {} rows were written and confirmed.{look}", counts.changes()),
    }
}

/// The most characters of a cell that a sample shows.
const SHOWN: usize = 80;

fn change_out(planned: &Planned, change: &Change) -> ChangeOut {
    let schema = &planned.plan.body().basis.schema;
    let shown = |row: Option<&lockstep_engine::value::Row>, column: usize| {
        let value = row.and_then(|row| row.get(column)).unwrap_or(&Value::Null);
        let text = if value.is_null() { "(blank)".to_owned() } else { value.to_string() };
        if text.chars().count() > SHOWN {
            text.chars().take(SHOWN).chain(['…']).collect()
        } else {
            text
        }
    };
    let mut cells = BTreeMap::new();
    for column in &change.cells {
        let Some(name) = schema.columns.get(*column).map(|column| column.name.clone()) else {
            continue;
        };
        let after = shown(change.after.as_ref(), *column);
        match change.kind {
            ChangeKind::Insert => {
                if after != "(blank)" {
                    cells.insert(name, after);
                }
            }
            _ => {
                let before = shown(change.before.as_ref(), *column);
                cells.insert(name, format!("{before} → {after}"));
            }
        }
    }
    ChangeOut {
        kind: match change.kind {
            ChangeKind::Insert => "insert",
            ChangeKind::Update => "update",
            ChangeKind::Delete => "delete",
            ChangeKind::Mark => "mark",
            ChangeKind::Reactivate => "reactivate",
        },
        key: change.key.to_string(),
        row: change.row.map(|row| planned.right.snapshot.origin(row)),
        cells,
    }
}
