//! Who the calls are made as; tokens of client credentials are kept until they end.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{
    Client, Url,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};
use tokio::{sync::Mutex, time::Instant};

use super::{
    config::AuthConfig,
    json::{Json, Pointer},
    origin,
    secret::{Redactor, Secret},
};
use crate::error::{Error, Kind, Result};

/// How a request proves who sends it.
pub(super) enum Auth {
    None,
    /// The same header for every request.
    Fixed(HeaderName, HeaderValue),
    Tokens(Tokens),
}

/// An OAuth 2 client that fetches its own tokens.
pub(super) struct Tokens {
    url: Url,
    id: Secret,
    secret: Secret,
    form: Vec<(&'static str, String)>,
    in_body: bool,
    current: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    value: HeaderValue,
    ends: Instant,
}

/// How long a token is used that does not say when it ends.
const UNSAID: u64 = 300;

impl Auth {
    /// Resolves the secrets; `redactor` learns them.
    ///
    /// # Errors
    /// A secret whose variable is not set, or what cannot be sent as a header.
    pub(super) fn new(config: &AuthConfig, redactor: &mut Redactor, plain: bool) -> Result<Self> {
        let mut take = |secret: &Secret, key: &str| -> Result<Secret> {
            let secret = secret.resolve(&format!("auth.{key}"))?;
            redactor.add(secret.reveal());
            Ok(secret)
        };
        Ok(match config {
            AuthConfig::None => Self::None,
            AuthConfig::Bearer { token } => {
                let token = take(token, "token")?;
                Self::Fixed(
                    AUTHORIZATION,
                    header(&format!("Bearer {}", token.reveal()), "auth.token")?,
                )
            }
            AuthConfig::Basic { user, password } => {
                let (user, password) = (take(user, "user")?, take(password, "password")?);
                let value = basic(user.reveal(), password.reveal());
                redactor.add(value.trim_start_matches("Basic "));
                Self::Fixed(AUTHORIZATION, header(&value, "auth.password")?)
            }
            AuthConfig::Header { name, value } => {
                let value = take(value, "value")?;
                Self::Fixed(self::name(name, "auth.name")?, header(value.reveal(), "auth.value")?)
            }
            AuthConfig::ClientCredentials {
                token_url,
                client_id,
                client_secret,
                scope,
                audience,
                in_body,
            } => {
                let (id, secret) =
                    (take(client_id, "clientId")?, take(client_secret, "clientSecret")?);
                let address = token_url.resolve("auth.tokenUrl")?;
                let url = Url::parse(address.reveal()).ok().filter(|url| {
                    url.scheme() == "https"
                        || (url.scheme() == "http" && (plain || origin::is_loopback(url)))
                });
                let Some(url) = url else {
                    return Err(Error::invalid("it is no https address")
                        .context("auth.tokenUrl")
                        .next("give the address that tokens are fetched from"));
                };
                let mut form = vec![("grant_type", "client_credentials".to_owned())];
                form.extend(scope.iter().map(|scope| ("scope", scope.clone())));
                form.extend(audience.iter().map(|audience| ("audience", audience.clone())));
                let (in_body, current) = (*in_body, Mutex::default());
                Self::Tokens(Tokens { url, id, secret, form, in_body, current })
            }
        })
    }
}

impl Tokens {
    /// Returns the header for a request, fetching a token where there is none; the fetched one goes to `learn`.
    ///
    /// # Errors
    /// A token that is not given, [`Kind::Unauthenticated`]; a server that cannot be reached, [`Kind::Unavailable`].
    pub(super) async fn current(
        &self,
        client: &Client,
        timeout: Duration,
        learn: impl FnOnce(&str),
    ) -> Result<HeaderValue> {
        // Held while fetching, so that ten requests without a token fetch one.
        let mut current = self.current.lock().await;
        if let Some(token) = current.as_ref().filter(|token| Instant::now() < token.ends) {
            return Ok(token.value.clone());
        }
        let token = self.fetch(client, timeout, learn).await.map_err(|error| {
            error
                .context("fetching an access token")
                .next("check clientId and clientSecret, and that tokenUrl is right")
        })?;
        Ok(current.insert(token).value.clone())
    }

