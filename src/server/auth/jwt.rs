//! Signed tokens: signature, issuer, audience, time, scopes.

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;

use super::{Issuer, Refusal, Scopes};
use crate::principal::{Principal, Role};

/// How far clocks may be apart, in seconds.
const LEEWAY: u64 = 30;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;

/// The signatures that are accepted: public keys only, so that a public key is never taken for a shared secret.
const ACCEPTED: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The claims that are read; issuer, audience and times are checked by the library.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: Option<String>,
    /// RFC 9068: the client, where no person is behind the token.
    client_id: Option<String>,
    azp: Option<String>,
    scope: Option<Many>,
    /// What some issuers call the scopes.
    scp: Option<Many>,
}

/// Scopes as one text or as a list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Many {
    Text(String),
    List(Vec<String>),
}

impl Many {
    fn scopes(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => text.split_whitespace().collect(),
            Self::List(list) => list.iter().map(String::as_str).collect(),
        }
    }
}

/// Returns the caller that a signed token proves.
pub(super) async fn check(
    issuer: &Issuer,
    scopes: &Scopes,
    token: &str,
) -> Result<Principal, Refusal> {
    let invalid = |why: &str| Refusal::Invalid(why.to_owned());
    if token.len() > LONGEST {
        return Err(invalid("the token is too long"));
    }
    let header = decode_header(token).map_err(|_| invalid("the token is not known"))?;
    if !ACCEPTED.contains(&header.alg) {
        return Err(invalid("the token's signature is of a kind that is not accepted"));
    }
    let key = issuer.keys.find(header.kid.as_deref()).await.map_err(Refusal::Unknown)?;
    let key =
        key.ok_or_else(|| invalid("the token is signed with a key that its issuer does not have"))?;
    if !fits(&key, header.alg) {
        return Err(invalid("the token's key is not for this kind of signature"));
    }
    let decoding = DecodingKey::from_jwk(&key)
        .map_err(|_| Refusal::Unknown("the issuer's key is not readable".into()))?;
    let mut validation = Validation::new(header.alg);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    validation.set_issuer(&[&issuer.issuer]);
    validation.set_audience(&issuer.audiences);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    let claims: Claims = decode(token, &decoding, &validation)
        .map_err(|error| {
            invalid(match error.kind() {
                ErrorKind::ExpiredSignature => "the token has expired",
                ErrorKind::ImmatureSignature => "the token is not valid yet",
                ErrorKind::InvalidAudience => "the token is for another audience",
                ErrorKind::InvalidIssuer => "the token is from another issuer",
                ErrorKind::MissingRequiredClaim(_) => "the token lacks exp, iss or aud",
                ErrorKind::InvalidSignature => "the token's signature is wrong",
                _ => "the token is not valid",
            })
        })?
        .claims;
    let subject = claims.sub.or(claims.client_id).or(claims.azp);
    let subject = subject
        .filter(|subject| !subject.is_empty())
        .ok_or_else(|| invalid("the token names no subject"))?;
    let held: Vec<&str> =
        [&claims.scope, &claims.scp].into_iter().flatten().flat_map(Many::scopes).collect();
    let role = scopes.role(held.iter().copied()).ok_or(Refusal::Scope(Role::Reader))?;
    Ok(Principal { subject: format!("{} {subject}", issuer.issuer), role })
}

/// Returns whether a key may be used for a signature of this kind, by its type and by what it says of itself.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    if key.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature)
    {
        return false;
    }
    if key.common.key_algorithm.as_ref().is_some_and(|own| *own != KeyAlgorithm::from(algorithm)) {
        return false;
    }
    let name = format!("{algorithm:?}");
    match &key.algorithm {
        AlgorithmParameters::RSA(_) => name.starts_with("RS") || name.starts_with("PS"),
        AlgorithmParameters::EllipticCurve(_) => name.starts_with("ES"),
        AlgorithmParameters::OctetKeyPair(_) => algorithm == Algorithm::EdDSA,
        _ => false,
    }
}
