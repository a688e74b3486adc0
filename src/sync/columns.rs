//! Which columns are kept in step, and as which types.

use lockstep_engine::{
    dataset::{PerSide, SideName},
    findings::Finding,
    infer::{Cause, Declared, InferReason, infer},
    schema::{Column, ColumnType, Schema},
    snapshot::{Snapshot, SnapshotBuilder},
};

use super::definition::{ColumnDef, Definition};
use crate::{
    error::{Error, Result, did_you_mean},
    replica::{header::list, scan::Scan},
};

/// Columns without a name, or with the same, cannot be mapped.
pub(super) fn check_headers(snapshot: &Snapshot, side: &str) -> Result<()> {
    let broken = snapshot.findings().iter().find(|finding| {
        matches!(finding, Finding::BlankHeader { .. } | Finding::DuplicateHeader { .. })
    });
    match broken {
        Some(finding) => Err(Error::invalid(finding.to_string())
            .context(format!("{side} header"))
            .next("give each column a name of its own; nothing was written")),
        None => Ok(()),
    }
}

/// Returns the columns that are kept in step; `known` are those that base has, which may be gone from a side.
///
/// # Errors
/// A column that the source does not have, or that is mapped twice.
pub(super) fn columns(
    definition: &Definition,
    sides: &PerSide<Scan>,
    known: &[String],
) -> Result<Vec<ColumnDef>> {
    // The side that names the columns: the left, unless it is the one that is made.
    let leading = match definition.policy.direction.source() {
        Some(side) => side,
        None if sides.left.snapshot.headers().is_empty() => SideName::Right,
        None => SideName::Left,
    };
    let headers = sides.get(leading).snapshot.headers();
    let columns: Vec<ColumnDef> = match &definition.columns {
        Some(columns) => columns.clone(),
        None => {
            let gone = known.iter().filter(|name| !headers.contains(name));
            headers.iter().chain(gone).map(|name| ColumnDef::named(name)).collect()
        }
    };
    if columns.is_empty() {
        return Err(
            Error::invalid("argument columns: there are none").next("name at least the key column")
        );
    }
    for (index, column) in columns.iter().enumerate() {
        let header = column.header(leading);
        if !headers.iter().any(|known| known == header) && !known.contains(&column.name) {
            let near = did_you_mean(header, headers.iter().map(String::as_str));
            return Err(Error::not_found(format!(
                "the {leading} side has no column \"{header}\".{near}"
            ))
            .next(format!("its columns are {}", list(headers.iter().map(String::as_str)))));
        }
        let twin = columns.iter().take(index).find(|other| {
            other.name == column.name || other.right == column.right || other.left == column.left
        });
        if let Some(twin) = twin {
            return Err(Error::invalid(format!(
                "argument columns: \"{}\" and \"{}\" have the same name or the same header on a side",
                twin.name, column.name
            ))
            .next("map each column once"));
        }
    }
    check_catalogues(definition, &columns, sides, known)?;
    Ok(columns)
}

/// Checks the columns against what a side with a schema of its own says of them.
fn check_catalogues(
    definition: &Definition,
    columns: &[ColumnDef],
    sides: &PerSide<Scan>,
    known: &[String],
) -> Result<()> {
    for side in SideName::BOTH {
        let scan = sides.get(side);
        let Some(catalogue) = &scan.catalogue else { continue };
        let mapped = |name: &String| columns.iter().any(|column| column.header(side) == *name);
        let all = definition.columns.is_none();
        let mut refused: Vec<_> =
            catalogue.refused.iter().filter(|(name, _)| all || mapped(name)).collect();
        refused.sort_unstable();
        if let Some((name, why)) = refused.first() {
            return Err(Error::invalid(format!(
                "the {side} side's column \"{name}\" cannot be kept in step: {why}"
            ))
            .next("map other columns: name them in columns and leave this one out"));
        }
        let headers = || scan.snapshot.headers().iter().map(String::as_str);
        for column in columns.iter().filter(|column| !known.contains(&column.name)) {
            let header = column.header(side);
            if !headers().any(|name| name == header) {
                let near = did_you_mean(header, headers());
                return Err(Error::not_found(format!(
                    "the {side} side has no column \"{header}\".{near}"
                ))
                .next(format!(
                    "name the columns to keep in step with columns; the {side} side has {}",
                    list(headers())
                )));
            }
        }
    }
    Ok(())
}

/// Checks that the key columns are there.
///
/// # Errors
/// A key column that is not mapped, or that a side with rows does not have.
pub(super) fn check_key(
    definition: &Definition,
    columns: &[ColumnDef],
    sides: &PerSide<Scan>,
) -> Result<()> {
    if definition.key.is_empty() {
        return Err(Error::invalid("argument key: it is empty")
            .next("name the columns that identify a row, e.g. [\"id\"]"));
    }
    for name in &definition.key {
        let names = || columns.iter().map(|column| column.name.as_str());
        let Some(column) = columns.iter().find(|column| column.name == *name) else {
            let near = did_you_mean(name, names());
            return Err(Error::not_found(format!(
                "argument key: there is no column \"{name}\".{near}"
            ))
            .next(format!("the columns are {}", list(names()))));
        };
        for side in SideName::BOTH {
            let headers = sides.get(side).snapshot.headers();
            let header = column.header(side);
            if !headers.is_empty() && !headers.iter().any(|known| known == header) {
                let near = did_you_mean(header, headers.iter().map(String::as_str));
                return Err(Error::not_found(format!(
                    "the {side} side has no key column \"{header}\".{near}"
                ))
                .next(format!(
                    "name its header with columns: [{{name, {side}}}], or use an empty sheet"
                )));
            }
        }
    }
    Ok(())
}

