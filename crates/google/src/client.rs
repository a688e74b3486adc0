//! The client: what all calls share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use google_drive3::DriveHub;
use google_sheets4::Sheets;
use google_sheets4::common::GetToken;
use hyper::Uri;
use hyper::header::HeaderValue;
use tokio::sync::watch;

use crate::allow::{Access, Door};
use crate::auth::tokens::Tokens;
use crate::calls::{Calls, Priority, Scope};
use crate::config::{Auth, Backoff, Config, Timeouts};
use crate::connect::{self, Connector};
use crate::quota::Gates;
use crate::wait::Wait;
use crate::{Error, Kind, Result, Retry};

/// The scopes of every call, always the same ones: the generated crates would ask for full
/// `drive` or `drive.readonly`, and another set of scopes means another token and another consent
/// (google-wire 1.1). What is really asked for is a matter of the credentials.
pub const SCOPES: [&str; 2] =
    ["https://www.googleapis.com/auth/spreadsheets", "https://www.googleapis.com/auth/drive.file"];

/// Google Sheets and Drive, for one user. Cheap to clone; clones share connections, quota gates
/// and counters.
#[derive(Clone)]
pub struct Google {
    pub(crate) shared: Arc<Shared>,
    pub(crate) scope: Arc<Scope>,
}

pub(crate) struct Shared {
    pub(crate) sheets: Sheets<Connector>,
    pub(crate) drive: DriveHub<Connector>,
    /// `https://sheets.googleapis.com/`, with the slash.
    pub(crate) sheets_base: String,
    /// `https://www.googleapis.com/drive/v3/`, with the slash.
    pub(crate) drive_base: String,
    pub(crate) user_agent: HeaderValue,
    pub(crate) gates: Gates,
    pub(crate) timeouts: Timeouts,
    pub(crate) backoff: Backoff,
    /// How long a window of the service is.
    pub(crate) window: Duration,
    /// What access tokens are got with, if the client gets them itself.
    pub(crate) tokens: Option<Tokens>,
    pub(crate) door: Door,
}

impl Google {
    /// Makes a client; nothing is sent yet.
    ///
    /// Fails with [`Kind::Setup`] on an endpoint that is no http(s) URL, on credentials that
    /// would travel unencrypted to another machine, on a token or user agent that is no valid
    /// header, and if an https endpoint is given on a machine without CA certificates.
    pub fn new(config: Config) -> Result<Self> {
        let Config { sheets_url, drive_url, auth, timeouts, backoff, quota, user_agent, .. } =
            config;
        let (access, secrets) = (config.access, config.secrets);
        let patience = timeouts.clone();
        let build = Build { sheets_url, drive_url, timeouts, backoff, quota, user_agent, access };
        match auth {
            Auth::None => build.with(google_sheets4::common::NoToken, false, None),
            Auth::Token(token) => {
                // The generated code unwraps the request: a bad header value would panic there.
                header("the access token", token.reveal())?;
                let token = token.reveal().to_owned();
                secrets(&token);
                build.with(token, true, None)
            }
            Auth::Credentials(credentials, scopes) => {
                let tokens = Tokens::new(credentials, scopes, &patience, secrets)?;
                build.with(tokens.clone(), true, Some(tokens))
            }
        }
    }

    /// Returns a handle with counters of its own, e.g. for one run; connections and quota stay
    /// shared, and its calls count here too.
    ///
    /// Where calls wait for quota, the scopes take turns.
    pub fn scoped(&self) -> Self {
        self.within(self.scope.priority())
    }

    /// Returns a handle like [`scoped`](Self::scoped) for work that nobody waits for: calls of
    /// other handles overtake its calls, but never all of them. While it waits it gets at least
    /// every tenth place.
    pub fn background(&self) -> Self {
        self.within(Priority::Background)
    }

    fn within(&self, priority: Priority) -> Self {
        let scope = Scope::new(priority, Some(Arc::clone(&self.scope)));
        Self { shared: Arc::clone(&self.shared), scope }
    }

    /// Returns the calls made through this handle, its clones and the handles scoped from it.
    pub fn calls(&self) -> Calls {
        self.scope.calls()
    }

