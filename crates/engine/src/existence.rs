//! Decides a row that only one side has.

use crate::cells::{cell, loser};
use crate::class::{Class, Outcome};
use crate::conflict::{self, Conflict, ConflictKind, DriftNote, Loser, Lost, Withholding};
use crate::dataset::{Clash, Drift, SideName};
use crate::decision::Choice;
use crate::merge::{BaseMove, Case, ChangeKind, Merged, Write};
use crate::resolve::{instant, order};
use crate::terms::{DeleteTerms, Terms};
use crate::value::{Row, Value};

/// Decides a row that is new on one side.
pub(crate) fn lone(terms: &Terms, case: &Case<'_>, holder: SideName, row: &Row) -> Merged {
    let class = match holder {
        SideName::Left => Class::LeftAdd,
        SideName::Right => Class::RightAdd,
    };
    let merged = Merged::still(class, Outcome::Nothing);
    if terms.direction.source() != Some(holder.other()) {
        return copy(
            terms,
            case,
            holder,
            row,
            Merged {
                outcome: Outcome::Carried,
                ..merged
            },
        );
    }
    // An extra row of the receiving side.
    match terms.drift {
        Drift::Overwrite => remove(
            terms,
            case,
            holder,
            row,
            Merged {
                outcome: Outcome::Carried,
                ..merged
            },
        ),
        Drift::Report => row_drift(case, holder, merged),
        Drift::Keep => Merged {
            outcome: Outcome::Drifted,
            ..merged
        },
    }
}

/// Decides a row that both sides had and one side alone still has.
pub(crate) fn gone(
    terms: &Terms,
    case: &Case<'_>,
    base: &Row,
    holder: SideName,
    row: &Row,
) -> Merged {
    let deleter = holder.other();
    let edited = differing(terms, base, row).next().is_some();
    let class = match (holder, edited) {
        (SideName::Right, false) => Class::LeftDelete,
        (SideName::Left, false) => Class::RightDelete,
        (SideName::Right, true) => Class::DeleteModify,
        (SideName::Left, true) => Class::ModifyDelete,
    };
    let merged = Merged::still(class, Outcome::Carried);
    match terms.direction.source() {
        Some(source) if source == deleter => match terms.drift {
            Drift::Report if edited => row_drift(case, holder, merged),
            Drift::Keep if edited => Merged {
                outcome: Outcome::Drifted,
                ..merged
            },
            _ => {
                let losers = edits(terms, case, base, holder, row, "drift:overwrite");
                remove(terms, case, holder, row, Merged { losers, ..merged })
            }
        },
        // The receiving side lost the row by itself.
        Some(_) => match terms.drift {
            Drift::Overwrite => {
                let losers = vec![deletion(case, deleter, "drift:overwrite")];
                copy(terms, case, holder, row, Merged { losers, ..merged })
            }
            Drift::Report => row_drift(case, deleter, merged),
            Drift::Keep => Merged {
                outcome: Outcome::Drifted,
                ..merged
            },
        },
        None if destroys_edits(terms, base, holder, row) => {
            clash(terms, case, base, holder, row, merged)
        }
        None => {
            let losers = edits(terms, case, base, holder, row, "drift:overwrite");
            remove(terms, case, holder, row, Merged { losers, ..merged })
        }
    }
}

/// Returns whether carrying the deletion to the row would destroy a change that counts.
///
/// A cell that only the deleting side may write says nothing, unless the policy lets it stand.
fn destroys_edits(terms: &Terms, base: &Row, holder: SideName, row: &Row) -> bool {
    differing(terms, base, row).any(|index| {
        let source = terms
            .columns
            .get(index)
            .and_then(|column| column.direction.source());
        source != Some(holder.other()) || terms.drift != Drift::Overwrite
    })
}

fn differing<'a>(
    terms: &'a Terms,
    base: &'a Row,
    row: &'a Row,
) -> impl Iterator<Item = usize> + 'a {
    let columns = terms
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.shared());
    columns
        .map(|(index, _)| index)
        .filter(|&index| cell(Some(base), index) != cell(Some(row), index))
}

