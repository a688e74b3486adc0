//! Calls that go past the generated types, with the hub's HTTP client and token.
//!
//! See the crate documentation for why. Failures are reported in the generated crates' error type,
//! so that they are classified the same way.

use std::io;

use google_sheets4::common;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use hyper::{Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use crate::Google;
use crate::client::SCOPES;
use crate::delegate::Witness;

/// How much of an answer that could not be read is kept for the error, in bytes.
const LONGEST_QUOTE: usize = 2_000;

/// A URL with query parameters, every value encoded.
pub(crate) struct Url(String);

impl Url {
    pub(crate) fn new(path: String) -> Self {
        Self(format!("{path}?alt=json"))
    }

    pub(crate) fn param(mut self, name: &str, value: &str) -> Self {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        self.0.push_str(&format!("&{name}={value}"));
        self
    }

    pub(crate) fn length(&self) -> usize {
        self.0.len()
    }
}

impl Google {
    /// Sends one request and decodes its answer.
    pub(crate) async fn exchange<T: DeserializeOwned>(
        &self,
        witness: Witness,
        url: &Url,
        json: Option<Bytes>,
    ) -> common::Result<T> {
        let bytes = self.exchange_bytes(witness, url, json).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let start = bytes.get(..LONGEST_QUOTE).unwrap_or(&bytes);
            let text = String::from_utf8_lossy(start).into_owned();
            common::Error::JsonDecodeError(text, error)
        })
    }

    async fn exchange_bytes(
        &self,
        witness: Witness,
        url: &Url,
        json: Option<Bytes>,
    ) -> common::Result<Vec<u8>> {
        let hub = &self.shared.sheets;
        let token = hub.auth.get_token(&SCOPES).await;
        let token = token.map_err(common::Error::MissingToken)?;
        let method = if json.is_some() { Method::POST } else { Method::GET };
        let mut request = Request::builder()
            .method(method)
            .uri(&url.0)
            .header(USER_AGENT, &self.shared.user_agent);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if json.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::new(json.unwrap_or_default()).map_err(|never| match never {});
        let request = request
            .body(common::Body::new(body))
            .map_err(|error| common::Error::MissingToken(error.into()))?;
        witness.saw_sending();
        let answer = hub.client.request(request).await;
        let (parts, body) = answer.map_err(common::Error::HttpError)?.into_parts();
        if !parts.status.is_success() {
            witness.saw_refusal(parts.status.as_u16(), &parts.headers);
            // A refusal is a refusal, even if its words are lost on the way.
            let bytes = body.collect().await.map(|body| body.to_bytes());
            let bytes = bytes.unwrap_or_default();
            return Err(match serde_json::from_slice(&bytes) {
                Ok(value) => common::Error::BadRequest(value),
                Err(_) => {
                    let body = Full::new(bytes).map_err(|never| match never {});
                    let body = common::Body::new(body);
                    common::Error::Failure(common::Response::from_parts(parts, body))
                }
            });
        }
        whole(body)
            .await
            .map_err(|error| common::Error::Io(io::Error::new(io::ErrorKind::UnexpectedEof, error)))
    }
}

/// Returns all bytes of a body; pieces go as they are taken in, so that an answer is there once and not twice.
async fn whole<B: Body<Data = Bytes> + Unpin>(mut body: B) -> Result<Vec<u8>, B::Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame?.into_data() {
            bytes.extend_from_slice(&piece);
        }
    }
    Ok(bytes)
}
