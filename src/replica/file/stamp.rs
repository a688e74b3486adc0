//! What proves at a later scan that a file is as it was: size, time of change and content hash.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FileSource, folder::Meta, format::Format};

/// How much older than the stamp the last change must be before its time proves anything.
///
/// File systems keep times by ticks of up to 2 s (FAT): a second change within a tick leaves size and time as they are.
const SETTLED: SignedDuration = SignedDuration::from_secs(2);

/// A file at the moment of a scan.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stamp {
    /// Hash of what was read, and how: another folder, sheet or pointer gives other rows.
    how: String,
    /// The format that was found.
    format: Format,
    /// Bytes.
    size: u64,
    /// The time of the last change, where the file system tells it.
    modified: Option<Timestamp>,
    /// The store's entity tag of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    /// BLAKE3 of the content, in hex.
    hash: String,
    /// When the scan began.
    taken: Timestamp,
}

impl Stamp {
    pub(super) fn new(
        (source, root): (&FileSource, &Path),
        meta: &Meta,
        hash: blake3::Hash,
        format: Format,
        taken: Timestamp,
    ) -> Self {
        Self {
            how: how(source, root),
            format,
            size: meta.size,
            modified: meta.modified,
            etag: meta.etag.clone(),
            hash: hash.to_hex().to_string(),
            taken,
        }
    }

    /// Returns a stamp that was kept, if it is one of this file read this way.
    pub(super) fn parse(kept: &Value, source: &FileSource, root: &Path) -> Option<Self> {
        let stamp: Self = serde_json::from_value(kept.clone()).ok()?;
        (stamp.how == how(source, root)).then_some(stamp)
    }

    pub(super) fn to_json(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }

    /// Returns whether a file that looks like this now has the content that it had then, without reading it.
    pub(super) fn proves(&self, now: &Meta) -> bool {
        if self.etag.is_some() || now.etag.is_some() {
            return self.size == now.size && self.etag == now.etag;
        }
        let settled = |modified: Timestamp| self.taken.duration_since(modified) > SETTLED;
        self.size == now.size && self.modified == now.modified && self.modified.is_some_and(settled)
    }

    pub(super) fn hash(&self) -> Option<blake3::Hash> {
        blake3::Hash::from_hex(&self.hash).ok()
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }
}

fn how(source: &FileSource, root: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&serde_json::to_vec(source).unwrap_or_default());
    hasher.update(root.as_os_str().as_encoded_bytes());
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_time_that_is_older_than_a_tick_proves_anything() {
        let source = FileSource { path: "a.csv".into(), ..FileSource::default() };
        let root = Path::new("/data");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let meta = |size, modified| Meta { size, modified, etag: None };
        let old = meta(7, Some(at("2026-01-01T00:00:00.000000001Z")));
        let hash = blake3::hash(b"x");
        let stamp = |taken: &str| Stamp::new((&source, root), &old, hash, Format::Json, at(taken));
        let settled = stamp("2026-01-01T00:00:03Z");
        assert!(settled.proves(&old));
        assert!(!stamp("2026-01-01T00:00:02Z").proves(&old));
        for other in [
            meta(8, old.modified),
            meta(7, Some(at("2026-01-01T00:00:00.000000002Z"))),
            meta(7, None),
        ] {
            assert!(!settled.proves(&other), "{other:?}");
        }
        let tagged = |etag: &str| Meta { etag: Some(etag.to_owned()), ..meta(7, None) };
        let stamp = Stamp::new(
            (&source, root),
            &tagged("a"),
            hash,
            Format::Json,
            at("2026-01-01T00:00:00Z"),
        );
        assert!(stamp.proves(&tagged("a")) && !stamp.proves(&tagged("b")) && !stamp.proves(&old));
        let kept = settled.to_json().unwrap();
        assert!(Stamp::parse(&kept, &source, root).is_some_and(|kept| kept.proves(&old)));
        let sheet = FileSource { sheet: Some("b".into()), ..source.clone() };
        assert!(Stamp::parse(&kept, &sheet, root).is_none());
        assert!(Stamp::parse(&kept, &source, Path::new("/other")).is_none());
        assert!(Stamp::parse(&serde_json::json!({"size": 7}), &source, root).is_none());
    }
}
