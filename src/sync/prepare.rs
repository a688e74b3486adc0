//! From a definition to a plan: scan both sides, agree on columns and types, reconcile, check.

use std::collections::HashMap;

use lockstep_engine::{
    dataset::{PerSide, SideName},
    findings::Finding,
    infer::InferReason,
    key::Key,
    plan::{Basis, Body, Plan},
    reconcile::{Change, ChangeKind, Reconciler},
    safety::{self, Seen, SideSeen},
    snapshot::{Mapping, View},
    terms::Terms,
    times::Times,
    views::feed_views,
};

use super::{
    Shell,
    columns::{check_headers, check_key, columns, policy, schema, widened},
    definition::Definition,
};
use crate::{
    error::{Error, Result},
    replica::scan::{Role, Scan, scan},
};

/// A plan, with what applying and reporting it need.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The plan.
    pub(crate) plan: Plan,
    /// The right side as it was read; columns that it lacks are there as empty ones.
    pub(crate) right: Scan,
    /// How the types were found.
    pub(crate) reasons: Vec<InferReason>,
    /// For each column of the schema, its header on the right.
    pub(crate) headers: Vec<Option<String>>,
    /// The column that marks rows, if the right does not have it yet.
    pub(crate) mark: Option<usize>,
    /// What was found on each side.
    pub(crate) findings: Vec<(SideName, Finding)>,
    /// Rows of the right that stay as they are.
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
    let mark = mark.filter(|column| {
        let header = headers.get(*column).and_then(Option::as_ref);
        header.is_some_and(|header| !right.snapshot.headers().contains(header))
    });
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
    let left_view = left.snapshot.view(&schema, &left_map).map_err(|e| seen(&e, "left"))?;
    let right_view = right.snapshot.view(&schema, &right_map).map_err(|e| seen(&e, "right"))?;
    let terms = Terms::new(&schema, &policy)
        .map_err(|error| Error::invalid(error.to_string()).next("correct the arguments"))?;
    let times = Times::default();
    let mut reconciler = Reconciler::new(&terms, &times);
    let key_findings = feed_views(&mut reconciler, None, &left_view, &right_view);
    let result = reconciler.finish();

    let aside =
        PerSide { left: set_aside(&key_findings.left), right: set_aside(&key_findings.right) };
    let mut findings: Vec<(SideName, Finding)> = Vec::new();
    for (side, snapshot, keys) in [
        (SideName::Left, &left.snapshot, key_findings.left),
        (SideName::Right, &right.snapshot, key_findings.right),
    ] {
        let own = snapshot.findings().iter().cloned();
        findings.extend(own.chain(keys).map(|finding| (side, finding)));
    }
    let halts = safety::check(
        &result,
        &Seen {
            base_rows: 0,
            sides: PerSide {
                left: SideSeen {
                    rows: left.snapshot.len(),
                    set_aside: aside.left,
                    ..SideSeen::default()
                },
                right: SideSeen {
                    rows: right.snapshot.len(),
                    set_aside: aside.right,
                    ..SideSeen::default()
                },
            },
        },
        &policy,
    );
    let order = order(&result.right, &left_view);
    let changed = result.right.iter().filter(|change| change.row.is_some()).count();
    let unchanged = right.snapshot.len().saturating_sub(aside.right).saturating_sub(changed);
    let unchanged = u64::try_from(unchanged).unwrap_or(u64::MAX);
    let content =
        PerSide { left: left.snapshot.content_hash(), right: right.snapshot.content_hash() };
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
    Ok(Planned { plan, right, reasons, headers, mark, findings, unchanged, set_aside, order })
}

/// Returns how many rows a side has that cannot be told apart.
fn set_aside(findings: &[Finding]) -> usize {
    let rows = findings.iter().map(|finding| match finding {
        Finding::DuplicateKey { rows, .. } => rows.len(),
        Finding::BlankKey { .. } => 1,
        _ => 0,
    });
    rows.sum()
}

/// Returns the positions of the changes with the new rows in the order of the source, after all others.
fn order(changes: &[Change], left: &View<'_>) -> Vec<usize> {
    let mut inserted: HashMap<&Key, usize> = changes
        .iter()
        .filter(|change| change.kind == ChangeKind::Insert)
        .map(|change| (&change.key, usize::MAX))
        .collect();
    if !inserted.is_empty() {
        for row in 0..left.len() {
            if let Some(place) = inserted.get_mut(&left.key(row)) {
                *place = row;
            }
        }
    }
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_by_key(|position| {
        changes.get(*position).and_then(|change| inserted.get(&change.key).copied())
    });
    order
}

/// Returns a hash of everything that decides what a plan says, so that a plan id names its arguments too.
fn fingerprint(definition: &Definition) -> Result<String> {
    let json = serde_json::to_vec(definition)
        .map_err(|error| Error::internal("the definition has no JSON form").with_source(error))?;
    Ok(blake3::hash(&json).to_hex().to_string())
}