/// Decides a deletion on one side against a change on the other.
fn clash(
    terms: &Terms,
    case: &Case<'_>,
    base: &Row,
    holder: SideName,
    row: &Row,
    merged: Merged,
) -> Merged {
    let deleter = holder.other();
    let digest = conflict::row_digest(terms, case.key, case.rows());
    let (winner, rule) = match (winner(terms, case, base, holder, row), case.decision) {
        (Ok(winner), _) => (winner, format!("clash:{}", terms.clash.as_str())),
        (Err(_), Some(decision))
            if decision.digest == digest && matches!(decision.choice, Choice::Take(_)) =>
        {
            match decision.choice {
                Choice::Take(SideName::Left) => (SideName::Left, "decision".to_owned()),
                _ => (SideName::Right, "decision".to_owned()),
            }
        }
        (Err(reason), decision) => {
            let kind = match holder {
                SideName::Right => ConflictKind::DeleteModify,
                SideName::Left => ConflictKind::ModifyDelete,
            };
            let reason = match decision {
                Some(decision) if decision.digest == digest => {
                    "a row that one side deleted is decided by taking a side".into()
                }
                _ => reason,
            };
            let [base, left, right] = case.rows().map(|row| row.cloned());
            let stale = decision.is_some_and(|decision| decision.digest != digest);
            let key = case.key.clone();
            let conflict = Conflict {
                key,
                kind,
                cells: Vec::new(),
                reason,
                base,
                left,
                right,
                digest,
            };
            let held = Merged {
                conflict: Some(conflict),
                ..Merged::still(merged.class, Outcome::Held)
            };
            return if stale {
                held.withhold(case.key, Withholding::StaleDecision)
            } else {
                held
            };
        }
    };
    let merged = Merged {
        outcome: Outcome::Resolved,
        ..merged
    };
    if winner == holder {
        let losers = vec![deletion(case, deleter, &rule)];
        copy(terms, case, holder, row, Merged { losers, ..merged })
    } else {
        let losers = edits(terms, case, base, holder, row, &rule);
        remove(terms, case, holder, row, Merged { losers, ..merged })
    }
}

/// Returns the side whose word counts, or why none does.
fn winner(
    terms: &Terms,
    case: &Case<'_>,
    base: &Row,
    holder: SideName,
    row: &Row,
) -> Result<SideName, Box<str>> {
    let deleter = holder.other();
    match terms.clash {
        Clash::Hold => Err(format!("{deleter} deleted the row, {holder} changed it").into()),
        Clash::EditWins => Ok(holder),
        Clash::DeleteWins => Ok(deleter),
        Clash::Left => Ok(SideName::Left),
        Clash::Right => Ok(SideName::Right),
        Clash::Later => {
            let origins = case.origins_of(holder);
            let cells = differing(terms, base, row);
            let observed = cells
                .filter_map(|index| origins.and_then(|origins| origins.cell_time(index)))
                .max();
            let declared = terms
                .modified_at
                .and_then(|column| instant(cell(Some(row), column)));
            let edited = declared
                .or(observed)
                .or(origins.and_then(|origins| origins.row.at));
            let deleted = case.origins_of(deleter).and_then(|origins| origins.row.at);
            match order(edited, deleted) {
                Some(ordering) if ordering.is_lt() => Ok(deleter),
                Some(_) => Ok(holder),
                None if deleted.is_none() => {
                    Err(format!("it is not known when {deleter} deleted the row").into())
                }
                None => Err(format!("it is not known when {holder} changed the row").into()),
            }
        }
    }
}

/// Gives the row to the side that lacks it.
///
/// A cell that only the lacking side may write is not carried: that side's word on it is what its own marked row says,
/// or nothing.
fn copy(terms: &Terms, case: &Case<'_>, holder: SideName, row: &Row, mut merged: Merged) -> Merged {
    let taker = holder.other();
    let marked = match taker {
        SideName::Left => case.rows()[1],
        SideName::Right => case.rows()[2],
    };
    let mark = match terms.deletes.get(taker) {
        DeleteTerms::Mark { column, .. } if marked.is_some() => Some(*column),
        _ => None,
    };
    let mut given: Vec<Value> =
        marked.map_or_else(|| vec![Value::Null; row.len()], |marked| marked.to_vec());
    let mut kept = row.to_vec();
    let mut base = vec![Value::Null; row.len()];
    let mut corrected = Vec::new();
    for (index, (value, column)) in row.iter().zip(&terms.columns).enumerate() {
        let (Some(given), Some(base), Some(kept)) = (
            given.get_mut(index),
            base.get_mut(index),
            kept.get_mut(index),
        ) else {
            continue;
        };
        if mark == Some(index) {
            *given = Value::Null;
        }
        if column.key {
            (*given, *base) = (value.clone(), value.clone());
        } else if !column.shared() {
            continue;
        } else if column.direction.source() != Some(taker) {
            (*given, *base) = (value.clone(), value.clone());
        } else {
            *base = given.clone();
            if given != value {
                if terms.drift == Drift::Overwrite {
                    merged
                        .losers
                        .push(loser(case, holder, index, value, "drift:overwrite"));
                    *kept = given.clone();
                    corrected.push(index);
                } else if terms.drift == Drift::Report {
                    let (expected, found) = (given.clone(), value.clone());
                    let column = Some(index);
                    merged.drift.push(DriftNote {
                        key: case.key.clone(),
                        side: holder,
                        column,
                        expected,
                        found,
                    });
                }
            }
        }
    }
    let on_taker = |index: &usize| {
        terms
            .columns
            .get(*index)
            .is_some_and(|column| *column.on.get(taker))
    };
    let cells: Vec<usize> = (0..row.len())
        .filter(on_taker)
        .filter(|&index| marked.is_none_or(|marked| marked.get(index) != given.get(index)))
        .collect();
    if let Some(marked) = marked {
        for &index in cells.iter().filter(|index| mark != Some(**index)) {
            let old = cell(Some(marked), index);
            if old != cell(case.base, index) {
                merged
                    .losers
                    .push(loser(case, taker, index, old, "reactivate"));
            }
        }
    }
    let kind = if marked.is_some() {
        ChangeKind::Reactivate
    } else {
        ChangeKind::Insert
    };
    *merged.writes.get_mut(taker) = Some(Write {
        kind,
        after: Some(given.into()),
        cells,
    });
    if !corrected.is_empty() {
        let update = Write {
            kind: ChangeKind::Update,
            after: Some(kept.into()),
            cells: corrected,
        };
        *merged.writes.get_mut(holder) = Some(update);
    }
    let base: Row = base.into();
    if case.base != Some(&base) {
        merged.base = BaseMove::Set(base);
    }
    merged
}

