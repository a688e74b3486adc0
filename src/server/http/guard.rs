//! Keeps pages of other sites away: the `Host` and `Origin` of every request are checked.
//!
//! A page anywhere can make a browser send requests to this machine: with a foreign `Origin`, or
//! under a name of its own that it points here (DNS rebinding). Programs send no `Origin`.

use std::net::IpAddr;

use axum::http::{HeaderMap, Uri, header, uri::Authority};

/// Which names and pages are served.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    /// Whether only this machine can reach the server: then its own names and pages are welcome.
    loopback: bool,
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Guard {
    /// Creates a guard for the named hosts (with or without a port) and origins (`scheme://host[:port]`).
    pub(crate) fn new(loopback: bool, hosts: &[String], origins: &[String]) -> Self {
        let lower = |names: &[String]| {
            names.iter().map(|name| name.trim_end_matches('/').to_ascii_lowercase()).collect()
        };
        Self { loopback, hosts: lower(hosts), origins: lower(origins) }
    }

    /// Returns why a request is refused, or `None`.
    pub(crate) fn objection(&self, headers: &HeaderMap) -> Option<&'static str> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (host, more) = (hosts.next(), hosts.next().is_some());
        let known =
            host.and_then(|host| host.to_str().ok()).is_some_and(|host| self.knows_host(host));
        if more || !known {
            return Some(
                "this server is not reached under this name; the operator names more with [http] hosts",
            );
        }
        let foreign = headers
            .get_all(header::ORIGIN)
            .iter()
            .any(|origin| !origin.to_str().is_ok_and(|origin| self.knows_origin(origin)));
        foreign.then_some(
            "pages of this origin are not served; the operator names more with [http] origins",
        )
    }

    fn knows_host(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        let host = host.to_ascii_lowercase();
        (self.loopback && is_loopback(authority.host()))
            || self
                .hosts
                .iter()
                .any(|known| *known == host || known.eq_ignore_ascii_case(authority.host()))
    }

    /// Returns whether pages of this origin may call.
    pub(crate) fn knows_origin(&self, origin: &str) -> bool {
        if self.origins.iter().any(|known| known.eq_ignore_ascii_case(origin)) {
            return true;
        }
        let Ok(uri) = origin.parse::<Uri>() else { return false };
        self.loopback && uri.scheme().is_some() && uri.host().is_some_and(is_loopback)
    }
}

/// Returns whether a host name or address means this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn served(guard: &Guard, host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        let mut put = |name: HeaderName, value: &str| {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        };
        put(header::HOST, host);
        if let Some(origin) = origin {
            put(header::ORIGIN, origin);
        }
        guard.objection(&headers).is_none()
    }

    #[test]
    fn a_server_on_loopback_serves_this_machine_alone() {
        let guard = Guard::new(true, &[], &[]);
        for host in ["127.0.0.1:8", "localhost", "LOCALHOST:1", "[::1]:80", "127.9.9.9"] {
            assert!(served(&guard, host, None), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "192.168.1.5",
            "",
            "a b",
            "127.0.0.1.evil.example",
        ] {
            assert!(!served(&guard, host, None), "{host}");
        }
        for origin in ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:9"] {
            assert!(served(&guard, "localhost", Some(origin)), "{origin}");
        }
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost.evil.example",
            "localhost",
            "",
            "file://",
        ] {
            assert!(!served(&guard, "localhost", Some(origin)), "{origin}");
        }
        assert!(guard.objection(&HeaderMap::new()).is_some(), "no host at all");
    }

    #[test]
    fn a_public_server_serves_what_was_named() {
        let guard = Guard::new(false, &["Sync.example".into()], &["https://App.example/".into()]);
        assert!(served(&guard, "sync.example:443", Some("https://app.example")));
        for (host, origin) in [
            ("localhost", None),
            ("other.example", None),
            ("sync.example", Some("http://app.example")),
            ("sync.example", Some("https://app.example:8443")),
            ("sync.example", Some("http://localhost:3000")),
        ] {
            assert!(!served(&guard, host, origin), "{host} {origin:?}");
        }
        let mut twice = HeaderMap::new();
        for host in ["sync.example", "evil.example"] {
            twice.append(header::HOST, HeaderValue::from_static(host));
        }
        assert!(guard.objection(&twice).is_some(), "two hosts");
    }
}
