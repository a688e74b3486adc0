//! Streams one file into an index.

use std::fs::File;

use xxhash_rust::xxh3::xxh3_128;

use super::layout::Layout;
use super::options::DiffOptions;
use super::row::Place;
use crate::csv::reader::{Reader, Record};
use crate::csv::{CsvError, Lengths};
use crate::index::{ENTRY, Entry};
use crate::infer::Evidence;
use crate::schema::{ColumnType, Schema};
use crate::snapshot::pack::{Kind, put};
use crate::snapshot::put_key_part;
use crate::source::{Source, SourceReader};
use crate::spill::{Spill, SpillIndex};

/// Memory for the indexes of both files when the options do not say: with all the rest, files of 20 million rows are
/// compared within a gibibyte.
const MEMORY: usize = 768 << 20;

/// What one pass over a file found.
pub(crate) struct Scan {
    pub(crate) index: SpillIndex,
    pub(crate) rows: u64,
    /// Rows without a complete key.
    pub(crate) blanks: Vec<Place>,
    /// For each column, what its values say about its type.
    pub(crate) evidence: Vec<Evidence>,
}

/// Reads a file to its end; keys are normalised by the types of the schema.
pub(crate) fn scan(
    file: &dyn Source,
    layout: &Layout,
    side: usize,
    schema: &Schema,
    options: &DiffOptions,
    spill: Option<File>,
) -> Result<Scan, CsvError> {
    let (Some(head), Some(sources)) = (layout.heads.get(side), layout.sources.get(side)) else {
        return Err(CsvError::Empty);
    };
    let memory = if options.memory == 0 { MEMORY } else { options.memory };
    let spill = spill.map(|file| Spill { file, budget: (memory / 2 / ENTRY).max(1) });
    let mut scan = Scan {
        index: SpillIndex::new(head.rows, spill),
        rows: 0,
        blanks: Vec::new(),
        evidence: vec![Evidence::default(); sources.len()],
    };
    let mut lengths = Lengths::default();
    let mut reader = Reader::new(SourceReader::new(file, head.start), head.delimiter)
        .starting_at(head.start, 1)
        .lazily(options.bytes);
    let mut scratch = Vec::new();
    let form =
        Form { delimiter: layout.delimiter(), own: head.delimiter, columns: head.columns, sources };
    // Columns whose type is still open: none when bytes are compared.
    let open = |declared: &Option<ColumnType>| declared.is_none() && !options.bytes;
    let mut open: Vec<usize> = layout
        .declared
        .iter()
        .enumerate()
        .filter(|(_, declared)| open(declared))
        .map(|(at, _)| at)
        .collect();
    reader.next()?;
    while let Some(record) = reader.next()? {
        lengths.check(head.columns, record.len(), record.line, options.csv.pad_short_rows);
        scan.rows += 1;
        let place = Place::new(record.offset, record.raw().len());
        let row = form.digest(&record, &mut scratch);
        match key(&record, sources, schema, options.bytes, &mut scratch) {
            Some(key) => {
                scan.index.push(Entry::new(key, row, place.to_word())).map_err(CsvError::Read)?
            }
            None => scan.blanks.push(place),
        }
        open.retain(|&column| {
            let (Some(evidence), Some(definition)) =
                (scan.evidence.get_mut(column), schema.columns.get(column))
            else {
                return false;
            };
            let text =
                sources.get(column).and_then(|source| record.get(*source)).unwrap_or_default();
            evidence.text(definition, &text, record.line)
        });
    }
    lengths.finish(head.columns)?;
    Ok(scan)
}

/// How the rows of one file are hashed.
///
/// The digest of a row is that of its canonical text: the compared columns in the left file's order, with its delimiter
/// between, quoted only where they hold a delimiter or line end or begin with a quote. A row that is written so, the
/// usual one, is hashed where it lies.
struct Form<'a> {
    /// The delimiter of the canonical text.
    delimiter: u8,
    /// The delimiter of the file.
    own: u8,
    columns: usize,
    sources: &'a [usize],
}

impl Form<'_> {
    fn is_canonical(&self, record: &Record<'_>) -> bool {
        !record.quoted
            && self.own == self.delimiter
            && record.len() == self.columns
            && self.sources.len() == self.columns
            && self.sources.iter().enumerate().all(|(at, source)| at == *source)
    }

    #[inline]
    fn digest(&self, record: &Record<'_>, scratch: &mut Vec<u8>) -> u128 {
        if self.is_canonical(record) {
            return xxh3_128(record.raw().as_bytes());
        }
        scratch.clear();
        let unsafe_text = record.quoted || self.own != self.delimiter;
        for (at, source) in self.sources.iter().enumerate() {
            if at > 0 {
                scratch.push(self.delimiter);
            }
            let text = record.get(*source).unwrap_or_default();
            let special = |byte: &u8| *byte == self.delimiter || *byte == b'\n' || *byte == b'\r';
            if unsafe_text && (text.starts_with('"') || text.as_bytes().iter().any(special)) {
                scratch.push(b'"');
                scratch.extend_from_slice(text.replace('"', "\"\"").as_bytes());
                scratch.push(b'"');
            } else {
                scratch.extend_from_slice(text.as_bytes());
            }
        }
        xxh3_128(scratch)
    }
}

#[inline]
fn key(
    record: &Record<'_>,
    sources: &[usize],
    schema: &Schema,
    bytes: bool,
    scratch: &mut Vec<u8>,
) -> Option<u128> {
    scratch.clear();
    for &key in &schema.key {
        let text = record.get(*sources.get(key)?)?;
        if !bytes {
            put_key_part(
                scratch,
                schema.columns.get(key)?,
                Kind::Text,
                text.as_bytes(),
                schema.fold_key_case,
            )?;
        } else if text.is_empty() {
            return None;
        } else {
            put(scratch, Kind::Text, text.as_bytes());
        }
    }
    Some(xxh3_128(scratch))
}
