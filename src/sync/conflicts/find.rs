//! What a comparison left undecided, in the form in which the store keeps it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lockstep_engine::{
    conflict::{Conflict, ConflictKind, Lost, Withholding},
    dataset::SideName,
    hub::{HUB, HubConflict},
    key::Key,
    plan::{Decided, Disagreement},
    schema::Schema,
    table::Table,
    value::{Row, Value},
};

use super::super::{known::Known, rest::names};
use crate::store::conflicts::{
    Dispute, Disputed, Kind, Observed, Rows, Seen, State, Stored, Voice,
};

/// What decided, in loser records of what people decided.
const DECISION: &str = "decision";

/// A member as it was compared: its name, its rows, and what it last agreed on.
pub(in super::super) struct Compared<'a> {
    pub(in super::super) name: &'a str,
    pub(in super::super) rows: &'a Table,
    pub(in super::super) base: Option<&'a Table>,
}

/// Returns what a comparison found of conflicts; `members` are those of a hub that were read, `down` the others.
///
/// A run about some keys, `only`, says nothing about what waits for the others.
pub(in super::super) fn seen(
    known: &Known,
    schema: &Schema,
    result: &Decided,
    members: &[Compared<'_>],
    down: BTreeSet<String>,
    only: Option<&BTreeSet<String>>,
    now: Timestamp,
) -> Seen {
    let meant = |key: &Key| only.is_none_or(|only| only.contains(&key.to_string()));
    let first = |member: &str, key: &Key, column: &str, value: Option<&Value>| {
        let digest = Observed::digest(value);
        let known = known.time(key, column, member).filter(|known| known.value == digest);
        known.map_or(now, |known| known.at)
    };
    let finder = Finder { schema, columns: names(schema), first: &first };
    let disputes: Vec<Dispute> = result
        .conflicts
        .iter()
        .map(|one| match one {
            Disagreement::Pair(conflict) => finder.of_pair(conflict),
            Disagreement::Hub(conflict) => finder.of_hub(conflict, members),
        })
        .collect();
    // A member that was not read may have changed at any time.
    let mut times = if down.is_empty() { finder.times(&disputes) } else { Vec::new() };
    times.extend(known.times().filter(|one| !meant(&one.key)).cloned());
    let live = known.conflicts();
    let keys: BTreeSet<&Key> = live.iter().map(|stored| &stored.key).collect();
    let mut seen = Seen {
        matters: !disputes.is_empty() || live.iter().any(|stored| meant(&stored.key)),
        columns: names(schema),
        down,
        times,
        ..Seen::default()
    };
    let mut lost: BTreeMap<(&Key, String), &str> = BTreeMap::new();
    for loser in result.losers.iter().filter(|loser| keys.contains(&loser.key)) {
        let column = match &loser.lost {
            Lost::Cell { column, .. } => finder.name(*column),
            Lost::Row(_) | Lost::Deletion => String::new(),
        };
        for column in [column, String::new()] {
            lost.entry((&loser.key, column)).or_insert(&*loser.rule);
        }
    }
    for Stored { key, column, state, decided, .. } in live {
        match (lost.get(&(key, column.clone())), decided) {
            (Some(&DECISION), Some(decided)) if *state == State::Decided => {
                seen.applied.insert((key.clone(), column.clone()), *decided);
            }
            (Some(rule), _) if **rule != *DECISION => {
                seen.settled.insert((key.clone(), column.clone()), format!("the policy ({rule})"));
            }
            _ => {}
        }
    }
    let unread = result.withheld.iter().filter(|one| matches!(one.reason, Withholding::NotRead(_)));
    let unread = unread.map(|one| &one.key).filter(|key| keys.contains(key));
    let others = keys.iter().copied().filter(|key| !meant(key));
    seen.unjudged = unread.chain(others).cloned().collect();
    seen.disputes = disputes;
    seen
}

/// Tells when a value of a member was first seen.
type First<'a> = &'a dyn Fn(&str, &Key, &str, Option<&Value>) -> Timestamp;

struct Finder<'a> {
    schema: &'a Schema,
    columns: Vec<String>,
    first: First<'a>,
}

