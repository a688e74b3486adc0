//! The way of every request: pace, credentials, time-out, bounded answer, same-origin redirects.

use std::{
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use lockstep_google::Backoff;
use reqwest::{
    Client, Method, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};

use super::{
    answer::Answer, auth::Auth, config::LimitsConfig, origin::Origin, pace::Pace, secret::Redactor,
};
use crate::{
    error::{Error, Kind, Result},
    progress::Progress,
};

/// How many redirects are followed, within the origin.
const REDIRECTS: u32 = 3;

/// How long opening a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<String>,
    pub(super) headers: HeaderMap,
}

impl Ask {
    pub(super) fn new(method: Method, url: Url, body: Option<String>) -> Self {
        Self { method, url, body, headers: HeaderMap::new() }
    }

    /// Adds a header; a value that no header can hold is left out.
    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

/// What came of sending a request once.
#[derive(Debug)]
pub(super) enum Attempt {
    /// A whole answer, of any status.
    Answer(Answer),
    /// It never left.
    Unsent(String),
    /// It left, and no whole answer came back.
    Lost(String),
    /// It led off the configured origin, or round in circles.
    Astray(Error),
    /// Its answer is larger than the bound.
    TooLarge,
}

/// The line to one API.
pub(super) struct Wire {
    pub(super) name: String,
    pub(super) origin: Origin,
    pub(super) auth: Auth,
    pub(super) pace: Pace,
    pub(super) limits: LimitsConfig,
    pub(super) backoff: Backoff,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) max_body: usize,
    pub(super) redactor: Mutex<Redactor>,
    pub(super) client: OnceLock<Client>,
}

impl Wire {
    pub(super) fn redactor(&self) -> MutexGuard<'_, Redactor> {
        self.redactor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request once, as soon as the pace allows it.
    ///
    /// # Errors
    /// Credentials that cannot be had, or a machine that cannot do TLS.
    pub(super) async fn once(
        &self,
        ask: &Ask,
        progress: &Progress,
        used: &mut Option<HeaderValue>,
    ) -> Result<Attempt> {
        let client = self.client()?;
        let mut headers = self.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if ask.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.extend(ask.headers.clone());
        match &self.auth {
            Auth::None => {}
            Auth::Fixed(name, value) => {
                headers.insert(name.clone(), value.clone());
            }
            Auth::Tokens(tokens) => {
                let learn = |token: &str| self.redactor().add(token);
                let value = tokens.current(client, self.timeout, learn).await?;
                headers.insert(AUTHORIZATION, value.clone());
                *used = Some(value);
            }
        }
        let mut url = ask.url.clone();
        for _ in 0..=REDIRECTS {
            self.pace.pass(&self.name, progress).await;
            let request = client
                .request(ask.method.clone(), url.clone())
                .headers(headers.clone())
                .timeout(self.timeout);
            let request = match &ask.body {
                Some(body) => request.body(body.clone()),
                None => request,
            };
            let answer = match self.receive(request, &url).await {
                Attempt::Answer(answer) => answer,
                other => return Ok(other),
            };
            tracing::debug!(api = self.name, method = %ask.method, path = url.path(), status = answer.status, "called");
            // Only these two promise that nothing was done and that the same request is meant; a GET has no effect.
            let again = matches!(answer.status, 307 | 308)
                || (ask.method == Method::GET && matches!(answer.status, 301..=303));
            let Some(to) = answer.location().filter(|_| again) else {
                return Ok(Attempt::Answer(answer));
            };
            match self.origin.follow(&url, to) {
                Ok(next) => url = next,
                Err(error) => return Ok(Attempt::Astray(error)),
            }
        }
        Ok(Attempt::Astray(
            Error::new(Kind::PermissionDenied, format!("it redirects more than {REDIRECTS} times"))
                .next("give the address that it leads to as path"),
        ))
    }

    async fn receive(&self, request: reqwest::RequestBuilder, url: &Url) -> Attempt {
        let lost = |error: &reqwest::Error| match error.is_timeout() {
            true => format!("no answer within {} s", self.timeout.as_secs()),
            false => "the connection broke".to_owned(),
        };
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => {
                return Attempt::Unsent(format!("it cannot be reached ({})", root(&error)));
            }
            Err(error) => return Attempt::Lost(lost(&error)),
        };
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        self.watch_usage(&headers);
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > self.max_body => {
                    return Attempt::TooLarge;
                }
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                // A refusal is a refusal, even if its words are lost on the way.
                Err(_) if (400..500).contains(&status) => break,
                Err(error) => return Attempt::Lost(lost(&error)),
            }
        }
        match String::from_utf8(bytes) {
            Ok(body) => Attempt::Answer(Answer { status, url: url.clone(), headers, body }),
            Err(_) if status >= 400 => {
                Attempt::Answer(Answer { status, url: url.clone(), headers, body: String::new() })
            }
            Err(_) => Attempt::Lost("its answer is not UTF-8".into()),
        }
    }

    /// Slows down where the API says that its allowance is nearly used up.
    fn watch_usage(&self, headers: &HeaderMap) {
        let Some(name) = &self.limits.usage_header else { return };
        let text = headers.get(name.as_str()).and_then(|value| value.to_str().ok());
        let Some((used, limit)) = text.and_then(|text| text.split_once('/')) else { return };
        if let (Ok(used), Ok(limit)) = (used.trim().parse::<u64>(), limit.trim().parse::<u64>())
            && used.saturating_add(2) >= limit
        {
            self.pace.close(Duration::from_secs(1));
        }
    }

    fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let builder = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            // Shorter than servers wait: a connection that the server closes just as a write goes out leaves its
            // outcome unknown.
            .pool_idle_timeout(Duration::from_secs(15))
            .user_agent(concat!("lockstep/", env!("CARGO_PKG_VERSION")));
        let cannot = |what: String| {
            Error::invalid(format!("TLS cannot be set up: {what}"))
                .next("install the system's CA certificates")
        };
        let client = match self.origin.is_https() {
            true => {
                // Another crate may have chosen one before, which is as good.
                let _ = rustls::crypto::ring::default_provider().install_default();
                builder.build()
            }
            // No certificates are read where none are needed: a machine without any can use its own stub.
            false => {
                let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
                let none = rustls::ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .map_err(|error| cannot(error.to_string()))?
                    .with_root_certificates(rustls::RootCertStore::empty())
                    .with_no_client_auth();
                builder.tls_backend_preconfigured(none).build()
            }
        };
        let client = client.map_err(|error| cannot(root(&error)))?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// Returns what is at the bottom of an error; its outer layers repeat the address, and with it what may be secret.
fn root(error: &dyn std::error::Error) -> String {
    let mut bottom = error;
    while let Some(source) = bottom.source() {
        bottom = source;
    }
    bottom.to_string()
}
