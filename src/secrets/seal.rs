//! Sealing: XChaCha20-Poly1305 with a random nonce, bound to what it is for.
//!
//! `LKS1`, the key's id (8 bytes), the nonce (24 bytes), then the sealed bytes with their tag (16 bytes).

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Generate as _, KeyInit as _, Payload},
};
use zeroize::Zeroizing;

use super::{
    Ring,
    key::{Key, name},
};
use crate::error::{Error, Kind, Result};

/// Begins everything that is sealed.
const MARK: &[u8; 4] = b"LKS1";
const ID: usize = 8;
const NONCE: usize = 24;

impl Ring {
    /// Seals bytes; they open again only with the same `purpose`.
    ///
    /// # Errors
    /// A system that gives no random numbers.
    pub fn seal(&self, purpose: &str, bytes: &[u8]) -> Result<Vec<u8>> {
        let key = self.keys.first().ok_or_else(|| Error::internal("there is no key"))?;
        let nonce = XNonce::try_generate()
            .map_err(|_| Error::internal("the system gives no random numbers"))?;
        let sealed = cipher(key)
            .encrypt(&nonce, Payload { msg: bytes, aad: purpose.as_bytes() })
            .map_err(|_| Error::internal("it cannot be sealed"))?;
        let mut out = Vec::with_capacity(MARK.len() + ID + NONCE + sealed.len());
        out.extend_from_slice(MARK);
        out.extend_from_slice(&key.id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what was sealed for the same purpose.
    ///
    /// # Errors
    /// What was changed, was sealed for something else, or with a key that is not there.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (id, nonce, body) = parts(sealed).ok_or_else(|| damaged("it is not sealed"))?;
        let key = self.keys.iter().find(|key| key.id == id).ok_or_else(|| {
            Error::new(
                Kind::Unauthenticated,
                format!("it was sealed with the key {}, which is not here", name(id)),
            )
            .next("give that key back with [secrets] key or previousKeys; without it, it cannot be read")
        })?;
        cipher(key)
            .decrypt(&XNonce::from(nonce), Payload { msg: body, aad: purpose.as_bytes() })
            .map(Zeroizing::new)
            .map_err(|_| damaged("it was changed, or is not what it is taken for"))
    }

    /// Returns whether bytes are sealed with the key that seals now.
    #[must_use]
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        let id = parts(sealed).map(|(id, ..)| id);
        id.is_some() && id == self.keys.first().map(|key| key.id)
    }

    /// Returns whether the key is here that sealed these bytes.
    pub(crate) fn opens(&self, sealed: &[u8]) -> bool {
        parts(sealed).is_some_and(|(id, ..)| self.keys.iter().any(|key| key.id == id))
    }

    /// Returns whether bytes look sealed.
    pub(crate) fn sealed(bytes: &[u8]) -> bool {
        parts(bytes).is_some()
    }

    /// Returns what everything begins with that the key that seals now has sealed.
    pub(crate) fn beginning(&self) -> Vec<u8> {
        let id = self.keys.first().map(|key| key.id).unwrap_or_default();
        [MARK.as_slice(), &id].concat()
    }
}

fn parts(sealed: &[u8]) -> Option<([u8; ID], [u8; NONCE], &[u8])> {
    let rest = sealed.strip_prefix(MARK)?;
    let (id, rest) = rest.split_at_checked(ID)?;
    let (nonce, body) = rest.split_at_checked(NONCE)?;
    Some((id.try_into().ok()?, nonce.try_into().ok()?, body))
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(*key.bytes).into())
}

fn damaged(what: &str) -> Error {
    Error::new(Kind::Internal, format!("something sealed cannot be opened: {what}"))
        .next("restore it from a backup, or make it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_alone() {
        let ring = Ring::new(Key::generate().unwrap(), []);
        let sealed = ring.seal("tokens", b"a secret").unwrap();
        assert!(!sealed.windows(8).any(|part| part == b"a secret"));
        assert!(Ring::sealed(&sealed) && ring.is_current(&sealed) && !Ring::sealed(b"a secret"));
        assert_eq!(ring.open("tokens", &sealed).unwrap().as_slice(), b"a secret");
        assert_ne!(ring.seal("tokens", b"a secret").unwrap(), sealed);
        assert!(ring.open("rows", &sealed).is_err());
        // No bit of it can be another.
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(ring.open("tokens", &changed).is_err(), "byte {at}");
        }
        for length in 0..sealed.len() {
            assert!(ring.open("tokens", &sealed[..length]).is_err());
        }
    }

    #[test]
    fn an_earlier_key_still_opens_and_a_missing_one_is_named() {
        let (old, new) = (Key::generate().unwrap(), Key::generate().unwrap());
        let before = Ring::new(old.clone(), []);
        let sealed = before.seal("x", b"kept").unwrap();
        let after = Ring::new(new.clone(), [Key::read(&old.text()).unwrap()]);
        assert_eq!(after.open("x", &sealed).unwrap().as_slice(), b"kept");
        assert!(!after.is_current(&sealed));
        let error = Ring::new(new, []).open("x", &sealed).unwrap_err().to_string();
        assert!(error.contains(&old.name()), "{error}");
        assert!(!format!("{old:?}").contains(old.text().as_str()));
        assert!(Key::read("short").is_err() && Key::read("").is_err());
    }
}
