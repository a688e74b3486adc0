//! `[http]` and `[auth]`: how the server is reached over HTTP, and by whom.

use std::path::PathBuf;

use serde::Deserialize;

use crate::principal::Role;

/// How `lockstep serve --http` is reached.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Names beside loopback's under which it is called, with or without a port.
    pub hosts: Vec<String>,
    /// Pages that may call it, as `scheme://host[:port]`.
    pub origins: Vec<String>,
    /// The largest request in bytes; 4 MiB by default.
    pub max_body_bytes: Option<usize>,
}

/// Who may call over HTTP: holders of a signed token of an issuer, and of tokens that the operator handed out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AuthConfig {
    /// The URL of the MCP endpoint, as clients see it; needed for an issuer.
    pub resource: Option<String>,
    /// The `iss` of signed tokens.
    pub issuer: Option<String>,
    /// The `aud` that signed tokens must have; the resource by default.
    #[serde(alias = "audiences")]
    pub audience: Vec<String>,
    /// Where the issuer's keys are fetched.
    pub jwks_url: Option<String>,
    /// The file of the issuer's keys.
    pub jwks_file: Option<PathBuf>,
    /// The scopes that stand for the roles.
    pub scopes: ScopesConfig,
    /// Tokens that the operator handed out, as `lockstep token` prints them.
    pub tokens: Vec<TokenConfig>,
}

/// The scopes that stand for the roles; `lockstep:read`, `lockstep:write` and `lockstep:admin` by default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ScopesConfig {
    /// Lets call tools that write nothing.
    pub reader: Option<String>,
    /// Lets call every tool.
    pub operator: Option<String>,
    /// Lets read the metrics too.
    pub admin: Option<String>,
}

/// A token that the operator handed out.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenConfig {
    /// Who holds it.
    pub name: String,
    /// The hash that `lockstep token` printed; never the token itself.
    pub hash: String,
    /// What it allows.
    pub role: Role,
}
