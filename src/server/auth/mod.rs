//! An OAuth resource server: whose token it is, and what it allows.
//!
//! Tokens come in the `Authorization` header alone (RFC 6750) and go no further: the header is
//! taken off the request before any handler sees it, so that a caller's token can never reach
//! Google or a database. Signed tokens (JWT) are checked against the issuer's keys, with issuer,
//! audience and expiry; static tokens against their hashes in the configuration.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::principal::{Principal, Role};

pub mod jwks;
mod jwt;
mod token;

pub use jwks::Keys;
pub use token::{StaticToken, digest};

/// The scopes that stand for the roles.
#[derive(Clone, Debug)]
pub struct Scopes {
    /// Lets call tools that write nothing.
    pub reader: String,
    /// Lets call every tool.
    pub operator: String,
    /// Lets read the metrics too.
    pub admin: String,
}

impl Default for Scopes {
    fn default() -> Self {
        Self {
            reader: "lockstep:read".into(),
            operator: "lockstep:write".into(),
            admin: "lockstep:admin".into(),
        }
    }
}

impl Scopes {
    fn of(&self, role: Role) -> &str {
        match role {
            Role::Reader => &self.reader,
            Role::Operator => &self.operator,
            Role::Admin => &self.admin,
        }
    }

    /// Returns the highest role that the scopes of a token stand for.
    fn role<'a>(&self, held: impl Iterator<Item = &'a str> + Clone) -> Option<Role> {
        [Role::Admin, Role::Operator, Role::Reader]
            .into_iter()
            .find(|role| held.clone().any(|scope| scope == self.of(*role)))
    }
}

/// Who vouches for signed tokens.
#[derive(Debug)]
pub struct Issuer {
    /// The `iss` that tokens must carry.
    pub issuer: String,
    /// The audiences of which tokens must carry one.
    pub audiences: Vec<String>,
    /// The issuer's public keys.
    pub keys: Keys,
}

/// Everything that says who may call.
#[derive(Debug)]
pub struct Auth {
    /// The identifier of this resource: the URL of its MCP endpoint.
    pub resource: String,
    /// The issuer of signed tokens, if there is one.
    pub issuer: Option<Issuer>,
    /// Tokens that the operator handed out.
    pub tokens: Vec<StaticToken>,
    /// The scopes that stand for the roles.
    pub scopes: Scopes,
}

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no token.
    Missing,
    /// There is one, and it is not good.
    Invalid(String),
    /// The token is good, and does not allow this.
    Scope(Role),
    /// The issuer's keys cannot be had: it may be good.
    Unknown(String),
}

impl Auth {
    /// Returns the caller that the `Authorization` header of a request proves.
    pub(crate) async fn check(&self, header: Option<&HeaderValue>) -> Result<Principal, Refusal> {
        let Some(header) = header else { return Err(Refusal::Missing) };
        let token = header
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .filter(|token| !token.is_empty())
            .ok_or_else(|| {
                Refusal::Invalid("the Authorization header is no Bearer token".into())
            })?;
        if let Some(known) = token::find(&self.tokens, token) {
            return Ok(Principal { subject: format!("token:{}", known.name), role: known.role });
        }
        let Some(issuer) = &self.issuer else {
            return Err(Refusal::Invalid("the token is not known".into()));
        };
        jwt::check(issuer, &self.scopes, token).await
    }

    /// Returns the document of RFC 9728 that says who vouches for tokens.
    pub(crate) fn metadata(&self) -> Value {
        let issuers: Vec<&str> = self.issuer.iter().map(|issuer| issuer.issuer.as_str()).collect();
        json!({
            "resource": self.resource,
            "resource_name": "Lockstep",
            "authorization_servers": issuers,
            "scopes_supported": [self.scopes.reader, self.scopes.operator, self.scopes.admin],
            "bearer_methods_supported": ["header"],
        })
    }

    /// Returns where [`Self::metadata`] is served: the well-known path put before the resource's own.
    fn metadata_url(&self) -> String {
        let (scheme, rest) = self.resource.split_once("://").unwrap_or(("https", &self.resource));
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let path = path.trim_end_matches('/');
        format!("{scheme}://{authority}/.well-known/oauth-protected-resource{path}")
    }

