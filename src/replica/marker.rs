//! The marker: the proof, left in a spreadsheet, that a batch was applied.
//!
//! It is developer metadata whose id is chosen before the batch is sent. Google
//! allows 30,000 characters of it in a spreadsheet, so old ones are removed.

use jiff::Timestamp;
use lockstep_google::{Google, Marker, Metadata, MetadataPlace, MetadataQuery, Request};

use crate::error::Result;

/// The key of every marker of Lockstep.
const KEY: &str = "lockstep.marker";

/// How long a marker is kept for a call that is still unsettled, in seconds.
pub(crate) const KEEP_RUN: i64 = 3_600;

/// How long an idempotency key is remembered, in seconds.
pub(crate) const KEEP_IDEMPOTENT: i64 = 7 * 24 * 3_600;

/// Returns a positive 31-bit id that follows from the parts.
pub(crate) fn id(parts: &[&str]) -> i32 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let [a, b, c, d, ..] = *hasher.finalize().as_bytes();
    (i32::from_le_bytes([a, b, c, d]) & i32::MAX).max(1)
}

/// Returns a name that no other run has.
pub(crate) fn run_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Returns the marker of a batch; `kept` is how many seconds it is to be remembered.
pub(crate) fn new(metadata_id: i32, now: Timestamp, kept: i64, proof: &str) -> Marker {
    let until = now.as_second().saturating_add(kept);
    Marker { metadata_id, key: KEY.into(), value: format!("{until}:{proof}") }
}

/// Returns the marker of a run's batch.
pub(crate) fn of_run(run: &str, batch: usize, now: Timestamp) -> Marker {
    let batch = batch.to_string();
    new(id(&[run, &batch]), now, KEEP_RUN, &format!("{run}.{batch}"))
}

/// The markers that a spreadsheet holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Markers(Vec<Metadata>);

impl Markers {
    /// Reads the markers; one read call.
    pub(crate) async fn read(google: &Google, spreadsheet: &str) -> Result<Self> {
        let query = MetadataQuery { key: Some(KEY.into()), ..MetadataQuery::default() };
        let found = google.search_metadata(spreadsheet, &query).await?;
        Ok(Self(found.into_iter().filter(|m| m.place == MetadataPlace::Spreadsheet).collect()))
    }

    /// Returns the proof that a marker with this id carries.
    pub(crate) fn proof(&self, metadata_id: i32) -> Option<&str> {
        let marker = self.0.iter().find(|marker| marker.id == metadata_id)?;
        marker.value.split_once(':').map(|(_, proof)| proof)
    }

    /// Returns the requests that remove the markers whose time is over.
    pub(crate) fn sweep(&self, now: Timestamp) -> Vec<Request> {
        let over = |marker: &&Metadata| {
            let until =
                marker.value.split_once(':').and_then(|(until, _)| until.parse::<i64>().ok());
            until.is_none_or(|until| until < now.as_second())
        };
        self.0
            .iter()
            .filter(over)
            .map(|marker| {
                Request::DeleteMetadata(MetadataQuery {
                    id: Some(marker.id),
                    ..MetadataQuery::default()
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_positive_and_follow_from_the_parts() {
        assert_eq!(id(&["a", "b"]), id(&["a", "b"]));
        assert_ne!(id(&["a", "b"]), id(&["ab", ""]));
        assert!((0..1000).all(|n| id(&[&n.to_string()]) > 0));
    }

    #[test]
    fn only_markers_whose_time_is_over_are_swept() {
        let now = Timestamp::from_second(10_000).unwrap();
        let held = |metadata_id: i32, kept: i64| {
            let marker = new(metadata_id, now, kept, "proof:with:colons");
            Metadata {
                id: marker.metadata_id,
                key: marker.key,
                value: marker.value,
                place: MetadataPlace::Spreadsheet,
            }
        };
        let markers = Markers(vec![held(1, 60), held(2, -60)]);
        assert_eq!(markers.sweep(now).len(), 1);
        assert_eq!(markers.proof(1), Some("proof:with:colons"));
        assert_eq!(markers.proof(3), None);
    }
}
