//! `[hooks]`: who may tell over HTTP that a dataset changed, and where Drive reaches this server.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::secrets::Secret;

/// The settings of calls from outside.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HooksConfig {
    /// The address of this server as Drive sees it, such as `https://sync.example.com`; none: Drive is not asked to tell.
    pub public_url: Option<String>,
    /// The largest body in bytes; 1 MiB by default.
    pub max_body_bytes: Option<usize>,
    /// What each dataset takes at `POST /hooks/{dataset}`.
    pub datasets: BTreeMap<String, HookConfig>,
}

/// What a dataset takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HookConfig {
    /// The environment variable that holds the secret, or the token.
    pub secret_env: Option<String>,
    /// The secret, or the token.
    pub secret: Option<Secret>,
    /// How a call proves that it knows the secret.
    #[serde(default)]
    pub scheme: SchemeConfig,
    /// The header of a plain signature; `X-Hub-Signature-256` by default.
    pub header: Option<String>,
    /// For how many seconds a call is not taken in again, and a stamp may differ from the clock; 300 by default.
    pub window_seconds: Option<u32>,
    /// The JSON pointer of the items, where a body has several.
    pub items: Option<String>,
    /// The JSON pointer of each key column in an item; none: a call is about the whole dataset.
    #[serde(default)]
    pub key: Vec<String>,
}

/// How a call proves that it knows the secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SchemeConfig {
    /// `X-Lockstep-Signature: t=SECONDS,v1=HEX` of `SECONDS.BODY`, HMAC-SHA256.
    #[default]
    Stamped,
    /// A header with the HMAC-SHA256 of the body, as GitHub and Shopify send it.
    Plain,
    /// The secret itself, as `Authorization: Bearer` or `X-Lockstep-Token`.
    Token,
}