    /// Forgets a token that was refused, unless another one is there already.
    pub(super) async fn forget(&self, refused: &HeaderValue) {
        let mut current = self.current.lock().await;
        current.take_if(|token| token.value == *refused);
    }

    async fn fetch(
        &self,
        client: &Client,
        timeout: Duration,
        learn: impl FnOnce(&str),
    ) -> Result<Token> {
        let mut form = self.form.clone();
        let mut request = client.post(self.url.clone()).timeout(timeout);
        if self.in_body {
            form.push(("client_id", self.id.reveal().to_owned()));
            form.push(("client_secret", self.secret.reveal().to_owned()));
        } else {
            request = request.header(
                AUTHORIZATION,
                header(&basic(self.id.reveal(), self.secret.reveal()), "auth.clientSecret")?,
            );
        }
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let pairs: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let answer = request
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(pairs.join("&"))
            .send()
            .await;
        let unreachable = |error: reqwest::Error| {
            let what = if error.is_timeout() { "it took too long" } else { "it cannot be reached" };
            Error::new(Kind::Unavailable, format!("the token server: {what}"))
        };
        let mut answer = answer.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > 1024 * 1024 {
                return Err(Error::new(Kind::TooLarge, "the token server's answer has no end"));
            }
        }
        if status >= 500 || status == 429 {
            return Err(Error::new(
                Kind::Unavailable,
                format!("the token server answered with status {status}"),
            ));
        }
        let json = std::str::from_utf8(&body).ok().and_then(|text| Json::parse(text).ok());
        let at = |name: &str| {
            let pointer = Pointer::try_from(format!("/{name}")).ok()?;
            json.as_ref()?.at(&pointer)?.scalar()
        };
        let Some(token) = at("access_token").filter(|_| status < 300) else {
            // Its other words might repeat the secret; the code of RFC 6749 does not.
            let code = at("error").map(|code| format!(" ({code})")).unwrap_or_default();
            let code: String = code.chars().take(60).collect();
            return Err(Error::new(
                Kind::Unauthenticated,
                format!("the token server answered with status {status}{code} and no token"),
            ));
        };
        learn(&token);
        let seconds = at("expires_in").and_then(|text| text.parse::<u64>().ok()).unwrap_or(UNSAID);
        // A token that ends while a request travels is refused: half a minute, or half its life, earlier.
        let seconds = seconds.saturating_sub(30).max(seconds / 2).min(86_400);
        Ok(Token {
            value: header(&format!("Bearer {token}"), "the fetched token")?,
            ends: Instant::now() + Duration::from_secs(seconds),
        })
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Returns the value of a header that is not shown in logs.
///
/// # Errors
/// What no header can hold; says where it came from, not what it is.
pub(super) fn header(value: &str, place: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(value.trim()).map_err(|_| {
        Error::invalid("it holds what no header can carry, such as a line break")
            .context(place.to_owned())
            .next("check the variable that it comes from")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns the name of a header.
///
/// # Errors
/// What is no header name.
pub(super) fn name(name: &str, place: &str) -> Result<HeaderName> {
    name.parse().map_err(|_| {
        Error::invalid(format!("\"{name}\" is no header name"))
            .context(place.to_owned())
            .next("correct it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_is_the_one_of_the_rfc() {
        assert_eq!(basic("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn what_no_header_can_carry_is_refused_without_being_shown() {
        let error = header("hunter2\nX-Evil: 1", "auth.token").unwrap_err().to_string();
        assert!(error.contains("auth.token") && !error.contains("hunter2"), "{error}");
        assert!(format!("{:?}", header("hunter2", "auth.token").unwrap()).contains("Sensitive"));
        assert!(name("a b", "headers").is_err());
    }
}
