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
    schema::Schema,
    snapshot::{Mapping, Snapshot, SnapshotBuilder, View},
    terms::Terms,
    times::Times,
    views::feed_views,
};

use super::{
    Shell,
    columns::{check_errors, check_headers, check_key, columns, schema, widened},
    definition::Definition,
    known::Known,
    policy::{Mark, Settled, settle},
    retyped::retyped,
};
use crate::{
    error::{Error, Result},
    replica::scan::{Scan, scan},
};

/// A plan, with what applying and reporting it need.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The plan.
    pub(crate) plan: Plan,
    /// Both sides as they were read; columns that a side lacks are there as empty ones.
    pub(crate) sides: PerSide<Scan>,
    /// How the types were found.
    pub(crate) reasons: Vec<InferReason>,
    /// For each column of the schema, its header on each side.
    pub(crate) headers: PerSide<Vec<Option<String>>>,
    /// Columns that the side does not have yet and gets when a change needs them.
    pub(crate) optional: PerSide<Vec<usize>>,
    /// The column in which each side marks its rows, where nobody mapped it.
    pub(super) marks: PerSide<Option<Mark>>,
    /// What was found on each side.
    pub(crate) findings: Vec<(SideName, Finding)>,
    /// Rows of the right that stay as they are.
    pub(crate) unchanged: u64,
    /// Rows set aside on both sides.
    pub(crate) set_aside: u64,
    /// Positions in the writes of each side, new rows in the order of the other side.
    pub(crate) order: PerSide<Vec<usize>>,
}

impl Planned {
    /// Returns the writes to a side, in the order in which they are to be made.
    pub(crate) fn writes(&self, side: SideName) -> Vec<&Change> {
        let writes = self.plan.body().result.writes(side);
        self.order.get(side).iter().filter_map(|position| writes.get(*position)).collect()
    }
}

/// Reads both sides and makes the plan.
///
/// # Errors
/// A side that cannot be read or understood, and columns that do not fit it.
pub(crate) async fn prepare(shell: &Shell, definition: &Definition) -> Result<Planned> {
    shell.reach.progress.check()?;
    shell.reach.progress.step(0, None, "reading both sides");
    let known = Known::load(shell, definition).await?;
    let read = |side: SideName| {
        let role = definition.role(side, known.schema.is_some());
        scan(&shell.reach, definition.source(side), role, None)
    };
    let (left, right) = tokio::join!(read(SideName::Left), read(SideName::Right));
    let sides = PerSide { left: left?, right: right? };
    shell.reach.progress.step(0, None, "comparing");
    let definition = definition.clone();
    let now = shell.reach.clock.now();
    // A million rows take seconds: not on a thread that serves other calls.
    tokio::task::spawn_blocking(move || {
        let mut times = Times::default();
        times.now = Some(now);
        compare(&definition, sides, &known, &times)
    })
    .await
    .map_err(|error| Error::internal(format!("the comparison failed: {error}")))?
}

