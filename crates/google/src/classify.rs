//! From what the generated code reports to an [`Error`] a caller can act on.
//!
//! The generated error says little: any refusal with a JSON body is a `BadRequest`, whatever its
//! status, and an answer cut off half-way is a JSON error (google-wire 1.2). So the body decides,
//! then the status that the witness saw.

mod body;

use std::time::Duration;

use google_sheets4::common;
use http_body_util::BodyExt;

use crate::auth::Failed;
use crate::delegate::Seen;
use crate::retry::Call;
use crate::{Error, Kind, Retry};
use body::Refusal;

/// Turns the failure of one attempt into an error.
pub(crate) async fn classify(call: &Call, seen: Seen, error: common::Error) -> Error {
    let unknown = call.retry_when_unknown();
    match error {
        common::Error::BadRequest(value) => Refusal::from_json(&value).into_error(call, seen),
        common::Error::Failure(response) => {
            let bytes = match response.into_body().collect().await {
                Ok(body) => body.to_bytes(),
                Err(_) => hyper::body::Bytes::new(),
            };
            Refusal::from_text(&String::from_utf8_lossy(&bytes)).into_error(call, seen)
        }
        common::Error::HttpError(error) if error.is_connect() => {
            let message = format!("could not connect: {}", root_cause(&error));
            Error::new(Kind::Network, Retry::Temporary, call.operation, message).with_source(error)
        }
        common::Error::HttpError(error) => {
            let message = format!("the connection broke: {}", root_cause(&error));
            Error::new(Kind::Network, unknown, call.operation, message).with_source(error)
        }
        common::Error::MissingToken(source) => match source.downcast::<Failed>() {
            Ok(failed) => failed.into_error(call.operation),
            Err(source) => Error::new(
                Kind::Unauthenticated,
                Retry::Permanent,
                call.operation,
                format!("no access token could be had: {source}"),
            )
            .with_source(source),
        },
        common::Error::JsonDecodeError(text, error) => garbled(call, &text, error),
        common::Error::Io(error) => Error::new(
            Kind::Garbled,
            unknown,
            call.operation,
            format!("the answer was cut off: {error}"),
        )
        .with_source(error),
        common::Error::UploadSizeLimitExceeded(size, limit) => Error::invalid(
            call.operation,
            format!("the content has {size} bytes, more than the {limit} allowed"),
        ),
        common::Error::MissingAPIKey | common::Error::Cancelled | common::Error::FieldClash(_) => {
            Error::new(Kind::Setup, Retry::Permanent, call.operation, error.to_string().trim())
        }
    }
}

/// The error of an attempt that took too long.
pub(crate) fn timed_out(call: &Call, seen: Seen, limit: Duration) -> Error {
    let seconds = limit.as_secs_f64();
    if seen.sent {
        let message = format!("no complete answer within {seconds} s");
        Error::new(Kind::Timeout, call.retry_when_unknown(), call.operation, message)
    } else {
        let message = format!("no access token within {seconds} s; nothing was sent");
        Error::new(Kind::Timeout, Retry::Temporary, call.operation, message)
    }
}

/// A successful status with a body that is not what was promised: empty, cut off, or not JSON.
fn garbled(call: &Call, text: &str, error: serde_json::Error) -> Error {
    let cut_off = text.is_empty() || error.is_eof();
    let (retry, message) = if cut_off {
        (call.retry_when_unknown(), "the answer was cut off".to_owned())
    } else if error.is_data() {
        // Well-formed, but not the documented shape: the next answer will look the same.
        let retry = match call.retry_when_unknown() {
            Retry::Ambiguous => Retry::Ambiguous,
            _ => Retry::Permanent,
        };
        (retry, format!("the answer has an unexpected shape: {error}"))
    } else {
        let start = body::gist(text);
        (call.retry_when_unknown(), format!("the answer is not JSON; it says {start:?}"))
    };
    Error::new(Kind::Garbled, retry, call.operation, message).with_source(error)
}

/// The innermost cause: the outer ones only say "client error (Connect)".
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
