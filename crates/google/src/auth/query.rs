//! Forms and queries as OAuth sends them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but what RFC 3986 never encodes.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Returns fields as `application/x-www-form-urlencoded`.
pub(crate) fn write(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, VALUE)))
        .collect();
    pairs.join("&")
}

/// Returns a field of a query.
pub(crate) fn field(query: &str, name: &str) -> Option<String> {
    let (_, value) =
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
    let value = value.replace('+', " ");
    Some(percent_decode_str(&value).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let odd = "a b+c&d=e/ü%41";
        let text = write(&[("x", odd), ("y", "")]);
        assert!(!text.contains(' '));
        assert_eq!(field(&text, "x").as_deref(), Some(odd));
        assert_eq!(field(&text, "y").as_deref(), Some(""));
        assert_eq!(field(&text, "z"), None);
        assert_eq!(field("q=a+b", "q").as_deref(), Some("a b"));
    }
}
