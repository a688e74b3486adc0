//! Weighs what hub and spokes say about each cell of a row that is to stay.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::conflict::{Loser, Lost, name_of};
use crate::dataset::{Granularity, SideName};
use crate::facts::cell;
use crate::gather::{Gathered, Part, Target, flows};
use crate::hub::{HUB, HubCell, HubConflict, HubDecision, Voice};
use crate::key::Key;
use crate::resolve::{Candidate, Deferred, Dispute, resolve};
use crate::terms::Terms;
use crate::times::RowOrigins;
use crate::value::{Row, Value};

/// Merges what every spoke changed into the hub's row, cell by cell.
pub(crate) fn merge_rows<'a>(
    terms: &'a Terms,
    key: &Key,
    parts: &[Part<'a>],
    hub_origins: Option<&'a RowOrigins>,
    answer: Option<Answer<'_>>,
    mut gathered: Gathered<'a>,
) -> Gathered<'a> {
    let rows: Vec<&Part<'a>> = parts.iter().filter(|part| part.row.is_some()).collect();
    let bases: Vec<Option<&Row>> = rows.iter().map(|part| part.base).collect();
    // Without a hub row the spokes add to what they all knew of it, or to nothing.
    let common = match bases.split_first() {
        Some((first, rest)) if rest.iter().all(|other| other == first) => *first,
        _ => None,
    };
    let ground = gathered.live.or(common);
    let mut target: Vec<Value> = (0..terms.columns.len())
        .map(|index| match (terms.columns.get(index).is_some_and(|column| column.key), ground) {
            (_, Some(row)) => cell(Some(row), index).clone(),
            (true, None) => rows
                .iter()
                .filter_map(|part| part.row)
                .map(|row| cell(Some(row), index))
                .min()
                .cloned()
                .unwrap_or(Value::Null),
            (false, None) => Value::Null,
        })
        .collect();
    let mut open: Vec<HubCell> = Vec::new();
    for (index, slot) in target.iter_mut().enumerate() {
        match settle(terms, index, &rows, gathered.live, common, hub_origins, gathered.now) {
            Cell::Still => {}
            Cell::Agreed(value) => *slot = value,
            Cell::Settled { value, rule, voices } => {
                lose(key, index, &value, &rule, &voices, &mut gathered.losers);
                *slot = value;
            }
            Cell::Open { reason, voices, base } => {
                let voices = voices
                    .iter()
                    .map(|voice| Voice { from: voice.who.into(), value: voice.value.clone() });
                let mut voices: Vec<Voice> = voices.collect();
                voices.sort();
                open.push(HubCell { column: index, voices, base, reason: reason.into() });
            }
        }
    }
    if !open.is_empty() {
        let cells: Vec<_> = open.iter().map(|cell| (cell.column, &cell.voices)).collect();
        let digest = match terms.granularity {
            Granularity::Cell => name_of(&(key, &cells)),
            Granularity::Row => {
                let rows: BTreeMap<_, _> = rows.iter().map(|part| (part.who, part.row)).collect();
                name_of(&(key, &cells, gathered.live, rows))
            }
        };
        let took = |open: &HubCell| match answer? {
            Answer::Cells(decision) if decision.digest == digest => decision.choice.of(open),
            Answer::Cells(_) => None,
            Answer::Row(who) => {
                let named = rows.iter().find(|part| part.who == who).and_then(|part| part.row);
                named.or(gathered.live).map(|row| cell(Some(row), open.column).clone())
            }
        };
        gathered.stale =
            matches!(answer, Some(Answer::Cells(decision)) if decision.digest != digest);
        open.retain(|cell| match (took(cell), target.get_mut(cell.column)) {
            (Some(value), Some(slot)) => {
                for voice in cell.voices.iter().filter(|voice| voice.value != value) {
                    gathered.losers.push(loser(
                        key,
                        &voice.from,
                        None,
                        cell.column,
                        &voice.value,
                        "decision",
                    ));
                }
                *slot = value;
                false
            }
            _ => true,
        });
        gathered.frozen = open.iter().map(|cell| cell.column).collect();
        for column in terms.waiting(&gathered.frozen) {
            if let Some(slot) = target.get_mut(column) {
                *slot = cell(ground, column).clone();
            }
            let about = |loser: &Loser| matches!(loser.lost, Lost::Cell { column: lost, .. } if lost == column);
            gathered.losers.retain(|loser| !about(loser));
            gathered.frozen.insert(column);
        }
        if let Some(first) = open.first() {
            let reason = first.reason.clone();
            let (key, cells) = (key.clone(), open);
            gathered.conflict = Some(HubConflict {
                key,
                cells,
                deleted: Vec::new(),
                changed: Vec::new(),
                reason,
                digest,
            });
            // Half a row is not added to a hub that has none: its blanks would look like a word of the hub.
            if terms.granularity == Granularity::Row || gathered.live.is_none() {
                gathered.losers.clear();
                return gathered;
            }
        }
    }
    gathered.target = Target::Row(target.into());
    gathered
}

