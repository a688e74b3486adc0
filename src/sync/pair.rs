//! From two sides to a plan: agree on columns and types, reconcile, check.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use lockstep_engine::{
    dataset::{PerSide, SideName},
    findings::Finding,
    key::Key,
    plan::{Basis, Body, Decided, Plan},
    reconcile::{Change, ChangeKind, Reconciler},
    safety::{self, Halt, Seen, SideSeen},
    schema::Schema,
    snapshot::{Mapping, Snapshot, SnapshotBuilder, View},
    terms::Terms,
    views::feed_views,
};

use super::{
    columns::{check_headers, check_key, columns, schema, widened},
    conflicts::{feed, find},
    content::Content,
    definition::Definition,
    expected::{Judged, judge},
    known::Known,
    policy::{Settled, settle},
    prepare::{Member, Planned},
    retyped::retyped,
};
use crate::{
    error::{Error, Result},
    replica::{scan::Scan, sheet_types},
};

/// Compares two sides as they were read, and makes the plan.
///
/// # Errors
/// Columns that do not fit the sides, and a policy that does not fit the columns.
pub(super) fn compare(
    definition: &Definition,
    members: Vec<Member>,
    known: &Known,
    now: Timestamp,
) -> Result<Planned> {
    let mut members = members.into_iter();
    let (Some(left), Some(right)) = (members.next(), members.next()) else {
        return Err(Error::internal("a pair has two sides"));
    };
    let mut read = PerSide { left: left.read, right: right.read };
    let mut recalled = PerSide { left: left.recalled, right: right.recalled };
    let mut sides = PerSide { left: left.scan, right: right.scan };
    for side in SideName::BOTH {
        check_headers(&sides.get(side).snapshot, side.as_str())?;
    }
    let learned = known.base(SideName::Right.as_str());
    let columns = columns(definition, &sides, &known.mapped())?;
    check_key(definition, &columns, &sides)?;
    for side in SideName::BOTH {
        for column in &columns {
            let nulls = [definition.nulls.as_slice(), &column.nulls];
            sheet_types::check(&sides.get(side).errors, column.header(side), &nulls)
                .map_err(|error| error.context(side.as_str()))?;
        }
    }
    let (schema, reasons) = schema(definition, &columns, &sides, known.schema.as_ref());
    let settled = settle(definition, &columns, schema, &sides);

    let (missing, optional) = absent(&sides, &settled, known);
    for side in SideName::BOTH {
        let headers = settled.headers.get(side).iter().flatten();
        let scan = sides.get_mut(side);
        scan.snapshot = widened(std::mem::take(&mut scan.snapshot), headers);
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
    let agreed = match (definition.has_base(), learned.version) {
        (false, _) => None,
        (true, None) => Some(&empty),
        (true, Some(_)) => Some(&learned.snapshot),
    };
    let base = agreed.map(|snapshot| base_view(snapshot, &settled.schema)).transpose()?;
    let keys: BTreeSet<&Key> = known.times().map(|one| &one.key).collect();
    let bases: Vec<_> = base.iter().map(|base| feed::rows_of(base, &keys)).collect();
    let present = |name: SideName, view| feed::Present {
        name: name.as_str(),
        rows: feed::rows_of(view, &keys),
        bases: bases.clone(),
    };
    let present = [present(SideName::Left, &left), present(SideName::Right, &right)];
    let times = feed::times(known, &settled.schema, &present, SideName::Right.as_str(), now);
    let decisions = feed::decisions(known, &settled.schema);
    let mut reconciler = Reconciler::new(&terms, &times);
    if definition.has_base() {
        reconciler = reconciler.tombstones(&learned.tombstones).decisions(&decisions);
    }
    let found = feed_views(&mut reconciler, base.as_ref(), &left, &right);
    let mut result = reconciler.finish();
    if let Some(only) = &definition.only {
        result.restrict(|key| only.contains(&key.to_string()));
    }

    let aside = PerSide { left: set_aside(&found.left), right: set_aside(&found.right) };
    let name = |column: &usize| Some(settled.schema.columns.get(*column)?.name.clone());
    let seen = |side: SideName, view: &View<'_>| SideSeen {
        rows: view.len(),
        set_aside: *aside.get(side),
        missing: missing.get(side).iter().filter_map(name).collect(),
        retyped: known.schema.as_ref().map(|_| retyped(view)).unwrap_or_default(),
    };
    let seen = Seen {
        base_rows: learned.snapshot.len(),
        sides: PerSide { left: seen(SideName::Left, &left), right: seen(SideName::Right, &right) },
    };
    let mut halts = safety::check(&result, &seen, &settled.policy);
    let mut judged = PerSide::<Judged>::default();
    for (side, view) in [(SideName::Left, &left), (SideName::Right, &right)] {
        let name = side.as_str();
        let found = judge(definition, &settled.schema, &known.referred, name, view, Some(now))?;
        halts.extend(found.halts.iter().cloned());
        *judged.get_mut(side) = found;
    }
    let changed = result.right.iter().filter(|change| change.row.is_some()).count();
    let unchanged = right.len().saturating_sub(aside.right).saturating_sub(changed);
    let mut order =
        PerSide { left: order(&result.left, &[&right]), right: order(&result.right, &[&left]) };
    let mut keys = PerSide { left: found.left, right: found.right };
    let mut headers = settled.headers;
    let mut marks = settled.marks;
    let mut optional = optional;
    let mut members = Vec::new();
    for (side, scan) in [(SideName::Left, sides.left), (SideName::Right, sides.right)] {
        let own = scan.snapshot.findings().iter().cloned();
        let aside = *aside.get(side);
        members.push(Member {
            findings: own
                .chain(std::mem::take(keys.get_mut(side)))
                .chain(std::mem::take(&mut judged.get_mut(side).findings))
                .collect(),
            headers: std::mem::take(headers.get_mut(side)),
            optional: std::mem::take(optional.get_mut(side)),
            mark: marks.get_mut(side).take(),
            order: std::mem::take(order.get_mut(side)),
            set_aside: u64::try_from(aside).unwrap_or(u64::MAX),
            unchanged: match side {
                SideName::Left => 0,
                SideName::Right => u64::try_from(unchanged).unwrap_or(u64::MAX),
            },
            read: std::mem::take(read.get_mut(side)),
            recalled: recalled.get_mut(side).take(),
            ..Member::new(side.as_str(), scan)
        });
    }
    let result = Decided::from(result);
    let seen = definition.has_base().then(|| {
        let only = definition.only.as_ref();
        find::seen(known, &settled.schema, &result, &[], BTreeSet::new(), only, now)
    });
    let plan = plan(definition, known, settled.schema, result, halts, &mut members)?;
    Ok(Planned { plan, members, reasons, due: false, mark: 0, seen, limited: false })
}

