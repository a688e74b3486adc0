//! The marker: the proof, left in a spreadsheet, that a batch was applied.
//!
//! It is developer metadata whose id is chosen before the batch is sent. Google
//! allows 30,000 characters of it in a spreadsheet, so old ones are removed.

use jiff::Timestamp;
use lockstep_google::{Marker, Metadata, MetadataPlace, MetadataQuery, Request, Spreadsheet};

/// The key of every marker of Lockstep.
const KEY: &str = "lockstep.marker";

/// How long a marker of a run is kept, in seconds, while there is room: a run that died is settled by it.
pub(crate) const KEEP_RUN: i64 = 24 * 3_600;

/// How long an idempotency key is remembered, in seconds.
pub(crate) const KEEP_IDEMPOTENT: i64 = 7 * 24 * 3_600;

/// How many characters markers may take that are kept for more than [`KEEP_RUN`], and those of runs.
///
/// Google allows 30,000 in a spreadsheet. Beyond these the oldest go before their time.
const BUDGETS: (usize, usize) = (15_000, 9_000);

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

/// Returns the proof that a batch will never be applied.
pub(crate) fn claim(proof: &str) -> String {
    format!("void.{proof}")
}

/// Returns the proof in the value of a marker.
pub(crate) fn proof_of(value: &str) -> &str {
    value.split_once(':').map_or(value, |(_, proof)| proof)
}

/// Returns until when a marker is to be kept, in seconds since 1970.
fn until(marker: &Metadata) -> Option<i64> {
    marker.value.split_once(':')?.0.parse().ok()
}

/// The markers that a spreadsheet holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Markers(Vec<Metadata>);

impl Markers {
    /// Returns the markers of a spreadsheet.
    pub(crate) fn of(spreadsheet: &Spreadsheet) -> Self {
        let ours =
            |found: &&Metadata| found.key == KEY && found.place == MetadataPlace::Spreadsheet;
        Self(spreadsheet.metadata.iter().filter(ours).cloned().collect())
    }

    /// Returns the proof that a marker with this id carries.
    pub(crate) fn proof(&self, metadata_id: i32) -> Option<&str> {
        let marker = self.0.iter().find(|marker| marker.id == metadata_id)?;
        Some(proof_of(&marker.value))
    }

    /// Returns the requests that remove the markers whose time is over, and the oldest of those that there is no room for.
    pub(crate) fn sweep(&self, now: Timestamp) -> Vec<Request> {
        let now = now.as_second();
        let mut markers: Vec<&Metadata> = self.0.iter().collect();
        markers.sort_by_key(|marker| std::cmp::Reverse(until(marker)));
        let mut used = (0, 0);
        markers
            .into_iter()
            .filter(|marker| {
                let Some(until) = until(marker) else { return true };
                let characters = marker.key.chars().count() + marker.value.chars().count();
                let (used, budget) = if until > now.saturating_add(KEEP_RUN) {
                    (&mut used.0, BUDGETS.0)
                } else {
                    (&mut used.1, BUDGETS.1)
                };
                *used += characters;
                *used > budget || until < now
            })
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

    #[test]
    fn the_oldest_markers_make_room() {
        let now = Timestamp::from_second(10_000).unwrap();
        let held = |metadata_id: i32| {
            let marker = new(metadata_id, now, i64::from(metadata_id), &"p".repeat(79));
            Metadata {
                id: marker.metadata_id,
                key: marker.key,
                value: marker.value,
                place: MetadataPlace::Spreadsheet,
            }
        };
        // 15 of the key, 5 of the time, a colon and 79: 100 characters each.
        let markers = Markers((1..=100).map(held).collect());
        let mut swept: Vec<i32> = markers
            .sweep(now)
            .into_iter()
            .map(|request| match request {
                Request::DeleteMetadata(query) => query.id.unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        swept.sort_unstable();
        assert_eq!(swept, (1..=10).collect::<Vec<_>>());
    }
}
