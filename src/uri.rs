//! Names as parts of addresses.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What needs no encoding keeps an address readable (RFC 3986 section 2.3).
const SPARED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Returns a name as it stands in an address.
pub(crate) fn encode(name: &str) -> String {
    utf8_percent_encode(name, SPARED).to_string()
}

/// Returns the name that stands in an address.
pub(crate) fn decode(name: &str) -> String {
    percent_decode_str(name).decode_utf8_lossy().into_owned()
}
