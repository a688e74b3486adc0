//! Conflicts in a tab for people who do not talk to agents: written after each run, their decisions read before the next.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::{
    cell::Cell,
    hub::HUB,
    schema::{ColumnType, Schema},
    value::Value,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{
    super::{Shell, definition::Definition, hidden::Hidden, report::FindingOut},
    answer::{choice_text, values},
    choose::{self, BASE, Wish, choose, place},
};
use crate::{
    error::Result,
    replica::review::{DECISION, Edits, Line, NOTE, STATUS, Tab, WIDTH, open, write},
    store::conflicts::{Filter, State, Stored},
};

/// Where the tab is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReviewSheet {
    /// The spreadsheet's id.
    pub(crate) spreadsheet: String,
    /// The tab's title.
    pub(crate) sheet: String,
}

/// How many conflicts the tab shows; the others follow when these are settled.
const SHOWN: u32 = 1_000;

/// How often the tab is written anew when its rows move meanwhile.
const ATTEMPTS: u32 = 3;

/// How many characters of a value the tab shows: one cell holds 50,000, in which some count twice.
const LONGEST: usize = 20_000;

/// What a blank value is called, and may be called in a decision.
const BLANK: &str = "(blank)";

/// How the status of a row begins whose values have changed.
const STALE: &str = "stale";

/// What was found in the tab.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// For the report.
    pub(crate) findings: Vec<FindingOut>,
    /// Why decisions were not taken, by conflict.
    notices: BTreeMap<String, String>,
}

impl Told {
    fn find(&mut self, message: String) {
        self.findings.push(FindingOut { side: "review".into(), message });
    }
}

/// Reads what people decided in the tab since the last run, and keeps it.
///
/// Nothing of it stops the run: what cannot be read or used is told in the report and in the tab.
pub(crate) async fn take_in(shell: &Shell, definition: &Definition) -> Told {
    let mut told = Told::default();
    let Some(review) = &definition.review else { return told };
    match take(shell, definition, review, &mut told).await {
        Ok(()) => {}
        Err(error) => told.find(format!("the review tab was not read: {error}")),
    }
    told
}

