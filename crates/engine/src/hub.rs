//! Reconciles a hub with any number of spokes.
//!
//! What every spoke changed since it last agreed with the hub is gathered first, and decided on one row; then follows
//! what to write to the hub, and then to each spoke. Deciding spoke by spoke would let their order decide.
//!
//! The hub is the left side of every spoke's terms and times, the spoke the right side. `leftPriority` and `left`
//! prefer the hub, `rightPriority` and `right` the spokes; where several spokes remain, the later change wins.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::columns::like;
use crate::conflict::{DriftNote, Loser, Withheld};
use crate::gather::{Spoken, decide};
use crate::key::Key;
use crate::merge::{BaseMove, Presence, Write};
use crate::reconcile::{BaseChange, Change, Reading, Side};
use crate::spread::spread;
use crate::table::Table;
use crate::terms::Terms;
use crate::times::Times;
use crate::value::{Row, Value};

/// The name of the hub in conflicts, losers and decisions.
pub const HUB: &str = "hub";

/// One spoke: a replica that is kept in step with the hub.
#[derive(Clone, Copy, Debug)]
pub struct Spoke<'a> {
    /// Its name; the source of its values unless its times say otherwise.
    pub name: &'a str,
    /// Its terms with the hub, which is left: a direction of `leftToRight` only writes it, `rightToLeft` only reads it.
    pub terms: &'a Terms,
    /// What it and the hub last agreed on.
    pub base: Option<&'a Table>,
    /// The spoke as it was read.
    pub side: Side<'a>,
    /// The times of the hub's values (left) and of its own (right).
    pub times: &'a Times,
}

/// One value of a disputed cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Voice {
    /// Who says it: `hub` or a spoke.
    pub from: Box<str>,
    /// What they say.
    pub value: Value,
}

/// One disputed cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HubCell {
    /// The column.
    pub column: usize,
    /// The values, by name of who says them.
    pub voices: Vec<Voice>,
    /// What all of them last agreed on with the hub; none where they did not agree on the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Value>,
    /// Why it was not decided.
    pub reason: Box<str>,
}

/// A key on which hub and spokes do not agree and that nothing decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HubConflict {
    /// The key.
    pub key: Key,
    /// The disputed cells; empty when some deleted the row and others changed it.
    pub cells: Vec<HubCell>,
    /// Who deleted the row.
    pub deleted: Vec<Box<str>>,
    /// Who changed it.
    pub changed: Vec<Box<str>>,
    /// Why it was not decided.
    pub reason: Box<str>,
    /// Names the disputed state; a decision must quote it.
    pub digest: Box<str>,
}

/// How one disputed cell of a hub is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HubCellChoice {
    /// The value of the `hub` or of a spoke.
    Take(Box<str>),
    /// What all of them last agreed on, where that is one value.
    Base,
    /// A value of its own.
    Value(Value),
}

/// How a conflict of a hub is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HubChoice {
    /// The cells, or the row, of the `hub` or of a spoke.
    Take(Box<str>),
    /// Cell by cell, by column; cells that are not named stay undecided.
    Cells(BTreeMap<usize, HubCellChoice>),
}

/// A person's word on a conflict of a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HubDecision {
    /// The digest of the conflict.
    pub digest: Box<str>,
    /// The choice.
    pub choice: HubChoice,
}

impl HubChoice {
    /// Returns the value that is chosen for a disputed cell; `None` where nothing is.
    pub(crate) fn of(&self, cell: &HubCell) -> Option<Value> {
        let said = |who: &str| {
            let voice = cell.voices.iter().find(|voice| *voice.from == *who)?;
            Some(voice.value.clone())
        };
        match self {
            HubChoice::Take(who) => said(who),
            HubChoice::Cells(cells) => match cells.get(&cell.column)? {
                HubCellChoice::Take(who) => said(who),
                HubCellChoice::Base => cell.base.clone(),
                HubCellChoice::Value(value) => Some(value.clone()),
            },
        }
    }

    /// Returns whose row is taken, where a row is.
    pub(crate) fn row(&self) -> Option<&str> {
        match self {
            HubChoice::Take(who) => Some(who),
            HubChoice::Cells(_) => None,
        }
    }
}

/// What follows for one spoke, or for another member of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpokeResult {
    /// Its name.
    pub name: Box<str>,
    /// Writes to it, by key.
    pub changes: Vec<Change>,
    /// Moves of its base, to be made when the writes to it and to the hub were confirmed.
    pub base: Vec<BaseChange>,
    /// What it keeps of its own.
    pub drift: Vec<DriftNote>,
}

