//! Who calls, and what they may do.

use serde::Deserialize;

/// What a caller may do; each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Calls tools that write nothing.
    Reader,
    /// Calls every tool.
    Operator,
    /// Calls every tool, and reads the server's own metrics.
    Admin,
}

impl Role {
    /// Returns the role's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// A caller whose identity was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Who it is: unique for the issuer that vouches for it.
    pub subject: String,
    /// What it may do.
    pub role: Role,
}

impl Principal {
    /// Returns the person at this machine: stdio, and HTTP on loopback without authentication.
    #[must_use]
    pub fn local() -> Self {
        Self { subject: "local".into(), role: Role::Admin }
    }
}
