//! JSON text written piece by piece, and numbers as the service writes them.

use serde_json::Value;

/// Is how much text is gathered before it is sent on.
const SPILL: usize = 192 * 1024;

/// Gathers text and hands it on in pieces, so that a long answer is sent while it is written.
pub(crate) struct Sink<'a> {
    pub(crate) text: Vec<u8>,
    /// Takes the text gathered so far and leaves the buffer empty.
    pub(crate) full: &'a mut dyn FnMut(&mut Vec<u8>),
}

/// Writes JSON text, indented or not.
pub(super) struct Text<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) indent: Option<usize>,
    pub(super) full: &'a mut dyn FnMut(&mut Vec<u8>),
}

impl Text<'_> {
    pub(super) fn spill(&mut self) {
        if self.out.len() >= SPILL {
            (self.full)(self.out);
        }
    }

    pub(super) fn raw(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
    }

    pub(super) fn line(&mut self, deeper: usize) {
        if let Some(indent) = self.indent {
            new_line(self.out, indent + deeper);
        }
    }

    pub(super) fn item(&mut self, deeper: usize, more: bool) {
        match (more, self.indent) {
            (false, _) => self.line(deeper),
            (true, None) => self.out.push(b','),
            (true, Some(indent)) => {
                let end = 2 + (indent + deeper) * 2;
                self.out.extend_from_slice(COMMA_LINE.get(..end).unwrap_or(COMMA_LINE));
            }
        }
    }

    pub(super) fn key(&mut self, name: &str) {
        string(self.out, name);
        self.raw(if self.indent.is_some() { b": " } else { b":" });
    }
}

/// Is a comma, a line end and an indent, to be cut.
const COMMA_LINE: &[u8] = b",\n                ";

/// Starts a line at an indent of two spaces each.
pub(crate) fn new_line(out: &mut Vec<u8>, indent: usize) {
    out.extend_from_slice(COMMA_LINE.get(1..2 + indent * 2).unwrap_or(COMMA_LINE));
}

/// Writes a JSON string.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    // Without an early end this compiles to wide compares.
    let special = text
        .bytes()
        .fold(false, |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'));
    if special {
        // Writing to a Vec cannot fail.
        let _ = serde_json::to_writer(out, text);
    } else {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
}

/// Writes a number as it shows without a format, where its shortest form is that: whole ones below
/// 10^15, and others of at most 10 digits. Returns whether it did.
pub(super) fn plain_number(out: &mut Vec<u8>, value: f64) -> bool {
    let size = value.abs();
    if value == 0.0 || !(1e-5..1e15).contains(&size) {
        return false;
    }
    let start = out.len();
    out.push(b'"');
    if value.fract() == 0.0 {
        number(out, value);
    } else {
        let _ = serde_json::to_writer(&mut *out, &value);
        let digits = out.iter().skip(start).filter(|byte| byte.is_ascii_digit()).count();
        if digits > 10 {
            out.truncate(start);
            return false;
        }
    }
    out.push(b'"');
    true
}

/// Writes a JSON number: whole ones without a fraction, as recorded.
pub(super) fn number(out: &mut Vec<u8>, value: f64) {
    let _ = match whole(value) {
        Some(whole) => serde_json::to_writer(out, &whole),
        None => serde_json::to_writer(out, &value),
    };
}

/// Returns a whole number that an f64 holds exactly.
fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(clippy::cast_possible_truncation, reason = "whole and at most 2^53, tested here")]
    (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64)
}

/// Returns a number as JSON: whole ones without a fraction.
pub(crate) fn number_value(value: f64) -> Value {
    whole(value).map_or_else(|| value.into(), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::general;

    #[test]
    fn the_short_way_shows_what_the_long_way_shows() {
        let mut numbers =
            vec![0.1, -2.5, 1e-5, 0.37 * 3.0, 1.0 / 3.0, 1e14, 123_456_789.123, -0.000_976_562_5];
        numbers.extend((1..5000).map(|n| f64::from(n) * 0.37 + 2.0));
        let mut short = 0;
        for number in numbers {
            let mut out = Vec::new();
            if plain_number(&mut out, number) {
                short += 1;
                assert_eq!(
                    String::from_utf8(out).unwrap(),
                    format!("\"{}\"", general(number, '.'))
                );
            } else {
                assert!(out.is_empty());
            }
        }
        assert!(short > 2000);
    }
}
