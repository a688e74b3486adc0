//! From a hub and its spokes to a plan: agree on columns and types, decide on all of them at once, check.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use lockstep_engine::{
    hub::{HUB, Spoke, reconcile_hub},
    infer::{Declared, infer},
    join::join,
    key::Key,
    plan::Decided,
    reconcile::Side,
    safety::{self, Halt, SideSeen},
    schema::Schema,
    snapshot::View,
    table::Table,
    times::Times,
    value::Row,
};

use super::{
    columns::{Place, check_headers, declared, widened},
    conflicts::{
        feed,
        find::{self, Compared},
    },
    definition::{ColumnDef, Definition},
    expected::judge,
    known::Known,
    pair::{base_view, order, plan, set_aside, view_of},
    prepare::{Member, Planned},
    retyped::retyped,
    spoke_columns::{check_key, columns, headers, learned},
    spoke_terms::{HubTerms, settle},
};
use crate::{
    error::{Error, Result},
    replica::sheet_types,
};

/// Compares a hub and its spokes as they were read, and makes the plan.
///
/// # Errors
/// Columns that do not fit the hub, and a policy that does not fit the columns; a spoke whose header is broken is left
/// out instead, as one that cannot be read.
pub(super) fn compare(
    definition: &Definition,
    mut members: Vec<Member>,
    known: &Known,
    now: Timestamp,
) -> Result<Planned> {
    for member in &mut members {
        match check_headers(&member.scan.snapshot, &member.name) {
            Err(error) if member.name != HUB => leave_out(member, error.to_string()),
            checked => checked?,
        }
    }
    let columns = columns(definition, &members, &known.mapped())?;
    for member in &mut members {
        member.headers = headers(definition, &columns, member, known)?;
        let readable = columns.iter().zip(&member.headers).try_for_each(|(column, header)| {
            let nulls = [definition.nulls.as_slice(), &column.nulls];
            let header = header.as_deref().unwrap_or_default();
            sheet_types::check(&member.scan.errors, header, &nulls)
        });
        let checked = check_refused(member).and_then(|()| check_key(definition, &columns, member));
        match checked.and(readable) {
            Err(error) if member.name != HUB => leave_out(member, error.to_string()),
            checked => checked?,
        }
    }
    let declare = |(at, column): (usize, &ColumnDef)| {
        let header = |member: &Member| member.headers.get(at).cloned().flatten();
        let headers: Vec<Option<String>> = members.iter().map(header).collect();
        let places = members.iter().zip(&headers);
        let places: Vec<Place<'_>> = places
            .map(|(member, header)| Place { header: header.as_deref(), scan: &member.scan })
            .collect();
        declared(column, &definition.nulls, known.schema.as_ref(), &places, places.len())
    };
    let declared: Vec<Declared> = columns.iter().enumerate().map(declare).collect();
    let snapshots: Vec<_> = members.iter().map(|member| &member.scan.snapshot).collect();
    let (schema, reasons) = infer(&snapshots, &declared);
    let key = |name: &String| columns.iter().position(|column| column.name == *name);
    let schema = Schema::new(schema.columns, definition.key.iter().filter_map(key).collect());

    let missing: Vec<Vec<usize>> =
        members.iter().map(|member| missing(&columns_of(&schema), member, known)).collect();
    let HubTerms { schema, all, spokes } = settle(definition, schema, &mut members, &missing)?;
    for member in &mut members {
        let lacks = |header: &String| !member.scan.snapshot.headers().contains(header);
        let mark = member.mark.as_ref().map(|mark| &mark.column);
        let own = schema.columns.iter().zip(&member.headers).enumerate();
        let own = own.filter(|(_, (column, header))| {
            Some(&column.name) == mark && header.as_ref().is_some_and(lacks)
        });
        member.optional = own.map(|(at, _)| at).collect();
        if member.down.is_none() {
            let own = std::mem::take(&mut member.scan.snapshot);
            member.scan.snapshot = widened(own, member.headers.iter().flatten());
        }
    }
    let (result, halts, looks, seen) = {
        let mut views: Vec<Option<View<'_>>> = Vec::new();
        for Member { scan, headers, name, down, .. } in &members {
            views.push(match down {
                Some(_) => None,
                None => Some(view_of(&scan.snapshot, &schema, headers, name)?),
            });
        }
        let tables: Vec<Table> = views.iter().map(|view| table(&schema, view.as_ref())).collect();
        let bases: Vec<Option<Table>> = members
            .iter()
            .map(|member| base(&schema, known, &member.name))
            .collect::<Result<_>>()?;
        let side = |at: usize, table| match views.get(at) {
            Some(Some(_)) => Side::complete(table),
            _ => Side::partial(table),
        };
        let times = times(known, &schema, &members, &tables, &bases, now);
        let spokes: Vec<Spoke<'_>> = members
            .iter()
            .zip(&tables)
            .zip(&bases)
            .enumerate()
            .skip(1)
            .zip(&spokes)
            .zip(&times)
            .map(|(((at, ((member, table), base)), terms), times)| Spoke {
                name: &member.name,
                terms,
                base: base.as_ref(),
                side: side(at, table),
                times,
            })
            .collect();
        let nothing = Table::default();
        let decisions = feed::hub_decisions(known, &schema);
        let hub = side(0, tables.first().unwrap_or(&nothing));
        let mut result = Decided::from(reconcile_hub(hub, &spokes, &all, &decisions));
        if let Some(only) = &definition.only {
            result.restrict(|key| only.contains(&key.to_string()));
        }
        let looks: Vec<Looked> = members
            .iter()
            .zip(&views)
            .map(|(member, view)| looked(member, view.as_ref(), &views, &result))
            .collect();
        let read = members.iter().zip(&tables).zip(&bases);
        let read = read.filter(|((member, _), _)| member.down.is_none());
        let read: Vec<Compared<'_>> = read
            .map(|((member, rows), base)| Compared {
                name: &member.name,
                rows,
                base: base.as_ref(),
            })
            .collect();
        let down = members.iter().filter(|member| member.down.is_some());
        let down = down.map(|member| member.name.clone()).collect();
        let only = definition.only.as_ref();
        let seen = Some(find::seen(known, &schema, &result, &read, down, only, now));
        let mut halts =
            halts(definition, known, &schema, &members, &views, &looks, &missing, &result);
        let mut looks = looks;
        for ((member, view), look) in members.iter().zip(&views).zip(&mut looks) {
            let Some(view) = view else { continue };
            let name = &member.name;
            let judged = judge(definition, &schema, &known.referred, name, view, Some(now))?;
            look.findings.extend(judged.findings);
            halts.extend(judged.halts);
        }
        (result, halts, looks, seen)
    };
    for (member, look) in members.iter_mut().zip(looks) {
        let own = member.scan.snapshot.findings().iter().cloned();
        member.findings = own.chain(look.findings).collect();
        member.set_aside = look.aside as u64;
        member.unchanged = look.unchanged;
        member.order = look.order;
    }
    let plan = plan(definition, known, schema, result, halts, &mut members)?;
    Ok(Planned { plan, members, reasons, due: false, mark: 0, seen, limited: false })
}

