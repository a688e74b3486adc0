//! Says what to write to the hub and to each spoke, once the hub's row is decided.

use crate::cells;
use crate::class::{Class, Outcome};
use crate::conflict::{Loser, Lost, Withheld, Withholding};
use crate::dataset::{Direction, SideName};
use crate::existence;
use crate::facts::cell;
use crate::gather::{Gathered, Spoken, Target};
use crate::hub::{HUB, Spread};
use crate::key::Key;
use crate::merge::{BaseMove, Case, ChangeKind, Merged, Presence, Write, live, merge};
use crate::terms::{ColumnTerms, DeleteTerms, Terms};
use crate::transfer;
use crate::value::{Row, Value};

/// Spreads a decision over the hub and all spokes.
pub(crate) fn spread(
    terms: &Terms,
    key: &Key,
    spoken: &[Spoken<'_>],
    gathered: Gathered<'_>,
) -> Spread {
    let mut out = Spread {
        conflict: gathered.conflict.clone(),
        losers: gathered.losers.clone(),
        ..Spread::default()
    };
    let mut withhold = |reason| out.withheld.push(Withheld { key: key.clone(), reason });
    if gathered.hub == Presence::Unknown {
        withhold(Withholding::NotRead(SideName::Left));
    }
    if gathered.stale {
        withhold(Withholding::StaleDecision);
    }
    for _ in spoken.iter().filter(|spoken| spoken.row == Presence::Unknown) {
        withhold(Withholding::NotRead(SideName::Right));
    }
    let target = match &gathered.target {
        Target::Hold => {
            out.spokes = spoken.iter().map(|_| (None, BaseMove::Keep, Vec::new())).collect();
            return out;
        }
        Target::Gone => None,
        Target::Row(row) => Some(row),
    };
    let hub = to_hub(terms, key, &gathered, target);
    out.withheld.extend(hub.withheld);
    if hub.outcome == Outcome::Ignored {
        // The hub keeps the row, so the deletion of one spoke is no deletion for the others.
        out.losers.clear();
        out.spokes = spoken.iter().map(|_| (None, BaseMove::Keep, Vec::new())).collect();
        return out;
    }
    let corrected = hub.losers.into_iter().filter(|loser| is_correction(&loser.rule));
    out.losers.extend(corrected.map(|loser| Loser { from: HUB.into(), ..loser }));
    let edits = gathered.hub_edits.iter().filter(|loser| match (&hub.writes.left, &loser.lost) {
        (Some(Write { kind: ChangeKind::Delete, .. }), _) => true,
        // A marked row keeps all but the cell that marks it.
        (Some(Write { cells, .. }), Lost::Cell { column, .. }) => cells.contains(column),
        _ => false,
    });
    out.losers.extend(edits.cloned());
    out.hub = hub.writes.left;
    for one in spoken {
        let Merged { writes, base, losers, drift, withheld, .. } =
            to_spoke(key, one, &gathered, target);
        // What the decision itself did away with is in its own records already.
        for loser in losers {
            let from = one.spoke.name.into();
            if &*loser.rule == CLASH {
                out.losers.push(Loser { from, rule: gathered.clash.as_str().into(), ..loser });
            } else if is_correction(&loser.rule) {
                out.losers.push(Loser { from, ..loser });
            }
        }
        out.withheld.extend(withheld);
        out.spokes.push((writes.right, base, drift));
    }
    out
}

/// Stands for what decided that a row goes, until that is put in its place.
const CLASH: &str = "clash";

fn is_correction(rule: &str) -> bool {
    rule == "drift:overwrite" || rule == "reactivate"
}

/// Brings the hub to the target as a two-way comparison in which only the right side has changed.
fn to_hub(terms: &Terms, key: &Key, gathered: &Gathered<'_>, target: Option<&Row>) -> Merged {
    let mut terms = terms.settled();
    terms.direction = Direction::Both;
    // What was decided is a row that stands, also where the data of a spoke that is only read looks like a mark.
    terms.deletes.right = DeleteTerms::Delete;
    for column in &mut terms.columns {
        column.direction = Direction::Both;
    }
    let right = target.map_or(Presence::Absent, Presence::Present);
    let case = Case {
        key,
        base: gathered.live,
        left: gathered.hub,
        right,
        tombstone: None,
        origins: None,
        decision: None,
        now: None,
        frozen: None,
    };
    match target {
        // A row that only stood there marked as deleted has no word of its own: it becomes what was decided, also where
        // that looks like the mark.
        Some(target) if gathered.live.is_none() => {
            let still = Merged::still(Class::Unknown, Outcome::Nothing);
            transfer::copy(&terms, &case, SideName::Right, target, still)
        }
        _ => merge(&terms, &case),
    }
}

fn to_spoke(
    key: &Key,
    spoken: &Spoken<'_>,
    gathered: &Gathered<'_>,
    target: Option<&Row>,
) -> Merged {
    let still = || Merged::still(Class::Unknown, Outcome::Nothing);
    if spoken.row == Presence::Unknown {
        return still();
    }
    let terms = spoken.spoke.terms.settled();
    let case = spoken.case(key, gathered.partner);
    let own = live(spoken.spoke.terms, &case, SideName::Right);
    // From here on the hub is what it will be.
    let left = target.map_or(Presence::Absent, Presence::Present);
    let case = Case { left, frozen: Some(&gathered.frozen), ..case };
    // A spoke that is only written had no say, so whether its row bears a mark or data is told by what the hub will be.
    let own = match terms.direction {
        Direction::LeftToRight => live(spoken.spoke.terms, &case, SideName::Right),
        _ => own,
    };
    let forget = || if case.base.is_some() { BaseMove::Forget } else { BaseMove::Keep };
    let silent = terms.direction == Direction::RightToLeft;
    match (target, own) {
        (None, None) => Merged { base: forget(), ..still() },
        // A spoke that is only read agrees with whatever was made of it.
        (_, Some(own)) if silent => {
            let learned = settled_cells(own, case.base, &gathered.frozen);
            let base =
                if case.base == Some(&learned) { BaseMove::Keep } else { BaseMove::Set(learned) };
            Merged { base, ..still() }
        }
        (Some(_), None) if silent => Merged { base: forget(), ..still() },
        (Some(target), Some(own)) => {
            let target = deferring(&terms, target, own);
            let case = Case { left: Presence::Present(&target), ..case };
            cells::merge(&terms, &case, &target, own)
        }
        (Some(target), None) => match case.base {
            Some(base) if terms.direction == Direction::LeftToRight => {
                existence::gone(&terms, &case, base, SideName::Left, target)
            }
            _ => transfer::copy(&terms, &case, SideName::Left, target, still()),
        },
        (None, Some(own)) => match case.base {
            Some(base) if terms.direction == Direction::LeftToRight => {
                existence::gone(&terms, &case, base, SideName::Right, own)
            }
            None if terms.direction == Direction::LeftToRight => {
                existence::lone(&terms, &case, SideName::Right, own)
            }
            Some(base) => {
                let losers = existence::edits(&terms, &case, base, SideName::Right, own, CLASH);
                transfer::remove(&terms, &case, SideName::Right, own, Merged { losers, ..still() })
            }
            None => {
                let merged = transfer::remove(&terms, &case, SideName::Right, own, still());
                // The spokes that deleted the row forget it now, so a row that is left alone here would be new to the
                // next run. Its base notes the key, and no cell: none of them was agreed on.
                match merged.outcome {
                    Outcome::Ignored => {
                        Merged { base: BaseMove::Set(key_alone(&terms, own)), ..merged }
                    }
                    _ => merged,
                }
            }
        },
    }
}

/// Returns the target with the spoke's own word in the columns that only the spoke may write.
fn deferring(terms: &Terms, target: &Row, own: &Row) -> Row {
    let value = |index: usize| match terms
        .columns
        .get(index)
        .and_then(|column| column.direction.source())
    {
        Some(SideName::Right) => cell(Some(own), index).clone(),
        _ => cell(Some(target), index).clone(),
    };
    (0..target.len()).map(value).collect()
}

/// Returns a row of which base knows nothing but that it was decided about.
fn key_alone(terms: &Terms, own: &Row) -> Row {
    let value = |(column, value): (&ColumnTerms, &Value)| match column.key {
        true => value.clone(),
        false => Value::Null,
    };
    terms.columns.iter().zip(own.iter()).map(value).collect()
}

/// Returns a row as base learns it: the cells that wait for a person stay as they were.
fn settled_cells(own: &Row, base: Option<&Row>, frozen: &std::collections::BTreeSet<usize>) -> Row {
    let value = |index: usize| match frozen.contains(&index) {
        true => cell(base, index).clone(),
        false => cell(Some(own), index).clone(),
    };
    (0..own.len()).map(value).collect()
}
