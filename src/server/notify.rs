//! What a client hears while its call runs, and after it.

use std::sync::{Arc, atomic::Ordering};

use rmcp::{
    RoleServer,
    model::{LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam},
    service::RequestContext,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{Server, asking::modern};
use crate::{
    error::{Kind, Result},
    progress::{Progress, Step},
};

/// Sends progress to the client if it asked for it; the task ends when the progress is dropped.
pub(super) fn progress(request: &RequestContext<RoleServer>) -> (Progress, Option<JoinHandle<()>>) {
    let mut task = None;
    let sink = request.meta.get_progress_token().map(|token| {
        let peer = request.peer.clone();
        let (sender, mut steps) = tokio::sync::mpsc::unbounded_channel::<Step>();
        task = Some(tokio::spawn(async move {
            let mut last = -1.0_f64;
            while let Some(step) = steps.recv().await {
                // The protocol wants the number to rise with each notification; phases before the first
                // row is written have none of their own and count up in small fractions.
                let progress = (step.done as f64).max(last + 0.001);
                last = progress;
                let mut param = ProgressNotificationParam::new(token.clone(), progress)
                    .with_message(step.message);
                if let Some(total) = step.total {
                    param = param.with_total((total as f64).max(progress));
                }
                if peer.notify_progress(param).await.is_err() {
                    break;
                }
            }
        }));
        Arc::new(move |step: Step| {
            let _ = sender.send(step);
        }) as Arc<dyn Fn(Step) + Send + Sync>
    });
    (Progress::new(request.ct.clone(), sink), task)
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