/// Returns, for each spoke, when pending values of it and of the hub were first seen.
fn times(
    known: &Known,
    schema: &Schema,
    members: &[Member],
    tables: &[Table],
    bases: &[Option<Table>],
    now: Timestamp,
) -> Vec<Times> {
    let keys: BTreeSet<&Key> = known.times().map(|one| &one.key).collect();
    let some = |table: &Table| -> BTreeMap<Key, Row> {
        let row = |key: &&Key| Some(((*key).clone(), table.get(key)?.clone()));
        keys.iter().filter_map(row).collect()
    };
    let all: Vec<BTreeMap<Key, Row>> = bases.iter().flatten().map(some).collect();
    let read = members.iter().zip(tables).zip(bases);
    let present: Vec<feed::Present<'_>> = read
        .filter(|((member, _), _)| member.down.is_none())
        .map(|((member, rows), base)| feed::Present {
            name: &member.name,
            rows: some(rows),
            bases: base.as_ref().map_or_else(|| all.clone(), |base| vec![some(base)]),
        })
        .collect();
    let spokes = members.iter().skip(1);
    spokes.map(|spoke| feed::times(known, schema, &present, &spoke.name, now)).collect()
}

/// Leaves a spoke out of the comparison, and says why.
fn leave_out(member: &mut Member, why: String) {
    *member = Member::down(&member.name, why);
}

