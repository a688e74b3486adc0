//! One tool call, from the wire to the tool and back.

use rmcp::{
    ErrorData, RoleServer,
    model::{CallToolRequestParams, CallToolResponse},
    service::RequestContext,
};
use tokio::time::Instant;

use super::{Server, notify, role, to_result};
use crate::error::{Kind, Result, did_you_mean};

/// Answers `tools/call`.
pub(super) async fn call(
    server: &Server,
    request: CallToolRequestParams,
    context: RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let caller = server.caller(&context);
    let known = server.find(&request.name);
    let Some(tool) = known.filter(|tool| role(tool) <= caller.role) else {
        let why = match known {
            Some(tool) => format!(
                "{} needs the role {}; the token of this session allows {}",
                tool.name,
                role(tool).as_str(),
                caller.role.as_str()
            ),
            None => {
                let near = did_you_mean(&request.name, server.tools.iter().map(|t| t.name));
                format!("there is no tool \"{}\".{near}", request.name)
            }
        };
        return Err(ErrorData::invalid_params(why, None));
    };
    let metrics = &server.shared.metrics;
    let running = metrics.running();
    let started = Instant::now();
    let (progress, notifier) = notify::progress(&context);
    let scoped = server.context.for_call(progress);
    let outcome = tool.call(&scoped, request.arguments.unwrap_or_default()).await;
    drop(scoped);
    if let Some(notifier) = notifier {
        // The last notification goes out before the answer does.
        let _ = notifier.await;
    }
    drop(running);
    let kind = outcome.as_ref().err().map(crate::error::Error::kind);
    metrics.called(tool.name, kind.map_or("ok", Kind::as_str), started.elapsed());
    if let Some(kind) = kind {
        tracing::info!(tool = tool.name, kind = kind.as_str(), "tool call failed");
    }
    Ok(to_result(outcome).into())
}
