//! The one error of this crate.

use std::fmt;
use std::time::Duration;

/// Tells what went wrong in a call, and whether it may be tried again.
#[derive(Debug)]
pub struct Error {
    /// The class of the failure.
    pub kind: Kind,
    /// Whether the same call may be sent again.
    pub retry: Retry,
    /// The call, by Google's name for it, e.g. `sheets.spreadsheets.values.batchGet`.
    pub operation: &'static str,
    /// What happened, in the service's words where it gave any.
    pub message: String,
    /// Google's reason word when there was one, e.g. `INVALID_ARGUMENT` or `storageQuotaExceeded`.
    pub reason: Option<String>,
    /// The HTTP status, when an answer arrived.
    pub status: Option<u16>,
    /// How long to wait before the next try, when the service or the quota says so.
    pub retry_after: Option<Duration>,
    /// The failure underneath, when there is one.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Classes of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The request is wrong: refused by us before sending, or by the service with a 400.
    Invalid,
    /// The settings of the client are wrong.
    Setup,
    /// No valid credentials (401, or no token could be had).
    Unauthenticated,
    /// The credentials do not allow this (403).
    Forbidden,
    /// The spreadsheet, file or sheet is not there, or not visible to these credentials (404).
    NotFound,
    /// The state of the resource does not allow this (409, 412), or a marker id is taken.
    Conflict,
    /// A quota is used up (429, or Drive's 403 with a rate limit reason).
    Quota,
    /// The service failed (5xx).
    Unavailable,
    /// The connection could not be made, or broke.
    Network,
    /// No complete answer within the time allowed.
    Timeout,
    /// An answer arrived that is cut off or is not what the service sends.
    Garbled,
}

/// Says whether the same call may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The same call will fail again.
    Permanent,
    /// The call had no effect, or one that repeating does not change: trying again is safe.
    Temporary,
    /// A write whose outcome is not known: it may have been applied. Look before writing again.
    Ambiguous,
}

impl Error {
    pub(crate) fn new(
        kind: Kind,
        retry: Retry,
        operation: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            retry,
            operation,
            message: message.into(),
            reason: None,
            status: None,
            retry_after: None,
            source: None,
        }
    }

    /// A refusal of our own, before anything was sent.
    pub(crate) fn invalid(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, Retry::Permanent, operation, message)
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns what the reader can do about it, as one sentence.
    pub fn advice(&self) -> &'static str {
        if self.retry == Retry::Ambiguous {
            return "The change may or may not have been made: read the target before writing again.";
        }
        match self.kind {
            Kind::Invalid => "Correct the request.",
            Kind::Setup => "Correct the settings of the connection.",
            Kind::Unauthenticated => "Sign in again or supply a fresh access token.",
            Kind::Forbidden => "Share the file with the account in use, or use another account.",
            Kind::NotFound => "Check the id, and that the file is shared with the account in use.",
            Kind::Conflict => "Read the current state and decide again.",
            Kind::Quota => "Wait for the quota to refill, then try again.",
            Kind::Unavailable | Kind::Network | Kind::Timeout | Kind::Garbled => {
                "Try again in a moment."
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.message.trim_end_matches('.'))?;
        match (self.status, &self.reason) {
            (Some(status), Some(reason)) => write!(f, " (HTTP {status} {reason})")?,
            (Some(status), None) => write!(f, " (HTTP {status})")?,
            (None, Some(reason)) => write!(f, " ({reason})")?,
            (None, None) => {}
        }
        write!(f, ". {}", self.advice())?;
        if let Some(wait) = self.retry_after {
            write!(f, " Next try in {} s.", wait.as_secs_f64().ceil())?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
