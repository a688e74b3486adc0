//! A snapshot seen through a schema.

use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_128;

use super::Snapshot;
use super::pack::{self, Kind};
use crate::cell::Cell;
use crate::key::Key;
use crate::nearest::nearest;
use crate::schema::{Column, ColumnType, Schema};
use crate::value::{Row, Value};

/// Says which column of a snapshot is read as which column of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The column's name in the schema.
    pub column: String,
    /// The column's name in the snapshot.
    pub source: String,
}

impl Mapping {
    /// Returns a mapping.
    pub fn new(column: impl Into<String>, source: impl Into<String>) -> Mapping {
        Mapping { column: column.into(), source: source.into() }
    }
}

/// Tells why a snapshot cannot be seen through a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// The snapshot has no such column.
    #[error("there is no column '{name}'{}", nearest_hint(nearest))]
    NoSource {
        /// The name that was looked for.
        name: String,
        /// Names that are like it, or all names when they are few.
        nearest: Vec<String>,
    },
    /// Several columns of the snapshot have the name.
    #[error("{count} columns are named '{name}': give them different names")]
    Ambiguous {
        /// The name.
        name: String,
        /// How many columns have it.
        count: usize,
    },
    /// The schema has no such column.
    #[error("the schema has no column '{name}'{}", nearest_hint(nearest))]
    NoColumn {
        /// The name that was looked for.
        name: String,
        /// Names that are like it, or all names when they are few.
        nearest: Vec<String>,
    },
    /// A key column is not mapped.
    #[error("the key column '{name}' is not mapped to a column here")]
    KeyNotMapped {
        /// The key column's name in the schema.
        name: String,
    },
}

pub(crate) fn nearest_hint(nearest: &[String]) -> String {
    if nearest.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", nearest.join(", "))
    }
}

/// A snapshot's rows as a schema reads them; cells are typed when they are asked for.
#[derive(Clone, Debug)]
pub struct View<'a> {
    snapshot: &'a Snapshot,
    schema: &'a Schema,
    /// For each column of the schema, the snapshot's.
    sources: Vec<Option<usize>>,
}

impl Snapshot {
    /// Sees the snapshot through a schema; columns of the schema that are not mapped have no opinion.
    ///
    /// # Errors
    /// When a mapping names a column that is not there or not alone, or a key column is not mapped.
    pub fn view<'a>(
        &'a self,
        schema: &'a Schema,
        mappings: &[Mapping],
    ) -> Result<View<'a>, ViewError> {
        let mut sources = vec![None; schema.columns.len()];
        for mapping in mappings {
            let names = || schema.columns.iter().map(|column| column.name.as_str());
            let slot = schema
                .position(&mapping.column)
                .and_then(|column| sources.get_mut(column))
                .ok_or_else(|| ViewError::NoColumn {
                    name: mapping.column.clone(),
                    nearest: nearest(&mapping.column, names()),
                })?;
            *slot = Some(self.source(&mapping.source)?);
        }
        for &key in &schema.key {
            if sources.get(key).copied().flatten().is_none() {
                let name = schema
                    .columns
                    .get(key)
                    .map_or_else(|| format!("#{key}"), |column| column.name.clone());
                return Err(ViewError::KeyNotMapped { name });
            }
        }
        Ok(View { snapshot: self, schema, sources })
    }

    /// Sees the snapshot through a schema, each column by its own name; columns that are missing have no opinion.
    ///
    /// # Errors
    /// When a key column is missing, or several columns have the name of one of the schema.
    pub fn view_by_name<'a>(&'a self, schema: &'a Schema) -> Result<View<'a>, ViewError> {
        let is_key = |name: &str| {
            schema.key.iter().filter_map(|&key| schema.columns.get(key)).any(|c| c.name == name)
        };
        let present =
            |column: &&Column| self.position(&column.name).is_some() || is_key(&column.name);
        let mappings: Vec<Mapping> = schema
            .columns
            .iter()
            .filter(present)
            .map(|column| Mapping::new(&column.name, &column.name))
            .collect();
        self.view(schema, &mappings)
    }

    fn source(&self, name: &str) -> Result<usize, ViewError> {
        let names = || self.headers().iter().map(String::as_str);
        match names().filter(|header| *header == name).count() {
            0 => {
                Err(ViewError::NoSource { name: name.to_owned(), nearest: nearest(name, names()) })
            }
            1 => Ok(self.position(name).unwrap_or_default()),
            count => Err(ViewError::Ambiguous { name: name.to_owned(), count }),
        }
    }
}

