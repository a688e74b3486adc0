//! `spreadsheets.batchUpdate`: several changes, all or none.

use google_sheets4::api;
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};

use crate::direct::Url;
use crate::id::check_id;
use crate::request::MAX_BATCH_REQUESTS;
use crate::retry::{Call, Effect};
use crate::sheets::grid::Found;
use crate::{Error, Google, GridBlock, Metadata, Request, Result, Sheet};

pub(super) const BATCH_UPDATE: Call = Call::sheets("sheets.spreadsheets.batchUpdate", Effect::Once);

/// What a read-back returns: computed values only.
const READ_BACK: &str = "replies,updatedSpreadsheet.sheets(properties.sheetId,\
    data(startRow,startColumn,rowData.values(effectiveValue)))";

/// What a batch of changes gave back.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchReply {
    /// One reply for each request, in their order; empty when the batch was found to be applied
    /// by its marker, because the service's answer was lost.
    pub replies: Vec<Reply>,
    /// The ranges to read back, as they were right after the changes and in the same atomic call
    /// (after [`found_applied`](Self::found_applied): as they were a moment later).
    pub read_back: Vec<GridBlock>,
    /// Whether the answer was lost and the marker proved that the batch was applied.
    pub found_applied: bool,
}

/// The reply to one request.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Reply {
    /// Nothing but done.
    #[default]
    Done,
    /// The sheet that was added.
    SheetAdded(Sheet),
    /// The metadata that was attached.
    MetadataCreated(Metadata),
    /// The metadata that were removed.
    MetadataDeleted(Vec<Metadata>),
}

impl Google {
    /// Applies changes, in order and all or none, and reads ranges back in the same call.
    ///
    /// The batch should stay under [`MAX_BATCH_BYTES`](crate::MAX_BATCH_BYTES). It is sent again
    /// only after a failure that proves that nothing was applied; otherwise the error is
    /// [`Ambiguous`](crate::Retry::Ambiguous). [`batch_update_once`](Self::batch_update_once)
    /// settles that case.
    pub async fn batch_update(
        &self,
        id: &str,
        requests: &[Request],
        read_back: &[String],
    ) -> Result<BatchReply> {
        let batch = self.batch(id, requests, None, read_back)?;
        self.send_batch(&batch).await
    }

    /// Checks and serialises a batch once, for as many sends as it takes.
    pub(super) fn batch(
        &self,
        id: &str,
        requests: &[Request],
        marker: Option<&Request>,
        read_back: &[String],
    ) -> Result<Batch> {
        let operation = BATCH_UPDATE.operation;
        check_id(operation, id)?;
        if requests.is_empty() {
            return Err(Error::invalid(operation, "the batch has no requests"));
        }
        let count = requests.len() + usize::from(marker.is_some());
        if count > MAX_BATCH_REQUESTS {
            let message = format!("{count} requests, more than the {MAX_BATCH_REQUESTS} allowed");
            return Err(Error::invalid(operation, message));
        }
        for (at, request) in requests.iter().enumerate() {
            if let Err(mut error) = request.check() {
                error.message = format!("request {at}: {}", error.message);
                return Err(error);
            }
        }
        let reads = !read_back.is_empty();
        let body = Body {
            requests: requests.iter().chain(marker).collect(),
            include_spreadsheet_in_response: reads.then_some(true),
            response_ranges: read_back,
            response_include_grid_data: reads.then_some(true),
        };
        let json = serde_json::to_vec(&body)
            .map_err(|error| Error::invalid(operation, error.to_string()).with_source(error))?;
        let path = format!("{}v4/spreadsheets/{id}:batchUpdate", self.shared.sheets_base);
        Ok(Batch {
            id: id.to_owned(),
            url: Url::new(path).param("fields", if reads { READ_BACK } else { "replies" }),
            json: json.into(),
            requests: requests.len(),
        })
    }

    pub(super) async fn send_batch(&self, batch: &Batch) -> Result<BatchReply> {
        self.may(BATCH_UPDATE.operation, &batch.id).await?;
        let answer: Answer = self
            .run(BATCH_UPDATE, |witness| {
                self.exchange(witness, &batch.url, Some(batch.json.clone()))
            })
            .await?;
        let mut replies: Vec<Reply> = answer.replies.into_iter().map(Reply::from).collect();
        // The marker's reply is last, and not the caller's.
        replies.resize_with(batch.requests, Reply::default);
        Ok(BatchReply {
            replies,
            read_back: answer.updated_spreadsheet.blocks().collect(),
            found_applied: false,
        })
    }
}

/// A batch ready to be sent.
pub(super) struct Batch {
    id: String,
    url: Url,
    json: Bytes,
    requests: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    requests: Vec<&'a Request>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include_spreadsheet_in_response: Option<bool>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    response_ranges: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_include_grid_data: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Answer {
    replies: Vec<FoundReply>,
    updated_spreadsheet: Found,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundReply {
    add_sheet: Option<AddedSheet>,
    create_developer_metadata: Option<CreatedMetadata>,
    delete_developer_metadata: Option<DeletedMetadata>,
}

#[derive(Deserialize)]
struct AddedSheet {
    #[serde(default)]
    properties: Box<api::SheetProperties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreatedMetadata {
    #[serde(default)]
    developer_metadata: api::DeveloperMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeletedMetadata {
    #[serde(default)]
    deleted_developer_metadata: Vec<api::DeveloperMetadata>,
}

impl From<FoundReply> for Reply {
    fn from(found: FoundReply) -> Self {
        if let Some(added) = found.add_sheet {
            Self::SheetAdded((*added.properties).into())
        } else if let Some(created) = found.create_developer_metadata {
            Self::MetadataCreated(created.developer_metadata.into())
        } else if let Some(deleted) = found.delete_developer_metadata {
            let deleted = deleted.deleted_developer_metadata;
            Self::MetadataDeleted(deleted.into_iter().map(Metadata::from).collect())
        } else {
            Self::Done
        }
    }
}
