//! Tokens, codes and requests for consent that are out.

use std::collections::HashMap;

use rand::RngExt as _;

use super::client::{OAuthClient, ServiceAccount};

/// How long an access token lives, in seconds.
pub(super) const LIFE: i64 = 3599;
/// How long a code or a request for consent lives, in seconds.
const SHORT: i64 = 600;
/// How many of a kind are kept; the oldest go first.
const MOST: usize = 10_000;

/// Is who is known and what was given out. Times are seconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(super) accounts: Vec<ServiceAccount>,
    pub(super) clients: Vec<OAuthClient>,
    access: HashMap<String, (Grant, i64)>,
    refresh: HashMap<String, (Grant, String)>,
    codes: HashMap<String, (Code, i64)>,
    asked: HashMap<String, (Asked, i64)>,
}

/// Is what a token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) user: String,
    /// Scopes, joined by spaces.
    pub(super) scope: String,
}

/// Is a code that waits to be exchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) asked: Asked,
    pub(super) user: String,
}

/// Is a request for consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) scope: String,
    pub(super) state: Option<String>,
    /// The S256 challenge of PKCE.
    pub(super) challenge: Option<String>,
}

impl State {
    /// Returns the state with those that are known from the start.
    pub(crate) fn new(accounts: Vec<ServiceAccount>, clients: Vec<OAuthClient>) -> Self {
        Self { accounts, clients, ..Self::default() }
    }

    /// Makes a service account known; a key of the same account is replaced.
    pub(super) fn add_account(&mut self, account: ServiceAccount) {
        self.accounts.retain(|known| known.email != account.email);
        self.accounts.push(account);
    }

    /// Makes a client known.
    pub(super) fn add_client(&mut self, client: OAuthClient) {
        self.clients.retain(|known| known.client_id != client.client_id);
        self.clients.push(client);
    }

    /// Gives out an access token.
    pub(super) fn access(&mut self, grant: Grant, now: i64) -> String {
        keep(&mut self.access, now);
        let token = format!("ya29.{}", secret());
        self.access.insert(token.clone(), (grant, now + LIFE));
        token
    }

    /// Gives out a refresh token to a client.
    pub(super) fn refresh(&mut self, grant: Grant, client: &str) -> String {
        let token = format!("1//{}", secret());
        self.refresh.insert(token.clone(), (grant, client.to_owned()));
        token
    }

    /// Returns what a refresh token of a client is good for.
    pub(super) fn refreshed(&self, token: &str, client: &str) -> Option<Grant> {
        self.refresh.get(token).filter(|(_, owner)| owner == client).map(|(grant, _)| grant.clone())
    }

    /// Returns what an access token is good for, if it still is.
    pub(super) fn bearer(&self, token: &str, now: i64) -> Option<&Grant> {
        self.access.get(token).filter(|(_, until)| *until > now).map(|(grant, _)| grant)
    }

    /// Takes a token back; a refresh token takes the access tokens of its user along.
    pub(super) fn revoke(&mut self, token: &str) -> bool {
        if let Some((grant, _)) = self.refresh.remove(token) {
            self.access.retain(|_, (known, _)| *known != grant);
            return true;
        }
        self.access.remove(token).is_some()
    }

    /// Keeps a request for consent, and returns the ticket that names it.
    pub(super) fn ask(&mut self, asked: Asked, now: i64) -> String {
        keep(&mut self.asked, now);
        let ticket = secret();
        self.asked.insert(ticket.clone(), (asked, now + SHORT));
        ticket
    }

    /// Takes the request of a ticket: it can be decided once.
    pub(super) fn asked(&mut self, ticket: &str, now: i64) -> Option<Asked> {
        self.asked.remove(ticket).filter(|(_, until)| *until > now).map(|(asked, _)| asked)
    }

    /// Gives out a code.
    pub(super) fn code(&mut self, code: Code, now: i64) -> String {
        keep(&mut self.codes, now);
        let text = format!("4/{}", secret());
        self.codes.insert(text.clone(), (code, now + SHORT));
        text
    }

    /// Takes a code: it can be exchanged once.
    pub(super) fn exchange(&mut self, code: &str, now: i64) -> Option<Code> {
        self.codes.remove(code).filter(|(_, until)| *until > now).map(|(code, _)| code)
    }
}

/// Drops what is over, and everything when there is too much of it.
fn keep<T>(map: &mut HashMap<String, (T, i64)>, now: i64) {
    if map.len() >= MOST {
        map.retain(|_, (_, until)| *until > now);
    }
    if map.len() >= MOST {
        map.clear();
    }
}

/// Returns 256 random bits as text. `rand::rng` is seeded by the system and cryptographic.
fn secret() -> String {
    use base64::Engine as _;
    let mut random = rand::rng();
    let bytes: [u8; 32] = std::array::from_fn(|_| random.random());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