/// Takes the row away from the side that still has it, by its delete policy.
fn remove(
    terms: &Terms,
    case: &Case<'_>,
    holder: SideName,
    row: &Row,
    mut merged: Merged,
) -> Merged {
    let forgotten = if case.base.is_some() {
        BaseMove::Forget
    } else {
        BaseMove::Keep
    };
    let write = match terms.deletes.get(holder) {
        // Base keeps the row, so that the next run does not take what is left for a new one.
        DeleteTerms::Ignore => {
            return Merged {
                outcome: Outcome::Ignored,
                losers: Vec::new(),
                ..merged
            };
        }
        DeleteTerms::Unmarkable => {
            let merged = Merged {
                outcome: Outcome::Ignored,
                losers: Vec::new(),
                ..merged
            };
            return merged.withhold(case.key, Withholding::NoMarkColumn(holder));
        }
        DeleteTerms::Delete => Write {
            kind: ChangeKind::Delete,
            after: None,
            cells: Vec::new(),
        },
        DeleteTerms::Mark { column, value, .. } => {
            // The other cells of a marked row stay as they are, so nothing of them is lost.
            merged.losers.retain(
                |loser| matches!(&loser.lost, Lost::Cell { column: lost, .. } if lost == column),
            );
            if row.get(*column) == Some(value) {
                let outcome = if case.base.is_some() {
                    Outcome::Agreed
                } else {
                    Outcome::Nothing
                };
                return Merged {
                    base: forgotten,
                    outcome,
                    ..merged
                };
            }
            let old = cell(Some(row), *column);
            if case.base.is_none() && !old.is_null() {
                merged.losers.push(loser(case, holder, *column, old, "drift:overwrite"));
            }
            let mut after = row.to_vec();
            if let Some(slot) = after.get_mut(*column) {
                *slot = value.clone();
            }
            Write {
                kind: ChangeKind::Mark,
                after: Some(after.into()),
                cells: vec![*column],
            }
        }
    };
    if write.kind == ChangeKind::Delete && case.base.is_none() {
        let lost = Lost::Row(row.clone());
        merged.losers.push(Loser {
            lost,
            ..deletion(case, holder, "drift:overwrite")
        });
    }
    *merged.writes.get_mut(holder) = Some(write);
    Merged {
        base: forgotten,
        ..merged
    }
}

/// Notes that the receiving side stands by its own row, or by having none.
fn row_drift(case: &Case<'_>, side: SideName, mut merged: Merged) -> Merged {
    let note = DriftNote {
        key: case.key.clone(),
        side,
        column: None,
        expected: Value::Null,
        found: Value::Null,
    };
    merged.drift.push(note);
    merged.outcome = Outcome::Drifted;
    merged
}

fn deletion(case: &Case<'_>, side: SideName, rule: &str) -> Loser {
    let origin = case.origins_of(side).map(|origins| &origins.row);
    Loser {
        key: case.key.clone(),
        from: side.as_str().into(),
        source: origin.and_then(|origin| origin.source.clone()),
        at: origin.and_then(|origin| origin.at),
        lost: Lost::Deletion,
        rule: rule.into(),
    }
}

fn edits(
    terms: &Terms,
    case: &Case<'_>,
    base: &Row,
    holder: SideName,
    row: &Row,
    rule: &str,
) -> Vec<Loser> {
    differing(terms, base, row)
        .map(|index| loser(case, holder, index, cell(Some(row), index), rule))
        .collect()
}
