//! Content: uploads in, downloads out.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use serde_json::{Map, Value};

use super::error::{error, parameter};
use super::file::{Content, File};
use super::{Context, Reply, parse_object, table};
use crate::http::{ApiError, Call};

/// Is an upload: metadata, and the content with its type.
pub(super) struct Upload {
    pub(super) metadata: Map<String, Value>,
    pub(super) mime: String,
    pub(super) data: Vec<u8>,
}

/// Answers `files.get`: the resource, or with `alt=media` the bytes.
pub(super) fn get(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let id = ids.first().map_or("", String::as_str);
    let file = table::get(context.session.sql(), id)?;
    if context.call.param("alt") != Some("media") {
        return context.show(&file);
    }
    if file.is_native() {
        return Err(parameter(
            403,
            "fileNotDownloadable",
            "Only files with binary content can be downloaded. Use Export with Docs Editors files.",
            "alt",
        ));
    }
    let data = table::content(context.session.sql(), &file.id)?;
    Ok(Reply::Bytes { mime: file.mime_type, name: None, data })
}

/// Stores the bytes of a file and what is known of them.
pub(super) fn set_content(
    context: &Context<'_, '_>,
    file: &mut File,
    data: &[u8],
) -> Result<(), ApiError> {
    table::put_content(context.session.sql(), &file.id, data)?;
    file.content = Some(Content {
        size: u64::try_from(data.len()).unwrap_or(u64::MAX),
        sha1: hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, data).as_ref()),
        sha256: hex(digest(&SHA256, data).as_ref()),
        original_name: file.name.clone(),
        revision: crate::book::new_id(),
    });
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the body of an upload call: `multipart/related`, or plain content.
pub(super) fn read_upload(call: &Call) -> Result<Upload, ApiError> {
    let kind =
        call.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let multipart = kind.to_ascii_lowercase().starts_with("multipart/");
    match call.param("uploadType") {
        Some("media") | None if !multipart => Ok(Upload {
            metadata: Map::new(),
            mime: if kind.is_empty() { "application/octet-stream" } else { kind }.to_owned(),
            data: call.body.to_vec(),
        }),
        _ if multipart => {
            let boundary = boundary(kind).ok_or_else(malformed)?;
            read_parts(&call.body, &boundary)
        }
        _ => Err(malformed()),
    }
}

fn malformed() -> ApiError {
    error(400, "badContent", "Malformed multipart body.")
}

fn boundary(kind: &str) -> Option<String> {
    let (_, value) = kind
        .split(';')
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim().trim_matches('"');
    (!value.is_empty()).then(|| value.to_owned())
}

/// Reads the two parts: JSON metadata, then the content.
fn read_parts(body: &[u8], boundary: &str) -> Result<Upload, ApiError> {
    let mut parts = parts(body, boundary).into_iter();
    let (Some(first), Some(second)) = (parts.next(), parts.next()) else {
        return Err(malformed());
    };
    let (_, metadata) = head_and_body(first).ok_or_else(malformed)?;
    let (headers, data) = head_and_body(second).ok_or_else(malformed)?;
    let header = |name: &str| {
        headers.lines().filter_map(|line| line.split_once(':')).find_map(|(key, value)| {
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let data = match header("content-transfer-encoding").as_deref() {
        Some("base64") => decode_base64(data).ok_or_else(malformed)?,
        _ => data.to_vec(),
    };
    Ok(Upload {
        metadata: parse_object(metadata)?,
        mime: header("content-type").unwrap_or_else(|| "application/octet-stream".to_owned()),
        data,
    })
}

fn decode_base64(data: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let compact: Vec<u8> =
        data.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    base64::engine::general_purpose::STANDARD.decode(compact).ok()
}

/// Splits a multipart body; a part runs from the end of its delimiter line to the line break
/// before the next delimiter.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut start: Option<usize> = None;
    let mut at = 0;
    while let Some(found) = find(body, delimiter.as_bytes(), at) {
        let at_line_start = found == 0 || body.get(found - 1) == Some(&b'\n');
        if at_line_start {
            if let Some(part) = start.and_then(|start| body.get(start..found)) {
                let part =
                    part.strip_suffix(b"\r\n").or_else(|| part.strip_suffix(b"\n")).unwrap_or(part);
                parts.push(part);
            }
            let after = found + delimiter.len();
            if body.get(after..after + 2) == Some(b"--") {
                break;
            }
            start = find(body, b"\n", after).map(|end| end + 1);
        }
        at = found + delimiter.len();
    }
    parts
}

fn find(body: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let rest = body.get(from..)?;
    rest.windows(needle.len()).position(|window| window == needle).map(|at| from + at)
}

fn head_and_body(part: &[u8]) -> Option<(String, &[u8])> {
    // A part without headers starts with the blank line itself.
    for blank in [&b"\r\n"[..], b"\n"] {
        if let Some(body) = part.strip_prefix(blank) {
            return Some((String::new(), body));
        }
    }
    let (at, length) = [&b"\r\n\r\n"[..], b"\n\n"]
        .iter()
        .filter_map(|blank| find(part, blank, 0).map(|at| (at, blank.len())))
        .min()?;
    let headers = String::from_utf8_lossy(part.get(..at)?).into_owned();
    Some((headers, part.get(at + length..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn multipart_bodies() {
        // The leading line break is what the generated Rust client sends.
        let body = b"\r\n--B\r\nContent-Type: application/json; charset=utf-8\r\n\r\n{\"name\": \"x\"}\r\n--B\r\nContent-Type: text/csv\r\n\r\na,b\r\n1,--B\r\n--B--\r\n";
        let upload = read_parts(body, "B").unwrap();
        assert_eq!(upload.metadata.get("name").unwrap(), "x");
        assert_eq!(upload.mime, "text/csv");
        assert_eq!(upload.data, b"a,b\r\n1,--B");
        let coded = b"--B\n\n{}\n--B\ncontent-transfer-encoding: base64\n\naGk=\n--B--";
        assert_eq!(read_parts(coded, "B").unwrap().data, b"hi");
        assert_eq!(boundary("multipart/related; boundary=\"a b\""), Some("a b".to_owned()));
        assert_eq!(boundary("multipart/related"), None);
    }

    #[test]
    fn broken_bodies_are_refused() {
        for body in
            [&b""[..], b"--B", b"--B\r\n\r\n{}\r\n--B--", b"--B\r\n\r\n{\r\n--B\r\n\r\nx\r\n--B--"]
        {
            assert!(read_parts(body, "B").is_err());
        }
    }

    proptest! {
        #[test]
        fn content_arrives_whole(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut body = b"--frontier\r\n\r\n{}\r\n--frontier\r\nContent-Type: a/b\r\n\r\n".to_vec();
            body.extend_from_slice(&data);
            body.extend_from_slice(b"\r\n--frontier--\r\n");
            prop_assert_eq!(read_parts(&body, "frontier").unwrap().data, data);
        }
    }
}
