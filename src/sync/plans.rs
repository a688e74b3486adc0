//! Plans that a caller was shown: kept for a day, applied only while they still say what is there.

use lockstep_engine::plan::Plan;
use serde::Serialize;

use super::{Shell, describe::short, saved::json};
use crate::{
    error::{Error, Kind, Result},
    principal::Limits,
    store::PlanLookup,
};

/// Lets a plan pass that writes no more than the caller may.
///
/// # Errors
/// [`Kind::TooLarge`] with the limit and what to do.
pub(super) fn within(shell: &Shell, plan: &Plan) -> Result<()> {
    let next =
        "write a part of it by keys, or ask the operator for a higher limit; nothing was written";
    fits(shell.limits, plan, next).map_err(|error| error.context("what the plan writes"))
}

/// Lets a plan pass that has no more rows and cells than the caller may have.
///
/// # Errors
/// See [`within`].
pub(crate) fn fits(limits: Limits, plan: &Plan, next: &str) -> Result<()> {
    let changes = || plan.body().result.members.iter().flat_map(|member| &member.changes);
    let cells = changes().map(|change| change.cells.len() as u64).sum();
    limits.check(changes().count() as u64, cells, next)
}

/// Keeps a plan under its id, with what it was made for; cell values must not be in there: `forget` reads the plan alone.
///
/// # Errors
/// A store that cannot be written.
pub(super) async fn keep(shell: &Shell, plan: &Plan, made_for: &impl Serialize) -> Result<()> {
    within(shell, plan)?;
    shell.store.put_plan(plan, &json(made_for)?, shell.reach.clock.now()).await
}

/// Checks that the plan a caller named is the one that was just made; `tool` makes the next.
///
/// # Errors
/// [`Kind::StalePlan`] with the fresh plan's id; a name that is none.
pub(super) async fn check(shell: &Shell, named: &str, fresh: &Plan, tool: &str) -> Result<()> {
    let fresh = fresh.id();
    let stale = |why: String| {
        Err(Error::new(
            Kind::StalePlan,
            format!("{why}; nothing was written. The fresh plan is {}", short(fresh)),
        )
        .next(format!(
            "call {tool} without mode to see the fresh plan, then apply it by its planId"
        )))
    };
    match shell.store.plan_id(named, shell.reach.clock.now()).await? {
        PlanLookup::Found(stored) if stored == fresh => Ok(()),
        PlanLookup::Found(_) => stale(format!(
            "the plan {named} does not describe what is there now, or was made with other arguments"
        )),
        PlanLookup::Expired { expired, .. } => {
            stale(format!("the plan {named} expired at {expired:.0}"))
        }
        PlanLookup::Unknown => stale(format!("there is no plan {named}")),
        PlanLookup::Many => stale(format!("more than one plan's id begins with {named}")),
    }
}
