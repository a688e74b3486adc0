//! What a client hears while its call runs, and after it.

use std::sync::{Arc, atomic::Ordering};

use rmcp::{
    RoleServer,
    model::{LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam},
    service::RequestContext,
};
use serde_json::{Value, json};
use tokio::{
    sync::{
        mpsc::{UnboundedSender, unbounded_channel},
        watch,
    },
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Server, asking::modern};
use crate::{
    error::{Kind, Result},
    progress::{Progress, Step},
};

/// What a call is steered by while it runs: where its progress goes, and what stops it.
pub(super) struct Reins {
    progress: Progress,
    notifier: Option<JoinHandle<()>>,
    /// The latest step, of a call that may outlive its request.
    pub(super) latest: watch::Receiver<Option<Step>>,
    /// What stops the call.
    pub(super) stop: CancellationToken,
    /// Cancelled when the call does not hang on its request any more.
    free: CancellationToken,
    _end: DropGuard,
}

impl Reins {
    /// Takes the reins of a request's call: it gets progress if it asked for it, and stops the call when it is
    /// cancelled. A call that `may_last` can be let go of later.
    pub(super) fn new(request: &RequestContext<RoleServer>, may_last: bool) -> Self {
        let free = CancellationToken::new();
        let stop = if may_last { CancellationToken::new() } else { request.ct.clone() };
        if may_last {
            let (request, stop, free) = (request.ct.clone(), stop.clone(), free.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = request.cancelled() => stop.cancel(),
                    () = free.cancelled() => {}
                }
            });
        }
        let (sender, notifier) = notifier(request).unzip();
        let (keep, latest) = watch::channel(None);
        let loose = free.clone();
        let sink = (may_last || sender.is_some()).then(|| {
            Arc::new(move |step: Step| {
                if let (Some(sender), false) = (&sender, loose.is_cancelled()) {
                    let _ = sender.send(step.clone());
                }
                let _ = keep.send(Some(step));
            }) as Arc<dyn Fn(Step) + Send + Sync>
        });
        let progress = Progress::new(stop.clone(), sink);
        Self { progress, notifier, latest, stop, _end: free.clone().drop_guard(), free }
    }

    /// Returns where the call says how far it is.
    pub(super) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Lets the call go on without its request, which neither stops it any more nor hears of it.
    pub(super) fn let_go(&self) {
        self.free.cancel();
    }

    /// Ends the call's hold on its request: the last notification goes out before the answer does.
    pub(super) async fn end(self) {
        let Self { progress, notifier, .. } = self;
        drop(progress);
        if let Some(notifier) = notifier {
            let _ = notifier.await;
        }
    }
}

/// Returns where steps are sent to the client, if it asked for them; the task ends when nobody sends any more.
fn notifier(
    request: &RequestContext<RoleServer>,
) -> Option<(UnboundedSender<Step>, JoinHandle<()>)> {
    let token = request.meta.get_progress_token()?;
    let peer = request.peer.clone();
    let (sender, mut steps) = unbounded_channel::<Step>();
    let task = tokio::spawn(async move {
        let mut last = -1.0_f64;
        while let Some(step) = steps.recv().await {
            // The protocol wants the number to rise with each notification; phases before the first
            // row is written have none of their own and count up in small fractions.
            let progress = (step.done as f64).max(last + 0.001);
            last = progress;
            let mut param =
                ProgressNotificationParam::new(token.clone(), progress).with_message(step.message);
            if let Some(total) = step.total {
                param = param.with_total((total as f64).max(progress));
            }
            if peer.notify_progress(param).await.is_err() {
                break;
            }
        }
    });
    Some((sender, task))
}

/// Returns a level's place among the levels, from 1.
pub(super) fn rank(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 1,
        LoggingLevel::Info => 2,
        LoggingLevel::Notice => 3,
        LoggingLevel::Warning => 4,
        LoggingLevel::Error => 5,
        LoggingLevel::Critical => 6,
        LoggingLevel::Alert => 7,
        LoggingLevel::Emergency => 8,
    }
}

/// Returns whether the client of a request wants messages of `level`: it says so with each request, or, before
/// 2026-07-28, once for the session. Who said nothing hears nothing.
pub(super) fn wants(
    server: &Server,
    request: &RequestContext<RoleServer>,
    level: LoggingLevel,
) -> bool {
    let least = match modern(request) {
        true => request.meta.log_level().map(rank),
        false => Some(server.session.level.load(Ordering::Relaxed)).filter(|level| *level > 0),
    };
    least.is_some_and(|least| rank(level) >= least)
}

/// Tells the client's log what came of a call: failures as warnings, what was written as information.
pub(super) async fn log(
    server: &Server,
    request: &RequestContext<RoleServer>,
    tool: &str,
    outcome: &Result<Value>,
) {
    let (level, message) = match outcome {
        Err(error) if error.kind() == Kind::Internal => (LoggingLevel::Error, error.to_string()),
        Err(error) => (LoggingLevel::Warning, error.to_string()),
        Ok(value) => match value.get("runId").and_then(Value::as_str) {
            Some(run) => (LoggingLevel::Info, format!("run {run} was applied")),
            None => (LoggingLevel::Debug, "done".to_owned()),
        },
    };
    if wants(server, request, level) {
        say(request, level, json!({"tool": tool, "message": message})).await;
    }
}

/// Sends one message.
pub(super) async fn say(request: &RequestContext<RoleServer>, level: LoggingLevel, data: Value) {
    let message = LoggingMessageNotificationParam::new(level, data).with_logger("lockstep");
    if let Err(error) = request.peer.notify_logging_message(message).await {
        tracing::debug!(%error, "the client takes no messages");
    }
}
