//! `files.watch`, `changes.watch` and `channels.stop`.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::changes::page_token;
use super::channel::{self, Channel};
use super::error::{error, parameter};
use super::{Context, Reply, table};
use crate::http::ApiError;

const HOUR: i64 = 3_600_000;
/// Is the longest life of a channel on a file: a day.
const FILE_LIFE: i64 = 24 * HOUR;
/// Is the longest life of a channel on the change log: a week.
const CHANGES_LIFE: i64 = 7 * 24 * HOUR;

/// Opens a channel on a file.
pub(super) fn file(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let file = table::get(context.session.sql(), ids.first().map_or("", String::as_str))?;
    let uri = format!("https://www.googleapis.com/drive/v3/files/{}?alt=json", file.id);
    open(context, Some(file.id), uri, HOUR, FILE_LIFE)
}

/// Opens a channel on the change log.
pub(super) fn changes(context: &mut Context<'_, '_>, _: &[String]) -> Result<Reply, ApiError> {
    let token = page_token(context)?;
    let uri = format!("https://www.googleapis.com/drive/v3/changes?alt=json&pageToken={token}");
    open(context, None, uri, CHANGES_LIFE, CHANGES_LIFE)
}

/// Closes a channel.
pub(super) fn stop(context: &mut Context<'_, '_>, _: &[String]) -> Result<Reply, ApiError> {
    let body = context.body()?;
    let id = required(&body, "id")?;
    let resource = required(&body, "resourceId")?;
    let known =
        channel::find(context.session.sql(), id)?.filter(|channel| channel.resource_id == resource);
    if known.is_none() {
        return Err(parameter(
            404,
            "notFound",
            format!("Channel '{id}' not found for project 'lockstep'"),
            "entity.resource",
        ));
    }
    channel::remove(context.session.sql(), id)?;
    Ok(Reply::Empty)
}

fn open(
    context: &mut Context<'_, '_>,
    file: Option<String>,
    resource_uri: String,
    default_life: i64,
    most: i64,
) -> Result<Reply, ApiError> {
    let body = context.body()?;
    let id = required(&body, "id")?;
    if !matches!(required(&body, "type")?, "web_hook" | "webhook") {
        return Err(error(400, "channelUnknown", "Unknown channel type."));
    }
    let address = required(&body, "address")?;
    check_address(address)?;
    let sql = context.session.sql();
    if channel::find(sql, id)?.is_some_and(|known| known.expiration > context.now) {
        return Err(error(400, "channelIdNotUnique", format!("Channel id {id} not unique")));
    }
    let life = match body.get("expiration") {
        None | Some(Value::Null) => default_life,
        Some(value) => {
            let at = value.as_i64().or_else(|| value.as_str()?.parse().ok());
            at.map_or(default_life, |at| at - context.now)
        }
    };
    if life <= 0 {
        return Err(error(400, "invalid", "The channel expiration lies in the past."));
    }
    // One resource id per watched resource, as at Google.
    let resource = ring::digest::digest(
        &ring::digest::SHA256,
        file.as_deref().unwrap_or("changes").as_bytes(),
    );
    let resource_id: String =
        resource.as_ref().iter().take(14).map(|byte| format!("{byte:02x}")).collect();
    let mut channel = Channel {
        id: id.to_owned(),
        file,
        resource_id,
        resource_uri,
        address: address.to_owned(),
        token: body.get("token").and_then(Value::as_str).map(str::to_owned),
        expiration: context.now + life.min(most),
        message: 0,
    };
    channel::send(sql, &mut channel, "sync", "")?;
    Ok(Reply::Json(resource_of(&channel)))
}

fn resource_of(channel: &Channel) -> Value {
    let mut out = Map::new();
    for (name, value) in [
        ("kind", "api#channel"),
        ("id", &channel.id),
        ("resourceId", &channel.resource_id),
        ("resourceUri", &channel.resource_uri),
    ] {
        out.insert(name.to_owned(), value.into());
    }
    if let Some(token) = &channel.token {
        out.insert("token".to_owned(), token.as_str().into());
    }
    out.insert("expiration".to_owned(), channel.expiration.to_string().into());
    Value::Object(out)
}

fn required<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a str, ApiError> {
    body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).ok_or_else(|| {
        parameter(400, "required", format!("Required: entity.{name}"), &format!("entity.{name}"))
    })
}

/// Google demands HTTPS with a public certificate; here the opposite holds: only this machine is
/// told, over plain HTTP, so that a test workspace never calls out.
fn check_address(address: &str) -> Result<(), ApiError> {
    if target(address).is_some() {
        return Ok(());
    }
    Err(error(
        400,
        "webhookUrlUnauthorized",
        format!(
            "The embedded workspace only notifies http:// addresses of this machine (127.0.0.1, [::1] or localhost, with a port), not {address}"
        ),
    ))
}

/// Splits `http://127.0.0.1:8080/path` into authority and path; `None` when it is not loopback.
pub(super) fn target(address: &str) -> Option<(&str, &str)> {
    let rest = address.strip_prefix("http://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    if path.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#') {
        return None;
    }
    let (host, port) = authority.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let loopback = host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    loopback.then_some((authority, if path.is_empty() { "/" } else { path }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_told() {
        assert_eq!(target("http://127.0.0.1:80"), Some(("127.0.0.1:80", "/")));
        assert_eq!(target("http://localhost:8080/a?b=c"), Some(("localhost:8080", "/a?b=c")));
        assert_eq!(target("http://[::1]:9/x"), Some(("[::1]:9", "/x")));
        for address in [
            "https://127.0.0.1:80",
            "http://127.0.0.1",
            "http://example.com:80/",
            "http://10.0.0.1:80/",
            "http://127.0.0.1.example.com:80/",
            "http://u@127.0.0.1:80x/",
            "http://127.0.0.1:80/a b",
            "",
        ] {
            assert_eq!(target(address), None, "{address}");
        }
    }
}