/// Where a column stands on one side or member, and how that was read.
pub(super) struct Place<'a> {
    /// The column's name there.
    pub(super) header: Option<&'a str>,
    /// What was read.
    pub(super) scan: &'a Scan,
}

impl Place<'_> {
    fn ty(&self) -> Option<ColumnType> {
        self.scan.types.get(self.header?).copied()
    }

    /// Returns the type where a schema of its own is certain of it; number formats of a sheet and values are not.
    fn certain(&self) -> Option<ColumnType> {
        self.scan.catalogue.as_ref().and_then(|_| self.ty())
    }

    fn is_instant(&self) -> bool {
        let known = self.scan.catalogue.as_ref().zip(self.header);
        known.is_some_and(|(catalogue, header)| catalogue.instants.contains(header))
    }

    fn present(&self) -> Option<String> {
        let there = |header: &&str| self.scan.snapshot.headers().iter().any(|name| name == header);
        self.header.filter(there).map(str::to_owned)
    }
}

/// Declares a column with the type it has to be compared by: its own, the one learned before, or one that a place knows.
///
/// A place that is not certain of a type counts only among the first `guessing` ones.
pub(super) fn declared(
    column: &ColumnDef,
    nulls: &[String],
    stored: Option<&Schema>,
    places: &[Place<'_>],
    guessing: usize,
) -> Declared {
    let stored = stored.and_then(|schema| {
        schema.columns.iter().find(|known| known.name == column.name).map(|known| known.ty)
    });
    let known = column
        .ty
        .or(stored)
        .or_else(|| places.iter().find_map(Place::certain))
        .or_else(|| places.iter().take(guessing).find_map(Place::ty));
    let mut declared = Declared {
        column: Column::new(&column.name, known.unwrap_or_default()),
        typed: known.is_some(),
        sources: places.iter().map(Place::present).collect(),
    };
    declared.column.nulls = [nulls, &column.nulls].concat();
    declared.column.offset_minutes = places.iter().any(Place::is_instant).then_some(0);
    declared
}

/// Declares the columns, and infers the types that nobody declared.
///
/// `stored` are the types that base was learned with: they stay, so that a stray word does not turn a column of
/// numbers into text. In a one-way direction the source's values decide, and only a column that is blank there takes
/// the target's type; in a two-way direction both sides' values do.
pub(super) fn schema(
    definition: &Definition,
    columns: &[ColumnDef],
    sides: &PerSide<Scan>,
    stored: Option<&Schema>,
) -> (Schema, Vec<InferReason>) {
    let (source, other) = match definition.policy.direction.source() {
        Some(SideName::Right) => (&sides.right, &sides.left),
        _ => (&sides.left, &sides.right),
    };
    let first = if std::ptr::eq(source, &sides.left) { SideName::Left } else { SideName::Right };
    // Without a base the other side's guesses of a type do not count.
    let guessing = if definition.has_base() { 2 } else { 1 };
    let declare = |column: &ColumnDef| {
        let place = |scan, side| Place { header: Some(column.header(side)), scan };
        let places = [place(source, first), place(other, first.other())];
        declared(column, &definition.nulls, stored, &places, guessing)
    };
    let declared: Vec<Declared> = columns.iter().map(declare).collect();
    let (both, wider) = infer(&[&source.snapshot, &other.snapshot], &declared);
    let (schema, mut reasons) = if definition.has_base() {
        (both.clone(), wider.clone())
    } else {
        infer(&[&source.snapshot], &declared)
    };
    let mut types: Vec<ColumnType> = schema.columns.iter().map(|column| column.ty).collect();
    for (index, reason) in reasons.iter_mut().enumerate() {
        let blank = matches!(reason.cause, Cause::NoValues);
        if let (true, Some(wider), Some(column)) =
            (blank, wider.get(index), both.columns.get(index))
        {
            *reason = wider.clone();
            if let Some(ty) = types.get_mut(index) {
                *ty = column.ty;
            }
        }
    }
    let columns: Vec<Column> = declared
        .into_iter()
        .zip(types)
        .map(|(declared, ty)| Column { ty, ..declared.column })
        .collect();
    let key = definition
        .key
        .iter()
        .filter_map(|name| columns.iter().position(|column| column.name == *name))
        .collect();
    (Schema::new(columns, key), reasons)
}

/// Returns a snapshot with empty columns for the headers that it lacks.
pub(super) fn widened<'a>(
    snapshot: Snapshot,
    headers: impl Iterator<Item = &'a String>,
) -> Snapshot {
    let mut names: Vec<String> = snapshot.headers().to_vec();
    for header in headers {
        if !names.contains(header) {
            names.push(header.clone());
        }
    }
    if names.len() == snapshot.headers().len() {
        return snapshot;
    }
    let mut builder = SnapshotBuilder::new(names);
    for row in 0..snapshot.len() {
        builder.push_at(snapshot.origin(row), snapshot.row(row));
    }
    builder.finish()
}
