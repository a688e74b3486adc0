//! Credentials end to end: a token endpoint and a Sheets service that demands its tokens, over
//! real HTTP.

use std::sync::Mutex;
use std::time::Duration;

use lockstep_workspace::{OAuthClient as Known, Options, ServiceAccount, Workspace};
use serde_json::{Value, json};

use super::stub::{Answer, Stub};
use crate::{
    Auth, Backoff, Config, CredentialKind, Credentials, Google, Kind, LEAST_SCOPES, NewSpreadsheet,
    Retry,
};

const KEY: &str = include_str!("../../../workspace/tests/data/test-key.pem");
const OTHER_KEY: &str = include_str!("../../../workspace/tests/data/other-key.pem");
pub(super) const EMAIL: &str = "robot@lockstep.iam.example";
pub(super) const BOOK: &str = r#"{"spreadsheetId":"id","properties":{"title":"T"},"sheets":[]}"#;

/// A workspace that demands tokens, with one service account and one OAuth client.
pub(super) struct Guarded {
    pub(super) url: String,
    _workspace: Workspace,
}

impl Guarded {
    pub(super) async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let known = Known { client_id: "app".into(), client_secret: "app-secret".into() };
        let options = Options::new()
            .require_auth(true)
            .owner("ann@company.example")
            .service_account(ServiceAccount::from_key_file(&key(&url, KEY)).unwrap())
            .oauth_client(known);
        let workspace = Workspace::in_memory_with(options).unwrap();
        let served = workspace.clone();
        tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
        Self { url, _workspace: workspace }
    }

    pub(super) fn google(&self, credentials: Credentials) -> Google {
        google(&self.url, credentials, least())
    }

    pub(super) fn robot(&self) -> Credentials {
        Credentials::from_json(&key(&self.url, KEY)).unwrap()
    }
}

pub(super) fn least() -> Vec<String> {
    LEAST_SCOPES.iter().map(|scope| (*scope).to_owned()).collect()
}

pub(super) fn google(url: &str, credentials: Credentials, scopes: Vec<String>) -> Google {
    let backoff = Backoff { attempts: 2, base: Duration::from_millis(1), ..Backoff::default() };
    let auth = Auth::Credentials(credentials, scopes);
    Google::new(Config { auth, backoff, ..Config::local(url) }).unwrap()
}

fn key(url: &str, pem: &str) -> String {
    json!({
        "type": "service_account", "client_email": EMAIL, "private_key": pem,
        "token_uri": format!("{url}/token"),
    })
    .to_string()
}

fn book() -> NewSpreadsheet {
    NewSpreadsheet { title: "Fleet".into(), sheets: vec![], locale: None, time_zone: None }
}

#[tokio::test]
async fn a_service_account_signs_in_and_acts_for_itself_or_for_a_person() {
    let world = Guarded::new().await;
    let robot = world.google(world.robot());
    let made = robot.create_spreadsheet(&book()).await.unwrap();
    assert_eq!(robot.spreadsheet(&made.id).await.unwrap().title, "Fleet");
    assert_eq!(robot.about().await.unwrap().email.as_deref(), Some(EMAIL));
    assert_eq!(robot.credentials().unwrap().email(), Some(EMAIL));
    let state = robot.token_state().await.unwrap().unwrap();
    assert!(state.expires_in.unwrap() > Duration::from_secs(3_500), "{state:?}");
    let person = world.robot().for_subject("ann@company.example").unwrap();
    let person = world.google(person);
    assert_eq!(person.about().await.unwrap().email.as_deref(), Some("ann@company.example"));
}

#[tokio::test]
async fn a_token_has_the_scopes_that_were_asked_for_and_no_others() {
    let world = Guarded::new().await;
    let readonly = "https://www.googleapis.com/auth/spreadsheets.readonly".to_owned();
    let reader = google(&world.url, world.robot(), vec![readonly]);
    reader.probe_sheets().await.unwrap();
    let refused = reader.create_spreadsheet(&book()).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Forbidden, "{refused}");
    assert!(reader.about().await.is_err());
}

