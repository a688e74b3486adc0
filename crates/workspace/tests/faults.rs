//! Faults on purpose, over real connections.

use std::time::{Duration, Instant};

use lockstep_workspace::{Effect, Faults, Options, Quota, Rule};
use serde_json::{Value, json};

use crate::server::Server;

async fn with(rules: Vec<Rule>) -> (Server, String) {
    let server = Server::start().await;
    let id = server
        .file(json!({"name": "s", "mimeType": "application/vnd.google-apps.spreadsheet"}))
        .await;
    set(&server, json!({"seed": 1, "rules": rules})).await;
    (server, id)
}

async fn set(server: &Server, faults: Value) {
    let answer =
        server.send("PUT", "/_lockstep/faults", "application/json", faults.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

async fn clear(server: &Server) {
    assert_eq!(server.delete("/_lockstep/faults").await.status, 200);
}

/// Writes `x` to A1 and returns the outcome; `None` is a connection that broke.
async fn write(server: &Server, id: &str) -> Option<(u16, String)> {
    let url = format!("{}/v4/spreadsheets/{id}/values/A1?valueInputOption=RAW", server.url);
    let response = server.client.put(url).json(&json!({"values": [["x"]]})).send().await.ok()?;
    let (status, url) = (response.status().as_u16(), response.url().clone());
    let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    let text = response.text().await.ok()?;
    crate::schema::hold("PUT", &url, status, &kind.unwrap_or_default(), &text);
    Some((status, text))
}

async fn written(server: &Server, id: &str) -> bool {
    server.get(&format!("/v4/spreadsheets/{id}/values/A1")).await.ok().get("values").is_some()
}

#[tokio::test]
async fn quota_windows_answer_the_recorded_429() {
    let quota = Quota { read_per_user: 2, window_seconds: 3600, ..Quota::default() };
    let server =
        Server::with(Options::new().faults(Faults { quota: Some(quota), ..Faults::default() }))
            .await;
    let path = "/v4/spreadsheets/none";
    assert_eq!(server.get(path).await.status, 404);
    assert_eq!(server.get(path).await.status, 404);
    let refused = server.get(path).await;
    assert_eq!(refused.status, 429);
    let error = &refused.json()["error"];
    assert_eq!(error["status"], "RESOURCE_EXHAUSTED");
    assert_eq!(
        error["message"],
        "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute per user' of service 'sheets.googleapis.com' for consumer 'project_number:603366585132'."
    );
    assert_eq!(error["details"][0]["reason"], "RATE_LIMIT_EXCEEDED");
    assert_eq!(error["details"][0]["metadata"]["quota_limit"], "ReadRequestsPerMinutePerUser");
    assert_eq!(error["details"][0]["metadata"]["quota_limit_value"], "2");
    assert_eq!(server.post("/v4/spreadsheets", json!({})).await.status, 200);
    assert_eq!(server.get("/drive/v3/files").await.status, 200);
}

#[tokio::test]
async fn error_answers_before_and_after_the_effect() {
    for (rule, status, takes_effect) in [
        (Rule::new(Effect::Internal), 500, false),
        (Rule::new(Effect::Unavailable), 503, false),
        (Rule::new(Effect::Html { status: 502 }), 502, false),
        (Rule::new(Effect::RateLimit), 429, false),
        (Rule::new(Effect::Unavailable).after(), 503, true),
    ] {
        let (server, id) = with(vec![rule.clone().on("/values/")]).await;
        let (found, body) = write(&server, &id).await.unwrap();
        assert_eq!(found, status);
        assert_eq!(
            body.starts_with("<!DOCTYPE html>"),
            rule.effect == Effect::Html { status: 502 },
            "{body}"
        );
        clear(&server).await;
        assert_eq!(written(&server, &id).await, takes_effect, "{rule:?}");
    }
}

#[tokio::test]
async fn connections_break_before_and_after_the_effect() {
    for (rule, takes_effect) in [
        (Rule::new(Effect::Reset), false),
        (Rule::new(Effect::Reset).after(), true),
        (Rule::new(Effect::Truncate), true),
    ] {
        let (server, id) = with(vec![rule.clone().on("/values/").times(1)]).await;
        assert_eq!(write(&server, &id).await, None, "{rule:?}");
        assert_eq!(written(&server, &id).await, takes_effect, "{rule:?}");
        assert_eq!(write(&server, &id).await.unwrap().0, 200);
    }
}

#[tokio::test]
async fn latency_counts_and_limits() {
    let (server, id) =
        with(vec![Rule::new(Effect::Latency { milliseconds: 150 }).on("/values/").times(1)]).await;
    let start = Instant::now();
    write(&server, &id).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(150));
    write(&server, &id).await.unwrap();
    let shown = server.get("/_lockstep/faults").await.ok();
    assert_eq!(shown["counts"], json!([{"met": 2, "happened": 1}]));
    assert_eq!(shown["faults"]["rules"][0]["effect"], json!({"latency": {"milliseconds": 150}}));
}

#[tokio::test]
async fn other_editors_change_the_sheet() {
    let (server, id) = with(vec![]).await;
    let path = format!("/v4/spreadsheets/{id}/values/A1:B5?valueInputOption=RAW");
    let values = json!({"values": [["k", "v"], ["c", 1], ["a", 2], ["b", 3], ["d", 4]]});
    server.send("PUT", &path, "application/json", values.to_string()).await;
    let rows = async || {
        let list = server.get(&format!("/v4/spreadsheets/{id}/values/A1:B9")).await.ok();
        list["values"].as_array().unwrap().clone()
    };
    let before = rows().await;
    for (edit, length) in [("sort", 5), ("editCell", 5), ("insertRow", 6), ("deleteRow", 5)] {
        set(&server, json!({"seed": 3, "rules": [{"effect": {"editor": {"edit": edit}}, "when": "after", "times": 1, "path": ":batchUpdate"}]})).await;
        let noop = json!({"requests": [{"updateSpreadsheetProperties": {"properties": {"title": edit}, "fields": "title"}}]});
        assert_eq!(
            server.post(&format!("/v4/spreadsheets/{id}:batchUpdate"), noop).await.status,
            200
        );
        let after = rows().await;
        assert_eq!(after[0], before[0], "{edit} keeps the header");
        assert!(after.len() == length || edit == "deleteRow", "{edit}: {after:?}");
        assert_ne!(after, before, "{edit}");
    }
    let requests = json!([{"updateCells": {"start": {"sheetId": 0}, "rows": [{"values": [{"userEnteredValue": {"stringValue": "H"}}]}], "fields": "userEnteredValue"}}]);
    set(&server, json!({"rules": [{"effect": {"requests": {"requests": requests}}, "times": 1}]}))
        .await;
    assert_eq!(rows().await[0][0], "H");
}

#[tokio::test]
async fn one_seed_one_course() {
    let course = async || {
        let (server, id) =
            with(vec![Rule { probability: 0.5, ..Rule::new(Effect::Unavailable).on("/values/") }])
                .await;
        let mut course = Vec::new();
        for _ in 0..12 {
            course.push(write(&server, &id).await.unwrap().0);
        }
        course
    };
    let first = course().await;
    assert_eq!(first, course().await);
    assert!(first.contains(&200) && first.contains(&503), "{first:?}");
}

#[tokio::test]
async fn nonsense_is_refused() {
    let server = Server::start().await;
    for bad in [
        "{",
        r#"{"rules": [{"effect": "boom"}]}"#,
        r#"{"rules": [{"effect": "reset", "probability": 2}]}"#,
        r#"{"colour": 1}"#,
    ] {
        let answer = server.send("PUT", "/_lockstep/faults", "application/json", bad).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    assert_eq!(server.post("/_lockstep/faults", json!({})).await.status, 405);
}
