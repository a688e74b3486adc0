//! The desk at which conflicts are listed, previewed, decided and noted.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    super::{
        Shell,
        definition::Definition,
        describe::shown,
        hidden::{Hidden, Veil},
        run, saved,
    },
    answer::{Answer, PreviewOut, RunOut, Show, conflict_out, group_out, values},
    choose::{self, BASE, Chosen, Wish, choose, place},
};
use crate::{
    consent::Question,
    error::{Error, Kind, Result},
    store::conflicts::{Choice, Filter, Group, Rows, State, Stored, Verdict, unknown},
};

/// How many groups are listed.
const GROUPS: usize = 12;

/// How many conflicts a question to a person shows.
const ASKED: usize = 5;

/// What of the queue is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Which conflicts.
    pub(crate) filter: Filter,
    /// How many are shown.
    pub(crate) limit: u32,
    /// How many were shown before.
    pub(crate) skip: u64,
    /// Whether the row's other cells are shown.
    pub(crate) whole: bool,
}

/// Lists the queue: counted in groups, and the oldest one by one.
///
/// # Errors
/// A store that cannot be read.
pub(crate) async fn list(shell: &Shell, wanted: &Wanted) -> Result<Answer> {
    let groups = shell.store.conflict_groups(&wanted.filter).await?;
    let total = groups.iter().map(|group| group.count).sum();
    let page =
        shell.store.conflicts(&wanted.filter, wanted.skip, shell.limits.page(wanted.limit)).await?;
    let definition = of_one(shell, wanted, &groups).await?;
    let show = Show {
        dataset: wanted.filter.dataset.is_none(),
        whole: wanted.whole,
        modified: definition.as_ref().and_then(|one| one.policy.modified_at.as_deref()),
    };
    let (mut conflicts, mut veil) = (Vec::new(), Veil::default());
    for one in &page.conflicts {
        let rows = rows(shell, one, show.whole || show.modified.is_some()).await?;
        let mut shown = conflict_out(one, rows.as_ref(), show);
        let hidden = veil.of(&shell.store, &one.dataset).await?;
        hidden.conceal(&mut shown);
        hidden.clone().keyed(&shell.key, &one.dataset).hashes(one, &mut shown);
        conflicts.push(shown);
    }
    let sides = definition.iter().flat_map(Definition::members);
    let sides = sides.map(|(name, source)| (name.to_owned(), source.to_string())).collect();
    let shown = wanted.skip + conflicts.len() as u64;
    let more = groups.len().saturating_sub(GROUPS);
    let next = match total {
        0 => "No conflict matches. Runs put them here: apply the dataset with syncDataset.".to_owned(),
        _ if more > 0 => format!("{more} more groups: filter by dataset, column or kind."),
        _ => "Preview a decision for a filter (winner, value or policy), then decide; or decide by ids.".into(),
    };
    Ok(Answer {
        total,
        sides,
        groups: groups.iter().take(GROUPS).map(group_out).collect(),
        conflicts,
        cursor: page.more.then(|| shown.to_string()),
        next,
        ..Answer::default()
    })
}

/// Returns the dataset that all are of, if there is one.
async fn of_one(shell: &Shell, wanted: &Wanted, groups: &[Group]) -> Result<Option<Definition>> {
    let mut found: Vec<&str> = groups.iter().map(|group| group.dataset.as_str()).collect();
    found.extend(wanted.filter.dataset.as_deref());
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [name] => Ok(saved::load(shell, name).await?.map(|saved| saved.definition)),
        _ => Ok(None),
    }
}

async fn rows(shell: &Shell, one: &Stored, whole: bool) -> Result<Option<Rows>> {
    if whole || one.column.is_empty() {
        return shell.store.rows_of_conflict(&one.dataset, &one.key).await;
    }
    Ok(None)
}

/// Returns the conflicts that are to be decided: those that match and are open, or those that were named.
///
/// # Errors
/// A name that no conflict has, and a filter that none matches.
pub(crate) async fn wanted(shell: &Shell, filter: &Filter) -> Result<Vec<Stored>> {
    let named = !filter.ids.is_empty();
    let states = if named { Vec::new() } else { vec![State::Open] };
    let states = if filter.states.is_empty() { states } else { filter.states.clone() };
    let filter = Filter { states, ..filter.clone() };
    let found = shell.store.conflicts(&filter, 0, u32::MAX).await?.conflicts;
    if let Some(id) = filter.ids.iter().find(|id| !found.iter().any(|one| one.id == **id)) {
        return Err(unknown(id));
    }
    if found.is_empty() {
        return Err(Error::not_found("no open conflict matches; nothing was decided")
            .next("list them with resolveConflicts, and correct the filter"));
    }
    Ok(found)
}

