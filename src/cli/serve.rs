//! `lockstep serve`: the MCP server on stdio.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::{Operator, stop_signal};
use crate::{
    error::{Error, Result},
    server::{Server, stdio},
};

/// How many days the images of closed runs are kept where the configuration does not say.
const KEEP_DAYS: u16 = 90;

pub(super) async fn run(operator: &Operator) -> Result<ExitCode> {
    let app = operator.app().await?;
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    tokio::spawn(async move {
        stop_signal().await;
        tracing::info!("stopping: calls in flight are cancelled between batches");
        signalled.cancel();
    });
    // In the background: a replica that cannot be reached must not keep clients waiting.
    let keep = operator.config()?.store.keep_days.unwrap_or(KEEP_DAYS);
    let settling = app.context();
    let settling = tokio::spawn(async move { settling.tidy(keep).await });
    let outcome = stdio::serve(Server::new(app.context()), stop).await;
    settling.abort();
    app.stop().await;
    outcome.map_err(|error| Error::internal(format!("the session failed: {error}")))?;
    Ok(ExitCode::SUCCESS)
}
