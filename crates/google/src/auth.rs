//! Credentials: what access tokens are got with, and what goes wrong on the way.
//!
//! `yup-oauth2` signs for service accounts, exchanges the tokens of other clouds and asks the
//! metadata server. Three things it cannot do are done here, on the same client: PKCE and `state`
//! in the installed flow, a token endpoint other than Google's for people's credentials, and
//! refreshing without ever falling into an interactive flow (google-wire 1.5).

pub(crate) mod endpoint;
pub(crate) mod login;
pub(crate) mod query;
pub(crate) mod tokens;

use std::fmt;

use serde::Deserialize;
use yup_oauth2::ServiceAccountKey;
use yup_oauth2::external_account::{CredentialSource, ExternalAccountSecret};

use crate::client::Endpoint;
use crate::{Error, Kind, Result, Retry, Secret};

/// Google's token endpoint.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// Who access tokens are got for, and with what.
#[derive(Clone)]
pub struct Credentials(pub(crate) Source);

#[derive(Clone)]
pub(crate) enum Source {
    ServiceAccount { key: Box<ServiceAccountKey>, subject: Option<String> },
    User(UserSource),
    External(Box<ExternalAccountSecret>),
    Metadata { url: Option<String> },
}

/// What a person's sign-in left: enough to get access tokens until they take it back.
#[derive(Clone, Deserialize)]
pub(crate) struct UserSource {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) refresh_token: String,
    #[serde(default = "google_tokens")]
    pub(crate) token_uri: String,
    /// Whether `lockstep login` made it; else it is gcloud's.
    #[serde(default)]
    pub(crate) lockstep: bool,
    /// Who signed in, if that is known.
    #[serde(default)]
    pub(crate) account: Option<String>,
}

fn google_tokens() -> String {
    TOKEN_URI.into()
}

/// Kinds of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// A service account's key.
    ServiceAccount,
    /// A person who signed in.
    User,
    /// An identity of another cloud or company (workload identity federation).
    ExternalAccount,
    /// What the machine in Google's cloud runs as.
    Metadata,
}

impl CredentialKind {
    /// Returns the kind in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::ServiceAccount => "service account",
            Self::User => "signed-in person",
            Self::ExternalAccount => "external account",
            Self::Metadata => "metadata server",
        }
    }
}

impl Credentials {
    /// Reads credentials as Google's tools write them: a service account's key, `authorized_user`
    /// (also what `lockstep login` keeps) or `external_account`.
    ///
    /// # Errors
    /// [`Kind::Setup`] on any other text; nothing of the text is repeated but its `type`.
    pub fn from_json(json: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            r#type: Option<String>,
            installed: Option<serde::de::IgnoredAny>,
            web: Option<serde::de::IgnoredAny>,
        }
        let head: Head = serde_json::from_str(json)
            .map_err(|error| unreadable("the credentials are no JSON object", &error))?;
        if head.installed.is_some() || head.web.is_some() {
            return Err(setup(
                "this is an OAuth client, which signs nobody in by itself; name it as the client and run `lockstep login`",
            ));
        }
        match head.r#type.as_deref() {
            Some("service_account") => {
                let key: ServiceAccountKey = serde_json::from_str(json).map_err(|error| {
                    unreadable("the service account's key is incomplete", &error)
                })?;
                protected("token_uri", &key.token_uri)?;
                Ok(Self(Source::ServiceAccount { key: Box::new(key), subject: None }))
            }
            Some("authorized_user") => {
                let user: UserSource = serde_json::from_str(json).map_err(|error| {
                    unreadable("the person's credentials are incomplete", &error)
                })?;
                protected("token_uri", &user.token_uri)?;
                Ok(Self(Source::User(user)))
            }
            Some("external_account") => external(json),
            Some("impersonated_service_account") => Err(setup(
                "credentials of the type impersonated_service_account are not supported; use the service account's own key or external_account with service_account_impersonation_url",
            )),
            other => Err(setup(&format!(
                "credentials of the type {:?} are not known; expected service_account, authorized_user or external_account",
                other.unwrap_or("(none)")
            ))),
        }
    }

    /// Returns the credentials of the machine itself, from the metadata server of Google's cloud or
    /// another one at `url`.
    pub fn metadata(url: Option<String>) -> Self {
        Self(Source::Metadata { url })
    }

    /// Lets a service account act for a person of its domain (domain-wide delegation).
    ///
    /// # Errors
    /// [`Kind::Setup`] on credentials of another kind.
    pub fn for_subject(self, email: &str) -> Result<Self> {
        match self.0 {
            Source::ServiceAccount { key, .. } if email.contains('@') => {
                Ok(Self(Source::ServiceAccount { key, subject: Some(email.to_owned()) }))
            }
            Source::ServiceAccount { .. } => {
                Err(setup("the subject must be the e-mail address of a person of the domain"))
            }
            _ => Err(setup("a subject goes with a service account alone")),
        }
    }

    /// Returns the kind.
    pub fn kind(&self) -> CredentialKind {
        match &self.0 {
            Source::ServiceAccount { .. } => CredentialKind::ServiceAccount,
            Source::User(_) => CredentialKind::User,
            Source::External(_) => CredentialKind::ExternalAccount,
            Source::Metadata { .. } => CredentialKind::Metadata,
        }
    }

    /// Returns the e-mail address that sheets must be shared with, where the credentials say it.
    pub fn email(&self) -> Option<&str> {
        match &self.0 {
            Source::ServiceAccount { key, subject } => {
                Some(subject.as_deref().unwrap_or(&key.client_email))
            }
            Source::User(user) => user.account.as_deref(),
            Source::External(_) | Source::Metadata { .. } => None,
        }
    }

    /// Returns whether a service account acts for itself: it has no storage of its own then.
    pub fn acts_for_itself(&self) -> bool {
        matches!(&self.0, Source::ServiceAccount { subject: None, .. })
    }

    /// Returns what is the same for the same user and differs between users; it may be a secret.
    pub fn identity(&self) -> String {
        match &self.0 {
            Source::ServiceAccount { key, subject } => {
                format!("{} {}", key.client_email, subject.as_deref().unwrap_or_default())
            }
            Source::User(user) => user.refresh_token.clone(),
            Source::External(secret) => format!("{:?}", secret.audience),
            Source::Metadata { url } => format!("metadata {}", url.as_deref().unwrap_or_default()),
        }
    }

    /// Returns the secrets in it, to be kept out of logs.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        match &self.0 {
            Source::ServiceAccount { key, .. } => vec![&key.private_key],
            Source::User(user) => vec![&user.client_secret, &user.refresh_token],
            Source::External(_) | Source::Metadata { .. } => Vec::new(),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

