//! From a definition to a plan: scan both sides, agree on columns and types, reconcile, check.

use std::collections::HashMap;

use lockstep_engine::{
    dataset::{PerSide, SideName},
    findings::Finding,
    infer::InferReason,
    join::join,
    plan::{Basis, Body, Plan},
    reconcile::{ChangeKind, Joined, Presence, Reading, Reconciler},
    safety::{self, Seen, SideSeen},
    snapshot::{Mapping, View},
    terms::Terms,
    times::Times,
    value::Row,
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
    let aside: PerSide<usize> =
        PerSide { left: set_aside(&joined, 0), right: set_aside(&joined, 1) };
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
    reconciler.skip(unchanged, false);
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
    let mut order: Vec<usize> = (0..result.right.len()).collect();
    order.sort_by_key(|position| {
        let change = result.right.get(*position);
        let inserted = change.filter(|change| change.kind == ChangeKind::Insert);
        inserted.and_then(|change| source_row.get(&change.key).copied())
    });
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
