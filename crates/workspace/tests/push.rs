//! Push notifications of Drive arrive over real HTTP.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::server::Server;

/// Is a listener that keeps what it was told.
async fn listener() -> (String, Arc<Mutex<Vec<HeaderMap>>>) {
    let heard: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let keep = Arc::clone(&heard);
    let router = Router::new().fallback(move |headers: HeaderMap, body: String| async move {
        assert_eq!(body, "");
        keep.lock().await.push(headers);
    });
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/hook", socket.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(socket, router).await });
    (address, heard)
}

/// Waits until so many messages were heard, and returns state, number and what changed of each.
async fn heard(messages: &Mutex<Vec<HeaderMap>>, count: usize) -> Vec<(String, String, String)> {
    for _ in 0..200 {
        if messages.lock().await.len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let text = |headers: &HeaderMap, name: &str| {
        headers.get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    };
    messages
        .lock()
        .await
        .iter()
        .map(|h| {
            (
                text(h, "x-goog-resource-state"),
                text(h, "x-goog-message-number"),
                text(h, "x-goog-changed"),
            )
        })
        .collect()
}

fn triples(expected: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    expected.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

#[tokio::test]
async fn a_watched_file_tells_what_happens_to_it() {
    let server = Server::start().await;
    let (address, messages) = listener().await;
    let id = server
        .file(json!({"name": "s", "mimeType": "application/vnd.google-apps.spreadsheet"}))
        .await;
    let channel = json!({"id": "c1", "type": "web_hook", "address": address, "token": "secret"});
    let watch = format!("/drive/v3/files/{id}/watch");
    let opened = server.post(&watch, channel.clone()).await.ok();
    assert_eq!(
        (&opened["kind"], &opened["id"], &opened["token"]),
        (&json!("api#channel"), &json!("c1"), &json!("secret"))
    );
    assert!(opened["expiration"].as_str().unwrap().parse::<i64>().unwrap() > 0);
    assert_eq!(heard(&messages, 1).await, triples(&[("sync", "1", "")]));
    assert_eq!(server.post(&watch, channel).await.status, 400);
    server.patch(&format!("/drive/v3/files/{id}"), json!({"description": "x"})).await.ok();
    heard(&messages, 2).await;
    // A new name is one change, though the spreadsheet has a title too.
    server.patch(&format!("/drive/v3/files/{id}"), json!({"name": "t"})).await.ok();
    heard(&messages, 3).await;
    let title = server.get(&format!("/v4/spreadsheets/{id}?fields=properties.title")).await.ok();
    assert_eq!(title["properties"]["title"], "t");
    server.patch(&format!("/drive/v3/files/{id}"), json!({"trashed": true})).await.ok();
    heard(&messages, 4).await;
    server.delete(&format!("/drive/v3/files/{id}")).await;
    let expected = triples(&[
        ("sync", "1", ""),
        ("update", "2", "properties"),
        ("update", "3", "properties"),
        ("trash", "4", "properties"),
        ("remove", "5", ""),
    ]);
    assert_eq!(heard(&messages, 5).await, expected);
    let first = messages.lock().await[0].clone();
    assert_eq!(first["x-goog-channel-id"], "c1");
    assert_eq!(first["x-goog-channel-token"], "secret");
    assert_eq!(
        first["x-goog-resource-id"].to_str().unwrap(),
        opened["resourceId"].as_str().unwrap()
    );
    assert!(first["x-goog-channel-expiration"].to_str().unwrap().ends_with(" GMT"));
}

#[tokio::test]
async fn the_change_log_is_watched_and_stopped() {
    let server = Server::start().await;
    let (address, messages) = listener().await;
    let token = server.get("/drive/v3/changes/startPageToken").await.ok()["startPageToken"].clone();
    let path = format!("/drive/v3/changes/watch?pageToken={}", token.as_str().unwrap());
    let opened: Value =
        server.post(&path, json!({"id": "all", "type": "web_hook", "address": address})).await.ok();
    server.file(json!({"name": "n"})).await;
    let told = heard(&messages, 3).await;
    assert_eq!(told[0], triples(&[("sync", "1", "")])[0]);
    assert!(told[1..].iter().all(|(state, _, _)| state == "change"));
    let stop = json!({"id": "all", "resourceId": opened["resourceId"]});
    assert_eq!(server.post("/drive/v3/channels/stop", stop.clone()).await.status, 204);
    assert_eq!(server.post("/drive/v3/channels/stop", stop).await.status, 404);
    let before = messages.lock().await.len();
    server.file(json!({"name": "m"})).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(messages.lock().await.len(), before);
}

#[tokio::test]
async fn only_loopback_addresses_are_taken() {
    let server = Server::start().await;
    let id = server.file(json!({"name": "n"})).await;
    for address in ["https://example.com/hook", "http://10.0.0.1:80/", "ftp://127.0.0.1:1/"] {
        let answer = server
            .post(
                &format!("/drive/v3/files/{id}/watch"),
                json!({"id": "c", "type": "web_hook", "address": address}),
            )
            .await;
        assert_eq!(answer.status, 400);
        assert!(answer.error().1.contains("only notifies"), "{}", answer.text);
    }
}
