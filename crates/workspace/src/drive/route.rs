//! Which call goes where.

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::{
    Context, Reply, about, changes, copy, create, error, export, list, media, permissions, push,
    remove,
};
use super::{resumable, update, v2, watch};
use crate::app::App;
use crate::http::{ApiError, Call, decode, json, not_found};

type Handler = fn(&mut Context<'_, '_>, &[String]) -> Result<Reply, ApiError>;

/// Answers a call below `/drive/` or `/upload/drive/`.
pub(crate) async fn handle(app: App, call: Call) -> Response {
    let Some((handler, writes, ids)) = find(&call) else {
        return not_found(&call);
    };
    let pretty = call.pretty();
    let (store, now, options) = (app.store.clone(), app.now_ms(), app.options.clone());
    let work = move |session: &mut crate::store::Session<'_>| {
        let mut context = Context {
            session,
            call: &call,
            now,
            owner: &options.owner,
            locale: &options.locale,
            time_zone: &options.time_zone,
            storage: options.storage,
        };
        handler(&mut context, &ids)
    };
    let reply = if writes { store.write(work).await } else { store.read(work).await };
    if writes && reply.is_ok() {
        push::flush(&app);
    }
    match reply {
        Ok(Reply::Json(body)) => json(200, &body, pretty),
        Ok(Reply::Started(address)) => started(&address),
        Ok(Reply::Incomplete(received)) => incomplete(received),
        Ok(Reply::Empty) => empty(),
        Ok(Reply::Bytes { mime, name, data }) => bytes(&mime, name.as_deref(), data),
        Err(failure) => error::render(&failure),
    }
}

/// Returns the handler of a call, whether it writes, and the ids in its path.
fn find(call: &Call) -> Option<(Handler, bool, Vec<String>)> {
    let path = call.path();
    // The generated Rust client sends resumable uploads to a path of their own.
    let (upload, rest) = match path
        .strip_prefix("/upload/drive/")
        .or_else(|| path.strip_prefix("/resumable/upload/drive/"))
    {
        Some(rest) => (true, rest),
        None => (false, path.strip_prefix("/drive/")?),
    };
    let segments: Vec<String> = rest.split('/').map(decode).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<String>>();
    let (version, segments) = segments.split_first()?;
    let method = match call.method {
        Method::GET | Method::HEAD => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => return None,
    };
    if *version == "v2" {
        return match (upload, method, segments) {
            (true, "PUT", ["files", id]) => Some((v2::put, true, ids(&[id]))),
            _ => Some((unsupported, false, Vec::new())),
        };
    }
    if *version != "v3" {
        return None;
    }
    let resumable = call.param("uploadType") == Some("resumable");
    let found: (Handler, bool, Vec<String>) = match (upload, method, segments) {
        (true, "POST", ["files"]) if resumable => (resumable::start, true, ids(&[])),
        (true, "PATCH", ["files", id]) if resumable => (resumable::start, true, ids(&[id])),
        (true, "PUT", ["files", ..]) if resumable => (resumable::put, true, ids(&[])),
        (true, "POST", ["files"]) => (create::upload, true, ids(&[])),
        (true, "PATCH" | "PUT", ["files", id]) => (update::upload, true, ids(&[id])),
        (false, "POST", ["files"]) => (create::create, true, ids(&[])),
        (false, "GET", ["files"]) => (list::list, false, ids(&[])),
        (false, "GET", ["files", "generateIds"]) => (about::generate_ids, false, ids(&[])),
        (false, "DELETE", ["files", "trash"]) => (remove::empty_trash, true, ids(&[])),
        (false, "GET", ["files", id]) => (media::get, false, ids(&[id])),
        (false, "PATCH", ["files", id]) => (update::update, true, ids(&[id])),
        (false, "DELETE", ["files", id]) => (remove::delete, true, ids(&[id])),
        (false, "POST", ["files", id, "copy"]) => (copy::copy, true, ids(&[id])),
        (false, "GET", ["files", id, "export"]) => (export::export, false, ids(&[id])),
        (false, "POST", ["files", id, "watch"]) => (watch::file, true, ids(&[id])),
        (false, "GET", ["files", id, "comments"]) => (about::no_comments, false, ids(&[id])),
        (false, "GET", ["files", id, "revisions"]) => (about::revisions, false, ids(&[id])),
        (false, "GET", ["files", id, "permissions"]) => (permissions::list, false, ids(&[id])),
        (false, "POST", ["files", id, "permissions"]) => (permissions::create, true, ids(&[id])),
        (false, "GET", ["files", id, "permissions", which]) => {
            (permissions::get, false, ids(&[id, which]))
        }
        (false, "PATCH", ["files", id, "permissions", which]) => {
            (permissions::update, true, ids(&[id, which]))
        }
        (false, "DELETE", ["files", id, "permissions", which]) => {
            (permissions::delete, true, ids(&[id, which]))
        }
        (false, "GET", ["about"]) => (about::about, false, ids(&[])),
        (false, "GET", ["drives"]) => (about::no_drives, false, ids(&[])),
        (false, "GET", ["changes", "startPageToken"]) => (changes::start, false, ids(&[])),
        (false, "GET", ["changes"]) => (changes::list, false, ids(&[])),
        (false, "POST", ["changes", "watch"]) => (watch::changes, true, ids(&[])),
        (false, "POST", ["channels", "stop"]) => (watch::stop, true, ids(&[])),
        (_, _, [first, ..]) if KNOWN.contains(first) => (unsupported, false, ids(&[])),
        _ => return None,
    };
    Some(found)
}

/// Are the collections of Drive v3 whose other methods answer an honest 400 instead of a 404.
const KNOWN: [&str; 9] = [
    "files",
    "changes",
    "channels",
    "drives",
    "teamdrives",
    "apps",
    "about",
    "operations",
    "approvals",
];

fn unsupported(context: &mut Context<'_, '_>, _: &[String]) -> Result<Reply, ApiError> {
    Err(error::unsupported(&format!("{} {}", context.call.method, context.call.path())))
}

/// Returns the recorded answer of a delete: 204, `text/html`, nothing.
fn empty() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// Returns the answer that starts a resumable upload.
fn started(address: &str) -> Response {
    let mut response = Response::new(Body::empty());
    if let Ok(address) = HeaderValue::from_str(address) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    response
}

/// Returns the answer to a chunk that is not the last.
fn incomplete(received: i64) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if received > 0
        && let Ok(range) = HeaderValue::from_str(&format!("bytes=0-{}", received - 1))
    {
        response.headers_mut().insert(header::RANGE, range);
    }
    response
}

fn bytes(mime: &str, name: Option<&str>, data: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(data));
    let headers = response.headers_mut();
    if let Ok(mime) = HeaderValue::from_str(mime) {
        headers.insert(header::CONTENT_TYPE, mime);
    }
    if let Some(name) = name {
        let plain: String =
            name.chars()
                .map(|c| {
                    if c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' ' {
                        c
                    } else {
                        '_'
                    }
                })
                .collect();
        let coded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        let value = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{coded}");
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(header::CONTENT_DISPOSITION, value);
        }
    }
    response
}
