//! JSON documents with an array of objects, and JSON Lines.
//!
//! Nothing is parsed into a tree and written again: a writer replaces the bytes of single values, adds members and items
//! in the style of their neighbours, and copies everything else.

mod document;
mod item;
mod lines;
mod members;
mod rows;
mod style;

use std::borrow::Cow;

use lockstep_engine::csv::decode;

pub(super) use document::{create, edit, read};
pub(super) use lines::{create as create_lines, edit as edit_lines, read as read_lines};

use super::{FileSource, broken};
use crate::error::Result;

/// Returns the text of a file, without a byte order mark.
fn text<'a>(bytes: &'a [u8], source: &FileSource) -> Result<Cow<'a, str>> {
    let invalid = |valid: usize| {
        let line = bytes.iter().take(valid).filter(|byte| **byte == b'\n').count() + 1;
        broken(format!("not valid UTF-8 in line {line}"))
            .next("give the file's encoding (for example windows-1252); nothing was written")
    };
    match decode(bytes, source.encoding.as_deref()).map_err(|error| broken(error.to_string()))? {
        Cow::Borrowed(body) => std::str::from_utf8(body)
            .map(Cow::Borrowed)
            .map_err(|error| invalid(bytes.len() - body.len() + error.valid_up_to())),
        Cow::Owned(body) => String::from_utf8(body)
            .map(Cow::Owned)
            .map_err(|error| invalid(error.utf8_error().valid_up_to())),
    }
}

/// Returns where a part lies in the text that it was borrowed from.
fn place(text: &str, part: &str) -> std::ops::Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + part.len()
}

/// Returns the byte order mark of a file, if it has one.
fn mark(bytes: &[u8]) -> &'static str {
    if bytes.starts_with(b"\xef\xbb\xbf") { "\u{feff}" } else { "" }
}

#[cfg(test)]
mod tests;
