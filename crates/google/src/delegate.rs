//! What a call of a generated hub lets us see on the way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use google_sheets4::common;
use hyper::HeaderMap;
use hyper::header::RETRY_AFTER;

/// Watches one attempt. The generated code shows status and headers of a refusal only to its
/// delegate: afterwards every refusal with a JSON body is a `BadRequest` (google-wire 1.2).
#[derive(Debug, Clone, Default)]
pub(crate) struct Witness(Arc<Mutex<Seen>>);

/// What was seen of an attempt.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// Whether the request was handed to the connection: from here on it may have an effect.
    pub(crate) sent: bool,
    /// Status of a refusal.
    pub(crate) status: Option<u16>,
    /// `Retry-After` of a refusal, when it is a number of seconds.
    pub(crate) retry_after: Option<Duration>,
}

impl Witness {
    pub(crate) fn seen(&self) -> Seen {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn saw_sending(&self) {
        self.update(|seen| seen.sent = true);
    }

    pub(crate) fn saw_refusal(&self, status: u16, headers: &HeaderMap) {
        let seconds = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.trim().parse().ok());
        self.update(|seen| {
            seen.status = Some(status);
            seen.retry_after = seconds.map(Duration::from_secs);
        });
    }

    fn update(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl common::Delegate for Witness {
    fn pre_request(&mut self) {
        self.saw_sending();
    }

    fn http_failure(
        &mut self,
        response: &common::Response,
        _body: Option<&serde_json::Value>,
    ) -> common::Retry {
        self.saw_refusal(response.status().as_u16(), response.headers());
        // Retries are the business of `retry`: here they would neither be counted nor bounded.
        common::Retry::Abort
    }
}
