//! Who may ask for tokens.

use base64::Engine as _;
use ring::rsa::KeyPair;
use ring::signature::KeyPair as _;
use serde::Deserialize;

/// Is a service account that is known: its address and the public half of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    pub(super) email: String,
    /// What the `aud` of its assertions must be.
    pub(super) token_uri: String,
    /// PKCS#1 DER.
    pub(super) public_key: Vec<u8>,
}

/// Is an OAuth client of the installed flow.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuthClient {
    /// The client id.
    pub client_id: String,
    /// The client secret; installed clients cannot keep it, so it proves little.
    pub client_secret: String,
}

/// Says what is wrong with a service account's key file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The text is no key file.
    #[error(
        "this is no service account key file: {0}; download one as JSON, or make one with the same fields"
    )]
    Json(String),
    /// The private key cannot be read.
    #[error("the private_key of {email} is no RSA key of 2048 bits or more in PKCS#8 PEM")]
    Key {
        /// The account.
        email: String,
    },
}

#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: String,
    token_uri: String,
}

impl ServiceAccount {
    /// Reads a service account's key file, as clients use it; only the public half is kept.
    ///
    /// # Errors
    /// [`AuthError`] when it is no key file or its key is no RSA key.
    pub fn from_key_file(json: &str) -> Result<Self, AuthError> {
        // The error of serde_json names no value, so no part of the key leaks into it.
        let file: KeyFile =
            serde_json::from_str(json).map_err(|error| AuthError::Json(error.to_string()))?;
        let key = || AuthError::Key { email: file.client_email.clone() };
        let body: String = file
            .private_key
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .map(str::trim)
            .collect();
        let der = base64::engine::general_purpose::STANDARD.decode(body).map_err(|_| key())?;
        let pair = KeyPair::from_pkcs8(&der).map_err(|_| key())?;
        let public_key = pair.public_key().as_ref().to_vec();
        Ok(Self { email: file.client_email, token_uri: file.token_uri, public_key })
    }
}