#[tokio::test]
async fn a_key_that_is_not_accepted_is_said_so_without_another_try() {
    let world = Guarded::new().await;
    let wrong = Credentials::from_json(&key(&world.url, OTHER_KEY)).unwrap();
    let error = world.google(wrong).spreadsheet("id").await.unwrap_err();
    assert_eq!((error.kind, error.retry), (Kind::Unauthenticated, Retry::Permanent), "{error}");
    assert!(error.message.contains("Invalid JWT Signature"), "{error}");
    assert!(error.message.contains("lockstep doctor"), "{error}");
    let text = format!("{error} {error:?}");
    assert!(
        !text.contains("PRIVATE KEY") && !text.contains(OTHER_KEY.lines().nth(3).unwrap()),
        "{text}"
    );
}

/// A stub with a token endpoint that counts, beside a service that wants the token `good`.
async fn counted(delay: Duration) -> Stub {
    Stub::start(move |asked, _| {
        if asked.path() == "/token" {
            std::thread::sleep(delay);
            return Answer::Json(
                200,
                json!({"access_token": "good", "expires_in": 3599, "token_type": "Bearer", "scope": "a b"})
                    .to_string(),
            );
        }
        match asked.header("authorization") {
            Some("Bearer good") => Answer::Json(200, BOOK.into()),
            _ => Answer::Json(401, json!({"error": {"code": 401, "message": "no", "status": "UNAUTHENTICATED"}}).to_string()),
        }
    })
    .await
}

fn person(url: &str, lockstep: bool) -> Credentials {
    let json = json!({
        "type": "authorized_user", "client_id": "app", "client_secret": "app-secret",
        "refresh_token": "1//again", "token_uri": format!("{url}/token"), "lockstep": lockstep,
    });
    Credentials::from_json(&json.to_string()).unwrap()
}

