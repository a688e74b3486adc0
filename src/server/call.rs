//! One tool call, from the wire to the tool and back.

use std::sync::Arc;

use rmcp::{
    ErrorData, RoleServer,
    model::{CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject},
    service::RequestContext,
};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    Server,
    asking::{self, Way, Word},
    notify, resources, role, to_result,
};
use crate::{
    consent::Consent,
    error::{Error, Kind, Result, did_you_mean},
    principal::Principal,
    tools::{CONFIRM, Registered},
};

/// How often a call may ask before it gives up: someone else may change the plan between question and answer.
const QUESTIONS: u32 = 3;

/// Answers `tools/call`.
pub(super) async fn call(
    server: &Server,
    mut request: CallToolRequestParams,
    context: RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let caller = server.caller(&context);
    let tool = permitted(server, &request.name, &caller)?;
    let arguments = request.arguments.take().unwrap_or_default();
    let call = Call { server, context: &context, caller: &caller, tool };
    let running = server.shared.metrics.running();
    let started = Instant::now();
    let outcome = call.answer(&request, &arguments).await?;
    drop(running);
    let kind = match &outcome {
        Outcome::Asked(_) => Some(Kind::ConfirmationNeeded),
        Outcome::Done(result) => result.as_ref().err().map(Error::kind),
    };
    let metrics = &server.shared.metrics;
    metrics.called(tool.name, kind.map_or("ok", Kind::as_str), started.elapsed());
    if let Some(kind) = kind {
        tracing::info!(tool = tool.name, kind = kind.as_str(), "tool call failed");
    }
    match outcome {
        Outcome::Asked(response) => Ok(*response),
        Outcome::Done(result) => {
            notify::log(server, &context, tool.name, &result).await;
            if let (Ok(value), Some(false) | None) = (&result, tool.annotations.read_only_hint) {
                let done =
                    resources::Done { tool: tool.name, arguments: &arguments, result: value };
                resources::tell(&server.context, &done);
            }
            Ok(linked(result).into())
        }
    }
}

/// Returns the tool if there is one, and the caller may call it.
fn permitted<'a>(
    server: &'a Server,
    name: &str,
    caller: &Principal,
) -> Result<&'a Registered, ErrorData> {
    let why = match server.find(name) {
        Some(tool) if role(tool) <= caller.role => return Ok(tool),
        Some(tool) => format!(
            "{} needs the role {}; the token of this session allows {}",
            tool.name,
            role(tool).as_str(),
            caller.role.as_str()
        ),
        None => {
            let near = did_you_mean(name, server.tools.iter().map(|t| t.name));
            format!("there is no tool \"{name}\".{near}")
        }
    };
    Err(ErrorData::invalid_params(why, None))
}

/// What came of a call.
enum Outcome {
    Asked(Box<CallToolResponse>),
    Done(Result<Value>),
}

struct Call<'a> {
    server: &'a Server,
    context: &'a RequestContext<RoleServer>,
    caller: &'a Principal,
    tool: &'a Registered,
}

impl Call<'_> {
    /// Runs the tool, and asks the person where it asks; what they said may be in the request already.
    async fn answer(
        &self,
        request: &CallToolRequestParams,
        arguments: &JsonObject,
    ) -> Result<Outcome, ErrorData> {
        let asking = &self.server.shared.asking;
        let digest = asking::digest(self.caller, self.tool.name, arguments);
        let mut agreed = None;
        if let Some(state) = &request.request_state {
            // The protocol wants a state that is not good to be an error of its own.
            let heard = asking
                .heard(digest, state, request.input_responses.as_ref())
                .map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
            agreed = match heard {
                Word::Yes(about) => Some(about),
                Word::No => return Ok(Outcome::Done(Err(asking::declined()))),
                Word::None => None,
            };
        }
        let code = self.tool.asks().then(|| arguments.get(CONFIRM)?.as_str()).flatten();
        let mut questions = 0;
        loop {
            let consent = self.consent(digest, agreed.take(), code);
            let result = self.run(arguments.clone(), consent.clone()).await;
            let question = match consent.asked() {
                Some(question) if result.is_err() && questions < QUESTIONS => question,
                _ => return Ok(Outcome::Done(result)),
            };
            questions += 1;
            match asking::way(self.context) {
                Way::Elicit => match asking::elicit(self.context, &question).await {
                    Ok(Word::Yes(about)) => agreed = Some(about),
                    Ok(_) => return Ok(Outcome::Done(Err(asking::declined()))),
                    Err(error) => return Ok(Outcome::Done(Err(error))),
                },
                Way::Answer => {
                    return Ok(match asking.answer(digest, &question) {
                        Ok(answer) => Outcome::Asked(Box::new(answer.into())),
                        Err(error) => Outcome::Done(Err(error)),
                    });
                }
                Way::Code => {
                    let error = asking.code(digest, &question, self.tool.name, code);
                    return Ok(Outcome::Done(Err(error)));
                }
            }
        }
    }

    /// Returns the consent to what the person agreed to, by their word or by a code.
    fn consent(&self, digest: blake3::Hash, agreed: Option<String>, code: Option<&str>) -> Consent {
        let asking = Arc::clone(&self.server.shared.asking);
        let code = code.map(str::to_owned);
        Consent::to(move |about| {
            agreed.as_deref() == Some(about)
                || code.as_deref().is_some_and(|code| asking.redeem(digest, about, code))
        })
    }

    async fn run(&self, arguments: JsonObject, consent: Consent) -> Result<Value> {
        let (progress, notifier) = notify::progress(self.context);
        let mut scoped = self.server.context.for_call(progress);
        scoped.consent = consent;
        if *self.caller != Principal::local() {
            scoped.subject = Some(self.caller.subject.as_str().into());
        }
        let outcome = self.tool.call(&scoped, arguments).await;
        drop(scoped);
        if let Some(notifier) = notifier {
            // The last notification goes out before the answer does.
            let _ = notifier.await;
        }
        outcome
    }
}

/// Returns the result, with links to what it leaves out.
fn linked(result: Result<Value>) -> CallToolResult {
    let links = result.as_ref().map(resources::links).unwrap_or_default();
    let mut result = to_result(result);
    result.content.extend(links.into_iter().map(ContentBlock::resource_link));
    result
}
