//! Tokens: service accounts, the installed flow, scopes. The keys in `data/` are for these tests
//! alone and open nothing.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lockstep_workspace::{OAuthClient, Options, ServiceAccount};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use serde_json::{Value, json};

use crate::server::{Answer, Server};

const KEY: &str = include_str!("data/test-key.pem");
const OTHER_KEY: &str = include_str!("data/other-key.pem");
const EMAIL: &str = "robot@lockstep.iam.example";
const TOKEN_URI: &str = "http://127.0.0.1/token";
const SHEETS: &str = "https://www.googleapis.com/auth/spreadsheets";
/// 2026-01-01 in seconds.
const NOW: i64 = 1_767_225_600;

fn key_file(key: &str) -> String {
    json!({"type": "service_account", "client_email": EMAIL, "private_key": key, "token_uri": TOKEN_URI}).to_string()
}

fn sign(key: &str, claims: &Value) -> String {
    let body: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    let pair = KeyPair::from_pkcs8(&STANDARD.decode(body).unwrap()).unwrap();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "RS256", "typ": "JWT"})), part(claims));
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(
        &ring::signature::RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn claims() -> Value {
    json!({"iss": EMAIL, "scope": SHEETS, "aud": TOKEN_URI, "iat": NOW, "exp": NOW + 3595})
}

async fn server() -> Server {
    let client = OAuthClient { client_id: "app".to_owned(), client_secret: "shh".to_owned() };
    let options = Options::new()
        .require_auth(true)
        .fixed_clock(NOW * 1000)
        .service_account(ServiceAccount::from_key_file(&key_file(KEY)).unwrap())
        .oauth_client(client);
    Server::with(options).await
}

async fn post_form(server: &Server, path: &str, fields: &[(&str, &str)]) -> Answer {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let body: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    server.send("POST", path, "application/x-www-form-urlencoded", body.join("&")).await
}

async fn assert_jwt(server: &Server, assertion: &str) -> Answer {
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    post_form(server, "/token", &[("grant_type", grant), ("assertion", assertion)]).await
}

async fn get(server: &Server, path: &str, token: &str) -> Answer {
    Server::answer(server.client.get(format!("{}{path}", server.url)).bearer_auth(token)).await
}

#[tokio::test]
async fn a_service_account_gets_a_token_that_opens_its_scopes() {
    let server = server().await;
    let answer = assert_jwt(&server, &sign(KEY, &claims())).await.ok();
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(3599)));
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(get(&server, "/v4/spreadsheets/none", token).await.status, 404);
    let drive = get(&server, "/drive/v3/files", token).await;
    assert_eq!(drive.error(), (403, "Request had insufficient authentication scopes.".to_owned()));
    assert_eq!(drive.json()["error"]["errors"][0]["reason"], "insufficientPermissions");
    let mut readonly = claims();
    readonly["scope"] = json!("https://www.googleapis.com/auth/spreadsheets.readonly");
    let token = assert_jwt(&server, &sign(KEY, &readonly)).await.ok()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(get(&server, "/v4/spreadsheets/none", &token).await.status, 404);
    let write = server
        .client
        .post(format!("{}/v4/spreadsheets", server.url))
        .bearer_auth(&token)
        .json(&json!({}));
    let write = Server::answer(write).await;
    assert_eq!(write.status, 403);
    assert_eq!(write.json()["error"]["details"][0]["reason"], "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    let revoked = post_form(&server, "/revoke", &[("token", &token)]).await;
    assert_eq!(revoked.status, 200);
    assert_eq!(get(&server, "/v4/spreadsheets/none", &token).await.status, 401);
}

#[tokio::test]
async fn assertions_that_do_not_hold_are_refused() {
    let server = server().await;
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    for (assertion, description) in [
        (sign(OTHER_KEY, &claims()), "Invalid JWT Signature."),
        (sign(KEY, &with("iss", json!("nobody@x.example"))), "Invalid grant: account not found"),
        (sign(KEY, &with("aud", json!("http://elsewhere/token"))), "Failed audience check"),
        (sign(KEY, &with("exp", json!(NOW + 7200))), "short-lived token"),
        (
            sign(
                KEY,
                &json!({"iss": EMAIL, "scope": SHEETS, "aud": TOKEN_URI, "iat": NOW - 9000, "exp": NOW - 6000}),
            ),
            "short-lived token",
        ),
        ("a.b".to_owned(), "three parts"),
        (String::from("x"), "three parts"),
    ] {
        let answer = assert_jwt(&server, &assertion).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["error"], "invalid_grant");
        let found = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert!(found.contains(description), "{found}");
    }
    // An unsigned assertion, and one whose header says so.
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = format!("{}.{}.", part(json!({"alg": "none"})), part(claims()));
    assert_eq!(assert_jwt(&server, &none).await.status, 400);
    assert_eq!(
        post_form(&server, "/token", &[("grant_type", "password")]).await.json()["error"],
        "unsupported_grant_type"
    );
    assert_eq!(post_form(&server, "/token", &[]).await.status, 400);
}

