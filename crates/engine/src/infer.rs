//! Finds the types of columns that do not declare one, over all sides at once.
//!
//! Inference is conservative: one value that is no clear number makes the column text, because a wrong type changes
//! what counts as equal (`007` and `7`, `1.10` and `1.1`). Every decision comes with its reason.

use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::schema::{Column, ColumnType, Schema};
use crate::shape::{Types, types_of};
use crate::snapshot::Snapshot;
use crate::snapshot::pack::{self, Kind};

/// A column of the schema to be, as far as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The column; its type counts only when `typed`.
    pub column: Column,
    /// Whether the type is declared, so that nothing is inferred.
    pub typed: bool,
    /// For each snapshot, the column's name there; a snapshot beyond the list has the column by its own name.
    pub sources: Vec<Option<String>>,
}

impl Declared {
    /// Declares a column with its type, under the same name on every side.
    pub fn typed(column: Column) -> Declared {
        Declared { column, typed: true, sources: Vec::new() }
    }

    /// Declares a column whose type is to be inferred, under the same name on every side.
    pub fn untyped(name: impl Into<String>) -> Declared {
        Declared { column: Column::new(name, ColumnType::Text), typed: false, sources: Vec::new() }
    }

    fn source(&self, side: usize) -> Option<&str> {
        match self.sources.get(side) {
            Some(source) => source.as_deref(),
            None => Some(&self.column.name),
        }
    }
}

/// Why a column got its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InferReason {
    /// The column.
    pub column: String,
    /// The type it got.
    #[serde(rename = "type")]
    pub ty: ColumnType,
    /// The cause.
    #[serde(flatten)]
    pub cause: Cause,
}

/// The cause of an inferred type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Cause {
    /// The type was declared.
    Declared,
    /// All values are of the type.
    Every {
        /// How many values there are.
        values: u64,
    },
    /// There are no values to judge by.
    NoValues,
    /// Numbers on one side are serials of the dates, times or date-times on another.
    Serials,
    /// One value is of no type, or not of the one that the values before it have.
    Exception {
        /// The type that the values before it have, when there are any.
        before: Option<ColumnType>,
        /// The side, from 0.
        side: usize,
        /// The absolute row on that side.
        row: u64,
        /// The value.
        value: String,
    },
}

impl fmt::Display for InferReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InferReason { column, ty, cause } = self;
        write!(f, "'{column}' is {ty}: ")?;
        match cause {
            Cause::Declared => f.write_str("declared"),
            Cause::Every { values: 1 } => f.write_str("its only value is"),
            Cause::Every { values } => write!(f, "all {values} values are"),
            Cause::NoValues => f.write_str("it has no values to judge by"),
            Cause::Serials => {
                write!(f, "the numbers on one side are serials of the {ty} values on another")
            }
            Cause::Exception { before, side, row, value } => {
                let side = ["left", "right"]
                    .get(*side)
                    .map_or_else(|| format!("side {side}"), |name| (*name).to_owned());
                match before {
                    Some(before) => write!(
                        f,
                        "'{value}' ({side}, row {row}) is no clear {before} like the values before it"
                    ),
                    None => write!(
                        f,
                        "'{value}' ({side}, row {row}) is no clear number, bool, date or time"
                    ),
                }
            }
        }
    }
}

/// Infers the schema of some snapshots, with the reasons; the schema has no key yet.
///
/// Without declared columns, the columns are those named in any snapshot, in the order they appear.
pub fn infer(snapshots: &[&Snapshot], declared: &[Declared]) -> (Schema, Vec<InferReason>) {
    let named: Vec<Declared>;
    let declared = if declared.is_empty() {
        named = all_columns(snapshots);
        &named
    } else {
        declared
    };
    let sides: Vec<Vec<Evidence>> = snapshots
        .par_iter()
        .enumerate()
        .map(|(side, snapshot)| look(snapshot, side, declared))
        .collect();
    let reasons: Vec<InferReason> =
        declared.iter().enumerate().map(|(at, column)| decide(column, at, &sides)).collect();
    let typed = declared
        .iter()
        .zip(&reasons)
        .map(|(declared, reason)| Column { ty: reason.ty, ..declared.column.clone() });
    (Schema::new(typed.collect(), Vec::new()), reasons)
}

fn all_columns(snapshots: &[&Snapshot]) -> Vec<Declared> {
    let mut columns: Vec<Declared> = Vec::new();
    for header in snapshots.iter().flat_map(|snapshot| snapshot.headers()) {
        if !header.trim().is_empty() && columns.iter().all(|known| known.column.name != *header) {
            columns.push(Declared::untyped(header));
        }
    }
    columns
}

/// What a side's values say about a column.
#[derive(Clone)]
pub(crate) struct Evidence {
    types: Types,
    values: u64,
    /// Every value so far was a number cell, not a text.
    numbers: bool,
    /// The first value that emptied the set, and the set before it.
    exception: Option<(Types, u64, String)>,
}

impl Default for Evidence {
    fn default() -> Evidence {
        Evidence { types: Types::ALL, values: 0, numbers: true, exception: None }
    }
}

impl Evidence {
    /// Takes a text into account, unless it is blank or one of the column's null texts; returns whether more are needed.
    #[inline]
    pub(crate) fn text(&mut self, column: &Column, text: &str, row: u64) -> bool {
        self.bytes(column, text.as_bytes(), row)
    }