fn compare(
    definition: &Definition,
    mut sides: PerSide<Scan>,
    known: &Known,
    times: &Times,
) -> Result<Planned> {
    for side in SideName::BOTH {
        check_headers(&sides.get(side).snapshot, side)?;
    }
    let columns = columns(definition, &sides, &known.mapped())?;
    check_key(definition, &columns, &sides)?;
    check_errors(definition, &columns, &sides)?;
    let (schema, reasons) = schema(definition, &columns, &sides, known.schema.as_ref());
    let settled = settle(definition, &columns, schema, &sides);

    let (missing, optional) = absent(&sides, &settled, known);
    for side in SideName::BOTH {
        let headers = settled.headers.get(side).iter().flatten();
        let scan = sides.get_mut(side);
        scan.snapshot = widened(&scan.snapshot, headers);
    }
    let mut terms = Terms::new(&settled.schema, &settled.policy)
        .map_err(|error| Error::invalid(error.to_string()).next("correct the arguments"))?;
    for side in SideName::BOTH {
        for column in missing.get(side) {
            // A column that is gone has no opinion: it must not look like a column of blanks.
            terms = terms.lacking(side, *column);
        }
    }
    let left = view(&sides.left.snapshot, &settled, SideName::Left)?;
    let right = view(&sides.right.snapshot, &settled, SideName::Right)?;
    let empty = nothing(&settled.schema);
    let learned = match (definition.has_base(), known.version) {
        (false, _) => None,
        (true, None) => Some(&empty),
        (true, Some(_)) => Some(&known.snapshot),
    };
    let base = learned.map(|snapshot| base_view(snapshot, &settled.schema)).transpose()?;
    let mut reconciler = Reconciler::new(&terms, times);
    if definition.has_base() {
        reconciler = reconciler.tombstones(&known.tombstones);
    }
    let found = feed_views(&mut reconciler, base.as_ref(), &left, &right);
    let result = reconciler.finish();

    let aside = PerSide { left: set_aside(&found.left), right: set_aside(&found.right) };
    let name = |column: &usize| Some(settled.schema.columns.get(*column)?.name.clone());
    let seen = |side: SideName, view: &View<'_>| SideSeen {
        rows: view.len(),
        set_aside: *aside.get(side),
        missing: missing.get(side).iter().filter_map(name).collect(),
        retyped: known.schema.as_ref().map(|_| retyped(view)).unwrap_or_default(),
    };
    let seen = Seen {
        base_rows: known.snapshot.len(),
        sides: PerSide { left: seen(SideName::Left, &left), right: seen(SideName::Right, &right) },
    };
    let halts = safety::check(&result, &seen, &settled.policy);
    let order = PerSide { left: order(&result.left, &right), right: order(&result.right, &left) };
    let changed = result.right.iter().filter(|change| change.row.is_some()).count();
    let unchanged = right.len().saturating_sub(aside.right).saturating_sub(changed);
    let content = PerSide {
        left: sides.left.snapshot.content_hash(),
        right: sides.right.snapshot.content_hash(),
    };
    let mut findings: Vec<(SideName, Finding)> = Vec::new();
    for (side, keys) in [(SideName::Left, found.left), (SideName::Right, found.right)] {
        let own = sides.get(side).snapshot.findings().iter().cloned();
        findings.extend(own.chain(keys).map(|finding| (side, finding)));
    }
    let plan = Plan::new(Body {
        basis: Basis {
            dataset: format!("{} {}", definition.name, definition.fingerprint()?),
            dataset_version: 1,
            base_version: known.version,
            content,
            schema: settled.schema,
        },
        result,
        findings: findings.iter().map(|(_, finding)| finding.clone()).collect(),
        halts,
    });
    Ok(Planned {
        plan,
        sides,
        reasons,
        headers: settled.headers,
        optional,
        marks: settled.marks,
        findings,
        unchanged: u64::try_from(unchanged).unwrap_or(u64::MAX),
        set_aside: u64::try_from(aside.left + aside.right).unwrap_or(u64::MAX),
        order,
    })
}

/// Returns the columns that each side should have and lost, and those that it gets when they are needed.
fn absent(
    sides: &PerSide<Scan>,
    settled: &Settled,
    known: &Known,
) -> (PerSide<Vec<usize>>, PerSide<Vec<usize>>) {
    let learned = known.mapped();
    let mut missing: PerSide<Vec<usize>> = PerSide::default();
    let mut optional: PerSide<Vec<usize>> = PerSide::default();
    for side in SideName::BOTH {
        let there = sides.get(side).snapshot.headers();
        let columns = settled.schema.columns.iter().zip(settled.headers.get(side)).enumerate();
        for (index, (column, header)) in columns {
            let Some(header) = header.as_ref().filter(|header| !there.contains(header)) else {
                continue;
            };
            let mark = settled.marks.get(side).as_ref();
            if mark.is_some_and(|mark| mark.column == column.name) {
                optional.get_mut(side).push(index);
            } else if learned.contains(&column.name) && !there.is_empty() && !there.contains(header)
            {
                missing.get_mut(side).push(index);
            }
        }
    }
    (missing, optional)
}

fn view<'a>(snapshot: &'a Snapshot, settled: &'a Settled, side: SideName) -> Result<View<'a>> {
    let columns = settled.schema.columns.iter().zip(settled.headers.get(side));
    let mapping: Vec<Mapping> = columns
        .filter_map(|(column, header)| Some(Mapping::new(&column.name, header.as_ref()?)))
        .collect();
    snapshot.view(&settled.schema, &mapping).map_err(|error| {
        Error::invalid(error.to_string()).context(side.as_str()).next("correct columns and key")
    })
}

fn base_view<'a>(snapshot: &'a Snapshot, schema: &'a Schema) -> Result<View<'a>> {
    snapshot.view_by_name(schema).map_err(|error| {
        Error::invalid(format!("what both sides last agreed on does not fit: {error}"))
            .next("the key of a dataset cannot change: give the dataset another name")
    })
}

/// Returns a snapshot without rows that has every column of the schema.
fn nothing(schema: &Schema) -> Snapshot {
    SnapshotBuilder::new(schema.columns.iter().map(|column| column.name.clone())).finish()
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
fn order(changes: &[Change], source: &View<'_>) -> Vec<usize> {
    let mut inserted: HashMap<&Key, usize> = changes
        .iter()
        .filter(|change| change.kind == ChangeKind::Insert)
        .map(|change| (&change.key, usize::MAX))
        .collect();
    if !inserted.is_empty() {
        for row in 0..source.len() {
            if let Some(place) = inserted.get_mut(&source.key(row)) {
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
