//! The signed assertion of a service account (RFC 7523).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::client::ServiceAccount;

/// Is an assertion that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assertion {
    pub(super) email: String,
    pub(super) scope: String,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    #[serde(default)]
    scope: String,
    aud: String,
    iat: i64,
    exp: i64,
    #[serde(default)]
    sub: Option<String>,
}

/// How far the clocks of caller and server may differ, in seconds.
const SKEW: i64 = 300;

/// Verifies an assertion; the error is Google's description for an `invalid_grant`.
pub(super) fn verify(
    text: &str,
    accounts: &[ServiceAccount],
    now: i64,
) -> Result<Assertion, String> {
    let malformed = || "Invalid JWT: Token must be a signed JWT of three parts.".to_owned();
    let (signed, signature) = text.rsplit_once('.').ok_or_else(malformed)?;
    let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
    let header: Header = read(header).ok_or_else(malformed)?;
    let claims: Claims = read(claims).ok_or_else(malformed)?;
    if header.alg != "RS256" {
        return Err("Invalid JWT: Only RS256 signatures are taken.".to_owned());
    }
    let account = accounts
        .iter()
        .find(|account| account.email == claims.iss)
        .ok_or_else(|| "Invalid grant: account not found".to_owned())?;
    let signature = decode(signature).ok_or_else(malformed)?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &account.public_key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| "Invalid JWT Signature.".to_owned())?;
    if claims.aud != account.token_uri {
        return Err(format!(
            "Invalid JWT: Failed audience check. The right audience is {}",
            account.token_uri
        ));
    }
    let short = claims.exp > claims.iat && claims.exp.saturating_sub(claims.iat) <= 3600;
    if !short || claims.iat > now + SKEW || claims.exp < now - SKEW {
        return Err("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.".to_owned());
    }
    // With a subject the account acts for a user of its domain.
    let email = claims.sub.filter(|sub| !sub.is_empty()).unwrap_or(claims.iss);
    Ok(Assertion { email, scope: claims.scope })
}

fn read<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&decode(part)?).ok()
}

/// Decodes base64url with or without padding: yup-oauth2 sends it padded.
fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()
}
