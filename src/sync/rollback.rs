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
    schema::Schema,
    table::Table,
    terms::Terms,
    times::Times,
    value::Row,
};

use super::{
    Shell,
    columns::widened,
    describe::{Done, report},
    history::find,
    images, plans,
    prepare::Planned,
    report::{Report, State},
    rest,
    saved::{self, Saved},
    turn,
    write::{Job, write},
};
use crate::{
    error::{Error, Result},
    replica::{
        apply::Guard,
        scan::{Role, Scan, scan},
    },
    store::{Action, Base, BatchState, Run, RunKind, RunState},
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
    keep(shell, &run, &planned).await?;
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
        if let Some(named) = plan_id {
            plans::check(shell, named, &planned.plan, "rollbackSync").await?;
        }
        let done = Done { recovered, undoes: Some(run.id.clone()), ..Done::default() };
        if planned.plan.is_quiet() {
            return Ok(report(shell, &run.dataset, &planned, State::InStep, sample, &done));
        }
        keep(shell, &run, &planned).await?;
        let (base, base_columns) = base_moves(shell, &run, &planned).await?;
        let job = Job {
            dataset: &run.dataset,
            guard,
            kind: RunKind::Rollback,
            undoes: Some(run.id.clone()),
            planned: &planned,
            base: &base,
            base_columns,
        };
        match write(shell, &job, lease).await {
            Ok(written) => {
                let done = Done { recovered, undoes: Some(run.id.clone()), ..written };
                Ok(report(shell, &run.dataset, &planned, State::Applied, sample, &done))
            }
            Err(stopped) => Err(stopped.into()),
        }
    })
    .await
}

async fn keep(shell: &Shell, run: &Run, planned: &Planned) -> Result<()> {
    plans::keep(shell, &planned.plan, &serde_json::json!({ "undoes": run.id })).await
}

async fn prepare(shell: &Shell, undo: &Undo) -> Result<(Run, Planned, Guard)> {
    let run = find(shell, &undo.run).await?;
    check(&run)?;
    let (saved, types) = dataset(shell, &run).await?;
    shell.reach.progress.step(0, None, "reading what the run wrote and what is there now");
    let images = written(shell, &run, undo.keys.as_ref()).await?;
    let mut result = Reconciled::default();
    let schema = rest::schema(&run.columns, &types, &images);
    let mut sides = PerSide { left: Scan::nothing(), right: Scan::nothing() };
    let mut headers: PerSide<Vec<Option<String>>> = PerSide::default();
    let mut optional: PerSide<Vec<usize>> = PerSide::default();
    for side in SideName::BOTH {
        let actions = images.get(side);
        let names = images::headers(&saved, &schema, side);
        if actions.is_empty() {
            headers.get_mut(side).resize(schema.columns.len(), None);
            continue;
        }
        let source = saved.definition.source(side);
        let role = Role::Both { side, typed: true };
        let mut now = scan(&shell.reach, source, role, None).await?;
        // What the side does not have was never written there, or is written only where an image needs it.
        *optional.get_mut(side) = (0..names.len())
            .filter(|at| {
                let header = names.get(*at).and_then(Option::as_ref);
                header.is_some_and(|header| !now.snapshot.headers().contains(header))
            })
            .collect();
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
            dataset: run.dataset.clone(),
            definition: format!("rollback of {}", run.id),
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
        optional,
        marks: PerSide::default(),
        findings: Vec::new(),
        unchanged: 0,
        set_aside: 0,
        order,
    };
    Ok((run, planned, saved.definition.guard))
}

/// Returns the dataset of a run, and the types that its last run found.
async fn dataset(shell: &Shell, run: &Run) -> Result<(Saved, Schema)> {
    let gone = || {
        Error::not_found(format!("the dataset \"{}\" of run {} is gone", run.dataset, run.id))
            .next("without its definition nobody knows which replicas the run wrote to")
    };
    let saved = saved::load(shell, &run.dataset).await?.ok_or_else(gone)?;
    let schema = saved.schema.clone().ok_or_else(gone)?;
    Ok((saved, schema))
}

