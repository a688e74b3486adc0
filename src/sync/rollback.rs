//! Takes a run back: the same engine with the roles turned.
//!
//! Base is what the run wrote, left what was there before, right what is there
//! now. What someone changed since then stays, and is listed as a conflict.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::{
    dataset::{Clash, DeletePolicy, Deletes, Direction, Granularity, PerSide, Policy, SideName},
    key::Key,
    plan::{Basis, Body, Plan},
    reconcile::{BaseChange, Reconciled, Side, reconcile},
    schema::{Column, Schema},
    snapshot::Mapping,
    table::Table,
    terms::Terms,
    times::Times,
    value::{Row, Value},
};

use super::{
    Shell,
    columns::widened,
    definition::{Definition, Disappeared},
    describe::{Done, report, short},
    policy::mark_names,
    prepare::Planned,
    report::{Report, State},
    rest::{self, Rest},
    turn,
    write::{Job, Stopped, write},
};
use crate::{
    error::{Error, Kind, Result},
    replica::{
        apply::Guard,
        scan::{Role, Scan, scan},
    },
    store::{
        journal::{Action, BatchState},
        lease::Lease,
        runs::{Run, RunKind, RunState},
    },
};

/// What is to be taken back.
#[derive(Clone, Debug)]
pub(crate) struct Undo {
    /// The run's id, or its first digits.
    pub(crate) run: String,
    /// The keys, as their values are shown; all of the run's if not named.
    pub(crate) keys: Option<BTreeSet<String>>,
}

/// Shows what taking a run back would write; nothing is written.
///
/// # Errors
/// A run that is unknown, still open, without effect or taken back already, and sides that cannot be read.
pub(crate) async fn plan(shell: &Shell, undo: &Undo, sample: usize) -> Result<Report> {
    let (run, planned, _) = prepare(shell, undo).await?;
    let state = if planned.plan.is_quiet() { State::InStep } else { State::Planned };
    let done = Done { undoes: Some(run.id.clone()), ..Done::default() };
    Ok(report(shell, &run.dataset, &planned, state, sample, &done))
}

/// Takes a run back; with a plan id only if the plan is still the same.
///
/// # Errors
/// See [`plan`]; and whatever kept the writes from being confirmed.
pub(crate) async fn apply(
    shell: &Shell,
    undo: &Undo,
    plan_id: Option<&str>,
    sample: usize,
) -> Result<Report> {
    let run = find(shell, &undo.run).await?;
    turn::with(shell, &run.dataset, async |lease, recovered| {
        let (run, planned, guard) = prepare(shell, undo).await?;
        if let Some(named) = plan_id.filter(|named| !planned.plan.id().starts_with(*named)) {
            return Err(stale(named, &planned));
        }
        let done = Done { recovered, undoes: Some(run.id.clone()), ..Done::default() };
        if planned.plan.is_quiet() {
            return Ok(report(shell, &run.dataset, &planned, State::InStep, sample, &done));
        }
        let (base, schema) = base_moves(shell, &run, &planned, lease).await?;
        let schema = schema.as_ref().unwrap_or(&planned.plan.body().basis.schema);
        let job = Job {
            dataset: &run.dataset,
            guard,
            kind: RunKind::Rollback,
            undoes: Some(run.id.clone()),
            planned: &planned,
            base: &base,
            base_schema: schema,
        };
        match write(shell, &job, lease).await {
            Ok(written) => {
                let done = Done { recovered, undoes: Some(run.id.clone()), ..written };
                Ok(report(shell, &run.dataset, &planned, State::Applied, sample, &done))
            }
            Err(Stopped { error, run: Some(run) }) => Err(error.context(format!("run {run}"))),
            Err(Stopped { error, run: None }) => Err(error),
        }
    })
    .await
}

fn stale(named: &str, planned: &Planned) -> Error {
    Error::new(
        Kind::StalePlan,
        format!(
            "the plan {named} does not describe what is there now; nothing was written. The fresh plan is {}",
            short(planned.plan.id())
        ),
    )
    .next("call rollbackSync without mode to see the fresh plan, then apply it by its planId")
}

async fn find(shell: &Shell, id: &str) -> Result<Run> {
    shell.store.run(id).await?.ok_or_else(|| {
        Error::not_found(format!("there is no run {id}"))
            .next("syncHistory lists the runs with their ids")
    })
}

