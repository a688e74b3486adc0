//! Single rows of a file, read again at their places.

use super::layout::Layout;
use crate::csv::CsvError;
use crate::csv::reader::Reader;
use crate::csv::split::{Lines, Step, split};
use crate::source::{Source, SourceReader, read_exact_at};

/// Bits of a place that hold the row's length; the others hold its offset.
const LENGTH_BITS: u32 = 24;
const LENGTH_MAX: u64 = (1 << LENGTH_BITS) - 1;

/// Where a row is in its file: an offset below 2^40, and a length that stops counting at 16 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u64);

impl Place {
    #[inline]
    pub(crate) fn new(offset: u64, length: usize) -> Place {
        Place((offset << LENGTH_BITS) | (length as u64).min(LENGTH_MAX))
    }

    pub(crate) fn from_word(word: u64) -> Place {
        Place(word)
    }

    pub(crate) fn to_word(self) -> u64 {
        self.0
    }

    pub(crate) fn offset(&self) -> u64 {
        self.0 >> LENGTH_BITS
    }

    fn length(self) -> Option<usize> {
        let length = self.0 & LENGTH_MAX;
        (length < LENGTH_MAX).then_some(length as usize)
    }
}

/// Reads rows of one file.
pub(crate) struct Rows<'a> {
    file: &'a dyn Source,
    delimiter: u8,
    sources: Vec<usize>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(file: &'a dyn Source, layout: &Layout, side: usize) -> Rows<'a> {
        let delimiter = layout.heads.get(side).map_or(b',', |head| head.delimiter);
        Rows { file, delimiter, sources: layout.sources.get(side).cloned().unwrap_or_default() }
    }

    /// Reads the cells of a row, one for each compared column.
    pub(crate) fn fetch(&self, place: Place) -> Result<Vec<String>, CsvError> {
        let Some(length) = place.length() else {
            return self.fetch_long(place);
        };
        let mut bytes = vec![0; length];
        read_exact_at(self.file, place.offset(), &mut bytes).map_err(CsvError::Read)?;
        let mut fields = Vec::with_capacity(self.sources.len());
        match split(&bytes, 0, true, self.delimiter, &mut fields, &mut Lines::default()) {
            Step::Record { start: 0, .. } => {}
            _ => return Err(changed()),
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| changed())?;
        let cell = |source: &usize| match fields.get(*source) {
            Some(field) if field.doubled => {
                text.get(field.start..field.end).map(|text| text.replace("\"\"", "\""))
            }
            Some(field) => text.get(field.start..field.end).map(str::to_owned),
            None => None,
        };
        Ok(self.sources.iter().map(|source| cell(source).unwrap_or_default()).collect())
    }

    fn fetch_long(&self, place: Place) -> Result<Vec<String>, CsvError> {
        let mut reader = Reader::new(SourceReader::new(self.file, place.offset()), self.delimiter);
        let record = reader.next()?.ok_or_else(changed)?;
        Ok(self
            .sources
            .iter()
            .map(|source| record.get(*source).unwrap_or_default().into_owned())
            .collect())
    }

    /// Returns the lines on which rows begin, in the order of the places given.
    pub(crate) fn lines(&self, places: &[Place]) -> Result<Vec<u64>, CsvError> {
        let mut wanted: Vec<(u64, usize)> =
            places.iter().enumerate().map(|(at, place)| (place.offset(), at)).collect();
        wanted.sort_unstable();
        let mut lines = vec![0; places.len()];
        let (mut line, mut position) = (1, 0);
        let (mut block, mut ended_with_return) = (vec![0; 1 << 16], false);
        for (offset, at) in wanted {
            while position < offset {
                let length =
                    usize::try_from(offset - position).unwrap_or(block.len()).min(block.len());
                let Some(bytes) = block.get_mut(..length) else {
                    break;
                };
                read_exact_at(self.file, position, bytes).map_err(CsvError::Read)?;
                for &byte in bytes.iter() {
                    line += u64::from(byte == b'\r' || (byte == b'\n' && !ended_with_return));
                    ended_with_return = byte == b'\r';
                }
                position += length as u64;
            }
            lines.get_mut(at).into_iter().for_each(|slot| *slot = line);
        }
        Ok(lines)
    }
}

/// Returns the error of a file that is not any more what it was when it was scanned.
fn changed() -> CsvError {
    CsvError::Read(std::io::Error::other("the file changed while it was compared"))
}
