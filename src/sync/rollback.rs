//! Takes a run back: the same engine with the roles turned.
//!
//! Base is what the run wrote, left what was there before, right what is there
//! now. What someone changed since then stays, and is listed as a conflict.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::{
    dataset::SideName,
    hub::SpokeResult,
    key::Key,
    plan::{Basis, Body, Decided, Disagreement, Plan},
    reconcile::{Change, Reconciled},
    schema::Schema,
    snapshot::Snapshot,
    table::Table,
    undo,
};

use super::{
    Shell,
    ask::ask,
    columns::widened,
    describe::{Done, report},
    hidden::hidden,
    history::find,
    images, plans,
    prepare::{Member, Planned, look},
    report::{Report, State},
    rest,
    saved::{self, Saved},
    turn,
    unlearn::Memory,
    write::{Job, write},
};
use crate::{
    error::{Error, Kind, Result},
    replica::{
        apply::Guard,
        scan::{Role, Scan},
    },
    store::{Action, BatchState, Moves, Run, RunKind, RunState},
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
    let Prepared { run, planned, .. } = prepare(shell, undo).await?;
    let state = if planned.plan.is_quiet() { State::InStep } else { State::Planned };
    let done = Done { undoes: Some(run.id.clone()), ..Done::default() };
    let veil = hidden(&shell.store, &run.dataset).await?.keyed(&shell.key, &run.dataset);
    keep(shell, &run, &planned).await?;
    Ok(report(shell, &run.dataset, &planned, &veil, state, sample, &done))
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
        let Prepared { run, planned, guard, bases, base_columns } = prepare(shell, undo).await?;
        let wrote = |member: &&Member| !planned.writes(member).is_empty();
        if let Some((spoke, why)) = planned
            .members
            .iter()
            .filter(wrote)
            .find_map(|member| recovered.waiting.get_key_value(&member.name))
        {
            return Err(Error::new(Kind::Unavailable, why.clone())
                .context(spoke.clone())
                .next("call again when it can be reached"));
        }
        let recovered = recovered.runs;
        if let Some(named) = plan_id {
            plans::check(shell, named, &planned.plan, "rollbackSync").await?;
        }
        let done = Done { recovered, undoes: Some(run.id.clone()), ..Done::default() };
        let veil = hidden(&shell.store, &run.dataset).await?.keyed(&shell.key, &run.dataset);
        if planned.plan.is_quiet() {
            return Ok(report(shell, &run.dataset, &planned, &veil, State::InStep, sample, &done));
        }
        keep(shell, &run, &planned).await?;
        ask(shell, &run.dataset, &planned)?;
        let job = Job {
            dataset: &run.dataset,
            definition: None,
            guard,
            kind: RunKind::Rollback,
            undoes: Some(run.id.clone()),
            planned: &planned,
            bases: &bases,
            base_columns,
        };
        match write(shell, &job, lease).await {
            Ok(written) => {
                let done = Done { recovered, undoes: Some(run.id.clone()), ..written };
                Ok(report(
                    shell,
                    &run.dataset,
                    &planned,
                    &veil,
                    done.state(State::Applied),
                    sample,
                    &done,
                ))
            }
            Err(stopped) => Err(stopped.into()),
        }
    })
    .await
}

async fn keep(shell: &Shell, run: &Run, planned: &Planned) -> Result<()> {
    plans::keep(shell, &planned.plan, &serde_json::json!({ "undoes": run.id })).await
}

/// What taking a run back comes to.
struct Prepared {
    run: Run,
    planned: Planned,
    guard: Guard,
    /// What the bases forget.
    bases: Vec<Moves>,
    base_columns: Vec<String>,
}

