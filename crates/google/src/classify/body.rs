//! Bodies of refusals: Google's JSON forms, and HTML.

use serde_json::Value;

use crate::delegate::Seen;
use crate::retry::Call;
use crate::{Error, Kind, Retry};

/// The longest message that is passed on, in characters: bodies can echo the whole request.
const LONGEST_MESSAGE: usize = 500;

/// What a refusal says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Refusal {
    code: Option<u16>,
    /// Canonical status, e.g. `RESOURCE_EXHAUSTED`.
    status: Option<String>,
    /// The most precise reason word, e.g. `RATE_LIMIT_EXCEEDED` or `userRateLimitExceeded`.
    reason: Option<String>,
    message: String,
}

impl Refusal {
    /// Reads `google.rpc.Status` (Sheets), `errors[]` (Drive), and OAuth's
    /// `{"error": "invalid_grant"}` (google-wire 2.9).
    pub(super) fn from_json(value: &Value) -> Self {
        let Some(error) = value.get("error").filter(|error| error.is_object()) else {
            let word = value.get("error").and_then(Value::as_str);
            let words = value.get("error_description").and_then(Value::as_str);
            return Self {
                reason: word.map(str::to_owned),
                message: bounded(words.or(word).unwrap_or("the service refused the request")),
                ..Self::default()
            };
        };
        let text = |key| error.get(key).and_then(Value::as_str).map(str::to_owned);
        let items = |key| error.get(key).and_then(Value::as_array).into_iter().flatten();
        let reason = items("details")
            .chain(items("errors"))
            .find_map(|item| item.get("reason").and_then(Value::as_str));
        let violation = items("details")
            .filter_map(|item| item.get("fieldViolations").and_then(Value::as_array))
            .flatten()
            .find_map(|violation| violation.get("description").and_then(Value::as_str));
        let mut message = text("message").unwrap_or_else(|| "the service refused it".into());
        if let Some(violation) = violation.filter(|violation| !message.contains(violation)) {
            message = format!("{} {violation}", message.trim_end());
        }
        Self {
            code: error
                .get("code")
                .and_then(Value::as_u64)
                .and_then(|code| u16::try_from(code).ok()),
            status: text("status"),
            reason: reason.map(str::to_owned),
            message: bounded(&message),
        }
    }

    /// Reads a body that is not JSON: HTML from a front end or a proxy, plain text, or nothing.
    pub(super) fn from_text(text: &str) -> Self {
        let message = match gist(text) {
            gist if gist.is_empty() => "the service refused without a word".into(),
            gist => gist,
        };
        Self { message, ..Self::default() }
    }

    pub(super) fn into_error(self, call: &Call, seen: Seen) -> Error {
        let code = self.code.or(seen.status);
        let (kind, retry) = self.class(call, code.unwrap_or(0));
        Error {
            kind,
            retry,
            operation: call.operation,
            message: self.message,
            reason: self.reason.or(self.status),
            status: code,
            retry_after: seen.retry_after,
            source: None,
        }
    }

    fn class(&self, call: &Call, code: u16) -> (Kind, Retry) {
        let says = |words: &[&str]| {
            [&self.reason, &self.status]
                .into_iter()
                .flatten()
                .any(|said| words.contains(&said.as_str()))
        };
        if says(&["dailyLimitExceeded", "dailyLimitExceededUnreg"]) {
            return (Kind::Quota, Retry::Permanent);
        }
        // Drive answers 403 for its rate limits. A quota refusal had no effect, so that even a
        // write may be sent again.
        if code == 429
            || says(&[
                "RESOURCE_EXHAUSTED",
                "RATE_LIMIT_EXCEEDED",
                "rateLimitExceeded",
                "userRateLimitExceeded",
            ])
        {
            return (Kind::Quota, Retry::Temporary);
        }
        let unknown = call.retry_when_unknown();
        match code {
            401 => (Kind::Unauthenticated, Retry::Permanent),
            403 => (Kind::Forbidden, Retry::Permanent),
            404 | 410 => (Kind::NotFound, Retry::Permanent),
            408 => (Kind::Timeout, unknown),
            409 | 412 => (Kind::Conflict, Retry::Permanent),
            // Not built: no waiting will build it.
            501 => (Kind::Invalid, Retry::Permanent),
            500..=599 => (Kind::Unavailable, unknown),
            300..=399 => (Kind::Setup, Retry::Permanent),
            _ => (Kind::Invalid, Retry::Permanent),
        }
    }
}

/// The title of an HTML page, or the first words of other text.
pub(super) fn gist(text: &str) -> String {
    let title = text
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"))
        .map(|(title, _)| title);
    let words: Vec<&str> = title.unwrap_or(text).split_whitespace().collect();
    words.join(" ").chars().take(200).collect()
}

fn bounded(message: &str) -> String {
    let short: String = message.chars().take(LONGEST_MESSAGE).collect();
    if short.len() < message.len() { format!("{short}…") } else { short }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod body_tests;
