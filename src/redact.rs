//! Takes secrets out of what people see: every error is cleaned when it is made, and every line of the log when it is
//! written.
//!
//! It knows the secrets by their values: each one that is read is noted here for the life of the process. What is too
//! short to be told from ordinary words is not noted.

use std::{
    borrow::Cow,
    io::{self, Write},
    sync::{PoisonError, RwLock},
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

/// The shortest secret that is looked for, in bytes.
const SHORTEST: usize = 6;

/// What stands in a secret's place.
const MASK: &str = "***";

static NOTED: RwLock<Vec<Zeroizing<String>>> = RwLock::new(Vec::new());

/// Remembers a secret, as it is, as it stands in an address and as it stands in JSON.
pub(crate) fn note(secret: &str) {
    let secret = secret.trim();
    if secret.len() < SHORTEST {
        return;
    }
    let quoted = serde_json::to_string(secret).unwrap_or_default();
    // The quotes around it alone: it may end with one itself.
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let forms = [
        secret.to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        inner.unwrap_or(secret).to_owned(),
    ];
    let mut noted = NOTED.write().unwrap_or_else(PoisonError::into_inner);
    for form in forms {
        let form = Zeroizing::new(form);
        if !noted.contains(&form) {
            noted.push(form);
        }
    }
    // A secret that contains another goes first, or its rest would be shown.
    noted.sort_by_key(|form| std::cmp::Reverse(form.len()));
}

/// Returns a text without the secrets that are known.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let noted = NOTED.read().unwrap_or_else(PoisonError::into_inner);
    let mut text = Cow::Borrowed(text);
    for secret in noted.iter() {
        if text.contains(secret.as_str()) {
            text = Cow::Owned(text.replace(secret.as_str(), MASK));
        }
    }
    text
}

/// A writer of whole lines, such as a log's, that takes secrets out of them.
#[derive(Debug)]
pub struct Masked<W: Write> {
    inner: W,
    line: Vec<u8>,
}

impl<W: Write> Masked<W> {
    /// Wraps a writer.
    pub fn new(inner: W) -> Self {
        Self { inner, line: Vec::new() }
    }

    fn out(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        self.inner.write_all(clean(&String::from_utf8_lossy(&line)).as_bytes())
    }
}

impl<W: Write> Write for Masked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out()?;
        self.inner.flush()
    }
}

impl<W: Write> Drop for Masked<W> {
    fn drop(&mut self) {
        // There is nobody to tell that the log cannot be written.
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_in_every_form_and_short_words_stay() {
        note("s3cret/with \"quotes\"");
        note("s3cret/with");
        note("abc");
        for text in [
            "a s3cret/with \"quotes\" b",
            "a s3cret%2Fwith%20%22quotes%22 b",
            "a s3cret/with \\\"quotes\\\" b",
        ] {
            assert_eq!(clean(text), "a *** b");
        }
        assert_eq!(clean("abc s3cret/with!"), "abc ***!");
        assert!(matches!(clean("nothing"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_line_that_comes_in_pieces_is_cleaned_as_a_whole() {
        note("in-two-pieces");
        let mut out = Vec::new();
        {
            let mut log = Masked::new(&mut out);
            log.write_all(b"x in-two").unwrap();
            log.write_all(b"-pieces y\n").unwrap();
        }
        assert_eq!(out, b"x *** y\n");
    }
}
