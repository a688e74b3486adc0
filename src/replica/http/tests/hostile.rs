//! Answers that would lead elsewhere, or take all memory.

use axum::{
    Router,
    http::header::{CONTENT_ENCODING, CONTENT_TYPE},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    api::{PLAIN, Reply, Stub, Trouble, plain},
    stage::{Stage, connections},
};

const AUTH: &str = "timeoutSeconds = 1\nauth = { kind = \"clientCredentials\", tokenUrl = \"TOKEN\", clientId = \"id\", \
                    clientSecret = \"hunter2222\" }\n";

fn with_tokens(url: &str) -> String {
    PLAIN.replace("timeoutSeconds = 1\n", &AUTH.replace("TOKEN", url))
}

#[tokio::test]
async fn a_client_secret_goes_nowhere_but_to_the_named_address() {
    let elsewhere = Stub::start(plain).await;
    for status in [302, 307] {
        let stage = Stage::new(&with_tokens("URL/token")).await;
        let moved = Reply { status, ..Reply::default() }.with("location", &elsewhere.url);
        stage.stub.trouble("POST", "/token", 9, Trouble::Instead(moved));
        let error = stage.refused().await;
        assert!(error.contains("access token") && !error.contains("hunter2222"), "{error}");
    }
    let asked = [elsewhere.asked("POST").len(), elsewhere.asked("GET").len()];
    assert_eq!(asked, [0, 0], "a redirect was followed");
}

#[test]
fn a_client_secret_is_not_sent_in_the_clear() {
    let refused = |url: &str| {
        let toml = with_tokens(url).replace("URL", "https://crm.example");
        connections(&toml).map(|_| ()).unwrap_err().to_string()
    };
    for url in ["http://login.example/token", "ftp://login.example/token", "login.example"] {
        let error = refused(url);
        assert!(error.contains("no https address") && error.contains("tokenUrl"), "{url}: {error}");
    }
}

/// 233 bytes, as gzip; a JSON array of 200,002 bytes when it is unpacked.
const SMALL: &str = "H4sIAAAAAAACA+3BQREAAAwCoCrr5a1/DTP4B3IAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAwOwLb3FLE0INAwA=";

#[tokio::test]
async fn an_answer_is_as_large_as_it_is_unpacked() {
    let body = STANDARD.decode(SMALL).unwrap();
    let headers = [(CONTENT_ENCODING, "gzip"), (CONTENT_TYPE, "application/json")];
    let routes = Router::new().route("/items", get(async move || (headers, body.clone())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let of = |bytes: &str| {
        let bound = format!("timeoutSeconds = 1\nmaxBodyBytes = {bytes}\n");
        let list = "[resources.items]\nid = \"/id\"\n[resources.items.list]\npath = \"/items\"\n[resources.items.delete]\npath = \"/items/{id}\"\n[resources.items.fields]\nsku = \"/sku\"\n";
        format!("kind = \"http\"\nbaseUrl = \"{url}\"\nwritable = true\n{bound}{list}")
    };
    assert_eq!(Stage::new(&of("300000")).await.scan().await.snapshot.len(), 0);
    let error = Stage::new(&of("100000")).await.refused().await;
    assert!(error.starts_with("tooLarge"), "{error}");
}
