//! CSV and TSV that people open: no cell of it is a formula to a spreadsheet program (OWASP, "CSV injection").
//!
//! A text that a program would compute gets an apostrophe in front of it; reading takes exactly that one away again, so
//! that a row that goes there and back is the same row.

use std::borrow::Cow;

use lockstep_engine::csv::{decode, sniff_delimiter, spans};

use super::delimited::{BOM, HEAD, malformed};
use crate::error::Result;

/// What a formula begins with, also as East Asian keyboards write it, and what comes before one unseen.
const SIGNS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Puts an apostrophe before a text that a spreadsheet program would compute; numbers stay numbers.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    let bare = text.trim_start_matches('\'');
    match bare.starts_with(SIGNS) && !(bare.len() == text.len() && number(text)) {
        true => format!("'{text}").into(),
        false => text.into(),
    }
}

/// Takes the apostrophe away that [`safe`] put there.
fn plain(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.trim_start_matches('\'').starts_with(SIGNS) => rest,
        _ => text,
    }
}

/// Returns whether a text with a sign is nothing but a number.
fn number(text: &str) -> bool {
    let digits = text.get(1..).unwrap_or_default();
    let grouped = digits.chars().all(|sign| sign.is_ascii_digit() || matches!(sign, '.' | ','));
    let float = text
        .chars()
        .all(|sign| sign.is_ascii_digit() || matches!(sign, '.' | 'e' | 'E' | '+' | '-'));
    let first = digits.starts_with(|sign: char| sign.is_ascii_digit() || sign == '.');
    first && (grouped || (float && text.parse::<f64>().is_ok()))
}

/// Returns a file's text with every cell as it was before [`protect`].
///
/// # Errors
/// Text that cannot be read.
pub(super) fn strip(
    bytes: &[u8],
    encoding: Option<&str>,
    delimiter: Option<char>,
) -> Result<Vec<u8>> {
    let text = decode(bytes, encoding).map_err(malformed)?;
    let plain = each(&text, delimiter, |cell| plain(cell).into())?;
    // What is decoded has no byte order mark any more; what is written keeps it.
    let kept = bytes.starts_with(BOM) && !plain.starts_with(BOM);
    Ok(if kept { [BOM, plain.as_slice()].concat() } else { plain })
}

/// Returns a file's text in which no cell is a formula.
///
/// # Errors
/// Text that cannot be read.
pub(super) fn protect(text: &[u8], delimiter: Option<char>) -> Result<Vec<u8>> {
    each(text, delimiter, safe)
}

/// Writes each cell anew; quotes, line ends and a byte order mark stay.
fn each(
    bytes: &[u8],
    delimiter: Option<char>,
    change: impl for<'t> Fn(&'t str) -> Cow<'t, str>,
) -> Result<Vec<u8>> {
    let bom = if bytes.starts_with(BOM) { BOM } else { &[] };
    let text = bytes.get(bom.len()..).unwrap_or_default();
    let head = text.get(..text.len().min(HEAD)).unwrap_or_default();
    let delimiter = delimiter
        .and_then(|delimiter| u8::try_from(delimiter).ok())
        .unwrap_or_else(|| sniff_delimiter(head));
    let mut out = bom.to_vec();
    out.reserve(text.len() + text.len() / 16);
    let mut done = 0;
    for record in spans(text, delimiter) {
        for field in record.map_err(malformed)?.fields {
            let quoted = text.get(field.start) == Some(&b'"');
            let start = field.start + usize::from(quoted);
            out.extend_from_slice(text.get(done..start).unwrap_or_default());
            let raw = text.get(start..field.end).unwrap_or_default();
            match std::str::from_utf8(raw) {
                Ok(cell) => out.extend_from_slice(change(cell).as_bytes()),
                // The reader says where it is no UTF-8.
                Err(_) => out.extend_from_slice(raw),
            }
            done = field.end;
        }
    }
    out.extend_from_slice(text.get(done..).unwrap_or_default());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_computed_gets_an_apostrophe() {
        for (text, shown) in [
            ("=1+1", "'=1+1"),
            ("+SUM(A1)", "'+SUM(A1)"),
            ("-2+3", "'-2+3"),
            ("@cmd", "'@cmd"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\n=1", "'\n=1"),
            ("＝1", "'＝1"),
            ("'=1", "''=1"),
            ("-", "'-"),
            ("-1-2", "'-1-2"),
            ("-inf", "'-inf"),
            ("+49 170", "'+49 170"),
        ] {
            assert_eq!(safe(text), shown);
            assert_eq!(plain(shown), text);
        }
        for same in ["", "a=1", "-5", "+1,234.50", "-1e-5", "'90s", "1-2", "'"] {
            assert_eq!(safe(same), same);
        }
    }

    #[test]
    fn quotes_line_ends_and_the_byte_order_mark_stay() {
        let bytes = b"\xef\xbb\xbfid,\"=n\"\r\n1,\"=a\"\"b\"\r\n\r\n-2, =c\r\n'x,";
        let safe = protect(bytes, None).unwrap();
        assert_eq!(safe, b"\xef\xbb\xbfid,\"'=n\"\r\n1,\"'=a\"\"b\"\r\n\r\n-2, =c\r\n'x,");
        assert_eq!(strip(&safe, None, None).unwrap(), bytes);
    }

    proptest::proptest! {
        #[test]
        fn every_text_comes_back_and_none_is_a_formula(text in "['=+@\t\r\n＝0-9.,eEa\\-]{0,8}|\\PC{0,12}") {
            let shown = safe(&text);
            proptest::prop_assert_eq!(plain(&shown), text.as_str());
            proptest::prop_assert!(!shown.starts_with(SIGNS) || number(&shown), "{}", shown);
        }
    }
}
