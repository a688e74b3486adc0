//! From a definition to a plan: scan both sides, agree on columns and types, reconcile, check.

use std::collections::HashMap;

use lockstep_engine::{
    dataset::{ColumnPolicy, DeletePolicy, Deletes, Direction, PerSide, Policy, Safety, SideName},
    findings::Finding,
    infer::{Declared, InferReason, infer},
    join::join,
    plan::{Basis, Body, Plan},
    reconcile::{ChangeKind, Joined, Presence, Reading, Reconciler},
    safety::{self, Seen, SideSeen},
    schema::{Column, ColumnType, Schema},

    snapshot::{Mapping, Snapshot, SnapshotBuilder, View},
    terms::Terms,
    times::Times,
    value::Row,
};

use super::{
    Shell,
    definition::{ColumnDef, Definition, Disappeared},
};
use crate::{
    error::{Error, Result, did_you_mean},
    replica::scan::{Role, Scan, scan},
};

/// A plan, with what applying and reporting it need.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The plan.
    pub(crate) plan: Plan,
    /// The left side as it was read.
    pub(crate) left: Scan,
    /// The right side as it was read; columns that it lacks are there as empty ones.
    pub(crate) right: Scan,
    /// How the types were found.
    pub(crate) reasons: Vec<InferReason>,
    /// For each column of the schema, its header on the right.
    pub(crate) headers: Vec<Option<String>>,
    /// The column that marks rows, if it is no mapped one.
    pub(crate) mark: Option<usize>,
    /// What was found on each side.
    pub(crate) findings: Vec<(SideName, Finding)>,
    /// Rows that both sides have equal.
    pub(crate) unchanged: u64,
    /// Rows set aside on both sides.
    pub(crate) set_aside: u64,
    /// Positions in `plan.body().result.right`, new rows in the order of the source.
    pub(crate) order: Vec<usize>,
}

/// Reads both sides and makes the plan.
///
/// # Errors
/// A side that cannot be read or understood, and columns that do not fit it.
pub(crate) async fn prepare(shell: &Shell, definition: &Definition) -> Result<Planned> {
    shell.progress.check()?;
    shell.progress.step(0, None, "reading both sides");
    let (left, right) = tokio::join!(
        scan(&shell.google, &shell.files, &definition.left, Role::Source),
        scan(&shell.google, &shell.files, &definition.right, Role::Target),
    );
    let (left, right) = (left?, right?);
    shell.progress.step(0, None, "comparing");
    let definition = definition.clone();
    // A million rows take seconds: not on a thread that serves other calls.
    tokio::task::spawn_blocking(move || compare(&definition, left, right))
        .await
        .map_err(|error| Error::internal(format!("the comparison failed: {error}")))?
}

fn compare(definition: &Definition, left: Scan, mut right: Scan) -> Result<Planned> {
    check_headers(&left.snapshot, "left")?;
    check_headers(&right.snapshot, "right")?;
    let columns = columns(definition, &left.snapshot)?;
    let fresh = right.snapshot.headers().is_empty();
    check_key(definition, &columns, &right.snapshot, fresh)?;

    let (schema, reasons) = schema(definition, &columns, &left, &right.snapshot);
    let mut headers: Vec<Option<String>> =
        columns.iter().map(|column| Some(column.right.clone())).collect();
    let (policy, schema, mark) = policy(definition, &columns, schema, &mut headers);
    right.snapshot = widened(&right.snapshot, headers.iter().flatten());

    let mapping = |pairs: Vec<(String, String)>| -> Vec<Mapping> {
        pairs.into_iter().map(|(column, source)| Mapping::new(column, source)).collect()
    };
    let left_map = mapping(columns.iter().map(|c| (c.name.clone(), c.left.clone())).collect());
    let right_map = mapping(
        schema
            .columns
            .iter()
            .zip(&headers)
            .filter_map(|(column, header)| Some((column.name.clone(), header.clone()?)))
            .collect(),
    );
    let seen = |error: &dyn std::fmt::Display, side: &str| {
        Error::invalid(error.to_string()).context(side.to_owned()).next("correct columns and key")
    };
    let (views, joined) = {
        let left_view = left.snapshot.view(&schema, &left_map).map_err(|e| seen(&e, "left"))?;
        let right_view = right.snapshot.view(&schema, &right_map).map_err(|e| seen(&e, "right"))?;
        let joined = join(&[Some(&left_view), Some(&right_view)]);
        ((left_view, right_view), joined)
    };
    let terms = Terms::new(&schema, &policy)
        .map_err(|error| Error::invalid(error.to_string()).next("correct the arguments"))?;
    let times = Times::default();
    let aside: PerSide<usize> = PerSide { left: set_aside(&joined, 0), right: set_aside(&joined, 1) };
    let reading = |count: usize| if count > 0 { Reading::Doubtful } else { Reading::Complete };
    let mut reconciler =
        Reconciler::new(&terms, &times).readings(reading(aside.left), reading(aside.right));
    let row_of = |view: &View<'_>, index: Option<usize>| index.map(|index| view.row(index));
    let mut source_row = HashMap::new();
    for found in &joined.rows {
        let at = |side: usize| found.rows.get(side).copied().flatten();
        let (left_row, right_row): (Option<Row>, Option<Row>) =
            (row_of(&views.0, at(0)), row_of(&views.1, at(1)));
        if let (Some(index), None) = (at(0), at(1)) {
            source_row.insert(found.key.clone(), index);
        }
        reconciler.push(&Joined {
            key: &found.key,
            base: None,
            left: presence(left_row.as_ref()),
            left_index: at(0),
            right: presence(right_row.as_ref()),
            right_index: at(1),
        });
    }
    let unchanged = u64::try_from(joined.equal).unwrap_or(u64::MAX);
    reconciler.skip(unchanged);
    let result = reconciler.finish();

    let mut findings: Vec<(SideName, Finding)> = Vec::new();
    for (side, index, view) in [(SideName::Left, 0, &views.0), (SideName::Right, 1, &views.1)] {
        let own = view.snapshot().findings().iter().cloned();
        findings.extend(own.chain(joined.findings(index, view)).map(|finding| (side, finding)));
    }
    let halts = safety::check(
        &result,
        &Seen {
            base_rows: 0,
            sides: PerSide {
                left: SideSeen { rows: left.snapshot.len(), set_aside: aside.left, ..SideSeen::default() },
                right: SideSeen { rows: right.snapshot.len(), set_aside: aside.right, ..SideSeen::default() },
            },
        },
        &policy,
    );
    let mut order: Vec<usize> = (0..result.right.len()).collect();
    order.sort_by_key(|position| {
        let change = result.right.get(*position);
        let inserted = change.filter(|change| change.kind == ChangeKind::Insert);
        inserted.and_then(|change| source_row.get(&change.key).copied())
    });
    let content = PerSide { left: left.snapshot.content_hash(), right: right.snapshot.content_hash() };
    let plan = Plan::new(Body {
        basis: Basis {
            dataset: format!("{} {}", definition.name, fingerprint(definition)?),
            dataset_version: 1,
            base_version: None,
            content,
            schema: schema.clone(),
        },
        result,
        findings: findings.iter().map(|(_, finding)| finding.clone()).collect(),
        halts,
    });
    let set_aside = u64::try_from(aside.left + aside.right).unwrap_or(u64::MAX);
    drop(views);
    Ok(Planned { plan, left, right, reasons, headers, mark, findings, unchanged, set_aside, order })
}