/// Checks that the mapped columns are not among those that the member's own schema says cannot be read.
fn check_refused(member: &Member) -> Result<()> {
    let Some(catalogue) = &member.scan.catalogue else { return Ok(()) };
    let why = |header: &String| Some((header.clone(), catalogue.refused.get(header)?));
    match member.headers.iter().flatten().find_map(why) {
        None => Ok(()),
        Some((header, why)) => Err(Error::invalid(format!(
            "the column \"{header}\" of {} cannot be kept in step: {why}",
            member.name
        ))
        .next("map other columns and leave this one out")),
    }
}

fn columns_of(schema: &Schema) -> Vec<String> {
    schema.columns.iter().map(|column| column.name.clone()).collect()
}

/// Returns the columns that a member had when it last agreed, and has no more.
fn missing(columns: &[String], member: &Member, known: &Known) -> Vec<usize> {
    let there = member.scan.snapshot.headers();
    let gone = |(at, name): (usize, &String)| {
        let header = member.headers.get(at)?.as_ref()?;
        let lost = !there.is_empty() && !there.contains(header);
        (lost && learned(known, &member.name, name)).then_some(at)
    };
    columns.iter().enumerate().filter_map(gone).collect()
}

fn table(schema: &Schema, view: Option<&View<'_>>) -> Table {
    let rows = view.into_iter().flat_map(|view| (0..view.len()).map(|row| view.row(row)));
    Table::from_rows(schema, rows)
}

fn base(schema: &Schema, known: &Known, member: &str) -> Result<Option<Table>> {
    let base = known.base(member);
    if base.version.is_none() {
        return Ok(None);
    }
    let view = base_view(&base.snapshot, schema)?;
    Ok(Some(table(schema, Some(&view))))
}

/// What was seen of one member.
struct Looked {
    findings: Vec<lockstep_engine::findings::Finding>,
    aside: usize,
    unchanged: u64,
    order: Vec<usize>,
}

fn looked(
    member: &Member,
    view: Option<&View<'_>>,
    views: &[Option<View<'_>>],
    result: &Decided,
) -> Looked {
    let findings = view.map(|view| join(&[Some(view)]).findings(0, view)).unwrap_or_default();
    let aside = set_aside(&findings);
    let changes = result.writes(&member.name);
    let changed = changes.iter().filter(|change| change.row.is_some()).count();
    let rows = view.map_or(0, View::len);
    let sources: Vec<&View<'_>> = views.iter().flatten().collect();
    Looked {
        unchanged: rows.saturating_sub(aside).saturating_sub(changed) as u64,
        order: order(changes, &sources),
        findings,
        aside,
    }
}

#[expect(clippy::too_many_arguments, reason = "everything that was seen, at one place")]
fn halts(
    definition: &Definition,
    known: &Known,
    schema: &Schema,
    members: &[Member],
    views: &[Option<View<'_>>],
    looks: &[Looked],
    missing: &[Vec<usize>],
    result: &Decided,
) -> Vec<Halt> {
    let agreed = |name: &str| known.base(name).snapshot.len();
    let elsewhere = || views.iter().skip(1).flatten().map(View::len).max().unwrap_or(0);
    let known_rows = |member: &Member| match member.name.as_str() {
        HUB => {
            let spokes = definition.spokes().iter().map(|spoke| agreed(&spoke.name));
            let only_read = !definition.writes_hub();
            spokes.max().unwrap_or(0).max(if only_read { elsewhere() } else { 0 })
        }
        spoke => agreed(spoke),
    };
    let mut halts = Vec::new();
    for (((member, view), look), missing) in members.iter().zip(views).zip(looks).zip(missing) {
        let Some(view) = view else { continue };
        let name = |column: &usize| Some(schema.columns.get(*column)?.name.clone());
        let seen = SideSeen {
            rows: view.len(),
            set_aside: look.aside,
            missing: missing.iter().filter_map(name).collect(),
            retyped: known.schema.as_ref().map(|_| retyped(view)).unwrap_or_default(),
        };
        let writes = result.writes(&member.name);
        let safety = &definition.policy.safety;
        halts.extend(safety::check_member(&member.name, writes, &seen, known_rows(member), safety));
    }
    halts
}
