//! Which addresses may be called: those under the configured one, and nothing that an answer makes up.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;

use crate::error::{Error, Kind, Result};

/// What stays as it is in a path segment or a parameter (RFC 3986, unreserved).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The configured address.
#[derive(Clone, Debug)]
pub(super) struct Origin(Url);

impl Origin {
    /// Reads the operator's address.
    ///
    /// # Errors
    /// What is no plain `http` or `https` address.
    pub(super) fn new(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Err(Error::invalid(what.to_owned())
                .context("baseUrl")
                .next("give an address like \"https://api.example.com/v1\""))
        };
        let Ok(url) = Url::parse(text) else { return wrong("it is no address") };
        if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
            return wrong("it is no http or https address");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("it holds a user or password: those belong under auth");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return wrong("it holds a query or fragment: parameters belong under list.query");
        }
        Ok(Self(url))
    }

    /// Returns whether calls stay on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Returns whether calls are encrypted.
    pub(super) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns the address of a path with parameters.
    ///
    /// # Errors
    /// A path that leads out of the configured address.
    pub(super) fn join(&self, path: &str, query: &[(String, String)]) -> Result<Url> {
        let base = self.0.as_str().trim_end_matches('/');
        let mut text = format!("{base}{path}");
        for (position, (name, value)) in query.iter().enumerate() {
            let mark = if position == 0 && !path.contains('?') { '?' } else { '&' };
            text.push_str(&format!("{mark}{}={}", encode(name), encode(value)));
        }
        let url = Url::parse(&text)
            .map_err(|_| Error::invalid(format!("\"{path}\" makes no address")))?;
        let root = self.0.path().trim_end_matches('/');
        let under = url.path().strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
        if url.origin() != self.0.origin() || !under {
            return Err(foreign(&url, &self.0));
        }
        Ok(url)
    }

    /// Returns the address that an answer of `from` leads to.
    ///
    /// # Errors
    /// One on another origin: it is never called.
    pub(super) fn follow(&self, from: &Url, to: &str) -> Result<Url> {
        let url = from.join(to).map_err(|_| {
            Error::internal("the API leads to what is no address").next("ask its operator")
        })?;
        let plain = url.username().is_empty() && url.password().is_none();
        if url.origin() != self.0.origin() || !plain {
            return Err(foreign(&url, &self.0));
        }
        Ok(url)
    }

    /// Returns what of an address stands after the origin: path and query.
    pub(super) fn relative(url: &Url) -> String {
        match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        }
    }

    /// Returns the address of what [`relative`](Self::relative) returned.
    ///
    /// # Errors
    /// See [`follow`](Self::follow).
    pub(super) fn absolute(&self, relative: &str) -> Result<Url> {
        self.follow(&self.0, relative)
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn foreign(url: &Url, own: &Url) -> Error {
    let to = url.origin().ascii_serialization();
    Error::new(
        Kind::PermissionDenied,
        format!(
            "the API leads to {to}{}, which is not under {own}: it is not followed",
            if to == own.origin().ascii_serialization() { url.path() } else { "" }
        ),
    )
    .next("only the configured baseUrl is called; correct it if the API moved")
}

/// Encodes the value of a parameter.
fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Encodes one segment of a path.
///
/// # Errors
/// A blank one, and `.` and `..`, which would lead to another item whatever their encoding.
pub(super) fn segment(text: &str) -> std::result::Result<String, String> {
    match text {
        "" | "." | ".." => Err(format!("\"{text}\" can be no part of a path")),
        _ => Ok(encode(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_configured_address_is_called() {
        let origin = Origin::new("https://api.example.com/v1/").unwrap();
        let query = [("q".to_owned(), "a b&c".to_owned())];
        let url = origin.join("/contacts", &query).unwrap();
        assert_eq!(url.as_str(), "https://api.example.com/v1/contacts?q=a%20b%26c");
        for path in ["/../v2/x", "/%2e%2e/x", "x", "@evil.example/x", ".evil.example/"] {
            assert!(origin.join(path, &[]).is_err(), "{path}");
        }
        for to in [
            "https://evil.example/v1",
            "http://api.example.com/v1",
            "//evil.example/x",
            "https://api.example.com:8443/v1",
            "https://user:pw@api.example.com/v1",
            "file:///etc/passwd",
        ] {
            let error = origin.follow(&url, to).unwrap_err();
            assert_eq!(error.kind(), Kind::PermissionDenied, "{to}");
        }
        let next = origin.follow(&url, "?page=2").unwrap();
        assert_eq!(next.as_str(), "https://api.example.com/v1/contacts?page=2");
        assert_eq!(origin.absolute(&Origin::relative(&next)).unwrap(), next);
    }

    #[test]
    fn ids_cannot_leave_their_segment() {
        assert_eq!(segment("a/b?c#d").unwrap(), "a%2Fb%3Fc%23d");
        for text in ["", ".", ".."] {
            assert!(segment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_with_more_than_an_address_is_refused() {
        for text in ["x", "ftp://x", "https://u:p@x", "https://x?a=1", "https://x#y", "file:///x"] {
            assert!(Origin::new(text).is_err(), "{text}");
        }
        for (text, local) in [
            ("http://127.0.0.1:8080", true),
            ("http://[::1]/", true),
            ("http://localhost", true),
            ("http://127.0.0.1.evil.example", false),
        ] {
            assert_eq!(Origin::new(text).unwrap().is_loopback(), local, "{text}");
        }
    }
}
