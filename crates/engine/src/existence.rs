//! Decides a row that only one side has.

use crate::cells::loser;
use crate::class::{Class, Outcome};
use crate::conflict::{self, Conflict, ConflictKind, Loser, Withholding};
use crate::dataset::{Clash, Drift, SideName};
use crate::decision::Choice;
use crate::facts::cell;
use crate::merge::{Case, Merged};
use crate::resolve::{instant, order};
use crate::terms::Terms;
use crate::transfer::{copy, deletion, remove, row_drift};
use crate::value::Row;

/// Decides a row that is new on one side.
pub(crate) fn lone(terms: &Terms, case: &Case<'_>, holder: SideName, row: &Row) -> Merged {
    let class = match holder {
        SideName::Left => Class::LeftAdd,
        SideName::Right => Class::RightAdd,
    };
    let merged = Merged::still(class, Outcome::Nothing);
    if terms.direction.source() != Some(holder.other()) {
        return copy(terms, case, holder, row, Merged { outcome: Outcome::Carried, ..merged });
    }
    // An extra row of the receiving side.
    match terms.drift {
        Drift::Overwrite => {
            remove(terms, case, holder, row, Merged { outcome: Outcome::Carried, ..merged })
        }
        Drift::Report => row_drift(case, holder, merged),
        Drift::Keep => Merged { outcome: Outcome::Drifted, ..merged },
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
            Drift::Keep if edited => Merged { outcome: Outcome::Drifted, ..merged },
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
            Drift::Keep => Merged { outcome: Outcome::Drifted, ..merged },
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
        let source = terms.columns.get(index).and_then(|column| column.direction.source());
        source != Some(holder.other()) || terms.drift != Drift::Overwrite
    })
}

pub(crate) fn differing<'a>(
    terms: &'a Terms,
    base: &'a Row,
    row: &'a Row,
) -> impl Iterator<Item = usize> + 'a {
    let columns = terms.columns.iter().enumerate().filter(|(_, column)| column.shared());
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
            let conflict =
                Conflict { key, kind, cells: Vec::new(), reason, base, left, right, digest };
            let held =
                Merged { conflict: Some(conflict), ..Merged::still(merged.class, Outcome::Held) };
            return if stale { held.withhold(case.key, Withholding::StaleDecision) } else { held };
        }
    };
    let merged = Merged { outcome: Outcome::Resolved, ..merged };
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
            let declared = terms.modified_at.and_then(|column| instant(cell(Some(row), column)));
            let edited = declared.or(observed).or(origins.and_then(|origins| origins.row.at));
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

pub(crate) fn edits(
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
