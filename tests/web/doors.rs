//! Who may look and who may press buttons: tokens, roles, sessions, and forms that others made.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::site::{Site, Visitor};
use crate::support::lockstep;

/// Makes a token of a role with `lockstep token`; returns it with what goes into the settings.
fn token(role: &str) -> (String, String) {
    let folder = tempfile::TempDir::new().unwrap();
    let mut command = lockstep(folder.path());
    command.args(["token", role, "--role", role]);
    let printed = crate::support::bounded::succeed(command, std::time::Duration::from_secs(20));
    let token = printed.split_whitespace().find(|word| word.starts_with("lockstep_")).unwrap();
    let (_, settings) = printed.split_once("For lockstep.toml:").unwrap();
    (token.to_owned(), settings.to_owned())
}

/// A site with a reader and an operator, and two conflicts.
pub(super) async fn guarded() -> (Site, String, String) {
    let ((reader, one), (operator, two)) = (token("reader"), token("operator"));
    let site = Site::new(&format!("{one}\n{two}"), Some(&operator)).await;
    site.dispute().await;
    (site, reader, operator)
}

async fn sign_in(visitor: &mut Visitor, token: &str, next: &str) -> super::site::Page {
    let door = visitor.get("/sign-in").await;
    assert_eq!(door.status, StatusCode::OK);
    let csrf = door.field("csrf");
    visitor.post("/sign-in", &[("csrf", &csrf), ("token", token), ("next", next)]).await
}

async fn open(site: &Site) -> u64 {
    let listed = site.call("resolveConflicts", json!({"dataset": "goods", "state": "open"})).await;
    listed["total"].as_u64().unwrap()
}

/// The paths of what only an operator may do.
const ACTIONS: [&str; 5] = [
    "/conflicts/decide",
    "/conflicts/reopen",
    "/letters/retry",
    "/letters/drop",
    "/datasets/goods/measure",
];

#[tokio::test]
async fn a_stranger_sees_the_door_alone() {
    let (site, _, _) = guarded().await;
    let mut visitor = site.visitor();
    for path in [
        "/",
        "/datasets/goods",
        "/runs",
        "/runs/x",
        "/conflicts?a=b",
        "/letters",
        "/sheets",
        "/sheets/x",
    ] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
        assert!(page.header("location").starts_with("/sign-in?next=%2F"), "{path}");
        assert!(page.text.is_empty(), "{path}: {}", page.text);
    }
    for path in ACTIONS.into_iter().chain(["/sign-out"]) {
        let page = visitor.post(path, &[("id", "x"), ("winner", "left")]).await;
        assert_eq!(
            (page.status, page.header("location")),
            (StatusCode::SEE_OTHER, "/sign-in"),
            "{path}"
        );
    }
    assert_eq!(open(&site).await, 2);
    let door = visitor.get("/sign-in?next=%2Fconflicts").await;
    assert!(door.text.contains("value=\"/conflicts\""), "{}", door.text);
    let away = visitor.get("/sign-in?next=//evil.example").await;
    assert!(!away.text.contains("evil"), "{}", away.text);
}

#[tokio::test]
async fn a_token_opens_a_session_that_the_browser_holds_by_an_id_alone() {
    let (site, reader, _) = guarded().await;
    let mut visitor = site.visitor();
    let wrong = sign_in(&mut visitor, "lockstep_wrong", "/").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.text.contains("not known here"), "{}", wrong.text);
    let before = visitor.cookie.clone().unwrap();
    let done = sign_in(&mut visitor, &reader, "/conflicts").await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, "/conflicts"));
    let set = done.header("set-cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains(&reader) && !set.contains(&before), "{set}");
    let page = visitor.get("/conflicts").await;
    assert!(page.status == StatusCode::OK && page.text.contains("token:reader"), "{}", page.text);
    assert!(!page.text.contains(&reader));
    let csrf = page.field("csrf");
    let held = visitor.cookie.clone();
    let out = visitor.post("/sign-out", &[("csrf", &csrf)]).await;
    assert_eq!((out.status, out.header("location")), (StatusCode::SEE_OTHER, "/sign-in"));
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    visitor.cookie = held;
    assert_eq!(
        visitor.get("/").await.status,
        StatusCode::SEE_OTHER,
        "the session is gone, not the cookie alone"
    );
    let log = site.server.listening.killed();
    assert!(log.contains("signed in") && !log.contains(&reader), "the token is in the log");
}