async fn prepare(
    shell: &Shell,
    undo: &Undo,
) -> Result<(Run, Planned, Guard)> {
    let run = find(shell, &undo.run).await?;
    check(&run)?;
    let definition = definition(shell, &run).await?;
    shell.progress.step(0, None, "reading what the run wrote and what is there now");
    let images = images(shell, &run, undo.keys.as_ref()).await?;
    let mut result = Reconciled::default();
    let mut schema = run.schema.clone();
    let mut sides: PerSide<Scan> = PerSide::default();
    let mut headers: PerSide<Vec<Option<String>>> = PerSide::default();
    for side in SideName::BOTH {
        rest::extend(&mut schema, images.get(side), side);
    }
    for side in SideName::BOTH {
        let actions = images.get(side);
        let names = own_headers(&definition, &run.schema, &schema, side);
        if actions.is_empty() {
            headers.get_mut(side).resize(schema.columns.len(), None);
            continue;
        }
        let source = definition.source(side);
        let mut now = scan(&shell.google, &shell.files, source, Role::Both, side).await?;
        now.snapshot = widened(&now.snapshot, names.iter().flatten());
        let undone = take_back(&schema, &names, actions, &now, side)?;
        merge(&mut result, undone, side);
        *sides.get_mut(side) = now;
        *headers.get_mut(side) = names;
    }
    let content = PerSide::from_fn(|side| sides.get(side).snapshot.content_hash());
    let order = PerSide::from_fn(|side| (0..result.writes(side).len()).collect::<Vec<_>>());
    let plan = Plan::new(Body {
        basis: Basis {
            dataset: format!("rollback of {}", run.id),
            dataset_version: 1,
            base_version: None,
            content,
            schema,
        },
        result,
        findings: Vec::new(),
        halts: Vec::new(),
    });
    let planned = Planned {
        plan,
        sides,
        reasons: Vec::new(),
        headers,
        optional: PerSide::default(),
        findings: Vec::new(),
        unchanged: 0,
        set_aside: 0,
        order,
    };
    Ok((run, planned, definition.guard))
}

async fn definition(shell: &Shell, run: &Run) -> Result<Definition> {
    let saved = shell.store.dataset(&run.dataset).await?.ok_or_else(|| {
        Error::not_found(format!("the dataset \"{}\" of run {} is gone", run.dataset, run.id))
            .next("without its definition nobody knows which replicas the run wrote to")
    })?;
    serde_json::from_value(saved.definition).map_err(|error| {
        Error::internal(format!("the saved definition of \"{}\" does not read: {error}", run.dataset))
    })
}

fn check(run: &Run) -> Result<()> {
    match (&run.undone_by, run.state) {
        (Some(by), _) => Err(Error::invalid(format!("run {} was taken back by run {by} already", run.id))
            .next(format!("to have its changes again, take run {by} back"))),
        (None, RunState::Applying) => Err(Error::invalid(format!("run {} is not at its end", run.id))
            .next("wait for it, or call syncDataset for its dataset, which settles it")),
        (None, RunState::Failed) => Err(Error::invalid(format!("run {} wrote nothing", run.id))
            .next("syncHistory lists the runs; there is nothing to take back here")),
        (None, RunState::Applied | RunState::Partial) => Ok(()),
    }
}

/// Returns what the run wrote, by side.
async fn images(
    shell: &Shell,
    run: &Run,
    keys: Option<&BTreeSet<String>>,
) -> Result<PerSide<Vec<Action>>> {
    let mut images: PerSide<Vec<Action>> = PerSide::default();
    for batch in shell.store.batches(&run.id).await? {
        if batch.state == BatchState::Applied {
            images.get_mut(batch.side).extend(batch.actions);
        }
    }
    if let Some(keys) = keys {
        let mut found = BTreeSet::new();
        for side in SideName::BOTH {
            images.get_mut(side).retain(|action| {
                let name = action.key.to_string();
                let wanted = keys.contains(&name);
                if wanted {
                    found.insert(name);
                }
                wanted
            });
        }
        if let Some(unknown) = keys.iter().find(|key| !found.contains(*key)) {
            return Err(Error::not_found(format!(
                "argument keys: run {} did not write the key \"{unknown}\"",
                run.id
            ))
            .next("syncHistory with this runId lists the keys it wrote"));
        }
    }
    Ok(images)
}

/// Returns each column's header on a side: the run's columns by the definition, the others by their own name.
fn own_headers(
    definition: &Definition,
    run: &Schema,
    schema: &Schema,
    side: SideName,
) -> Vec<Option<String>> {
    let mark = match &definition.deletes {
        Disappeared::Mark { column, .. } => Some(column),
        Disappeared::Delete | Disappeared::Ignore => None,
    };
    let own = |column: &Column| -> Option<String> {
        if run.position(&column.name).is_none() {
            return rest::header(&column.name, side).map(str::to_owned);
        }
        let mapped = definition.columns.iter().flatten().find(|known| known.name == column.name);
        if let Some(known) = mapped {
            return Some(known.header(side).to_owned());
        }
        let marks = mark.filter(|mark| mark_names(mark, side).contains(&column.name));
        Some(marks.cloned().unwrap_or_else(|| column.name.clone()))
    };
    schema.columns.iter().map(own).collect()
}

