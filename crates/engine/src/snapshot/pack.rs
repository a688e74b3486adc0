//! The bytes of a cell in a snapshot: a varint of length and kind, then the text.
//!
//! Texts shorter than 32 bytes cost one byte more than themselves. A row is its cells one after the other, so a row
//! of texts is also its own length-prefixed form, ready to be hashed.

use crate::cell::Cell;
use crate::csv::split::Field;
use crate::value::Number;

/// Kinds of stored cells; the discriminants are part of the packed form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text = 0,
    Number = 1,
    Bool = 2,
    Null = 3,
}

/// Appends one cell.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, kind: Kind, text: &[u8]) {
    let mut head = (text.len() << 2) | kind as usize;
    while head >= 0x80 {
        out.push((head as u8 & 0x7f) | 0x80);
        head >>= 7;
    }
    out.push(head as u8);
    out.extend_from_slice(text);
}

/// Appends the texts of a delimited record without quotes.
///
/// Fields are where `split` found them in an input whose byte `base` is the record's first. Runs of short fields are
/// copied as they lie: the byte of each delimiter becomes the head of the text behind it.
pub(crate) fn put_fields(out: &mut Vec<u8>, record: &[u8], base: usize, fields: &[Field]) {
    let text = |start: usize, end: usize| record.get(start - base..end - base).unwrap_or_default();
    let mut rest = fields;
    loop {
        let short = rest.iter().take_while(|field| field.len() < SHORT).count();
        let (run, others) = rest.split_at_checked(short).unwrap_or_default();
        if let (Some(first), Some(last)) = (run.first(), run.last()) {
            let heads = out.len();
            out.push(0);
            out.extend_from_slice(text(first.start, last.end));
            for field in run {
                if let Some(head) = out.get_mut(heads + field.start - first.start) {
                    *head = (field.len() << 2) as u8 | Kind::Text as u8;
                }
            }
        }
        let Some((long, others)) = others.split_first() else {
            return;
        };
        put(out, Kind::Text, text(long.start, long.end));
        rest = others;
    }
}

/// Bytes from which on a text has more than one byte before it.
const SHORT: usize = 32;

/// Appends a cell of a replica; numbers become their canonical text.
pub(crate) fn put_cell(out: &mut Vec<u8>, cell: &Cell<'_>) -> Kind {
    let number = |text: &str| text.parse::<Number>().map(|number| number.to_string());
    match cell {
        Cell::Null => put_kind(out, Kind::Null, b""),
        Cell::Bool(value) => put_kind(out, Kind::Bool, if *value { b"true" } else { b"false" }),
        Cell::Text(text) => put_kind(out, Kind::Text, text.as_bytes()),
        Cell::Float(value) => match Number::try_from(*value) {
            Ok(number) => put_kind(out, Kind::Number, number.to_string().as_bytes()),
            Err(_) => put_kind(out, Kind::Text, value.to_string().as_bytes()),
        },
        Cell::Number(text) => match number(text) {
            Ok(canonical) => put_kind(out, Kind::Number, canonical.as_bytes()),
            Err(_) => put_kind(out, Kind::Text, text.as_bytes()),
        },
    }
}

fn put_kind(out: &mut Vec<u8>, kind: Kind, text: &[u8]) -> Kind {
    put(out, kind, text);
    kind
}

/// Takes the next cell off the front of packed bytes.
// Always inlined: the result is three words, and a call would hand every cell over through memory.
#[inline(always)]
pub(crate) fn take<'a>(bytes: &mut &'a [u8]) -> Option<(Kind, &'a [u8])> {
    let (&byte, rest) = bytes.split_first()?;
    let (head, rest) = if byte < 0x80 { (usize::from(byte), rest) } else { long_head(bytes)? };
    let kind = match head & 3 {
        0 => Kind::Text,
        1 => Kind::Number,
        2 => Kind::Bool,
        _ => Kind::Null,
    };
    let (text, rest) = rest.split_at_checked(head >> 2)?;
    *bytes = rest;
    Some((kind, text))
}

/// Reads a head of several bytes; returns what follows it too.
fn long_head(mut bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (mut head, mut shift) = (0usize, 0u32);
    loop {
        let (&byte, rest) = bytes.split_first()?;
        bytes = rest;
        head |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some((head, bytes));
        }
        shift += 7;
    }
}

/// Returns the cell that packed parts stand for.
pub(crate) fn cell<'a>(kind: Kind, text: &'a [u8]) -> Cell<'a> {
    // What is packed came from a str; the fallback is unreachable and there only to avoid a panic path.
    let text = std::str::from_utf8(text).unwrap_or_default();
    match kind {
        Kind::Text => Cell::Text(text),
        Kind::Number => Cell::Number(text),
        Kind::Bool => Cell::Bool(text == "true"),
        Kind::Null => Cell::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_survive() {
        let long = "é".repeat(9_000);
        let cells = [
            Cell::Null,
            Cell::Bool(true),
            Cell::Bool(false),
            Cell::Number("12.5"),
            Cell::Text(""),
            Cell::Text("31 bytes, the longest short one"),
            Cell::Text("and 32 bytes, the first long one"),
            Cell::Text(&long),
        ];
        let mut packed = Vec::new();
        for cell in &cells {
            put_cell(&mut packed, cell);
        }
        let mut rest = packed.as_slice();
        for expected in cells {
            let (kind, text) = take(&mut rest).unwrap();
            assert_eq!(cell(kind, text), expected);
        }
        assert_eq!(take(&mut rest), None);
    }

    #[test]
    fn fields_are_packed_like_single_texts() {
        let long = "x".repeat(SHORT);
        for texts in [
            vec!["a", "", "bc"],
            vec![""],
            vec!["", &long, "b", "c", &long],
            vec![&long, &long],
            vec![],
        ] {
            let record = texts.join(",");
            let mut start = 9;
            let fields: Vec<Field> = texts
                .iter()
                .map(|text| {
                    let field = Field { start, end: start + text.len(), doubled: false };
                    start = field.end + 1;
                    field
                })
                .collect();
            let (mut packed, mut expected) = (vec![7], vec![7]);
            put_fields(&mut packed, record.as_bytes(), 9, &fields);
            texts.iter().for_each(|text| put(&mut expected, Kind::Text, text.as_bytes()));
            assert_eq!(packed, expected, "{texts:?}");
        }
    }

    #[test]
    fn numbers_are_stored_in_canonical_form() {
        let mut packed = Vec::new();
        put_cell(&mut packed, &Cell::Float(1e21));
        put_cell(&mut packed, &Cell::Number("10.50"));
        put_cell(&mut packed, &Cell::Float(f64::NAN));
        put_cell(&mut packed, &Cell::Number("oops"));
        let mut rest = packed.as_slice();
        let mut next = || {
            take(&mut rest)
                .map(|(kind, text)| (kind, std::str::from_utf8(text).unwrap().to_owned()))
        };
        assert_eq!(next(), Some((Kind::Number, "1000000000000000000000".into())));
        assert_eq!(next(), Some((Kind::Number, "10.5".into())));
        assert_eq!(next(), Some((Kind::Text, "NaN".into())));
        assert_eq!(next(), Some((Kind::Text, "oops".into())));
    }

    #[test]
    fn damaged_bytes_end_the_row() {
        for damaged in [&b"\x80"[..], b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x14a"]
        {
            assert_eq!(take(&mut &*damaged), None);
        }
    }
}
