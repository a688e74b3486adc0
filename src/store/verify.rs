//! Proves that no line of the audit was changed, added or taken out.

use std::sync::LazyLock;

use super::audit::{self, LineRow};
use super::codec::{count, damaged};
use super::{Conn, Seal, Store};
use crate::error::{Error, Kind, Result};

/// Stands before the first line.
pub(super) const START: [u8; 32] = [0; 32];

/// Starts the hash of a line; its key keeps it apart from every other use of BLAKE3.
static LINE: LazyLock<blake3::Hasher> =
    LazyLock::new(|| blake3::Hasher::new_derive_key("lockstep 2026 audit line"));

/// Starts the digest of what a line is about.
static CONTENT: LazyLock<blake3::Hasher> =
    LazyLock::new(|| blake3::Hasher::new_derive_key("lockstep 2026 audit content"));

/// How many bytes a salt has.
const SALT: usize = 16;

/// How many lines are read at a time.
const PAGE: u32 = 2_000;

/// Whether the audit is what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AuditVerdict {
    /// Every line is as it was written.
    Whole {
        /// How many lines there are.
        lines: u64,
        /// The last line's hash: whoever keeps it elsewhere can prove later that nothing before it was rewritten.
        head: String,
        /// How many lines have lost their content to `forget`.
        erased: u64,
    },
    /// Something was changed.
    Broken {
        /// The first line that is not as it was written.
        seq: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// What the chain covers of a line.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Chained {
    pub(super) seq: i64,
    pub(super) at: i64,
    pub(super) caller: String,
    pub(super) run: String,
    pub(super) dataset: String,
    pub(super) side: String,
    pub(super) kind: String,
    pub(super) columns: String,
    pub(super) key_digest: Vec<u8>,
    pub(super) before_digest: Option<Vec<u8>>,
    pub(super) after_digest: Option<Vec<u8>>,
    pub(super) payload_digest: Vec<u8>,
}

impl Chained {
    /// Returns the line's hash, given the hash of the line before.
    pub(super) fn hash(&self, before: &[u8]) -> Vec<u8> {
        let mut hasher = LINE.clone();
        let mut field = |field: Option<&[u8]>| {
            hasher.update(&[u8::from(field.is_some())]);
            let field = field.unwrap_or_default();
            hasher.update(&(field.len() as u64).to_le_bytes());
            hasher.update(field);
        };
        field(Some(before));
        field(Some(&self.seq.to_le_bytes()));
        field(Some(&self.at.to_le_bytes()));
        for text in [&self.caller, &self.run, &self.dataset, &self.side, &self.kind, &self.columns]
        {
            field(Some(text.as_bytes()));
        }
        field(Some(&self.key_digest));
        field(self.before_digest.as_deref());
        field(self.after_digest.as_deref());
        field(Some(&self.payload_digest));
        hasher.finalize().as_bytes().to_vec()
    }
}

/// Returns a digest that nobody can guess the content from without the salt.
pub(super) fn salted(salt: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut hasher = CONTENT.clone();
    for part in [salt].iter().chain(parts) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().as_bytes().to_vec()
}

/// Returns bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Store {
    /// Reads the whole audit and proves each line.
    ///
    /// # Errors
    /// When the store cannot be read; a broken chain is no error but the verdict.
    pub(crate) async fn verify_audit(&self) -> Result<AuditVerdict> {
        let mut tx = self.read().await?;
        let (mut seq, mut hash, mut erased) = (0i64, START.to_vec(), 0u64);
        loop {
            let lines = match audit::page(&mut tx, seq, PAGE).await {
                Ok(lines) => lines,
                Err(error) => return unreadable(&mut tx, seq, error).await,
            };
            if lines.is_empty() {
                break;
            }
            for line in lines {
                if let Some(why) = wrong(&line, seq + 1, &hash, &tx.seal) {
                    return Ok(AuditVerdict::Broken { seq: count(seq + 1)?, why });
                }
                seq += 1;
                erased += u64::from(line.payload.is_none());
                hash = line.hash;
            }
        }
        let (end, end_hash) = match audit::head(&mut tx).await {
            Ok(head) => head,
            Err(error) => return unreadable(&mut tx, seq, error).await,
        };
        if (end, &end_hash) != (seq, &hash) {
            let why = format!("the audit ends with line {seq}, and was written to line {end}");
            return Ok(AuditVerdict::Broken { seq: count(seq + 1)?, why });
        }
        Ok(AuditVerdict::Whole { lines: count(seq)?, head: hex(&hash), erased })
    }
}

/// Tells apart a line that cannot be read as one from a store that cannot be read at all.
async fn unreadable(conn: &mut Conn, after: i64, error: Error) -> Result<AuditVerdict> {
    // What a line was sealed with is part of it.
    if ![damaged("").kind(), Kind::Unauthenticated].contains(&error.kind()) {
        return Err(error);
    }
    let mut seq = after;
    loop {
        match audit::page(&mut *conn, seq, 1).await {
            Ok(lines) if lines.is_empty() => {
                let why = format!("where the audit ends cannot be read: {error}");
                return Ok(AuditVerdict::Broken { seq: count(seq + 1)?, why });
            }
            Ok(_) => seq += 1,
            Err(error) => {
                let why = format!("the line cannot be read: {error}");
                return Ok(AuditVerdict::Broken { seq: count(seq + 1)?, why });
            }
        }
    }
}

/// Returns what is wrong with a line that should have the number `seq` and follow the hash.
fn wrong(line: &LineRow, seq: i64, before: &[u8], seal: &Seal) -> Option<String> {
    if line.chained.seq != seq {
        return Some(format!("the line is missing; the next one is {}", line.chained.seq));
    }
    if line.chained.hash(before) != line.hash {
        return Some("what it says is not what was written, or a line before it is gone".into());
    }
    match (&line.key_index, &line.salt, &line.payload) {
        (None, None, None) => None,
        (Some(index), Some(salt), Some(payload)) => {
            // In an encrypted store the digest of the key stands behind the salt, and another one beside it.
            let (salt, plain) = match salt.split_at_checked(SALT) {
                Some((salt, plain)) if !plain.is_empty() => (salt, plain),
                _ => (salt.as_slice(), index.as_slice()),
            };
            if plain != index && seal.blind(plain.to_vec()) != *index {
                return Some("what it is found by is not what was written".into());
            }
            let found = salted(salt, &[plain, payload.as_bytes()]);
            (found != line.chained.payload_digest)
                .then(|| "its content is not what was written".into())
        }
        _ => Some("part of its content is gone".into()),
    }
}
