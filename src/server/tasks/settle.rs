//! Settles tasks whose process died: what they wrote is known by their runs.

use serde_json::json;

use crate::{
    error::Result,
    store::{Run, RunState, Task, TaskState},
    sync::recover::recover_one,
    tools::{Context, context::mark},
};

/// Settles the tasks of processes that are gone.
pub(in crate::server) async fn settle_all(context: &Context) {
    let open = match context.store.open_tasks().await {
        Ok(open) => open,
        Err(error) => return tracing::warn!(%error, "open tasks could not be looked up"),
    };
    for task in open.into_iter().filter(|task| context.holder.is_gone(&task.holder)) {
        match settle(context, &task).await {
            Ok(()) => tracing::info!(task = task.id, "an interrupted task was settled"),
            // Whoever asks for it settles it then.
            Err(error) => tracing::warn!(%error, task = task.id, "an interrupted task is open yet"),
        }
    }
}

/// Ends a task whose process is gone, with what was done.
///
/// # Errors
/// A store that cannot be read or written.
pub(super) async fn settle(context: &Context, task: &Task) -> Result<()> {
    let (store, mark) = (&context.store, mark(&task.id));
    for run in store.runs_marked(&mark).await? {
        if run.state == RunState::Applying
            && let Err(error) = recover_one(&context.shell("serve"), &run.dataset).await
        {
            tracing::warn!(%error, run = run.id, "an interrupted run is not settled yet");
        }
    }
    let runs = store.runs_marked(&mark).await?;
    let message = format!(
        "interrupted: the process of the server ended while the task ran. {}. Next: call {} again; it compares afresh \
         and does only what is left",
        what_was_done(&runs),
        task.tool
    );
    let now = context.clock.now();
    let ended = Task {
        state: TaskState::Failed,
        outcome: Some(json!({"code": -32603, "message": message})),
        message: Some(message),
        updated: now,
        // As long from now as it would have been kept from its beginning.
        expires: now.saturating_add(task.expires.duration_since(task.created)).unwrap_or(now),
        ..task.clone()
    };
    store.end_task(&ended).await?;
    super::super::resources::task_changed(&context.changes, &task.id);
    Ok(())
}

fn what_was_done(runs: &[Run]) -> String {
    if runs.is_empty() {
        return "Nothing was written".to_owned();
    }
    let said = runs.iter().map(|run| {
        let (id, error) = (&run.id, run.error.as_deref().unwrap_or("no error"));
        match run.state {
            RunState::Applying => format!("Run {id} is open: the next call settles it first"),
            RunState::Applied => format!("Run {id} was applied in full"),
            RunState::Partial => format!("Run {id} was applied in part ({error})"),
            RunState::Failed => format!("Run {id} wrote nothing ({error})"),
        }
    });
    said.collect::<Vec<_>>().join(". ")
}
