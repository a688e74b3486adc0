//! The keys of an installation.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    XChaCha20Poly1305,
    aead::{Generate as _, Key as Bytes},
};
use zeroize::Zeroizing;

use crate::{
    error::{Error, Kind, Result},
    redact,
};

/// How many bytes a key has.
pub(super) const LENGTH: usize = 32;

/// A key, and the id by which what it sealed is known.
#[derive(Clone)]
pub struct Key {
    pub(super) id: [u8; 8],
    pub(super) bytes: Zeroizing<[u8; LENGTH]>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.name())
    }
}

impl Key {
    /// Makes a new one of the system's random numbers.
    ///
    /// # Errors
    /// A system that gives none.
    pub fn generate() -> Result<Self> {
        let bytes = Bytes::<XChaCha20Poly1305>::try_generate()
            .map_err(|_| Error::internal("the system gives no random numbers"))?;
        Ok(Self::of(Zeroizing::new(bytes.into())))
    }

    /// Reads one: 32 bytes as base64.
    ///
    /// # Errors
    /// Any other text.
    pub fn read(text: &str) -> Result<Self> {
        let decoded = STANDARD.decode(text.trim()).map(Zeroizing::new).ok();
        let bytes = decoded.and_then(|bytes| <[u8; LENGTH]>::try_from(bytes.as_slice()).ok());
        bytes.map(|bytes| Self::of(Zeroizing::new(bytes))).ok_or_else(|| {
            Error::new(Kind::InvalidArgument, "a key must be 32 bytes as base64")
                .next("`openssl rand -base64 32` makes a good one")
        })
    }

    fn of(bytes: Zeroizing<[u8; LENGTH]>) -> Self {
        // The id tells keys apart and tells nothing of the key.
        let digest = blake3::derive_key("lockstep 2026 id of a sealing key", bytes.as_slice());
        let mut id = [0; 8];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        redact::note(&STANDARD.encode(bytes.as_slice()));
        Self { id, bytes }
    }

    /// Returns it as text, as [`Key::read`] takes it.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.bytes.as_slice()))
    }

    /// Returns the key itself.
    pub(crate) fn bytes(&self) -> Zeroizing<[u8; LENGTH]> {
        self.bytes.clone()
    }

    /// Returns its id as text: no secret.
    #[must_use]
    pub fn name(&self) -> String {
        name(self.id)
    }
}

/// Returns the id of a key as text.
pub(super) fn name(id: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(id))
}

/// The key that seals, and those that sealed before it.
#[derive(Clone, Debug)]
pub struct Ring {
    pub(super) keys: Vec<Key>,
}

impl Ring {
    /// Makes a ring; the first key seals.
    #[must_use]
    pub fn new(first: Key, earlier: impl IntoIterator<Item = Key>) -> Self {
        let mut keys = vec![first];
        keys.extend(earlier);
        Self { keys }
    }

    /// Returns the id of the key that seals.
    #[must_use]
    pub fn name(&self) -> String {
        self.keys.first().map(Key::name).unwrap_or_default()
    }

    /// Returns the same keys with the named one first; `None` when it is not among them.
    #[must_use]
    pub(crate) fn led_by(&self, name: &str) -> Option<Self> {
        let at = self.keys.iter().position(|key| key.name() == name)?;
        let mut keys = self.keys.clone();
        let leader = keys.remove(at);
        keys.insert(0, leader);
        Some(Self { keys })
    }

    /// Returns how many keys can open.
    #[must_use]
    pub fn size(&self) -> usize {
        self.keys.len()
    }
}
