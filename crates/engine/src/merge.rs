//! Decides one key: what becomes of its row on the left, on the right, and in base.
//!
//! The cases are those of the table in the crate's documentation; each branch of [`merge`] is one line of it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::class::{Class, Outcome};
use crate::conflict::{Conflict, DriftNote, Loser, Withheld, Withholding};
use crate::dataset::{PerSide, SideName};
use crate::decision::Decision;
use crate::key::Key;
use crate::terms::{DeleteTerms, Terms};
use crate::times::RowOrigins;
use crate::value::Row;
use crate::{cells, existence};

/// What is known about a row on a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence<'a> {
    /// The side was read and does not have it.
    Absent,
    /// The side has it.
    Present(&'a Row),
    /// Nothing: the side was not proven completely read for this key.
    Unknown,
}

impl<'a> Presence<'a> {
    pub(crate) fn row(self) -> Option<&'a Row> {
        match self {
            Presence::Present(row) => Some(row),
            Presence::Absent | Presence::Unknown => None,
        }
    }
}

/// One key with everything that its decision depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) key: &'a Key,
    pub(crate) base: Option<&'a Row>,
    pub(crate) left: Presence<'a>,
    pub(crate) right: Presence<'a>,
    /// Whether the key is known to have been deleted before; `None` where no tombstones are kept.
    pub(crate) tombstone: Option<bool>,
    pub(crate) origins: Option<&'a PerSide<RowOrigins>>,
    pub(crate) decision: Option<&'a Decision>,
    pub(crate) now: Option<Timestamp>,
    /// For a spoke: the columns that wait for a person. The left row is then what was decided from all spokes.
    pub(crate) frozen: Option<&'a BTreeSet<usize>>,
}

impl<'a> Case<'a> {
    pub(crate) fn origins_of(&self, side: SideName) -> Option<&'a RowOrigins> {
        self.origins.map(|origins| origins.get(side))
    }

    /// Returns the rows as they stand: base, left, right.
    pub(crate) fn rows(&self) -> [Option<&'a Row>; 3] {
        [self.base, self.left.row(), self.right.row()]
    }
}

/// What kind of write brings a side to where it should be.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// A new row.
    Insert,
    /// Other cells.
    Update,
    /// The row is removed.
    Delete,
    /// The row is marked as deleted.
    Mark,
    /// A row that was marked as deleted comes back.
    Reactivate,
}

/// A write to one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) kind: ChangeKind,
    pub(crate) after: Option<Row>,
    /// The columns to write, ascending; of a deletion none.
    pub(crate) cells: Vec<usize>,
}

/// What becomes of base, once both sides have confirmed their writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BaseMove {
    Keep,
    Set(Row),
    Forget,
}

/// What was decided for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Merged {
    pub(crate) class: Class,
    pub(crate) outcome: Outcome,
    pub(crate) writes: PerSide<Option<Write>>,
    pub(crate) base: BaseMove,
    pub(crate) conflict: Option<Conflict>,
    pub(crate) losers: Vec<Loser>,
    pub(crate) drift: Vec<DriftNote>,
    pub(crate) withheld: Vec<Withheld>,
}

impl Merged {
    /// Returns the decision to do nothing.
    pub(crate) fn still(class: Class, outcome: Outcome) -> Merged {
        Merged {
            class,
            outcome,
            writes: PerSide { left: None, right: None },
            base: BaseMove::Keep,
            conflict: None,
            losers: Vec::new(),
            drift: Vec::new(),
            withheld: Vec::new(),
        }
    }

    pub(crate) fn withhold(mut self, key: &Key, reason: Withholding) -> Merged {
        self.withheld.push(Withheld { key: key.clone(), reason });
        self
    }
}

/// Decides one key.
pub(crate) fn merge(terms: &Terms, case: &Case<'_>) -> Merged {
    // At this point nothing may be concluded from a row that is not there: it may be on the page that was lost.
    for (side, presence) in [(SideName::Left, case.left), (SideName::Right, case.right)] {
        if presence == Presence::Unknown {
            return Merged::still(Class::Unknown, Outcome::Nothing)
                .withhold(case.key, Withholding::NotRead(side));
        }
    }
    let (left, right) = (live(terms, case, SideName::Left), live(terms, case, SideName::Right));
    match (case.base, left, right) {
        (None, None, None) => Merged::still(Class::Absent, Outcome::Nothing),
        (Some(_), None, None) => Merged {
            base: BaseMove::Forget,
            ..Merged::still(Class::ConvergentDelete, Outcome::Agreed)
        },
        (_, Some(left), Some(right)) => cells::merge(terms, case, left, right),
        (None, Some(row), None) => existence::lone(terms, case, SideName::Left, row),
        (None, None, Some(row)) => existence::lone(terms, case, SideName::Right, row),
        (Some(base), None, Some(row)) => existence::gone(terms, case, base, SideName::Right, row),
        (Some(base), Some(row), None) => existence::gone(terms, case, base, SideName::Left, row),
    }
}

/// Returns the row of a side, unless it only stands there marked as deleted.
///
/// Where the mark has a column of the side's own, a marked row is always a deleted one. Where the column is shared, the
/// same value may be ordinary data that both sides carry; it means a deletion only where the partner is gone, or comes
/// back (unmarked) after the deletion was agreed on and base had forgotten the row.
pub(crate) fn live<'a>(terms: &Terms, case: &Case<'a>, side: SideName) -> Option<&'a Row> {
    let presence = |of: SideName| match of {
        SideName::Left => case.left.row(),
        SideName::Right => case.right.row(),
    };
    let row = presence(side)?;
    let DeleteTerms::Mark { column, value, own } = terms.deletes.get(side) else {
        return Some(row);
    };
    // The source of a one-way direction is never written, so nothing in it is a mark.
    if terms.direction.source() == Some(side) || row.get(*column) != Some(value) {
        return Some(row);
    }
    let deleted_before = case.tombstone.unwrap_or(true);
    let gone = match presence(side.other()) {
        _ if *own => true,
        None => case.base.is_some() || deleted_before,
        Some(partner) => {
            case.base.is_none() && deleted_before && partner.get(*column) != Some(value)
        }
    };
    if gone { None } else { Some(row) }
}
