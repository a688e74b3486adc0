//! Settling a batch of a run that died: was it applied, or will it never be?

use jiff::Timestamp;
use lockstep_google::{Google, Kind, MetadataPlace, Request, Retry};

use super::{
    apply::Settled,
    marker::{self, claim, proof_of},
    sheet_anchor,
};
use crate::error::{Error, Result};

/// How often the marker's id is claimed while the answers prove nothing.
const TRIES: u32 = 4;

/// Looks the batch's marker up; if it is not there, claims its id with a void marker.
///
/// Ids of metadata are unique within a spreadsheet: once ours has the id, a late twin of the dead holder's batch fails as
/// a whole. If the claim is refused because the id is taken, the batch was applied between the look and the claim.
pub(crate) async fn settle(
    google: &Google,
    now: Timestamp,
    spreadsheet: &str,
    marker_id: i32,
    proof: &str,
    tags: Option<&str>,
) -> Result<Settled> {
    let void = claim(proof);
    let mut last = None;
    for _ in 0..TRIES {
        let found = google.metadata(spreadsheet, marker_id).await?;
        match found.as_ref().map(|found| proof_of(&found.value)) {
            Some(found) if found == proof => return Ok(Settled::Applied),
            Some(found) if found == void => return Ok(Settled::Void),
            Some(found) => {
                return Err(Error::internal(format!(
                    "the id {marker_id} of a batch's marker is in use by \"{found}\""
                ))
                .next("compare afresh with syncDataset; nothing was changed by this"));
            }
            None => {}
        }
        let marker = marker::new(marker_id, now, marker::KEEP_RUN, &void);
        let mut requests = vec![Request::CreateMetadata {
            id: Some(marker.metadata_id),
            key: marker.key,
            value: marker.value,
            place: MetadataPlace::Spreadsheet,
        }];
        // Without its tags, a late write of an anchored batch finds no row.
        requests.extend(tags.map(sheet_anchor::untag));
        match google.batch_update(spreadsheet, &requests, &[]).await {
            Ok(_) => return Ok(Settled::Void),
            // Either it is there by now, which the next look tells, or the answer was lost.
            Err(error) if error.retry == Retry::Ambiguous || error.kind == Kind::Invalid => {
                last = Some(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(last.map_or_else(|| Error::internal("a batch could not be settled"), Error::from))
}
