//! Compares two sides with what they last agreed on, and says what must change where.
//!
//! The decision for each key is [`merge`](crate::merge)'s; this module feeds it the keys of whole tables and gathers
//! what comes of them. The result does not depend on the order in which the keys come.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::class::{Class, Outcome};
use crate::columns::{Columns, like};
use crate::conflict::{Conflict, DriftNote, Loser, Withheld};
pub use crate::counts::Counts;
use crate::dataset::{PerSide, SideName};
use crate::decision::Decisions;
use crate::key::Key;
use crate::merge::{BaseMove, Case, Merged, merge};
pub use crate::merge::{ChangeKind, Presence};
use crate::table::Table;
use crate::terms::Terms;
use crate::times::Times;
use crate::value::Row;

/// How much may be concluded from what a side does not have.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Reading {
    /// All of it was read: what is not there does not exist.
    #[default]
    Complete,
    /// All of it was read, but some rows have no usable key: what is missing is not taken for deleted.
    Doubtful,
    /// Part of it was read: nothing is concluded from what is missing.
    Partial,
}

/// One side as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The rows.
    pub rows: &'a Table,
    /// How much of it was read.
    pub reading: Reading,
}

impl<'a> Side<'a> {
    /// Returns a side of which every row was read.
    pub fn complete(rows: &'a Table) -> Side<'a> {
        let reading = if rows.blank() > 0 { Reading::Doubtful } else { Reading::Complete };
        Side { rows, reading }
    }

    /// Returns a side of which some rows may not have been read.
    pub fn partial(rows: &'a Table) -> Side<'a> {
        Side { rows, reading: Reading::Partial }
    }
}

/// One write to a side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The key.
    pub key: Key,
    /// What kind of write.
    pub kind: ChangeKind,
    /// The row as it was read; the write must find it so. `None` for an insert.
    pub before: Option<Row>,
    /// The row as it shall be; `None` for a deletion.
    pub after: Option<Row>,
    /// The columns to write, ascending; empty for a deletion.
    pub cells: Columns,
    /// Where the row stood in the side's snapshot; it says nothing of the change, and is not in the JSON form.
    #[serde(skip)]
    pub row: Option<usize>,
}

/// A move of base, to be made only when every write of its key, on both sides, was confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BaseChange {
    /// The key.
    pub key: Key,
    /// What base has.
    pub before: Option<Row>,
    /// What base shall have; `None` forgets the row and leaves a tombstone.
    pub after: Option<Row>,
}

/// Everything that follows from a comparison: applying it takes no further choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciled {
    /// Writes to the left, by key.
    pub left: Vec<Change>,
    /// Writes to the right, by key.
    pub right: Vec<Change>,
    /// Moves of base, by key.
    pub base: Vec<BaseChange>,
    /// What waits for a person, by key.
    pub conflicts: Vec<Conflict>,
    /// What was decided against, by key.
    pub losers: Vec<Loser>,
    /// What the receiving side of a one-way direction keeps of its own, by key.
    pub drift: Vec<DriftNote>,
    /// What was held back for want of knowledge, by key.
    pub withheld: Vec<Withheld>,
    /// How many keys there are of each kind.
    pub counts: Counts,
}

impl Reconciled {
    /// Returns the writes to a side.
    pub fn writes(&self, side: SideName) -> &[Change] {
        match side {
            SideName::Left => &self.left,
            SideName::Right => &self.right,
        }
    }

    /// Leaves out everything that is about other keys; the counts stay those of all keys.
    pub fn restrict(&mut self, wanted: impl Fn(&Key) -> bool) {
        self.left.retain(|one| wanted(&one.key));
        self.right.retain(|one| wanted(&one.key));
        self.base.retain(|one| wanted(&one.key));
        self.conflicts.retain(|one| wanted(&one.key));
        self.losers.retain(|one| wanted(&one.key));
        self.drift.retain(|one| wanted(&one.key));
        self.withheld.retain(|one| wanted(&one.key));
    }

    /// Returns whether neither side has to be written.
    pub fn is_quiet(&self) -> bool {
        self.left.is_empty() && self.right.is_empty()
    }
}

