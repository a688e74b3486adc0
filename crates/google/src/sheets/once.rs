//! Exactly once: a batch that carries a marker, so that a lost answer can be settled.

use crate::calls::WaitReason;
use crate::sheets::batch::BATCH_UPDATE;
use crate::{BatchReply, Error, Google, GridParts, Kind, MetadataPlace, Request, Result, Retry};

/// How many times a batch is sent while its outcome stays unknown.
const SENDS: u32 = 4;

/// The proof, left in the spreadsheet, that a batch was applied.
///
/// It is metadata of the whole spreadsheet, created by the batch itself: it commits with the data
/// or not at all. Ids are unique within a spreadsheet, so that a late twin of the same batch fails
/// as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Id of the metadata, positive, chosen from the plan and the number of the batch.
    pub metadata_id: i32,
    /// Key, the same for all markers of the product.
    pub key: String,
    /// Value that only this batch has.
    pub value: String,
}

impl Google {
    /// Applies changes exactly once, even when answers are lost.
    ///
    /// After an answer that proves nothing (time-out, broken connection, 5xx, cut off) the marker
    /// is looked up: present means applied; absent means that the same batch is sent again, with
    /// the same marker id. Calling it again after a crash with the same marker is safe too: the
    /// batch is found applied or is applied now. If even that stays unsettled after four sends the
    /// error is [`Retry::Ambiguous`], and the same call may be made later.
    ///
    /// A marker id in use by another batch is [`Kind::Conflict`].
    pub async fn batch_update_once(
        &self,
        id: &str,
        requests: &[Request],
        marker: &Marker,
        read_back: &[String],
    ) -> Result<BatchReply> {
        if marker.metadata_id <= 0 {
            let message = format!("marker id {} is not positive", marker.metadata_id);
            return Err(Error::invalid(BATCH_UPDATE.operation, message));
        }
        let mark = Request::CreateMetadata {
            id: Some(marker.metadata_id),
            key: marker.key.clone(),
            value: marker.value.clone(),
            place: MetadataPlace::Spreadsheet,
        };
        mark.check()?;
        let batch = self.batch(id, requests, Some(&mark), read_back)?;
        let mut send = 1;
        loop {
            let error = match self.send_batch(&batch).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            if send == 1 && !needs_settling(&error) {
                return Err(error);
            }
            match self.is_applied(id, marker).await {
                Ok(true) => return self.found_applied(id, marker, read_back).await,
                // Refused for good, and not because it was there already.
                Ok(false) if error.retry == Retry::Permanent => return Err(error),
                Ok(false) if send < SENDS => {}
                // Even if the last try had no effect, an earlier one may still arrive.
                Ok(false) => return Err(unsettled(error, marker, "the marker is not there yet")),
                Err(lookup) if lookup.kind == Kind::Conflict => return Err(lookup),
                Err(lookup) => return Err(unsettled(error, marker, &lookup.to_string())),
            }
            let delay = self.shared.backoff.delay(send, fastrand::f64());
            self.scope.wait(delay, WaitReason::Retry).await;
            send += 1;
        }
    }

    async fn is_applied(&self, id: &str, marker: &Marker) -> Result<bool> {
        match self.metadata(id, marker.metadata_id).await? {
            None => Ok(false),
            Some(found) if found.key == marker.key && found.value == marker.value => Ok(true),
            Some(found) => Err(Error::new(
                Kind::Conflict,
                Retry::Permanent,
                BATCH_UPDATE.operation,
                format!(
                    "marker id {} is in use by {:?} = {:?}",
                    marker.metadata_id, found.key, found.value
                ),
            )),
        }
    }

    /// The reply of a batch whose own answer was lost.
    async fn found_applied(
        &self,
        id: &str,
        marker: &Marker,
        read_back: &[String],
    ) -> Result<BatchReply> {
        let parts = GridParts { value: true, ..GridParts::default() };
        let read_back = match read_back {
            [] => Vec::new(),
            ranges => self.grid(id, ranges, parts).await.map_err(|mut error| {
                // The same call with the same marker finds the batch applied and reads again.
                error.retry = Retry::Ambiguous;
                error.message = format!(
                    "the batch was applied (marker {}), but its ranges could not be read back: {}",
                    marker.metadata_id, error.message
                );
                error
            })?,
        };
        Ok(BatchReply { replies: Vec::new(), read_back, found_applied: true })
    }
}

/// Whether the first failure leaves open if the batch was applied. A refusal that speaks of
/// metadata can mean that the marker is there, from a call before a crash.
fn needs_settling(error: &Error) -> bool {
    let refused = matches!(error.kind, Kind::Invalid | Kind::Conflict) && error.status.is_some();
    error.retry == Retry::Ambiguous
        || (refused && error.message.to_lowercase().contains("metadata"))
}

fn unsettled(mut error: Error, marker: &Marker, why: &str) -> Error {
    error.retry = Retry::Ambiguous;
    error.message = format!(
        "{}; whether the batch was applied could not be settled by marker {} ({why})",
        error.message, marker.metadata_id
    );
    error
}