fn external(json: &str) -> Result<Credentials> {
    // A source that is a program, or AWS's, has neither `file` nor `url`.
    let secret: ExternalAccountSecret = serde_json::from_str(json).map_err(|error| {
        unreadable(
            "the external account cannot be used: its credential_source must be a file, or a url with a format",
            &error,
        )
    })?;
    protected("token_url", &secret.token_url)?;
    if let Some(url) = &secret.service_account_impersonation_url {
        protected("service_account_impersonation_url", url)?;
    }
    if let CredentialSource::Url { url, headers, .. } = &secret.credential_source {
        let good = url.parse::<hyper::Uri>().is_ok_and(|uri| uri.host().is_some());
        let named = headers.iter().flatten().all(|(name, value)| {
            hyper::header::HeaderName::try_from(name).is_ok()
                && hyper::header::HeaderValue::try_from(value).is_ok()
        });
        if !(good && named) {
            return Err(setup("credential_source: its url or one of its headers is not valid"));
        }
    }
    Ok(Credentials(Source::External(Box::new(secret))))
}

/// An OAuth client of the kind "desktop app", as downloaded from Google's console.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    pub(crate) id: String,
    pub(crate) secret: Secret,
    pub(crate) auth_uri: String,
    pub(crate) token_uri: String,
}

impl OAuthClient {
    /// Reads the file that Google's console gives.
    ///
    /// # Errors
    /// [`Kind::Setup`] on any other text, a client of another kind, or endpoints without https.
    pub fn from_json(json: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct File {
            installed: Option<Client>,
            web: Option<serde::de::IgnoredAny>,
        }
        #[derive(Deserialize)]
        struct Client {
            client_id: String,
            client_secret: String,
            auth_uri: String,
            token_uri: String,
        }
        let file: File = serde_json::from_str(json)
            .map_err(|error| unreadable("the OAuth client's file cannot be read", &error))?;
        let client = match (file.installed, file.web) {
            (Some(client), _) => client,
            (None, Some(_)) => {
                return Err(setup(
                    "the OAuth client is one for web applications; make one of the type \"Desktop app\"",
                ));
            }
            (None, None) => {
                return Err(setup(
                    "this is no OAuth client: it has no \"installed\"; download one of the type \"Desktop app\" as JSON",
                ));
            }
        };
        protected("auth_uri", &client.auth_uri)?;
        protected("token_uri", &client.token_uri)?;
        Ok(Self {
            id: client.client_id,
            secret: Secret::new(client.client_secret),
            auth_uri: client.auth_uri,
            token_uri: client.token_uri,
        })
    }
}

/// Refuses an address to which secrets would travel unencrypted.
fn protected(name: &str, url: &str) -> Result<()> {
    let endpoint = Endpoint::parse(url).map_err(|_| setup(&format!("{name} is no address")))?;
    if endpoint.tls || endpoint.loopback {
        return Ok(());
    }
    Err(setup(&format!("{name}: the credentials would travel unencrypted; it must be https")))
}

fn unreadable(what: &str, error: &serde_json::Error) -> Error {
    // serde_json tells the place and the field, and of a wrong value its type; never the content of a text.
    let (line, column) = (error.line(), error.column());
    let missing = error.to_string();
    let field = missing.split('`').nth(1).filter(|_| missing.starts_with("missing field"));
    let why =
        field.map_or_else(|| "it does not parse".to_owned(), |name| format!("{name} is missing"));
    setup(&format!("{what} (line {line}, column {column}: {why})"))
}

pub(crate) fn setup(message: &str) -> Error {
    Error::new(Kind::Setup, Retry::Permanent, "credentials", message)
}

/// Why no token could be had; the same for all calls that waited for it.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    pub(crate) kind: Kind,
    pub(crate) retry: Retry,
    pub(crate) message: String,
}

impl Failed {
    pub(crate) fn into_error(self, operation: &'static str) -> Error {
        Error::new(self.kind, self.retry, operation, self.message)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failed {}