async fn prepare(shell: &Shell, wanted: &Undo) -> Result<Prepared> {
    let run = find(shell, &wanted.run).await?;
    check(&run)?;
    let (saved, types) = dataset(shell, &run).await?;
    shell.reach.progress.step(0, None, "reading what the run wrote and what is there now");
    let images = written(shell, &run, wanted.keys.as_ref()).await?;
    let actions: Vec<&Action> = images.values().flatten().collect();
    let schema = rest::schema(&run.columns, &types, &actions);
    let (mut members, mut wrote, mut compared) = (Vec::new(), Vec::new(), Vec::new());
    let named: Vec<&str> = saved.definition.members().iter().map(|(name, _)| *name).collect();
    if let Some(gone) = images.keys().find(|name| !named.contains(&name.as_str())) {
        return Err(Error::not_found(format!(
            "run {} wrote to the spoke \"{gone}\", which the dataset does not have any more",
            run.id
        ))
        .next("give the dataset this spoke again, then take the run back"));
    }
    for (name, source) in saved.definition.members() {
        let Some(actions) = images.get(name) else {
            let headers = vec![None; schema.columns.len()];
            members.push(Member { headers, ..Member::new(name, Scan::nothing()) });
            wrote.push(Vec::new());
            compared.push(Reconciled::default());
            continue;
        };
        let role = Role::Both { side: SideName::Right, typed: true };
        let mut now = look(shell, name, source, role, None).await.map_err(|(_, error)| error)?;
        now.headers = images::headers(&saved, &schema, name);
        // What a member does not have was never written there, or is written only where an image needs it.
        let lacks = |header: &String| !now.scan.snapshot.headers().contains(header);
        let optional = now.headers.iter().enumerate();
        let optional = optional.filter(|(_, header)| header.as_ref().is_some_and(lacks));
        now.optional = optional.map(|(at, _)| at).collect();
        now.scan.snapshot = widened(now.scan.snapshot, now.headers.iter().flatten());
        let changes: Vec<Change> = actions.iter().map(change).collect();
        compared.push(compare(&schema, &now.headers, &changes, &now.scan.snapshot, name)?);
        wrote.push(changes);
        members.push(now);
    }
    let memory = Memory::load(shell, &run, &saved.definition, &schema).await?;
    let undone = undo::take_back(&wrote, compared, |member, key| memory.taught(member, key));
    let (bases, base_columns) = memory.moves(undone.bases);
    let mut result = Decided {
        conflicts: undone
            .conflicts
            .into_iter()
            .map(|one| Disagreement::Pair(Box::new(one)))
            .collect(),
        withheld: undone.withheld,
        ..Decided::default()
    };
    for (member, changes) in members.iter_mut().zip(undone.members) {
        member.order = (0..changes.len()).collect();
        let name = member.name.as_str().into();
        result.members.push(SpokeResult { name, changes, ..SpokeResult::default() });
    }
    let content = members.iter().map(|one| (one.name.clone(), one.scan.snapshot.content_hash()));
    let plan = Plan::new(Body {
        basis: Basis {
            dataset: run.dataset.clone(),
            definition: format!("rollback of {}", run.id),
            bases: BTreeMap::new(),
            content: content.collect(),
            schema,
        },
        result,
        findings: Vec::new(),
        halts: Vec::new(),
    });
    let planned = Planned {
        plan,
        members,
        reasons: Vec::new(),
        due: false,
        mark: 0,
        seen: None,
        limited: false,
    };
    Ok(Prepared { run, planned, guard: saved.definition.guard, bases, base_columns })
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

/// Returns what the run wrote, by member.
async fn written(
    shell: &Shell,
    run: &Run,
    keys: Option<&BTreeSet<String>>,
) -> Result<BTreeMap<String, Vec<Action>>> {
    let mut images: BTreeMap<String, Vec<Action>> = BTreeMap::new();
    for batch in shell.store.batches(&run.id).await? {
        if batch.state == BatchState::Applied {
            let made = batch.actions.into_iter().filter(|action| action.left_out.is_none());
            images.entry(batch.side).or_default().extend(made);
        }
    }
    if let Some(keys) = keys {
        let mut found = BTreeSet::new();
        for actions in images.values_mut() {
            actions.retain(|action| {
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

fn change(action: &Action) -> Change {
    Change {
        key: action.key.clone(),
        kind: action.kind,
        before: action.before.clone(),
        after: action.after.clone(),
        cells: action.cells.clone(),
        row: None,
    }
}

/// Compares what the run wrote on a member with what is there now.
fn compare(
    schema: &Schema,
    headers: &[Option<String>],
    wrote: &[Change],
    now: &Snapshot,
    member: &str,
) -> Result<Reconciled> {
    let failed = |error: String| Error::internal(error).context(member.to_owned());
    let mut terms = undo::terms(schema).map_err(|error| failed(error.to_string()))?;
    for (column, header) in headers.iter().enumerate() {
        if header.is_none() {
            terms = terms.lacking(SideName::Left, column).lacking(SideName::Right, column);
        }
    }
    let view = images::view(now, schema, headers, member)?;
    let keys: BTreeSet<&Key> = wrote.iter().map(|change| &change.key).collect();
    let places: Vec<usize> = (0..view.len()).filter(|row| keys.contains(&view.key(*row))).collect();
    let there = Table::from_rows(schema, places.iter().map(|row| view.row(*row)));
    let mut result = undo::compare(&terms, wrote, &there);
    for change in &mut result.right {
        change.row = change.row.and_then(|row| places.get(row).copied());
    }
    Ok(result)
}
