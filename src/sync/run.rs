//! A run: prepare the plan, and, when asked, apply exactly that plan and tell what came of it.

use std::{collections::BTreeMap, sync::Arc};

use lockstep_engine::safety::remaining;

use super::{
    Shell,
    ask::ask,
    conflicts::review,
    definition::Definition,
    describe::{Done, report},
    ends,
    hidden::Hidden,
    keep::keep,
    plans,
    prepare::{Planned, prepare},
    recover::Recovered,
    report::{Report, State},
    rest,
    saved::{check, save},
    see_again::see_again,
    turn,
    write::{Job, Stopped, write},
};
use crate::{
    error::{Kind, Result},
    store::{Lease, Moves, RunKind},
};

/// How often an apply without a plan id compares afresh when someone edits a side meanwhile.
const ATTEMPTS: u32 = 3;

/// Compares, stores the plan and returns it; nothing is written to a replica.
///
/// # Errors
/// See [`prepare`].
pub(crate) async fn plan(shell: &Shell, definition: &Definition, sample: usize) -> Result<Report> {
    check(shell, definition).await?;
    // What cannot be planned is not saved: a rule is checked where it is defined.
    let planned = prepare(shell, definition, &BTreeMap::new()).await?;
    plans::within(shell, &planned.plan)?;
    save(shell, definition, None).await?;
    let state = state_before(&planned, definition);
    plans::keep(shell, &planned.plan, &definition.kept()).await?;
    Ok(told(shell, definition, &planned, state, sample, &Done::default()))
}

fn told(
    shell: &Shell,
    definition: &Definition,
    planned: &Planned,
    state: State,
    sample: usize,
    done: &Done,
) -> Report {
    let hidden = Hidden::of(definition).keyed(&shell.key, &definition.name);
    report(shell, &definition.name, planned, &hidden, state, sample, done)
}

/// Compares and applies; with a plan id only if the plan is still the same.
///
/// # Errors
/// A plan that is stale, a side that keeps changing, and whatever kept the writes from being confirmed.
pub(crate) async fn apply(
    shell: &Shell,
    definition: &Definition,
    plan_id: Option<&str>,
    sample: usize,
) -> Result<Report> {
    check(shell, definition).await?;
    turn::with(shell, &definition.name, async |lease, recovered| {
        let mut reviewed = review::take_in(shell, definition).await;
        let (mut result, journaled) =
            match apply_in_turn(shell, definition, plan_id, sample, lease, recovered).await {
                Ok(report) => (Ok(report), false),
                Err(Stopped { error, run: None }) => (Err(error), false),
                Err(stopped) => (Err(stopped.into()), true),
            };
        if !journaled {
            ends::note(shell, definition, result.as_ref()).await;
        }
        if let Ok(report) = &mut result {
            if report.state != State::Halted {
                review::put_out(shell, definition, &mut reviewed).await;
            }
            report.findings.extend(reviewed.findings);
        }
        result
    })
    .await
}

async fn apply_in_turn(
    shell: &Shell,
    definition: &Definition,
    plan_id: Option<&str>,
    sample: usize,
    lease: &mut Lease,
    recovered: Recovered,
) -> Result<Report, Stopped> {
    let mut attempt = 1;
    loop {
        let waiting = &recovered.waiting;
        let planned = prepare(shell, definition, waiting).await?;
        if attempt == 1 {
            save(shell, definition, None).await?;
        }
        let planned = Arc::new(see_again(shell, definition, planned, waiting).await?);
        if let Some(named) = plan_id {
            plans::check(shell, named, &planned.plan, "syncDataset").await?;
        }
        let state = state_before(&planned, definition);
        let result = &planned.plan.body().result;
        let learns = definition.has_base() && !result.learns_nothing();
        if state == State::Halted || (planned.plan.is_quiet() && !learns) {
            if state != State::Halted {
                if let Some(seen) = planned.seen.as_ref().filter(|seen| seen.matters) {
                    save(shell, definition, Some(&planned)).await?;
                    shell.store.record_conflicts(lease, seen, shell.reach.clock.now()).await?;
                }
                keep(shell, definition, lease, &planned).await;
            }
            let done = Done { recovered: recovered.runs, ..Done::default() };
            return Ok(told(shell, definition, &planned, state, sample, &done));
        }
        plans::keep(shell, &planned.plan, &definition.kept()).await?;
        ask(shell, &definition.name, &planned)?;
        match carry_out(shell, definition, &planned, lease).await {
            Ok(done) => {
                if !done.unknown {
                    keep(shell, definition, lease, &planned).await;
                }
                let done = Done { recovered: recovered.runs, ..done };
                let state = if state == State::Planned { State::Applied } else { state };
                let state = match planned.down().next() {
                    Some(_) => State::Partial,
                    None => done.state(state),
                };
                return Ok(told(shell, definition, &planned, state, sample, &done));
            }
            Err(Stopped { error, run: None })
                if error.kind() == Kind::Changed && plan_id.is_none() && attempt < ATTEMPTS =>
            {
                tracing::info!(attempt, "a side changed while it was compared; comparing afresh");
                attempt += 1;
            }
            Err(stopped) => return Err(stopped),
        }
    }
}

/// Writes what a plan says, and remembers what its columns are.
///
/// # Errors
/// See [`write`].
pub(super) async fn carry_out(
    shell: &Shell,
    definition: &Definition,
    planned: &Planned,
    lease: &mut Lease,
) -> Result<Done, Stopped> {
    save(shell, definition, Some(planned)).await?;
    let body = planned.plan.body();
    let base = |(member, spoke): (&str, &str)| {
        let found = body.result.members.iter().find(|one| &*one.name == member)?;
        Some(Moves { spoke: spoke.to_owned(), changes: found.base.as_slice().into() })
    };
    let bases: Vec<Moves> = definition.bases().into_iter().filter_map(base).collect();
    let job = Job {
        dataset: &definition.name,
        definition: Some(definition),
        guard: definition.guard,
        kind: RunKind::Sync,
        undoes: None,
        planned,
        bases: &bases,
        base_columns: rest::names(&body.basis.schema),
    };
    write(shell, &job, lease).await
}

fn state_before(planned: &Planned, definition: &Definition) -> State {
    let halted = !remaining(&planned.plan.body().halts, &definition.overrides).is_empty();
    match (halted, planned.plan.is_quiet()) {
        (true, _) => State::Halted,
        (false, false) => State::Planned,
        (false, true) if planned.down().next().is_some() => State::Partial,
        (false, true) => State::InStep,
    }
}
