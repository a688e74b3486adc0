//! Who may call over HTTP: forged, expired and foreign tokens, roles, owners of sessions, and where tokens go.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    bounded,
    http::{Server, answer, messages},
    lockstep,
};

const ISSUER: &str = "https://issuer.example";
const RESOURCE: &str = "https://sync.example/mcp";

/// An Ed25519 key of the issuer, from a seed.
fn key(seed: u8) -> EncodingKey {
    // RFC 8410: the PKCS#8 frame of an Ed25519 seed.
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend([seed; 32]);
    EncodingKey::from_ed_der(&der)
}

fn jwks(seed: u8, kid: &str) -> String {
    let mut jwk = Jwk::from_encoding_key(&key(seed), Algorithm::EdDSA).unwrap();
    jwk.common.key_id = Some(kid.into());
    json!({"keys": [jwk]}).to_string()
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

fn claims(subject: &str, scope: &str) -> Value {
    json!({"iss": ISSUER, "aud": RESOURCE, "sub": subject, "scope": scope, "exp": now() + 600})
}

fn header(kid: &str) -> Header {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(kid.into());
    header
}

fn signed(claims: &Value) -> String {
    encode(&header("one"), claims, &key(1)).unwrap()
}

/// Starts a server that trusts the issuer, and the static tokens of `extra`.
fn start(extra: &str) -> Server {
    let keys = tempfile::NamedTempFile::new().unwrap();
    let (_, path) = keys.keep().unwrap();
    fs::write(&path, jwks(1, "one")).unwrap();
    Server::start(&format!(
        "[auth]\nissuer = \"{ISSUER}\"\nresource = \"{RESOURCE}\"\njwksFile = {:?}\n{extra}",
        path.display().to_string()
    ))
}

fn tools(answer: &Value) -> Vec<String> {
    let list = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("no tools: {answer}"));
    list.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn nobody_calls_without_a_token_and_the_answer_says_where_to_get_one() {
    let server = start("");
    let client = server.client(None);
    for (method, path) in [
        (Method::POST, "/mcp"),
        (Method::GET, "/mcp"),
        (Method::GET, "/sse"),
        (Method::GET, "/metrics"),
    ] {
        let response = client.request(method, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        let metadata = "https://sync.example/.well-known/oauth-protected-resource/mcp";
        assert!(challenge.starts_with("Bearer ") && challenge.contains(metadata), "{challenge}");
    }
    for path in ["", "/mcp"] {
        let path = format!("/.well-known/oauth-protected-resource{path}");
        let request =
            client.request(Method::GET, &path).header("origin", "https://anywhere.example");
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        let document: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(document["resource"], RESOURCE);
        assert_eq!(document["authorization_servers"], json!([ISSUER]));
    }
    assert_eq!(
        client.request(Method::GET, "/healthz").send().await.unwrap().status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn only_a_token_of_the_issuer_for_this_server_at_this_time_is_good() {
    let server = start("");
    let good = claims("ada", "lockstep:write");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signed(&claims)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        signed(&claims)
    };
    let mut plain = Header::new(Algorithm::HS256);
    plain.kid = Some("one".into());
    let secret = EncodingKey::from_secret(jwks(1, "one").as_bytes());
    let mut changed = signed(&good);
    let last = if changed.ends_with('A') { 'B' } else { 'A' };
    let at = changed.len() - 10;
    changed.replace_range(at..=at, &last.to_string());
    // {"alg":"none","kid":"one"}
    let none = format!(
        "eyJhbGciOiJub25lIiwia2lkIjoib25lIn0.{}.",
        signed(&good).split('.').nth(1).unwrap()
    );
    let status = async |token: &str| {
        let client = server.client(Some(token));
        client.modern("tools/list", json!({}), json!({})).await.status()
    };
    assert_eq!(status(&signed(&good)).await, StatusCode::OK);
    assert_eq!(
        status(&with("aud", json!(["https://other.example", RESOURCE]))).await,
        StatusCode::OK
    );
    assert_eq!(status(&with("exp", json!(now() - 5))).await, StatusCode::OK, "within the leeway");
    for (why, token) in [
        ("forged: another key under the same id", encode(&header("one"), &good, &key(2)).unwrap()),
        ("forged: a key that is not the issuer's", encode(&header("two"), &good, &key(2)).unwrap()),
        ("forged: the public key as a shared secret", encode(&plain, &good, &secret).unwrap()),
        ("forged: no signature", none),
        ("forged: a changed signature", changed),
        ("expired", with("exp", json!(now() - 120))),
        ("never expires", without("exp")),
        ("not valid yet", with("nbf", json!(now() + 600))),
        ("another audience", with("aud", json!("https://other.example/mcp"))),
        ("no audience", without("aud")),
        ("another issuer", with("iss", json!("https://evil.example"))),
        ("no issuer", without("iss")),
        ("no subject", without("sub")),
        ("no token at all", "x".into()),
        ("very long", "x".repeat(20_000)),
    ] {
        assert_eq!(status(&token).await, StatusCode::UNAUTHORIZED, "{why}");
    }
    let none = signed(&claims("ada", "openid email"));
    assert_eq!(status(&none).await, StatusCode::FORBIDDEN, "no scope of ours");
    let raw =
        server.client(None).request(Method::POST, "/mcp").header("authorization", "Basic YTpi");
    assert_eq!(raw.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_reader_sees_and_calls_what_writes_nothing() {
    let server = start("");
    let reader = server.client(Some(&signed(&claims("ada", "lockstep:read"))));
    let seen =
        tools(&answer(&messages(reader.modern("tools/list", json!({}), json!({})).await).await));
    assert!(
        seen.contains(&"readSheet".into()) && !seen.contains(&"syncDataset".into()),
        "{seen:?}"
    );
    let write = json!({"name": "createFile", "arguments": {"type": "folder", "name": "x"}});
    let refused = reader.modern("tools/call", write.clone(), json!({})).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains("lockstep:write"),
        "{challenge}"
    );
    let legacy = reader.clone().initialized().await;
    let refused = legacy.ask("tools/call", write.clone()).await;
    assert!(refused["error"]["message"].as_str().unwrap().contains("operator"), "{refused}");
    let metrics = reader.request(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(metrics.status(), StatusCode::FORBIDDEN);
    let operator = server.client(Some(&signed(&claims("bo", "lockstep:write"))));
    let made = answer(&messages(operator.modern("tools/call", write, json!({})).await).await);
    assert_eq!(made["result"]["structuredContent"]["created"], true, "{made}");
    let admin = server.client(Some(&signed(&claims("cy", "openid lockstep:admin"))));
    let metrics = admin.request(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(metrics.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_session_is_its_owners_alone() {
    let server = start("");
    let ada = server.client(Some(&signed(&claims("ada", "lockstep:write")))).initialized().await;
    let mut bo = server.client(Some(&signed(&claims("bo", "lockstep:admin"))));
    bo.session.clone_from(&ada.session);
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    assert_eq!(bo.post(&list).await.status(), StatusCode::NOT_FOUND);
    for method in [Method::GET, Method::DELETE] {
        let status = bo.request(method, "/mcp").send().await.unwrap().status();
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    // A fresh token of the same subject goes on; without one, nobody does.
    let mut renewed = server.client(Some(&signed(&claims("ada", "lockstep:read"))));
    renewed.session.clone_from(&ada.session);
    let seen = tools(&renewed.ask("tools/list", json!({})).await);
    assert!(!seen.contains(&"syncDataset".into()), "the role is the token's, not the session's");
    let mut bare = server.client(None);
    bare.session.clone_from(&ada.session);
    assert_eq!(bare.post(&list).await.status(), StatusCode::UNAUTHORIZED);
    let stream = ada.request(Method::GET, "/sse").send().await.unwrap();
    let mut stream = stream;
    let first = String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    let endpoint = first.lines().find_map(|line| line.strip_prefix("data: ")).unwrap().to_owned();
    let foreign = bo.request(Method::POST, &endpoint).body("{}").send().await.unwrap();
    assert_eq!(foreign.status(), StatusCode::NOT_FOUND);
    let own = ada.request(Method::POST, &endpoint).body("{}").send().await.unwrap();
    assert_eq!(own.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_token_of_lockstep_token_is_good_and_stays_out_of_the_log() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut command = lockstep(folder.path());
    command.args(["token", "ci", "--role", "reader"]);
    let printed = bounded::succeed(command, std::time::Duration::from_secs(20));
    let token = printed.split_whitespace().find(|word| word.starts_with("lockstep_")).unwrap();
    let (_, settings) = printed.split_once("For lockstep.toml:").unwrap();
    let server = start(settings);
    let client = server.client(Some(token));
    let seen =
        tools(&answer(&messages(client.modern("tools/list", json!({}), json!({})).await).await));
    assert!(
        seen.contains(&"readSheet".into()) && !seen.contains(&"updateCells".into()),
        "{seen:?}"
    );
    let wrong = server.client(Some(&format!("{token}x")));
    let wrong = wrong.modern("tools/list", json!({}), json!({})).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    let log = server.listening.killed();
    assert!(log.contains("refused"), "{log}");
    assert!(!log.contains(token), "the token is in the log");
}

/// Answers every request with an empty list of files, and keeps what it was sent.
fn recorder() -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard: Arc<Mutex<String>> = Arc::default();
    let keep = Arc::clone(&heard);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while let Some(Ok(line)) = lines.next() {
                keep.lock().unwrap().push_str(&format!("{line}\n"));
                if line.is_empty() {
                    break;
                }
            }
            let body = "{\"files\":[]}";
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
            let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
        }
    });
    (format!("http://{address}/"), heard)
}

#[tokio::test]
async fn a_callers_token_never_goes_to_google() {
    let (google, heard) = recorder();
    let server = start(&format!("[workspace]\nurl = \"{google}\"\n"));
    let token = signed(&claims("ada", "lockstep:write"));
    let client = server.client(Some(&token));
    let find = json!({"name": "findFiles", "arguments": {}});
    let modern =
        answer(&messages(client.modern("tools/call", find.clone(), json!({})).await).await);
    assert_eq!(modern["result"]["structuredContent"]["files"], json!([]), "{modern}");
    let legacy = client.initialized().await.ask("tools/call", find).await;
    assert_eq!(legacy["result"]["structuredContent"]["files"], json!([]), "{legacy}");
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard.matches("/drive/v3/files").count(), 2, "{heard}");
    let body = token.split('.').nth(1).unwrap();
    assert!(!heard.contains(body), "the caller's token was sent on:\n{heard}");
}

#[tokio::test]
async fn an_issuer_changes_its_keys_without_a_restart() {
    let keys = Arc::new(Mutex::new(jwks(1, "one")));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = Arc::clone(&keys);
    let fetched = Arc::new(Mutex::new(0));
    let count = Arc::clone(&fetched);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            *count.lock().unwrap() += 1;
            let body = served.lock().unwrap().clone();
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
            let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
        }
    });
    let server = Server::start(&format!(
        "[auth]\nissuer = \"{ISSUER}\"\nresource = \"{RESOURCE}\"\njwksUrl = \"http://{address}/keys\"\n"
    ));
    let status = async |token: &str| {
        let client = server.client(Some(token));
        client.modern("tools/list", json!({}), json!({})).await.status()
    };
    let good = claims("ada", "lockstep:read");
    for _ in 0..3 {
        assert_eq!(status(&signed(&good)).await, StatusCode::OK);
    }
    assert_eq!(*fetched.lock().unwrap(), 1, "keys are kept");
    *keys.lock().unwrap() = jwks(2, "two");
    let new = encode(&header("two"), &good, &key(2)).unwrap();
    for _ in 0..5 {
        // A stranger's key id must not make the server ask its issuer at every request.
        assert_eq!(status(&new).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(*fetched.lock().unwrap(), 1, "strangers do not make the server ask");
    let mut last = StatusCode::UNAUTHORIZED;
    for _ in 0..40 {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        last = status(&new).await;
        if last == StatusCode::OK {
            break;
        }
    }
    assert_eq!(last, StatusCode::OK, "the new key is fetched after a pause");
    assert_eq!(*fetched.lock().unwrap(), 2);
}

#[tokio::test]
async fn each_role_has_its_own_limits() {
    let server = start(
        "[access]\nmaxRows = 4\n[access.roles.reader]\nmaxRows = 2\n[access.roles.admin]\nmaxRows = 9\n",
    );
    let call = async |scope: &str, name: &str, arguments: Value| {
        let client = server.client(Some(&signed(&claims("ada", scope))));
        let call = json!({"name": name, "arguments": arguments});
        answer(&messages(client.modern("tools/call", call, json!({})).await).await)["result"]
            .clone()
    };
    let rows: Vec<Value> = (0..6).map(|n| json!([format!("r{n}")])).collect();
    let sheets = json!([{"title": "S", "values": rows}]);
    let new = json!({"type": "spreadsheet", "name": "six", "sheets": sheets});
    let refused = call("lockstep:write", "createFile", new.clone()).await;
    let text = refused["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("6 rows") && text.contains("operator") && text.contains("at most 4"),
        "{text}"
    );
    let made = call("lockstep:admin", "createFile", new).await;
    let id =
        made["structuredContent"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    for (scope, expected) in [("lockstep:read", 2), ("lockstep:write", 4), ("lockstep:admin", 6)] {
        let page = call(scope, "readSheet", json!({"spreadsheetId": id, "as": "rows"})).await;
        let page = &page["structuredContent"];
        assert_eq!(page["rows"].as_array().unwrap().len(), expected, "{scope}: {page}");
    }
}
