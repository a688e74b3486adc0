//! The one way to a token: at most one request for it at a time, bounded, and never a question to
//! a person.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use google_sheets4::common::GetToken;
use tokio::sync::Mutex;
use tokio::time::Instant;
use yup_oauth2::authenticator::Authenticator;
use yup_oauth2::external_account::CredentialSource;
use yup_oauth2::{
    CustomHyperClientBuilder, ExternalAccountAuthenticator, ServiceAccountAuthenticator,
};

use super::endpoint::{self, Given};
use super::{Credentials, Failed, Source, UserSource};
use crate::config::Timeouts;
use crate::connect::{self, Connector, Plain};
use crate::{Google, Kind, Result, Retry, Secret};

/// A token is not used any more so long before it ends: it must still be good when it arrives.
const MARGIN: Duration = Duration::from_secs(60);

/// Gets tokens and keeps them while they are good. Clones share them.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<Inner>);

struct Inner {
    credentials: Credentials,
    scopes: Vec<String>,
    client: Plain,
    limit: Duration,
    secrets: fn(&str),
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    token: Option<Token>,
    /// The last failure, and when it was known: those who waited for it share it.
    failed: Option<(Instant, Failed)>,
}

struct Token {
    access: Secret,
    until: Option<Instant>,
    granted: Option<Vec<String>>,
}

/// What is known of the present token; never the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenState {
    /// How long it is good, where that was said.
    pub expires_in: Option<Duration>,
    /// The scopes that were granted, where that was said.
    pub granted: Option<Vec<String>>,
}

impl Tokens {
    pub(crate) fn new(
        credentials: Credentials,
        scopes: Vec<String>,
        timeouts: &Timeouts,
        secrets: fn(&str),
    ) -> Result<Self> {
        let tls = addresses(&credentials).iter().any(|url| url.starts_with("https:"));
        let client = connect::plain(tls, timeouts.connect)?;
        credentials.secrets().into_iter().for_each(secrets);
        let limit = timeouts.token;
        let held = Mutex::default();
        Ok(Self(Arc::new(Inner { credentials, scopes, client, limit, secrets, held })))
    }

    /// Gives the present token up: the service refused it.
    pub(crate) async fn refused(&self) {
        self.0.held.lock().await.token = None;
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    async fn state(&self) -> std::result::Result<TokenState, Failed> {
        self.get().await?;
        let held = self.0.held.lock().await;
        let token = held.token.as_ref();
        let left = |until: Instant| until.saturating_duration_since(Instant::now());
        Ok(TokenState {
            expires_in: token.and_then(|token| token.until).map(left),
            granted: token.and_then(|token| token.granted.clone()),
        })
    }

    /// Returns a good token; whoever comes while one is being got waits for that one.
    async fn get(&self) -> std::result::Result<String, Failed> {
        let came = Instant::now();
        let mut held = self.0.held.lock().await;
        let good = held.token.as_ref().filter(|token| {
            token.until.is_none_or(|until| until.saturating_duration_since(Instant::now()) > MARGIN)
        });
        if let Some(token) = good {
            return Ok(token.access.reveal().to_owned());
        }
        if let Some((_, failed)) = held.failed.as_ref().filter(|(at, _)| *at >= came) {
            return Err(failed.clone());
        }
        held.token = None;
        let got = tokio::time::timeout(self.0.limit, self.fetch()).await.unwrap_or_else(|_| {
            Err(Failed {
                kind: Kind::Timeout,
                retry: Retry::Temporary,
                message: format!("no access token within {} s", self.0.limit.as_secs_f64()),
            })
        });
        match got {
            Ok(given) => {
                (self.0.secrets)(given.access.reveal());
                let text = given.access.reveal().to_owned();
                let until = given.seconds.map(|left| Instant::now() + Duration::from_secs(left));
                let granted =
                    given.scope.map(|scope| scope.split_whitespace().map(str::to_owned).collect());
                held.token = Some(Token { access: given.access, until, granted });
                held.failed = None;
                Ok(text)
            }
            Err(failed) => {
                held.failed = Some((Instant::now(), failed.clone()));
                Err(failed)
            }
        }
    }

    async fn fetch(&self) -> std::result::Result<Given, Failed> {
        let client = CustomHyperClientBuilder::from(self.0.client.clone());
        let built = match &self.0.credentials.0 {
            Source::User(user) => return self.refresh(user).await,
            Source::ServiceAccount { key, subject } => {
                let builder = ServiceAccountAuthenticator::with_client((**key).clone(), client);
                match subject {
                    Some(subject) => builder.subject(subject.clone()).build().await,
                    None => builder.build().await,
                }
            }
            Source::External(secret) => {
                ExternalAccountAuthenticator::with_client((**secret).clone(), client).build().await
            }
            Source::Metadata { url } => {
                return endpoint::machine(
                    &self.0.client,
                    url.as_deref(),
                    &self.0.scopes,
                    self.again(),
                )
                .await;
            }
        };
        let authenticator = built.map_err(|error| Failed {
            kind: Kind::Setup,
            retry: Retry::Permanent,
            message: format!("the credentials cannot be used: {error}"),
        })?;
        self.by(&authenticator).await
    }

    async fn by(&self, from: &Authenticator<Connector>) -> std::result::Result<Given, Failed> {
        let token = from.token(&self.0.scopes).await.map_err(|error| self.failed(error))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let until = token.expiration_time().and_then(|at| u64::try_from(at.unix_timestamp()).ok());
        let access = token.token().filter(|text| !text.is_empty()).ok_or_else(|| Failed {
            kind: Kind::Garbled,
            retry: Retry::Temporary,
            message: "the token endpoint gave no access token".into(),
        })?;
        Ok(Given {
            access: Secret::new(access),
            seconds: until.map(|until| until.saturating_sub(now)),
            refresh: None,
            scope: None,
        })
    }

    async fn refresh(&self, user: &UserSource) -> std::result::Result<Given, Failed> {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", &user.client_id),
            ("client_secret", &user.client_secret),
            ("refresh_token", &user.refresh_token),
        ];
        endpoint::ask(&self.0.client, &user.token_uri, &fields, self.again()).await
    }

