//! Encryption at rest: what of the tables is sealed, and how.
//!
//! Sealed is every column that can hold a cell's value or a key: definitions, deltas, segments with their last keys and
//! digests, plans, intended moves, aims, what was seen; images, keys and reasons of actions, places and notes of
//! batches, counts and errors of runs; tombstones; conflicts with their rows, values, words and decisions; events and
//! dead letters with their stories; breakers' reasons, keys of calls, tokens of channels, statuses of watches; messages,
//! questions, answers and outcomes of tasks; payloads and salts of the audit; facts, findings, incidents and messages
//! about them; the key that servers share. [`SEALED`] lists them; `rekey` goes by it.
//!
//! In the clear stay names (of datasets, columns, members, spreadsheets, people), ids, times, counts, states, kinds and
//! addresses of columns, and the names of plans and conflicts, which are hashes of what they are about. A key is looked up
//! by a digest that only this store's own secret makes; that secret is sealed in `shared`. What the audit's chain covers
//! are digests with a salt, which is sealed.
//!
//! A sealed column is bound to its name. Bytes begin with the mark of [`Ring`](crate::secrets::Ring), texts with [`MARK`] and have them as
//! base64. What has no mark is read as it is: so a store that is encrypted later works before `lockstep rekey`.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lockstep_engine::key::Key;
use sqlx::any::{AnyArguments, AnyRow, AnyTypeInfoKind, AnyValue};
use sqlx::{Any, Arguments as _, Column as _, Decode, Encode, Type, Value as _};
use zeroize::Zeroizing;

use super::codec::key_digest;
use super::segment::Packed;
use crate::error::{Error, Kind, Result};
use crate::secrets::Ring;

/// Begins a text that is sealed.
pub(super) const MARK: &str = "lks1:";

/// The columns that are sealed, by table; the last says how many rows are sealed again at once.
pub(super) const SEALED: &[(&str, &[&str], i64)] = &[
    ("datasets", &["definition"], 500),
    ("base_versions", &["delta_digest", "delta"], 50),
    ("base_segments", &["last_key", "digest", "data"], 8),
    ("plans", &["definition", "body_digest", "body"], 8),
    ("runs", &["counts", "error"], 500),
    ("batches", &["note", "place"], 500),
    ("actions", &["key_values", "before_image", "after_image", "left_out"], 500),
    ("intended_base", &["digest", "data"], 8),
    ("tombstones", &["key_values", "image"], 500),
    ("audit", &["salt", "payload"], 500),
    ("aims", &["digest", "data"], 8),
    ("appends", &["rows"], 500),
    ("tasks", &["message", "question", "answer", "outcome"], 50),
    (
        "conflicts",
        &[
            "key_values",
            "digest",
            "base_value",
            "voices",
            "reason",
            "note",
            "choice",
            "decided_by",
            "closed_by",
        ],
        200,
    ),
    ("conflict_rows", &["content"], 200),
    ("cell_times", &["key_values", "value_digest"], 500),
    ("seen", &["about", "digest", "data"], 8),
    ("watches", &["settings", "status"], 100),
    ("events", &["key_values", "work", "story"], 500),
    ("dead_letters", &["key_values", "work", "story"], 500),
    ("breakers", &["why"], 500),
    ("hook_calls", &["keys"], 500),
    ("channels", &["token"], 500),
    ("dataset_health", &["facts"], 500),
    ("incidents", &["detail"], 500),
    ("deliveries", &["body", "error"], 500),
    ("quality_history", &["data"], 500),
    ("shared", &["value"], 100),
];

/// Reads the keys anew, where another process may have changed them.
type Reload = Arc<dyn Fn() -> Result<Ring> + Send + Sync>;

/// The keys of an installation, for a store that is encrypted.
#[derive(Clone)]
pub struct Keys {
    pub(super) ring: Ring,
    pub(super) reload: Option<Reload>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ring.fmt(f)
    }
}

impl Keys {
    /// Wraps keys; `reload` reads them anew when one is met that is not among them.
    pub fn new(
        ring: Ring,
        reload: Option<impl Fn() -> Result<Ring> + Send + Sync + 'static>,
    ) -> Self {
        Self { ring, reload: reload.map(|reload| Arc::new(reload) as Reload) }
    }
}

