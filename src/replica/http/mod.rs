//! JSON APIs over HTTP as replicas, described by the operator.

use serde::Deserialize;

use crate::error::Result;

/// What the operator says of an API.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpConfig {
    /// The address that every path is relative to; nothing else is ever called.
    pub base_url: String,
    /// Whether it may be written.
    #[serde(default)]
    pub writable: bool,
}

/// An API that the operator named.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) name: String,
    pub(crate) config: HttpConfig,
}

impl Api {
    /// Takes the operator's word; nothing is called yet.
    ///
    /// # Errors
    /// An address that cannot be understood.
    pub(crate) fn new(name: &str, config: &HttpConfig) -> Result<Self> {
        Ok(Self { name: name.to_owned(), config: config.clone() })
    }
}
