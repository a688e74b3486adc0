//! Tokens that the operator hands out: the configuration holds their hashes alone.

use crate::principal::Role;

/// A token of the configuration.
#[derive(Clone, Debug)]
pub struct StaticToken {
    /// Who holds it; shown in logs and in the history.
    pub name: String,
    /// The hash of the token, see [`digest`].
    pub hash: blake3::Hash,
    /// What it allows.
    pub role: Role,
}

/// Returns the hash of a token as the configuration holds it.
///
/// The key derivation keeps the hash from being the hash of the same text for another purpose. It is
/// fast, so a token must be long and random, as `lockstep token` makes them.
#[must_use]
pub fn digest(token: &str) -> blake3::Hash {
    blake3::Hash::from_bytes(blake3::derive_key(
        "lockstep 2026 static bearer token",
        token.as_bytes(),
    ))
}

/// Returns the configured token that `token` is; the comparison takes the same time for all of them.
pub(super) fn find<'a>(tokens: &'a [StaticToken], token: &str) -> Option<&'a StaticToken> {
    let digest = digest(token);
    tokens.iter().fold(None, |found, known| if known.hash == digest { Some(known) } else { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_hash_alone() {
        let known = |name: &str, token: &str| StaticToken {
            name: name.into(),
            hash: digest(token),
            role: Role::Reader,
        };
        let tokens = [known("a", "first"), known("b", "second")];
        assert_eq!(find(&tokens, "second").map(|t| t.name.as_str()), Some("b"));
        for foreign in ["", "First", "first ", &digest("first").to_hex()] {
            assert!(find(&tokens, foreign).is_none(), "{foreign}");
        }
        assert_ne!(digest("first"), blake3::hash(b"first"));
    }
}