    /// Does the same with the bytes of a text, which are looked at as a text only where they must be.
    #[inline]
    fn bytes(&mut self, column: &Column, text: &[u8], row: u64) -> bool {
        if self.exception.is_some() {
            return false;
        }
        let trimmed = trim(text);
        let null = || {
            !column.nulls.is_empty() && column.nulls.iter().any(|null| null.as_bytes() == trimmed)
        };
        if !trimmed.is_empty() && !null() {
            self.numbers = false;
            self.take(types_of(trimmed), trimmed, row);
        }
        self.exception.is_none()
    }

    #[inline]
    fn take(&mut self, types: Types, value: &[u8], row: u64) {
        self.values += 1;
        let left = self.types.and(types);
        if left.is_empty() {
            let value = String::from_utf8_lossy(value).chars().take(60).collect();
            self.exception = Some((self.types, row, value));
        }
        self.types = left;
    }

    #[inline]
    fn cell(&mut self, column: &Column, kind: Kind, text: &[u8], row: u64) {
        match kind {
            Kind::Null => {}
            Kind::Text => {
                self.bytes(column, text, row);
            }
            Kind::Bool => {
                self.numbers = false;
                self.take(Types::BOOL, text, row);
            }
            Kind::Number => self.take(Types::NUMBER, text, row),
        }
    }
}

/// Trims a text; the usual one, without spaces at its ends, is told by two bytes.
#[inline]
fn trim(text: &[u8]) -> &[u8] {
    let plain = |byte: Option<&u8>| byte.is_some_and(|byte| (b'!'..=b'~').contains(byte));
    if plain(text.first()) && plain(text.last()) {
        return text;
    }
    std::str::from_utf8(text).map_or(text, |text| text.trim().as_bytes())
}

/// Reads a snapshot once, each row until its last column whose type is still open.
fn look(snapshot: &Snapshot, side: usize, declared: &[Declared]) -> Vec<Evidence> {
    let mut evidence = vec![Evidence::default(); declared.len()];
    let position = |declared: &Declared| snapshot.position(declared.source(side)?);
    let wanted = declared.iter().enumerate().filter(|(_, declared)| !declared.typed);
    let mut open: Vec<(usize, usize)> =
        wanted.filter_map(|(at, declared)| Some((position(declared)?, at))).collect();
    open.sort_unstable();
    for row in 0..snapshot.len() {
        if open.is_empty() {
            break;
        }
        let (mut rest, mut next, mut cell) = (snapshot.packed(row), 0, None);
        open.retain(|&(source, at)| {
            let (Some(evidence), Some(declared)) = (evidence.get_mut(at), declared.get(at)) else {
                return false;
            };
            // Two columns may be read from one: the second finds the cell taken already.
            while next <= source {
                cell = pack::take(&mut rest);
                next += 1;
            }
            if let Some((kind, text)) = cell {
                evidence.cell(&declared.column, kind, text, snapshot.origin(row));
            }
            evidence.exception.is_none()
        });
    }
    evidence
}

fn decide(declared: &Declared, at: usize, sides: &[Vec<Evidence>]) -> InferReason {
    if declared.typed {
        return InferReason {
            column: declared.column.name.clone(),
            ty: declared.column.ty,
            cause: Cause::Declared,
        };
    }
    let sides: Vec<Evidence> =
        sides.iter().map(|side| side.get(at).cloned().unwrap_or_default()).collect();
    conclude(&declared.column.name, &sides)
}

/// Decides a column's type from what its sides say.
pub(crate) fn conclude(column: &str, sides: &[Evidence]) -> InferReason {
    let reason = |ty, cause| InferReason { column: column.to_owned(), ty, cause };
    let values: u64 = sides.iter().map(|side| side.values).sum();
    if values == 0 {
        return reason(ColumnType::Text, Cause::NoValues);
    }
    for (side, evidence) in sides.iter().enumerate() {
        if let Some((before, row, value)) = &evidence.exception {
            let before = before.first().filter(|_| *before != Types::ALL);
            return reason(
                ColumnType::Text,
                Cause::Exception { before, side, row: *row, value: value.clone() },
            );
        }
    }
    let voiced = || sides.iter().filter(|side| side.values > 0);
    let common = voiced().fold(Types::ALL, |types, side| types.and(side.types));
    if let Some(ty) = common.first() {
        return reason(ty, Cause::Every { values });
    }
    let serial = Types::DATE.or(Types::TIME).or(Types::DATE_TIME);
    let dated =
        voiced().filter(|side| !side.numbers).fold(serial, |types, side| types.and(side.types));
    if let Some(ty) = dated.first().filter(|_| voiced().any(|side| side.numbers)) {
        return reason(ty, Cause::Serials);
    }
    let first = voiced().next().and_then(|side| side.types.first());
    let differs =
        sides.iter().position(|side| side.values > 0 && side.types.first() != first).unwrap_or(0);
    let value = sides
        .get(differs)
        .and_then(|side| side.types.first())
        .map_or_else(String::new, |ty| format!("{ty} values"));
    reason(ColumnType::Text, Cause::Exception { before: first, side: differs, row: 0, value })
}

#[cfg(test)]
#[path = "infer_tests.rs"]
mod tests;
