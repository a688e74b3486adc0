//! `lockstep serve`: the MCP server on stdio.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::{Operator, stop_signal};
use crate::{
    error::{Error, Result},
    server::{Server, stdio},
};

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
    let settling = app.context();
    let settling = tokio::spawn(async move { settling.recover().await });
    let outcome = stdio::serve(Server::new(app.context()), stop).await;
    settling.abort();
    app.stop().await;
    outcome.map_err(|error| Error::internal(format!("the session failed: {error}")))?;
    Ok(ExitCode::SUCCESS)
}
