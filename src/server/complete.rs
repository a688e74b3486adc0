//! Completions: names of datasets, connections, spreadsheets, sheets and columns, as they are typed.

use std::collections::BTreeMap;

use rmcp::model::{CompleteRequestParams, CompletionInfo, Reference};
use serde_json::{Value, json};

use super::Server;
use crate::{
    error::Result,
    principal::Principal,
    tools::{self, Context},
};

/// How many of the latest runs, plans or tasks are offered.
const LATEST: u32 = 100;

/// How the names of files end that a side can be.
const TABLES: [&str; 8] = ["csv", "tsv", "json", "jsonl", "ndjson", "xlsx", "xlsm", "parquet"];

/// Returns what may follow what was typed; a name nobody knows has no completions.
///
/// # Errors
/// A store or a spreadsheet that cannot be read.
pub(super) async fn complete(
    server: &Server,
    caller: &Principal,
    request: &CompleteRequestParams,
) -> Result<CompletionInfo> {
    let typed = request.argument.value.as_str();
    let before: BTreeMap<&str, &str> = request
        .context
        .iter()
        .flat_map(|context| context.arguments.iter().flatten())
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let store = &server.context.store;
    let names = match (kind(&request.r#ref), request.argument.name.as_str()) {
        ("watches", "dataset") => {
            store.watches().await?.into_iter().map(|watch| watch.dataset).collect()
        }
        (_, "dataset") | ("datasets", "name") => datasets(&server.context).await?,
        ("prompt", "source") => sources(&server.context, typed),
        ("prompt", "key") => match before.get("target") {
            // Several columns: what stands before the last comma stays.
            Some(target) => {
                let (kept, _) = typed.rsplit_once(',').unwrap_or(("", typed));
                let kept = if kept.is_empty() { String::new() } else { format!("{kept},") };
                columns(server, target, before.get("sheet").copied())
                    .await
                    .into_iter()
                    .map(|name| format!("{kept}{name}"))
                    .collect()
            }
            None => Vec::new(),
        },
        ("prompt", "target") | (_, "spreadsheetId") => {
            // They are found by name too, which what was typed need not be part of the id for.
            return Ok(ranked(spreadsheets(server, typed).await, ""));
        }
        (_, "sheet") => match before.get("spreadsheetId").or_else(|| before.get("target")) {
            Some(spreadsheet) => titles(server, spreadsheet).await,
            None => Vec::new(),
        },
        ("runs", "id") => {
            store.runs(None, None, LATEST).await?.into_iter().map(|run| run.id).collect()
        }
        ("plans", "id") => store.plan_ids(server.context.clock.now(), LATEST).await?,
        ("tasks", "id") => {
            let own = store.tasks_of(&caller.subject, LATEST).await?;
            own.into_iter().map(|task| task.id).collect()
        }
        _ => Vec::new(),
    };
    Ok(ranked(names, typed))
}

/// Returns what is being filled in: a prompt, or which kind of resource.
fn kind(reference: &Reference) -> &str {
    match reference {
        Reference::Prompt(_) => "prompt",
        Reference::Resource(template) => {
            let path = template.uri.split_once("://").map_or("", |(_, path)| path);
            path.split('/').next().unwrap_or_default()
        }
        _ => "",
    }
}

/// Returns what a side may be named by: the connections, and the files beside what was typed.
fn sources(context: &Context, typed: &str) -> Vec<String> {
    let connections = context.connections.names().map(str::to_owned);
    let table = |path: &String| {
        let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
        ending.is_some_and(|ending| TABLES.contains(&ending.as_str()))
    };
    let files = context.files.beside(typed).into_iter().filter(table);
    connections.chain(files).collect()
}

/// Returns the names that fit what was typed, those that begin with it first.
fn ranked(names: Vec<String>, typed: &str) -> CompletionInfo {
    let typed = typed.to_lowercase();
    let mut fitting: Vec<(bool, String)> = names
        .into_iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            lower.contains(&typed).then(|| (!lower.starts_with(&typed), name))
        })
        .collect();
    fitting.sort();
    fitting.dedup();
    let total = fitting.len();
    let values =
        fitting.into_iter().map(|(_, name)| name).take(CompletionInfo::MAX_VALUES).collect();
    let mut info = CompletionInfo::default();
    info.values = values;
    info.total = u32::try_from(total).ok();
    info.has_more = Some(total > CompletionInfo::MAX_VALUES);
    info
}

async fn datasets(context: &Context) -> Result<Vec<String>> {
    let saved = context.store.datasets(None, 1000).await?;
    let declared = context.declared.keys().cloned();
    Ok(saved.into_iter().map(|dataset| dataset.name).chain(declared).collect())
}

/// Returns what a tool answers; nothing if it fails, as a half-typed id may well.
async fn ask(server: &Server, tool: &str, arguments: Value) -> Value {
    let (Some(tool), Value::Object(arguments)) = (tools::find(tool), arguments) else {
        return Value::Null;
    };
    tool.call(&server.context, arguments).await.unwrap_or_default()
}

fn texts(list: Option<&Value>, field: &str) -> Vec<String> {
    let items = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |item: &Value| item.get(field).and_then(Value::as_str).map(str::to_owned);
    items.iter().filter_map(text).collect()
}

async fn spreadsheets(server: &Server, typed: &str) -> Vec<String> {
    let found = ask(server, "findFiles", json!({"type": "spreadsheet", "limit": 100})).await;
    let ids = texts(found.get("files"), "id");
    let names = texts(found.get("files"), "name");
    // People type a name, and mean the id.
    let fits =
        |name: &str| !typed.is_empty() && name.to_lowercase().contains(&typed.to_lowercase());
    let named = ids.iter().zip(&names).filter(|(_, name)| fits(name)).map(|(id, _)| id.clone());
    let mut found: Vec<String> = named.collect();
    found.extend(ids.iter().filter(|id| id.starts_with(typed)).cloned());
    found
}

async fn titles(server: &Server, spreadsheet: &str) -> Vec<String> {
    let found = ask(server, "describeSpreadsheet", json!({"spreadsheetId": spreadsheet})).await;
    texts(found.get("sheets"), "title")
}

/// Returns the columns of a sheet, of the first where none is named.
async fn columns(server: &Server, spreadsheet: &str, sheet: Option<&str>) -> Vec<String> {
    let found = ask(server, "describeSpreadsheet", json!({"spreadsheetId": spreadsheet})).await;
    let sheets =
        found.get("sheets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let named = |one: &&Value| match sheet.filter(|sheet| !sheet.trim().is_empty()) {
        Some(sheet) => one.get("title").and_then(Value::as_str) == Some(sheet),
        None => true,
    };
    let described = sheets.iter().find(named);
    texts(described.and_then(|sheet| sheet.get("header")), "name")
}
