//! Notification channels: who is told of changes, and what is waiting to be told.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::file::File;
use super::table::Event;
use crate::http::ApiError;

/// Is one channel of `files.watch` or `changes.watch`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Channel {
    pub(super) id: String,
    /// The watched file; `None` watches the change log.
    pub(super) file: Option<String>,
    pub(super) resource_id: String,
    pub(super) resource_uri: String,
    pub(super) address: String,
    pub(super) token: Option<String>,
    /// When it ends, in milliseconds since 1970.
    pub(super) expiration: i64,
    /// The number of the last message.
    pub(super) message: u64,
}

/// Is one notification that waits to be sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) address: String,
    /// The `X-Goog-...` headers.
    pub(super) headers: Vec<(String, String)>,
}

/// Writes a channel.
pub(super) fn put(sql: &Connection, channel: &Channel) -> Result<(), ApiError> {
    sql.prepare_cached(
        "INSERT INTO channels(id, file, record) VALUES(?1, ?2, ?3) ON CONFLICT(id) DO UPDATE SET record = excluded.record",
    )?
    .execute(params![channel.id, channel.file, serde_json::to_vec(channel)?])?;
    Ok(())
}

/// Returns a channel by id.
pub(super) fn find(sql: &Connection, id: &str) -> Result<Option<Channel>, ApiError> {
    let record: Option<Vec<u8>> = sql
        .query_row("SELECT record FROM channels WHERE id = ?1", params![id], |row| row.get(0))
        .optional()?;
    Ok(record.map(|record| serde_json::from_slice(&record)).transpose()?)
}

/// Removes a channel.
pub(super) fn remove(sql: &Connection, id: &str) -> Result<(), ApiError> {
    sql.execute("DELETE FROM channels WHERE id = ?1", params![id])?;
    Ok(())
}

/// Puts a message for every channel that watches a file, or the change log, into the outbox.
pub(super) fn notify(
    sql: &Connection,
    file: &File,
    event: Event,
    changed: &str,
    now: i64,
) -> Result<(), ApiError> {
    let records: Vec<Vec<u8>> = sql
        .prepare_cached("SELECT record FROM channels WHERE file IS NULL OR file = ?1")?
        .query_map(params![file.id], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for record in records {
        let mut channel: Channel = serde_json::from_slice(&record)?;
        if channel.expiration <= now {
            remove(sql, &channel.id)?;
        } else if channel.file.is_some() {
            send(sql, &mut channel, event.state(), changed)?;
        } else {
            send(sql, &mut channel, "change", "")?;
        }
    }
    Ok(())
}

/// Puts one message of a channel into the outbox.
pub(super) fn send(
    sql: &Connection,
    channel: &mut Channel,
    state: &str,
    changed: &str,
) -> Result<(), ApiError> {
    channel.message += 1;
    let expires = jiff::Timestamp::from_millisecond(channel.expiration)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let mut headers = vec![
        ("X-Goog-Channel-ID".to_owned(), channel.id.clone()),
        (
            "X-Goog-Channel-Expiration".to_owned(),
            expires.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        ),
        ("X-Goog-Resource-ID".to_owned(), channel.resource_id.clone()),
        ("X-Goog-Resource-URI".to_owned(), channel.resource_uri.clone()),
        ("X-Goog-Resource-State".to_owned(), state.to_owned()),
        ("X-Goog-Message-Number".to_owned(), channel.message.to_string()),
    ];
    if let Some(token) = &channel.token {
        headers.push(("X-Goog-Channel-Token".to_owned(), token.clone()));
    }
    if !changed.is_empty() {
        headers.push(("X-Goog-Changed".to_owned(), changed.to_owned()));
    }
    let message = Message { address: channel.address.clone(), headers };
    sql.prepare_cached("INSERT INTO outbox(record) VALUES(?1)")?
        .execute(params![serde_json::to_vec(&message)?])?;
    put(sql, channel)
}

/// Takes the messages that wait out of the outbox, oldest first.
pub(super) fn take(sql: &Connection) -> Result<Vec<Message>, ApiError> {
    let records: Vec<Vec<u8>> = sql
        .prepare_cached("SELECT record FROM outbox ORDER BY number")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if !records.is_empty() {
        sql.execute("DELETE FROM outbox", [])?;
    }
    records.iter().map(|record| Ok(serde_json::from_slice(record)?)).collect()
}