    /// What a person does when the credentials are no longer accepted.
    fn again(&self) -> &'static str {
        match &self.0.credentials.0 {
            Source::User(user) if user.lockstep => "sign in again: `lockstep login`",
            Source::User(_) => {
                "sign in again: `gcloud auth application-default login`, or `lockstep login`"
            }
            Source::ServiceAccount { .. } => {
                "check that the key still exists, and the clock of this machine (`lockstep doctor`)"
            }
            Source::External(_) => "check the external account's token and audience",
            Source::Metadata { .. } => "check the service account of this machine",
        }
    }

    fn failed(&self, error: yup_oauth2::Error) -> Failed {
        use yup_oauth2::Error as Y;
        let network = |message: String| Failed {
            kind: Kind::Network,
            retry: Retry::Temporary,
            message: format!("the token endpoint cannot be reached: {message}"),
        };
        match error {
            Y::AuthError(said) => endpoint::refused(
                said.error.as_str(),
                said.error_description.as_deref(),
                self.again(),
            ),
            Y::HttpError(error) => network(endpoint::innermost(&error)),
            Y::HttpClientError(error) => network(endpoint::innermost(&error)),
            Y::JSONError(_) => Failed {
                kind: Kind::Unavailable,
                retry: Retry::Temporary,
                message: "the token endpoint's answer is no token".into(),
            },
            Y::LowLevelError(error) => Failed {
                kind: Kind::Setup,
                retry: Retry::Permanent,
                message: match &self.0.credentials.0 {
                    Source::External(secret) => match &secret.credential_source {
                        CredentialSource::File { file, .. } => {
                            format!(
                                "the external account's token cannot be read from {file}: {error}"
                            )
                        }
                        CredentialSource::Url { .. } => {
                            format!("the credentials cannot be used: {error}")
                        }
                    },
                    _ => format!("the credentials cannot be used: {error}"),
                },
            },
            other => Failed {
                kind: Kind::Unauthenticated,
                retry: Retry::Permanent,
                message: format!("no access token could be had: {other}"),
            },
        }
    }
}

/// The addresses that credentials name.
fn addresses(credentials: &Credentials) -> Vec<&str> {
    match &credentials.0 {
        Source::ServiceAccount { key, .. } => vec![&key.token_uri],
        Source::User(user) => vec![&user.token_uri],
        Source::External(secret) => {
            let mut all = vec![secret.token_url.as_str()];
            all.extend(secret.service_account_impersonation_url.as_deref());
            if let CredentialSource::Url { url, .. } = &secret.credential_source {
                all.push(url);
            }
            all
        }
        Source::Metadata { url } => url.as_deref().into_iter().collect(),
    }
}

impl GetToken for Tokens {
    /// The scopes of the call are not looked at: a token is always for the same ones.
    fn get_token<'a>(
        &'a self,
        _scopes: &'a [&str],
    ) -> Pin<
        Box<
            dyn Future<
                    Output = std::result::Result<
                        Option<String>,
                        Box<dyn std::error::Error + Send + Sync>,
                    >,
                > + Send
                + 'a,
        >,
    > {
        Box::pin(async move { Ok(Some(self.get().await?)) })
    }
}

impl Google {
    /// Returns the credentials that tokens are got with; none for a fixed token or without any.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.shared.tokens.as_ref().map(Tokens::credentials)
    }

    /// Gets an access token if there is no good one, and returns what is known of it; `None` where
    /// the client gets none itself.
    pub async fn token_state(&self) -> Result<Option<TokenState>> {
        match &self.shared.tokens {
            Some(tokens) => {
                tokens.state().await.map(Some).map_err(|failed| failed.into_error("token"))
            }
            None => Ok(None),
        }
    }
}
