//! The installed flow: a person agrees in the browser, and the answer comes to loopback
//! (RFC 8252), with PKCE (RFC 7636) and `state`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::crypto::ring;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use zeroize::Zeroizing;

use super::endpoint;
use super::{Credentials, Failed, OAuthClient, Source, UserSource, query, setup};
use crate::client::Endpoint;
use crate::connect::{self, Plain};
use crate::{Error, Kind, Result, Retry};

/// The longest head of a request from the browser, in bytes.
const LONGEST: usize = 16 * 1024;

/// How long a connection may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);

/// A sign-in that waits for its person.
#[derive(Debug)]
pub struct Login {
    client: OAuthClient,
    listener: TcpListener,
    redirect: String,
    verifier: Zeroizing<String>,
    state: Zeroizing<String>,
    scopes: Vec<String>,
    url: String,
}

/// What a sign-in gave.
#[derive(Debug)]
pub struct SignedIn {
    /// The credentials.
    pub credentials: Credentials,
    /// The same as text, to be kept sealed: whoever has it can act for the person.
    pub json: Zeroizing<String>,
}

/// What a connection to loopback turned out to be.
enum Came {
    Code(String),
    Refused(String),
    Other,
}

impl Login {
    /// Begins: listens on 127.0.0.1 (`port` 0 takes a free one) and makes the address for the
    /// person's browser.
    ///
    /// # Errors
    /// [`Kind::Setup`] if the port is taken.
    pub async fn begin(client: OAuthClient, scopes: &[String], port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| {
            setup(&format!("port {port} of 127.0.0.1 cannot be listened on: {error}"))
        })?;
        let port = listener.local_addr().map_err(|error| setup(&error.to_string()))?.port();
        let redirect = format!("http://127.0.0.1:{port}");
        let (verifier, state) = (random()?, random()?);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let question = query::write(&[
            ("client_id", &client.id),
            ("redirect_uri", &redirect),
            ("response_type", "code"),
            ("scope", &scopes.join(" ")),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("state", &state),
            ("access_type", "offline"),
            // Without it Google gives no refresh token to somebody who agreed before.
            ("prompt", "consent"),
        ]);
        let joint = if client.auth_uri.contains('?') { '&' } else { '?' };
        let url = format!("{}{joint}{question}", client.auth_uri);
        Ok(Self { client, listener, redirect, verifier, state, scopes: scopes.to_vec(), url })
    }

    /// Returns the address that the person must open; it holds no secret.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits for the person, for at most `limit`, and exchanges what comes for credentials.
    ///
    /// # Errors
    /// [`Kind::Timeout`] when nobody agreed in time, [`Kind::Unauthenticated`] when the person
    /// declined, left out a scope, or no lasting credentials were given.
    pub async fn finish(self, limit: Duration) -> Result<SignedIn> {
        let waited = tokio::time::timeout(limit, self.answer()).await.map_err(|_| {
            Error::new(
                Kind::Timeout,
                Retry::Temporary,
                "login",
                format!("nobody agreed in the browser within {} s", limit.as_secs()),
            )
        })?;
        let code = waited?;
        let client = plain(&self.client.token_uri)?;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("client_id", &self.client.id),
            ("client_secret", self.client.secret.reveal()),
            ("redirect_uri", &self.redirect),
            ("code_verifier", &self.verifier),
        ];
        let asked = endpoint::ask(
            &client,
            &self.client.token_uri,
            &fields,
            "sign in again: `lockstep login`",
        );
        let asked = tokio::time::timeout(Duration::from_secs(30), asked).await.map_err(|_| {
            refused(Kind::Timeout, "the token endpoint did not answer within 30 s".into())
        })?;
        let given = asked.map_err(|failed| failed.into_error("login"))?;
        let granted = given.scope.unwrap_or_else(|| self.scopes.join(" "));
        let missing: Vec<&str> = self
            .scopes
            .iter()
            .map(String::as_str)
            .filter(|scope| !granted.split_whitespace().any(|got| got == *scope))
            .collect();
        if !missing.is_empty() {
            return Err(refused(
                Kind::Unauthenticated,
                format!(
                    "not everything was agreed to: {} is missing; run `lockstep login` again and leave every box ticked",
                    missing.join(", ")
                ),
            ));
        }
        let refresh = given.refresh.ok_or_else(|| {
            refused(
                Kind::Unauthenticated,
                "no refresh token was given, so that the sign-in would end within the hour; take the access back at https://myaccount.google.com/connections and run `lockstep login` again".into(),
            )
        })?;
        let user = UserSource {
            client_id: self.client.id.clone(),
            client_secret: self.client.secret.reveal().to_owned(),
            refresh_token: refresh.reveal().to_owned(),
            token_uri: self.client.token_uri.clone(),
            lockstep: true,
            account: None,
        };
        let json = user.to_json();
        Ok(SignedIn { credentials: Credentials(Source::User(user)), json })
    }

    /// Serves loopback until the answer to this very question comes.
    async fn answer(&self) -> Result<String> {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else { continue };
            // One slow or silent connection must not keep the browser waiting for long.
            match tokio::time::timeout(PATIENCE, self.hear(stream)).await {
                Ok(Some(Came::Code(code))) => return Ok(code),
                Ok(Some(Came::Refused(why))) => {
                    return Err(refused(
                        Kind::Unauthenticated,
                        format!(
                            "the sign-in was declined ({why}); run `lockstep login` again to agree"
                        ),
                    ));
                }
                Ok(Some(Came::Other) | None) | Err(_) => {}
            }
        }
    }

    async fn hear(&self, mut stream: TcpStream) -> Option<Came> {
        let mut head = Vec::new();
        let mut piece = [0; 2048];
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            let read = stream.read(&mut piece).await.ok()?;
            head.extend_from_slice(piece.get(..read).filter(|piece| !piece.is_empty())?);
            if head.len() > LONGEST {
                return None;
            }
        }
        let head = String::from_utf8_lossy(&head);
        let (came, status, words) = match self.read(&head) {
            Ok(Came::Code(code)) => {
                (Came::Code(code), "200 OK", "Lockstep is signed in. You can close this page.")
            }
            Ok(Came::Refused(why)) => {
                (Came::Refused(why), "200 OK", "Nothing was agreed to. You can close this page.")
            }
            Ok(Came::Other) => (Came::Other, "404 Not Found", "There is nothing here."),
            Err(why) => (Came::Other, "400 Bad Request", why),
        };
        let page =
            format!("<!doctype html><meta charset=\"utf-8\"><title>Lockstep</title><p>{words}</p>");
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{page}",
            page.len()
        );
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
        Some(came)
    }

    fn read(&self, head: &str) -> std::result::Result<Came, &'static str> {
        let mut words = head.lines().next().unwrap_or_default().split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let Some(question) = target.strip_prefix("/?").filter(|_| method == "GET") else {
            return Ok(Came::Other);
        };
        // A page that guessed the port must not be able to sign somebody else in.
        let state = query::field(question, "state").unwrap_or_default();
        if Sha256::digest(state.as_bytes()) != Sha256::digest(self.state.as_bytes()) {
            return Err("This is not the answer to the question that was asked.");
        }
        if let Some(error) = query::field(question, "error") {
            let known = error.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            return Ok(Came::Refused(if known { error } else { "for an unknown reason".into() }));
        }
        query::field(question, "code")
            .filter(|code| !code.is_empty())
            .map(Came::Code)
            .ok_or("The answer has no code.")
    }
}