    /// Returns the answer to a request that is not served.
    pub(crate) fn refuse(&self, refusal: &Refusal) -> Response {
        let (status, error, message, scope) = match refusal {
            Refusal::Missing => {
                (StatusCode::UNAUTHORIZED, None, "a Bearer token is needed", Role::Reader)
            }
            Refusal::Invalid(why) => {
                (StatusCode::UNAUTHORIZED, Some("invalid_token"), why.as_str(), Role::Reader)
            }
            Refusal::Scope(role) => (
                StatusCode::FORBIDDEN,
                Some("insufficient_scope"),
                "the token does not allow this",
                *role,
            ),
            Refusal::Unknown(why) => {
                let message = format!("the token cannot be checked now: {why}");
                return (StatusCode::SERVICE_UNAVAILABLE, message).into_response();
            }
        };
        let mut challenge = String::from("Bearer ");
        if let Some(error) = error {
            // A quoted-string of RFC 9110 holds no control characters, quotes or backslashes unescaped.
            let text: String = message
                .chars()
                .filter(|c| (' '..='~').contains(c) && !"\"\\".contains(*c))
                .collect();
            challenge.push_str(&format!("error=\"{error}\", error_description=\"{text}\", "));
        }
        challenge.push_str(&format!(
            "resource_metadata=\"{}\", scope=\"{}\"",
            self.metadata_url(),
            self.scopes.of(scope)
        ));
        let mut response = (status, format!("{message}\n")).into_response();
        if let Ok(value) = HeaderValue::from_str(&challenge) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(resource: &str) -> Auth {
        Auth { resource: resource.into(), issuer: None, tokens: vec![], scopes: Scopes::default() }
    }

    #[test]
    fn the_well_known_path_goes_before_the_own_one() {
        for (resource, url) in [
            ("https://a.example/mcp", "https://a.example/.well-known/oauth-protected-resource/mcp"),
            (
                "https://a.example:8/x/mcp/",
                "https://a.example:8/.well-known/oauth-protected-resource/x/mcp",
            ),
            ("http://127.0.0.1:1", "http://127.0.0.1:1/.well-known/oauth-protected-resource"),
        ] {
            assert_eq!(auth(resource).metadata_url(), url);
        }
    }

    #[test]
    fn the_highest_scope_counts() {
        let scopes = Scopes::default();
        for (held, role) in [
            ("", None),
            ("openid email", None),
            ("lockstep:read", Some(Role::Reader)),
            ("lockstep:read lockstep:write", Some(Role::Operator)),
            ("lockstep:admin lockstep:read", Some(Role::Admin)),
            ("lockstep:readonly", None),
        ] {
            assert_eq!(scopes.role(held.split(' ')), role, "{held}");
        }
    }

    #[test]
    fn a_challenge_says_what_is_wrong_and_where_to_go() {
        let auth = auth("https://a.example/mcp");
        let shown = |refusal: Refusal| {
            let response = auth.refuse(&refusal);
            let challenge = response.headers().get(header::WWW_AUTHENTICATE);
            (response.status().as_u16(), challenge.map(|v| v.to_str().unwrap().to_owned()))
        };
        let place =
            "resource_metadata=\"https://a.example/.well-known/oauth-protected-resource/mcp\"";
        let (status, challenge) = shown(Refusal::Missing);
        assert_eq!(
            (status, challenge.unwrap()),
            (401, format!("Bearer {place}, scope=\"lockstep:read\""))
        );
        let (status, challenge) = shown(Refusal::Scope(Role::Operator));
        let challenge = challenge.unwrap();
        assert!(status == 403 && challenge.contains("insufficient_scope"), "{challenge}");
        assert!(challenge.ends_with("scope=\"lockstep:write\""), "{challenge}");
        let (status, challenge) = shown(Refusal::Invalid("a \"b\"\r\nSet-Cookie: x".into()));
        let challenge = challenge.unwrap();
        assert!(status == 401 && challenge.contains("=\"a bSet-Cookie: x\""), "{challenge}");
        assert_eq!(shown(Refusal::Unknown("x".into())), (503, None));
    }
}
