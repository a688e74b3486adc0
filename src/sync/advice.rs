//! What a report tells its reader to do next.

use super::{
    describe::{Done, left_out, short},
    prepare::Planned,
    report::{Counts, State},
};

/// Returns what to do after a plan or an apply, in words.
pub(super) fn next(
    planned: &Planned,
    state: State,
    counts: &Counts,
    findings: bool,
    done: &Done,
) -> String {
    let id = short(planned.plan.id());
    let mut more = String::new();
    if findings {
        more.push_str(" Look at findings: rows set aside are not in step.");
    }
    if counts.conflicts > 0 && done.undoes.is_some() {
        more.push_str(" Look at conflicts: these cells were changed since the run, and keep what they have now.");
    } else if counts.conflicts > 0 {
        more.push_str(
            " Look at conflicts: the sides keep theirs until resolveConflicts decides, a strategy does \
             (policy.strategy, policy.clash), or the sides agree.",
        );
    }
    if !done.repaired.is_empty() {
        more.push_str(" Look at repaired: rows were moved by others during the write.");
    }
    let (refused, open) = (left_out(done, true).count(), left_out(done, false).count());
    if refused > 0 {
        more.push_str(&format!(
            " {refused} rows were refused: see refused. They are tried again by each run until they are corrected.",
        ));
    }
    if open > 0 {
        more.push_str(&format!(
            " {open} rows were not written or could not be confirmed: see unconfirmed. The next run compares them \
             afresh.",
        ));
    }
    let failed = !done.failed.is_empty() || planned.down().next().is_some();
    if state == State::Partial && failed {
        more.push_str(" Look at sides: what failed there is caught up by the next run.");
    }
    if done.unknown {
        more.push_str(
            " Whether the last write to a spoke that failed arrived is not known; the next run finds out first.",
        );
    }
    if planned.due {
        more.push_str(" All rows were read, as every fullEvery runs.");
    }
    if done.recovered > 0 {
        more.push_str(" A run that had been interrupted was settled before.");
    }
    let tool = if done.undoes.is_some() { "rollbackSync" } else { "syncDataset" };
    match state {
        State::InStep if done.undoes.is_some() => {
            format!("nothing to take back: what the run wrote is not there any more.{more}")
        }
        State::InStep if counts.conflicts > 0 => {
            format!("nothing to write: all but the conflicts agrees.{more}")
        }
        State::InStep => format!("nothing to do: the sides agree.{more}"),
        State::Planned => format!(
            "to write these {} rows call {tool} with the same arguments, mode \"apply\" and planId \"{id}\".{more}",
            counts.changes()
        ),
        State::Halted => {
            "nothing was written. Check halted with a person; to go on all the same, add override: [names] and apply"
                .into()
        }
        State::Applied | State::Partial => {
            format!("done: {} rows were written and confirmed.{more}", done.written)
        }
    }
}
