//! What is compared with what: columns, key, types and policy of a definition, on what was read.

use lockstep_engine::{
    dataset::{ColumnPolicy, DeletePolicy, Deletes, Direction, Policy, Safety, SideName},
    findings::Finding,
    infer::{Cause, Declared, InferReason, infer},
    schema::{Column, ColumnType, Schema},
    snapshot::{Snapshot, SnapshotBuilder},
};

use super::definition::{ColumnDef, Definition, Disappeared};
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

pub(super) fn columns(definition: &Definition, left: &Snapshot) -> Result<Vec<ColumnDef>> {
    let all = || {
        left.headers().iter().map(|name| ColumnDef {
            name: name.clone(),
            left: name.clone(),
            right: name.clone(),
            ty: None,
            nulls: Vec::new(),
        })
    };
    let columns: Vec<ColumnDef> = definition.columns.clone().unwrap_or_else(|| all().collect());
    if columns.is_empty() {
        return Err(
            Error::invalid("argument columns: there are none").next("name at least the key column")
        );
    }
    for (index, column) in columns.iter().enumerate() {
        if !left.headers().contains(&column.left) {
            let near = did_you_mean(&column.left, left.headers().iter().map(String::as_str));
            return Err(Error::not_found(format!(
                "the left side has no column \"{}\".{near}",
                column.left
            ))
            .next(format!("its columns are {}", list(left.headers().iter().map(String::as_str)))));
        }
        let twin = columns
            .iter()
            .take(index)
            .find(|other| other.name == column.name || other.right == column.right);
        if let Some(twin) = twin {
            return Err(Error::invalid(format!(
                "argument columns: \"{}\" and \"{}\" have the same name or the same header on the right",
                twin.name, column.name
            ))
            .next("map each column once"));
        }
    }
    Ok(columns)
}

pub(super) fn check_key(
    definition: &Definition,
    columns: &[ColumnDef],
    right: &Snapshot,
    fresh: bool,
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
        if !fresh && !right.headers().contains(&column.right) {
            let near = did_you_mean(&column.right, right.headers().iter().map(String::as_str));
            return Err(Error::not_found(format!(
                "the right side has no key column \"{}\".{near}",
                column.right
            ))
            .next("name its header with columns: [{name, right}], or use an empty sheet"));
        }
    }
    Ok(())
}

/// Declares the columns, and infers the types that nobody declared.
///
/// The direction is one-way, so the source's values decide; only a column that is blank there takes the target's
/// type. A stray word in a number column of the target must not turn what is written there into text.
pub(super) fn schema(
    definition: &Definition,
    columns: &[ColumnDef],
    left: &Scan,
    right: &Snapshot,
) -> (Schema, Vec<InferReason>) {
    let declare = |column: &ColumnDef, ty: Option<ColumnType>| {
        let known = column.ty.or(ty).or_else(|| left.types.get(&column.left).copied());
        let mut declared = Declared {
            column: Column::new(&column.name, known.unwrap_or_default()),
            typed: known.is_some(),
            sources: vec![
                Some(column.left.clone()),
                right.headers().contains(&column.right).then(|| column.right.clone()),
            ],
        };
        declared.column.nulls = [definition.nulls.as_slice(), column.nulls.as_slice()].concat();
        declared
    };
    let first: Vec<Declared> = columns.iter().map(|column| declare(column, None)).collect();
    let (schema, mut reasons) = infer(&[&left.snapshot], &first);
    let (both, other) = infer(&[&left.snapshot, right], &first);
    let mut types: Vec<ColumnType> = schema.columns.iter().map(|column| column.ty).collect();
    for (index, reason) in reasons.iter_mut().enumerate() {
        let blank = matches!(reason.cause, Cause::NoValues);
        if let (true, Some(wider), Some(column)) =
            (blank, other.get(index), both.columns.get(index))
        {
            *reason = wider.clone();
            if let Some(ty) = types.get_mut(index) {
                *ty = column.ty;
            }
        }
    }
    let columns: Vec<Column> = first
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

/// Returns the engine's policy; a mark column that is not mapped joins the schema for the right side alone.
pub(super) fn policy(
    definition: &Definition,
    columns: &[ColumnDef],
    mut schema: Schema,
    headers: &mut Vec<Option<String>>,
) -> (Policy, Schema, Option<usize>) {
    let mut policy = Policy {
        direction: Direction::LeftToRight,
        safety: Safety {
            max_change_percent: definition.max_change_percent,
            max_delete_percent: definition
                .max_delete_percent
                .unwrap_or(Safety::default().max_delete_percent),
            ..Safety::default()
        },
        ..Policy::default()
    };
    let mut mark = None;
    let deletes = match &definition.deletes {
        Disappeared::Delete => Deletes::Delete,
        Disappeared::Ignore => Deletes::Ignore,
        Disappeared::Mark { column, value } => {
            let mapped = columns.iter().find(|known| known.right == *column);
            let name = match mapped {
                Some(known) => known.name.clone(),
                None => {
                    let taken = |name: &str| schema.position(name).is_some();
                    let name =
                        if taken(column) { format!("{column} (mark)") } else { column.clone() };
                    mark = Some(schema.columns.len());
                    schema.columns.push(Column::new(&name, ColumnType::Text));
                    headers.push(Some(column.clone()));
                    let only =
                        ColumnPolicy { only: Some(SideName::Right), ..ColumnPolicy::default() };
                    policy.columns.insert(name.clone(), only);
                    name
                }
            };
            Deletes::Mark { column: Some(name.into()), value: value.as_str().into() }
        }
    };
    policy.deletes = DeletePolicy::new(Deletes::Ignore, deletes);
    (policy, schema, mark)
}

/// Returns the snapshot with empty columns for the headers that it lacks.
pub(super) fn widened<'a>(
    snapshot: &Snapshot,
    headers: impl Iterator<Item = &'a String>,
) -> Snapshot {
    let mut names: Vec<String> = snapshot.headers().to_vec();
    for header in headers {
        if !names.contains(header) {
            names.push(header.clone());
        }
    }
    if names.len() == snapshot.headers().len() {
        return snapshot.clone();
    }
    let mut builder = SnapshotBuilder::new(names);
    for row in 0..snapshot.len() {
        builder.push_at(snapshot.origin(row), snapshot.row(row));
    }
    builder.finish()
}
