//! The tasks extension (`io.modelcontextprotocol/tasks`): a sync that lasts goes on without its request.
//!
//! A call of a client that knows tasks is answered at once where it is short, as for every client. One that takes
//! longer is written down in the store, and its request is answered with the task's name; the client asks for it,
//! answers what it asks, or stops it. The store knows the task whatever becomes of the process: one whose process died
//! is settled by the next, and says what was done. A client that did not say that it knows tasks waits for its call.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::SignedDuration;
use rmcp::{
    ErrorData,
    model::{CreateTaskResult, GetTaskResult, UpdateTaskParams},
};
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Server, failed,
    job::{Job, Work},
    notify::Reins,
    role,
};
use crate::{
    principal::Principal,
    store::{Task, TaskState},
    tools,
};

mod keep;
mod settle;
pub(super) mod wire;

pub(super) use settle::settle_all;

/// How many tasks of one caller may be under way here; the calls of more wait, as without tasks.
const MOST_OF_ONE: usize = 16;

/// How many tasks may be under way here at all.
const MOST: usize = 64;

/// How long a task may take to end its batch when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// When a call becomes a task, and how long that is kept.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a call may keep its request waiting.
    pub after: Duration,
    /// How long a task is kept after its end.
    pub keep: SignedDuration,
}

/// The tasks under way in this process.
#[derive(Debug)]
pub(super) struct Tasks {
    settings: Settings,
    running: Mutex<HashMap<Arc<str>, Arc<Running>>>,
    keepers: TaskTracker,
    stopping: AtomicBool,
}

/// What the requests of others reach of a task under way.
#[derive(Debug)]
struct Running {
    subject: String,
    stop: CancellationToken,
    /// Whether its owner stopped it.
    unwanted: AtomicBool,
    /// Something was answered or stopped.
    wake: Notify,
}

impl Running {
    fn cancel(&self) {
        self.unwanted.store(true, Ordering::Release);
        self.stop.cancel();
        self.wake.notify_one();
    }
}

impl Tasks {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            running: Mutex::default(),
            keepers: TaskTracker::new(),
            stopping: AtomicBool::new(false),
        }
    }

    /// Returns how long a call may keep its request waiting.
    pub(super) fn after(&self) -> Duration {
        self.settings.after
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self, id: &str) -> Option<Arc<Running>> {
        self.lock().get(id).cloned()
    }

    /// Takes a place among the tasks under way, if there is one.
    fn enter(&self, id: &Arc<str>, running: &Arc<Running>) -> bool {
        let mut all = self.lock();
        let own = all.values().filter(|other| other.subject == running.subject).count();
        let room = all.len() < MOST && own < MOST_OF_ONE && !self.stopping.load(Ordering::Acquire);
        if room {
            all.insert(Arc::clone(id), Arc::clone(running));
        }
        room
    }

    /// Lets a call go on as a task; gives it back where that cannot be.
    pub(super) async fn adopt(
        self: &Arc<Self>,
        job: &Arc<Job>,
        work: Work,
        reins: Reins,
    ) -> Result<CreateTaskResult, Box<(Work, Reins)>> {
        let Some(id) = &job.task else { return Err(Box::new((work, reins))) };
        let running = Arc::new(Running {
            subject: job.caller.subject.clone(),
            stop: reins.stop.clone(),
            unwanted: AtomicBool::new(false),
            wake: Notify::new(),
        });
        if !self.enter(id, &running) {
            return Err(Box::new((work, reins)));
        }
        let context = &job.server.context;
        let now = context.clock.now();
        let task = Task {
            id: id.to_string(),
            subject: running.subject.clone(),
            tool: job.tool.name.to_owned(),
            state: TaskState::Working,
            message: Some(keep::words(&reins.latest.borrow())),
            holder: context.holder.name().to_owned(),
            created: now,
            updated: now,
            expires: now.saturating_add(self.settings.keep).unwrap_or(now),
            cancel: false,
            question: None,
            answer: None,
            outcome: None,
        };
        if let Err(error) = context.store.add_task(&task).await {
            tracing::warn!(%error, "a task could not be written down; its request waits");
            self.lock().remove(id);
            return Err(Box::new((work, reins)));
        }
        reins.let_go();
        let keeper = keep::Keeper { tasks: Arc::clone(self), job: Arc::clone(job), running, reins };
        let answer = CreateTaskResult::new(wire::task(&task));
        self.keepers.spawn(keeper.keep(work, task));
        Ok(answer)
    }

    /// Stops all tasks between two batches, and waits until they have said what was done.
    pub(super) async fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let all: Vec<Arc<Running>> = self.lock().values().cloned().collect();
        for running in all {
            running.stop.cancel();
            running.wake.notify_one();
        }
        self.keepers.close();
        if tokio::time::timeout(DRAIN, self.keepers.wait()).await.is_err() {
            tracing::warn!("a task was not at the end of a batch; the next process settles it");
        }
    }
}

