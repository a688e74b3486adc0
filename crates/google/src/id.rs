//! Ids of files, spreadsheets and folders, bare or inside a pasted URL.

use crate::{Error, Result};

const OPERATION: &str = "id";

/// The longest id, in bytes. Google's have 33 or 44; the generated code panics on a URL of 64 KB.
const LONGEST_ID: usize = 256;

/// Returns the id in `text`, which is an id or a pasted Google URL.
///
/// Understands `…/spreadsheets/d/ID/edit#gid=0`, `…/d/ID`, `…/folders/ID`, `…/file/d/ID/view` and
/// `…?id=ID`. An id has only letters, digits, `-` and `_`: the generated crates put it into the
/// path as it is, where `a/b` or `..` would name another resource (google-wire 1.3).
pub fn parse_id(text: &str) -> Result<String> {
    let text = text.trim();
    let candidate = if text.contains("://") || text.starts_with("docs.google.com/") {
        in_url(text).ok_or_else(|| {
            Error::invalid(OPERATION, format!("no file id was found in the URL {}", shown(text)))
        })?
    } else {
        text
    };
    check_id(OPERATION, candidate)?;
    Ok(candidate.to_owned())
}

/// Refuses an id that cannot stand in a path.
pub(crate) fn check_id(operation: &'static str, id: &str) -> Result<()> {
    if id.is_empty() {
        return Err(Error::invalid(operation, "the id is empty"));
    }
    if id.len() > LONGEST_ID {
        let length = id.len();
        return Err(Error::invalid(
            operation,
            format!("{} is not an id: it has {length} bytes", shown(id)),
        ));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match id.chars().find(|c| !allowed(*c)) {
        None => Ok(()),
        Some(c) => Err(Error::invalid(
            operation,
            format!("{} is not an id: {c:?} is not a letter, a digit, '-' or '_'", shown(id)),
        )),
    }
}

fn in_url(url: &str) -> Option<&str> {
    let (rest, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut segments = path.split('/');
    while let Some(segment) = segments.next() {
        if segment == "d" || segment == "folders" {
            // "/d/e/2PACX-…" is a published copy: its id is not a file id.
            return segments.next().filter(|id| !id.is_empty() && *id != "e");
        }
    }
    query
        .split('&')
        .chain(fragment.split('&'))
        .find_map(|pair| pair.strip_prefix("id="))
        .filter(|id| !id.is_empty())
}

/// Quotes foreign text for a message, and bounds its length.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    if short.len() < text.len() { format!("{short:?}…") } else { format!("{short:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_what_people_paste() {
        for (text, id) in [
            ("1AbC-_9", "1AbC-_9"),
            ("  1AbC \n", "1AbC"),
            ("https://docs.google.com/spreadsheets/d/1AbC/edit#gid=0", "1AbC"),
            ("https://docs.google.com/spreadsheets/u/1/d/1AbC/edit?usp=sharing", "1AbC"),
            ("docs.google.com/spreadsheets/d/1AbC", "1AbC"),
            ("https://drive.google.com/drive/folders/0Fo-ld?resourcekey=x", "0Fo-ld"),
            ("https://drive.google.com/drive/u/0/folders/0Fo", "0Fo"),
            ("https://drive.google.com/file/d/1x/view", "1x"),
            ("https://drive.google.com/open?usp=x&id=1y", "1y"),
            ("http://127.0.0.1:8080/spreadsheets/d/local-1/edit", "local-1"),
        ] {
            assert_eq!(parse_id(text).unwrap(), id, "{text}");
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "  ",
            "..",
            "a/b",
            "a?b",
            "a#b",
            "a%2Fb",
            "ä",
            "{range}",
            "a b",
            &"a".repeat(70_000),
            "https://example.com/",
            "https://docs.google.com/spreadsheets/d/",
            "https://docs.google.com/spreadsheets/d/e/2PACX-1v/pubhtml",
            "https://docs.google.com/spreadsheets/d/a%2F..%2Fb/edit",
        ] {
            let error = parse_id(text).unwrap_err();
            assert_eq!(error.kind, crate::Kind::Invalid, "{text}");
        }
    }
}