/// What a person said about a row.
#[derive(Clone, Copy)]
pub(crate) enum Answer<'a> {
    /// About its disputed cells, in the state that the decision quotes.
    Cells(&'a HubDecision),
    /// That it stays as this one has it, where some had deleted it: that answers what is disputed within it, too. Were
    /// those cells left open, the row would not be put back, and the next run would ask about the row again.
    Row(&'a str),
}

/// What becomes of one cell of the hub.
enum Cell<'a> {
    Still,
    Agreed(Value),
    Settled { value: Value, rule: String, voices: Vec<Candidate<'a>> },
    Open { reason: Deferred, voices: Vec<Candidate<'a>>, base: Option<Value> },
}

fn settle<'a>(
    terms: &Terms,
    index: usize,
    rows: &[&Part<'a>],
    hub: Option<&'a Row>,
    common: Option<&'a Row>,
    hub_origins: Option<&'a RowOrigins>,
    now: Option<Timestamp>,
) -> Cell<'a> {
    let mut voices: Vec<Candidate<'a>> = Vec::new();
    let mut hub_moved = false;
    for part in rows.iter().filter(|part| flows(part.terms, index)) {
        let (Some(row), base) = (part.row, cell(part.base, index)) else { continue };
        let value = cell(Some(row), index);
        if value != base {
            voices.push(Candidate {
                who: part.who,
                side: part.side,
                value,
                base,
                row,
                base_row: part.base,
                origins: part.origins,
            });
            hub_moved |= cell(hub, index) != base;
        }
    }
    if voices.is_empty() && hub.or(common).is_none() {
        voices.extend(standing(index, rows));
    }
    // Equal changes are one change, so they are told apart by value alone, and their order by value and name.
    voices.sort_by(|a, b| a.value.cmp(b.value).then_with(|| a.who.cmp(b.who)));
    let Some(first) = voices.first() else { return Cell::Still };
    let anchor = hub.map_or(cell(common, index), |hub| cell(Some(hub), index));
    // An expression is only ever shown one spoke against the hub, and then that spoke's base.
    let base_row = rows.iter().find(|part| part.who == first.who).and_then(|part| part.base);
    let hub_voice = hub.filter(|_| hub_moved).map(|row| Candidate {
        who: HUB,
        side: SideName::Left,
        value: anchor,
        base: first.base,
        row,
        base_row,
        origins: hub_origins,
    });
    let one = voices.iter().all(|voice| voice.value == first.value);
    if one && hub_voice.is_none_or(|hub| hub.value == first.value) {
        return Cell::Agreed(first.value.clone());
    }
    let agreed = first.base;
    let one = voices.iter().all(|voice| voice.base == agreed);
    let base = if one { agreed } else { &Value::Null };
    voices.splice(0..0, hub_voice);
    let dispute = Dispute { column: index, base, base_row, anchor, candidates: &voices, now };
    let strategy = terms.columns.get(index).map(|column| column.strategy).unwrap_or_default();
    match resolve(terms, strategy, &dispute) {
        Ok(settled) => {
            Cell::Settled { value: settled.value, rule: settled.rule.into_owned(), voices }
        }
        Err(reason) => Cell::Open { reason, voices, base: one.then(|| agreed.clone()) },
    }
}

/// Returns what the spokes have in a cell that none of them changed, as words of their own.
///
/// A row that comes back on no common ground must not lose what nobody changed.
fn standing<'a>(index: usize, rows: &[&Part<'a>]) -> Vec<Candidate<'a>> {
    let stands = |part: &&Part<'a>| {
        let row = part.row.filter(|_| flows(part.terms, index))?;
        let value = cell(Some(row), index);
        (!value.is_null()).then_some(Candidate {
            who: part.who,
            side: part.side,
            value,
            base: cell(None, index),
            row,
            base_row: None,
            origins: part.origins,
        })
    };
    rows.iter().filter_map(stands).collect()
}

fn lose(
    key: &Key,
    index: usize,
    value: &Value,
    rule: &str,
    voices: &[Candidate<'_>],
    losers: &mut Vec<Loser>,
) {
    for voice in voices.iter().filter(|voice| voice.value != value) {
        losers.push(loser(key, voice.who, voice.origins, index, voice.value, rule));
    }
}

pub(crate) fn loser(
    key: &Key,
    who: &str,
    origins: Option<&RowOrigins>,
    column: usize,
    value: &Value,
    rule: &str,
) -> Loser {
    Loser {
        key: key.clone(),
        from: who.into(),
        source: origins.and_then(|origins| origins.source(column)).map(Into::into),
        at: origins.and_then(|origins| origins.cell_time(column).or(origins.row.at)),
        lost: Lost::Cell { column, value: value.clone() },
        rule: rule.into(),
    }
}