/// Answers `tasks/get`.
pub(super) async fn get(
    server: &Server,
    caller: &Principal,
    id: &str,
) -> Result<GetTaskResult, ErrorData> {
    find(server, caller, id).await.map(|task| GetTaskResult::new(wire::detailed(&task)))
}

/// Answers `tasks/update`: hands a person's answer to the task that waits for it.
pub(super) async fn update(
    server: &Server,
    caller: &Principal,
    request: &UpdateTaskParams,
) -> Result<(), ErrorData> {
    let task = find(server, caller, &request.task_id).await?;
    if let Some(tool) = tools::find(&task.tool).filter(|tool| role(tool) > caller.role) {
        let why = format!("{} needs the role {}", tool.name, role(tool).as_str());
        return Err(ErrorData::invalid_params(why, None));
    }
    // What nobody asked is passed over, as the protocol wants: it may have been answered meanwhile.
    let asked = task.question.as_ref().and_then(wire::key);
    let Some((key, result)) = asked.and_then(|key| Some((key, request.input_responses.get(key)?)))
    else {
        return Ok(());
    };
    if wire::word("", result).is_none() {
        let why = format!(
            "inputResponses.{key} is no answer to a form: give {{\"action\": \"accept\", \"content\": {{\"agree\": true}}}}, or decline"
        );
        return Err(ErrorData::invalid_params(why, None));
    }
    let context = &server.context;
    let answer = json!({"key": key, "result": result});
    context
        .store
        .answer_task(&task.id, &answer, context.clock.now())
        .await
        .map_err(|error| failed(&error))?;
    if let Some(running) = server.shared.tasks.running(&task.id) {
        running.wake.notify_one();
    }
    Ok(())
}

/// Answers `tasks/cancel`: the task stops between two batches, and says what was done.
pub(super) async fn cancel(server: &Server, caller: &Principal, id: &str) -> Result<(), ErrorData> {
    let task = find(server, caller, id).await?;
    let context = &server.context;
    // It may be another process that works on it.
    context
        .store
        .cancel_task(&task.id, context.clock.now())
        .await
        .map_err(|error| failed(&error))?;
    if let Some(running) = server.shared.tasks.running(&task.id) {
        running.cancel();
    }
    Ok(())
}

/// Returns a caller's task; one whose process died is settled first.
async fn find(server: &Server, caller: &Principal, id: &str) -> Result<Task, ErrorData> {
    let context = &server.context;
    let look = async || {
        let found = context.store.task(id).await.map_err(|error| failed(&error))?;
        // Whose it is not may not even learn that there is one.
        found.filter(|task| task.subject == caller.subject).ok_or_else(|| {
            let why = format!(
                "there is no task \"{id:.100}\": tasks are seen by who began them, and kept for a while after their end; \
                 lockstep://tasks lists yours"
            );
            ErrorData::invalid_params(why, None)
        })
    };
    let task = look().await?;
    let orphaned = match task.holder == context.holder.name() {
        true => server.shared.tasks.running(id).is_none(),
        false => context.holder.is_gone(&task.holder),
    };
    if task.state.is_over() || !orphaned {
        return Ok(task);
    }
    // It may have ended between the two looks.
    settle::settle(context, &task).await.map_err(|error| failed(&error))?;
    look().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_for_each_caller_and_for_all() {
        let settings = Settings { after: Duration::ZERO, keep: SignedDuration::ZERO };
        let tasks = Tasks::new(settings);
        let enter = |caller: usize, number: usize| {
            let running = Running {
                subject: format!("caller {caller}"),
                stop: CancellationToken::new(),
                unwanted: AtomicBool::new(false),
                wake: Notify::new(),
            };
            tasks.enter(&format!("{caller}-{number}").into(), &Arc::new(running))
        };
        for caller in 0..4 {
            assert!((0..16).all(|number| enter(caller, number)));
            assert!(!enter(caller, 16), "the seventeenth of one caller");
        }
        assert!(!enter(4, 0), "the sixty-fifth of all");
        tasks.lock().remove("0-0");
        assert!(enter(4, 0));
    }
}