/// Shows what a wish would decide; nothing is kept.
///
/// # Errors
/// See [`choose()`].
pub(crate) async fn preview(
    shell: &Shell,
    definition: &Definition,
    conflicts: Vec<Stored>,
    wish: &Wish,
    limit: u32,
) -> Result<Answer> {
    let total = conflicts.len() as u64;
    let chosen = choose(shell, definition, conflicts, wish, None).await?;
    let limit = usize::try_from(limit).unwrap_or(ASKED);
    let left = chosen.undecided.len();
    Ok(Answer {
        total,
        preview: summary(&chosen, limit, &Hidden::of(definition)),
        next: format!(
            "Nothing was decided. action \"decide\" with the same arguments keeps {} decisions{}.",
            chosen.verdicts.len(),
            if left > 0 { format!(", and leaves {left} open") } else { String::new() },
        ),
        ..Answer::default()
    })
}

/// Counts what decisions come to.
fn summary(chosen: &Chosen, limit: usize, hidden: &Hidden) -> Vec<PreviewOut> {
    let mut all: BTreeMap<(String, String, String), (u64, Vec<String>)> = BTreeMap::new();
    let mut add = |one: &Stored, result: String, by: &str, example: String| {
        let (count, examples) =
            all.entry((place(one).to_owned(), result, by.to_owned())).or_default();
        *count += 1;
        if examples.len() < limit.min(3) {
            examples.push(example);
        }
    };
    for (one, verdict) in &chosen.verdicts {
        let (result, value) = result(one, verdict);
        let (key, value) = (hidden.key(one.key.to_string()), hidden.value(place(one), value));
        add(one, result, &verdict.by, format!("{key}: {value}"));
    }
    for (one, why) in &chosen.undecided {
        let why = hidden.quote(why.clone());
        add(one, format!("undecided: {why}"), "", hidden.key(one.key.to_string()));
    }
    let mut all: Vec<PreviewOut> = all
        .into_iter()
        .map(|((column, result, by), (count, examples))| PreviewOut {
            column,
            result,
            by,
            count,
            examples,
        })
        .collect();
    all.sort_by_key(|group| std::cmp::Reverse(group.count));
    all.truncate(GROUPS);
    all
}

/// Returns what a decision takes, and what comes of it.
fn result(one: &Stored, verdict: &Verdict) -> (String, String) {
    match &verdict.choice {
        Some(Choice::Take(who)) => (who.clone(), values(one, None).remove(who).unwrap_or_default()),
        Some(Choice::Base) => (BASE.into(), one.base.as_ref().map_or_else(String::new, shown)),
        Some(Choice::Value(value)) => ("value".into(), shown(value)),
        None => ("open".into(), String::new()),
    }
}

/// Keeps what a wish decides; of conflicts that were named one by one, all or nothing.
///
/// # Errors
/// See [`choose()`] and [`choose::keep`].
pub(crate) async fn decide(
    shell: &Shell,
    definition: &Definition,
    conflicts: Vec<Stored>,
    wish: &Wish,
    note: Option<&str>,
    named: bool,
) -> Result<Answer> {
    let total = conflicts.len() as u64;
    let chosen = choose(shell, definition, conflicts, wish, note).await?;
    if !chosen.undecided.is_empty() && (named || chosen.verdicts.is_empty()) {
        return Err(choose::refused(&chosen.undecided));
    }
    choose::keep(shell, &chosen.verdicts).await?;
    Ok(Answer {
        total,
        preview: summary(&chosen, 0, &Hidden::of(definition)),
        changed: Some(chosen.verdicts.len() as u64),
        next: format!(
            "The next run of \"{}\" applies them: syncDataset with its name and mode \"apply\", or call with apply: \"now\".",
            definition.name
        ),
        ..Answer::default()
    })
}

