//! Resumable uploads: a start with the metadata, then the content in one piece or in chunks.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::{error, parameter};
use super::media::Upload;
use super::{Context, Reply, create, table, update};
use crate::book;
use crate::http::ApiError;

/// Is an upload that was started.
#[derive(Serialize, Deserialize)]
struct Started {
    metadata: Map<String, Value>,
    mime: String,
    /// The file whose content is replaced; `None` creates one.
    target: Option<String>,
}

/// Starts an upload, and answers the address the content goes to.
pub(super) fn start(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let target = ids.first().cloned();
    if let Some(id) = &target {
        table::get(context.session.sql(), id)?;
    }
    let header = |name: &str| context.call.headers.get(name).and_then(|value| value.to_str().ok());
    let metadata = context.body()?;
    let given = metadata.get("mimeType").and_then(Value::as_str);
    let mime =
        header("x-upload-content-type").or(given).unwrap_or("application/octet-stream").to_owned();
    let id = book::new_id();
    let host = header("host").unwrap_or("127.0.0.1").to_owned();
    let started = serde_json::to_vec(&Started { metadata, mime, target })?;
    context
        .session
        .sql()
        .execute("INSERT INTO uploads(id, record) VALUES(?1, ?2)", params![id, started])?;
    // The fields that were asked for at the start are those of the last answer.
    let fields = context.call.fields().map_or(String::new(), |fields| {
        format!("&fields={}", utf8_percent_encode(fields, NON_ALPHANUMERIC))
    });
    Ok(Reply::Started(format!(
        "http://{host}/upload/drive/v3/files?uploadType=resumable&upload_id={id}{fields}"
    )))
}

/// Takes a piece of content; the last one makes the file.
pub(super) fn put(context: &mut Context<'_, '_>, _: &[String]) -> Result<Reply, ApiError> {
    let sql = context.session.sql();
    let id = context.call.param("upload_id").unwrap_or_default().to_owned();
    let record: Option<Vec<u8>> = sql
        .query_row("SELECT record FROM uploads WHERE id = ?1", params![id], |row| row.get(0))
        .optional()?;
    let Some(record) = record else {
        return Err(parameter(404, "notFound", "The upload is not known, or over.", "upload_id"));
    };
    let started: Started = serde_json::from_slice(&record)?;
    let received: i64 = sql.query_row(
        "SELECT COALESCE(SUM(LENGTH(data)), 0) FROM upload_parts WHERE upload = ?1",
        params![id],
        |row| row.get(0),
    )?;
    let header = context.call.headers.get("content-range").and_then(|value| value.to_str().ok());
    let piece = Piece::of(header, context.call.body.len())
        .ok_or_else(|| error(400, "badRequest", "Failed to parse Content-Range header."))?;
    let mut end = received;
    if piece.length > 0 {
        // What was received already is sent again after a lost answer; only the rest is new.
        let skip = received - piece.start;
        if skip < 0 || skip > piece.length {
            return Ok(Reply::Incomplete(received));
        }
        let fresh = context
            .call
            .body
            .get(usize::try_from(skip).unwrap_or(usize::MAX)..)
            .unwrap_or_default();
        if !fresh.is_empty() {
            sql.execute(
                "INSERT INTO upload_parts(upload, data) VALUES(?1, ?2)",
                params![id, fresh],
            )?;
        }
        end = piece.start + piece.length;
    }
    if piece.total != Some(end) {
        return Ok(Reply::Incomplete(end));
    }
    let mut data = Vec::new();
    let mut statement =
        sql.prepare("SELECT data FROM upload_parts WHERE upload = ?1 ORDER BY number")?;
    for part in statement.query_map(params![id], |row| row.get::<_, Vec<u8>>(0))? {
        data.extend_from_slice(&part?);
    }
    drop(statement);
    sql.execute("DELETE FROM upload_parts WHERE upload = ?1", params![id])?;
    sql.execute("DELETE FROM uploads WHERE id = ?1", params![id])?;
    let upload = Upload { metadata: started.metadata, mime: started.mime, data };
    let file = match started.target {
        Some(target) => {
            let mut file = update::change(context, &target, &upload.metadata)?;
            update::replace(context, &mut file, &upload.mime, &upload.data)?;
            file
        }
        None => create::make(context, &upload.metadata, Some(&upload))?,
    };
    context.show(&file)
}

/// Is a piece of content as `Content-Range` places it.
#[derive(Debug, PartialEq)]
struct Piece {
    start: i64,
    length: i64,
    /// The length of the whole, once it is known.
    total: Option<i64>,
}

impl Piece {
    /// Reads `bytes 0-99/200`, `bytes 0-99/*`, `bytes */200`, or nothing for all of it.
    fn of(header: Option<&str>, body: usize) -> Option<Self> {
        let length = i64::try_from(body).ok()?;
        let Some(header) = header else {
            return Some(Self { start: 0, length, total: Some(length) });
        };
        let (range, total) = header.strip_prefix("bytes ")?.split_once('/')?;
        let total = match total.trim() {
            "*" => None,
            number => Some(number.parse().ok()?),
        };
        if range.trim() == "*" {
            return (length == 0).then_some(Self { start: 0, length, total });
        }
        let (start, end) = range.split_once('-')?;
        let (start, end): (i64, i64) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
        let fits = start >= 0 && end.checked_sub(start)?.checked_add(1)? == length;
        fits.then_some(Self { start, length, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let piece = |start, length, total| Some(Piece { start, length, total });
        for (header, body, expected) in [
            (None, 5, piece(0, 5, Some(5))),
            (Some("bytes 0-4/10"), 5, piece(0, 5, Some(10))),
            (Some("bytes 5-9/*"), 5, piece(5, 5, None)),
            (Some("bytes */10"), 0, piece(0, 0, Some(10))),
            (Some("bytes 0-4/10"), 4, None),
            (Some("bytes 4-0/10"), 4, None),
            (Some("bytes -1-4/10"), 4, None),
            (Some("lines 0-4/10"), 5, None),
            (Some("bytes 0-9223372036854775807/*"), 5, None),
        ] {
            assert_eq!(Piece::of(header, body), expected, "{header:?}");
        }
    }
}
