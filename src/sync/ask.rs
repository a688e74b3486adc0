//! What a person is asked before a run writes: many deletes, and halts that are passed.

use lockstep_engine::reconcile::ChangeKind;

use super::{Shell, describe::short, prepare::Planned};
use crate::{consent::Question, error::Result};

/// How many deleted rows nobody is asked about.
const UNASKED: usize = 20;

/// Goes on if a plan needs nobody's word, or has it.
///
/// # Errors
/// A plan that a person should agree to, and did not yet.
pub(super) fn ask(shell: &Shell, dataset: &str, planned: &Planned) -> Result<()> {
    let body = planned.plan.body();
    let changes = body.result.members.iter().flat_map(|member| &member.changes);
    let deletes = changes.filter(|change| change.kind == ChangeKind::Delete).count();
    // What was not overridden stopped the run before this.
    let halts: Vec<&str> = body.halts.iter().map(|halt| halt.reason.as_str()).collect();
    if deletes <= UNASKED && halts.is_empty() {
        return Ok(());
    }
    let mut message = format!("\"{dataset}\": {deletes} rows would be deleted");
    if !halts.is_empty() {
        message.push_str(&format!(", and these safety halts passed: {}", halts.join(", ")));
    }
    shell.consent.check(Question { about: short(planned.plan.id()), message, choices: Vec::new() })
}
