//! Decides what the hub's row shall be, from everything that any spoke changed.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::conflict::{Loser, Lost, name_of};
use crate::dataset::{Clash, Direction, Granularity, SideName};
use crate::facts::cell;
use crate::hub::{HUB, HubCell, HubConflict, HubDecision, Spoke, Voice};
use crate::key::Key;
use crate::merge::{Case, Presence, live};
use crate::resolve::{Candidate, Deferred, Dispute, instant, order, resolve};
use crate::terms::{DeleteTerms, Terms};
use crate::times::RowOrigins;
use crate::value::{Row, Value};

/// One spoke and what is known of its row.
pub(crate) struct Spoken<'a> {
    pub(crate) spoke: &'a Spoke<'a>,
    pub(crate) base: Option<&'a Row>,
    pub(crate) row: Presence<'a>,
}

impl<'a> Spoken<'a> {
    /// Returns the two-way case of the hub and this spoke.
    pub(crate) fn case(&self, key: &'a Key, hub: Presence<'a>) -> Case<'a> {
        Case {
            key,
            base: self.base,
            left: hub,
            right: self.row,
            tombstone: None,
            origins: self.spoke.times.of(key),
            decision: None,
            now: self.spoke.times.now,
            frozen: None,
        }
    }

    fn origins(&self, key: &Key, side: SideName) -> Option<&'a RowOrigins> {
        self.spoke.times.of(key).map(|origins| origins.get(side))
    }

    /// Returns whether the spoke's rows reach the hub.
    pub(crate) fn speaks(&self) -> bool {
        self.spoke.terms.direction != Direction::LeftToRight
    }
}

/// What became of a key.
pub(crate) struct Gathered<'a> {
    pub(crate) hub: Presence<'a>,
    /// The hub towards its spokes: absent where its row stands there marked as deleted.
    pub(crate) partner: Presence<'a>,
    /// The hub's row as it counts: `None` where it stands there marked as deleted.
    pub(crate) live: Option<&'a Row>,
    /// What the row shall be.
    pub(crate) target: Target,
    /// Cells that wait for a person.
    pub(crate) frozen: BTreeSet<usize>,
    pub(crate) conflict: Option<HubConflict>,
    pub(crate) losers: Vec<Loser>,
    pub(crate) stale: bool,
    /// What decided that the row goes although some changed it.
    pub(crate) clash: String,
    /// What the hub loses if its row really goes.
    pub(crate) hub_edits: Vec<Loser>,
    now: Option<Timestamp>,
}

pub(crate) enum Target {
    /// Nothing is decided for the key.
    Hold,
    Gone,
    Row(Row),
}

/// What one voice did to the row.
struct Part<'a> {
    who: &'a str,
    side: SideName,
    base: Option<&'a Row>,
    row: Option<&'a Row>,
    origins: Option<&'a RowOrigins>,
    terms: &'a Terms,
}

impl Part<'_> {
    fn deleted(&self) -> bool {
        self.base.is_some() && self.row.is_none()
    }

    fn changed(&self, terms: &Terms) -> bool {
        let Some(row) = self.row else { return false };
        self.base.is_none() || changed_cells(terms, self.terms, self.base, row).next().is_some()
    }
}

/// Returns the columns in which a row was changed, of those that it shares with the hub and that flow to it.
fn changed_cells<'a>(
    terms: &'a Terms,
    own: &'a Terms,
    base: Option<&'a Row>,
    row: &'a Row,
) -> impl Iterator<Item = usize> + 'a {
    (0..terms.columns.len())
        .filter(move |&index| flows(own, index) && cell(base, index) != cell(Some(row), index))
}

fn flows(own: &Terms, index: usize) -> bool {
    let column = own.columns.get(index);
    column.is_some_and(|column| column.shared() && column.direction != Direction::LeftToRight)
}

