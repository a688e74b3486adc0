//! The public keys of an issuer: read from a file, or fetched and kept for a while.

use std::{path::PathBuf, time::Duration};

use jsonwebtoken::jwk::{Jwk, JwkSet};
use tokio::{sync::Mutex, time::Instant};

/// How long fetched keys are trusted.
const FRESH: Duration = Duration::from_secs(600);

/// How long to wait before keys are fetched again because a token named an unknown one.
const PAUSE: Duration = Duration::from_secs(15);

/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest key set that is read, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Where the keys are.
#[derive(Clone, Debug)]
pub enum Place {
    /// An `https:` address (`http:` on loopback).
    Url(String),
    /// A file.
    File(PathBuf),
}

/// The keys of one issuer.
#[derive(Debug)]
pub struct Keys {
    place: Place,
    http: reqwest::Client,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    keys: Option<JwkSet>,
    tried: Option<Instant>,
    fetched: Option<Instant>,
}

impl Keys {
    /// Creates a set that is fetched when the first token comes.
    ///
    /// # Errors
    /// A machine on which no HTTP client can be made.
    pub fn new(place: Place) -> Result<Self, String> {
        // The process has one crypto provider; whoever comes first installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            // A redirect could lead to keys that the operator did not name.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { place, http, held: Mutex::default() })
    }

    /// Returns the key with this id, or the only one if the token names none.
    ///
    /// # Errors
    /// Keys that cannot be had, and were not had before.
    pub(super) async fn find(&self, kid: Option<&str>) -> Result<Option<Jwk>, String> {
        // The lock is held while fetching: those who come meanwhile wait for the same answer.
        let mut held = self.held.lock().await;
        let fresh = held.fetched.is_some_and(|at| at.elapsed() < FRESH);
        let found = held.keys.as_ref().and_then(|keys| pick(keys, kid));
        if fresh && found.is_some() {
            return Ok(found);
        }
        let rested = held.tried.is_none_or(|at| at.elapsed() >= PAUSE);
        if !rested {
            return match &held.keys {
                Some(_) => Ok(found),
                None => {
                    Err("the issuer's keys cannot be read; they are tried again shortly".into())
                }
            };
        }
        held.tried = Some(Instant::now());
        match self.fetch().await {
            Ok(keys) => {
                held.fetched = held.tried;
                let found = pick(&keys, kid);
                held.keys = Some(keys);
                Ok(found)
            }
            Err(why) => {
                tracing::warn!(%why, "the issuer's keys cannot be read");
                // Keys that were good stay good while the issuer cannot be reached.
                if held.keys.is_some() { Ok(found) } else { Err(why) }
            }
        }
    }

    async fn fetch(&self) -> Result<JwkSet, String> {
        let bytes = match &self.place {
            Place::File(path) => std::fs::read(path)
                .map_err(|error| format!("{} cannot be read: {error}", path.display()))?,
            Place::Url(url) => self.download(url).await?,
        };
        serde_json::from_slice(&bytes)
            .map_err(|error| format!("the key set is not readable: {error}"))
    }

    async fn download(&self, url: &str) -> Result<Vec<u8>, String> {
        let failed = |error: reqwest::Error| format!("{url} does not answer: {error}");
        let mut response = self.http.get(url).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(format!("{url} answers {}", response.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > LARGEST {
                return Err(format!("{url} answers with more than {LARGEST} bytes"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

fn pick(keys: &JwkSet, kid: Option<&str>) -> Option<Jwk> {
    match (kid, keys.keys.as_slice()) {
        (Some(kid), _) => keys.find(kid).cloned(),
        (None, [only]) => Some(only.clone()),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::header::LOCATION, routing::get};
    use reqwest::StatusCode;

    use super::*;

    const SET: &str = r#"{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}"#;

    async fn issuer(routes: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn keys_come_from_the_named_address_alone_and_not_without_end() {
        let routes = Router::new()
            .route("/keys", get(async || SET))
            .route("/moved", get(async || (StatusCode::FOUND, [(LOCATION, "/keys")])))
            .route("/padded", get(async || format!("{SET}{}", " ".repeat(LARGEST - SET.len()))))
            .route("/endless", get(async || format!("{SET}{}", " ".repeat(LARGEST))));
        let url = issuer(routes).await;
        let find = async |path: &str| {
            let keys = Keys::new(Place::Url(format!("{url}{path}"))).unwrap();
            keys.find(Some("a")).await.map(|found| found.is_some())
        };
        assert_eq!(find("/keys").await, Ok(true));
        assert_eq!(find("/padded").await, Ok(true));
        let why = find("/moved").await.unwrap_err();
        assert!(why.contains("answers 302"), "{why}");
        let why = find("/endless").await.unwrap_err();
        assert!(why.contains("more than 1048576 bytes"), "{why}");
    }
}