#[tokio::test]
async fn a_reader_looks_and_an_operator_decides() {
    let (site, reader, operator) = guarded().await;
    let mut visitor = site.visitor();
    sign_in(&mut visitor, &reader, "/").await;
    for path in ["/", "/datasets/goods", "/runs", "/conflicts", "/letters", "/sheets"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        for button in ["Take left", "Try again", "Measure the data"] {
            assert!(!page.text.contains(button), "{path} offers {button}");
        }
    }
    let page = visitor.get("/conflicts").await;
    assert!(page.text.contains("needs the role operator"), "{}", page.text);
    let csrf = page.field("csrf");
    let listed = site.call("resolveConflicts", json!({"dataset": "goods", "key": "A"})).await;
    let id = listed["conflicts"][0]["id"].as_str().unwrap().to_owned();
    let fields = [("csrf", csrf.as_str()), ("id", &id), ("winner", "left")];
    for path in ACTIONS {
        let page = visitor.post(path, &fields).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
        assert!(
            page.text.contains("needs the role operator; you have reader"),
            "{path}: {}",
            page.text
        );
    }
    assert_eq!(open(&site).await, 2);
    let mut visitor = site.visitor();
    sign_in(&mut visitor, &operator, "/").await;
    let csrf = visitor.get("/conflicts").await.field("csrf");
    let fields = [("csrf", csrf.as_str()), ("id", &id), ("winner", "left"), ("dataset", "goods")];
    let done = visitor.post("/conflicts/decide", &fields).await;
    assert_eq!(
        (done.status, done.header("location")),
        (StatusCode::SEE_OTHER, "/conflicts?dataset=goods&done=decided")
    );
    assert_eq!(open(&site).await, 1);
    // Twice is told, and does nothing.
    let again = visitor.post("/conflicts/decide", &fields).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.text.contains("is decided already, by winner left"), "{}", again.text);
    let listed = site.call("resolveConflicts", json!({"dataset": "goods", "key": "A"})).await;
    let by = listed["conflicts"][0]["by"].as_str().unwrap();
    assert!(by.contains("token:operator"), "the audit says who: {by}");
}

#[tokio::test]
async fn forms_of_other_pages_are_refused_with_and_without_a_session() {
    let (guarded, _, operator) = guarded().await;
    let open_site = Site::new("", None).await;
    open_site.dispute().await;
    for (site, token) in [(&guarded, Some(&operator)), (&open_site, None)] {
        let mut visitor = site.visitor();
        if let Some(token) = token {
            sign_in(&mut visitor, token, "/").await;
        }
        let csrf = visitor.get("/conflicts").await.field("csrf");
        let listed = site.call("resolveConflicts", json!({"dataset": "goods", "key": "A"})).await;
        let id = listed["conflicts"][0]["id"].as_str().unwrap().to_owned();
        let good = [("csrf", csrf.as_str()), ("id", id.as_str()), ("winner", "left")];
        let decide = "/conflicts/decide";
        let mut other = site.visitor();
        let foreign = match token {
            Some(token) => {
                sign_in(&mut other, token, "/").await;
                other.get("/conflicts").await.field("csrf")
            }
            None => other.get("/conflicts").await.field("csrf"),
        };
        assert_ne!(foreign, csrf);
        let mut refused = vec![
            visitor.form(decide, &good[1..]),
            visitor.form(decide, &[("csrf", ""), good[1], good[2]]),
            visitor.form(decide, &[("csrf", &foreign), good[1], good[2]]),
            // A page of another server on this machine, and of elsewhere.
            visitor.form(decide, &good).header("origin", "http://127.0.0.1:1"),
            visitor.form(decide, &good).header("origin", "https://evil.example"),
            visitor.form(decide, &good).header("origin", "null"),
            visitor.form(decide, &good).header("sec-fetch-site", "same-site"),
            visitor.form(decide, &good).header("sec-fetch-site", "cross-site"),
            // A name of somebody else that leads here.
            visitor.form(decide, &good).header("host", "evil.example"),
        ];
        let mut bare = visitor.clone();
        bare.cookie = None;
        if token.is_none() {
            refused.push(bare.form(decide, &good));
        }
        for request in refused {
            let told = format!("{request:?}");
            let page = other.clone().send(request).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{told}: {}", page.text);
        }
        assert_eq!(open(site).await, 2, "nothing was decided");
        // Other pages cannot read the secret either.
        let read =
            visitor.request(Method::GET, "/conflicts").header("origin", "http://127.0.0.1:1");
        let page = visitor.clone().send(read).await;
        assert_eq!(page.header("access-control-allow-origin"), "");
        let origin = visitor.url.clone();
        let own = visitor
            .form(decide, &good)
            .header("origin", origin)
            .header("sec-fetch-site", "same-origin");
        assert_eq!(visitor.send(own).await.status, StatusCode::SEE_OTHER);
        assert_eq!(open(site).await, 1);
    }
}