async fn take(
    shell: &Shell,
    definition: &Definition,
    review: &ReviewSheet,
    told: &mut Told,
) -> Result<()> {
    let Some(schema) = super::super::saved::schema(&shell.store, &definition.name).await? else {
        return Ok(());
    };
    let tab = look(shell, definition, review).await?;
    let ids: Vec<String> =
        tab.lines.iter().filter_map(|line| line.cells.first().cloned()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let filter = Filter { dataset: Some(definition.name.clone()), ids, ..Filter::default() };
    let known = shell.store.conflicts(&filter, 0, u32::MAX).await?.conflicts;
    let known: BTreeMap<&str, &Stored> = known.iter().map(|one| (one.id.as_str(), one)).collect();
    let shell = Shell { caller: format!("reviewSheet via {}", shell.caller), ..shell.clone() };
    let mut taken = BTreeSet::new();
    for line in &tab.lines {
        let cell = |at: usize| line.cells.get(at).map_or("", String::as_str);
        let Some(one) = known.get(cell(0)) else { continue };
        if cell(NOTE) != one.note.as_deref().unwrap_or_default() && !cell(NOTE).is_empty() {
            let filter = Filter { ids: vec![one.id.clone()], ..Filter::default() };
            shell.store.annotate(&filter, None, Some(cell(NOTE))).await?;
        }
        if cell(DECISION).is_empty() || one.state != State::Open || !taken.insert(&one.id) {
            continue;
        }
        if let Err(why) = decide(&shell, definition, &schema, one, line).await? {
            told.find(format!(
                "the decision about {} ({}) was not taken: {why}",
                Hidden::of(definition).key(one.key.to_string()),
                place(one)
            ));
            told.notices.insert(one.id.clone(), format!("not decided: {why}"));
        }
    }
    Ok(())
}

/// Keeps one decision, or says why not.
async fn decide(
    shell: &Shell,
    definition: &Definition,
    schema: &Schema,
    one: &Stored,
    line: &Line,
) -> Result<Result<(), String>> {
    // A person decides about what stands beside the decision.
    let rows = shell.store.rows_of_conflict(&one.dataset, &one.key).await?;
    let shown = cells(definition, one, rows.as_ref());
    if line.cells.iter().take(DECISION).ne(shown.iter().take(DECISION)) {
        return Ok(Err("the cells beside it are not what is disputed; look again".into()));
    }
    let said = line.cells.get(DECISION).map(|text| text.trim()).unwrap_or_default();
    let names: Vec<&str> = definition.members().into_iter().map(|(name, _)| name).collect();
    let winner = names.iter().copied().chain([BASE]).find(|name| name.eq_ignore_ascii_case(said));
    let wish = match winner {
        Some(winner) => Wish::Winner(winner.to_owned()),
        None if said == BLANK => Wish::Value(Json::Null),
        None => Wish::Value(Json::String(entered(schema, one, line.number, said))),
    };
    let chosen = match choose(shell, definition, vec![one.clone()], &wish, None).await {
        Ok(chosen) => chosen,
        Err(error) => return Ok(Err(error.to_string())),
    };
    if let Some((_, why)) = chosen.undecided.into_iter().next() {
        return Ok(Err(why));
    }
    // Somebody may have decided it in the meantime.
    Ok(choose::keep(shell, &chosen.verdicts).await.map_err(|error| error.to_string()))
}

/// Returns what was entered as the text that its column reads: a sheet keeps dates as numbers.
fn entered(schema: &Schema, one: &Stored, number: Option<f64>, text: &str) -> String {
    let column = schema.position(&one.column).and_then(|at| schema.columns.get(at));
    match (number, column) {
        (Some(number), Some(column))
            if matches!(column.ty, ColumnType::Date | ColumnType::DateTime | ColumnType::Time) =>
        {
            column.value(&Cell::Float(number)).to_string()
        }
        _ => text.to_owned(),
    }
}

/// Brings the tab up to what is open now.
pub(crate) async fn put_out(shell: &Shell, definition: &Definition, told: &mut Told) {
    let Some(review) = &definition.review else { return };
    if let Err(error) = put(shell, definition, review, &told.notices).await {
        told.find(format!("the review tab was not written: {error}"));
    }
}

async fn put(
    shell: &Shell,
    definition: &Definition,
    review: &ReviewSheet,
    notices: &BTreeMap<String, String>,
) -> Result<()> {
    let filter = Filter {
        dataset: Some(definition.name.clone()),
        states: vec![State::Open, State::Decided],
        ..Filter::default()
    };
    let live = shell.store.conflicts(&filter, 0, SHOWN).await?.conflicts;
    let rows = shell.store.conflict_rows(&definition.name).await?;
    let wanted: Vec<Vec<String>> = live
        .iter()
        .map(|one| {
            let mut cells = cells(definition, one, rows.get(&one.key));
            if let (Some(notice), Some(status)) = (notices.get(&one.id), cells.get_mut(STATUS)) {
                status.clone_from(notice);
            }
            cells
        })
        .collect();
    for _ in 0..ATTEMPTS {
        let tab = look(shell, definition, review).await?;
        let ended = ended(shell, definition, &tab).await?;
        let edits = edits(&tab, &wanted, &ended);
        if edits.is_empty()
            || write(&shell.reach.google, &tab, &edits, &choices(definition)).await?
        {
            return Ok(());
        }
        tracing::info!("rows of the review tab moved while it was written; writing it anew");
    }
    Ok(())
}

/// Returns the conflicts of the tab's rows that are settled: nothing is left to say of them.
async fn ended(shell: &Shell, definition: &Definition, tab: &Tab) -> Result<BTreeSet<String>> {
    let ids: Vec<String> =
        tab.lines.iter().filter_map(|line| line.cells.first().cloned()).collect();
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let (dataset, states) = (Some(definition.name.clone()), vec![State::Applied, State::Closed]);
    let filter = Filter { dataset, ids, states, ..Filter::default() };
    let found = shell.store.conflicts(&filter, 0, u32::MAX).await?.conflicts;
    Ok(found.into_iter().map(|one| one.id).collect())
}

async fn look(shell: &Shell, definition: &Definition, review: &ReviewSheet) -> Result<Tab> {
    let headers = headers(definition);
    let google = &shell.reach.google;
    open(google, &review.spreadsheet, &review.sheet, &definition.name, headers).await
}

fn headers(definition: &Definition) -> [&'static str; WIDTH] {
    let (left, right) = if definition.is_hub() { (HUB, "spokes") } else { ("left", "right") };
    ["id", "key", "column", "base", left, right, "decision", "note", "status"]
}

/// Returns what the drop-down offers.
fn choices(definition: &Definition) -> Vec<String> {
    let members = definition.members().into_iter().map(|(name, _)| name.to_owned());
    members.chain([BASE.to_owned()]).collect()
}

/// Returns the cells of a conflict's row; the decision is blank.
fn cells(
    definition: &Definition,
    one: &Stored,
    rows: Option<&crate::store::conflicts::Rows>,
) -> Vec<String> {
    let full = |value: &Value| if value.is_null() { BLANK.to_owned() } else { value.to_string() };
    let short = values(one, rows);
    let said = |who: &str| {
        let voice = one.voices.iter().find(|voice| voice.who == who)?;
        match one.column.is_empty() {
            true => short.get(who).cloned(),
            false => Some(full(&voice.value)),
        }
    };
    let (left, right) = if definition.is_hub() {
        let spokes = one.voices.iter().filter(|voice| voice.who != HUB);
        let spokes =
            spokes.filter_map(|voice| Some(format!("{}: {}", voice.who, said(&voice.who)?)));
        (said(HUB), Some(spokes.collect::<Vec<_>>().join("; ")))
    } else {
        (said("left"), said("right"))
    };
    let status = match (&one.state, &one.choice) {
        (State::Decided, Some(choice)) => {
            let choice = Hidden::of(definition).value(&one.column, choice_text(choice));
            format!("decided: {choice}; the next run writes it")
        }
        _ => "open".to_owned(),
    };
    let hidden = Hidden::of(definition);
    // What is said of a whole row names cells of it.
    let veiled = |text: Option<String>| match text {
        Some(text) if one.column.is_empty() => hidden.quote(text),
        Some(text) if !text.is_empty() => hidden.value(&one.column, text),
        _ => String::new(),
    };
    vec![
        one.id.clone(),
        hidden.key(one.key.to_string()),
        place(one).to_owned(),
        veiled(one.base.as_ref().map(full)),
        veiled(left),
        veiled(right),
        String::new(),
        one.note.clone().unwrap_or_default(),
        status,
    ]
    .into_iter()
    .map(|text| clipped(text.trim()))
    .collect()
}

/// Returns a text as far as a cell of a sheet can surely hold it.
fn clipped(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Returns what makes the tab show the wanted rows: decisions and notes of people are never written over.
fn edits(tab: &Tab, wanted: &[Vec<String>], ended: &BTreeSet<String>) -> Edits {
    let mut missing: BTreeMap<&str, &Vec<String>> =
        wanted.iter().filter_map(|cells| Some((cells.first()?.as_str(), cells))).collect();
    let all = missing.clone();
    let mut edits = Edits::default();
    for line in &tab.lines {
        let cell = |at: usize| line.cells.get(at).map_or("", String::as_str);
        match all.get(cell(0)) {
            Some(cells) => {
                missing.remove(cell(0));
                for (at, text) in cells.iter().enumerate() {
                    if at != DECISION && at != NOTE && cell(at) != text {
                        edits.sets.push((line.row, at, text.clone()));
                    }
                }
            }
            None if !ended.contains(cell(0))
                && !cell(STATUS).starts_with(STALE)
                && !cell(DECISION).is_empty() =>
            {
                let status = format!("{STALE}: the values changed; decide in the new row");
                edits.sets.push((line.row, STATUS, status));
            }
            None => edits.removes.push(line.row),
        }
    }
    let missing: BTreeSet<&str> = missing.into_keys().collect();
    let new =
        wanted.iter().filter(|cells| cells.first().is_some_and(|id| missing.contains(id.as_str())));
    edits.adds = new.cloned().collect();
    edits
}
