//! Where members do not agree, and why: told from what they last agreed on and from what runs wrote.

use lockstep_engine::{
    dataset::{Direction, Drift as DriftPolicy},
    value::{Row, Value},
};

use super::{
    definition::Disappeared,
    inspect::{Inspected, Seen},
};

/// What kind of disagreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The first member has the row, the other has not.
    Missing,
    /// The other has the row, the first member has not.
    Extra,
    /// Both have the row, with different values in a cell.
    Cell,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Cell => "cell",
        }
    }
}

/// Why members do not agree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// No run has brought the two together yet.
    NeverSynced,
    /// One member changed since they agreed.
    Changed(String),
    /// Both changed since, differently.
    ChangedBoth,
    /// A run wrote it and it was confirmed; what stood there before is there again.
    WriteLost,
    /// The same to a person, written differently.
    Format,
    /// The dataset's own rules let it be so.
    Policy,
    /// Nothing that is kept tells which of the two changed.
    Unknown,
}

impl Cause {
    /// Returns its name in reports.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::NeverSynced => "neverSynced".into(),
            Self::Changed(member) => format!("changedOn {member}"),
            Self::ChangedBoth => "changedOnBoth".into(),
            Self::WriteLost => "writeLost".into(),
            Self::Format => "typeOrFormat".into(),
            Self::Policy => "excludedByPolicy".into(),
            Self::Unknown => "unknown".into(),
        }
    }
}

/// One disagreement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drift {
    /// The member that does not agree with the first one.
    pub(crate) member: usize,
    pub(crate) kind: Kind,
    /// The column, where one cell differs.
    pub(crate) column: Option<usize>,
    pub(crate) cause: Cause,
    /// What the first member has.
    pub(crate) first: Value,
    /// What the other has.
    pub(crate) other: Value,
}

impl Inspected {
    /// Returns the disagreements of a key; none where a member has it more than once: such rows are set aside.
    pub(crate) fn drifts(&self, seen: &Seen) -> Vec<Drift> {
        if seen.rows.iter().any(|rows| rows.len() > 1) {
            return Vec::new();
        }
        let first = seen.rows.first().and_then(|rows| rows.first());
        let others = self.members.iter().enumerate().skip(1);
        others
            .filter(|(_, member)| member.down.is_none())
            .flat_map(|(at, _)| {
                let other = seen.rows.get(at).and_then(|rows| rows.first());
                self.between(seen, at, first, other)
            })
            .collect()
    }

    fn between(
        &self,
        seen: &Seen,
        at: usize,
        first: Option<&Row>,
        other: Option<&Row>,
    ) -> Vec<Drift> {
        let whole = |kind, cause| Drift {
            member: at,
            kind,
            column: None,
            cause,
            first: Value::Null,
            other: Value::Null,
        };
        match (first, other) {
            (None, None) => Vec::new(),
            (Some(row), None) => {
                vec![whole(Kind::Missing, self.missing(seen, at, row))]
            }
            (None, Some(row)) => vec![whole(Kind::Extra, self.extra(seen, at, row))],
            (Some(first), Some(other)) => self.cells(seen, at, first, other),
        }
    }

    fn cells(&self, seen: &Seen, at: usize, first: &Row, other: &Row) -> Vec<Drift> {
        let shared = (0..self.schema.columns.len())
            .filter(|column| self.has(0, *column) && self.has(at, *column))
            .filter(|column| !self.schema.key.contains(column));
        let null = Value::Null;
        let mut drifts = Vec::new();
        for column in shared {
            let (one, two) =
                (first.get(column).unwrap_or(&null), other.get(column).unwrap_or(&null));
            if one != two {
                drifts.push(Drift {
                    member: at,
                    kind: Kind::Cell,
                    column: Some(column),
                    cause: self.cell_cause(seen, at, column, one, two),
                    first: one.clone(),
                    other: two.clone(),
                });
            }
        }
        drifts
    }

    fn name(&self, at: usize) -> &str {
        self.members.get(at).map_or("", |member| &member.name)
    }

    fn agreed(&self, seen: &Seen, at: usize) -> Option<&Row> {
        self.agreed.get(at.checked_sub(1)?)?.get(&seen.key)
    }

    /// Returns a cell of the image that the last confirmed write of a member left, or found: nothing if it did not
    /// touch the cell.
    fn written(&self, seen: &Seen, at: usize, column: usize, before: bool) -> Option<Value> {
        let record = self.written.get(&(self.name(at).to_owned(), seen.key.clone()))?;
        let name = &self.schema.columns.get(column)?.name;
        let place = record.columns.iter().position(|known| known == name)?;
        if before && !record.action.cells.contains(&place) {
            return None;
        }
        let image = if before { &record.action.before } else { &record.action.after };
        image.as_ref()?.get(place).cloned()
    }