impl Finder<'_> {
    fn name(&self, column: usize) -> String {
        self.schema.columns.get(column).map(|column| column.name.clone()).unwrap_or_default()
    }

    fn cell(&self, who: &str, key: &Key, column: &str, value: &Value) -> Voice {
        let at = Some((self.first)(who, key, column, Some(value)));
        Voice { who: who.to_owned(), value: value.clone(), deleted: false, at }
    }

    /// Returns the word of a member that deleted a row, or changed it: then it is as old as the latest of its changes.
    fn row(&self, who: &str, key: &Key, row: Option<&Row>, base: Option<&Row>) -> Voice {
        let first = |column: &str, value| (self.first)(who, key, column, value);
        let at = match row {
            None => Some(first("", None)),
            Some(row) => row
                .iter()
                .enumerate()
                .filter(|(at, value)| base.and_then(|base| base.get(*at)) != Some(*value))
                .map(|(at, value)| first(&self.name(at), Some(value)))
                .max(),
        };
        Voice { who: who.to_owned(), value: Value::Null, deleted: row.is_none(), at }
    }

    fn of_pair(&self, conflict: &Conflict) -> Dispute {
        let Conflict { key, kind, cells, reason, base, left, right, digest } = conflict;
        let gone = match kind {
            ConflictKind::Cells => None,
            ConflictKind::DeleteModify => Some(SideName::Left),
            ConflictKind::ModifyDelete => Some(SideName::Right),
        };
        let (l, r) = (SideName::Left.as_str(), SideName::Right.as_str());
        let cells = if gone.is_some() {
            let voice = |side: SideName| {
                let row = if side == SideName::Left { left } else { right };
                let row = row.as_ref().filter(|_| gone != Some(side));
                self.row(side.as_str(), key, row, base.as_ref())
            };
            let voices = SideName::BOTH.map(voice).into();
            vec![Disputed { column: String::new(), base: None, voices, reason: reason.to_string() }]
        } else {
            let cell = |cell: &lockstep_engine::conflict::CellConflict| {
                let column = self.name(cell.column);
                let voices = vec![
                    self.cell(l, key, &column, &cell.left),
                    self.cell(r, key, &column, &cell.right),
                ];
                let base = base.is_some().then(|| cell.base.clone());
                Disputed { column, base, voices, reason: cell.reason.to_string() }
            };
            cells.iter().map(cell).collect()
        };
        // A row that is marked as deleted is a row that is not there.
        let row = |side: SideName, row: &Option<Row>| row.clone().filter(|_| gone != Some(side));
        let members = [
            (l.to_owned(), row(SideName::Left, left)),
            (r.to_owned(), row(SideName::Right, right)),
        ];
        let bases = base.iter().map(|base| (r.to_owned(), base.clone())).collect();
        Dispute {
            key: key.clone(),
            kind: match (kind, base) {
                (ConflictKind::DeleteModify, _) => Kind::DeleteEdit,
                (ConflictKind::ModifyDelete, _) => Kind::EditDelete,
                (ConflictKind::Cells, Some(_)) => Kind::Edit,
                (ConflictKind::Cells, None) => Kind::Create,
            },
            digest: digest.to_string(),
            cells,
            rows: Rows { columns: self.columns.clone(), members: members.into(), bases },
        }
    }

    fn of_hub(&self, conflict: &HubConflict, members: &[Compared<'_>]) -> Dispute {
        let HubConflict { key, cells, deleted, changed, reason, digest } = conflict;
        let cells = if cells.is_empty() {
            let any = members.iter().find_map(|one| one.base?.get(key));
            let changes = |who: &str| {
                let member = members.iter().find(|one| *one.name == *who);
                let base = member.and_then(|one| one.base?.get(key)).or(any);
                self.row(who, key, member.and_then(|one| one.rows.get(key)), base)
            };
            let gone = |who: &str| self.row(who, key, None, None);
            let voices = deleted
                .iter()
                .map(|who| gone(who))
                .chain(changed.iter().map(|who| changes(who)))
                .collect();
            vec![Disputed { column: String::new(), base: None, voices, reason: reason.to_string() }]
        } else {
            let cell = |cell: &lockstep_engine::hub::HubCell| {
                let column = self.name(cell.column);
                let said = cell.voices.iter();
                let said = said.map(|one| self.cell(&one.from, key, &column, &one.value));
                let (voices, base) = (said.collect(), cell.base.clone());
                Disputed { column, base, voices, reason: cell.reason.to_string() }
            };
            cells.iter().map(cell).collect()
        };
        let gone = |who: &str| deleted.iter().any(|name| **name == *who);
        let row = |one: &Compared<'_>| {
            (one.name.to_owned(), one.rows.get(key).cloned().filter(|_| !gone(one.name)))
        };
        let base = |one: &Compared<'_>| Some((one.name.to_owned(), one.base?.get(key)?.clone()));
        let rows = Rows {
            columns: self.columns.clone(),
            members: members.iter().map(row).collect(),
            bases: members.iter().filter_map(base).collect(),
        };
        let kind = match (deleted.is_empty(), rows.bases.is_empty()) {
            (false, _) => Kind::DeleteEdit,
            (true, false) => Kind::Edit,
            (true, true) => Kind::Create,
        };
        Dispute { key: key.clone(), kind, digest: digest.to_string(), cells, rows }
    }

    /// Returns since when each value of a disputed row differs from what was last agreed on.
    fn times(&self, disputes: &[Dispute]) -> Vec<Observed> {
        let mut times = Vec::new();
        for Dispute { key, rows, .. } in disputes {
            for (member, row) in &rows.members {
                let bases: Vec<&Row> = match (member.as_str(), rows.bases.get(member)) {
                    (_, Some(base)) => vec![base],
                    (HUB | "left", None) => rows.bases.values().collect(),
                    _ => Vec::new(),
                };
                let mut see = |column: &str, value: Option<&Value>| {
                    times.push(Observed {
                        member: member.clone(),
                        key: key.clone(),
                        column: column.to_owned(),
                        value: Observed::digest(value),
                        at: (self.first)(member, key, column, value),
                    });
                };
                let Some(row) = row else {
                    if !bases.is_empty() {
                        see("", None);
                    }
                    continue;
                };
                for (at, (value, column)) in row.iter().zip(&rows.columns).enumerate() {
                    let same =
                        !bases.is_empty() && bases.iter().all(|base| base.get(at) == Some(value));
                    if !same && !self.schema.key.contains(&at) {
                        see(column, Some(value));
                    }
                }
            }
        }
        times
    }
}