impl SignedIn {
    /// Adds who signed in, so that it need not be asked for again.
    pub fn named(&mut self, email: &str) {
        if let Source::User(user) = &mut self.credentials.0 {
            user.account = Some(email.to_owned());
            self.json = user.to_json();
        }
    }
}

impl UserSource {
    fn to_json(&self) -> Zeroizing<String> {
        Zeroizing::new(
            serde_json::json!({
                "type": "authorized_user",
                "client_id": self.client_id,
                "client_secret": self.client_secret,
                "refresh_token": self.refresh_token,
                "token_uri": self.token_uri,
                "lockstep": true,
                "account": self.account,
            })
            .to_string(),
        )
    }
}

impl Credentials {
    /// Takes a person's sign-in back at the service, within `limit`; other credentials have nothing
    /// that could be taken back.
    ///
    /// # Errors
    /// When the service cannot be reached or refuses: the sign-in is still good then.
    pub async fn revoke(&self, limit: Duration) -> Result<()> {
        let Source::User(user) = &self.0 else { return Ok(()) };
        let client = plain(&user.token_uri)?;
        let revoked = endpoint::revoke(&client, &user.token_uri, &user.refresh_token);
        let revoked = tokio::time::timeout(limit, revoked).await.unwrap_or_else(|_| {
            Err(Failed {
                kind: Kind::Timeout,
                retry: Retry::Temporary,
                message: format!("no answer within {} s", limit.as_secs()),
            })
        });
        revoked.map_err(|failed| failed.into_error("logout"))
    }
}

fn plain(url: &str) -> Result<Plain> {
    connect::plain(Endpoint::parse(url)?.tls, Duration::from_secs(10))
}

fn refused(kind: Kind, message: String) -> Error {
    Error::new(kind, Retry::Permanent, "login", message)
}

/// Returns 256 random bits of the system as text.
fn random() -> Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    ring::default_provider()
        .secure_random
        .fill(bytes.as_mut_slice())
        .map_err(|_| setup("the system gives no random numbers"))?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}
