//! One call of a tool, apart from the request that asked for it: it may outlive that as a task.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use rmcp::model::{CallToolResult, ContentBlock, JsonObject};
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument;

use super::{
    Server,
    asking::{self, Agreed, Way},
    metrics::Running,
    resources, to_result,
};
use crate::{
    consent::Consent,
    error::{Error, Kind, Result},
    principal::Principal,
    progress::Progress,
    tools::{CONFIRM, Registered},
};

/// How often a call may ask before it gives up: someone else may change the plan between question and answer.
pub(super) const QUESTIONS: u32 = 3;

/// A call of a tool.
pub(super) struct Job {
    pub(super) server: Server,
    pub(super) caller: Principal,
    pub(super) tool: &'static Registered,
    pub(super) arguments: JsonObject,
    /// What binds questions to this call.
    pub(super) digest: blake3::Hash,
    /// How the person is reached.
    pub(super) way: Way,
    /// The name of the task that the call becomes where it lasts; `None` where it cannot.
    pub(super) task: Option<Arc<str>>,
    started: Instant,
    _running: Running,
}

/// A call under way, and what it asks.
pub(super) struct Work {
    pub(super) outcome: BoxFuture<'static, Result<Value>>,
    pub(super) consent: Consent,
}

impl Job {
    /// Prepares a call; with `may_last` it can become a task.
    pub(super) fn new(
        server: &Server,
        caller: Principal,
        tool: &'static Registered,
        arguments: JsonObject,
        way: Way,
        may_last: bool,
    ) -> Self {
        Self {
            digest: asking::digest(&caller, tool.name, &arguments),
            task: may_last.then(|| uuid::Uuid::new_v4().simple().to_string().into()),
            server: server.clone(),
            caller,
            tool,
            arguments,
            way,
            started: Instant::now(),
            _running: server.shared.metrics.running(),
        }
    }

    /// Returns the code from an earlier answer, if the caller gave one.
    pub(super) fn code(&self) -> Option<&str> {
        self.tool.asks().then(|| self.arguments.get(CONFIRM)?.as_str()).flatten()
    }

    /// Runs the tool, with the person's agreement if there is one.
    pub(super) fn work(self: &Arc<Self>, agreed: Option<Agreed>, progress: Progress) -> Work {
        let consent = self.consent(agreed);
        let (job, given) = (Arc::clone(self), consent.clone());
        let run = async move {
            let mut context = job.server.scoped(&job.caller).for_call(progress);
            context.consent = given;
            context.task.clone_from(&job.task);
            job.tool.call(&context, job.arguments.clone()).await
        }
        .in_current_span();
        let outcome = match self.task {
            None => run.boxed(),
            // By itself, so that it goes on while the task is written down: it may hold what that waits for.
            Some(_) => tokio::spawn(run)
                .map(|ended| {
                    let broke = |error| Error::internal("the call broke off").with_source(error);
                    ended.map_err(broke).and_then(|outcome| outcome)
                })
                .boxed(),
        };
        Work { outcome, consent }
    }

    /// Returns the consent to what the person agreed to or chose, by their word or by a code.
    fn consent(&self, agreed: Option<Agreed>) -> Consent {
        let asking = Arc::clone(&self.server.shared.asking);
        let (digest, code) = (self.digest, self.code().map(str::to_owned));
        let chosen = agreed.clone().and_then(|agreed| Some((agreed.about, agreed.said?)));
        let judge = move |about: &str| {
            agreed.as_ref().is_some_and(|agreed| agreed.said.is_none() && agreed.about == about)
                || code.as_deref().is_some_and(|code| asking.redeem(digest, about, code))
        };
        Consent::hearing(judge, chosen, self.way != Way::Code)
    }

    /// Counts the call, and says in the log what kept it from its end.
    pub(super) fn counted(&self, kind: Option<Kind>) {
        let (metrics, tool) = (&self.server.shared.metrics, self.tool.name);
        metrics.called(tool, kind.map_or("ok", Kind::as_str), self.started.elapsed());
        if let Some(kind) = kind {
            tracing::info!(tool, kind = kind.as_str(), "tool call failed");
        }
    }

    /// Returns the call as one that was carried out.
    fn done<'a>(&'a self, result: &'a Value) -> resources::Done<'a> {
        resources::Done { tool: self.tool.name, arguments: &self.arguments, result }
    }

    /// Tells those who follow resources what the call changed.
    pub(super) fn tell(&self, outcome: &Result<Value>) {
        if let (Ok(result), Some(false) | None) = (outcome, self.tool.annotations.read_only_hint) {
            resources::tell(&self.server.context, &self.done(result));
        }
    }

    /// Returns the result, with links to what it leaves out.
    pub(super) fn linked(&self, outcome: Result<Value>) -> CallToolResult {
        let links = outcome.as_ref().map(|result| resources::links(&self.done(result)));
        let links = links.unwrap_or_default();
        let mut result = to_result(outcome);
        result.content.extend(links.into_iter().map(ContentBlock::resource_link));
        result
    }
}