    fn cell_cause(&self, seen: &Seen, at: usize, column: usize, one: &Value, two: &Value) -> Cause {
        if alike(one, two) {
            return Cause::Format;
        }
        let lost = |member: usize, now: &Value, there: &Value| {
            self.written(seen, member, column, false).as_ref() == Some(there)
                && self.written(seen, member, column, true).as_ref() == Some(now)
        };
        if lost(at, two, one) || lost(0, one, two) {
            return Cause::WriteLost;
        }
        let null = Value::Null;
        let agreed = match self.agreed(seen, at) {
            Some(row) => Some(row.get(column).unwrap_or(&null).clone()),
            None => self
                .written(seen, at, column, false)
                .or_else(|| self.written(seen, 0, column, false)),
        };
        match agreed {
            None if self.definition.has_base() => Cause::NeverSynced,
            None => Cause::Unknown,
            Some(agreed) => match (agreed == *one, agreed == *two) {
                (true, _) => self.changed(at),
                (_, true) => self.changed(0),
                _ => Cause::ChangedBoth,
            },
        }
    }

    /// Returns that a member changed; what the policy lets a target keep is no drift.
    fn changed(&self, at: usize) -> Cause {
        let policy = &self.definition.policy;
        let target = !self.definition.speaks(self.name(at));
        if target && policy.drift == DriftPolicy::Keep {
            return Cause::Policy;
        }
        Cause::Changed(self.name(at).to_owned())
    }

    fn missing(&self, seen: &Seen, at: usize, row: &Row) -> Cause {
        let name = self.name(at);
        let spoke = self.definition.spokes().iter().find(|spoke| spoke.name == name);
        let only_read = spoke.is_some_and(|spoke| spoke.direction == Direction::RightToLeft);
        if only_read || self.is_marked(0, row) {
            return Cause::Policy;
        }
        let write = self.written.get(&(name.to_owned(), seen.key.clone()));
        if write.is_some_and(|write| write.action.before.is_none() && write.action.after.is_some())
        {
            // Inserted, confirmed, and gone: as if it had never been written.
            return Cause::WriteLost;
        }
        if self.agreed(seen, at).is_some()
            || write.is_some_and(|write| write.action.after.is_some())
        {
            return Cause::Changed(name.to_owned());
        }
        Cause::NeverSynced
    }

    fn extra(&self, seen: &Seen, at: usize, row: &Row) -> Cause {
        let name = self.name(at);
        let spoke = self.definition.spokes().iter().find(|spoke| spoke.name == name);
        let deletes = spoke.map_or(&self.definition.deletes, |spoke| &spoke.deletes);
        let target = !self.definition.speaks(name);
        if self.is_marked(at, row) || (target && *deletes == Disappeared::Ignore) {
            return Cause::Policy;
        }
        let first = self.name(0).to_owned();
        let known = self.agreed(seen, at).is_some();
        let write = |at: usize| self.written.get(&(self.name(at).to_owned(), seen.key.clone()));
        if write(0)
            .is_some_and(|write| write.action.before.is_none() && write.action.after.is_some())
        {
            return Cause::WriteLost;
        }
        if write(at).is_some_and(|write| write.action.after.is_none()) {
            // Deleted, confirmed, and there again.
            return Cause::WriteLost;
        }
        match (known || write(at).is_some(), target) {
            (true, _) => Cause::Changed(first),
            (false, true) => self.changed(at),
            (false, false) => Cause::NeverSynced,
        }
    }

    /// Returns whether the next run carries a disagreement away as it should: nothing is wrong with it but its age.
    pub(crate) fn flows(&self, drift: &Drift) -> bool {
        match &drift.cause {
            Cause::NeverSynced => true,
            Cause::Changed(member) => self.definition.speaks(member),
            _ => false,
        }
    }

    /// Returns whether nobody who may change things, and no run, explains a disagreement.
    pub(crate) fn is_unexplained(&self, drift: &Drift) -> bool {
        match &drift.cause {
            Cause::WriteLost | Cause::Unknown => true,
            Cause::Changed(member) => !self.definition.speaks(member),
            _ => false,
        }
    }
}

/// Returns whether two values are the same to a person: numbers, days and words without regard to how they are written.
fn alike(one: &Value, two: &Value) -> bool {
    plain(one) == plain(two)
}

fn plain(value: &Value) -> String {
    let text = match value {
        Value::DateTime(at) => at.utc().to_string(),
        Value::Date(date) => date.at(0, 0, 0, 0).to_string(),
        other => other.to_string(),
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    match text.parse::<lockstep_engine::value::Number>() {
        Ok(number) => number.to_string(),
        Err(_) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_reads_as_the_same_is_alike() {
        let text = |text: &str| Value::text(text);
        let number = |text: &str| Value::Number(text.parse().unwrap());
        let cases = [
            (text("10.50"), number("10.5"), true),
            (text(" Ann  Lee"), text("ann lee"), true),
            (text("1e3"), text("1000"), true),
            (text("10.5"), text("10.51"), false),
            (Value::Null, text("x"), false),
            (text("a b"), text("ab"), false),
        ];
        for (one, two, same) in cases {
            assert_eq!((alike(&one, &two), alike(&two, &one)), (same, same), "{one:?} {two:?}");
        }
    }
}