/// Makes the plan of what was decided.
///
/// # Errors
/// A definition without a JSON form, which is a defect.
pub(super) fn plan(
    definition: &Definition,
    known: &Known,
    schema: Schema,
    result: Decided,
    halts: Vec<Halt>,
    members: &mut [Member],
) -> Result<Plan> {
    for member in members.iter_mut().filter(|member| member.down.is_none()) {
        let own = view_of(&member.scan.snapshot, &schema, &member.headers, &member.name)?;
        member.content = Content::of(&own);
    }
    let read = members.iter().filter(|member| member.down.is_none());
    let content = read.map(|one| (one.name.clone(), one.content.name(&one.headers)));
    Ok(Plan::new(Body {
        basis: Basis {
            dataset: definition.name.clone(),
            definition: definition.fingerprint()?,
            bases: known.versions(),
            content: content.collect(),
            schema,
        },
        result,
        findings: members.iter().flat_map(|member| member.findings.iter().cloned()).collect(),
        halts,
    }))
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
    view_of(snapshot, &settled.schema, settled.headers.get(side), side.as_str())
}

/// Sees a snapshot through the columns of a schema.
///
/// # Errors
/// A key column that is not there.
pub(super) fn view_of<'a>(
    snapshot: &'a Snapshot,
    schema: &'a Schema,
    headers: &[Option<String>],
    name: &str,
) -> Result<View<'a>> {
    let columns = schema.columns.iter().zip(headers);
    let mapping: Vec<Mapping> = columns
        .filter_map(|(column, header)| Some(Mapping::new(&column.name, header.as_ref()?)))
        .collect();
    snapshot.view(schema, &mapping).map_err(|error| {
        Error::invalid(error.to_string()).context(name.to_owned()).next("correct columns and key")
    })
}

/// Sees base through the columns of a schema.
///
/// # Errors
/// A key that is not the one that base was learned with.
pub(super) fn base_view<'a>(snapshot: &'a Snapshot, schema: &'a Schema) -> Result<View<'a>> {
    snapshot.view_by_name(schema).map_err(|error| {
        Error::invalid(format!("what both sides last agreed on does not fit: {error}"))
            .next("the key of a dataset cannot change: give the dataset another name")
    })
}

/// Returns a snapshot without rows that has every column of the schema.
pub(super) fn nothing(schema: &Schema) -> Snapshot {
    SnapshotBuilder::new(schema.columns.iter().map(|column| column.name.clone())).finish()
}

/// Returns how many rows a side has that cannot be told apart.
pub(super) fn set_aside(findings: &[Finding]) -> usize {
    let rows = findings.iter().map(|finding| match finding {
        Finding::DuplicateKey { rows, .. } => rows.len(),
        Finding::BlankKey { .. } => 1,
        _ => 0,
    });
    rows.sum()
}

/// Returns the positions of the changes with the new rows in the order of the sources, after all others.
pub(super) fn order(changes: &[Change], sources: &[&View<'_>]) -> Vec<usize> {
    let mut inserted: HashMap<&Key, usize> = changes
        .iter()
        .filter(|change| change.kind == ChangeKind::Insert)
        .map(|change| (&change.key, usize::MAX))
        .collect();
    if !inserted.is_empty() {
        let rows = sources.iter().flat_map(|source| (0..source.len()).map(|row| source.key(row)));
        for (row, key) in rows.enumerate() {
            if let Some(place) = inserted.get_mut(&key).filter(|place| **place == usize::MAX) {
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
