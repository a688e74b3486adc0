//! The two ends of a sheet: what adding rows needs to see of it, however many rows lie between.

use lockstep_a1::{column_letters, quote_always};
use lockstep_google::{Google, Sheet};

use super::{sheet_packed::PackedRow, sheet_picture::Picture};
use crate::error::Result;

/// How many of the first rows are read; a header further down is for a read of the whole.
pub(crate) const HEAD: u32 = 100;

/// How many of the last rows of the grid are read at first.
const TAIL: u32 = 200;

/// How much further up each read goes that found only blank rows.
const FURTHER: u32 = 4;

impl Picture {
    /// Reads the first rows of a sheet and the last ones that have data; the rows between them are blank in the picture.
    ///
    /// Two read calls at the same time, and two more for each fourfold length of blank rows at the sheet's end. `None` if
    /// somebody changes the sheet just then, or it is so short that reading all of it is as cheap.
    pub(crate) async fn read_ends(
        google: &Google,
        id: &str,
        sheet: &Sheet,
    ) -> Result<Option<Self>> {
        let last = column_letters(sheet.columns.saturating_sub(1));
        let title = quote_always(&sheet.title);
        let head = format!("{title}!A1:{last}{HEAD}");
        let (mut length, mut bottom) = (TAIL, sheet.rows);
        while let Some(top) = bottom.checked_sub(length).filter(|top| *top > HEAD) {
            // Open below: the grid may have grown since its size was read.
            let tail = format!("{title}!A{}:{last}", top + 1);
            let read = Self::read_parts(google, id, &[head.clone(), tail]).await?;
            let Some([mut picture, tail]) = read.and_then(|read| <[Self; 2]>::try_from(read).ok())
            else {
                return Ok(None);
            };
            if !tail.is_blank() {
                let top = usize::try_from(top).unwrap_or(usize::MAX);
                picture.rows.resize_with(top, PackedRow::default);
                picture.rows.extend(tail.rows);
                return Ok(Some(picture));
            }
            (length, bottom) = (length.saturating_mul(FURTHER), top);
        }
        Ok(None)
    }
}