/// Seals what is written and opens what is read, or does neither; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Seal(Option<Arc<Sealer>>);

struct Sealer {
    /// The key that the store is sealed with is the first.
    ring: RwLock<Ring>,
    reload: Option<Reload>,
    /// Makes the digests by which keys are looked up.
    index: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({})", if self.is_on() { "on" } else { "off" })
    }
}

impl Seal {
    /// Seals with the first key.
    pub(super) fn on(keys: Keys, index: Zeroizing<[u8; 32]>) -> Self {
        let Keys { ring, reload } = keys;
        Self(Some(Arc::new(Sealer { ring: RwLock::new(ring), reload, index })))
    }

    /// Returns whether anything is sealed.
    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Seals the bytes of a column.
    ///
    /// # Errors
    /// A system that gives no random numbers.
    pub(super) fn bytes(&self, column: &str, bytes: Vec<u8>) -> Result<Vec<u8>> {
        match &self.0 {
            None => Ok(bytes),
            Some(sealer) => sealer.ring().seal(purpose(column), &bytes),
        }
    }

    /// Seals the text of a column.
    ///
    /// # Errors
    /// A system that gives no random numbers.
    pub(super) fn text(&self, column: &str, text: impl Into<String>) -> Result<String> {
        let text = text.into();
        match &self.0 {
            None => Ok(text),
            Some(_) => Ok(as_text(&self.bytes(column, text.into_bytes())?)),
        }
    }

    /// Seals the bytes of a column that may be empty.
    ///
    /// # Errors
    /// A system that gives no random numbers.
    pub(super) fn some_bytes(
        &self,
        column: &str,
        bytes: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>> {
        bytes.map(|bytes| self.bytes(column, bytes)).transpose()
    }

    /// Seals the text of a column that may be empty.
    ///
    /// # Errors
    /// A system that gives no random numbers.
    pub(super) fn some_text(&self, column: &str, text: Option<String>) -> Result<Option<String>> {
        text.map(|text| self.text(column, text)).transpose()
    }

    /// Seals bytes and their digest.
    ///
    /// # Errors
    /// A system that gives no random numbers.
    pub(super) fn packed(&self, columns: (&str, &str), packed: Packed) -> Result<Packed> {
        let Packed { digest, data } = packed;
        Ok(Packed { digest: self.bytes(columns.0, digest)?, data: self.bytes(columns.1, data)? })
    }

    /// Returns the digest by which a key is looked up.
    pub(super) fn index(&self, key: &Key) -> Vec<u8> {
        self.blind(key_digest(key))
    }

    /// Makes a digest one that tells nothing to whoever has the tables alone.
    pub(super) fn blind(&self, digest: Vec<u8>) -> Vec<u8> {
        match &self.0 {
            None => digest,
            Some(sealer) => blake3::keyed_hash(&sealer.index, &digest).as_bytes().to_vec(),
        }
    }

    /// Returns what a text is found by, where it must not be told.
    pub(super) fn blind_text(&self, text: String) -> String {
        match &self.0 {
            None => text,
            Some(sealer) => blake3::keyed_hash(&sealer.index, text.as_bytes()).to_hex().to_string(),
        }
    }

    /// Makes the named key the one that seals; the keys are read anew where it is not among them.
    ///
    /// # Errors
    /// A key that is not there.
    pub(super) fn turn_to(&self, name: &str) -> Result<()> {
        let Some(sealer) = &self.0 else { return Ok(()) };
        if sealer.ring().name() == name {
            return Ok(());
        }
        let found = sealer.ring().led_by(name);
        let found = match (found, &sealer.reload) {
            (None, Some(reload)) => reload()?.led_by(name),
            (found, _) => found,
        };
        *sealer.ring.write().unwrap_or_else(PoisonError::into_inner) =
            found.ok_or_else(|| missing(name))?;
        Ok(())
    }

    /// Opens bytes of a column, if they are sealed.
    ///
    /// # Errors
    /// What was changed, or was sealed for another column or with a key that is not there.
    pub(super) fn open(&self, column: &str, bytes: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let Some(sealer) = self.0.as_ref().filter(|_| Ring::sealed(bytes)) else { return Ok(None) };
        let opens = sealer.ring().opens(bytes);
        if let (false, Some(reload)) = (opens, &sealer.reload) {
            // Another process made a new key meanwhile; which one seals, the next write finds.
            let leader = sealer.ring().name();
            let new = reload()?;
            *sealer.ring.write().unwrap_or_else(PoisonError::into_inner) =
                new.led_by(&leader).unwrap_or(new);
        }
        let place = || format!("the column {column} of the store");
        let opened = sealer.ring().open(purpose(column), bytes);
        opened.map(Some).map_err(|error| error.context(place()))
    }

    /// Opens the text of a column, if it is sealed.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub(super) fn open_text(&self, column: &str, text: &str) -> Result<Option<String>> {
        let Some(bytes) = text.strip_prefix(MARK).filter(|_| self.is_on()) else { return Ok(None) };
        let bytes =
            STANDARD.decode(bytes).map_err(|_| super::codec::damaged("a sealed text is cut"))?;
        let Some(opened) = self.open(column, &bytes)? else { return Ok(None) };
        let text = std::str::from_utf8(&opened);
        text.map(|text| Some(text.to_owned()))
            .map_err(|_| super::codec::damaged("a sealed text is none"))
    }

