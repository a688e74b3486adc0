//! Keeps pages of other sites away from a workspace without authentication.
//!
//! A page anywhere can make a browser send requests to this machine: with a foreign `Origin`, or
//! under a name of its own that it points here (DNS rebinding). Programs send neither.

use std::net::IpAddr;

use super::{ApiError, Call};

/// Returns the refusal of a request that a foreign page made, or `None`.
pub(super) fn refuse(call: &Call) -> Option<ApiError> {
    let header = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok());
    let host = header("host");
    if let Some(host) = host
        && !is_own(host)
    {
        return Some(ApiError::new(
            403,
            "PERMISSION_DENIED",
            format!(
                "This workspace is reached by an address or as localhost, not as {host}; with authentication on, any name will do."
            ),
        ));
    }
    let origin = header("origin")?;
    let same = origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
    (!same).then(|| {
        ApiError::new(
            403,
            "PERMISSION_DENIED",
            "This workspace takes no requests from pages of other origins.",
        )
    })
}

fn is_own(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names() {
        for host in ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:80", "192.168.1.5:80"] {
            assert!(is_own(host), "{host}");
        }
        for host in ["evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", ""] {
            assert!(!is_own(host), "{host}");
        }
    }
}
