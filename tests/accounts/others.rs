//! Credentials that other tools wrote, through the real program: a person's (`authorized_user`) and somebody else's
//! token that is exchanged (`external_account`).

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State, http::StatusCode};
use reqwest::Url;

use super::*;

/// Signs a person in as gcloud would, and returns the refresh token.
async fn signed_in(office: &Office) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let redirect = format!("http://{}", listener.local_addr().unwrap());
    let (sent, code) = tokio::sync::oneshot::channel();
    let sent = Arc::new(Mutex::new(Some(sent)));
    let take = async |State(sent): State<Arc<Mutex<Option<_>>>>, uri: axum::http::Uri| {
        let url = Url::parse(&format!("http://x{uri}")).unwrap();
        let code =
            url.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned());
        if let (Some(code), Some(sent)) = (code, sent.lock().unwrap().take()) {
            let sent: tokio::sync::oneshot::Sender<String> = sent;
            sent.send(code).unwrap();
        }
    };
    let app = Router::new().fallback(take).with_state(sent);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let scope =
        "https://www.googleapis.com/auth/spreadsheets https://www.googleapis.com/auth/drive.file";
    let address = Url::parse_with_params(
        &format!("{}/o/oauth2/v2/auth", office.url),
        [
            ("client_id", "app"),
            ("redirect_uri", &redirect),
            ("response_type", "code"),
            ("scope", scope),
            ("access_type", "offline"),
            ("prompt", "consent"),
            ("state", "s"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
        ],
    )
    .unwrap();
    agree(office, address.as_str(), "allow").await;
    let code =
        tokio::time::timeout(std::time::Duration::from_secs(20), code).await.unwrap().unwrap();
    // RFC 7636, appendix B: the verifier of that challenge.
    let given = ask(
        office,
        &[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &redirect),
            ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ],
    )
    .await;
    given["refresh_token"].as_str().unwrap_or_else(|| panic!("{given}")).to_owned()
}

/// Asks the token endpoint as the client.
async fn ask(office: &Office, fields: &[(&str, &str)]) -> Value {
    let client = [("client_id", "app"), ("client_secret", "app-secret-0815")];
    let form = Url::parse_with_params("http://x", fields.iter().chain(&client)).unwrap();
    let request = http().post(format!("{}/token", office.url));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let text =
        request.body(form.query().unwrap().to_owned()).send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap()
}

fn uses(office: &Office, credentials: &Value) {
    fs::write(office.path("adc.json"), credentials.to_string()).unwrap();
    private(&office.path("adc.json"));
    office.configure(&format!("credentials = \"${{file:{}}}\"", office.path("adc.json").display()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_credentials_of_another_tool_are_used_and_their_end_is_told() {
    let office = Office::new().await;
    let refresh = signed_in(&office).await;
    let person = |refresh: &str| {
        json!({"type": "authorized_user", "client_id": "app", "client_secret": "app-secret-0815",
            "refresh_token": refresh, "token_uri": format!("{}/token", office.url)})
    };
    uses(&office, &person(&refresh));
    made(office.command());
    let doctor = office.run(&["doctor"]);
    assert!(
        doctor.status.success() && both(&doctor).contains(&format!("shared with {ANN}")),
        "{}",
        both(&doctor)
    );
    // Where gcloud keeps them they are found, too.
    office.configure("");
    let mut command = office.command();
    command.env("GOOGLE_APPLICATION_CREDENTIALS", office.path("adc.json"));
    made(command);
    uses(&office, &person("1//taken-back"));
    let output = office.run(&MAKE);
    let text = both(&output);
    assert!(!output.status.success() && text.contains("unauthenticated"), "{text}");
    assert!(!text.contains("taken-back") && !text.contains("app-secret-0815"), "{text}");
    assert_eq!(office.run(&["doctor"]).status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_token_is_exchanged_and_a_refusal_is_told() {
    let office = Office::new().await;
    let refresh = signed_in(&office).await;
    let given = ask(&office, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await;
    let token = given["access_token"].as_str().unwrap().to_owned();
    // The service that exchanges tokens: it takes one subject, and no other.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sts = format!("http://{}/sts", listener.local_addr().unwrap());
    let exchange = async |State(token): State<String>, body: String| {
        let well =
            body.contains("subject_token=from-the-company") && body.contains("token-exchange");
        match well {
            true => (
                StatusCode::OK,
                Json(json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer",
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"})),
            ),
            false => (
                StatusCode::BAD_REQUEST,
                Json(json!({"error": "invalid_grant",
                "error_description": "the subject token is not good"})),
            ),
        }
    };
    let app = Router::new().fallback(exchange).with_state(token);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let account = json!({"type": "external_account", "audience": "//iam.googleapis.com/p",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": sts,
        "credential_source": {"file": office.path("subject")}});
    uses(&office, &account);
    fs::write(office.path("subject"), "from-the-company").unwrap();
    made(office.command());
    assert!(
        both(&office.run(&["doctor"])).contains("external account"),
        "{}",
        both(&office.run(&["doctor"]))
    );
    fs::write(office.path("subject"), "planted-subject").unwrap();
    let output = office.run(&MAKE);
    let text = both(&output);
    assert!(!output.status.success() && text.contains("unauthenticated"), "{text}");
    assert!(!text.contains("planted-subject"), "{text}");
    fs::remove_file(office.path("subject")).unwrap();
    let text = both(&office.run(&MAKE));
    assert!(text.contains("subject"), "the file that is missing is named: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_asked_where_the_settings_or_the_environment_say_so() {
    let office = Office::new().await;
    let refresh = signed_in(&office).await;
    let given = ask(&office, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await;
    let token = given["access_token"].as_str().unwrap().to_owned();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let answer = async |State(token): State<String>, headers: axum::http::HeaderMap| {
        let google = headers.get("metadata-flavor").is_some_and(|value| value == "Google");
        let status = if google { StatusCode::OK } else { StatusCode::FORBIDDEN };
        (status, Json(json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})))
    };
    let place = "/computeMetadata/v1/instance/service-accounts/default/token";
    let app = Router::new().route(place, axum::routing::get(answer)).with_state(token);
    tokio::spawn(async move { axum::serve(listener, app).await });
    for google in ["metadataServer = true", ""] {
        office.configure(google);
        let mut command = office.command();
        command.env("GCE_METADATA_HOST", &host);
        made(command);
        let mut command = office.command();
        let output = command.env("GCE_METADATA_HOST", &host).arg("doctor").output().unwrap();
        assert!(both(&output).contains("from the metadata server"), "{}", both(&output));
    }
    // Credentials that are named come first.
    office.configure(&office.robot_key());
    let mut command = office.command();
    let output = command.env("GCE_METADATA_HOST", &host).arg("doctor").output().unwrap();
    assert!(both(&output).contains("from google.credentials"), "{}", both(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_that_signs_people_in_may_stand_in_the_settings() {
    let office = Office::new().await;
    let client = office.path("client.json");
    office.configure(&format!("client = \"${{file:{}}}\"", client.display()));
    private(&client);
    let text = both(&office.run(&["login", "--timeout", "1"]));
    assert!(text.contains("Open this address") && text.contains("within 1 s"), "{text}");
    assert!(!text.contains("app-secret-0815"), "{text}");
    fs::set_permissions(&client, fs::Permissions::from_mode(0o644)).unwrap();
    let text = both(&office.run(&["login", "--timeout", "1"]));
    assert!(text.contains("chmod 600") && !text.contains("Open this address"), "{text}");
}
