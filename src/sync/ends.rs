//! What the store learns of the end of a run.

use lockstep_engine::value::Value;

use super::{Shell, definition::Definition, deliver::kind_of, prepare::Planned};
use crate::{
    error::{Error, Kind, Result},
    store::{EndState, Histogram, RunEnd, RunState},
    sync::report::{Report, State},
};

/// How many changes' ages are looked at.
const AGES: usize = 10_000;

/// Returns the end of a run with nothing in it but what the shell knows.
pub(super) fn end(shell: &Shell, dataset: &str, state: EndState) -> RunEnd {
    let (now, calls) = (shell.reach.clock.now(), shell.reach.google.calls());
    RunEnd {
        dataset: dataset.to_owned(),
        at: now,
        state,
        error: None,
        millis: u64::try_from(now.duration_since(shell.began).as_millis()).unwrap_or(0),
        rows: 0,
        reads: calls.reads,
        writes: calls.writes,
        retries: calls.retries,
        conflicts: None,
        lags: Histogram::default(),
        whole: false,
    }
}

/// Returns the end of a run that wrote, or tried to.
pub(super) fn written(
    shell: &Shell,
    definition: &Definition,
    planned: &Planned,
    state: RunState,
    rows: u64,
) -> RunEnd {
    let down = planned.down().next().is_some();
    let state = match state {
        RunState::Applied if !down => EndState::Applied,
        RunState::Failed => EndState::Failed,
        _ => EndState::Partial,
    };
    RunEnd {
        rows,
        error: refused(planned.down().filter_map(|member| member.down.as_deref())),
        // A run of some keys does not know of the conflicts about others.
        conflicts: (definition.only.is_none() && !planned.limited)
            .then_some(planned.plan.body().result.conflicts.len() as u64),
        lags: lags(shell, definition, planned),
        whole: definition.only.is_none(),
        ..end(shell, &definition.name, state)
    }
}

/// Returns the first reason of members that were left out for their credential: no later run mends that by itself.
fn refused<'a>(mut down: impl Iterator<Item = &'a str>) -> Option<(String, String)> {
    let why = down.find(|why| kind_of(why) == Kind::Unauthenticated)?;
    Some((Kind::Unauthenticated.as_str().to_owned(), why.to_owned()))
}

/// Returns how old the changes of a plan are, where a column says when a row was changed.
fn lags(shell: &Shell, definition: &Definition, planned: &Planned) -> Histogram {
    let mut lags = Histogram::default();
    let body = planned.plan.body();
    let column = definition.policy.modified_at.as_deref();
    let Some(at) = column.and_then(|column| body.basis.schema.position(column)) else {
        return lags;
    };
    let now = shell.reach.clock.now();
    let changes = body.result.members.iter().flat_map(|member| &member.changes);
    for change in changes.take(AGES) {
        let modified = match change.after.as_ref().and_then(|row| row.get(at)) {
            Some(Value::DateTime(time)) => time.utc(),
            Some(Value::Date(date)) => date.at(0, 0, 0, 0),
            _ => continue,
        };
        if let Ok(modified) = jiff::tz::TimeZone::UTC.to_timestamp(modified) {
            lags.add(now.duration_since(modified).as_secs_f64());
        }
    }
    lags
}

/// Records the end of a run that was not journaled; a failure of this is no failure of the run.
pub(super) async fn note(
    shell: &Shell,
    definition: &Definition,
    result: std::result::Result<&Report, &Error>,
) {
    let end = match result {
        Ok(report) if report.run_id.is_some() => return,
        Ok(report) => {
            let state = match report.state {
                State::Halted => EndState::Halted,
                State::Partial => EndState::Partial,
                _ => EndState::InStep,
            };
            let halts: Vec<&str> = report.halted.iter().map(|halt| halt.name.as_str()).collect();
            let whole = definition.only.is_none();
            RunEnd {
                error: match state {
                    EndState::Halted => Some(("halted".into(), halts.join(", "))),
                    _ => refused(report.sides.iter().filter_map(|side| side.error.as_deref())),
                },
                conflicts: whole.then_some(report.counts.conflicts),
                whole,
                ..end(shell, &definition.name, state)
            }
        }
        Err(error) if counts(error) => RunEnd {
            error: Some((error.kind().as_str().to_owned(), error.to_string())),
            ..end(shell, &definition.name, EndState::Failed)
        },
        Err(_) => return,
    };
    if let Err(error) = shell.store.record_end(&end).await {
        tracing::warn!(%error, "the end of a run was not counted");
    }
}

/// How long a look that found nothing new waits before it is noted again.
const NOTED: f64 = 60.0;

/// Records what a look at a watched dataset came to beside its runs.
///
/// A look is no run: one that finds what the last one found is noted as a comparison and not counted. A halt, its end, and
/// conflicts that come or go are counted once each. A failure of this is no failure of the look.
pub(crate) async fn looked(
    shell: &Shell,
    dataset: &str,
    halts: &[String],
    conflicts: u64,
    in_step: bool,
) {
    if let Err(error) = record(shell, dataset, halts, conflicts, in_step).await {
        tracing::warn!(%error, dataset, "what a look found was not counted");
    }
}

async fn record(
    shell: &Shell,
    dataset: &str,
    halts: &[String],
    conflicts: u64,
    in_step: bool,
) -> Result<()> {
    let known = shell.store.facts(dataset).await?;
    if !halts.is_empty() {
        let why = halts.join(", ");
        let told = known.last_error.as_ref().is_some_and(|(_, text)| *text == why);
        if known.last_state == Some(EndState::Halted) && told {
            return Ok(());
        }
        let end =
            RunEnd { error: Some(("halted".into(), why)), ..end(shell, dataset, EndState::Halted) };
        return shell.store.record_end(&end).await;
    }
    if !in_step {
        return Ok(());
    }
    let well = matches!(known.last_state, Some(EndState::InStep | EndState::Applied));
    if !well || known.conflicts != conflicts {
        let end = RunEnd {
            conflicts: Some(conflicts),
            whole: true,
            ..end(shell, dataset, EndState::InStep)
        };
        return shell.store.record_end(&end).await;
    }
    let now = shell.reach.clock.now().as_microsecond();
    let age = |at: i64| (now - at) as f64 / 1e6;
    let fresh = |at: Option<i64>| at.is_some_and(|at| age(at) < NOTED);
    if fresh(known.compared) && fresh(known.last_success) {
        return Ok(());
    }
    let noted = shell.store.learn(dataset, |facts| {
        (facts.last_success, facts.compared) = (Some(now), Some(now));
        facts.unexplained = 0;
    });
    noted.await.map(|_| ())
}

/// Returns whether an error says something about the dataset, and not about the call.
fn counts(error: &Error) -> bool {
    !matches!(
        error.kind(),
        Kind::Cancelled | Kind::ConfirmationNeeded | Kind::StalePlan | Kind::Ambiguous
    )
}
