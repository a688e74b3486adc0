//! Decides what the hub's row shall be, from everything that any spoke changed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::conflict::{Loser, Lost, name_of};
use crate::dataset::{Clash, Direction, SideName};
use crate::facts::cell;
use crate::hub::{HUB, HubConflict, HubDecision, Spoke};
use crate::key::Key;
use crate::merge::{Case, Presence, live};
use crate::resolve::{instant, order};
use crate::terms::{DeleteTerms, Terms};
use crate::times::RowOrigins;
use crate::value::Row;
use crate::weigh::{Answer, loser, merge_rows};

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
    pub(crate) now: Option<Timestamp>,
}

pub(crate) enum Target {
    /// Nothing is decided for the key.
    Hold,
    Gone,
    Row(Row),
}

/// What one voice did to the row.
pub(crate) struct Part<'a> {
    pub(crate) who: &'a str,
    pub(crate) side: SideName,
    pub(crate) base: Option<&'a Row>,
    pub(crate) row: Option<&'a Row>,
    pub(crate) origins: Option<&'a RowOrigins>,
    pub(crate) terms: &'a Terms,
}

impl Part<'_> {
    fn deleted(&self) -> bool {
        self.base.is_some() && self.row.is_none()
    }

    fn changed(&self, terms: &Terms) -> bool {
        let Some(row) = self.row else { return false };
        self.base.is_none() || changed_cells(terms, self.terms, self.base, row).next().is_some()
    }

    /// Returns whether the row stays where it is whatever becomes of it elsewhere.
    fn keeps(&self) -> bool {
        matches!(self.terms.deletes.right, DeleteTerms::Ignore | DeleteTerms::Unmarkable)
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

pub(crate) fn flows(own: &Terms, index: usize) -> bool {
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
        return merge_rows(terms, key, &parts, hub_origins, decision.map(Answer::Cells), gathered);
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
    let keeps = changed.iter().any(|part| part.keeps());
    let survives = match terms.clash {
        Clash::Hold => Err("some deleted the row, others changed it".into()),
        Clash::EditWins => Ok(true),
        Clash::DeleteWins => Ok(false),
        Clash::Left => Ok(!hub_gone),
        // Of spokes that disagree the deletion counts, unless the changed row stays on its spoke in any case: it would be
        // back with the next run, when that spoke alone is left to speak against the hub.
        Clash::Right => Ok(deleted.is_empty() || keeps),
        Clash::Later => later(
            terms,
            // For the same reason only the time that the next run still knows counts against such a row.
            if hub_gone && keeps { &[] } else { &deleted },
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
        parts.iter().map(|part| (part.who, part.row)).collect::<BTreeMap<_, _>>(),
    ));
    let mut answer = decision.map(Answer::Cells);
    let survives = match (survives, decision) {
        (Ok(survives), _) => survives,
        (Err(_), Some(decision))
            if decision.digest == digest
                && decision
                    .choice
                    .row()
                    .is_some_and(|who| among(&gone_by, who) || among(&changed_by, who)) =>
        {
            rule = "decision".into();
            answer = decision.choice.row().map(Answer::Row);
            decision.choice.row().is_some_and(|who| among(&changed_by, who))
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
        return merge_rows(terms, key, &parts, hub_origins, answer, gathered);
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
/// In a shared column the mark may be ordinary data; it means a deletion where every spoke that tells has either
/// forgotten the row or lost it, so that the order of spokes does not matter. A spoke that is only read agrees with
/// whatever the hub makes of its row, and so tells nothing where another does. What one that is only written has of its
/// own says nothing either: it tells by what it last agreed on.
fn stands_deleted(terms: &Terms, hub: Presence<'_>, spoken: &[Spoken<'_>]) -> bool {
    let (Some(row), DeleteTerms::Mark { own, .. }) = (hub.row(), &terms.deletes.left) else {
        return false;
    };
    let marked = terms.marked(SideName::Left, row);
    if !marked || *own {
        return marked;
    }
    let gone = |spoken: &Spoken<'_>| {
        spoken.base.is_none() || (spoken.speaks() && spoken.row == Presence::Absent)
    };
    for direction in [Direction::Both, Direction::LeftToRight, Direction::RightToLeft] {
        let mut towards = spoken
            .iter()
            .filter(|one| one.row != Presence::Unknown && one.spoke.terms.direction == direction)
            .peekable();
        if towards.peek().is_some() {
            return towards.all(gone);
        }
    }
    false
}

fn among(names: &[Box<str>], who: &str) -> bool {
    names.iter().any(|name| **name == *who)
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
