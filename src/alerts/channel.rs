//! Bringing a message to a channel: within a bound of time, whatever the other end does.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use lockstep_google::{CellFields, CellWrite, Google, Marker, NewSheet, Request};
use serde_json::{Value, json};

use super::settings::Settings;
use crate::error::{Error, Kind, Result};

/// How long a channel may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of an answer is looked at.
const ANSWER: usize = 4_096;

/// The sheet that gets the messages.
const SHEET: &str = "Alerts";

/// Returns the channels that the operator named.
pub(super) fn channels(settings: &Settings) -> Vec<&'static str> {
    let all = [
        ("webhook", settings.webhook.is_some()),
        ("command", !settings.command.is_empty()),
        ("sheet", settings.spreadsheet.is_some()),
    ];
    all.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

/// Brings one message to one channel.
///
/// # Errors
/// A channel that does not take it, or not in time; a channel that is no longer named.
pub(super) async fn deliver(
    settings: &Settings,
    google: &Google,
    channel: &str,
    id: i64,
    body: &Value,
) -> Result<()> {
    let sent = async {
        match (channel, &settings.webhook, &settings.spreadsheet) {
            ("webhook", Some(url), _) => webhook(url, id, body).await,
            ("sheet", _, Some(spreadsheet)) => sheet(google, spreadsheet, id, body).await,
            ("command", _, _) if !settings.command.is_empty() => {
                let (command, text) = (settings.command.clone(), body.to_string());
                tokio::task::spawn_blocking(move || run(&command, &text)).await.map_err(
                    |error| Error::internal(format!("the command's thread failed: {error}")),
                )?
            }
            _ => Err(Error::invalid(format!("the channel {channel} is no longer named"))),
        }
    };
    match tokio::time::timeout(PATIENCE * 2, sent).await {
        Ok(sent) => sent,
        Err(_) => Err(late()),
    }
}

fn late() -> Error {
    Error::new(Kind::Unavailable, format!("it took longer than {} s", PATIENCE.as_secs()))
}

/// Posts to a webhook: only an answer of 200 to 299 counts, redirects are not followed, and of the answer no more than a
/// few bytes are read.
///
/// An answer that breaks off or never ends, and one that says `"ok": false` as Slack's API does, is no delivery: the
/// message is sent again, under the same idempotency key. What else a success says of itself cannot be checked.
async fn webhook(url: &str, id: i64, body: &Value) -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .map_err(|error| Error::internal("no HTTP client can be made").with_source(error))?;
    // The address may hold a secret: errors leave it out.
    let failed = |error: reqwest::Error| {
        let what = match (error.is_timeout(), error.is_body() || error.is_decode()) {
            (true, _) => "it did not answer in time",
            (false, true) => "its answer broke off",
            (false, false) => "it cannot be reached",
        };
        Error::new(Kind::Unavailable, what).with_source(error.without_url())
    };
    let slack = json!({"text": body["text"], "blocks": body["blocks"]});
    let answer = client
        .post(url)
        .header("idempotency-key", format!("lockstep-alert-{id}"))
        .json(&slack)
        .send()
        .await
        .map_err(failed)?;
    let code = answer.status();
    let mut answer = answer;
    let mut text = Vec::new();
    while text.len() < ANSWER {
        match answer.chunk().await {
            Ok(Some(piece)) => text.extend_from_slice(&piece),
            Err(error) if code.is_success() => return Err(failed(error)),
            Ok(None) | Err(_) => break,
        }
    }
    let denied = || {
        let said: Option<Value> = serde_json::from_slice(&text).ok();
        said.is_some_and(|said| said.get("ok") == Some(&Value::Bool(false)))
    };
    if code.is_success() && !denied() {
        return Ok(());
    }
    let text: String = String::from_utf8_lossy(&text).chars().take(200).collect();
    Err(Error::new(Kind::Unavailable, format!("it answered {}: {}", code.as_u16(), text.trim())))
}

/// Appends a row to the alerts sheet, which is made where it is missing; a marker keeps it from being appended twice.
async fn sheet(google: &Google, spreadsheet: &str, id: i64, body: &Value) -> Result<()> {
    let found = google.spreadsheet(spreadsheet).await?;
    let mut requests = Vec::new();
    let sheet = match found.sheets.iter().find(|sheet| sheet.title == SHEET) {
        Some(sheet) => sheet.id,
        None => {
            let id = 810_101;
            let new = NewSheet {
                title: SHEET.into(),
                id: Some(id),
                columns: Some(6),
                frozen_rows: 1,
                ..NewSheet::default()
            };
            requests.push(Request::AddSheet(new));
            let heads = ["At", "Occasion", "Dataset", "Kind", "Message", "Since"];
            requests.push(Request::UpdateCells {
                sheet: id,
                row: 0,
                column: 0,
                rows: vec![heads.iter().map(|head| CellWrite::text(*head)).collect()],
                fields: CellFields::Values,
            });
            id
        }
    };
    let text = |pointer: &str| {
        CellWrite::text(body.pointer(pointer).and_then(Value::as_str).unwrap_or_default())
    };
    let row = vec![
        text("/lockstep/at"),
        text("/lockstep/occasion"),
        text("/lockstep/dataset"),
        text("/lockstep/kind"),
        text("/lockstep/detail"),
        text("/lockstep/opened"),
    ];
    requests.push(Request::AppendCells { sheet, rows: vec![row], fields: CellFields::Values });
    let name = format!("alert {id} {}", body.pointer("/lockstep/at").unwrap_or(&Value::Null));
    let hash = blake3::hash(name.as_bytes());
    let bytes: [u8; 4] = hash.as_bytes().first_chunk().copied().unwrap_or_default();
    let metadata_id = (i32::from_le_bytes(bytes) & i32::MAX).max(1);
    let marker = Marker { metadata_id, key: "lockstep.alert".into(), value: name };
    google.batch_update_once(spreadsheet, &requests, &marker, &[]).await?;
    Ok(())
}

/// Runs a program with a message on its standard input; it is ended when it takes too long.
fn run(command: &[String], text: &str) -> Result<()> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let failed = |what: String| Error::new(Kind::Unavailable, format!("{program}: {what}"));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(format!("it cannot be started: {error}")))?;
    if let Some(mut input) = child.stdin.take() {
        // A message is far smaller than a pipe holds: a program that does not read does not block this.
        let _ = input.write_all(text.as_bytes());
    }
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(failed(format!("it ended with {status}"))),
            Ok(None) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(late());
            }
            Err(error) => return Err(failed(error.to_string())),
        }
    }
}
