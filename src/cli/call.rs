//! `lockstep call TOOL JSON`: one tool call from a shell, on the code path that clients use.

use std::{
    io::{IsTerminal, Read},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Operator, print, stop_signal};
use crate::{
    error::{Error, Result, did_you_mean},
    progress::{Progress, Step},
    tools,
};

/// The arguments of `lockstep call`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The tool; without one the tools are listed.
    tool: Option<String>,
    /// The arguments as a JSON object, `@FILE` to read them from a file, or `-` for stdin.
    #[arg(default_value = "{}")]
    arguments: String,
    /// Prints the result on one line.
    #[arg(long)]
    compact: bool,
}

pub(super) async fn run(operator: &Operator, args: Args) -> Result<ExitCode> {
    let tools = tools::all();
    let Some(name) = &args.tool else {
        for tool in tools {
            print(&format!("{:20} {}", tool.name, tool.title))?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(tool) = tools::find(name) else {
        let near = did_you_mean(name, tools.iter().map(|tool| tool.name));
        return Err(Error::invalid(format!("there is no tool \"{name}\".{near}"))
            .next("run `lockstep call` alone to list the tools"));
    };
    let arguments = parse(&args.arguments)?;
    let app = operator.app().await?;
    let cancelled = CancellationToken::new();
    let signalled = cancelled.clone();
    tokio::spawn(async move {
        stop_signal().await;
        signalled.cancel();
    });
    let bar = bar();
    let context = app.context().for_call(Progress::new(cancelled, Some(sink(&bar))));
    let outcome = tool.call(&context, arguments).await;
    bar.finish_and_clear();
    app.stop().await;
    let value = outcome?;
    let text = if args.compact {
        value.to_string()
    } else {
        serde_json::to_string_pretty(&value)
            .map_err(|error| Error::internal("the result cannot be printed").with_source(error))?
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn parse(arguments: &str) -> Result<serde_json::Map<String, Value>> {
    let unreadable = |what: &str, error: std::io::Error| {
        Error::invalid(format!("{what} cannot be read: {error}")).next("give the arguments as JSON")
    };
    let text = if arguments == "-" {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map_err(|e| unreadable("stdin", e))?;
        text
    } else if let Some(path) = arguments.strip_prefix('@') {
        std::fs::read_to_string(path).map_err(|e| unreadable(path, e))?
    } else {
        arguments.to_owned()
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Error::invalid("the arguments are JSON, but no object")
            .next("write them as {\"name\": value}")),
        Err(error) => Err(Error::invalid(format!("the arguments are not JSON: {error}"))
            .next("quote the whole object for your shell: '{\"limit\": 5}'")),
    }
}

/// Returns a progress bar on stderr, hidden where stderr is no terminal.
pub(super) fn bar() -> ProgressBar {
    let bar =
        if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Returns a listener that shows steps on `bar`.
pub(super) fn sink(bar: &ProgressBar) -> Arc<dyn Fn(Step) + Send + Sync> {
    let bar = bar.clone();
    Arc::new(move |step: Step| {
        bar.set_length(step.total.unwrap_or(0));
        bar.set_position(step.done);
        bar.set_message(step.message);
    })
}
