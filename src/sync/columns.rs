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
    let named = |name: &str| ColumnDef {
        name: name.to_owned(),
        left: name.to_owned(),
        right: name.to_owned(),
        ty: None,
        nulls: Vec::new(),
    };
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
            headers.iter().chain(gone).map(|name| named(name)).collect()
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
    let declare = |column: &ColumnDef| {
        let stored = stored.and_then(|schema| {
            schema.columns.iter().find(|known| known.name == column.name).map(|known| known.ty)
        });
        let replica = |scan: &Scan, side: SideName| scan.types.get(column.header(side)).copied();
        // A schema of its own is certain of its types; number formats of a sheet and values are not.
        let certain =
            |scan: &Scan, side: SideName| scan.catalogue.as_ref().and_then(|_| replica(scan, side));
        let known = column
            .ty
            .or(stored)
            .or_else(|| certain(source, first))
            .or_else(|| certain(other, first.other()))
            .or_else(|| replica(source, first))
            .or_else(|| replica(other, first.other()).filter(|_| definition.has_base()));
        let present = |scan: &Scan, side: SideName| {
            let header = column.header(side);
            let there = scan.snapshot.headers().iter().any(|known| known == header);
            there.then(|| header.to_owned())
        };
        let mut declared = Declared {
            column: Column::new(&column.name, known.unwrap_or_default()),
            typed: known.is_some(),
            sources: vec![present(source, first), present(other, first.other())],
        };
        let instant = [(source, first), (other, first.other())].iter().any(|(scan, side)| {
            let catalogue = scan.catalogue.as_ref();
            catalogue.is_some_and(|known| known.instants.contains(column.header(*side)))
        });
        declared.column.offset_minutes = instant.then_some(0);
        declared.column.nulls = [definition.nulls.as_slice(), column.nulls.as_slice()].concat();
        declared
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
