//! What a [`Google`](crate::Google) is made from: endpoints, credentials, limits.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::allow::Access;
use crate::auth::Credentials;
use crate::quota::ledger::SharedQuota;

/// Tells a client where the two services are, who it is, and how patient it is.
#[derive(Debug, Clone)]
pub struct Config {
    /// Root of the Sheets service, e.g. `https://sheets.googleapis.com/`.
    pub sheets_url: String,
    /// Root of the Drive service, e.g. `https://www.googleapis.com/`; `drive/v3/` and
    /// `upload/drive/v3/` are derived from it. A root that already ends in `drive/v3` is accepted.
    pub drive_url: String,
    /// Credentials sent with every call.
    pub auth: Auth,
    /// How long a call may take.
    pub timeouts: Timeouts,
    /// How often and how soon a call is tried again.
    pub backoff: Backoff,
    /// How many calls are let through.
    pub quota: Quota,
    /// The `User-Agent` header; visible ASCII.
    pub user_agent: String,
    /// What may be touched.
    pub access: Access,
    /// Is told every secret that the client comes to hold, so that it can be kept out of logs.
    pub secrets: fn(&str),
}

impl Config {
    /// Returns the settings for Google's own servers.
    pub fn google(auth: Auth) -> Self {
        Self {
            sheets_url: "https://sheets.googleapis.com/".into(),
            drive_url: "https://www.googleapis.com/".into(),
            auth,
            timeouts: Timeouts::default(),
            backoff: Backoff::default(),
            quota: Quota::default(),
            user_agent: concat!("lockstep/", env!("CARGO_PKG_VERSION")).into(),
            access: Access::default(),
            secrets: |_| {},
        }
    }

    /// Returns the settings for a server that speaks both services at one root, without
    /// credentials: the embedded workspace.
    pub fn local(root: &str) -> Self {
        Self { sheets_url: root.into(), drive_url: root.into(), ..Self::google(Auth::None) }
    }
}

/// Says who the calls are made as.
#[derive(Debug, Clone)]
pub enum Auth {
    /// No `Authorization` header: for the embedded workspace.
    None,
    /// A ready OAuth 2 access token.
    Token(Secret),
    /// Credentials that access tokens are got with, and the scopes that are asked for; see
    /// [`LEAST_SCOPES`](crate::LEAST_SCOPES).
    Credentials(Credentials, Vec<String>),
}

/// A secret string that never shows itself in logs or errors, and is wiped from memory when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// Returns the secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Limits the duration of one attempt of a call.
///
/// The generated crates wait forever (google-wire 1.1). Google itself gives up on a request after
/// 180 s, so that a write which is waited for longer than that has a definite answer more often.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// To open a connection.
    pub connect: Duration,
    /// To get an access token.
    pub token: Duration,
    /// From sending a read to its last byte.
    pub read: Duration,
    /// From sending a write to its last byte.
    pub write: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            token: Duration::from_secs(30),
            read: Duration::from_secs(120),
            write: Duration::from_secs(185),
        }
    }
}

/// Shapes the retries: exponential, with full jitter.
#[derive(Debug, Clone)]
pub struct Backoff {
    /// How many times a call is sent in all, at least 1.
    pub attempts: u32,
    /// Upper bound of the first delay; it doubles with each further attempt.
    pub base: Duration,
    /// Upper bound of every delay.
    pub cap: Duration,
    /// No further try begins this long after the first one was sent.
    pub give_up: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            attempts: 6,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(32),
            give_up: Duration::from_secs(300),
        }
    }
}

/// Bounds the calls of one user in a window of time.
#[derive(Debug, Clone)]
pub struct Quota {
    /// How many calls a window.
    pub limits: Limits,
    /// How long a window of the service is. After a 429 without `Retry-After` nothing is sent
    /// before the next multiple of it on the wall clock.
    pub window: Duration,
    /// Where the calls of all processes are counted together; without it this process counts its
    /// own alone.
    pub shared: Option<SharedQuota>,
}

impl Default for Quota {
    fn default() -> Self {
        Self { limits: Limits::Auto, window: Duration::from_secs(60), shared: None }
    }
}

/// Says how many calls a window are let through, for reads and writes of Sheets apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    /// Google's limits of a user (60 reads and 60 writes); none for loopback addresses, whose
    /// calls are not counted in [`Quota::shared`] either.
    Auto,
    /// No limit of our own; a 429 still pauses the calls.
    Unlimited,
    /// At most so many reads and writes in any window.
    PerWindow {
        /// Reads in a window, at least 1.
        reads: u32,
        /// Writes in a window, at least 1.
        writes: u32,
    },
}