/// What a join found of one key.
#[derive(Clone, Copy, Debug)]
pub struct Joined<'a> {
    /// The key.
    pub key: &'a Key,
    /// The row both sides last agreed on.
    pub base: Option<&'a Row>,
    /// The left row.
    pub left: Presence<'a>,
    /// Where the left row stood in its snapshot.
    pub left_index: Option<usize>,
    /// The right row.
    pub right: Presence<'a>,
    /// Where the right row stood in its snapshot.
    pub right_index: Option<usize>,
}

/// Decides keys one by one, in any order, and gathers what follows.
#[derive(Clone, Debug)]
pub struct Reconciler<'a> {
    terms: &'a Terms,
    times: &'a Times,
    readings: PerSide<Reading>,
    decisions: Option<&'a Decisions>,
    tombstones: Option<&'a BTreeSet<Key>>,
    result: Reconciled,
}

impl<'a> Reconciler<'a> {
    /// Starts a comparison of two completely read sides.
    pub fn new(terms: &'a Terms, times: &'a Times) -> Reconciler<'a> {
        let readings = PerSide::default();
        Reconciler {
            terms,
            times,
            readings,
            decisions: None,
            tombstones: None,
            result: Reconciled::default(),
        }
    }

    /// Says how much of each side was read.
    #[must_use]
    pub fn readings(mut self, left: Reading, right: Reading) -> Reconciler<'a> {
        self.readings = PerSide { left, right };
        self
    }

    /// Gives what people decided about conflicts.
    #[must_use]
    pub fn decisions(mut self, decisions: &'a Decisions) -> Reconciler<'a> {
        self.decisions = Some(decisions);
        self
    }

    /// Gives the keys that base once had and forgot because they were deleted.
    ///
    /// Without them a row marked as deleted counts as one that was, which is right unless the datasets had marked rows
    /// before they were first compared.
    #[must_use]
    pub fn tombstones(mut self, tombstones: &'a BTreeSet<Key>) -> Reconciler<'a> {
        self.tombstones = Some(tombstones);
        self
    }

    /// Returns the terms that keys are decided by.
    pub fn terms(&self) -> &'a Terms {
        self.terms
    }

    /// Takes note that no more than this may be concluded from what a side does not have.
    pub fn at_best(&mut self, side: SideName, reading: Reading) {
        let known = self.readings.get_mut(side);
        *known = (*known).max(reading);
    }

    /// Returns a comparison on the same terms that has decided nothing, for some of the keys on another thread.
    pub(crate) fn fork(&self) -> Reconciler<'a> {
        Reconciler { result: Reconciled::default(), ..*self }
    }

    /// Takes over what another comparison on the same terms decided about other keys.
    pub(crate) fn absorb(&mut self, other: Reconciler<'a>) {
        let (result, mut other) = (&mut self.result, other.result);
        result.left.append(&mut other.left);
        result.right.append(&mut other.right);
        result.base.append(&mut other.base);
        result.conflicts.append(&mut other.conflicts);
        result.losers.append(&mut other.losers);
        result.drift.append(&mut other.drift);
        result.withheld.append(&mut other.withheld);
        result.counts.absorb(other.counts);
    }

    /// Counts keys whose rows are equal on both sides, and in base where there is one.
    pub fn skip(&mut self, keys: u64, based: bool) {
        let class = if based { Class::InSync } else { Class::ConvergentAdd };
        if keys > 0 {
            *self.result.counts.classes.entry(class).or_default() += keys;
            *self.result.counts.outcomes.entry(Outcome::Nothing).or_default() += keys;
        }
    }

    /// Decides one key.
    pub fn push(&mut self, joined: &Joined<'_>) {
        let case = Case {
            key: joined.key,
            base: joined.base,
            left: self.trusted(SideName::Left, joined.left, joined.base),
            right: self.trusted(SideName::Right, joined.right, joined.base),
            tombstone: self.tombstones.map(|tombstones| tombstones.contains(joined.key)),
            origins: self.times.of(joined.key),
            decision: self.decisions.and_then(|decisions| decisions.get(joined.key)),
            now: self.times.now,
            frozen: None,
        };
        let merged = merge(self.terms, &case);
        self.gather(joined, merged);
    }

    /// Returns what is known of a row, given how much of its side was read.
    fn trusted<'r>(
        &self,
        side: SideName,
        presence: Presence<'r>,
        base: Option<&Row>,
    ) -> Presence<'r> {
        if presence != Presence::Absent {
            return presence;
        }
        // What a doubtful side lacks may be copied to it, but nothing is deleted because of it.
        let deletes = base.is_some() || self.terms.direction.source() == Some(side);
        match self.readings.get(side) {
            Reading::Complete => presence,
            Reading::Doubtful if !deletes => presence,
            Reading::Doubtful | Reading::Partial => Presence::Unknown,
        }
    }

    fn gather(&mut self, joined: &Joined<'_>, merged: Merged) {
        let result = &mut self.result;
        *result.counts.classes.entry(merged.class).or_default() += 1;
        *result.counts.outcomes.entry(merged.outcome).or_default() += 1;
        let PerSide { left, right } = merged.writes;
        let mut base = merged.base;
        let sides = [
            (left, joined.left, joined.left_index, &mut result.left, &mut result.counts.left),
            (right, joined.right, joined.right_index, &mut result.right, &mut result.counts.right),
        ];
        for (write, presence, row, changes, counts) in sides {
            if let Some(write) = write {
                *counts.entry(write.kind).or_default() += 1;
                let before = match presence {
                    Presence::Present(row) => Some(row.clone()),
                    Presence::Absent | Presence::Unknown => None,
                };
                let key = joined.key.clone();
                let cells = like(write.cells, changes.last().map(|last| &last.cells));
                let after = write.after;
                if let (Some(written), BaseMove::Set(row)) = (&after, &mut base) {
                    row.share(written);
                }
                changes.push(Change { key, kind: write.kind, before, after, cells, row });
            }
        }
        let after = match base {
            BaseMove::Keep => None,
            BaseMove::Set(row) => Some(Some(row)),
            BaseMove::Forget => Some(None),
        };
        if let Some(after) = after {
            result.base.push(BaseChange {
                key: joined.key.clone(),
                before: joined.base.cloned(),
                after,
            });
        }
        result.conflicts.extend(merged.conflict);
        result.losers.extend(merged.losers);
        result.drift.extend(merged.drift);
        result.withheld.extend(merged.withheld);
    }

    /// Returns what follows from all keys, ordered by key.
    pub fn finish(self) -> Reconciled {
        let mut result = self.result;
        // They were gathered from many threads, in lists that grew.
        result.left.shrink_to_fit();
        result.right.shrink_to_fit();
        result.base.shrink_to_fit();
        // A key has one write to a side and one move of base.
        result.left.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        result.right.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        result.base.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        result.conflicts.sort_by(|a, b| a.key.cmp(&b.key));
        result.losers.sort_by(|a, b| a.key.cmp(&b.key));
        result.drift.sort_by(|a, b| a.key.cmp(&b.key));
        result.withheld.sort_by(|a, b| a.key.cmp(&b.key));
        result
    }
}

