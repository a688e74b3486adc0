//! A workspace served on a port of its own, and a client for it.

use lockstep_workspace::{Options, Workspace};
use serde_json::Value;

/// Returns a maker of clients; with the whole product built beside it, reqwest asks for a provider of TLS by name.
pub(crate) fn client() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}

/// Is a running workspace; it stops with the test's runtime.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
}

/// Is an answer with its body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Returns the JSON body of a 200.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// Returns status and message of an error body.
    pub(crate) fn error(&self) -> (u16, String) {
        let message = self.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        (self.status, message)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Options::new()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self::serving(Workspace::in_memory_with(options).unwrap()).await
    }

    /// Starts a workspace over a file.
    pub(crate) async fn open(path: &std::path::Path, options: Options) -> Self {
        Self::serving(Workspace::open_with(path, options).unwrap()).await
    }

    async fn serving(workspace: Workspace) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { workspace.serve(listener, std::future::pending()).await });
        Self { url, client: client().build().unwrap() }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.url));
        let request = if kind.is_empty() { request } else { request.header("content-type", kind) };
        Self::answer(request.body(body)).await
    }

    pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        let (method, url) = (request.method().to_string(), request.url().clone());
        let response = client.execute(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let answer = Answer { status, headers, text };
        crate::schema::hold(&method, &url, status, answer.header("content-type"), &answer.text);
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", "").await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, "application/json", body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, "application/json", body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "", "").await
    }

    /// Creates a file and returns its id.
    pub(crate) async fn file(&self, metadata: Value) -> String {
        self.post("/drive/v3/files", metadata).await.ok()["id"].as_str().unwrap().to_owned()
    }
}
