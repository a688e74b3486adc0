//! Canonical bytes of values: equal values have equal bytes, and bytes read back as the value.
//!
//! One byte of kind, the length of the text as a little-endian `u32`, the canonical text. Lists hold their items in
//! the same form, after their number. Stable across versions: bases and digests that outlive a process use it.

use crate::datetime::{parse_date, parse_time};
use crate::value::{Row, Value};

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NUMBER: u8 = 3;
const TEXT: u8 = 4;
const DATE: u8 = 5;
const TIME: u8 = 6;
const DATE_TIME: u8 = 7;
const LIST: u8 = 8;

/// Deepest nesting of lists that is read; deeper bytes are not ours.
const DEPTH: usize = 16;

/// Tells that bytes are not canonical bytes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored row is damaged: its bytes are no canonical values")]
pub struct DecodeError;

/// Appends the canonical bytes of a row.
pub fn write_row(row: &[Value], out: &mut Vec<u8>) {
    out.extend_from_slice(&(row.len() as u32).to_le_bytes());
    row.iter().for_each(|value| write(value, out));
}

/// Reads a row back.
///
/// # Errors
/// When the bytes are not exactly one row.
pub fn read_row(mut bytes: &[u8]) -> Result<Row, DecodeError> {
    let count = take_u32(&mut bytes).ok_or(DecodeError)?;
    let row: Option<Row> = (0..count).map(|_| read(&mut bytes, DEPTH)).collect();
    row.filter(|_| bytes.is_empty()).ok_or(DecodeError)
}

/// Returns the BLAKE3 hash of a row's canonical bytes; stable across processes.
pub fn digest(row: &[Value]) -> [u8; 32] {
    let mut bytes = Vec::new();
    write_row(row, &mut bytes);
    *blake3::hash(&bytes).as_bytes()
}

/// Appends the canonical bytes of one value.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    let kind = match value {
        Value::Null => return out.push(NULL),
        Value::Bool(value) => return out.push(if *value { TRUE } else { FALSE }),
        Value::List(items) => {
            out.push(LIST);
            return write_row(items, out);
        }
        Value::Text(text) => {
            out.push(TEXT);
            return write_text(text, out);
        }
        Value::Number(_) => NUMBER,
        Value::Date(_) => DATE,
        Value::Time(_) => TIME,
        Value::DateTime(_) => DATE_TIME,
    };
    out.push(kind);
    write_text(&value.to_string(), out);
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*word))
}

fn read(bytes: &mut &[u8], depth: usize) -> Option<Value> {
    let (&kind, rest) = bytes.split_first()?;
    *bytes = rest;
    match kind {
        NULL => return Some(Value::Null),
        FALSE => return Some(Value::Bool(false)),
        TRUE => return Some(Value::Bool(true)),
        LIST => {
            let (count, depth) = (take_u32(bytes)?, depth.checked_sub(1)?);
            return (0..count).map(|_| read(bytes, depth)).collect::<Option<_>>().map(Value::List);
        }
        _ => {}
    }
    let length = usize::try_from(take_u32(bytes)?).ok()?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    let text = std::str::from_utf8(text).ok()?;
    Some(match kind {
        NUMBER => Value::Number(text.parse().ok()?),
        TEXT => Value::Text(text.into()),
        DATE => Value::Date(parse_date(text)?),
        TIME => Value::Time(parse_time(text)?),
        DATE_TIME => Value::DateTime(text.parse().ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::any_value;

    #[test]
    fn damaged_bytes_are_refused() {
        let mut bytes = Vec::new();
        write_row(&[Value::from("a"), Value::from(1)], &mut bytes);
        for end in 0..bytes.len() {
            assert_eq!(read_row(&bytes[..end]), Err(DecodeError), "cut at {end}");
        }
        bytes.push(0);
        assert_eq!(read_row(&bytes), Err(DecodeError));
        assert_eq!(read_row(&[1, 0, 0, 0, 99, 0, 0, 0, 0]), Err(DecodeError));
        let nested: Vec<u8> =
            [1, 0, 0, 0].into_iter().chain([LIST, 1, 0, 0, 0].repeat(10_000)).collect();
        assert_eq!(read_row(&nested), Err(DecodeError));
    }

    proptest! {
        #[test]
        fn rows_survive_and_equal_rows_are_alike(a in prop::collection::vec(any_value(), 0..5), b in prop::collection::vec(any_value(), 0..5)) {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            write_row(&a, &mut x);
            write_row(&b, &mut y);
            prop_assert_eq!(&*read_row(&x).unwrap(), &a[..]);
            prop_assert_eq!(a == b, x == y);
            prop_assert_eq!(a == b, digest(&a) == digest(&b));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read_row(&bytes);
        }
    }
}
