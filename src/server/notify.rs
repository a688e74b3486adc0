//! What a client hears while its call runs.

use std::sync::Arc;

use rmcp::{RoleServer, model::ProgressNotificationParam, service::RequestContext};
use tokio::task::JoinHandle;

use crate::progress::{Progress, Step};

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
