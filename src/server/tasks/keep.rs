//! Keeps one task: writes down how far it is, passes on what it asks, and says what came of it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::{Running, Tasks, wire};
use crate::{
    consent::Question,
    error::{Error, Kind, Result},
    progress::Step,
    server::{
        asking::{self, Way, Word},
        job::{Job, QUESTIONS, Work},
        notify::Reins,
        resources,
    },
    store::{Task, TaskState},
};

/// How often a task's state in the store is renewed, and read for what other processes were told.
const BEAT: Duration = Duration::from_secs(1);

/// How often the end of a task is written down before that is given up.
const TRIES: u32 = 3;

/// Who keeps a task.
pub(super) struct Keeper {
    pub(super) tasks: Arc<Tasks>,
    pub(super) job: Arc<Job>,
    pub(super) running: Arc<Running>,
    pub(super) reins: Reins,
}

/// Returns how far a call is, in words.
pub(super) fn words(step: &Option<Step>) -> String {
    match step {
        None => "working".to_owned(),
        Some(Step { done, total: Some(total), message }) => {
            format!("{message} ({done} of {total})")
        }
        Some(Step { message, .. }) => message.clone(),
    }
}

impl Keeper {
    /// Keeps the task until it is over.
    pub(super) async fn keep(self, work: Work, mut task: Task) {
        self.changed(&task.id);
        let outcome = self.outcome(work, &task.id).await;
        self.job.counted(outcome.as_ref().err().map(Error::kind));
        self.job.tell(&outcome);
        self.over(&mut task, outcome);
        for attempt in 1..=TRIES {
            match self.job.server.context.store.end_task(&task).await {
                Ok(_) => break,
                // Its run is in the history; a later process says so when it settles the task.
                Err(error) => tracing::error!(%error, attempt, "a task's end was not written down"),
            }
        }
        self.tasks.lock().remove(task.id.as_str());
        self.changed(&task.id);
    }

    fn changed(&self, id: &str) {
        let changes = &self.job.server.context.changes;
        resources::task_changed(changes, id);
    }

    /// Sets what came of the task.
    fn over(&self, task: &mut Task, outcome: Result<Value>) {
        let now = self.job.server.context.clock.now();
        task.updated = now;
        task.expires = now.saturating_add(self.tasks.settings.keep).unwrap_or(now);
        let stopped = outcome.as_ref().err().filter(|error| error.kind() == Kind::Cancelled);
        let stopped = stopped.map(ToString::to_string);
        (task.state, task.message, task.outcome) = match stopped {
            Some(why) if self.running.unwanted.load(Ordering::Acquire) => {
                (TaskState::Cancelled, Some(why), None)
            }
            Some(why) if self.tasks.stopping.load(Ordering::Acquire) => {
                let message = format!("the server was stopped while the task ran: {why}");
                let error = json!({"code": -32603, "message": message});
                (TaskState::Failed, Some(message), Some(error))
            }
            _ => {
                let said = match &outcome {
                    Ok(_) => "done".to_owned(),
                    Err(error) => error.to_string(),
                };
                let result = serde_json::to_value(self.job.linked(outcome)).unwrap_or_default();
                (TaskState::Completed, Some(said), Some(result))
            }
        };
    }

    /// Follows the call, and asks the person where it asks.
    async fn outcome(&self, mut work: Work, id: &str) -> Result<Value> {
        for number in 0..=QUESTIONS {
            let result = self.follow(&mut work, id).await;
            let question = match work.consent.asked() {
                Some(question) if result.is_err() && number < QUESTIONS => question,
                _ => return result,
            };
            let job = &self.job;
            if job.way == Way::Code {
                let asking = &job.server.shared.asking;
                return Err(asking.code(job.digest, &question, job.tool.name, job.code()));
            }
            match self.ask(&question, number, id).await? {
                Word::Yes(about) => work = job.work(Some(about), self.reins.progress()),
                Word::No | Word::None => return Err(asking::declined()),
            }
        }
        Err(Error::internal("the call asked too often"))
    }

    /// Writes down how far the call is until it ends.
    async fn follow(&self, work: &mut Work, id: &str) -> Result<Value> {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said = String::new();
        loop {
            tokio::select! {
                result = &mut work.outcome => return result,
                _ = beat.tick() => {
                    let now = words(&self.reins.latest.borrow());
                    // The work goes on meanwhile: it runs by itself.
                    if let Err(error) = self.beat(id, &now, &mut said).await {
                        tracing::warn!(%error, "a task's progress was not written down");
                    }
                }
            }
        }
    }

    async fn beat(&self, id: &str, now: &str, said: &mut String) -> Result<()> {
        let context = &self.job.server.context;
        if now != said {
            context.store.note_task(id, now, context.clock.now()).await?;
            self.changed(id);
            now.clone_into(said);
        }
        if context.store.task(id).await?.is_some_and(|task| task.cancel) {
            self.running.cancel();
        }
        Ok(())
    }

    /// Asks the person, and waits for their answer.
    async fn ask(&self, question: &Question, number: u32, id: &str) -> Result<Word> {
        let context = &self.job.server.context;
        let key = match number {
            0 => "agree".to_owned(),
            _ => format!("agree-{}", number + 1),
        };
        let asked = json!({"key": key, "request": asking::request(question)?});
        context.store.ask_task(id, &asked, &question.message, context.clock.now()).await?;
        self.changed(id);
        let until = Instant::now() + asking::PATIENCE;
        while Instant::now() < until {
            let task = context.store.task(id).await?;
            if task.as_ref().is_some_and(|task| task.cancel) {
                self.running.cancel();
            }
            if self.running.stop.is_cancelled() {
                return Err(Error::new(
                    Kind::Cancelled,
                    "the task was cancelled; nothing was written",
                ));
            }
            let answer = task.and_then(|task| task.answer);
            let result = answer.as_ref().filter(|answer| wire::key(answer) == Some(&key));
            if let Some(word) = result.and_then(|a| wire::word(&question.about, a.get("result")?)) {
                return Ok(word);
            }
            // Another process may have been told.
            let _ = timeout(BEAT, self.running.wake.notified()).await;
        }
        let message = format!("{}; nobody answered, and nothing was written", question.message);
        Err(Error::new(Kind::ConfirmationNeeded, message).next("call again when they can answer"))
    }
}
