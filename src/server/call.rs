//! One request for a tool call, from the wire to the tool and back.

use std::sync::Arc;

use rmcp::{
    ErrorData, RoleServer,
    model::{CallToolRequestParams, CallToolResponse},
    service::RequestContext,
};
use serde_json::Value;
use tracing::Instrument;

use super::{
    Server,
    asking::{self, Way, Word},
    job::{Job, QUESTIONS},
    notify::{self, Reins},
    role,
};
use crate::{
    error::{Error, Kind, Result, did_you_mean},
    principal::Principal,
    telemetry,
    tools::{self, Registered},
};

/// Answers `tools/call`.
pub(super) async fn call(
    server: &Server,
    mut request: CallToolRequestParams,
    context: RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let caller = server.caller(&context);
    let tool = permitted(&request.name, &caller)?;
    let arguments = request.arguments.take().unwrap_or_default();
    // A client that did not say that it knows tasks waits for the whole call.
    let may_last =
        tool.lasts() && context.client_capabilities().is_some_and(|can| can.supports_tasks());
    let way = asking::way(&context);
    let job = Arc::new(Job::new(server, caller, tool, arguments, way, may_last));
    let span = tracing::info_span!(
        "tool",
        otel.name = format!("tools/call {}", tool.name),
        otel.kind = "server",
        mcp.method.name = "tools/call",
        gen_ai.tool.name = tool.name,
        error.type = tracing::field::Empty,
    );
    telemetry::follow(&span, context.meta.get_traceparent(), context.meta.get_tracestate());
    match answer(&job, &request, &context).instrument(span.clone()).await? {
        Outcome::Lasts(task) => Ok(*task),
        Outcome::Asked(response) => {
            job.counted(Some(Kind::ConfirmationNeeded));
            Ok(*response)
        }
        Outcome::Done(result) => {
            let failed = result.as_ref().err().map(Error::kind);
            if let Some(kind) = failed {
                span.record("error.type", kind.as_str());
            }
            job.counted(failed);
            notify::log(server, &context, tool.name, &result).await;
            job.tell(&result);
            Ok(job.linked(result).into())
        }
    }
}

/// Returns the tool if there is one, and the caller may call it.
fn permitted(name: &str, caller: &Principal) -> Result<&'static Registered, ErrorData> {
    let why = match tools::find(name) {
        Some(tool) if role(tool) <= caller.role => return Ok(tool),
        Some(tool) => format!(
            "{} needs the role {}; the token of this session allows {}",
            tool.name,
            role(tool).as_str(),
            caller.role.as_str()
        ),
        None => {
            let near = did_you_mean(name, tools::all().iter().map(|t| t.name));
            format!("there is no tool \"{name}\".{near}")
        }
    };
    Err(ErrorData::invalid_params(why, None))
}

/// What came of a call.
enum Outcome {
    /// It goes on without its request.
    Lasts(Box<CallToolResponse>),
    Asked(Box<CallToolResponse>),
    Done(Result<Value>),
}

/// Runs the tool, and asks the person where it asks; what they said may be in the request already.
async fn answer(
    job: &Arc<Job>,
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<Outcome, ErrorData> {
    let asking = &job.server.shared.asking;
    let mut agreed = None;
    if let Some(state) = &request.request_state {
        // The protocol wants a state that is not good to be an error of its own.
        let heard = asking
            .heard(job.digest, state, request.input_responses.as_ref())
            .map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
        agreed = match heard {
            Word::Yes(about) => Some(about),
            Word::No => return Ok(Outcome::Done(Err(asking::declined()))),
            Word::None => None,
        };
    }
    let mut questions = 0;
    loop {
        let reins = Reins::new(context, job.task.is_some());
        let mut work = job.work(agreed.take(), reins.progress());
        let tasks = &job.server.shared.tasks;
        let (result, work, reins) = if job.task.is_none() {
            ((&mut work.outcome).await, work, reins)
        } else {
            tokio::select! {
                result = &mut work.outcome => (result, work, reins),
                () = tokio::time::sleep(tasks.after()) => match tasks.adopt(job, work, reins).await {
                    Ok(task) => return Ok(Outcome::Lasts(Box::new(task.into()))),
                    // Too many, or none can be written down: then the request waits, as for any other client.
                    Err(back) => {
                        let (mut work, reins) = *back;
                        ((&mut work.outcome).await, work, reins)
                    }
                },
            }
        };
        let asked = work.consent.asked();
        drop(work);
        reins.end().await;
        let question = match asked {
            Some(question) if result.is_err() && questions < QUESTIONS => question,
            _ => return Ok(Outcome::Done(result)),
        };
        questions += 1;
        match job.way {
            Way::Elicit => match asking::elicit(context, &question).await {
                Ok(Word::Yes(about)) => agreed = Some(about),
                Ok(_) => return Ok(Outcome::Done(Err(asking::declined()))),
                Err(error) => return Ok(Outcome::Done(Err(error))),
            },
            Way::Answer => {
                return Ok(match asking.answer(job.digest, &question) {
                    Ok(answer) => Outcome::Asked(Box::new(answer.into())),
                    Err(error) => Outcome::Done(Err(error)),
                });
            }
            Way::Code => {
                let error = asking.code(job.digest, &question, job.tool.name, job.code());
                return Ok(Outcome::Done(Err(error)));
            }
        }
    }
}