fn check(run: &Run) -> Result<()> {
    match (&run.undone_by, run.state) {
        (Some(by), _) => {
            Err(Error::invalid(format!("run {} was taken back by run {by} already", run.id))
                .next(format!("to have its changes again, take run {by} back")))
        }
        (None, RunState::Applying) => {
            Err(Error::invalid(format!("run {} is not at its end", run.id))
                .next("wait for it, or call syncDataset for its dataset, which settles it"))
        }
        (None, RunState::Failed) => Err(Error::invalid(format!("run {} wrote nothing", run.id))
            .next("syncHistory lists the runs; there is nothing to take back here")),
        (None, RunState::Applied | RunState::Partial) => Ok(()),
    }
}

/// Returns what the run wrote, by side.
async fn written(
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
    let view = images::view(now, schema, headers, side)?;
    let keys: BTreeSet<&Key> = actions.iter().map(|action| &action.key).collect();
    let before = Table::from_rows(schema, actions.iter().filter_map(|a| a.before.clone()));
    let after = Table::from_rows(schema, actions.iter().filter_map(|a| a.after.clone()));
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

/// Returns the moves of base that go with the way back, and base's columns: what the run taught it is forgotten where
/// it was undone.
async fn base_moves(
    shell: &Shell,
    run: &Run,
    planned: &Planned,
) -> Result<(Vec<BaseChange>, Vec<String>)> {
    let schema = &planned.plan.body().basis.schema;
    let now = by_key(shell.store.base(&run.dataset).await?, schema);
    let (taught, before) = match run.base_version {
        None => (Known::default(), Known::default()),
        Some(version) => {
            let earlier = match version.checked_sub(1) {
                None | Some(0) => None,
                Some(earlier) => shell.store.base_at(&run.dataset, earlier).await?,
            };
            let taught = shell.store.base_at(&run.dataset, version).await?;
            (by_key(taught, schema), by_key(earlier, schema))
        }
    };
    let held: BTreeSet<&Key> =
        planned.plan.body().result.conflicts.iter().map(|conflict| &conflict.key).collect();
    let mut moves: BTreeMap<Key, BaseChange> = BTreeMap::new();
    for side in SideName::BOTH {
        for change in planned.writes(side) {
            let (was, taught, now_row) =
                (before.row(&change.key), taught.row(&change.key), now.row(&change.key));
            if was == taught || taught != now_row {
                // The run did not teach this, or a later one taught more.
                continue;
            }
            let back = match (was, now_row) {
                (Some(was), Some(row)) if held.contains(&change.key) => {
                    Some(now.with(row, was, &change.cells, schema))
                }
                (was, _) => was.cloned(),
            };
            let entry =
                BaseChange { key: change.key.clone(), before: now_row.cloned(), after: back };
            moves.insert(change.key.clone(), entry);
        }
    }
    Ok((moves.into_values().collect(), now.columns))
}

/// A version of base by key.
#[derive(Default)]
struct Known {
    columns: Vec<String>,
    rows: BTreeMap<Key, Row>,
}

impl Known {
    fn row(&self, key: &Key) -> Option<&Row> {
        self.rows.get(key)
    }

    /// Returns a row with some cells of another.
    fn with(&self, row: &Row, other: &Row, cells: &[usize], schema: &Schema) -> Row {
        let mut row = row.clone();
        for name in cells.iter().filter_map(|at| Some(&schema.columns.get(*at)?.name)) {
            let at = self.columns.iter().position(|known| known == name);
            if let Some((slot, value)) = at.and_then(|at| Some((row.get_mut(at)?, other.get(at)?)))
            {
                *slot = value.clone();
            }
        }
        row
    }
}

fn by_key(base: Option<Base>, schema: &Schema) -> Known {
    let Some(base) = base else { return Known::default() };
    let key: Vec<usize> = schema
        .key
        .iter()
        .filter_map(|at| schema.columns.get(*at))
        .filter_map(|column| base.columns.iter().position(|name| *name == column.name))
        .collect();
    let of = |row: &Row| {
        let values = key.iter().filter_map(|at| row.get(*at)).cloned();
        Key::normalised(values, schema.fold_key_case)
    };
    Known {
        rows: base.rows.iter().map(|row| (of(row), row.clone())).collect(),
        columns: base.columns,
    }
}
