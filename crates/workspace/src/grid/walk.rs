//! Reading the bytes of a block in place, cell by cell.
//!
//! This is what reading a large sheet spends its time on: no cell is copied, and its text is not
//! looked at before somebody asks for it.

use super::cell::{CellView, Extra, ScalarView};
use super::codec::{
    BARE, BLANKS, ERROR, EXTRA, FALSE, FORMAT, FORMULA, INTEGER, KIND, NUMBER, TEXT, TRUE,
};

/// Goes through the rows of a block and the cells of each.
pub(crate) struct Walk<'a> {
    rest: &'a [u8],
    /// How many rows have not begun yet.
    rows: u64,
    /// How many bytes are left where the current row ends.
    end: usize,
    column: u32,
}

/// Is a cell whose texts have not been looked at.
#[derive(Clone, Copy)]
pub(crate) struct RawCell<'a> {
    pub(crate) column: u32,
    /// The number of its format in the book's table.
    pub(crate) format: u32,
    /// The formula; empty where there is none.
    pub(crate) formula: &'a [u8],
    /// The further fields, as JSON; empty where there are none.
    extra: &'a [u8],
    pub(crate) value: RawValue<'a>,
}

/// Is a value whose text has not been looked at.
#[derive(Clone, Copy)]
pub(crate) enum RawValue<'a> {
    Empty,
    Number(f64),
    /// A whole number of at most 48 bits.
    Integer(i64),
    Bool(bool),
    /// A text, and the bytes from its start to the end of the block: a reader may copy more than
    /// the text at once when they are there.
    Text(&'a [u8], &'a [u8]),
    Error {
        shown: &'a [u8],
        message: &'a [u8],
    },
}

impl<'a> Walk<'a> {
    /// Starts before the first row of a block; `None` when the bytes are damaged.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut walk = Self { rest: bytes, rows: 0, end: 0, column: 0 };
        walk.rows = walk.varint()?;
        walk.end = walk.rest.len();
        Some(walk)
    }

    /// Starts at the first cell of one encoded row.
    pub(super) const fn line(line: &'a [u8]) -> Self {
        Self { rest: line, rows: 0, end: 0, column: 0 }
    }

    /// Goes to the next row; `false` after the last, `None` when the bytes are damaged.
    pub(crate) fn row(&mut self) -> Option<bool> {
        let unread = self.rest.len().checked_sub(self.end)?;
        self.rest = self.rest.get(unread..)?;
        if self.rows == 0 {
            return Some(false);
        }
        self.rows -= 1;
        let length = usize::try_from(self.varint()?).ok()?;
        self.end = self.rest.len().checked_sub(length)?;
        self.column = 0;
        Some(true)
    }

    /// Returns the encoded cells of the row that was gone to.
    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        self.rest.get(..self.rest.len().checked_sub(self.end)?)
    }

    /// Returns the next cell of the row that is not blank, `Some(None)` at its end and `None` when
    /// the bytes are damaged.
    // Out of line, the cell would be copied through memory three times: a third of a long read.
    #[inline(always)]
    pub(crate) fn cell(&mut self) -> Option<Option<RawCell<'a>>> {
        loop {
            if self.rest.len() <= self.end {
                // A cell that reaches past its row is none.
                return (self.rest.len() == self.end).then_some(None);
            }
            let (&tag, rest) = self.rest.split_first()?;
            self.rest = rest;
            if tag == BLANKS {
                let blanks = u32::try_from(self.varint()?).ok()?;
                self.column = self.column.checked_add(blanks)?;
                continue;
            }
            let format = if tag & FORMAT != 0 { u32::try_from(self.varint()?).ok()? } else { 0 };
            let extra = if tag & EXTRA != 0 { self.slice()? } else { &[] };
            let formula = if tag & FORMULA != 0 { self.slice()? } else { &[] };
            let value = match tag & KIND {
                BARE => RawValue::Empty,
                NUMBER => RawValue::Number(self.float()?),
                INTEGER => RawValue::Integer(unzigzag(self.varint()?)),
                TRUE => RawValue::Bool(true),
                FALSE => RawValue::Bool(false),
                TEXT => {
                    let length = usize::try_from(self.varint()?).ok()?;
                    let tail = self.rest;
                    let (text, rest) = tail.split_at_checked(length)?;
                    self.rest = rest;
                    RawValue::Text(text, tail)
                }
                ERROR => RawValue::Error { shown: self.slice()?, message: self.slice()? },
                _ => return None,
            };
            let column = self.column;
            self.column = column.checked_add(1)?;
            return Some(Some(RawCell { column, format, formula, extra, value }));
        }
    }

    #[inline(always)]
    fn varint(&mut self) -> Option<u64> {
        match self.rest.split_first() {
            Some((&byte, rest)) if byte < 0x80 => {
                self.rest = rest;
                Some(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        let mut shift = 0;
        loop {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
        }
    }

    #[inline(always)]
    fn slice(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (slice, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(slice)
    }

    #[inline(always)]
    fn float(&mut self) -> Option<f64> {
        let (bytes, rest) = self.rest.split_first_chunk::<8>()?;
        self.rest = rest;
        Some(f64::from_le_bytes(*bytes))
    }
}

impl<'a> RawCell<'a> {
    /// Returns the cell with its texts read; `None` when they are no UTF-8.
    pub(crate) fn view(&self) -> Option<CellView<'a>> {
        let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).ok();
        Some(CellView {
            value: self.value.view()?,
            formula: if self.formula.is_empty() { None } else { Some(text(self.formula)?) },
            format: self.format,
            extra: if self.extra.is_empty() { Extra::None } else { Extra::Text(text(self.extra)?) },
        })
    }
}

impl<'a> RawValue<'a> {
    /// Returns the value with its text read; `None` when that is no UTF-8.
    pub(crate) fn view(self) -> Option<ScalarView<'a>> {
        let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).ok();
        Some(match self {
            Self::Empty => ScalarView::Empty,
            Self::Number(number) => ScalarView::Number(number),
            #[allow(clippy::cast_precision_loss, reason = "at most 48 bits")]
            Self::Integer(number) => ScalarView::Number(number as f64),
            Self::Bool(flag) => ScalarView::Bool(flag),
            Self::Text(bytes, _) => ScalarView::Text(text(bytes)?),
            Self::Error { shown, message } => {
                ScalarView::Error { shown: text(shown)?, message: text(message)? }
            }
        })
    }
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}