    /// Goes on with other keys; the first of them seals.
    pub(super) fn replace(&self, ring: Ring) {
        if let Some(sealer) = &self.0 {
            *sealer.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        }
    }

    /// Opens what is sealed in a row that was read.
    pub(super) fn row(&self, mut row: AnyRow) -> sqlx::Result<AnyRow> {
        if !self.is_on() {
            return Ok(row);
        }
        for (column, value) in row.columns.iter().zip(&mut row.values) {
            self.value(column.name(), value)
                .map_err(|error| sqlx::Error::AnyDriverError(Box::new(error)))?;
        }
        Ok(row)
    }

    fn value(&self, column: &str, value: &mut AnyValue) -> Result<()> {
        let kind = value.type_info().kind();
        let refused = |error| {
            super::codec::damaged("a value cannot be read").with_source(sqlx::Error::Decode(error))
        };
        if kind == AnyTypeInfoKind::Blob {
            let bytes = <&[u8] as Decode<Any>>::decode(value.as_ref()).map_err(refused)?;
            if let Some(mut opened) = self.open(column, bytes)? {
                put(value, std::mem::take(&mut *opened));
            }
        } else if kind == AnyTypeInfoKind::Text {
            let text = <&str as Decode<Any>>::decode(value.as_ref()).map_err(refused)?;
            if let Some(opened) = self.open_text(column, text)? {
                put(value, opened);
            }
        }
        Ok(())
    }
}

/// Puts another content into a value that was read: the driver makes it, as it does of arguments.
fn put<'t, T: Encode<'t, Any> + Type<Any>>(value: &mut AnyValue, content: T) {
    let mut made = AnyArguments::default();
    // Texts and bytes always can be.
    if made.add(content).is_ok()
        && let Some(kind) = made.values.0.pop()
    {
        value.kind = kind;
    }
}

impl Sealer {
    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns sealed bytes as a text.
pub(super) fn as_text(sealed: &[u8]) -> String {
    format!("{MARK}{}", STANDARD.encode(sealed))
}

/// Returns what a column's content is sealed for; what becomes of `decided_by` when a conflict ends is `closed_by`.
fn purpose(column: &str) -> &str {
    match column {
        "closed_by" => "decided_by",
        column => column,
    }
}

/// Returns the error of a store whose key is not there.
pub(super) fn missing(name: &str) -> Error {
    Error::new(
        Kind::Unauthenticated,
        format!("the store is encrypted with the key {name}, which is not here; nothing was changed"),
    )
    .next("give that key back with [secrets] key or previousKeys (or the file lockstep.keys), and start again")
}

/// Returns the error of a store that is encrypted, for a process that is told of no encryption.
pub(super) fn encrypted() -> Error {
    Error::new(Kind::Unauthenticated, "the store is encrypted; nothing was changed")
        .next("set [store] encrypt = true, with the key that [secrets] or lockstep.keys holds, and start again")
}
