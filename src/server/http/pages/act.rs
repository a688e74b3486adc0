//! What the buttons of pages do: each is a call of a tool, with the role that the tool needs.

use std::sync::Arc;

use axum::{
    Form,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use serde_json::{Value, json};

use super::{
    super::Http,
    failed,
    forms::{Fields, admitted, field},
    visit::Visit,
};
use crate::{
    error::{Error, Kind, Result},
    progress::Progress,
    server::{asking::Way, job::Job, role},
    tools,
    web::frame,
};

/// Decides a conflict, by a side or by a value.
pub(super) async fn decide(
    State(http): State<Http>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let ids = [field(&fields, "id")];
    let arguments = match fields.get("winner") {
        Some(winner) => json!({"action": "decide", "ids": ids, "winner": winner}),
        None => json!({"action": "decide", "ids": ids, "value": field(&fields, "value")}),
    };
    let back = conflicts(&fields, "decided");
    act(&http, &headers, &fields, "resolveConflicts", arguments, back).await
}

/// Takes a decision back that no run has written yet.
pub(super) async fn reopen(
    State(http): State<Http>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let arguments = json!({"action": "reopen", "ids": [field(&fields, "id")]});
    let back = conflicts(&fields, "reopened");
    act(&http, &headers, &fields, "resolveConflicts", arguments, back).await
}

/// Puts dead letters back into the queue.
pub(super) async fn retry(
    State(http): State<Http>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    letters(&http, &headers, &fields, "retry").await
}

/// Drops a dead letter.
pub(super) async fn drop(
    State(http): State<Http>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    letters(&http, &headers, &fields, "drop").await
}

/// Measures the data of a dataset.
pub(super) async fn measure(
    State(http): State<Http>,
    Path(dataset): Path<String>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let back = frame::dataset(&dataset);
    let arguments = json!({"dataset": dataset, "measure": true});
    act(&http, &headers, &fields, "healthReport", arguments, back).await
}

async fn letters(http: &Http, headers: &HeaderMap, fields: &Fields, action: &str) -> Response {
    let dataset = field(fields, "dataset");
    let arguments = match fields.get("letter") {
        None => json!({"action": action, "dataset": dataset}),
        Some(letter) => {
            // What is no number is told so by the tool.
            let letter = letter.parse::<u64>().map_or(json!(letter), Value::from);
            json!({"action": action, "dataset": dataset, "letters": [letter]})
        }
    };
    let back =
        frame::address("/letters", &[("dataset", field(fields, "filter")), ("done", action)]);
    act(http, headers, fields, "watchDataset", arguments, back).await
}

/// Returns the page of conflicts that a form was on.
fn conflicts(fields: &Fields, done: &str) -> String {
    let from = field(fields, "from").parse::<u64>().unwrap_or(0).to_string();
    let from = if from == "0" { "" } else { &from };
    let (dataset, column) = (field(fields, "dataset"), field(fields, "column"));
    let query = [("dataset", dataset), ("column", column), ("from", from), ("done", done)];
    frame::address("/conflicts", &query)
}

/// Calls a tool for whoever sent a form, and goes back to a page.
async fn act(
    http: &Http,
    headers: &HeaderMap,
    fields: &Fields,
    tool: &str,
    arguments: Value,
    back: String,
) -> Response {
    let visit = match admitted(http, headers, fields).await {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    match call(http, &visit, tool, arguments).await {
        Ok(()) => Redirect::to(&back).into_response(),
        Err(error) => failed(http, &visit, &error),
    }
}

/// Calls a tool as `tools/call` does: the role it needs, its count, and what those hear who follow resources.
async fn call(http: &Http, visit: &Visit, name: &str, arguments: Value) -> Result<()> {
    let (Some(tool), Value::Object(arguments)) = (tools::find(name), arguments) else {
        return Err(Error::internal(format!("there is no tool {name}")));
    };
    let needed = role(tool);
    if visit.principal.role < needed {
        return Err(Error::new(
            Kind::PermissionDenied,
            format!(
                "{name} needs the role {}; you have {}",
                needed.as_str(),
                visit.principal.role.as_str()
            ),
        )
        .next("sign in with a token of that role; nothing was done"));
    }
    let (server, caller) = (&http.server, visit.principal.clone());
    let job = Arc::new(Job::new(server, caller, tool, arguments, Way::Code, false));
    // Nobody waits for a browser that is gone, and what was begun is ended.
    let ended = tokio::spawn(async move {
        let outcome = job.work(None, Progress::silent()).outcome.await;
        job.counted(outcome.as_ref().err().map(Error::kind));
        job.tell(&outcome);
        outcome
    });
    let broke = |error| Error::internal("the call broke off").with_source(error);
    ended.await.map_err(broke).and_then(|outcome| outcome).map(|_| ())
}
