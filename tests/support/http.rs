//! `lockstep serve --http` as a child process, and a client that speaks raw HTTP to it.

use std::{fs, path::Path};

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use super::wire::http;
use super::{listening::Listening, lockstep, session::modern_meta};

/// A server over a folder of its own.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) listening: Listening,
    http: reqwest::Client,
}

impl Server {
    /// Starts with `settings` as its lockstep.toml.
    pub(crate) fn start(settings: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let listening = start_in(folder.path(), settings);
        Self { folder, listening, http: http() }
    }

    /// Returns a client that shows `token`, or none.
    pub(crate) fn client(&self, token: Option<&str>) -> Client {
        Client {
            http: self.http.clone(),
            url: self.listening.url.clone(),
            token: token.map(str::to_owned),
            session: None,
        }
    }
}

/// Starts in `folder` with `settings` as its lockstep.toml.
pub(crate) fn start_in(folder: &Path, settings: &str) -> Listening {
    fs::write(folder.join("lockstep.toml"), settings).unwrap();
    let mut command = lockstep(folder);
    command.args(["serve", "--http", "127.0.0.1:0"]).env("LOCKSTEP_LOG", "info");
    Listening::start(command)
}

/// A client of revision 2025-11-25 or 2026-07-28.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) token: Option<String>,
    pub(crate) session: Option<String>,
}

impl Client {
    /// Returns a request with the headers that every request has.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .header("accept", "application/json, text/event-stream");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        request
    }

    /// Posts a message to `/mcp`.
    pub(crate) async fn post(&self, message: &Value) -> Response {
        let body = message.to_string();
        let request = self.request(Method::POST, "/mcp").header("content-type", "application/json");
        request.body(body).send().await.unwrap()
    }

    /// Posts a request of revision 2025-11-25, and returns its answer.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let response = self.post(&message).await;
        assert_eq!(response.status(), StatusCode::OK, "{method}");
        answer(&messages(response).await)
    }

    /// Opens a session as a client of revision 2025-11-25.
    pub(crate) async fn initialized(mut self) -> Self {
        let response = self.post(&initialize("2025-11-25")).await;
        assert_eq!(response.status(), StatusCode::OK);
        let session = response.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let answer = answer(&messages(response).await);
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}");
        self.session = Some(session);
        let done = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(self.post(&done).await.status(), StatusCode::ACCEPTED);
        self
    }

    /// Posts a request of revision 2026-07-28; `extra` is put into its `_meta`.
    pub(crate) async fn modern(&self, method: &str, mut params: Value, extra: Value) -> Response {
        let mut meta = modern_meta();
        for (key, value) in extra.as_object().unwrap() {
            meta[key] = value.clone();
        }
        params["_meta"] = meta;
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let mut request = self
            .request(Method::POST, "/mcp")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        let name = ["name", "uri", "taskId"].iter().find_map(|field| params.get(field)?.as_str());
        if let Some(name) = name {
            request = request.header("mcp-name", name);
        }
        request.body(message.to_string()).send().await.unwrap()
    }
}

/// Returns an initialize request.
pub(crate) fn initialize(version: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    }})
}

/// Returns the messages of a response that ends, whether it is one JSON document or a stream of events.
pub(crate) async fn messages(response: Response) -> Vec<Value> {
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let text = response.text().await.unwrap();
    if kind.starts_with("application/json") {
        return vec![serde_json::from_str(&text).unwrap()];
    }
    assert_eq!(kind, "text/event-stream", "{text}");
    let data = |line: &str| line.strip_prefix("data:").map(|data| data.trim().to_owned());
    let full = text.lines().filter_map(data).filter(|data| !data.is_empty());
    full.map(|data| serde_json::from_str(&data).unwrap()).collect()
}

/// Returns the answer among messages.
pub(crate) fn answer(messages: &[Value]) -> Value {
    let answers: Vec<&Value> = messages.iter().filter(|m| m.get("method").is_none()).collect();
    assert_eq!(answers.len(), 1, "{messages:?}");
    answers[0].clone()
}
