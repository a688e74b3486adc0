//! The bytes of a block: rows of cells, compact, readable in place.
//!
//! `block = count row*`, `row = length cell*`; numbers are LEB128 unless noted. A cell starts with
//! a tag: the low nibble says what it is, the high bits which parts come before the value
//! (0x20 format number, 0x40 further fields as JSON, 0x10 formula). Tag 0 is a run of blank cells.

use std::io::Write as _;

use super::cell::{Cell, CellView, Scalar};
use super::walk::Walk;

pub(super) const BLANKS: u8 = 0;
pub(super) const BARE: u8 = 1;
pub(super) const NUMBER: u8 = 2;
pub(super) const INTEGER: u8 = 3;
pub(super) const TRUE: u8 = 4;
pub(super) const FALSE: u8 = 5;
pub(super) const TEXT: u8 = 6;
pub(super) const ERROR: u8 = 7;
pub(super) const KIND: u8 = 0x0f;
pub(super) const FORMULA: u8 = 0x10;
pub(super) const FORMAT: u8 = 0x20;
pub(super) const EXTRA: u8 = 0x40;

/// Is the cells of one decoded row, by column; blank cells at the end are left out.
pub(crate) type Row = Vec<Cell>;

/// Returns the bytes of rows; blank rows at the end are left out.
pub(crate) fn encode(rows: &[Row]) -> Vec<u8> {
    let used = rows
        .iter()
        .rposition(|row| row.iter().any(|cell| !cell.is_blank()))
        .map_or(0, |last| last + 1);
    let mut out = Vec::new();
    put(&mut out, used as u64);
    let mut line = Vec::new();
    for row in rows.iter().take(used) {
        line.clear();
        encode_row(&mut line, row);
        put(&mut out, line.len() as u64);
        out.extend_from_slice(&line);
    }
    out
}

/// Returns the rows of a block, as many as its slot has; `None` when the bytes are damaged.
pub(crate) fn decode(bytes: &[u8], rows: u32) -> Option<Vec<Row>> {
    let mut decoded = Vec::with_capacity(rows as usize);
    for line in lines(bytes)? {
        let mut row = Row::new();
        let whole = each(line?, &mut |column, cell| {
            row.resize_with(column as usize, Cell::default);
            row.push(cell.to_cell());
        });
        whole?;
        decoded.push(row);
    }
    decoded.resize_with(rows as usize, Row::new);
    Some(decoded)
}

/// Returns the encoded rows of a block, in order; each is `None` when the bytes are damaged.
pub(crate) fn lines(bytes: &[u8]) -> Option<impl Iterator<Item = Option<&[u8]>>> {
    let mut walk = Walk::new(bytes)?;
    Some(std::iter::from_fn(move || match walk.row() {
        Some(true) => Some(walk.bytes()),
        Some(false) => None,
        None => Some(None),
    }))
}

/// Calls a closure for every cell of an encoded row that is not blank; `None` when damaged.
pub(crate) fn each(line: &[u8], visit: &mut impl FnMut(u32, CellView<'_>)) -> Option<()> {
    let mut walk = Walk::line(line);
    while let Some(cell) = walk.cell()? {
        visit(cell.column, cell.view()?);
    }
    Some(())
}

fn encode_row(out: &mut Vec<u8>, row: &[Cell]) {
    let mut blanks = 0_u64;
    for cell in row {
        if cell.is_blank() {
            blanks += 1;
            continue;
        }
        if blanks > 0 {
            out.push(BLANKS);
            put(out, blanks);
            blanks = 0;
        }
        encode_cell(out, cell);
    }
}

fn encode_cell(out: &mut Vec<u8>, cell: &Cell) {
    let integer = match cell.value {
        Scalar::Number(number) => zigzag(number),
        _ => None,
    };
    let kind = match &cell.value {
        Scalar::Empty => BARE,
        Scalar::Number(_) if integer.is_some() => INTEGER,
        Scalar::Number(_) => NUMBER,
        Scalar::Bool(true) => TRUE,
        Scalar::Bool(false) => FALSE,
        Scalar::Text(_) => TEXT,
        Scalar::Error(_) => ERROR,
    };
    let mut tag = kind;
    if cell.format != 0 {
        tag |= FORMAT;
    }
    if cell.extra.is_some() {
        tag |= EXTRA;
    }
    if cell.formula.is_some() {
        tag |= FORMULA;
    }
    out.push(tag);
    if cell.format != 0 {
        put(out, u64::from(cell.format));
    }
    if let Some(extra) = &cell.extra {
        let text = serde_json::to_string(extra).unwrap_or_else(|_| "{}".to_owned());
        put_text(out, &text);
    }
    if let Some(formula) = &cell.formula {
        put_text(out, formula);
    }
    match &cell.value {
        Scalar::Number(number) => match integer {
            Some(integer) => put(out, integer),
            None => out.extend_from_slice(&number.to_le_bytes()),
        },
        Scalar::Text(text) => put_text(out, text),
        Scalar::Error(error) => {
            put_text(out, &error.shown);
            put_text(out, &error.message);
        }
        Scalar::Empty | Scalar::Bool(_) => {}
    }
}

/// Returns the zigzag form of a number that is a whole one of at most 48 bits; -0.0 is none.
fn zigzag(number: f64) -> Option<u64> {
    const LIMIT: f64 = 281_474_976_710_656.0;
    if number.fract() != 0.0
        || number.abs() >= LIMIT
        || (number == 0.0 && number.is_sign_negative())
    {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "whole and below 2^48, tested above")]
    let whole = number as i64;
    Some(((whole << 1) ^ (whole >> 63)).cast_unsigned())
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    // Writing to a Vec cannot fail.
    let _ = out.write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::cell::CellError;
    use proptest::prelude::*;

    fn scalar() -> impl Strategy<Value = Scalar> {
        prop_oneof![
            Just(Scalar::Empty),
            any::<f64>().prop_filter("json numbers", |n| n.is_finite()).prop_map(Scalar::Number),
            (-5_i64..300_000_000_000_000).prop_map(|n| Scalar::Number(n as f64)),
            any::<bool>().prop_map(Scalar::Bool),
            ".{1,9}".prop_map(|text| Scalar::Text(text.into())),
            Just(Scalar::Error(Box::new(CellError {
                shown: "#REF!".into(),
                message: "gone".into()
            }))),
        ]
    }

    fn cell() -> impl Strategy<Value = Cell> {
        (scalar(), proptest::option::of("=.{0,5}"), 0_u32..3, any::<bool>()).prop_map(
            |(value, formula, format, note)| {
                let mut cell =
                    Cell { value, formula: formula.map(Into::into), format, extra: None };
                if note {
                    cell.set_field("note", Some("n\"ote".into()));
                }
                cell
            },
        )
    }

    fn trim(mut rows: Vec<Row>) -> Vec<Row> {
        for row in &mut rows {
            while row.last().is_some_and(Cell::is_blank) {
                row.pop();
            }
        }
        rows
    }

    proptest! {
        #[test]
        fn rows_come_back(rows in proptest::collection::vec(proptest::collection::vec(cell(), 0..6), 0..6)) {
            let bytes = encode(&rows);
            let count = u32::try_from(rows.len()).unwrap();
            prop_assert_eq!(decode(&bytes, count).unwrap(), trim(rows));
        }

        #[test]
        fn damage_is_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes, 4);
        }
    }
}
