//! The installed flow with a browser that is played: consent page, redirect to loopback, exchange.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{Request, StatusCode, header};
use serde_json::json;

use super::auth::{Guarded, least};
use super::stub::{Answer, Stub};
use crate::auth::query;
use crate::{Kind, Login, OAuthClient, connect};

/// What a browser sees: status, where it is sent, the page.
async fn visit(method: &str, url: &str, body: String) -> (StatusCode, Option<String>, String) {
    let client = connect::plain(false, Duration::from_secs(2)).unwrap();
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body);
    let answer = client.request(request.unwrap()).await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let page = answer.into_body().collect().await.unwrap().to_bytes();
    let to = headers.get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
    (status, to, String::from_utf8_lossy(&page).into_owned())
}

async fn get(url: &str) -> (StatusCode, Option<String>, String) {
    visit("GET", url, String::new()).await
}

/// Opens the consent page, decides, and returns where the browser is sent.
async fn decide(login: &Login, root: &str, decision: &str) -> String {
    let (status, _, page) = get(login.url()).await;
    assert_eq!(status, 200, "{page}");
    let ticket = page.split("name=\"ticket\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = query::write(&[("ticket", ticket), ("decision", decision)]);
    let (status, to, _) = visit("POST", &format!("{root}/o/oauth2/consent"), form).await;
    assert_eq!(status, 303);
    to.unwrap()
}

fn client(root: &str, secret: &str) -> OAuthClient {
    let file = json!({"installed": {
        "client_id": "app", "client_secret": secret, "redirect_uris": ["http://localhost"],
        "auth_uri": format!("{root}/o/oauth2/v2/auth"), "token_uri": format!("{root}/token"),
    }});
    OAuthClient::from_json(&file.to_string()).unwrap()
}

const PATIENT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_person_signs_in_works_and_takes_it_back() {
    let world = Guarded::new().await;
    let login = Login::begin(client(&world.url, "app-secret"), &least(), 0).await.unwrap();
    assert!(login.url().contains("code_challenge_method=S256"), "{}", login.url());
    assert!(login.url().contains("access_type=offline"), "{}", login.url());
    assert!(!login.url().contains("app-secret"));
    let target = decide(&login, &world.url, "allow").await;
    let waits = tokio::spawn(login.finish(PATIENT));
    let (status, _, page) = get(&target).await;
    assert_eq!(status, 200);
    assert!(page.contains("signed in"), "{page}");
    let mut done = waits.await.unwrap().unwrap();
    assert!(!format!("{done:?}").contains("1//"), "{done:?}");
    done.named("ann@company.example");
    // What is kept is enough for another process.
    let kept = crate::Credentials::from_json(&done.json).unwrap();
    assert_eq!(kept.email(), Some("ann@company.example"));
    let google = world.google(kept.clone());
    assert_eq!(google.about().await.unwrap().email.as_deref(), Some("ann@company.example"));
    let granted = google.token_state().await.unwrap().unwrap().granted.unwrap();
    assert_eq!(granted, least());
    kept.revoke(PATIENT).await.unwrap();
    let error = google.about().await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthenticated, "{error}");
    assert!(error.message.contains("sign in again: `lockstep login`"), "{error}");
    // Taken back already is as good.
    kept.revoke(PATIENT).await.unwrap();
}

#[tokio::test]
async fn only_the_answer_to_this_question_counts() {
    let world = Guarded::new().await;
    let login = Login::begin(client(&world.url, "app-secret"), &least(), 0).await.unwrap();
    let target = decide(&login, &world.url, "allow").await;
    let root = target.split("/?").next().unwrap().split('?').next().unwrap().to_owned();
    let waits = tokio::spawn(login.finish(PATIENT));
    // A silent connection, a favicon, a code of somebody else, a refusal of somebody else.
    let silent = tokio::net::TcpStream::connect(root.trim_start_matches("http://")).await.unwrap();
    drop(silent);
    assert_eq!(get(&format!("{root}/favicon.ico")).await.0, 404);
    for forged in ["code=4/stolen&state=guessed", "code=4/stolen", "error=access_denied&state="] {
        assert_eq!(get(&format!("{root}/?{forged}")).await.0, 400, "{forged}");
    }
    assert!(!waits.is_finished());
    assert_eq!(get(&target).await.0, 200);
    waits.await.unwrap().unwrap();
}

#[tokio::test]
async fn declining_ends_the_sign_in_and_so_does_waiting() {
    let world = Guarded::new().await;
    let login = Login::begin(client(&world.url, "app-secret"), &least(), 0).await.unwrap();
    let target = decide(&login, &world.url, "deny").await;
    let waits = tokio::spawn(login.finish(PATIENT));
    get(&target).await;
    let error = waits.await.unwrap().unwrap_err();
    assert_eq!(error.kind, Kind::Unauthenticated);
    assert!(error.message.contains("declined (access_denied)"), "{error}");
    let login = Login::begin(client(&world.url, "app-secret"), &least(), 0).await.unwrap();
    let error = login.finish(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Timeout, "{error}");
}

#[tokio::test]
async fn an_exchange_that_fails_or_gives_too_little_is_said_so() {
    // The wrong client secret.
    let world = Guarded::new().await;
    let login = Login::begin(client(&world.url, "wrong-secret"), &least(), 0).await.unwrap();
    let target = decide(&login, &world.url, "allow").await;
    let waits = tokio::spawn(login.finish(PATIENT));
    get(&target).await;
    let error = waits.await.unwrap().unwrap_err();
    assert!(error.message.contains("invalid_client"), "{error}");
    assert!(!error.to_string().contains("wrong-secret"), "{error}");
    // A box that was not ticked, and an answer without a refresh token.
    let all = least().join(" ");
    for (answer, word) in [
        (
            json!({"access_token": "t", "refresh_token": "1//r", "scope": least()[0]}),
            "drive.file is missing",
        ),
        (json!({"access_token": "t", "scope": all}), "no refresh token"),
    ] {
        let stub = Stub::start(move |_, _| Answer::Json(200, answer.to_string())).await;
        let login = Login::begin(client(&stub.url, "app-secret"), &least(), 0).await.unwrap();
        let state = query::field(login.url().split_once('?').unwrap().1, "state").unwrap();
        let back = query::field(login.url().split_once('?').unwrap().1, "redirect_uri").unwrap();
        let waits = tokio::spawn(login.finish(PATIENT));
        get(&format!("{back}/?code=4/x&{}", query::write(&[("state", &state)]))).await;
        let error = waits.await.unwrap().unwrap_err();
        assert!(error.message.contains(word), "{error}");
    }
}

#[test]
fn a_client_of_another_kind_is_refused() {
    for (json, word) in [
        (json!({"web": {"client_id": "x"}}), "web applications"),
        (json!({"type": "service_account"}), "Desktop app"),
        (json!({"installed": {"client_id": "x"}}), "client_secret is missing"),
        (
            json!({"installed": {"client_id": "x", "client_secret": "s", "auth_uri": "http://x.example/a", "token_uri": "https://x.example"}}),
            "https",
        ),
    ] {
        let error = OAuthClient::from_json(&json.to_string()).unwrap_err();
        assert!(error.message.contains(word), "{error}");
    }
}
