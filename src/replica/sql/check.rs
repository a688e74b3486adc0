//! Comparing what stands in the table with what a change expects: before the write, and after it.

use std::collections::HashMap;

use lockstep_engine::{
    reconcile::{Change, ChangeKind},
    snapshot::{Snapshot, SnapshotBuilder},
    value::{Row, Value},
};

use super::{
    column::ColumnInfo,
    encode,
    plan::SqlPlan,
    rows::{Datum, Rows},
    session::{Bind, Session},
    statements::Statements,
};
use crate::replica::apply::Writes;

/// What the statements of a batch are made from.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) plan: &'a SqlPlan,
    pub(super) writes: &'a Writes<'a>,
}

/// Rows of the table by the position of their change; `None` for one whose key is there twice.
pub(super) struct Found {
    snapshot: Snapshot,
    /// The columns, as indices of the schema.
    columns: Vec<usize>,
    rows: HashMap<usize, Option<usize>>,
}

impl<'a> Work<'a> {
    pub(super) fn change(&self, position: usize) -> Option<&'a Change> {
        self.writes.changes.get(position).copied()
    }

    /// Returns the columns of the key.
    pub(super) fn keys(&self) -> Vec<&'a ColumnInfo> {
        self.plan.keys.iter().filter_map(|column| self.plan.column(*column)).collect()
    }

    pub(super) fn statements<'s>(&self, keys: &'s [&'s ColumnInfo]) -> Statements<'s>
    where
        'a: 's,
    {
        Statements { engine: self.plan.database.engine, table: &self.plan.table, keys }
    }

    /// Returns the key by which the row of a change is found as it stands now.
    ///
    /// It is the table's own, as it was scanned; `after` asks for the one that the write gives it.
    pub(super) fn key(&self, change: &Change, after: bool) -> Vec<Datum> {
        let engine = self.plan.database.engine;
        let part = |column: &usize| {
            let info = self.plan.column(*column)?;
            let written = change.cells.contains(column) || change.kind == ChangeKind::Insert;
            let scanned = change.row.filter(|_| self.plan.whole && !(after && written));
            let headers = self.writes.snapshot.headers();
            let at = headers.iter().position(|header| *header == info.name);
            if let (Some(row), Some(at)) = (scanned, at) {
                return Some(encode::again(engine, info, &self.writes.snapshot.cell(row, at)));
            }
            let row = if after || change.before.is_none() { &change.after } else { &change.before };
            let value = row.as_ref().and_then(|row| row.get(*column)).unwrap_or(&Value::Null);
            Some(encode::datum(engine, info, value))
        };
        self.plan.keys.iter().filter_map(part).collect()
    }

    /// Reads columns (indices of the schema) of the rows of changes.
    pub(super) async fn read(
        &self,
        session: &mut Session,
        positions: &[usize],
        columns: Vec<usize>,
        how: Look,
    ) -> Result<Found, sqlx::Error> {
        let keys = self.keys();
        let mut rows = Rows::new(keys.len());
        for position in positions {
            if let Some(change) = self.change(*position) {
                rows.push(*position, self.key(change, how == Look::After));
            }
        }
        let infos: Vec<&ColumnInfo> =
            columns.iter().filter_map(|column| self.plan.column(*column)).collect();
        let mut builder = SnapshotBuilder::new(infos.iter().map(|info| info.name.clone()));
        if !rows.is_empty() {
            let sql = self.statements(&keys).read(&infos, &nulls(&rows), how == Look::Before);
            session.stream(sql, Bind::Rows(rows), &infos, true, &mut builder).await?;
        }
        let snapshot = builder.finish();
        let mut found: HashMap<usize, Option<usize>> = HashMap::new();
        for row in 0..snapshot.len() {
            let position = usize::try_from(snapshot.origin(row)).unwrap_or(usize::MAX);
            found.entry(position).and_modify(|row| *row = None).or_insert(Some(row));
        }
        Ok(Found { snapshot, columns, rows: found })
    }
}

/// When and how rows are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Before the write: they are locked.
    Before,
    /// Whether a new row's key is taken.
    Taken,
    /// After the write, by the key that it gave.
    After,
}

/// Returns which parts of the keys are NULL somewhere.
pub(super) fn nulls(rows: &Rows) -> Vec<bool> {
    (0..rows.width)
        .map(|at| rows.cells.iter().any(|row| row.get(at) == Some(&Datum::Null)))
        .collect()
}

impl Found {
    /// Returns whether a row is there.
    pub(super) fn has(&self, position: usize) -> bool {
        self.rows.contains_key(&position)
    }

    /// Returns why a row is not as it should be: gone, there twice, or with another value in one of the columns.
    pub(super) fn differs(
        &self,
        work: &Work<'_>,
        position: usize,
        columns: &[usize],
        expected: Option<&Row>,
    ) -> Option<Difference> {
        let row = match self.rows.get(&position) {
            None => return Some(Difference::Gone),
            Some(None) => return Some(Difference::Twice),
            Some(Some(row)) => *row,
        };
        columns.iter().find_map(|column| {
            let at = self.columns.iter().position(|known| known == column)?;
            let schema = work.writes.schema.columns.get(*column)?;
            let holds = schema.value(&self.snapshot.cell(row, at));
            let expected = expected.and_then(|row| row.get(*column)).unwrap_or(&Value::Null);
            (holds != *expected).then(|| Difference::Value {
                column: work.writes.header(*column).to_owned(),
                holds,
                expected: expected.clone(),
            })
        })
    }
}

/// How a row differs from what was expected.
#[derive(Debug)]
pub(super) enum Difference {
    Gone,
    Twice,
    Value { column: String, holds: Value, expected: Value },
}

impl Difference {
    /// Says why a row was left alone that is not as the plan saw it.
    pub(super) fn before(&self) -> String {
        match self {
            Self::Gone => "somebody removed the row meanwhile, or changed its key".into(),
            Self::Twice => "its key is in the table more than once meanwhile".into(),
            Self::Value { column, .. } => {
                format!("somebody changed \"{column}\" of the row meanwhile")
            }
        }
    }

    /// Returns the column that differs.
    pub(super) fn column(&self) -> Option<String> {
        match self {
            Self::Gone | Self::Twice => None,
            Self::Value { column, .. } => Some(column.clone()),
        }
    }

    /// Says why a write was taken back that does not read back as it was written.
    pub(super) fn after(&self) -> String {
        match self {
            Self::Gone => "the database did not keep the row as it was written (its key reads back differently, or a \
                           trigger, rule or policy took it)"
                .into(),
            Self::Twice => "its key is in the table more than once".into(),
            Self::Value { column, holds, expected } => format!(
                "the column \"{column}\" would hold {} where {} was written (its type, or a trigger, changes it)",
                shown(holds),
                shown(expected)
            ),
        }
    }
}

fn shown(value: &Value) -> String {
    let text: String = value.to_string().chars().take(60).collect();
    if value.is_null() { "nothing".into() } else { format!("\"{text}\"") }
}