/// Takes decisions back that no run has applied yet.
///
/// # Errors
/// A conflict that is not decided.
pub(crate) async fn reopen(shell: &Shell, conflicts: &[Stored]) -> Result<Answer> {
    let verdict = |one: &Stored| Verdict {
        id: one.id.clone(),
        choice: None,
        by: "reopen".into(),
        note: None,
        hidden: false,
    };
    let verdicts: Vec<(Stored, Verdict)> =
        conflicts.iter().map(|one| (one.clone(), verdict(one))).collect();
    choose::keep(shell, &verdicts).await?;
    let changed = verdicts.len() as u64;
    let next = "They are open again.".to_owned();
    Ok(Answer { total: changed, changed: Some(changed), next, ..Answer::default() })
}

/// Sets who looks after conflicts, and what is written about them.
///
/// # Errors
/// A store that cannot be written.
pub(crate) async fn annotate(
    shell: &Shell,
    filter: &Filter,
    assignee: Option<&str>,
    note: Option<&str>,
) -> Result<Answer> {
    let changed = shell.store.annotate(filter, assignee, note).await?;
    let next = "List them with assignee to see them.".to_owned();
    Ok(Answer { total: changed, changed: Some(changed), next, ..Answer::default() })
}

/// Applies a dataset, and with it what was decided.
///
/// # Errors
/// See [`run::apply`]; what was decided stays decided.
pub(crate) async fn apply(shell: &Shell, definition: &Definition) -> Result<RunOut> {
    let report = run::apply(shell, definition, None, 0)
        .await
        .map_err(|error| error.context("the decisions are kept, and were not applied"))?;
    Ok(RunOut {
        state: report.state,
        run_id: report.run_id,
        written: if report.state == super::super::report::State::Halted {
            0
        } else {
            report.counts.changes()
        },
        conflicts: report.counts.conflicts,
        next: report.next,
    })
}

/// Asks the person behind the call how to decide; `None` where they cannot be asked, or would rather not.
///
/// # Errors
/// [`Kind::ConfirmationNeeded`] while they have not answered.
pub(crate) fn ask(shell: &Shell, hidden: &Hidden, conflicts: &[Stored]) -> Result<Option<Wish>> {
    let mut choices: Vec<String> = Vec::new();
    for voice in conflicts.iter().flat_map(|one| &one.voices) {
        if !choices.contains(&voice.who) {
            choices.push(voice.who.clone());
        }
    }
    if conflicts.iter().all(|one| one.base.is_some()) {
        choices.push(BASE.into());
    }
    if conflicts.iter().all(|one| !one.column.is_empty()) {
        choices.push("value".into());
    }
    choices.push("leave".into());
    let lines: Vec<String> = conflicts
        .iter()
        .take(ASKED)
        .map(|one| {
            let column = place(one);
            let said = values(one, None).into_iter();
            let said = said.map(|(who, value)| format!("{who}: {}", hidden.value(column, value)));
            let said: Vec<String> = said.collect();
            let base = one.base.as_ref().map(|base| hidden.value(column, shown(base)));
            let base = base.map_or_else(String::new, |base| format!("base: {base}, "));
            let key = hidden.key(one.key.to_string());
            format!("{key}, {column}: {base}{}", said.join(", "))
        })
        .collect();
    let more = match conflicts.len().saturating_sub(lines.len()) {
        0 => String::new(),
        more => format!("\n… and {more} more, decided alike"),
    };
    let mut hasher = blake3::Hasher::new();
    for one in conflicts {
        hasher.update(one.id.as_bytes());
    }
    let question = Question {
        about: format!("conflicts {}", hasher.finalize().to_hex()),
        message: format!("Which value is right?\n{}{more}", lines.join("\n")),
        choices,
    };
    let Some(said) = shell.consent.choose(question)? else { return Ok(None) };
    match (said.choice.as_str(), said.value) {
        ("leave", _) => {
            Err(Error::new(Kind::Cancelled, "the person left it open; nothing was decided")
                .next("ask them what they want instead"))
        }
        ("value", Some(value)) => Ok(Some(Wish::Value(Json::String(value)))),
        ("value", None) => Err(Error::invalid("the person chose a value and wrote none")
            .next("ask again; nothing was decided")),
        (winner, _) => Ok(Some(Wish::Winner(winner.to_owned()))),
    }
}