/// Decides one key.
pub(crate) fn decide<'a>(
    terms: &'a Terms,
    key: &'a Key,
    hub: Presence<'a>,
    spoken: &'a [Spoken<'a>],
    decision: Option<&HubDecision>,
) -> Gathered<'a> {
    let mut gathered = Gathered {
        hub,
        partner: Presence::Absent,
        live: None,
        target: Target::Hold,
        frozen: BTreeSet::new(),
        conflict: None,
        losers: Vec::new(),
        stale: false,
        clash: String::new(),
        hub_edits: Vec::new(),
        now: spoken.first().and_then(|spoken| spoken.spoke.times.now),
    };
    if hub == Presence::Unknown {
        return gathered;
    }
    let known = || spoken.iter().filter(|spoken| spoken.row != Presence::Unknown);
    if !stands_deleted(terms, hub, spoken) {
        gathered.live = hub.row();
        gathered.partner = hub;
    }
    let partner = gathered.partner;
    let parts: Vec<Part<'a>> = known()
        .filter(|spoken| spoken.speaks())
        .map(|spoken| Part {
            who: spoken.spoke.name,
            side: SideName::Right,
            base: spoken.base,
            row: live(spoken.spoke.terms, &spoken.case(key, partner), SideName::Right),
            origins: spoken.origins(key, SideName::Right),
            terms: spoken.spoke.terms,
        })
        .collect();
    let hub_origins = spoken.first().and_then(|spoken| spoken.origins(key, SideName::Left));
    let hub_gone = gathered.live.is_none() && known().any(|spoken| spoken.base.is_some());
    let deleted: Vec<&Part<'a>> = parts.iter().filter(|part| part.deleted()).collect();
    let changed: Vec<&Part<'a>> = parts.iter().filter(|part| part.changed(terms)).collect();
    // The hub has a word of its own against a deletion when it differs from what the deleting spoke knew.
    let hub_changed = gathered
        .live
        .is_some_and(|row| deleted.iter().any(|part| differs(part.terms, part.base, row)));
    if !hub_gone && deleted.is_empty() {
        if gathered.live.is_none() && changed.is_empty() {
            gathered.target = Target::Gone;
            return gathered;
        }
        return merge_rows(terms, key, &parts, hub_origins, decision, gathered);
    }
    if changed.is_empty() && !hub_changed {
        gathered.target = Target::Gone;
        return gathered;
    }
    let names = |parts: &[&Part<'a>], hub: bool| -> Vec<Box<str>> {
        let mut names: Vec<Box<str>> = parts.iter().map(|part| part.who.into()).collect();
        names.extend(hub.then(|| HUB.into()));
        names.sort();
        names
    };
    let (gone_by, changed_by) = (names(&deleted, hub_gone), names(&changed, hub_changed));
    let survives = match terms.clash {
        Clash::Hold => Err("some deleted the row, others changed it".into()),
        Clash::EditWins => Ok(true),
        Clash::DeleteWins => Ok(false),
        Clash::Left => Ok(!hub_gone),
        Clash::Right => Ok(deleted.is_empty()),
        Clash::Later => later(
            terms,
            &deleted,
            &changed,
            hub_origins,
            hub_gone,
            hub_changed.then_some(()).and(gathered.live),
        ),
    };
    let mut rule = format!("clash:{}", terms.clash.as_str());
    let digest = name_of(&(
        key,
        &gone_by,
        &changed_by,
        hub.row(),
        parts.iter().map(|part| (part.who, part.row)).collect::<std::collections::BTreeMap<_, _>>(),
    ));
    let survives = match (survives, decision) {
        (Ok(survives), _) => survives,
        (Err(_), Some(decision))
            if decision.digest == digest
                && (gone_by.contains(&decision.take) || changed_by.contains(&decision.take)) =>
        {
            rule = "decision".into();
            changed_by.contains(&decision.take)
        }
        (Err(reason), decision) => {
            gathered.stale = decision.is_some();
            let key = key.clone();
            gathered.conflict = Some(HubConflict {
                key,
                cells: Vec::new(),
                deleted: gone_by,
                changed: changed_by,
                reason,
                digest,
            });
            return gathered;
        }
    };
    if survives {
        for part in &deleted {
            gathered.losers.push(deletion(key, part.who, part.origins, &rule));
        }
        if hub_gone {
            gathered.losers.push(deletion(key, HUB, hub_origins, &rule));
        }
        return merge_rows(terms, key, &parts, hub_origins, decision, gathered);
    }
    if let Some(row) = gathered.live.filter(|_| hub_changed) {
        let edited = |index: &usize| {
            deleted.iter().any(|part| differs_at(part.terms, part.base, row, *index))
        };
        for index in (0..row.len()).filter(edited) {
            gathered.hub_edits.push(loser(
                key,
                HUB,
                hub_origins,
                index,
                cell(Some(row), index),
                &rule,
            ));
        }
    }
    gathered.clash = rule;
    gathered.target = Target::Gone;
    gathered
}