#[tokio::test]
async fn a_token_of_a_proxy_in_front_is_good_for_looking_and_deciding() {
    let (site, reader, operator) = guarded().await;
    let mut visitor = site.visitor();
    let look = visitor.request(Method::GET, "/conflicts").bearer_auth(&reader);
    assert_eq!(visitor.send(look).await.status, StatusCode::OK);
    let look = visitor.request(Method::GET, "/conflicts").bearer_auth(&operator);
    let page = visitor.send(look).await;
    let (csrf, id) = (page.field("csrf"), page.field("id"));
    let fields = [("csrf", csrf.as_str()), ("id", &id), ("winner", "right")];
    let bare = visitor.form("/conflicts/decide", &fields[1..]).bearer_auth(&operator);
    assert_eq!(visitor.clone().send(bare).await.status, StatusCode::FORBIDDEN);
    let form = visitor.form("/conflicts/decide", &fields).bearer_auth(&operator);
    assert_eq!(visitor.send(form).await.status, StatusCode::SEE_OTHER);
    let wrong = visitor.request(Method::GET, "/").bearer_auth("wrong");
    assert_eq!(visitor.send(wrong).await.status, StatusCode::SEE_OTHER, "to the door");
}

#[tokio::test]
async fn forms_that_no_page_makes_are_answered() {
    let site = Site::new("", None).await;
    site.dispute().await;
    let mut visitor = site.visitor();
    let csrf = visitor.get("/conflicts").await.field("csrf");
    let csrf = ("csrf", csrf.as_str());
    for (path, fields, status, why) in [
        ("/conflicts/decide", vec![csrf], 404, "there is no conflict"),
        (
            "/conflicts/decide",
            vec![csrf, ("id", "x"), ("winner", "left")],
            404,
            "there is no conflict",
        ),
        ("/conflicts/reopen", vec![csrf, ("id", "")], 404, "there is no conflict"),
        (
            "/letters/drop",
            vec![csrf, ("dataset", "goods"), ("letter", "x")],
            400,
            "argument letters",
        ),
        (
            "/letters/retry",
            vec![csrf, ("dataset", "goods"), ("letter", "77")],
            404,
            "0 of 1 letters",
        ),
        ("/datasets/nonesuch/measure", vec![csrf], 404, "no saved dataset"),
    ] {
        let page = visitor.post(path, &fields).await;
        assert_eq!(page.status.as_u16(), status, "{path} {fields:?}: {}", page.text);
        assert!(page.text.contains(why), "{path} {fields:?}: {}", page.text);
    }
    let big = "x".repeat(70_000);
    let page = visitor.post("/conflicts/decide", &[csrf, ("id", &big)]).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    let json = visitor.request(Method::POST, "/conflicts/decide").json(&json!({"id": "x"}));
    assert_eq!(visitor.send(json).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(open(&site).await, 2);
}
