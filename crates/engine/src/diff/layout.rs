//! Which columns of two files are compared, and with which types to begin.

use super::options::{DiffError, DiffOptions};
use crate::csv::reader::Reader;
use crate::csv::{CsvError, delimiter};
use crate::infer::{Evidence, conclude};
use crate::nearest::nearest;
use crate::schema::{Column, ColumnType, Schema};
use crate::side::SideName;
use crate::source::{Source, SourceReader};

/// Rows of each file that the guess of types looks at.
const GUESS_ROWS: usize = 1_000;

/// The UTF-8 byte order mark.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// How the columns of two files lie beside each other.
pub(crate) struct Layout {
    /// The columns of both files in the left file's order, the key, and types as the first rows show them.
    pub(crate) guess: Schema,
    /// The types that were declared.
    pub(crate) declared: Vec<Option<ColumnType>>,
    /// For each side, the positions of the columns in its rows.
    pub(crate) sources: [Vec<usize>; 2],
    /// For each side, the columns that the other does not have.
    pub(crate) only: [Vec<String>; 2],
    pub(crate) heads: [Head; 2],
}

/// What the beginning of a file says.
pub(crate) struct Head {
    pub(crate) delimiter: u8,
    /// Where the text begins, behind a byte order mark.
    pub(crate) start: u64,
    pub(crate) columns: usize,
    names: Vec<String>,
    /// How many rows there are, going by the size of the first ones.
    pub(crate) rows: usize,
}

impl Layout {
    pub(crate) fn new(
        left: &dyn Source,
        right: &dyn Source,
        options: &DiffOptions,
    ) -> Result<Layout, DiffError> {
        if options.key.is_empty() {
            return Err(DiffError::NoKey);
        }
        let sides = [(left, SideName::Left), (right, SideName::Right)];
        let head = |(source, side): (&dyn Source, SideName)| {
            head(source, options).map_err(|error| DiffError::csv(side, error))
        };
        let [a, b] = sides;
        let heads = [head(a)?, head(b)?];
        let [left_head, right_head] = &heads;
        let both =
            |name: &&String| right_head.names.contains(name) && !options.ignore.contains(name);
        let names: Vec<&String> = left_head.names.iter().filter(both).collect();
        let mut sources = [Vec::new(), Vec::new()];
        for ((head, (_, side)), sources) in heads.iter().zip(sides).zip(&mut sources) {
            for key in &options.key {
                head.position(key, side)?;
            }
            *sources =
                names.iter().map(|name| head.position(name, side)).collect::<Result<_, _>>()?;
        }
        for (name, _) in &options.types {
            left_head.position(name, SideName::Left)?;
        }
        let declared_type =
            |name: &str| options.types.iter().find(|(known, _)| known == name).map(|(_, ty)| *ty);
        let column = |name: &&String| Column {
            nulls: options.csv.nulls.clone(),
            ..Column::new(name.as_str(), ColumnType::Text)
        };
        let columns: Vec<Column> = names.iter().map(column).collect();
        let position = |key: &String| columns.iter().position(|column| column.name == *key);
        let key = options
            .key
            .iter()
            .map(|key| position(key).ok_or(DiffError::NoKey))
            .collect::<Result<_, _>>()?;
        let missing = |from: &Head, other: &Head| {
            from.names
                .iter()
                .filter(|name| !other.names.contains(name) && !options.ignore.contains(name))
                .cloned()
                .collect()
        };
        let only = [missing(left_head, right_head), missing(right_head, left_head)];
        let declared = columns.iter().map(|column| declared_type(&column.name)).collect();
        let guess = Schema { fold_key_case: options.fold_key_case, ..Schema::new(columns, key) };
        let mut layout = Layout { guess, declared, sources, only, heads };
        if !options.bytes {
            layout.guess_types([left, right])?;
        }
        Ok(layout)
    }

    /// Returns the delimiter of the canonical text of rows.
    pub(crate) fn delimiter(&self) -> u8 {
        let [left, _] = &self.heads;
        left.delimiter
    }

    fn guess_types(&mut self, files: [&dyn Source; 2]) -> Result<(), DiffError> {
        let mut evidence = [
            vec![Evidence::default(); self.declared.len()],
            vec![Evidence::default(); self.declared.len()],
        ];
        for (side, (file, evidence)) in files.into_iter().zip(&mut evidence).enumerate() {
            let name = if side == 0 { SideName::Left } else { SideName::Right };
            self.look(file, side, evidence).map_err(|error| DiffError::csv(name, error))?;
        }
        let [left, right] = evidence;
        let found = left.into_iter().zip(right).zip(&self.declared).zip(&mut self.guess.columns);
        for (((left, right), declared), column) in found {
            column.ty = declared.unwrap_or_else(|| conclude(&column.name, &[left, right]).ty);
        }
        Ok(())
    }

    fn look(
        &self,
        file: &dyn Source,
        side: usize,
        evidence: &mut [Evidence],
    ) -> Result<(), CsvError> {
        let (Some(head), Some(sources)) = (self.heads.get(side), self.sources.get(side)) else {
            return Ok(());
        };
        let mut reader = Reader::new(SourceReader::new(file, head.start), head.delimiter);
        reader.next()?;
        for _ in 0..GUESS_ROWS {
            let Some(record) = reader.next()? else { break };
            for ((source, evidence), column) in
                sources.iter().zip(evidence.iter_mut()).zip(&self.guess.columns)
            {
                evidence.text(column, &record.get(*source).unwrap_or_default(), record.line);
            }
        }
        Ok(())
    }
}

impl Head {
    fn position(&self, name: &str, side: SideName) -> Result<usize, DiffError> {
        let mut found =
            self.names.iter().enumerate().filter(|(_, known)| *known == name).map(|(at, _)| at);
        match (found.next(), found.count()) {
            (Some(at), 0) => Ok(at),
            (Some(_), more) => {
                Err(DiffError::Ambiguous { side, name: name.to_owned(), count: more + 1 })
            }
            (None, _) => {
                let names = self.names.iter().map(String::as_str);
                Err(DiffError::NoColumn {
                    side,
                    name: name.to_owned(),
                    nearest: nearest(name, names),
                })
            }
        }
    }
}

fn head(source: &dyn Source, options: &DiffOptions) -> Result<Head, CsvError> {
    let mut block = vec![0; 1 << 16];
    let length = source.read_at(0, &mut block).map_err(CsvError::Read)?;
    block.truncate(length);
    let start = if block.starts_with(MARK) { MARK.len() } else { 0 };
    let text = block.get(start..).unwrap_or_default();
    let delimiter = delimiter(&options.csv, text)?;
    let start = start as u64;
    let mut reader = Reader::new(SourceReader::new(source, start), delimiter);
    let header = reader.next()?.ok_or(CsvError::Empty)?;
    let names: Vec<String> = header.iter().map(|name| name.into_owned()).collect();
    let (mut rows, mut bytes) = (0u64, 0u64);
    while rows < 200 {
        match reader.next()? {
            Some(record) => {
                rows += 1;
                bytes += record.raw().len() as u64 + 1;
            }
            None => break,
        }
    }
    let row_bytes = (bytes / rows.max(1)).max(1);
    let all = source.size().map_err(CsvError::Read)? / row_bytes;
    Ok(Head {
        delimiter,
        start,
        columns: names.len(),
        names,
        rows: usize::try_from(all).unwrap_or(usize::MAX),
    })
}