    /// Returns a channel that tells what calls of this handle are held back for, and when none is
    /// any more; of several waits the longest. It stays open as long as the handle.
    pub fn waiting(&self) -> watch::Receiver<Option<Wait>> {
        self.scope.waiting()
    }

    /// Returns why calls are not counted together with those of other processes although they
    /// should be: what the ledger of [`Quota::shared`](crate::Quota::shared) last failed with.
    ///
    /// Until it answers again this process counts its own calls alone, under half of the limit.
    pub fn ledger_failure(&self) -> Option<String> {
        self.shared.gates.book.as_ref()?.failure()
    }
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Google")
            .field("sheets", &self.shared.sheets_base)
            .field("drive", &self.shared.drive_base)
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}

/// A [`Config`] whose credentials are settled: the seam where further kinds of credentials enter.
pub(crate) struct Build {
    pub(crate) sheets_url: String,
    pub(crate) drive_url: String,
    pub(crate) timeouts: Timeouts,
    pub(crate) backoff: Backoff,
    pub(crate) quota: crate::Quota,
    pub(crate) user_agent: String,
    pub(crate) access: Access,
}

impl Build {
    pub(crate) fn with(
        self,
        credentials: impl GetToken + Clone + 'static,
        secret: bool,
        tokens: Option<Tokens>,
    ) -> Result<Google> {
        let user_agent = header("the user agent", &self.user_agent)?;
        let sheets = Endpoint::parse(&self.sheets_url)?;
        let mut drive = Endpoint::parse(&self.drive_url)?;
        if let Some(root) = drive.root.strip_suffix("drive/v3/") {
            drive.root = root.to_owned();
        }
        for endpoint in [&sheets, &drive] {
            if secret && !endpoint.tls && !endpoint.loopback {
                return Err(setup(format!(
                    "the credentials would travel unencrypted to {}; use https",
                    endpoint.root
                )));
            }
        }
        let client = connect::client(sheets.tls || drive.tls, self.timeouts.connect)?;
        let mut sheets_hub = Sheets::new(client.clone(), credentials.clone());
        sheets_hub.base_url(sheets.root.clone());
        sheets_hub.root_url(sheets.root.clone());
        sheets_hub.user_agent(self.user_agent.clone());
        let drive_base = format!("{}drive/v3/", drive.root);
        let mut drive_hub = DriveHub::new(client, credentials);
        drive_hub.base_url(drive_base.clone());
        // Uploads go to the root, not to the base (google-wire 1.1).
        drive_hub.root_url(drive.root);
        drive_hub.user_agent(self.user_agent);
        Ok(Google {
            shared: Arc::new(Shared {
                sheets: sheets_hub,
                drive: drive_hub,
                sheets_base: sheets.root,
                drive_base,
                user_agent,
                gates: Gates::new(&self.quota, sheets.loopback),
                window: self.quota.window,
                timeouts: self.timeouts,
                backoff: self.backoff,
                tokens,
                door: Door::new(self.access),
            }),
            scope: Scope::new(Priority::Interactive, None),
        })
    }
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    /// With a slash at the end: the generated code joins strings.
    root: String,
    pub(crate) tls: bool,
    pub(crate) loopback: bool,
}

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let refused = |why: &str| setup(format!("{text:?} is not an endpoint: {why}"));
        let uri: Uri = text.trim().parse().map_err(|_| refused("it is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refused("it must start with http:// or https://")),
        };
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| refused("it names no host"))?;
        if uri.query().is_some() || uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(refused("a query or a user name does not belong here"));
        }
        let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        let loopback =
            host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|address| address.is_loopback());
        let mut root = text.trim().to_owned();
        if !root.ends_with('/') {
            root.push('/');
        }
        Ok(Self { root, tls, loopback })
    }
}

fn header(what: &str, value: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(value)
        .ok()
        .filter(|header| !header.is_empty() && header.to_str().is_ok())
        .ok_or_else(|| setup(format!("{what} must be visible ASCII characters on one line")))
}

fn setup(message: String) -> Error {
    Error::new(Kind::Setup, Retry::Permanent, "setup", message)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod client_tests;