fn presence(row: Option<&Row>) -> Presence<'_> {
    row.map_or(Presence::Absent, Presence::Present)
}

fn set_aside(joined: &lockstep_engine::join::Joined, side: usize) -> usize {
    let blank = joined.blanks.iter().filter(|(view, _)| *view == side).count();
    let twice: usize = joined
        .duplicates
        .iter()
        .filter_map(|duplicate| duplicate.rows.get(side))
        .map(Vec::len)
        .filter(|rows| *rows > 1)
        .sum();
    blank + twice
}

/// Returns a hash of everything that decides what a plan says, so that a plan id names its arguments too.
fn fingerprint(definition: &Definition) -> Result<String> {
    let json = serde_json::to_vec(definition)
        .map_err(|error| Error::internal("the definition has no JSON form").with_source(error))?;
    Ok(blake3::hash(&json).to_hex().to_string())
}

/// Columns without a name, or with the same, cannot be mapped.
fn check_headers(snapshot: &Snapshot, side: &str) -> Result<()> {
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

fn columns(definition: &Definition, left: &Snapshot) -> Result<Vec<ColumnDef>> {
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
        return Err(Error::invalid("argument columns: there are none").next("name at least the key column"));
    }
    for (index, column) in columns.iter().enumerate() {
        if !left.headers().contains(&column.left) {
            let near = did_you_mean(&column.left, left.headers().iter().map(String::as_str));
            return Err(Error::not_found(format!("the left side has no column \"{}\".{near}", column.left))
                .next(format!(
                    "its columns are {}",
                    crate::replica::header::list(left.headers().iter().map(String::as_str))
                )));
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

fn check_key(
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
            return Err(Error::not_found(format!("argument key: there is no column \"{name}\".{near}"))
                .next(format!("the columns are {}", crate::replica::header::list(names()))));
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
fn schema(
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
        let blank = matches!(reason.cause, lockstep_engine::infer::Cause::NoValues);
        if let (true, Some(wider), Some(column)) = (blank, other.get(index), both.columns.get(index)) {
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
fn policy(
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
                    let name = if taken(column) { format!("{column} (mark)") } else { column.clone() };
                    mark = Some(schema.columns.len());
                    schema.columns.push(Column::new(&name, ColumnType::Text));
                    headers.push(Some(column.clone()));
                    let only = ColumnPolicy { only: Some(SideName::Right), ..ColumnPolicy::default() };
                    policy.columns.insert(name.clone(), only);
                    name
                }
            };
            Deletes::Mark { column: Some(name.into()), value: value.as_str().into() }
        }
    };
    policy.deletes = DeletePolicy::both(deletes);
    (policy, schema, mark)
}

/// Returns the snapshot with empty columns for the headers that it lacks.
fn widened<'a>(snapshot: &Snapshot, headers: impl Iterator<Item = &'a String>) -> Snapshot {
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
