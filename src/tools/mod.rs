//! The MCP tools, one file each, and the [`Tool`] trait they share.
//!
//! A tool is a plain async function from typed arguments to a typed output. It
//! never sees the protocol: [`Registered::call`] parses the arguments, and the
//! server (or `lockstep call`) wraps the outcome. A failure is an [`Error`]
//! written for the model that called, and becomes an `isError` result, never a
//! protocol error.
//!
//! Adding a tool: one file here, one line in [`all`], its contract in
//! `tools/contracts/` (written by `UPDATE_CONTRACTS=1 cargo test`) and an
//! example in `tools/examples/`.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, LazyLock},
};

use rmcp::model::{JsonObject, ToolAnnotations};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::error::{Error, Result};

mod append_rows;
mod cell;
pub(crate) mod context;
mod create_file;
mod dataset;
mod describe_spreadsheet;
mod filter;
mod find_files;
mod health_report;
mod mode;
pub(crate) mod named;
mod read_sheet;
mod resolve_conflicts;
mod review;
mod rollback_sync;
mod schema;
mod spoke;
mod sync_dataset;
mod sync_history;
mod update_cells;
mod verify_dataset;
mod watch_dataset;

pub use context::Context;

/// A tool that assistants can call.
pub trait Tool {
    /// The name on the wire, camelCase.
    const NAME: &'static str;
    /// The name for people.
    const TITLE: &'static str;
    /// When to use it and when not, in few words: every model pays for them.
    const DESCRIPTION: &'static str;
    /// The arguments.
    type Args: DeserializeOwned + JsonSchema + Send;
    /// The structured result.
    type Output: Serialize + JsonSchema;

    /// Whether the tool may ask for a person's agreement: then it takes `confirm`, see [`Registered::call`].
    const ASKS: bool = false;

    /// Whether a call may go on after its request was answered, as a task whose report is kept for a while.
    const LASTS: bool = false;

    /// Whether another tool's result has the same shape, so that the list need not say it in full twice.
    const SHAPE_IS_KNOWN: bool = false;

    /// The view in which hosts that can show one show the result: a `ui://` resource.
    const VIEW: Option<&'static str> = None;

    /// Returns what the tool may do, as hints for clients.
    fn annotations() -> ToolAnnotations;

    /// Runs the tool.
    ///
    /// # Errors
    /// Anything that kept the tool from doing all it was asked to do.
    fn call(
        context: &Context,
        args: Self::Args,
    ) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// The argument with which a client that cannot ask a person passes on a code from an earlier answer.
pub const CONFIRM: &str = "confirm";

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Value>> + Send + 'a>>;

/// A tool in the list: its contract and the way to call it.
pub struct Registered {
    /// The name on the wire.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// When to use it.
    pub description: &'static str,
    /// Hints for clients.
    pub annotations: ToolAnnotations,
    /// The JSON Schema of the arguments.
    pub input_schema: Arc<JsonObject>,
    /// The JSON Schema of the structured result.
    pub output_schema: Arc<JsonObject>,
    /// The view of the result, a `ui://` resource.
    pub view: Option<&'static str>,
    asks: bool,
    lasts: bool,
    run: for<'a> fn(&'a Context, JsonObject) -> Answer<'a>,
}

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registered").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Registered {
    fn of<T: Tool>() -> Self {
        Self {
            name: T::NAME,
            title: T::TITLE,
            description: T::DESCRIPTION,
            annotations: T::annotations(),
            input_schema: Arc::new(if T::ASKS {
                schema::asking::<T::Args>()
            } else {
                schema::of::<T::Args>()
            }),
            output_schema: Arc::new(if T::SHAPE_IS_KNOWN {
                schema::outline::<T::Output>()
            } else {
                schema::of_output::<T::Output>()
            }),
            view: T::VIEW,
            asks: T::ASKS,
            lasts: T::LASTS,
            run: run::<T>,
        }
    }

    /// Returns whether the tool may ask for a person's agreement.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.asks
    }

    /// Returns whether a call may go on as a task.
    #[must_use]
    pub fn lasts(&self) -> bool {
        self.lasts
    }

    /// Parses the arguments and runs the tool.
    ///
    /// `confirm` is for the server, which has redeemed it when it comes here.
    ///
    /// # Errors
    /// What the tool reports, with the tool's name as context.
    pub async fn call(&self, context: &Context, mut arguments: JsonObject) -> Result<Value> {
        if self.asks {
            arguments.remove(CONFIRM);
        }
        let waiting = context.google.waiting();
        let waits = || waiting.borrow().as_ref().map(ToString::to_string);
        let work = context.progress.during((self.run)(context, arguments), waits);
        let done = match self.annotations.read_only_hint {
            Some(true) => context.progress.reading(work).await,
            // It ends between two batches by itself.
            _ => work.await,
        };
        done.map_err(|error| error.context(self.name))
    }
}

fn run<T: Tool>(context: &Context, arguments: JsonObject) -> Answer<'_> {
    Box::pin(async move {
        let args = parse::<T::Args>(arguments)?;
        let output = T::call(context, args).await?;
        serde_json::to_value(output).map_err(|error| {
            Error::internal("the result cannot be written as JSON").with_source(error)
        })
    })
}

fn parse<A: DeserializeOwned>(arguments: JsonObject) -> Result<A> {
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().to_string();
        let place = if path == "." { String::new() } else { format!("argument {path}: ") };
        let near = near_argument(&message);
        let dot = if near.is_empty() { "" } else { "." };
        Error::invalid(format!("{place}{message}{dot}{near}"))
            .next("correct the argument; nothing was read or written")
    })
}

/// Offers the nearest argument name for serde's "unknown field `x`, expected one of `a`, `b`".
fn near_argument(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field `") else { return String::new() };
    let mut names = rest.split('`').step_by(2);
    let Some(wanted) = names.next() else { return String::new() };
    let known: Vec<&str> = rest.split('`').skip(2).step_by(2).collect();
    crate::error::did_you_mean(wanted, known)
}

/// Returns every tool, sorted by name.
#[must_use]
pub fn all() -> &'static [Registered] {
    // The schemas take milliseconds to make.
    static ALL: LazyLock<Vec<Registered>> = LazyLock::new(|| {
        let mut tools = vec![
            Registered::of::<append_rows::AppendRows>(),
            Registered::of::<create_file::CreateFile>(),
            Registered::of::<describe_spreadsheet::DescribeSpreadsheet>(),
            Registered::of::<find_files::FindFiles>(),
            Registered::of::<health_report::HealthReportTool>(),
            Registered::of::<read_sheet::ReadSheet>(),
            Registered::of::<resolve_conflicts::ResolveConflicts>(),
            Registered::of::<rollback_sync::RollbackSync>(),
            Registered::of::<sync_dataset::SyncDataset>(),
            Registered::of::<sync_history::SyncHistory>(),
            Registered::of::<update_cells::UpdateCells>(),
            Registered::of::<verify_dataset::VerifyDataset>(),
            Registered::of::<watch_dataset::WatchDataset>(),
        ];
        tools.sort_by_key(|tool| tool.name);
        tools
    });
    &ALL
}

/// Returns the tool of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Registered> {
    all().iter().find(|tool| tool.name == name)
}