#[tokio::test]
async fn calls_without_a_good_token_get_the_recorded_answers() {
    let server = server().await;
    let nobody = server.get("/v4/spreadsheets/none").await;
    assert_eq!(nobody.status, 403);
    assert_eq!(nobody.json()["error"]["status"], "PERMISSION_DENIED");
    let wrong = get(&server, "/v4/spreadsheets/none", "ya29.wrong").await;
    assert_eq!(wrong.status, 401);
    assert_eq!(wrong.json()["error"]["status"], "UNAUTHENTICATED");
    assert!(wrong.error().1.starts_with("Request had invalid authentication credentials."));
    assert!(wrong.header("www-authenticate").contains("invalid_token"));
    let drive = get(&server, "/drive/v3/files", "ya29.wrong").await;
    assert_eq!(drive.error(), (401, "Invalid Credentials".to_owned()));
    assert_eq!(drive.json()["error"]["errors"][0]["reason"], "authError");
    // Nothing can be set, and nothing is shown, past the tokens.
    assert_eq!(server.delete("/_lockstep/faults").await.status, 403);
    let account = server
        .send("PUT", "/_lockstep/service-accounts", "application/json", key_file(OTHER_KEY))
        .await;
    assert_eq!(account.status, 403);
    assert_eq!(server.get("/").await.status, 403);
}

/// Asks for consent, decides, and returns the address the browser is sent to.
async fn consent(server: &Server, extra: &str, decision: &str) -> String {
    let page = server
        .get(&format!("/o/oauth2/auth?client_id=app&response_type=code&redirect_uri=http://localhost:9/cb&scope={SHEETS}&state=a%26b{extra}"))
        .await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("See, edit, create and delete all spreadsheets"));
    let ticket = page
        .text
        .split("name=\"ticket\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let client =
        crate::server::client().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = client
        .post(format!("{}/o/oauth2/consent", server.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("ticket={ticket}&decision={decision}"));
    let answer = Server::answer(request).await;
    assert_eq!(answer.status, 303);
    // A ticket decides once.
    let again =
        post_form(server, "/o/oauth2/consent", &[("ticket", &ticket), ("decision", "allow")]).await;
    assert_eq!(again.status, 400);
    answer.header("location").to_owned()
}

fn query(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    let value = query.split('&').find_map(|part| part.strip_prefix(&format!("{name}=")))?;
    Some(value.replace("%2F", "/").replace("%2D", "-").replace("%5F", "_").replace("%26", "&"))
}

#[tokio::test]
async fn the_installed_flow() {
    let server = server().await;
    let denied = consent(&server, "", "deny").await;
    assert_eq!(query(&denied, "error").as_deref(), Some("access_denied"));
    let verifier = "a-verifier-of-some-length-0123456789-abcdefgh";
    let challenge =
        URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes()));
    let extra = format!("&code_challenge={challenge}&code_challenge_method=S256");
    let fields = |code: &str, verifier: &str| {
        [
            ("grant_type", "authorization_code"),
            ("client_id", "app"),
            ("client_secret", "shh"),
            ("redirect_uri", "http://localhost:9/cb"),
        ]
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .into_iter()
        .chain([
            ("code".to_owned(), code.to_owned()),
            ("code_verifier".to_owned(), verifier.to_owned()),
        ])
        .collect::<Vec<_>>()
    };
    let exchange = async |fields: Vec<(String, String)>| {
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        post_form(&server, "/token", &fields).await
    };
    let allowed = consent(&server, &extra, "allow").await;
    assert!(allowed.starts_with("http://localhost:9/cb?"));
    assert_eq!(query(&allowed, "state").as_deref(), Some("a&b"));
    let code = query(&allowed, "code").unwrap();
    assert_eq!(exchange(fields(&code, "wrong")).await.status, 400);
    let code = query(&consent(&server, &extra, "allow").await, "code").unwrap();
    let tokens = exchange(fields(&code, verifier)).await.ok();
    assert_eq!(tokens["scope"], SHEETS);
    assert_eq!(
        get(&server, "/v4/spreadsheets/none", tokens["access_token"].as_str().unwrap())
            .await
            .status,
        404
    );
    assert_eq!(exchange(fields(&code, verifier)).await.status, 400, "a code is good once");
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("client_secret", "shh"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    let renewed = post_form(&server, "/token", &refresh).await.ok();
    assert_eq!(
        get(&server, "/v4/spreadsheets/none", renewed["access_token"].as_str().unwrap())
            .await
            .status,
        404
    );
    let stranger = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("client_secret", "no"),
        ("refresh_token", "x"),
    ];
    assert_eq!(post_form(&server, "/token", &stranger).await.json()["error"], "invalid_client");
}

#[tokio::test]
async fn consent_is_not_asked_for_strangers() {
    let server = server().await;
    for query in [
        "client_id=other&response_type=code&redirect_uri=http://localhost:9/&scope=s",
        "client_id=app&response_type=token&redirect_uri=http://localhost:9/&scope=s",
        "client_id=app&response_type=code&redirect_uri=http://evil.example/&scope=s",
        "client_id=app&response_type=code&redirect_uri=http://localhost.evil.example/&scope=s",
        "client_id=app&response_type=code&redirect_uri=http://localhost:9/",
        "client_id=app&response_type=code&redirect_uri=http://localhost:9/&scope=s&code_challenge=x&code_challenge_method=plain",
    ] {
        assert_eq!(server.get(&format!("/o/oauth2/auth?{query}")).await.status, 400, "{query}");
    }
}

#[test]
fn key_files_are_checked_without_being_told() {
    let broken =
        json!({"client_email": EMAIL, "private_key": "secret-secret", "token_uri": TOKEN_URI})
            .to_string();
    for text in ["{", "{}", broken.as_str()] {
        let error = ServiceAccount::from_key_file(text).unwrap_err().to_string();
        assert!(!error.contains("secret-secret"), "{error}");
    }
}