/// Compares what the run wrote on a side with what is there now, and returns the way back.
fn take_back(
    schema: &Schema,
    headers: &[Option<String>],
    actions: &[Action],
    now: &Scan,
    side: SideName,
) -> Result<Reconciled> {
    let policy = Policy {
        direction: Direction::Both,
        clash: Clash::Hold,
        granularity: Granularity::Cell,
        deletes: DeletePolicy::new(Deletes::Ignore, Deletes::Delete),
        ..Policy::default()
    };
    let failed = |error: String| Error::internal(error).context(side.as_str());
    let mut terms = Terms::new(schema, &policy).map_err(|error| failed(error.to_string()))?;
    for (column, header) in headers.iter().enumerate() {
        if header.is_none() {
            terms = terms.lacking(SideName::Left, column).lacking(SideName::Right, column);
        }
    }
    let mapping: Vec<Mapping> = schema
        .columns
        .iter()
        .zip(headers)
        .filter_map(|(column, header)| {
            Some(Mapping::new(&column.name, header.as_ref()?))
        })
        .collect();
    let view = now.snapshot.view(schema, &mapping).map_err(|error| {
        Error::invalid(error.to_string())
            .context(side.as_str())
            .next("the columns that the run wrote must be there to take it back")
    })?;
    let keys: BTreeSet<&Key> = actions.iter().map(|action| &action.key).collect();
    let rest = Rest::of(schema, side);
    let wide = |row: &Option<Row>, action: &Action| {
        row.as_ref().map(|row| rest.widen(row, action))
    };
    let before = Table::from_rows(schema, actions.iter().filter_map(|a| wide(&a.before, a)));
    let after = Table::from_rows(schema, actions.iter().filter_map(|a| wide(&a.after, a)));
    let places: Vec<usize> = (0..view.len()).filter(|row| keys.contains(&view.key(*row))).collect();
    let there = Table::from_rows(schema, places.iter().map(|row| view.row(*row)));
    let times = Times::default();
    let mut result =
        reconcile(Some(&after), Side::complete(&before), Side::complete(&there), &terms, &times);
    for change in &mut result.right {
        change.row = change.row.and_then(|row| places.get(row).copied());
    }
    Ok(result)
}

/// Adds the way back of one side to that of both.
fn merge(all: &mut Reconciled, one: Reconciled, side: SideName) {
    let writes = match side {
        SideName::Left => &mut all.left,
        SideName::Right => &mut all.right,
    };
    *writes = one.right;
    let counts = match side {
        SideName::Left => &mut all.counts.left,
        SideName::Right => &mut all.counts.right,
    };
    *counts = one.counts.right;
    all.conflicts.extend(one.conflicts);
    all.withheld.extend(one.withheld);
}

/// Returns the moves of base that go with the way back: what the run taught it is forgotten where it was undone.
async fn base_moves(
    shell: &Shell,
    run: &Run,
    planned: &Planned,
    lease: &Lease,
) -> Result<(Vec<BaseChange>, Option<Schema>)> {
    let Some(base) = shell.store.base(&lease.dataset).await? else { return Ok((Vec::new(), None)) };
    let schema = &base.schema;
    let planned_schema = &planned.plan.body().basis.schema;
    let align = |row: &Row, from: &Schema| -> Row {
        let value = |column: &Column| {
            from.position(&column.name).and_then(|at| row.get(at)).cloned().unwrap_or(Value::Null)
        };
        schema.columns.iter().map(value).collect()
    };
    let known: BTreeMap<Key, Row> = base
        .rows
        .iter()
        .map(|row| (schema.key_of(row), row.clone()))
        .collect();
    let taught: BTreeMap<Key, (Option<Row>, Option<Row>)> = shell
        .store
        .intended_base(&run.id)
        .await?
        .into_iter()
        .map(|change| {
            let row = |row: Option<Row>| row.map(|row| align(&row, &run.schema));
            (change.key, (row(change.before), row(change.after)))
        })
        .collect();
    let held: BTreeSet<&Key> =
        planned.plan.body().result.conflicts.iter().map(|conflict| &conflict.key).collect();
    let mut moves: BTreeMap<Key, BaseChange> = BTreeMap::new();
    for side in SideName::BOTH {
        for change in planned.writes(side) {
            let Some((before, after)) = taught.get(&change.key) else { continue };
            let now = known.get(&change.key);
            if now != after.as_ref() {
                // The run did not get to teach this, or a later one taught more.
                continue;
            }
            let back = match (before, now) {
                (Some(before), Some(now)) if held.contains(&change.key) => {
                    let mut row = now.to_vec();
                    let names = change.cells.iter().filter_map(|at| planned_schema.columns.get(*at));
                    for column in names.filter_map(|column| schema.position(&column.name)) {
                        if let (Some(slot), Some(value)) = (row.get_mut(column), before.get(column)) {
                            *slot = value.clone();
                        }
                    }
                    Some(row.into_boxed_slice())
                }
                (before, _) => before.clone(),
            };
            let entry = moves.entry(change.key.clone()).or_insert_with(|| BaseChange {
                key: change.key.clone(),
                before: now.cloned(),
                after: now.cloned(),
            });
            entry.after = back;
        }
    }
    Ok((moves.into_values().collect(), Some(base.schema)))
}