fn tokens_of(stub: &Stub) -> usize {
    stub.asked().iter().filter(|asked| asked.path() == "/token").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_ask_for_one_token() {
    let stub = counted(Duration::from_millis(100)).await;
    let google = google(&stub.url, person(&stub.url, true), least());
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let google = google.clone();
            tokio::spawn(async move { google.spreadsheet("id").await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(tokens_of(&stub), 1);
    let state = google.token_state().await.unwrap().unwrap();
    assert_eq!(state.granted, Some(vec!["a".to_owned(), "b".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_waited_for_a_token_share_its_failure() {
    let stub = Stub::start(|_, _| {
        std::thread::sleep(Duration::from_millis(50));
        Answer::Json(
            400,
            r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#
                .into(),
        )
    })
    .await;
    let google = google(&stub.url, person(&stub.url, true), least());
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let google = google.clone();
            tokio::spawn(async move { google.spreadsheet("id").await })
        })
        .collect();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error.kind, Kind::Unauthenticated);
        assert!(error.message.contains("`lockstep login`"), "{error}");
        assert!(error.message.contains("expired or revoked"), "{error}");
    }
    assert!(tokens_of(&stub) < 5, "{}", tokens_of(&stub));
}

#[tokio::test]
async fn a_silent_token_endpoint_ends_in_a_time_out_and_never_in_a_question() {
    let stub = Stub::start(|_, _| Answer::Hang).await;
    let config = stub.config();
    let timeouts = crate::Timeouts { read: Duration::from_secs(5), ..config.timeouts.clone() };
    let auth = Auth::Credentials(person(&stub.url, true), least());
    let google = Google::new(Config { auth, timeouts, ..config }).unwrap();
    let began = std::time::Instant::now();
    let error = google.spreadsheet("id").await.unwrap_err();
    assert_eq!((error.kind, error.retry), (Kind::Timeout, Retry::Temporary), "{error}");
    assert!(error.message.contains("no access token within 0.3 s"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(stub.asked().iter().all(|asked| asked.path() == "/token"));
}

/// A gateway's page, a cut answer and a refused connection are worth another try; each says whose
/// address it is.
#[tokio::test]
async fn failures_of_the_token_endpoint_are_told_apart() {
    let cases: [(fn() -> Answer, Kind); 4] = [
        (|| Answer::Raw(502, "text/html", String::new(), "<b>bad</b>".into()), Kind::Unavailable),
        (|| Answer::Json(200, "{}".into()), Kind::Garbled),
        (|| Answer::Reset, Kind::Network),
        (|| Answer::Json(503, r#"{"error":"temporarily_unavailable"}"#.into()), Kind::Unavailable),
    ];
    for (answer, kind) in cases {
        let stub = Stub::start(move |_, _| answer()).await;
        let error = google(&stub.url, person(&stub.url, true), least())
            .spreadsheet("id")
            .await
            .unwrap_err();
        assert_eq!((error.kind, error.retry), (kind, Retry::Temporary), "{error}");
        assert!(error.message.contains("token endpoint"), "{error}");
        assert_eq!(tokens_of(&stub), 2, "{error}");
    }
    let error = google("http://127.0.0.1:9", person("http://127.0.0.1:9", false), least())
        .spreadsheet("id")
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Network, "{error}");
}

/// The tokens that the client came to hold.
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[tokio::test]
async fn a_token_that_was_taken_back_is_replaced_once() {
    let world = Guarded::new().await;
    let config = Config {
        auth: Auth::Credentials(world.robot(), least()),
        secrets: |secret| SEEN.lock().unwrap().push(secret.to_owned()),
        ..Config::local(&world.url)
    };
    let google = Google::new(config).unwrap();
    let made = google.create_spreadsheet(&book()).await.unwrap();
    let tokens = || -> Vec<String> {
        SEEN.lock().unwrap().iter().filter(|text| text.starts_with("ya29.")).cloned().collect()
    };
    let first = tokens();
    assert_eq!(first.len(), 1);
    let client = crate::connect::plain(false, Duration::from_secs(2)).unwrap();
    crate::auth::endpoint::revoke(&client, &format!("{}/token", world.url), &first[0])
        .await
        .unwrap();
    assert_eq!(google.spreadsheet(&made.id).await.unwrap().title, "Fleet");
    assert_eq!(tokens().len(), 2);
    assert!(SEEN.lock().unwrap().iter().any(|text| text.contains("PRIVATE KEY")));
    // A service that refuses every token is not asked for ever.
    let stub = Stub::start(|asked, _| match asked.path() {
        "/token" => {
            Answer::Json(200, json!({"access_token": "bad", "expires_in": 3599}).to_string())
        }
        _ => Answer::Json(
            401,
            json!({"error": {"code": 401, "message": "no", "status": "UNAUTHENTICATED"}})
                .to_string(),
        ),
    })
    .await;
    let stubborn = super::auth::google(&stub.url, person(&stub.url, true), least());
    assert_eq!(stubborn.spreadsheet("id").await.unwrap_err().kind, Kind::Unauthenticated);
    assert_eq!(tokens_of(&stub), 2);
}

#[tokio::test]
async fn an_external_account_exchanges_its_token_and_may_act_as_a_service_account() {
    let stub = Stub::start(|asked, _| {
        let said = String::from_utf8_lossy(&asked.body).into_owned();
        match asked.path() {
            "/subject" => Answer::Json(200, r#"{"token":"from-the-url"}"#.into()),
            "/sts" => {
                assert!(said.contains("subject_token=from-the-"), "{said}");
                Answer::Json(
                    200,
                    json!({"access_token": "good", "expires_in": 3599, "token_type": "Bearer"})
                        .to_string(),
                )
            }
            "/act" => {
                assert_eq!(asked.header("authorization"), Some("Bearer good"));
                Answer::Json(
                    200,
                    json!({"accessToken": "robots", "expireTime": "2099-01-01T00:00:00Z"})
                        .to_string(),
                )
            }
            _ => match asked.header("authorization") {
                Some("Bearer good" | "Bearer robots") => Answer::Json(200, BOOK.into()),
                other => panic!("{other:?}"),
            },
        }
    })
    .await;
    let folder = std::env::temp_dir().join(format!("lockstep-subject-{}", std::process::id()));
    std::fs::write(&folder, "from-the-file").unwrap();
    let account = |source: Value, act: Option<String>| {
        let mut json = json!({
            "type": "external_account", "audience": "//iam.googleapis.com/p",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": format!("{}/sts", stub.url), "credential_source": source,
        });
        if let Some(act) = act {
            json["service_account_impersonation_url"] = act.into();
        }
        Credentials::from_json(&json.to_string()).unwrap()
    };
    let by_url = json!({"url": format!("{}/subject", stub.url), "headers": {"x-a": "b"},
        "format": {"type": "json", "subject_token_field_name": "token"}});
    let act = Some(format!("{}/act", stub.url));
    for (source, act) in [(json!({"file": folder}), None), (by_url, act)] {
        let credentials = account(source, act);
        assert_eq!(credentials.kind(), CredentialKind::ExternalAccount);
        let google = google(&stub.url, credentials, least());
        assert_eq!(google.spreadsheet("id").await.unwrap().id, "id");
    }
    assert!(
        stub.asked().iter().any(|asked| asked.header("authorization") == Some("Bearer robots"))
    );
    std::fs::remove_file(&folder).unwrap();
    let gone = account(json!({"file": folder}), None);
    let error = google(&stub.url, gone, least()).spreadsheet("id").await.unwrap_err();
    assert_eq!((error.kind, error.retry), (Kind::Setup, Retry::Permanent), "{error}");
}

#[tokio::test]
async fn a_machine_asks_its_metadata_server() {
    let stub = Stub::start(|asked, _| match asked.path() {
        "/machine" => {
            assert_eq!(asked.header("metadata-flavor"), Some("Google"));
            assert_eq!(asked.params("scopes"), [least().join(",")]);
            Answer::Json(
                200,
                json!({"access_token": "good", "expires_in": 3599, "token_type": "Bearer"})
                    .to_string(),
            )
        }
        _ => {
            assert_eq!(asked.header("authorization"), Some("Bearer good"));
            Answer::Json(200, BOOK.into())
        }
    })
    .await;
    let google =
        google(&stub.url, Credentials::metadata(Some(format!("{}/machine", stub.url))), least());
    assert_eq!(google.spreadsheet("id").await.unwrap().id, "id");
}

#[test]
fn what_are_no_credentials_is_refused_in_words_and_never_repeated() {
    let secret = "very-secret-text";
    for (json, word) in [
        (secret.to_owned(), "no JSON object"),
        (json!({"type": "service_account", "private_key": secret}).to_string(), "incomplete"),
        (json!({"type": "service_account", "private_key": secret, "client_email": "a@b", "token_uri": "http://elsewhere.example/t"}).to_string(), "must be https"),
        (json!({"type": "authorized_user", "client_id": "a", "client_secret": secret}).to_string(), "refresh_token is missing"),
        (json!({"type": "impersonated_service_account", "x": secret}).to_string(), "not supported"),
        (json!({"type": "external_account", "audience": "a", "subject_token_type": "b", "token_url": "https://x.example", "credential_source": {"executable": {"command": secret}}}).to_string(), "credential_source"),
        (json!({"type": "external_account", "audience": "a", "subject_token_type": "b", "token_url": "https://x.example", "credential_source": {"url": "https://x.example/", "headers": {"x": format!("{secret}\n")}, "format": {"type": "text"}}}).to_string(), "headers"),
        (json!({"installed": {"client_secret": secret}}).to_string(), "lockstep login"),
        (json!({"type": "strange", "x": secret}).to_string(), "strange"),
        (json!({"x": secret}).to_string(), "none"),
    ] {
        let error = Credentials::from_json(&json).unwrap_err();
        assert_eq!(error.kind, Kind::Setup);
        let text = format!("{error} {error:?}");
        assert!(text.contains(word), "{text}");
        assert!(!text.contains(secret), "{text}");
    }
    let person = person("https://x.example", false);
    assert!(person.clone().for_subject("a@b.example").is_err());
    assert!(!format!("{person:?}").contains("again"));
}
