//! A row of a sheet as a few bytes: a sheet as it was seen is held for as long as it is written to.
//!
//! A cell is a tag and what it holds: a number in 8 bytes, a text by its length and itself, a formula as its text and the
//! cell that it shows. Empty cells at the end are left out, so that equal rows have equal bytes.

use lockstep_google::{CellValue, TakeRows};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::sheet_picture::{Seen, plain};

const EMPTY: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NUMBER: u8 = 3;
const TEXT: u8 = 4;
const ERROR: u8 = 5;
const FORMULA: u8 = 6;

/// A row's cells, packed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PackedRow(Box<[u8]>);

impl PackedRow {
    /// Returns the cells one by one.
    pub(crate) fn cells(&self) -> impl Iterator<Item = Seen> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || take(&mut rest))
    }

    /// Returns a cell; an empty one beyond the end.
    pub(crate) fn cell(&self, column: u32) -> Seen {
        let mut rest = &*self.0;
        for _ in 0..column {
            if !skip(&mut rest) {
                return Seen::default();
            }
        }
        take(&mut rest).unwrap_or_default()
    }

    /// Returns the first column after every one that has data.
    pub(crate) fn width(&self) -> usize {
        let mut rest = &*self.0;
        std::iter::from_fn(|| skip(&mut rest).then_some(())).count()
    }

    /// Returns whether there is no data.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Seen> for PackedRow {
    fn from_iter<I: IntoIterator<Item = Seen>>(cells: I) -> Self {
        let (mut bytes, mut filled) = (Vec::new(), 0);
        for cell in cells {
            put(&cell, &mut bytes);
            if !cell.is_empty() {
                filled = bytes.len();
            }
        }
        bytes.truncate(filled);
        Self(bytes.into())
    }
}

impl Serialize for PackedRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.cells())
    }
}

impl<'de> Deserialize<'de> for PackedRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Seen>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// The rows of a values read, packed as they come.
#[derive(Debug, Default)]
pub(crate) struct PlainRows(pub(crate) Vec<PackedRow>);

impl TakeRows for PlainRows {
    fn take(&mut self, row: Vec<CellValue>) {
        self.0.push(row.into_iter().map(|value| Seen::Plain(plain(value))).collect());
    }
}

fn put(cell: &Seen, bytes: &mut Vec<u8>) {
    match cell {
        Seen::Formula(formula) => {
            text(FORMULA, &formula.0, bytes);
            put_value(&formula.1, bytes);
        }
        Seen::Plain(value) => put_value(value, bytes),
    }
}

fn put_value(value: &CellValue, bytes: &mut Vec<u8>) {
    match value {
        CellValue::Empty => bytes.push(EMPTY),
        CellValue::Bool(value) => bytes.push(if *value { TRUE } else { FALSE }),
        CellValue::Number(number) => {
            bytes.push(NUMBER);
            // Zero has a sign that no sheet shows.
            bytes.extend((number + 0.0).to_le_bytes());
        }
        CellValue::Text(value) => text(TEXT, value, bytes),
        CellValue::Error(value) => text(ERROR, value, bytes),
    }
}

/// Puts a text: its length takes one byte up to 254, and five above.
fn text(tag: u8, text: &str, bytes: &mut Vec<u8>) {
    bytes.push(tag);
    match u8::try_from(text.len()) {
        Ok(length) if length < u8::MAX => bytes.push(length),
        _ => {
            bytes.push(u8::MAX);
            bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        }
    }
    bytes.extend(text.as_bytes());
}

fn take(rest: &mut &[u8]) -> Option<Seen> {
    match *rest.first()? {
        FORMULA => {
            let formula = take_text(rest)?;
            Some(Seen::Formula(Box::new((formula, take_value(rest)?))))
        }
        _ => take_value(rest).map(Seen::Plain),
    }
}

fn take_value(rest: &mut &[u8]) -> Option<CellValue> {
    let (tag, after) = rest.split_first()?;
    match *tag {
        TEXT => return take_text(rest).map(CellValue::Text),
        ERROR => return take_text(rest).map(CellValue::Error),
        NUMBER => {
            let (number, after) = after.split_first_chunk::<8>()?;
            *rest = after;
            return Some(CellValue::Number(f64::from_le_bytes(*number)));
        }
        _ => {}
    }
    *rest = after;
    match *tag {
        EMPTY => Some(CellValue::Empty),
        FALSE => Some(CellValue::Bool(false)),
        TRUE => Some(CellValue::Bool(true)),
        _ => None,
    }
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let (_, bytes) = skip_text(rest)?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// Takes a tag and the text after it.
fn skip_text<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (tag, after) = rest.split_first()?;
    let (length, mut after) = after.split_first()?;
    let mut length = usize::from(*length);
    if length == usize::from(u8::MAX) {
        let (long, behind) = after.split_first_chunk::<4>()?;
        (length, after) = (usize::try_from(u32::from_le_bytes(*long)).ok()?, behind);
    }
    let (text, after) = after.split_at_checked(length)?;
    *rest = after;
    Some((*tag, text))
}

/// Passes over a cell; tells whether there was one.
fn skip(rest: &mut &[u8]) -> bool {
    let Some(tag) = rest.first().copied() else { return false };
    match tag {
        TEXT | ERROR => skip_text(rest).is_some(),
        FORMULA => skip_text(rest).is_some() && skip(rest),
        tag => {
            let length = if tag == NUMBER { 9 } else { 1 };
            *rest = rest.get(length..).unwrap_or_default();
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = CellValue> {
        prop_oneof![
            Just(CellValue::Empty),
            any::<bool>().prop_map(CellValue::Bool),
            (-1e12..1e12_f64).prop_map(CellValue::Number),
            "\\PC{1,12}".prop_map(CellValue::Text),
            "[a-zäß]{250,260}".prop_map(CellValue::Text),
            Just(CellValue::Error("#REF!".into())),
        ]
    }

    fn cell() -> impl Strategy<Value = Seen> {
        prop_oneof![
            4 => value().prop_map(Seen::Plain),
            1 => ("=[A-Z]{1,300}", value()).prop_map(|(formula, shown)| Seen::Formula(Box::new((formula, shown)))),
        ]
    }

    proptest! {
        #[test]
        fn a_row_is_what_was_packed(cells in proptest::collection::vec(cell(), 0..12)) {
            let packed: PackedRow = cells.iter().cloned().collect();
            let mut wanted = cells.clone();
            while wanted.last().is_some_and(Seen::is_empty) {
                wanted.pop();
            }
            prop_assert_eq!(packed.width(), wanted.len());
            prop_assert_eq!(packed.is_empty(), wanted.is_empty());
            for (column, cell) in (0..).zip(&wanted) {
                prop_assert_eq!(&packed.cell(column), cell);
            }
            prop_assert_eq!(packed.cell(99), Seen::default());
            prop_assert_eq!(packed.cells().collect::<Vec<_>>(), wanted);
            let json = serde_json::to_string(&packed).unwrap();
            let back: PackedRow = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(back.width(), packed.width());
        }
    }
}