impl<'a> View<'a> {
    /// Returns the snapshot.
    pub fn snapshot(&self) -> &'a Snapshot {
        self.snapshot
    }

    /// Returns the schema.
    pub fn schema(&self) -> &'a Schema {
        self.schema
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.snapshot.len()
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.snapshot.is_empty()
    }

    /// Returns the absolute number of a row in its replica.
    pub fn origin(&self, row: usize) -> u64 {
        self.snapshot.origin(row)
    }

    /// Returns whether a column of the schema is mapped here; one that is not has no opinion.
    pub fn is_mapped(&self, column: usize) -> bool {
        self.sources.get(column).copied().flatten().is_some()
    }

    /// Returns one typed cell; null for a column that is not mapped.
    pub fn cell(&self, row: usize, column: usize) -> Value {
        match (self.sources.get(column).copied().flatten(), self.schema.columns.get(column)) {
            (Some(source), Some(column)) => column.value(&self.snapshot.cell(row, source)),
            _ => Value::Null,
        }
    }

    /// Returns a row's values, one for each column of the schema.
    pub fn row(&self, row: usize) -> Row {
        let cells: Vec<Cell<'_>> = self.snapshot.row(row).collect();
        let source =
            |index: Option<usize>| index.and_then(|index| cells.get(index)).unwrap_or(&Cell::Null);
        self.schema
            .columns
            .iter()
            .zip(&self.sources)
            .map(|(column, &index)| column.value(source(index)))
            .collect()
    }

    /// Returns a row's cells by column of the schema; `None` for columns that are not mapped.
    pub(crate) fn mapped_cells(&self, row: usize) -> Vec<Option<Cell<'a>>> {
        let cells: Vec<Cell<'a>> = self.snapshot.row(row).collect();
        self.sources.iter().map(|source| cells.get((*source)?).copied()).collect()
    }

    /// Returns a row's key.
    pub fn key(&self, row: usize) -> Key {
        let values = self.schema.key.iter().map(|&column| self.cell(row, column));
        Key::normalised(values, self.schema.fold_key_case)
    }

    /// Returns the digest of a row's normalised key, or `None` when a part of it is blank.
    pub(crate) fn key_digest(
        &self,
        parts: &[(Kind, &[u8])],
        scratch: &mut Vec<u8>,
    ) -> Option<u128> {
        scratch.clear();
        for &column in &self.schema.key {
            let (kind, text) =
                self.sources.get(column).copied().flatten().and_then(|source| parts.get(source))?;
            put_key_part(
                scratch,
                self.schema.columns.get(column)?,
                *kind,
                text,
                self.schema.fold_key_case,
            )?;
        }
        Some(xxh3_128(scratch))
    }

    /// Returns the digest of the cells of some columns, such that equal digests mean equal values.
    ///
    /// The opposite does not hold: `10.5` and `10.50` have different digests and are the same number.
    pub(crate) fn row_digest(
        &self,
        parts: &[(Kind, &[u8])],
        columns: &[usize],
        scratch: &mut Vec<u8>,
    ) -> u128 {
        scratch.clear();
        for &index in columns {
            let part =
                self.sources.get(index).copied().flatten().and_then(|source| parts.get(source));
            let (kind, text) = part.copied().unwrap_or((Kind::Null, b""));
            pack::put(
                scratch,
                self.schema.columns.get(index).map_or(kind, |column| hashed_kind(column, kind)),
                text,
            );
        }
        xxh3_128(scratch)
    }

    /// Returns how many cells at the beginning of a snapshot's row hold the whole key.
    pub(crate) fn cells_of_key(&self) -> usize {
        let sources =
            self.schema.key.iter().filter_map(|&key| self.sources.get(key).copied().flatten());
        sources.max().map_or(0, |last| last + 1)
    }

    /// Returns whether the columns in this order are the snapshot's own, so that a packed row is its hashed form.
    pub(crate) fn is_identity(&self, columns: &[usize]) -> bool {
        self.snapshot.all_text()
            && columns.len() == self.snapshot.headers().len()
            && columns
                .iter()
                .enumerate()
                .all(|(at, &column)| self.sources.get(column) == Some(&Some(at)))
    }
}

/// Returns the kind under which a cell is hashed: the same for kinds that a column reads alike.
#[inline]
fn hashed_kind(column: &Column, kind: Kind) -> Kind {
    match kind {
        Kind::Text | Kind::Bool => Kind::Text,
        Kind::Null if column.keep_blank => Kind::Null,
        Kind::Null => Kind::Text,
        Kind::Number => match column.ty {
            ColumnType::Text | ColumnType::Number | ColumnType::Bool => Kind::Text,
            // A number in these columns is a serial or an item; a text of digits is not.
            _ => Kind::Number,
        },
    }
}

/// Appends one part of a key in its normal form; `None` when it is blank.
pub(crate) fn put_key_part(
    out: &mut Vec<u8>,
    column: &Column,
    kind: Kind,
    text: &[u8],
    fold: bool,
) -> Option<()> {
    if !fold && column.nulls.is_empty() && is_normal_key(column, kind, text) {
        pack::put(out, Kind::Text, text);
        return Some(());
    }
    let key = Key::normalised([column.value(&pack::cell(kind, text))], fold);
    match key.as_values() {
        [] | [Value::Null] => None,
        [value] => {
            let text: Cow<'_, str> =
                value.as_text().map_or_else(|| value.to_string().into(), Cow::Borrowed);
            pack::put(out, Kind::Text, text.as_bytes());
            Some(())
        }
        _ => None,
    }
}

/// Returns whether a key's bytes are already the canonical text of its value: the common case, told without parsing.
#[inline]
fn is_normal_key(column: &Column, kind: Kind, text: &[u8]) -> bool {
    let (Some(first), Some(last)) = (text.first(), text.last()) else {
        return false;
    };
    match (column.ty, kind) {
        (ColumnType::Text, Kind::Text) => {
            !column.fold_case
                && text.is_ascii()
                && !first.is_ascii_whitespace()
                && !last.is_ascii_whitespace()
                && *first > b' '
                && *last > b' '
        }
        (ColumnType::Number, Kind::Text) => {
            text.iter().all(u8::is_ascii_digit) && (*first != b'0' || text.len() == 1)
        }
        (ColumnType::Number, Kind::Number) => true,
        _ => false,
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
