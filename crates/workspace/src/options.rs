//! How a workspace behaves.

use crate::auth::{OAuthClient, ServiceAccount};
use crate::faults::Faults;

/// Sets how a [`Workspace`](crate::Workspace) behaves; the default suits loopback use.
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) require_auth: bool,
    pub(crate) owner: String,
    pub(crate) locale: String,
    pub(crate) time_zone: String,
    pub(crate) now_ms: Option<i64>,
    pub(crate) faults: Faults,
    pub(crate) accounts: Vec<ServiceAccount>,
    pub(crate) clients: Vec<OAuthClient>,
    pub(crate) storage: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            require_auth: false,
            owner: "owner@lockstep.local".to_owned(),
            locale: "en_US".to_owned(),
            time_zone: "Etc/GMT".to_owned(),
            now_ms: None,
            faults: Faults::default(),
            accounts: Vec::new(),
            clients: Vec::new(),
            storage: 15 * 1024 * 1024 * 1024,
        }
    }
}

impl Options {
    /// Returns the default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Demands a valid bearer token on every Sheets and Drive call; off by default.
    #[must_use]
    pub fn require_auth(mut self, on: bool) -> Self {
        self.require_auth = on;
        self
    }

    /// Sets the e-mail address that owns new files.
    #[must_use]
    pub fn owner(mut self, email: impl Into<String>) -> Self {
        self.owner = email.into();
        self
    }

    /// Sets the locale of new spreadsheets, as `en_US`.
    #[must_use]
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.locale = locale.into();
        self
    }

    /// Sets the IANA time zone of new spreadsheets, as `Etc/GMT`.
    #[must_use]
    pub fn time_zone(mut self, time_zone: impl Into<String>) -> Self {
        self.time_zone = time_zone.into();
        self
    }

    /// Makes a service account known: its signed assertions get tokens at `/token`.
    #[must_use]
    pub fn service_account(mut self, account: ServiceAccount) -> Self {
        self.accounts.push(account);
        self
    }

    /// Makes an OAuth client known: it may send people to `/o/oauth2/auth`.
    #[must_use]
    pub fn oauth_client(mut self, client: OAuthClient) -> Self {
        self.clients.push(client);
        self
    }

    /// Sets how many bytes a drive can hold, as it tells about itself; 15 GiB by default. Service
    /// accounts have none at Google.
    #[must_use]
    pub fn storage(mut self, bytes: u64) -> Self {
        self.storage = bytes;
        self
    }

    /// Sets the faults that requests meet; none by default.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Stops the clock at a moment, in milliseconds since 1970 UTC, so that tests repeat.
    #[must_use]
    pub fn fixed_clock(mut self, unix_ms: i64) -> Self {
        self.now_ms = Some(unix_ms);
        self
    }
}