/// Everything that follows for a hub and its spokes: first the hub is written, then the spokes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HubReconciled {
    /// Writes to the hub, by key.
    pub hub: Vec<Change>,
    /// What follows for each spoke, in the order they were given.
    pub spokes: Vec<SpokeResult>,
    /// What waits for a person, by key.
    pub conflicts: Vec<HubConflict>,
    /// What was decided against, by key.
    pub losers: Vec<Loser>,
    /// What was held back for want of knowledge, by key.
    pub withheld: Vec<Withheld>,
}

impl HubReconciled {
    /// Returns whether nothing has to be written.
    pub fn is_quiet(&self) -> bool {
        self.hub.is_empty() && self.spokes.iter().all(|spoke| spoke.changes.is_empty())
    }
}

/// Decides every key of a hub and its spokes.
///
/// `terms` are the dataset's: its strategies, merges, rules and clash policy decide, and its delete policy for the left
/// is how the hub's rows are deleted.
pub fn reconcile_hub(
    hub: Side<'_>,
    spokes: &[Spoke<'_>],
    terms: &Terms,
    decisions: &BTreeMap<Key, HubDecision>,
) -> HubReconciled {
    let mut result = HubReconciled {
        spokes: spokes
            .iter()
            .map(|spoke| SpokeResult { name: spoke.name.into(), ..SpokeResult::default() })
            .collect(),
        ..HubReconciled::default()
    };
    let mut keys: BTreeSet<&Key> = all_keys(hub.rows).collect();
    for spoke in spokes {
        keys.extend(all_keys(spoke.side.rows));
        keys.extend(spoke.base.into_iter().flat_map(|base| base.iter().map(|(key, _)| key)));
    }
    for key in keys {
        let spoken: Vec<Spoken<'_>> = spokes
            .iter()
            .map(|spoke| {
                let base = spoke.base.and_then(|base| base.get(key));
                Spoken { spoke, base, row: seen(spoke.side, key, base.is_some()) }
            })
            .collect();
        let based = spoken.iter().any(|spoken| spoken.base.is_some());
        let gathered = decide(terms, key, seen(hub, key, based), &spoken, decisions.get(key));
        apply(&mut result, key, hub.rows, spokes, spread(terms, key, &spoken, gathered));
    }
    result
}

fn all_keys(table: &Table) -> impl Iterator<Item = &Key> {
    table.iter().map(|(key, _)| key).chain(table.duplicates())
}

/// Returns what is known of a row, given how much of its side was read.
fn seen<'a>(side: Side<'a>, key: &Key, based: bool) -> Presence<'a> {
    match (side.rows.get(key), side.reading) {
        _ if side.rows.duplicates().contains(key) => Presence::Unknown,
        (Some(row), _) => Presence::Present(row),
        (None, Reading::Complete) => Presence::Absent,
        (None, Reading::Doubtful) if !based => Presence::Absent,
        (None, _) => Presence::Unknown,
    }
}

/// What was decided for one key, ready to be gathered.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    pub(crate) hub: Option<Write>,
    /// For each spoke its write and the move of its base.
    pub(crate) spokes: Vec<(Option<Write>, BaseMove, Vec<DriftNote>)>,
    pub(crate) conflict: Option<HubConflict>,
    pub(crate) losers: Vec<Loser>,
    pub(crate) withheld: Vec<Withheld>,
}

fn apply(result: &mut HubReconciled, key: &Key, hub: &Table, spokes: &[Spoke<'_>], spread: Spread) {
    let change = |table: &Table, write: Write, known: &[Change]| Change {
        key: key.clone(),
        kind: write.kind,
        before: table.get(key).cloned(),
        after: write.after,
        cells: like(write.cells, known.last().map(|last| &last.cells)),
        row: table.index_of(key),
    };
    let hub_write = spread.hub.map(|write| change(hub, write, &result.hub));
    result.hub.extend(hub_write);
    for ((out, spoke), (write, base, drift)) in
        result.spokes.iter_mut().zip(spokes).zip(spread.spokes)
    {
        let write = write.map(|write| change(spoke.side.rows, write, &out.changes));
        let written = write.as_ref().and_then(|write| write.after.clone());
        out.changes.extend(write);
        let before = || spoke.base.and_then(|base| base.get(key)).cloned();
        let after: Option<Option<Row>> = match base {
            BaseMove::Keep => None,
            BaseMove::Set(mut row) => {
                written.iter().for_each(|written| row.share(written));
                Some(Some(row))
            }
            BaseMove::Forget => Some(None),
        };
        out.base.extend(after.map(|after| BaseChange {
            key: key.clone(),
            before: before(),
            after,
        }));
        out.drift.extend(drift);
    }
    result.conflicts.extend(spread.conflict);
    result.losers.extend(spread.losers);
    result.withheld.extend(spread.withheld);
}
