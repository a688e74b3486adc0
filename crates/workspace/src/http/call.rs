//! One request, with its path still raw.

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use percent_encoding::percent_decode_str;

/// Is one request: method, raw path, decoded query, headers and the whole body.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The address of the caller; blank is the owner.
    pub(crate) user: String,
    path: String,
    query: Vec<(String, String)>,
}

impl Call {
    /// Returns the call that was received.
    pub(crate) fn new(parts: Parts, body: Bytes) -> Self {
        Self {
            path: parts.uri.path().to_owned(),
            query: parse_query(parts.uri.query().unwrap_or_default()),
            method: parts.method,
            user: String::new(),
            headers: parts.headers,
            body,
        }
    }

    /// Returns the path as it was sent, still percent-encoded.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the last value of a query parameter, as Google does for a repeated scalar.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns all values of a repeated query parameter.
    pub(crate) fn params(&self, name: &str) -> Vec<&str> {
        self.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Returns a boolean parameter; `True` and `1` count too, as recorded.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.param(name).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    /// Returns whether the answer should be indented; Google's default is yes.
    pub(crate) fn pretty(&self) -> bool {
        self.param("prettyPrint")
            .is_none_or(|value| !(value.eq_ignore_ascii_case("false") || value == "0"))
    }

    /// Returns the field mask: the `fields` parameter or the `X-Goog-FieldMask` header.
    pub(crate) fn fields(&self) -> Option<&str> {
        self.param("fields")
            .or_else(|| self.param("$fields"))
            .or_else(|| self.headers.get("x-goog-fieldmask").and_then(|value| value.to_str().ok()))
    }
}

/// Returns the pairs of a query or a form, decoded, in order.
pub(crate) fn parse_query(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
}

/// Returns a percent-encoded text decoded; bytes that are no UTF-8 become U+FFFD.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_decode_and_repeat() {
        let pairs = parse_query("ranges=%27A%2FB%27!A1&ranges=C+D&flag&x=a%3Db&&bad=%zz");
        let expected =
            [("ranges", "'A/B'!A1"), ("ranges", "C D"), ("flag", ""), ("x", "a=b"), ("bad", "%zz")];
        assert_eq!(pairs.len(), expected.len());
        for ((key, value), (want_key, want_value)) in pairs.iter().zip(expected) {
            assert_eq!((key.as_str(), value.as_str()), (want_key, want_value));
        }
    }
}