/// Compares two tables with base, by the terms of a policy.
///
/// Keys that a side has more than once are not decided. Large tables go through [`Reconciler`] and a join instead.
pub fn reconcile(
    base: Option<&Table>,
    left: Side<'_>,
    right: Side<'_>,
    terms: &Terms,
    times: &Times,
) -> Reconciled {
    let mut reconciler = Reconciler::new(terms, times).readings(left.reading, right.reading);
    feed(&mut reconciler, base, left, right);
    reconciler.finish()
}

/// Gives every key of two tables and of base to a reconciler.
pub fn feed(
    reconciler: &mut Reconciler<'_>,
    base: Option<&Table>,
    left: Side<'_>,
    right: Side<'_>,
) {
    let mut keys: BTreeSet<&Key> =
        base.into_iter().flat_map(Table::iter).map(|(key, _)| key).collect();
    for side in [left, right] {
        keys.extend(side.rows.iter().map(|(key, _)| key));
        keys.extend(side.rows.duplicates());
    }
    for key in keys {
        reconciler.push(&Joined {
            key,
            base: base.and_then(|base| base.get(key)),
            left: presence(left.rows, key),
            left_index: left.rows.index_of(key),
            right: presence(right.rows, key),
            right_index: right.rows.index_of(key),
        });
    }
}

/// Returns what a table that was read whole says of a key.
pub(crate) fn presence<'a>(table: &'a Table, key: &Key) -> Presence<'a> {
    match table.get(key) {
        _ if table.duplicates().contains(key) => Presence::Unknown,
        Some(row) => Presence::Present(row),
        None => Presence::Absent,
    }
}