/// Returns whether the hub's row only stands there marked as deleted.
///
/// In a shared column the mark may be ordinary data; it means a deletion where every spoke has either forgotten the row
/// or lost it, so that the order of spokes does not matter.
fn stands_deleted(terms: &Terms, hub: Presence<'_>, spoken: &[Spoken<'_>]) -> bool {
    let (Some(row), DeleteTerms::Mark { own, .. }) = (hub.row(), &terms.deletes.left) else {
        return false;
    };
    let mut known = spoken.iter().filter(|spoken| spoken.row != Presence::Unknown).peekable();
    let all = known.peek().is_some()
        && known.all(|spoken| spoken.base.is_none() || spoken.row == Presence::Absent);
    terms.marked(SideName::Left, row) && (*own || all)
}

fn differs(own: &Terms, base: Option<&Row>, row: &Row) -> bool {
    (0..row.len()).any(|index| differs_at(own, base, row, index))
}

fn differs_at(own: &Terms, base: Option<&Row>, row: &Row, index: usize) -> bool {
    own.columns.get(index).is_some_and(|column| column.shared())
        && cell(base, index) != cell(Some(row), index)
}

/// Returns whether the latest change is no earlier than the latest deletion.
fn later(
    terms: &Terms,
    deleted: &[&Part<'_>],
    changed: &[&Part<'_>],
    hub: Option<&RowOrigins>,
    hub_gone: bool,
    hub_row: Option<&Row>,
) -> Result<bool, Box<str>> {
    let row_time = |origins: Option<&RowOrigins>| origins.and_then(|origins| origins.row.at);
    let edit_time = |part: &Part<'_>| {
        let row = part.row?;
        let declared = terms.modified_at.and_then(|column| instant(cell(Some(row), column)));
        let cells = changed_cells(terms, part.terms, part.base, row);
        let observed = cells
            .filter_map(|index| part.origins.and_then(|origins| origins.cell_time(index)))
            .max();
        declared.or(observed).or(row_time(part.origins))
    };
    let mut deletions: Vec<Option<Timestamp>> =
        deleted.iter().map(|part| row_time(part.origins)).collect();
    deletions.extend(hub_gone.then(|| row_time(hub)));
    let mut edits: Vec<Option<Timestamp>> = changed.iter().map(|part| edit_time(part)).collect();
    if let Some(row) = hub_row {
        let declared = terms.modified_at.and_then(|column| instant(cell(Some(row), column)));
        let observed =
            hub.and_then(|origins| origins.cells.values().filter_map(|origin| origin.at).max());
        edits.push(declared.or(observed).or(row_time(hub)));
    }
    let latest = |times: Vec<Option<Timestamp>>| {
        times.into_iter().collect::<Option<Vec<_>>>().and_then(|times| times.into_iter().max())
    };
    match order(latest(edits), latest(deletions)) {
        Some(ordering) => Ok(!ordering.is_lt()),
        None => Err("it is not known when the row was deleted, or when it was changed".into()),
    }
}

/// Merges what every spoke changed into the hub's row, cell by cell.
fn merge_rows<'a>(
    terms: &'a Terms,
    key: &Key,
    parts: &[Part<'a>],
    hub_origins: Option<&'a RowOrigins>,
    decision: Option<&HubDecision>,
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
            Cell::Open { reason, voices } => {
                let voices = voices
                    .iter()
                    .map(|voice| Voice { from: voice.who.into(), value: voice.value.clone() });
                let mut voices: Vec<Voice> = voices.collect();
                voices.sort();
                open.push(HubCell { column: index, voices, reason: reason.into() });
            }
        }
    }
    if !open.is_empty() {
        let cells: Vec<_> = open.iter().map(|cell| (cell.column, &cell.voices)).collect();
        let digest = match terms.granularity {
            Granularity::Cell => name_of(&(key, &cells)),
            Granularity::Row => {
                let rows: std::collections::BTreeMap<_, _> =
                    rows.iter().map(|part| (part.who, part.row)).collect();
                name_of(&(key, &cells, gathered.live, rows))
            }
        };
        let took = |cell: &HubCell| {
            let decision = decision.filter(|decision| decision.digest == digest)?;
            cell.voices
                .iter()
                .find(|voice| voice.from == decision.take)
                .map(|voice| voice.value.clone())
        };
        gathered.stale = decision.is_some_and(|decision| decision.digest != digest);
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

/// What becomes of one cell of the hub.
enum Cell<'a> {
    Still,
    Agreed(Value),
    Settled { value: Value, rule: String, voices: Vec<Candidate<'a>> },
    Open { reason: Deferred, voices: Vec<Candidate<'a>> },
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
                origins: part.origins,
            });
            hub_moved |= cell(hub, index) != base;
        }
    }
    // Equal changes are one change, so they are told apart by value alone, and their order by value and name.
    voices.sort_by(|a, b| a.value.cmp(b.value).then_with(|| a.who.cmp(b.who)));
    let Some(first) = voices.first() else { return Cell::Still };
    let anchor = hub.map_or(cell(common, index), |hub| cell(Some(hub), index));
    let hub_voice = hub.filter(|_| hub_moved).map(|row| Candidate {
        who: HUB,
        side: SideName::Left,
        value: anchor,
        base: first.base,
        row,
        origins: hub_origins,
    });
    let one = voices.iter().all(|voice| voice.value == first.value);
    if one && hub_voice.is_none_or(|hub| hub.value == first.value) {
        return Cell::Agreed(first.value.clone());
    }
    let (base, spoke) = (first.base, first.who);
    let base = if voices.iter().all(|voice| voice.base == base) { base } else { &Value::Null };
    voices.splice(0..0, hub_voice);
    // An expression is only ever shown one spoke against the hub, and then that spoke's base.
    let base_row = rows.iter().find(|part| part.who == spoke).and_then(|part| part.base);
    let dispute = Dispute { column: index, base, base_row, anchor, candidates: &voices, now };
    let strategy = terms.columns.get(index).map(|column| column.strategy).unwrap_or_default();
    match resolve(terms, strategy, &dispute) {
        Ok(settled) => {
            Cell::Settled { value: settled.value, rule: settled.rule.into_owned(), voices }
        }
        Err(reason) => Cell::Open { reason, voices },
    }
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

fn loser(
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

fn deletion(key: &Key, who: &str, origins: Option<&RowOrigins>, rule: &str) -> Loser {
    let origin = origins.map(|origins| &origins.row);
    Loser {
        key: key.clone(),
        from: who.into(),
        source: origin.and_then(|origin| origin.source.clone()),
        at: origin.and_then(|origin| origin.at),
        lost: Lost::Deletion,
        rule: rule.into(),
    }
}
